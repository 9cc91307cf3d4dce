"""Models by name: encoders, decoders and chat models carry the same systems, from Python and from the command line."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chat_server import ChatServer, says
from completions_server import ANSWER, BETWEEN, ENGLISH, SWAHILI, CompletionsServer, streams
from transfusion.cli import app
from transfusion.encoder.folder import EncoderConfig, write_config
from transfusion.errors import ConfigError, ModelError, SchemaError
from transfusion.evaluate.suite import read_suite
from transfusion.pipeline import SYSTEMS, Pipeline
from transfusion.schema import Schema
from transfusion.systems.decoder import DecoderSystems
from transfusion.systems.find import find_systems

pytest.importorskip("openai")

MASAKHANER = ANSWER.replace("PER(", "Person(").replace("LOC(", "Location(")
"""What the decoder behind the server writes, in the class names of the schema ``masakhaner``."""


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def completions() -> Iterator[CompletionsServer]:
    with CompletionsServer().running() as server:
        server.usual = lambda _: streams(MASAKHANER)
        yield server


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    names = [{"label": "PER", "text": "Ruto"}, {"label": "LOC", "text": "Kampala"}]
    with ChatServer().running() as server:
        server.usual = lambda request: says(
            json.dumps(
                {"translation": names, "source": names}
                if ENGLISH in request.body["messages"][1]["content"]
                else {"source": names}
            )
        )
        yield server


@pytest.fixture
def encoder() -> str:
    Path("news").mkdir()
    write_config(Path("news"), EncoderConfig("news", ("PER", "LOC")))
    return "news"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def extract(*arguments: str) -> Result:
    Path("news.jsonl").write_text(json.dumps({"text": SWAHILI, "language": "swa", "translation": ENGLISH}) + "\n")
    return run("extract", "news.jsonl", *arguments)


def found(result: Result) -> list[str]:
    (line,) = result.stdout.splitlines()
    record: dict[str, Any] = json.loads(line)
    return [f"{each['label']} {each['text']}" for each in record["entities"]]


class TestNames:
    def test_an_encoder_finds_what_it_was_trained_on(self, encoder: str) -> None:
        assert find_systems(encoder).labels == ("PER", "LOC")
        assert find_systems(encoder, schema=Schema.from_labels(["LOC", "PER"])).labels == ("PER", "LOC")
        assert find_systems(encoder).signature.startswith("news@")
        with pytest.raises(SchemaError, match=r"'news' is an encoder and finds .*PER, LOC"):
            find_systems(encoder, schema="masakhaner")
        with pytest.raises(ConfigError, match=r"is an encoder and has no settings, so not \['dtype'\]"):
            find_systems(encoder, options={"dtype": "float32"})

    @pytest.mark.parametrize("file", ["config.json", "adapter_config.json"])
    def test_a_folder_of_others_is_a_decoder_and_its_card_may_name_a_schema(self, file: str) -> None:
        folder = Path("gollie")
        folder.mkdir()
        (folder / file).write_text('{"model_type": "llama"}')
        assert find_systems(folder).labels == ("PER", "ORG", "LOC")
        (folder / "README.md").write_text(
            "---\nlicense: apache-2.0\nschema: wnut17\n---\n# A model\nschema: nonsense\n"
        )
        assert "corporation" in find_systems("gollie").labels
        assert find_systems("gollie", schema="masakhaner").labels == ("PER", "ORG", "LOC")

    @pytest.mark.parametrize("name", ["some.gguf", "decoder:org/name", "completions:org/name", "chat:org/name"])
    def test_what_the_name_begins_or_ends_with_tells_the_others(self, name: str) -> None:
        model = find_systems(name, schema=Schema.from_labels(["Ship"]))
        assert model.labels == ("Ship",)

    def test_a_schema_may_be_a_file(self) -> None:
        Path("ships.py").write_text('class Vessel(Entity):\n    """Ships."""\n\n    span: str\n')
        assert find_systems("decoder:x", schema="ships.py").labels == ("Vessel",)

    def test_a_setting_that_does_not_exist_is_named_with_those_that_do(self) -> None:
        with pytest.raises(ConfigError, match=r"'decoder:x' has no settings \['quantize'\]; it has .*'quantise'"):
            find_systems("decoder:x", options={"quantize": "nf4"})
        with pytest.raises(ConfigError, match=r"'completions:x' has no settings .* it has .*'annotator'"):
            find_systems("completions:x", options={"annotater": "mini"})
        with pytest.raises(ConfigError, match="steps is 1 or 2, not 3"):
            find_systems("chat:x", options={"steps": "3"})
        with pytest.raises(ConfigError, match="max_new_tokens must be int, not 'many'"):
            find_systems("decoder:x", options={"max_new_tokens": "many"})

    def test_a_model_that_annotates_for_another_finds_the_same_labels(self, encoder: str) -> None:
        model = find_systems("decoder:x", schema=Schema.from_labels(["LOC", "PER"]), options={"annotator": encoder})
        assert model.labels == ("LOC", "PER")
        with pytest.raises(SchemaError, match="'news' is an encoder and finds"):
            find_systems("decoder:x", schema="wnut17", options={"annotator": encoder})
        with pytest.raises(ModelError, match="no model 'absent'"):
            find_systems("chat:x", options={"annotator": "absent"})

    def test_a_name_that_nothing_has_is_an_error(self) -> None:
        for name in ("absent", "mini-absent", "gpt:4"):
            with pytest.raises(ModelError, match=f"no model '{name}'"):
                find_systems(name)
        with pytest.raises(ConfigError, match="decoder:MODEL"):
            find_systems("decoder:")


class TestCommands:
    def decoder(self, server: CompletionsServer) -> list[str]:
        return ["--model", "completions:tiny", "--model-option", f"base-url={server.base_url}"]

    def test_a_decoder_at_a_server_fuses(self, completions: CompletionsServer) -> None:
        result = extract(*self.decoder(completions))
        assert result.exit_code == 0, result.stderr
        assert found(result) == ["PER Rais Ruto", "LOC Kampala"]
        record = json.loads(result.stdout)
        assert [each["text"] for each in record["pivot"]["entities"]] == ["Ruto", "Museveni", "Kampala"]

    def test_schemas_with_events_give_them_with_all_offsets(self, completions: CompletionsServer) -> None:
        Path("meetings.toml").write_text('[[events]]\nname = "Meeting"\nroles = ["place"]\n')
        trigger = f']{BETWEEN}[\n    Meeting(mention="alikutana"),\n]'
        roles = '\n    Meeting(mention="alikutana", place=["Kampala"]),\n]'
        completions.usual = lambda request: streams(roles if "triggers a Meeting" in request.prompt else trigger)
        result = extract(*self.decoder(completions), "--schema", "meetings.toml")
        assert result.exit_code == 0, result.stderr
        (event,) = json.loads(result.stdout)["events"]
        assert (event["label"], event["trigger"]["start"], event["trigger"]["end"]) == ("Meeting", 10, 19)
        (argument,) = event["arguments"]
        assert (argument["role"], argument["start"], argument["text"]) == ("place", 38, "Kampala")
        assert "0 entities; 1 event; 0 bad lines" in result.stderr

    def test_a_chat_model_fuses_in_one_step_or_two(self, chat: ChatServer) -> None:
        for steps in ("1", "2"):
            chat.requests.clear()
            result = extract(
                "--model",
                "chat:tiny",
                "--model-option",
                f"base_url={chat.base_url}",
                "--model-option",
                f"steps={steps}",
            )
            assert result.exit_code == 0, result.stderr
            assert found(result) == ["PER Ruto", "LOC Kampala"]
            assert len(chat.requests) == int(steps)

    def test_another_model_may_annotate_the_pivot_of_a_decoder(self, completions: CompletionsServer) -> None:
        completions.usual = lambda _: streams('\n    Person(span="Ruto"),\n]')
        result = extract(*self.decoder(completions), "--model-option", "annotator=mini")
        assert result.exit_code == 0, result.stderr
        record = json.loads(result.stdout)
        by_mini = [each["text"] for each in record["pivot"]["entities"]]
        assert by_mini
        (request,) = completions.requests
        shown = request.prompt[request.prompt.index("\nresult = [") : request.prompt.index("final_result")]
        assert all(f'span="{name}"' in shown for name in by_mini)
        assert request.prompt.endswith("final_result = [")
        assert found(result) == ["PER Ruto"]

    def test_another_model_may_annotate_the_pivot_of_a_chat_model(self, chat: ChatServer) -> None:
        address = ["--model-option", f"base_url={chat.base_url}", "--model-option", "annotator=mini"]
        estimate = extract("--model", "chat:tiny", *address, "--dry-run")
        assert estimate.stdout.startswith("1 document; 1 requests, about ")
        result = extract("--model", "chat:tiny", *address)
        assert result.exit_code == 0, result.stderr
        assert found(result) == ["PER Ruto", "LOC Kampala"]
        assert len(chat.requests) == 1
        assert json.loads(result.stdout)["pivot"]["entities"]

    def test_a_dry_run_reckons_and_asks_nobody(self, chat: ChatServer) -> None:
        prices = ["--model-option", "input_price=1000", "--model-option", "output_price=1000"]
        result = extract("--model", "chat:tiny", "--model-option", f"base_url={chat.base_url}", *prices, "--dry-run")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("1 document; 1 requests, about ")
        assert "in the currency of the prices" in result.stdout
        assert chat.requests == []

    @pytest.mark.parametrize("system", ["fusion", "untagged", "direct"])
    def test_a_decoder_is_scored_like_any_model(self, completions: CompletionsServer, system: str) -> None:
        Path("swa.txt").write_text("Ruto B-PER\nalifika O\nKampala B-LOC\n", encoding="utf-8")
        Path("swa.jsonl").write_text('{"text": "Ruto came to Kampala"}\n', encoding="utf-8")
        names = '\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]'
        lists = f"{names}{BETWEEN}[{names}" if system == "fusion" else names
        completions.usual = lambda _: streams(lists)
        arguments = ["swa.txt", "--language", "swa", "--translations", "swa.jsonl", "--system", system, "--json", "-"]
        result = run("evaluate", *arguments, *self.decoder(completions))
        assert result.exit_code == 0, result.stderr
        scores = json.loads(result.stdout)
        assert scores["f1"] == 100
        assert f"|system:{system}|model:" in scores["signature"]
        assert "tiny" in scores["signature"]
        assert " schema=" in scores["signature"]

    def test_models_of_all_kinds_stand_in_one_table(self, completions: CompletionsServer, chat: ChatServer) -> None:
        Path("swa.txt").write_text("Ruto B-PER\nalifika O\nKampala B-LOC\n", encoding="utf-8")
        names = '\n    Person(span="Ruto"),\n]'
        completions.usual = lambda _: streams(names)
        Path("suite.toml").write_text(
            f"""
            labels = ["PER", "LOC"]
            [[system]]
            name = "decoder"
            system = "direct"
            model = "completions:tiny"
            schema = "masakhaner"
            model_options = {{base_url = "{completions.base_url}", concurrency = 1}}
            [[system]]
            name = "chat"
            system = "direct"
            model = "chat:tiny"
            model_options = {{base_url = "{chat.base_url}"}}
            [[set]]
            languages = ["swa"]
            gold = "swa.txt"
            """
        )
        result = run("compare", "suite.toml", "--json", "table.json")
        assert result.exit_code == 0, result.stderr
        table = json.loads(Path("table.json").read_text())
        assert {cell["system"]: round(cell["f1"]) for cell in table["results"]} == {"decoder": 67, "chat": 100}

    def test_labels_that_the_schema_lacks_are_refused_before_any_work(self, completions: CompletionsServer) -> None:
        Path("swa.txt").write_text("Ruto B-PER\n", encoding="utf-8")
        result = run("evaluate", "swa.txt", "--language", "swa", "--labels", "DATE", *self.decoder(completions))
        assert result.exit_code == 2
        assert "does not know the label 'DATE'; it knows PER, ORG, LOC" in result.stderr
        assert completions.requests == []

    def test_a_server_that_is_down_is_one_clear_failure(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        for model in ("completions:tiny", "chat:tiny"):
            result = extract("--model", model, "--model-option", f"base_url={address}", "--model-option", "retries=0")
            assert result.exit_code in (1, 2)
            assert address in result.stderr
            assert "Traceback" not in result.stderr
            if result.stdout:
                assert [note["severity"] for note in json.loads(result.stdout)["notes"]] == ["error"]

    def test_a_server_that_answers_garbage_gives_notes_and_no_entities(self, completions: CompletionsServer) -> None:
        completions.usual = lambda _: streams("<html>not what you asked for</html>")
        result = extract(*self.decoder(completions))
        record = json.loads(result.stdout)
        assert record["entities"] == []
        assert "missing-list" in {note["code"] for note in record["notes"]}
        assert "missing-list 2" in result.stderr

    def test_a_broken_schema_is_told_with_line_and_caret(self) -> None:
        Path("ships.py").write_text("class Vessel(Entity)\n    span: str\n")
        result = extract("--model", "decoder:x", "--schema", "ships.py")
        assert result.exit_code == 2
        assert "ships.py:1" in result.stderr
        assert "^" in result.stderr

    def test_an_unknown_schema_is_told_with_near_ones(self) -> None:
        result = extract("--model", "decoder:x", "--schema", "masakaner")
        assert result.exit_code == 2
        assert "did you mean masakhaner" in result.stderr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a causal language model that has learnt nothing, as transformers saves it."""
    pytest.importorskip("torch")
    from tiny_causal import tiny_model, tiny_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    tiny_model("llama", len(tokenizer), positions=2048).save_pretrained(folder)
    return folder


class TestInProcess:
    SETTINGS = ("--model-option", "dtype=float32", "--model-option", "max-new-tokens=48", "--threads", "1")

    def test_a_model_of_transformers_works_from_its_folder(self, tiny: Path) -> None:
        Path("short.txt").write_text("PER\nLOC\n")
        result = extract("--model", str(tiny), "--schema", "short.txt", *self.SETTINGS)
        assert result.exit_code == 0, result.stderr
        record = json.loads(result.stdout)
        # It has learnt nothing, but it is held to copying: whatever it finds stands in the text.
        for each in record["entities"]:
            assert SWAHILI[each["start"] : each["end"]] == each["text"]
        assert not {note["code"] for note in record["notes"]} & {"hallucinated", "unknown-class", "junk"}

    @pytest.mark.parametrize("system", SYSTEMS)
    def test_every_system_can_be_built_from_it(self, tiny: Path, system: str) -> None:
        schema = Schema.from_labels(["PER", "LOC"])
        options = {"dtype": "float32", "max_new_tokens": "32"}
        pipeline = Pipeline.load(tiny, system=system, schema=schema, model_options=options, threads=1)
        done = pipeline(SWAHILI, language="swa", translation=ENGLISH)
        assert not done.failed, done.notes
        assert done.source.text == SWAHILI

    def test_an_adapter_for_another_base_is_named_and_refused(self, tiny: Path) -> None:
        pytest.importorskip("peft")
        adapter = Path("other")
        adapter.mkdir()
        recorded = {
            "peft_type": "LORA",
            "base_model_name_or_path": "org/gollie-7b",
            "r": 4,
            "target_modules": ["q_proj"],
        }
        (adapter / "adapter_config.json").write_text(json.dumps(recorded))
        (adapter / "adapter_model.safetensors").write_bytes(b"")
        result = extract("--model", str(tiny), "--model-option", f"adapter={adapter}", *self.SETTINGS)
        assert result.exit_code == 2
        assert "is for the base org/gollie-7b, not for" in result.stderr
        assert "tiny-llama" in result.stderr

    def test_an_adapter_that_names_no_base_is_refused(self) -> None:
        Path("adapter").mkdir()
        Path("adapter/adapter_config.json").write_text("{}")
        result = extract("--model", "adapter")
        assert result.exit_code == 2
        assert "the adapter does not say which model it is for" in result.stderr


def test_the_model_is_loaded_when_its_stages_are_asked_for_and_once() -> None:
    from transfusion.decoder.fake import FakeGenerator

    loads: list[FakeGenerator] = []

    def load() -> FakeGenerator:
        loads.append(FakeGenerator())
        return loads[-1]

    systems = DecoderSystems("fake", load, Schema.from_labels(["PER"]))
    assert (systems.labels, loads) == (("PER",), [])
    pipelines = [Pipeline.load(systems, system=system) for system in ("fusion", "untagged", "direct")]
    assert [pipeline("Ruto", language="swa").failed for pipeline in pipelines] == [False] * 3
    assert systems.signature.startswith("fake schema=")
    assert len(loads) == 1


def test_places_in_a_suite_are_beside_it_and_names_stay_names(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("suites/gollie").mkdir(parents=True)
    Path("suites/gollie/adapter_config.json").write_text("{}")
    Path("suites/ships.txt").write_text("PER\nLOC\n")
    monkeypatch.setenv("BASES", "bases")
    Path("suites/suite.toml").write_text(
        """
        [[system]]
        name = "a"
        system = "direct"
        model = "decoder:gollie"
        schema = "ships.txt"
        model_options = {base = "$BASES/gemma", constrained = false}
        [[system]]
        name = "b"
        system = "fusion"
        model = "decoder:org/name"
        schema = "masakhaner"
        [[set]]
        languages = ["swa"]
        gold = "swa.txt"
        """
    )
    first, second = read_suite(Path("suites/suite.toml")).systems
    assert (first.model, first.schema) == ("decoder:suites/gollie", "suites/ships.txt")
    assert first.model_options == {"base": "bases/gemma", "constrained": "False"}
    assert (second.model, second.schema, second.model_options) == ("decoder:org/name", "masakhaner", {})
