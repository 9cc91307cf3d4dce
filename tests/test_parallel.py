"""A journalist has translations of her texts, line by line, in a file beside them."""

from __future__ import annotations

import json
import os
import threading
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from transfusion.document import AnnotatedText, Document
from transfusion.errors import FormatError, InputError, TransfusionError, TranslationError
from transfusion.translate.parallel import ParallelTranslations

NEWS = (
    "Museveni yagenze e Gulu.",
    "Enkuba yatonnye mu Kampala.",
    "Kabaka yalabikako.",
)


def documents(texts: tuple[str, ...] = NEWS) -> list[Document]:
    return [Document(str(number), AnnotatedText(text, "lug")) for number, text in enumerate(texts, start=1)]


def translations(tmp_path: Path, *lines: object) -> Path:
    """A file of translations; strings and bytes are lines as they stand, all else is written as JSON."""
    path = tmp_path / "translations.jsonl"
    raw = [line if isinstance(line, bytes) else str(line).encode() for line in map(_line, lines)]
    path.write_bytes(b"".join(line + b"\n" for line in raw))
    return path


def _line(value: object) -> str | bytes:
    return value if isinstance(value, str | bytes) else json.dumps(value)


def english(text: str) -> dict[str, str]:
    return {"text": text, "language": "en"}


def codes(document: Document) -> list[str]:
    return [note.code for note in document.notes]


def test_each_document_gets_the_translation_on_its_line(tmp_path: Path) -> None:
    path = translations(
        tmp_path, english("Museveni went to Gulu."), None, {"text": "Le Kabaka apparut.", "language": "fra"}
    )
    first, second, third = ParallelTranslations(path)(documents())
    assert first.pivot == AnnotatedText("Museveni went to Gulu.", "eng")
    assert second.pivot is None
    assert third.pivot == AnnotatedText("Le Kabaka apparut.", "fra")
    assert not any(document.notes for document in (first, second, third))


def test_a_translation_that_does_not_say_its_language_is_english(tmp_path: Path) -> None:
    (document,) = ParallelTranslations(translations(tmp_path, {"text": "It rained."}))(documents(NEWS[:1]))
    assert document.pivot == AnnotatedText("It rained.", "eng")


def test_a_document_keeps_the_pivot_that_it_brought_where_the_line_is_null(tmp_path: Path) -> None:
    brought = Document("1", AnnotatedText(NEWS[0], "lug"), AnnotatedText("He went.", "eng"))
    path = translations(tmp_path, None, "not JSON", english("Museveni went."))
    null, bad, given = ParallelTranslations(path)([brought, brought, brought])
    assert null == brought
    assert bad.pivot == brought.pivot
    assert given.pivot == AnnotatedText("Museveni went.", "eng")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("Museveni went to Gulu.", "not JSON"),
        ('{"text": "half', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("", "an empty line"),
        ("  \t", "an empty line"),
        ('["Museveni went."]', "a JSON object is needed"),
        ("42", "a JSON object is needed"),
        ('{"language": "en"}', "no field 'text'"),
        ('{"text": null, "language": "en"}', "no field 'text'"),
        ('{"text": "He went.", "language": "Englisch"}', "unknown language 'Englisch'"),
        ('{"text": "He went.", "language": 1}', "'language' must be a code"),
    ],
)
def test_a_bad_line_is_a_warning_on_its_document_and_the_rest_goes_on(
    line: str, complaint: str, tmp_path: Path
) -> None:
    path = translations(tmp_path, english("He went."), line, english("He appeared."))
    first, second, third = ParallelTranslations(path)(documents())
    assert first.pivot is not None
    assert second.pivot is None
    assert third.pivot == AnnotatedText("He appeared.", "eng")
    (note,) = second.notes
    assert (note.code, note.severity) == ("bad-translation-line", "warning")
    assert note.message.startswith(f"{path}:2: ")
    assert complaint in note.message
    assert len(note.message) < 500


@pytest.mark.parametrize("nothing", ["", " ", "\u3000\n"])
def test_an_empty_translation_is_none(nothing: str, tmp_path: Path) -> None:
    (document,) = ParallelTranslations(translations(tmp_path, english(nothing)))(documents(NEWS[:1]))
    assert document.pivot is None
    assert codes(document) == ["empty-translation"]


def test_half_an_emoji_does_not_break_the_translation(tmp_path: Path) -> None:
    path = translations(tmp_path, '{"text": "Gulu \\ud83d!", "language": "en"}')
    (document,) = ParallelTranslations(path)(documents(NEWS[:1]))
    assert document.pivot == AnnotatedText("Gulu \ufffd!", "eng")
    assert codes(document) == ["unpaired-surrogate"]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "He went."}\r\nnull\r\n{"text": "He appeared."}')
    translated = ParallelTranslations(path)
    translated.check_count(3)
    assert [document.pivot is not None for document in translated(documents())] == [True, False, True]


def test_blank_lines_at_the_end_are_no_translations(tmp_path: Path) -> None:
    path = translations(tmp_path, None, None, None, "", " ")
    ParallelTranslations(path).check_count(3)
    assert list(ParallelTranslations(path)(documents())) == documents()


def test_a_line_that_could_not_be_read_as_a_document_stays_in_step(tmp_path: Path) -> None:
    first, second, third = documents()
    failed = second.with_note("bad-line", "lug.txt:2: not UTF-8", "error")
    path = translations(tmp_path, english("one"), english("two"), english("three"))
    results = list(ParallelTranslations(path)([first, failed, third]))
    assert results[1] == failed
    assert results[2].pivot == AnnotatedText("three", "eng")


@pytest.mark.parametrize(("lines", "numbers"), [(2, "2 for 3"), (4, "4 for 3"), (0, "0 for 3"), (3000, "3,000 for 3")])
def test_the_wrong_number_of_translations_is_told_before_any_work(lines: int, numbers: str, tmp_path: Path) -> None:
    path = translations(tmp_path, *[None] * lines)
    with pytest.raises(TranslationError, match=numbers) as caught:
        ParallelTranslations(path).check_count(3)
    assert str(path) in str(caught.value)


def test_too_few_translations_lose_no_document(tmp_path: Path) -> None:
    stream = ParallelTranslations(translations(tmp_path, english("Museveni went to Gulu.")))(documents())
    results = list(islice(stream, 3))
    assert results[0].pivot == AnnotatedText("Museveni went to Gulu.", "eng")
    assert [codes(document) for document in results] == [[], ["no-translation-line"], ["no-translation-line"]]
    with pytest.raises(TranslationError, match="1 for 3"):
        next(stream)


def test_too_many_translations_lose_no_document(tmp_path: Path) -> None:
    stream = ParallelTranslations(translations(tmp_path, *[english("He went.")] * 5))(documents())
    assert all(document.pivot for document in islice(stream, 3))
    with pytest.raises(TranslationError, match="5 for 3"):
        next(stream)


def test_a_listener_hears_of_problems_and_the_stream_ends_in_peace(tmp_path: Path) -> None:
    problems: list[TransfusionError] = []
    path = translations(tmp_path, b'{"text": "Caf\xe9"}', english("It rained."))
    results = list(ParallelTranslations(path, on_problem=problems.append)(documents()))
    assert [document.pivot is not None for document in results] == [False, True, False]
    unreadable, mismatch = problems
    assert isinstance(unreadable, FormatError)
    assert isinstance(mismatch, TranslationError)


def test_invalid_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = translations(tmp_path, english("He went."), b'{"text": "Caf\xe9"}', english("He appeared."))
    with pytest.raises(FormatError, match=r"translations\.jsonl:2: not UTF-8: byte 0xe9 at column 14"):
        ParallelTranslations(path).check_count(3)
    stream = ParallelTranslations(path)(documents())
    results = list(islice(stream, 3))
    assert [codes(document) for document in results] == [[], ["bad-translation-line"], []]
    assert results[2].pivot == AnnotatedText("He appeared.", "eng")
    with pytest.raises(FormatError, match=r"translations\.jsonl:2: not UTF-8"):
        next(stream)


def test_a_missing_file_or_a_folder_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        ParallelTranslations(tmp_path / "gone.jsonl")
    with pytest.raises(InputError, match="folder"):
        ParallelTranslations(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_once_and_not_counted(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    translated = ParallelTranslations(pipe)
    translated.check_count(1_000_000)
    writer = threading.Thread(target=pipe.write_text, args=('{"text": "He went."}\n',))
    writer.start()
    (document,) = translated(documents(NEWS[:1]))
    writer.join()
    assert document.pivot == AnnotatedText("He went.", "eng")


def test_both_files_are_read_in_step_and_memory_stays_flat(tmp_path: Path) -> None:
    lines = 20_000
    path = tmp_path / "long.jsonl"
    path.write_text((json.dumps(english("Museveni went to Gulu. " * 10)) + "\n") * lines, encoding="utf-8")
    read = 0

    def stream() -> Iterator[Document]:
        nonlocal read
        for number in range(lines):
            read += 1
            yield Document(str(number), AnnotatedText(NEWS[0], "lug"))

    results = ParallelTranslations(path)(stream())
    next(results)
    assert read == 1
    tracemalloc.start()
    assert sum(document.pivot is not None for document in results) == lines - 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_human_translations_of_masakhaner_fit_their_sentences(shared_data: Path) -> None:
    path = shared_data / "masakhaner2" / "lug" / "dev.translations.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    translated = ParallelTranslations(path)
    translated.check_count(len(lines))
    results = list(translated(documents(("Museveni.",) * len(lines))))
    assert sum(document.pivot is None for document in results) == lines.count("null")
    assert {document.pivot.language for document in results if document.pivot} == {"eng"}
    assert not any(document.notes for document in results)
