"""Texts to work on, from good files and bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Document, Entity
from transfusion.errors import FormatError, InputError, LanguageError
from transfusion.formats import count_documents, read_documents
from transfusion.formats import source as source_module
from transfusion.formats.clean import SURROGATES
from transfusion.formats.source import InputFormat


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def read(
    path: Path, language: str | None = None, format: InputFormat | None = None
) -> tuple[list[Document], list[str]]:
    """Documents, and problems without the folder's name."""
    problems: list[FormatError] = []
    found = list(read_documents(path, language=language, format=format, on_problem=problems.append))
    return found, [str(problem).replace(f"{path.parent}/", "") for problem in problems]


def test_plain_text_is_a_document_a_line(tmp_path: Path) -> None:
    path = put(tmp_path, "news.txt", "\ufeffRuto alifika.\r\n\n \u3000\nMuseveni\u2028naye\x85pia.")
    documents, problems = read(path, "sw")
    assert [(d.id, d.source.text) for d in documents] == [("1", "Ruto alifika."), ("4", "Museveni\u2028naye\x85pia.")]
    assert {d.source.language for d in documents} == {"swa"}
    assert not problems
    assert count_documents(path) == 2


def test_json_lines_bring_ids_languages_and_translations(tmp_path: Path) -> None:
    lines = [
        {"id": 5, "text": "a", "language": "lg", "translation": "b"},
        {"text": "a", "translation": {"text": "b", "language": "fr"}},
        {"text": "a", "translation": {"text": "Ruto", "entities": [{"start": 0, "end": 4, "label": "PER"}]}},
        {"text": "", "translation": " ", "extra": [1]},
    ]
    documents, problems = read(put(tmp_path, "news.jsonl", "\n".join(map(json.dumps, lines))), "swa")
    assert not problems
    assert [(d.id, d.source, d.pivot) for d in documents] == [
        ("5", AnnotatedText("a", "lug"), AnnotatedText("b", "eng")),
        ("2", AnnotatedText("a", "swa"), AnnotatedText("b", "fra")),
        ("3", AnnotatedText("a", "swa"), AnnotatedText("Ruto", "eng", (Entity(0, 4, "PER"),))),
        ("4", AnnotatedText("", "swa"), None),
    ]


BAD_LINES = {
    "[1, 2]": "a JSON object is needed here, not a list",
    "null": "a JSON object is needed here, not null",
    '{"text": ': "not JSON: Expecting value at column 10",
    "[" * 100_000: "not JSON that can be read: nested too deeply",
    '{"txt": "a"}': "no field 'text'; the fields here are 'txt'",
    '{"text": 3}': "'text' must be a string, not a number",
    '{"text": null}': "'text' must be a string, not null",
    '{"text": "a", "id": {}}': "'id' must be a string or a whole number, not an object",
    '{"text": "a"}': "no field 'language'",
    '{"text": "a", "language": "swahilli"}': "unknown language 'swahilli'",
    '{"text": "a", "language": "swa", "translation": 3}': "'translation' must be a string or an object",
    '{"text": "a", "language": "swa", "translation": {}}': "no field 'text' in 'translation'",
    '{"text": "a", "language": "swa", "translation": {"text": "a", "language": "qq"}}': "unknown language 'qq'",
}


@pytest.mark.parametrize(("line", "complaint"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_json_line_is_named_and_the_rest_goes_on(tmp_path: Path, line: str, complaint: str) -> None:
    good = '{"text": "Ruto", "language": "swa"}'
    documents, problems = read(put(tmp_path, "news.jsonl", f"{good}\n{line}\n{good}\n"))
    assert [d.id for d in documents] == ["1", "3"]
    [problem] = problems
    assert problem.startswith(f"news.jsonl:2: {complaint}")
    assert "\n" not in problem


def test_a_line_that_is_not_utf8_is_named_and_keeps_its_place(tmp_path: Path) -> None:
    path = put(tmp_path, "news.txt", b"Ruto\nMus\xe9veni\nKagame\n")
    documents, problems = read(path, "swa")
    assert [d.source.text for d in documents] == ["Ruto", "Kagame"]
    assert problems == ["news.txt:2: not UTF-8: byte 0xe9 at column 4; convert the file to UTF-8"]
    kept = list(read_documents(path, language="swa", on_problem=lambda problem: None, keep_places=True))
    assert [(d.id, d.failed) for d in kept] == [("1", False), ("2", True), ("3", False)]
    assert count_documents(path) == 3


def test_without_a_listener_the_first_problem_is_raised(tmp_path: Path) -> None:
    documents = read_documents(put(tmp_path, "news.txt", b"Ruto\n\xff\n"), language="swa")
    assert next(documents).source.text == "Ruto"
    with pytest.raises(FormatError) as caught:
        next(documents)
    assert caught.value.line == 2


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_a_file_without_documents_is_a_problem(tmp_path: Path, content: str) -> None:
    path = put(tmp_path, "news.txt", content)
    assert read(path, "swa") == ([], ["news.txt: no document in it: the file is empty"])
    assert count_documents(path) == 0


def test_a_very_long_line_is_one_document_with_a_warning(tmp_path: Path) -> None:
    path = put(tmp_path, "book.txt", "Ruto alifika. " * 360_000)
    [document], problems = read(path, "swa")
    assert len(document.source.text) == 14 * 360_000
    assert not problems
    [note] = document.notes
    assert note.code == "long-line"
    assert "book.txt:1: a line of 5.0 million characters" in note.message


def test_a_line_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", 2**20)
    path = put(tmp_path, "disk.txt", b"Ruto\n" + b"x" * (3 * 2**20) + b"\nKagame\n")
    documents, problems = read(path, "swa")
    assert [(d.id, d.source.text) for d in documents] == [("1", "Ruto"), ("3", "Kagame")]
    assert problems == ["disk.txt:2: a line of more than 1 MB; put a document on each line"]
    assert count_documents(path) == 3


def test_half_an_emoji_in_json_is_replaced_and_noted(tmp_path: Path) -> None:
    [document], problems = read(put(tmp_path, "news.jsonl", '{"text": "a\\ud83d", "language": "swa"}'))
    assert document.source.text == "a\ufffd"
    assert [n.code for n in document.notes] == [SURROGATES]
    assert not problems


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_documents(tmp_path / "absent.txt", language="swa")
    with pytest.raises(InputError, match="this is a folder"):
        read_documents(tmp_path, language="swa")
    with pytest.raises(FormatError, match="UTF-16"):
        read_documents(put(tmp_path, "news.txt", "Ruto".encode("utf-16")), language="swa")
    with pytest.raises(LanguageError, match="xx1"):
        read_documents(put(tmp_path, "b.txt", "Ruto"), language="xx1")
    with pytest.raises(InputError, match="plain text does not say which language"):
        read_documents(tmp_path / "b.txt")


COLUMNS = "Ruto B-PER\nalifika O\n. O\n\nKagame B-PER\npia O\n"


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("test.txt", COLUMNS, ["Ruto alifika .", "Kagame pia"]),
        (
            "test.iob2",
            "# text = Ruto alifika.\n1\tRuto\tB-PER\t-\t-\n2\talifika\tO\t-\t-\n3\t.\tO\t-\t-\n",
            ["Ruto alifika."],
        ),
        ("words.conll", "Ruto\nalifika\n", ["Ruto alifika"]),
        ("plain.txt", "Ruto alifika leo O\nKagame pia\n", ["Ruto alifika leo O", "Kagame pia"]),
        ("data.txt", '{"text": "Ruto"}\n{"text": "Kagame"}\n', ["Ruto", "Kagame"]),
        ("data", '{"text": "Ruto"}', ["Ruto"]),
    ],
)
def test_the_kind_of_file_is_told_from_name_and_content(
    tmp_path: Path, name: str, content: str, texts: list[str]
) -> None:
    path = put(tmp_path, name, content)
    documents, problems = read(path, "swa")
    assert [d.source.text for d in documents] == texts
    assert not problems
    assert count_documents(path) == len(texts)


def test_the_kind_of_file_can_be_said(tmp_path: Path) -> None:
    documents, _ = read(put(tmp_path, "test.txt", COLUMNS), "swa", "text")
    assert [d.source.text for d in documents][:1] == ["Ruto B-PER"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.txt", "a.jsonl", "a.conll"]))
def test_no_file_brings_the_reader_down_and_the_count_is_right(tmp_path: Path, content: bytes, name: str) -> None:
    path = put(tmp_path, name, content)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    problems: list[FormatError] = []
    found = list(read_documents(path, language="swa", on_problem=problems.append, keep_places=True))
    assert len(found) == count_documents(path)
    assert found or problems
