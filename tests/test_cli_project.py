"""``transfusion project``: entities carried to translations, and scored against gold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from transfusion.cli.project import app
from transfusion.document import AnnotatedText, Document, Entity
from transfusion.formats.jsonl import render
from transfusion.formats.results import read_results
from transfusion.translate import engines
from transfusion.translate.base import FakeTranslator

TEXTS = ("Ruto met Museveni in Kampala.", "Nairobi is far.", "Nobody came.")
SWAHILI = ("Ruto alikutana na Museveni mjini Kampala.", "Ni mbali.", "Hakuna aliyekuja.")


def english() -> list[Document]:
    first = (Entity(0, 4, "PER"), Entity(9, 17, "PER"), Entity(21, 28, "LOC"))
    entities: list[tuple[Entity, ...]] = [first, (Entity(0, 7, "LOC"),), ()]
    return [
        Document(str(number), AnnotatedText(text, "eng", found))
        for number, (text, found) in enumerate(zip(TEXTS, entities, strict=True), start=1)
    ]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("english.jsonl").write_text("".join(map(render, english())), encoding="utf-8")
    lines = [json.dumps({"text": text, "language": "swa"}) for text in SWAHILI]
    Path("swahili.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    glossary = {"met": "alikutana na", "in": "mjini", "far": "mbali"}
    monkeypatch.setattr(engines, "load_translator", lambda *_: FakeTranslator(glossary, ["eng"]))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def carry(*arguments: str) -> Result:
    return run("carry", "english.jsonl", "--translations", "swahili.jsonl", *arguments)


def mentions(document: Document) -> list[tuple[str, str]]:
    assert document.pivot is not None
    return [(entity.label, document.pivot.mention(entity)) for entity in document.pivot.entities]


CARRIED = [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")]


def test_the_translation_gets_the_entities() -> None:
    result = carry("--method", "marker", "--translator", "fake", "--output", "out.jsonl")
    assert result.exit_code == 0, result.output
    first, second, third = read_results("out.jsonl")
    assert (mentions(first), mentions(second), mentions(third)) == (CARRIED, [], [])
    assert [note.code for note in second.notes] == ["lost-span"]
    assert "LOC 'Nairobi' has no counterpart" in second.notes[0].message
    assert [document.source for document in (first, second, third)] == [document.source for document in english()]
    assert "3 documents; 3 of 4 entities carried; 0 documents failed; 0 bad lines" in result.stderr


def test_names_are_aligned_without_a_translator(tiny_folder: Path) -> None:
    result = carry("--model", str(tiny_folder))
    assert result.exit_code == 0, result.output
    first = json.loads(result.stdout.splitlines()[0])
    assert [(entity["label"], entity["text"]) for entity in first["pivot"]["entities"]] == CARRIED


def test_documents_may_bring_their_translations() -> None:
    assert carry("--method", "marker", "--translator", "fake", "--output", "once.jsonl").exit_code == 0
    result = run("carry", "once.jsonl", "--method", "marker", "--translator", "fake")
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["pivot"]["entities"][0]["text"] == "Ruto"


def test_a_document_without_a_translation_goes_on_and_says_so() -> None:
    Path("swahili.jsonl").write_text(f"null\n{json.dumps({'text': SWAHILI[1]})}\nnull\n", encoding="utf-8")
    result = carry("--method", "marker", "--translator", "fake", "--output", "out.jsonl")
    assert result.exit_code == 0
    assert [[note.code for note in document.notes] for document in read_results("out.jsonl")] == [
        ["no-translation"],
        ["lost-span"],
        ["no-translation"],
    ]


def test_a_bad_line_is_named_and_the_rest_goes_on() -> None:
    with Path("english.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": 3}\n')
    result = carry("--method", "marker", "--translator", "fake", "--output", "out.jsonl")
    assert result.exit_code == 1
    assert "error: english.jsonl:4: " in result.stderr
    assert len(list(read_results("out.jsonl"))) == 3


def test_a_language_that_the_engine_does_not_know_fails_its_documents_only() -> None:
    documents = english()
    documents[1] = Document("2", AnnotatedText("Nairobi", "lug", (Entity(0, 7, "LOC"),)))
    Path("english.jsonl").write_text("".join(map(render, documents)), encoding="utf-8")
    result = carry("--method", "marker", "--translator", "fake", "--output", "out.jsonl")
    assert result.exit_code == 1
    first, second, _ = read_results("out.jsonl")
    assert mentions(first) == CARRIED
    assert second.failed
    assert "1 documents failed" in result.stderr


ENGLISH = """# sent_id = a-1
# text = Ruto left Uganda
1\tRuto\tB-PER\t-\t-
2\tleft\tO\t-\t-
3\tUganda\tB-LOC\t-\t-

# sent_id = a-2
# text = Kampala
1\tKampala\tB-LOC\t-\t-
"""


def score(*arguments: str) -> Result:
    Path("en.iob2").write_text(ENGLISH, encoding="utf-8")
    Path("sw.iob2").write_text(ENGLISH.replace("left", "aliondoka").replace("Kampala", "Mji"), encoding="utf-8")
    return run("score", "en.iob2", "sw.iob2", "--language", "sw", *arguments)


def test_methods_are_compared_on_gold(tiny_folder: Path) -> None:
    arguments = ["--methods", "marker,align", "--translator", "fake", "--model", str(tiny_folder)]
    result = score(*arguments, "--show", "1", "--json", "scores.json")
    assert result.exit_code == 0, result.output
    scores: dict[str, Any] = json.loads(Path("scores.json").read_text(encoding="utf-8"))
    assert list(scores) == ["align", "marker"]
    assert (scores["marker"]["precision"], scores["marker"]["recall"]) == (100, pytest.approx(200 / 3))
    assert scores["marker"]["outcomes"]["lost"] == 1
    assert "|system:marker brackets|model:fake:" in scores["marker"]["signature"]
    assert "| swa | marker | 100.0 | 66.7 | 80.0 [" in result.stdout
    assert "marker: lost: LOC “Kampala” → nothing; gold has LOC “Mji”" in result.stdout


def test_part_of_the_sentences_and_labels_can_be_scored() -> None:
    arguments = ["--methods", "marker", "--translator", "fake", "--json", "-"]
    scores = json.loads(score(*arguments, "--limit", "1", "--labels", "PER").stdout)["marker"]
    assert (scores["documents"], scores["support"], scores["f1"]) == (1, 1, 100)


FATAL = {
    "no translator": (["--methods", "marker"], "error: the method marker needs --translator"),
    "no such method": (["--methods", "align,magic"], "error: no method 'magic'; there are align, marker, constrained"),
    "no network": (
        ["--methods", "constrained", "--translator", "fake"],
        "error: the method constrained needs a network: nllb or hf:MODEL, not 'fake'",
    ),
    "a bad option": (
        ["--methods", "marker", "--translator", "fake", "--translator-option", "beam"],
        "error: --translator-option needs NAME=VALUE",
    ),
    "unwritable": (["--json", "no/out.json"], "error: no/out.json: cannot be written"),
}


@pytest.mark.parametrize(("arguments", "complaint"), FATAL.values(), ids=FATAL.keys())
def test_what_cannot_work_is_one_line_on_stderr(arguments: list[str], complaint: str) -> None:
    result = score(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(complaint)
    assert result.stderr.count("\n") == 1


def test_one_stream_cannot_be_two_inputs() -> None:
    result = run("carry", "-", "--translations", "-")
    assert result.exit_code == 2
    assert "cannot both come from standard input" in result.stderr
