"""``transfusion translate``: an aid worker translates a file overnight, and the machine is switched off half-way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from transfusion.cli import app
from transfusion.errors import ConfigError, TranslationError
from transfusion.translate.base import FakeTranslator, Translated
from transfusion.translate.engines import load_translator

GLOSSARY = {
    "jana": "yesterday",
    "rais": "president",
    "alifika": "arrived",
    "mjini": "in town",
    "mvua": "rain",
    "ilinyesha": "fell",
    "na": "and",
}


class Engine(FakeTranslator):
    """A glossary that can be switched off."""

    def __init__(self) -> None:
        super().__init__(GLOSSARY)
        self.stop_at = ""

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        if self.stop_at and any(self.stop_at in text for text in texts):
            raise KeyboardInterrupt
        if any("CRASH" in text for text in texts):
            raise TranslationError("the engine died")
        return super().translate(texts, source=source, target=target)


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path / "cache"))
    engine = Engine()
    monkeypatch.setattr("transfusion.translate.engines.load_translator", lambda *_: engine)
    return engine


def put(name: str, content: str) -> str:
    Path(name).write_text(content, encoding="utf-8")
    return name


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)


def translate(*arguments: str, typed: str | None = None) -> Result:
    return run("translate", *arguments, "--translator", "glossary", typed=typed)


def lines(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


NEWS = "Jana rais alifika mjini. Mvua ilinyesha.\nRais alifika jana mjini\n"


def test_each_document_gives_a_line_with_its_sentences() -> None:
    result = translate(put("news.txt", NEWS), "--language", "sw", "--output", "T.jsonl")
    assert result.exit_code == 0, result.stderr
    assert lines("T.jsonl") == [
        {
            "text": "yesterday president arrived in town. rain fell.",
            "language": "eng",
            "sentences": [[0, 24, 0, 36], [25, 40, 37, 47]],
        },
        {"text": "president arrived yesterday in town", "language": "eng", "sentences": [[0, 23, 0, 35]]},
    ]
    assert "2 documents" in result.stderr
    assert sorted(path.name for path in Path().glob("T.jsonl*")) == ["T.jsonl"], "no partial file is left behind"


@pytest.mark.usefixtures("capitalised_words")
def test_the_file_is_one_that_extract_reads() -> None:
    news = put("news.txt", NEWS + "\nMvua CRASH\n")
    assert translate(news, "--language", "sw", "--output", "T.jsonl").exit_code == 0
    result = run("extract", news, "--language", "sw", "--translations", "T.jsonl")
    assert result.exit_code == 0, result.stderr
    first, _, third = map(json.loads, result.stdout.splitlines())
    assert first["pivot"]["text"] == "yesterday president arrived in town. rain fell."
    assert first["sentences"] == [[0, 24, 0, 36], [25, 40, 37, 47]]
    assert [note["code"] for note in third["notes"]] == ["translation-failed"]
    same = run("extract", news, "--language", "sw", "--translator", "parallel:T.jsonl")
    assert same.stdout == result.stdout


def test_a_run_that_was_stopped_goes_on_where_it_was(engine: Engine) -> None:
    texts = [f"Rais {number} alifika jana." for number in range(20)]
    news = put("news.txt", "\n".join(texts) + "\n")
    arguments = (news, "--language", "swa", "--output", "T.jsonl", "--no-cache", "--batch-size", "4")
    engine.stop_at = "Rais 9 "
    stopped = translate(*arguments)
    assert stopped.exit_code == 130
    assert not Path("T.jsonl").exists(), "a file by its own name is whole"
    # The power went in the middle of a line.
    with Path("T.jsonl.partial").open("a", encoding="utf-8") as file:
        file.write('{"text": "presid')
    engine.stop_at = ""
    engine.calls.clear()
    result = translate(*arguments)
    assert result.exit_code == 0, result.stderr
    assert "8 documents are there already" in result.stderr
    assert [text for call in engine.calls for text in call] == texts[8:]
    assert [line["text"] for line in lines("T.jsonl")] == [f"president {n} arrived yesterday." for n in range(20)]


@pytest.mark.parametrize("change", [("--pivot", "fra"), ("--suspect", "keep")])
def test_a_run_with_other_settings_begins_anew(engine: Engine, change: tuple[str, str]) -> None:
    news = put("news.txt", "".join(f"Rais {number} alifika jana.\n" for number in range(8)))
    arguments = (news, "--language", "swa", "--output", "T.jsonl", "--no-cache", "--batch-size", "2")
    engine.stop_at = "Rais 5 "
    assert translate(*arguments).exit_code == 130
    engine.stop_at = ""
    engine.calls.clear()
    assert translate(*arguments, *change).exit_code == 0
    assert sum(map(len, engine.calls)) == 8


def test_a_changed_input_begins_anew(engine: Engine) -> None:
    arguments = ("--language", "swa", "--output", "T.jsonl", "--batch-size", "1")
    engine.stop_at = "Rais 2 "
    assert translate(put("news.txt", "Rais 1 alifika.\nRais 2 alifika.\n"), *arguments).exit_code == 130
    engine.stop_at = ""
    assert translate(put("news.txt", "Mvua 7 ilinyesha.\nRais 2 alifika.\n"), *arguments).exit_code == 0
    assert [line["text"] for line in lines("T.jsonl")] == ["rain 7 fell.", "president 2 arrived."]


def test_a_second_run_asks_the_engine_nothing(engine: Engine) -> None:
    news = put("news.txt", NEWS)
    translate(news, "--language", "swa", "--output", "first.jsonl")
    asked = len(engine.calls)
    result = translate(news, "--language", "swa", "--output", "second.jsonl")
    assert len(engine.calls) == asked
    assert Path("first.jsonl").read_bytes() == Path("second.jsonl").read_bytes()
    assert "0 made by glossary, 3 from the cache" in result.stderr


def test_a_line_that_cannot_be_read_keeps_its_place() -> None:
    news = put(
        "news.jsonl", '{"text": "Rais alifika", "language": "swa"}\nnonsense\n{"text": "Mvua", "language": "swa"}\n'
    )
    result = translate(news, "--output", "T.jsonl")
    assert result.exit_code == 1
    assert "news.jsonl:2" in result.stderr
    first, second, third = lines("T.jsonl")
    assert (first["text"], third["text"]) == ("president arrived", "rain")
    assert second is None or second["text"] == ""


def test_standard_input_goes_to_standard_output() -> None:
    result = translate("-", "--language", "swa", typed="Rais alifika\n")
    assert json.loads(result.stdout)["text"] == "president arrived"


def test_a_dry_run_translates_nothing(engine: Engine) -> None:
    result = translate(put("news.txt", NEWS), "--language", "swa", "--dry-run")
    assert result.exit_code == 0
    assert "swa: 3 sentences, 62 characters" in result.stdout
    assert engine.calls == []


Command = Callable[[str], Result]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("translate", "news.txt", "--translator", "x", "--output", "news.txt"), "being read"),
        (("translate", "news.txt", "--translator", "x", "--output", "no/folder.jsonl"), "cannot be written"),
        (("translate", "news.txt", "--translator", "x", "--translator-option", "beam"), "NAME=VALUE"),
        (("translate", "news.txt", "--translator", "x", "--pivot", "klingon!"), "klingon!"),
        (("extract", "news.txt", "--translator", "x", "--translations", "T.jsonl"), "exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(arguments: tuple[str, ...], message: str, engine: Engine) -> None:
    put("news.txt", NEWS)
    result = run(*arguments, "--language", "swa")
    assert result.exit_code == 2
    assert message in result.stderr
    assert engine.calls == []


def test_an_unknown_engine_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="apertium, chat"):
        load_translator("babelfish")


def test_an_engine_without_a_model_of_its_own_asks_for_one() -> None:
    with pytest.raises(ConfigError, match="hf:MODEL"):
        load_translator("hf")


def test_translations_are_written_as_people_read_them() -> None:
    translate(put("news.txt", "Rais Vučić alifika\n"), "--language", "swa", "--output", "T.jsonl")
    (line,) = Path("T.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert "Vučić" in line
    assert len(line.splitlines()) == 1, "no line break of any kind inside"


def test_an_unknown_setting_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no settings \['beams'\].*timeout"):
        load_translator("apertium", {"beams": "4"})


def test_a_setting_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="timeout must be float, not 'soon'"):
        load_translator("apertium", {"timeout": "soon"})
