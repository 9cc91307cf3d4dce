"""Translations from a file, a line for each document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transfusion.document import AnnotatedText, Document
from transfusion.errors import TranslationError
from transfusion.translate.parallel import BAD_LINE, EMPTY, MISSING_LINE, ParallelTranslations

KAMPALA = {"text": "President Museveni is in Kampala.", "language": "eng"}


def documents(count: int) -> list[Document]:
    return [Document(str(number), AnnotatedText(f"Pulezidenti {number}", "lug")) for number in range(count)]


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_each_document_gets_the_translation_on_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", KAMPALA, None, {"text": "Le président", "language": "fr"})
    first, second, third = ParallelTranslations(path)(documents(3))
    assert first.pivot == AnnotatedText("President Museveni is in Kampala.", "eng")
    assert second.pivot is None
    assert third.pivot == AnnotatedText("Le président", "fra")


def test_a_null_line_leaves_the_translation_that_the_document_brought(tmp_path: Path) -> None:
    brought = AnnotatedText("brought along", "eng")
    document = Document("1", AnnotatedText("Pulezidenti", "lug"), brought)
    (translated,) = ParallelTranslations(write(tmp_path / "t.jsonl", None))([document])
    assert translated.pivot == brought


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["a list"], BAD_LINE),
        ({"language": "eng"}, BAD_LINE),
        ({"text": "Hello", "language": "xyzzy"}, BAD_LINE),
        ({"text": "  ", "language": "eng"}, EMPTY),
    ],
)
def test_a_line_that_cannot_be_used_is_a_warning_with_its_place(tmp_path: Path, line: object, code: str) -> None:
    path = write(tmp_path / "t.jsonl", KAMPALA, line, KAMPALA)
    _, doubtful, after = ParallelTranslations(path)(documents(3))
    assert doubtful.pivot is None
    assert [(note.code, note.severity) for note in doubtful.notes] == [(code, "warning")]
    assert "t.jsonl:2" in doubtful.notes[0].message
    assert after.pivot is not None


def test_too_few_translations_lose_no_document(tmp_path: Path) -> None:
    stream = ParallelTranslations(write(tmp_path / "t.jsonl", KAMPALA))(documents(3))
    given = [next(stream) for _ in range(3)]
    assert [bool(document.notes) for document in given] == [False, True, True]
    assert given[2].notes[0].code == MISSING_LINE
    with pytest.raises(TranslationError, match="1 for 3"):
        next(stream)


def test_a_file_of_another_size_is_refused_before_any_work(tmp_path: Path) -> None:
    translations = ParallelTranslations(write(tmp_path / "t.jsonl", *[KAMPALA] * 40))
    translations.check_count(40)
    with pytest.raises(TranslationError, match="40 for 4,000"):
        translations.check_count(4000)
