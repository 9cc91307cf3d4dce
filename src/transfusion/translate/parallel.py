"""Translations from a file: JSON lines that run in step with the documents.

One line for each document, in order: ``{"text": …, "language": …}``, or ``null`` where there is no translation. A
translation that does not say its language is English.  Where sentences were translated one by one, ``sentences`` holds
``[start, end, pivot start, pivot end]`` of each; ``notes`` says what is to be known of the translation.
``transfusion translate`` writes such files, and :func:`render` their lines.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from transfusion.document import AnnotatedText, Document, Note, SentencePair
from transfusion.errors import FormatError, TransfusionError, TranslationError
from transfusion.formats.clean import without_surrogates
from transfusion.formats.jsonl import DEFAULT_PIVOT, LineProblem, language_code, parse_object, to_line
from transfusion.formats.source import STDIN, bounded_lines, open_input

_SEVERITIES = ("info", "warning")

_Problem = TypeVar("_Problem", bound=TransfusionError)

BAD_LINE = "bad-translation-line"
"""Code of the note on a document whose line cannot be read."""

EMPTY = "empty-translation"
"""Code of the note on a document whose translation is white space."""

MISSING_LINE = "no-translation-line"
"""Code of the note on a document that stands beyond the end of the translations."""


class ParallelTranslations:
    """Gives each document of a stream the translation on its line of a file.

    It has to see the whole stream, so it goes before a pipeline and not among its stages, which see batches::

        documents = ParallelTranslations("lug.translations.jsonl")(read_documents("lug.txt", language="lug"))
        annotated = pipeline.stream(documents)

    A document whose line is ``null`` or cannot be used goes on with the pivot that it brought, if it brought one. A
    line that cannot be used is a warning on its document, with file and line. Both files are read line by line; memory
    holds one document.

    :param path: The file, or ``-`` for standard input.
    :param on_problem: Told of what is wrong with the file as a whole: lines that are not UTF-8, too few translations,
        too many. Without it the problem is raised once the last document has been given out, so that no document is
        lost to it.
    :raises InputError: If the file cannot be opened.
    :raises FormatError: If the file is UTF-16.
    """

    def __init__(self, path: str | Path, *, on_problem: Callable[[TransfusionError], None] | None = None) -> None:
        self.path = path
        self.on_problem = on_problem
        if self._is_file():
            open_input(path).close()

    def check_count(self, documents: int) -> None:
        """Make sure, before any work, that there are as many translations as documents.

        Standard input and pipes can be read only once, and are not checked.

        :param documents: How many documents there will be.
        :raises TranslationError: If there are fewer or more translations; the message says how many of each.
        :raises FormatError: If a line is not UTF-8.
        """
        if not self._is_file():
            return
        translations = 0
        with open_input(self.path) as stream:
            for number, line in _numbered(stream, self.path):
                if isinstance(line, FormatError):
                    raise line
                translations = number
        if translations != documents:
            raise self._mismatch(translations, documents)

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """Set the pivots of documents.

        :param documents: All documents that the file has translations for.
        :yields: The same documents, in the same order, none missing.
        :raises TranslationError: After the last document, if there were fewer or more translations.
        :raises FormatError: After the last document, if a line was not UTF-8.
        """
        total = translations = 0
        unreadable: FormatError | None = None
        with open_input(self.path) as stream:
            lines = _numbered(stream, self.path)
            for document in documents:
                total += 1
                number, line = next(lines, (0, None))
                if line is None:
                    message = f"{self.path}: it ends after {translations} translations, before this document"
                    yield document.with_note(MISSING_LINE, message, "warning")
                    continue
                translations = number
                if isinstance(line, FormatError):
                    unreadable = unreadable or self._tell(line)
                yield self._translated(document, number, line)
            for number, line in lines:
                translations = number
                if isinstance(line, FormatError):
                    unreadable = unreadable or self._tell(line)
        if translations != total and (mismatch := self._tell(self._mismatch(translations, total))):
            raise mismatch
        if unreadable:
            raise unreadable

    def _translated(self, document: Document, number: int, line: str | FormatError) -> Document:
        if document.failed:
            return document
        try:
            translation = _parse(line)
            if translation is None:
                return document
            if translation.pivot is None:
                document = replace(document, notes=(*document.notes, *translation.notes))
                if any(note.severity == "warning" for note in translation.notes):
                    return document
                return document.with_note(EMPTY, f"{self.path}:{number}: the translation is empty", "warning")
            return without_surrogates(translation.given_to(document))
        except LineProblem as problem:
            return document.with_note(BAD_LINE, f"{self.path}:{number}: {problem}", "warning")
        except FormatError as problem:
            return document.with_note(BAD_LINE, str(problem), "warning")

    def _mismatch(self, translations: int, documents: int) -> TranslationError:
        return TranslationError(
            f"{self.path}: translations and documents do not go together: {translations:,} for {documents:,}. "
            "The file needs one line for each document, in the same order, and null where there is no translation"
        )

    def _tell(self, problem: _Problem) -> _Problem | None:
        """The problem, if nobody listens to it and it has to be raised."""
        if self.on_problem is None:
            return problem
        self.on_problem(problem)
        return None

    def _is_file(self) -> bool:
        """Whether this is no pipe or device, which could be read only once."""
        path = Path(self.path)
        return str(path) != STDIN and (path.is_file() or path.is_dir() or not path.exists())


def _numbered(stream: BinaryIO, path: str | Path) -> Iterator[tuple[int, str | FormatError]]:
    """Numbers and lines, a problem in the place of a line that cannot be read; blank lines at the end are left out."""
    problems: list[FormatError] = []
    blank = 0
    for number, line in enumerate(bounded_lines(stream, path=path, on_problem=problems.append), start=1):
        content = problems.pop() if problems else _decoded(line, path, number)
        if content == "":
            blank += 1
            continue
        yield from ((number - back, "") for back in range(blank, 0, -1))
        blank = 0
        yield number, content


def _decoded(line: bytes, path: str | Path, number: int) -> str | FormatError:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}; convert the file to UTF-8"
        return FormatError(problem, path=path, line=number)


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line says of its document."""

    pivot: AnnotatedText | None
    sentences: tuple[SentencePair, ...] = ()
    notes: tuple[Note, ...] = ()

    def given_to(self, document: Document) -> Document:
        """The document with what the line says.

        :param document: The document of the line.
        :returns: The document with pivot, sentences and notes.
        :raises LineProblem: If the sentences do not fit the document.
        """
        notes = (*document.notes, *self.notes)
        try:
            return replace(document, pivot=self.pivot, sentences=self.sentences, notes=notes)
        except ValueError as error:
            raise LineProblem(f"'sentences' does not fit its document: {error}") from None


def render(document: Document) -> str:
    """The line of a document that has been translated, line end included.

    :param document: The document; without a pivot and without notes it gives ``null``.
    :returns: The line that gives an untranslated copy of the document its pivot, sentences and notes.
    """
    if document.pivot is None and not document.notes:
        return "null\n"
    whole = without_surrogates(document).to_dict()
    pivot = whole["pivot"] or {"text": "", "language": DEFAULT_PIVOT}
    record: dict[str, Any] = {"text": pivot["text"], "language": pivot["language"]}
    record.update({key: whole[key] for key in ("sentences", "notes") if whole.get(key)})
    return to_line(record)


def _parse(line: str | FormatError) -> _Line | None:
    """The translation of a line.

    :param line: The line, or why it could not be read.
    :returns: The translation; ``None`` for ``null``.
    :raises FormatError: If the line could not even be decoded.
    :raises LineProblem: If the line is not what the head of this module says.
    """
    if isinstance(line, FormatError):
        raise line
    if line == "":
        raise LineProblem("an empty line; write null where there is no translation")
    if line == "null":
        return None
    record = parse_object(line)
    text, language = record.get("text"), record.get("language")
    if not isinstance(text, str):
        raise LineProblem("no field 'text' with a string in it")
    if language is not None and not isinstance(language, str):
        raise LineProblem(f"'language' must be a code in a string, not {language!r:.60}")
    code = DEFAULT_PIVOT if language is None else language_code(language)
    pivot = AnnotatedText(text, code) if text.strip() else None
    return _Line(pivot, _sentences(record.get("sentences")) if pivot else (), _notes(record.get("notes")))


def _sentences(value: Any) -> tuple[SentencePair, ...]:
    try:
        pairs = tuple(SentencePair(*map(operator.index, offsets)) for offsets in value or ())
    except (TypeError, ValueError):
        raise LineProblem("'sentences' must be a list of [start, end, pivot start, pivot end]") from None
    ends = [(0, 0), *((pair.end, pair.pivot_end) for pair in pairs)]
    if any(p.start < end or p.pivot_start < pivot_end for p, (end, pivot_end) in zip(pairs, ends, strict=False)):
        raise LineProblem("'sentences' must be in order and not overlap")
    return pairs


def _notes(value: Any) -> tuple[Note, ...]:
    try:
        given = [(note["code"], note["message"], note.get("severity", "info")) for note in value or ()]
    except (TypeError, KeyError, AttributeError):
        raise LineProblem("'notes' must be a list of objects with 'code', 'message' and 'severity'") from None
    # A note here is about a translation: it never makes a document one that failed.
    if not all(isinstance(part, str) for note in given for part in note) or any(n[2] not in _SEVERITIES for n in given):
        raise LineProblem(f"a note needs strings, and a severity that is one of {', '.join(_SEVERITIES)}")
    return tuple(Note(*note) for note in given)
