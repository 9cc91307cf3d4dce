"""NLLB: found, converted once, told the languages as it was trained, and nothing lost of what it is given."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from transfusion.cli.convert import convert as convert_command
from transfusion.errors import ConfigError, LanguageError, MissingExtraError, ModelError, OutputError, TranslationError
from transfusion.translate import convert
from transfusion.translate.backends import Decoding, Hypothesis
from transfusion.translate.base import Translated, Translator
from transfusion.translate.engines import load_translator
from transfusion.translate.nllb import NllbTranslator
from transfusion.translate.pieces import Pieces

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
for package in ("ctranslate2", "filelock", "sentencepiece"):
    pytest.importorskip(package)

from safetensors.torch import load_file, save_file  # noqa: E402

from tiny_seq2seq import FLORES, POSITIONS, SENTENCES, tiny_marian, tiny_nllb  # noqa: E402


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny NLLB as the hub has it."""
    return tiny_nllb(tmp_path_factory.mktemp("nllb") / "tiny")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFUSION_CACHE", str(cache))


@pytest.fixture
def nllb(folder: Path) -> NllbTranslator:
    """The tiny NLLB, exact and greedy."""
    return NllbTranslator(str(folder), compute_type="float32", beam_size=1, threads=1)


class Echo:
    """A backend that writes what it reads, and keeps what it was given; it comes to no end after so many pieces."""

    compute_type = "echo"

    def __init__(self, ends_within: int = 10_000) -> None:
        self.ends_within = ends_within
        self.given: list[list[int]] = []
        self.prefixes: list[list[int]] = []

    def generate(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], _limit: int, _decoding: Decoding, /
    ) -> list[Hypothesis]:
        self.given += map(list, sources)
        self.prefixes += [list(prefix)] * len(sources)
        texts = [list(source[1:-1]) for source in sources]
        return [Hypothesis(text[: self.ends_within], len(text) <= self.ends_within) for text in texts]

    def score(
        self, _sources: Sequence[Sequence[int]], _prefix: Sequence[int], targets: Sequence[Sequence[int]], /
    ) -> list[list[float]]:
        return [[0.0] * (len(target) + 1) for target in targets]


def echoing(translator: NllbTranslator, echo: Echo) -> NllbTranslator:
    translator.network = replace(translator.network, backend=echo)
    return translator


def texts_of(translations: Sequence[Translated | None]) -> list[str]:
    return [translation.text for translation in translations if translation is not None]


class TestTags:
    def test_a_source_stands_between_its_language_and_the_end_as_transformers_puts_it(
        self, nllb: NllbTranslator, folder: Path
    ) -> None:
        echo = Echo()
        echoing(nllb, echo).translate(SENTENCES[:1], source="swa", target="eng")
        theirs = transformers.AutoTokenizer.from_pretrained(str(folder), src_lang="swh_Latn")
        assert echo.given == [theirs(SENTENCES[0])["input_ids"]]
        assert theirs.convert_ids_to_tokens(echo.given[0])[:: len(echo.given[0]) - 1] == ["swh_Latn", "</s>"]
        assert theirs.convert_ids_to_tokens(echo.prefixes[0]) == ["eng_Latn"]

    def test_a_checkpoint_that_asks_for_the_first_releases_order_does_not_get_it(self, tmp_path: Path) -> None:
        old = tiny_nllb(tmp_path / "old", tokenizer=False)
        own = transformers.NllbTokenizer.from_pretrained(
            str(tiny_nllb(tmp_path / "new")), src_lang="swh_Latn", legacy_behaviour=True
        )
        own.save_pretrained(str(old))
        assert own.convert_ids_to_tokens(own("Rais")["input_ids"])[-2:] == ["</s>", "swh_Latn"]
        echo = Echo()
        echoing(NllbTranslator(str(old), threads=1), echo).translate(["Rais"], source="swa", target="eng")
        (tokens,) = map(own.convert_ids_to_tokens, echo.given)
        assert (tokens[0], tokens[-1]) == ("swh_Latn", "</s>")

    def test_greedy_search_writes_what_transformers_writes(self, nllb: NllbTranslator, folder: Path) -> None:
        theirs = transformers.AutoTokenizer.from_pretrained(str(folder), src_lang="swh_Latn")
        network = transformers.M2M100ForConditionalGeneration.from_pretrained(str(folder)).eval()
        backend, tags = nllb.network.backend, nllb.tags("swa", "fra")
        for sentence in SENTENCES:
            inputs = theirs(sentence, return_tensors="pt")
            wanted = network.generate(
                **inputs,
                forced_bos_token_id=theirs.convert_tokens_to_ids("fra_Latn"),
                max_new_tokens=30,
                num_beams=1,
                do_sample=False,
            )[0].tolist()
            (found,) = backend.generate([inputs["input_ids"][0].tolist()], tags.target, 30, Decoding(beam_size=1))
            assert [2, *tags.target, *found.ids] == wanted[: len(found.ids) + 2]
            assert len(found.ids) == 29

    def test_special_tokens_in_a_text_are_text(self, nllb: NllbTranslator) -> None:
        echo = Echo()
        echoing(nllb, echo).translate(["Rais </s> eng_Latn <pad> Ruto"], source="swa", target="eng")
        special = {nllb.network.pieces.known(token) for token in ("</s>", "<pad>", "eng_Latn")}
        assert special.isdisjoint(echo.given[0][1:-1])

    def test_half_a_surrogate_pair_is_no_reason_to_fail(self, nllb: NllbTranslator) -> None:
        assert echoing(nllb, Echo()).translate(["Rais \ud83d Ruto"], source="swa", target="eng")[0] is not None

    @pytest.mark.parametrize(("source", "target"), [("deu", "eng"), ("swa", "deu"), ("swa", "tlh")])
    def test_a_language_that_the_checkpoint_lacks_is_named(
        self, nllb: NllbTranslator, source: str, target: str
    ) -> None:
        with pytest.raises(LanguageError, match=r"German|Klingon"):
            nllb.translate(["Guten Tag."], source=source, target=target)


class TestTranslate:
    def test_every_sentence_gets_its_own_translation_in_whatever_company(self, folder: Path) -> None:
        alone = NllbTranslator(str(folder), compute_type="float32", beam_size=2, threads=1, batch_tokens=1)
        wanted = {text: alone.translate([text], source="swa", target="eng")[0] for text in SENTENCES}
        together = NllbTranslator(str(folder), compute_type="float32", beam_size=2, threads=1, batch_tokens=90)
        for texts in (SENTENCES, SENTENCES[::-1], (*SENTENCES[3:], *SENTENCES[:3], SENTENCES[0])):
            assert together.translate(texts, source="swa", target="eng") == [wanted[text] for text in texts]
        assert len(set(texts_of(list(wanted.values())))) > 1
        assert {translation.language for translation in wanted.values() if translation} == {"eng"}

    @given(st.permutations(range(40)), st.integers(1, 300))
    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_batches_keep_the_order(self, nllb: NllbTranslator, order: list[int], batch_tokens: int) -> None:
        nllb._batch_tokens = batch_tokens
        texts = [" ".join(["watu"] * (number + 1)) for number in order]
        found = echoing(nllb, Echo()).translate(texts, source="swa", target="eng")
        assert texts_of(found) == texts

    def test_no_text_no_work(self, nllb: NllbTranslator) -> None:
        assert nllb.translate([], source="swa", target="eng") == []

    def test_a_text_without_any_piece_has_no_translation(self, nllb: NllbTranslator) -> None:
        found = echoing(nllb, Echo()).translate(["Rais", "\u200b", "Ruto"], source="swa", target="eng")
        assert found[1] is None or found[1].text.strip("\u200b") == ""
        assert texts_of([found[0], found[2]]) == ["Rais", "Ruto"]

    def test_a_translation_begins_as_it_shall(self, folder: Path) -> None:
        settings: dict[str, Any] = {"compute_type": "float32", "beam_size": 2, "threads": 1}
        free = NllbTranslator(str(folder), **settings).translate(SENTENCES, source="swa", target="eng")
        bound = NllbTranslator(str(folder), target_prefix="The president", **settings)
        found = texts_of(bound.translate(SENTENCES, source="swa", target="eng"))
        assert all(text.startswith("The president") for text in found)
        assert not any(text.startswith("The president") for text in texts_of(free))

    def test_a_long_text_is_cut_at_its_sentences_and_nothing_of_it_is_lost(self, folder: Path) -> None:
        echo = Echo()
        nllb = echoing(NllbTranslator(str(folder), max_length=40, threads=1), echo)
        text = " ".join(SENTENCES * 3)
        found = texts_of(nllb.translate([SENTENCES[1], text, SENTENCES[2]], source="swa", target="eng"))
        plain = [nllb.network.pieces.decode(nllb.network.pieces.encode(part)) for part in (*SENTENCES[1:3], text)]
        assert [found[0], found[2], found[1]] == plain
        assert len(echo.given) > 6
        assert max(map(len, echo.given)) <= 40

    def test_a_text_of_200000_characters_without_a_full_stop(self, nllb: NllbTranslator) -> None:
        echo = Echo()
        text = "Museveni alikutana na Ruto mjini " * 6061
        (found,) = echoing(nllb, echo).translate([text], source="swa", target="eng")
        assert found is not None
        assert found.text == text.strip()
        assert max(map(len, echo.given)) <= POSITIONS

    def test_only_the_first_window_begins_as_the_translation_shall(self, folder: Path) -> None:
        echo = Echo()
        nllb = echoing(NllbTranslator(str(folder), max_length=40, target_prefix="The", threads=1), echo)
        (found,) = texts_of(nllb.translate([" ".join(SENTENCES[:3])], source="swa", target="eng"))
        assert found.startswith("The Rais")
        assert found.count("The") == 1 + sum(sentence.count("The") for sentence in SENTENCES[:3])

    def test_a_translation_that_was_cut_off_is_made_anew_from_halves(
        self, nllb: NllbTranslator, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = "watu " * 29 + "watu"
        (found,) = texts_of(echoing(nllb, Echo(ends_within=16)).translate([text], source="swa", target="eng"))
        assert found == text
        assert not caplog.records

    def test_what_is_cut_off_even_then_is_kept_and_told(
        self, nllb: NllbTranslator, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            found = echoing(nllb, Echo(ends_within=2)).translate(
                ["watu " * 30, "watu watu watu"], source="swa", target="eng"
            )
        beginning = nllb.network.pieces.decode(nllb.network.pieces.encode("watu watu")[:2])
        (message,) = (record.getMessage() for record in caplog.records)
        count, _, told = message.partition(" ")
        assert told == "translations from swa to eng never came to an end and were cut off"
        parts = [text.split() for text in texts_of(found)]
        assert [set(words) for words in parts] == [{beginning}] * 2
        assert 4 < int(count) <= sum(map(len, parts))

    def test_a_network_that_fails_says_so(self, nllb: NllbTranslator) -> None:
        class Exhausted(Echo):
            def generate(self, *_: Any) -> list[Hypothesis]:
                raise RuntimeError("out of memory")

        with pytest.raises(TranslationError, match="batch of 2 texts: out of memory"):
            echoing(nllb, Exhausted()).translate(["Rais", "Ruto"], source="swa", target="eng")

    def test_the_careful_one_searches_wider_and_repeats_less(self, folder: Path) -> None:
        usual = NllbTranslator(str(folder), compute_type="float32", threads=1)
        careful = usual.careful()
        assert careful is not None
        assert careful.signature != usual.signature
        assert (careful.decoding.beam_size, careful.decoding.no_repeat_ngram_size) == (8, 4)
        assert careful.careful() is None
        texts = list(SENTENCES)
        one, other = (texts_of(engine.translate(texts, source="swa", target="eng")) for engine in (usual, careful))
        assert one != other
        assert sum(map(_repeats, other)) < sum(map(_repeats, one))


def _repeats(text: str) -> int:
    """How often something is written that was written just before."""
    return sum(text[i : i + 3] == text[i + 3 : i + 6] for i in range(len(text) - 5))


class TestSignature:
    def test_it_says_what_decides_and_names_no_place(self, nllb: NllbTranslator, folder: Path, tmp_path: Path) -> None:
        copy = tiny_nllb(tmp_path / "elsewhere")
        assert NllbTranslator(str(copy), compute_type="float32", beam_size=1, threads=1).signature == nllb.signature
        assert str(folder) not in nllb.signature
        assert "tiny" not in nllb.signature

    @pytest.mark.parametrize(
        "options",
        [
            {"beam_size": 3},
            {"compute_type": "int8"},
            {"repetition_penalty": 1.2},
            {"no_repeat_ngram_size": 3},
            {"max_length": 50},
            {"target_prefix": "The"},
        ],
    )
    def test_every_setting_that_decides_changes_it(
        self, nllb: NllbTranslator, folder: Path, options: dict[str, Any]
    ) -> None:
        usual: dict[str, Any] = {"compute_type": "float32", "beam_size": 1, "threads": 1}
        assert NllbTranslator(str(folder), **(usual | options)).signature != nllb.signature

    def test_other_weights_change_it(self, nllb: NllbTranslator, tmp_path: Path) -> None:
        other = tiny_nllb(tmp_path / "other", seed=9)
        assert NllbTranslator(str(other), compute_type="float32", beam_size=1, threads=1).signature != nllb.signature


class TestConversion:
    def test_weights_are_converted_once(self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path))
        first = NllbTranslator(str(folder), threads=1).translate(SENTENCES, source="swa", target="eng")
        monkeypatch.setattr(convert, "convert", None)
        assert NllbTranslator(str(folder), threads=1).translate(SENTENCES, source="swa", target="eng") == first
        (made,) = (path for path in (tmp_path / "ctranslate2").iterdir() if path.is_dir())
        assert sorted(path.name for path in made.iterdir()) == [
            "config.json",
            "model.bin",
            "shared_vocabulary.json",
            "tokenizer",
            "transfusion.json",
        ]

    def test_changed_weights_are_converted_anew(self, tmp_path: Path) -> None:
        there = tmp_path / "model"
        before = NllbTranslator(str(tiny_nllb(there)), threads=1).signature
        assert NllbTranslator(str(tiny_nllb(there, seed=5)), threads=1).signature != before

    def test_those_who_ask_together_get_one_conversion(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path))
        calls: list[Path] = []
        real = convert.convert

        def counted(source: Path, output: Path, **settings: Any) -> Any:
            calls.append(output)
            return real(source, output, **settings)

        monkeypatch.setattr(convert, "convert", counted)
        found: list[Path] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(convert.converted(folder, quantization="int8", tokenizer=folder))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len(set(found)) == len(calls) == 1

    def test_what_a_killed_run_left_behind_does_no_harm(self, folder: Path, tmp_path: Path) -> None:
        left = tmp_path / "made.partial"
        left.mkdir()
        (left / "model.bin").write_bytes(b"half")
        convert.convert(folder, tmp_path / "made", tokenizer=folder)
        assert not left.exists()
        assert NllbTranslator(str(tmp_path / "made"), threads=1).translate(["Rais"], source="swa", target="eng")

    def test_the_command_makes_a_folder_that_the_engine_takes(
        self, nllb: NllbTranslator, folder: Path, tmp_path: Path
    ) -> None:
        made = tmp_path / "made"
        code, said = _convert(folder, "--output", made, "--quantization", "float32")
        assert code == 0
        assert "m2m_100, float32" in said
        by_hand = load_translator(f"nllb:{made}", {"compute_type": "float32", "beam_size": "1", "threads": "1"})
        texts = list(SENTENCES)
        assert by_hand.translate(texts, source="swa", target="eng") == nllb.translate(texts, source="swa", target="eng")
        assert by_hand.signature == nllb.signature

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--output", "{folder}"], "exists already"),
            (["--output", "{new}", "--quantization", "int3"], "no number format 'int3'; there are int8"),
            (["--output", "{new}", "--tokenizer", "{new}"], "neither a folder nor a name"),
        ],
    )
    def test_the_command_says_what_is_wrong(
        self, folder: Path, tmp_path: Path, arguments: list[str], says: str
    ) -> None:
        code, said = _convert(folder, *(text.format(folder=folder, new=tmp_path / "new") for text in arguments))
        assert (code, "Traceback" in said) == (2, False)
        assert says in said
        assert not (tmp_path / "new").exists()

    def test_converted_weights_are_not_converted_again(self, folder: Path, tmp_path: Path) -> None:
        convert.convert(folder, tmp_path / "made", tokenizer=folder)
        code, said = _convert(tmp_path / "made", "--output", tmp_path / "again")
        assert (code, "converted already" in said) == (2, True)

    def test_a_full_cache_folder_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path / "file"))
        with pytest.raises(OutputError, match="cannot be written"):
            NllbTranslator(str(folder), threads=1)


def _convert(model: Path, *arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(convert_command)
    result = CliRunner().invoke(app, [str(model), *map(str, arguments)])
    return result.exit_code, result.stderr


class TestTokenizer:
    def test_it_comes_from_the_original_where_a_checkpoint_has_none(
        self, nllb: NllbTranslator, folder: Path, tmp_path: Path
    ) -> None:
        bare = tiny_nllb(tmp_path / "fine-tuned", tokenizer=False)
        with pytest.raises(ModelError, match=r"no tokenizer in this folder.*option tokenizer"):
            NllbTranslator(str(bare), threads=1)
        borrowed = NllbTranslator(str(bare), compute_type="float32", beam_size=1, threads=1, tokenizer=str(folder))
        texts = list(SENTENCES)
        assert borrowed.translate(texts, source="swa", target="eng") == nllb.translate(
            texts, source="swa", target="eng"
        )

    def test_that_of_a_larger_model_is_refused(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "tokenizer"
        own = transformers.AutoTokenizer.from_pretrained(str(folder))
        own.add_tokens(["Kisumu", "Mombasa"])
        own.save_pretrained(str(other))
        with pytest.raises(ModelError, match="the tokenizer of another model"):
            NllbTranslator(str(folder), threads=1, tokenizer=str(other))


class TestFinding:
    def test_a_name_that_can_be_no_model(self) -> None:
        with pytest.raises(ModelError, match="neither a folder nor a name"):
            NllbTranslator("/nowhere/at all")

    def test_a_folder_without_weights(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no weights"):
            NllbTranslator(str(tmp_path))

    def test_offline_asks_nobody_and_says_how_to_get_the_model(self, tmp_path: Path) -> None:
        said = _in_a_hub_of_its_own(tmp_path, "facebook/nllb-200-distilled-600M")
        assert "ModelError" in said
        assert "HF_HUB_OFFLINE is set" in said
        assert "hf download facebook/nllb-200-distilled-600M" in said

    def test_what_is_in_the_hubs_cache_is_used(self, folder: Path, tmp_path: Path) -> None:
        stored = tmp_path / "hub" / "models--someone--tiny-nllb"
        (stored / "refs").mkdir(parents=True)
        (stored / "refs" / "main").write_text("0123abc")
        (stored / "snapshots").mkdir()
        (stored / "snapshots" / "0123abc").symlink_to(folder, target_is_directory=True)
        said = _in_a_hub_of_its_own(tmp_path, "someone/tiny-nllb")
        assert said.strip() == str(stored / "snapshots" / "0123abc")

    def test_weights_cut_short_are_an_error(self, tmp_path: Path) -> None:
        there = tiny_nllb(tmp_path / "short")
        weights = there / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        with pytest.raises(ModelError, match="cannot be read"):
            NllbTranslator(str(there), threads=1)

    def test_weights_that_lack_a_layer_are_an_error_and_not_drawn_by_lot(self, tmp_path: Path) -> None:
        there = tiny_nllb(tmp_path / "lacking")
        tensors = load_file(there / "model.safetensors")
        tensors = {name: tensor for name, tensor in tensors.items() if "decoder.layers.1.fc1" not in name}
        save_file(tensors, there / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"2 tensors are missing.*decoder\.layers\.1\.fc1"):
            NllbTranslator(str(there), threads=1)

    def test_weights_of_the_first_release_are_read(self, nllb: NllbTranslator, tmp_path: Path) -> None:
        there = tiny_nllb(tmp_path / "first")
        _as_bin(there)
        old = NllbTranslator(str(there), compute_type="float32", beam_size=1, threads=1)
        texts = list(SENTENCES)
        assert old.translate(texts, source="swa", target="eng") == nllb.translate(texts, source="swa", target="eng")

    def test_a_bin_that_wants_to_run_something_does_not(self, tmp_path: Path) -> None:
        there = tiny_nllb(tmp_path / "evil")
        _as_bin(there)
        weights, trace = there / "pytorch_model.bin", tmp_path / "was-here"
        for content in (pickle.dumps(Payload(trace), protocol=2), None):
            if content is None:
                torch.save({"payload": Payload(trace)}, weights)
            else:
                weights.write_bytes(content)
            with pytest.raises(ModelError, match="cannot be read"):
                NllbTranslator(str(there), threads=1)
            assert not trace.exists()

    def test_a_model_without_tags_is_no_nllb(self, tmp_path: Path) -> None:
        there = tiny_marian(tmp_path / "opus")
        with pytest.raises(ModelError, match=r"no NLLB.*hf:"):
            NllbTranslator(str(there), threads=1)


class Payload:
    """What an attacker would put among weights: it makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


def _as_bin(folder: Path) -> None:
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def _in_a_hub_of_its_own(home: Path, model: str) -> str:
    """What finding a model comes to in a process that is offline; the variables are read when the hub is imported."""
    program = (
        "import sys\n"
        "from transfusion.checkpoint import find_checkpoint\n"
        "try:\n    print(find_checkpoint(sys.argv[1]))\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", program, model], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


class TestSettings:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"beam_size": 0}, "beam_size >= 1"),
            ({"compute_type": "int3"}, "no compute_type 'int3'"),
            ({"device": "tpu"}, "no device 'tpu'"),
            ({"max_length": 3}, "max_length must be at least 16"),
            ({"batch_tokens": 0}, "batch_tokens"),
        ],
    )
    def test_what_cannot_be_is_refused(self, folder: Path, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            NllbTranslator(str(folder), **({"threads": 1} | options))

    @pytest.mark.parametrize(
        ("package", "extra"), [("ctranslate2", "nllb"), ("torch", "hf"), ("transformers", "nllb"), ("filelock", "nllb")]
    )
    def test_a_package_that_is_missing_is_named_with_its_extra(
        self, folder: Path, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path))
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=rf"'{package}'.*transfusion-ie\[{extra}\]"):
            NllbTranslator(str(folder), threads=1)

    def test_it_is_a_translator(self, nllb: NllbTranslator) -> None:
        translator: Translator = nllb
        assert translator.signature.startswith("nllb@")


def test_the_tiny_vocabulary_has_its_languages(folder: Path) -> None:
    pieces = Pieces.load(folder)
    assert all(pieces.known(code) is not None for code in FLORES)
