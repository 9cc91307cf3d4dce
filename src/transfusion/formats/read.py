"""Texts to work on: plain text, JSON lines or CoNLL columns, one document at a time.

What cannot be read is reported with its file and line, and the rest goes on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from transfusion.corpora.columns import iter_conll_texts, numbered_lines
from transfusion.document import AnnotatedText, Document
from transfusion.errors import FormatError, InputError
from transfusion.formats import jsonl
from transfusion.formats.source import InputFormat, bounded_lines, detect_format, is_regular_file, open_input
from transfusion.language import get_language

OnProblem = Callable[[FormatError], None]

LONG_LINE = "long-line"
"""Code of the note on a document that may be many, such as a file without line ends."""

BAD_LINE = "bad-line"
"""Code of the note on a document that only keeps the place of a line that could not be read."""

_LONG_LINE_CHARACTERS = 1_000_000


def read_documents(
    path: str | Path,
    *,
    language: str | None = None,
    format: InputFormat | None = None,
    on_problem: OnProblem | None = None,
    keep_places: bool = False,
) -> Iterator[Document]:
    """Read the documents of a file; memory holds one of them, however long the file.

    - **text**: a document a line; blank lines are no documents;
    - **jsonl**: objects with ``text`` and, if given, ``id``, ``language`` and ``translation``; see
      :func:`transfusion.formats.jsonl.parse_input`;
    - **conll**: a document a sentence, tags are not read.

    Without an id of its own a document is called by its line number, in a CoNLL file by the number of its sentence.

    :param path: The file, or ``-`` for standard input.
    :param language: Language of documents that do not say it, by any code.
    :param format: The kind of file; by default told from its name and content.
    :param on_problem: Told of each line that cannot be read, and of a file without any document; without it the first
        problem is raised.
    :param keep_places: Whether a line that cannot be read gives an empty document with a ``bad-line`` note, so that
        what goes along with the file line by line, such as translations, stays in step.
    :returns: Documents, read as they are asked for.
    :raises InputError: If the file cannot be opened, or is of a kind that needs ``language``.
    :raises LanguageError: If nobody knows ``language``.
    :raises FormatError: If the file is UTF-16; or at the first problem, if nobody listens to problems.
    """
    code = None if language is None else get_language(language).iso639_3
    stream = open_input(path)
    kind = format or detect_format(path, stream)
    if code is None and kind != "jsonl":
        stream.close()
        what = "plain text" if kind == "text" else "a CoNLL file"
        raise InputError(f"{path}: {what} does not say which language it is in; give one, for example --language swa")
    if is_regular_file(path):
        # Nobody may ever ask for a document, and then nobody would close the file.
        stream.close()
    return _documents(stream, path, kind, code, on_problem or _raise, keep_places)


def count_documents(path: str | Path, *, format: InputFormat | None = None) -> int:
    """How many documents :func:`read_documents` will give for a file, lines that cannot be read among them.

    :param path: A file, not standard input.
    :param format: The kind of file; by default told from its name and content.
    :returns: Documents and unreadable lines together, counted without parsing them.
    :raises InputError: If the file cannot be opened.
    """
    with open_input(path) as stream:
        if (format or detect_format(path, stream)) == "conll":
            return sum(1 for _ in iter_conll_texts(stream, name=path, on_problem=lambda problem: None))
        too_long: list[FormatError] = []
        # What cannot be decoded is no blank, so a line that is not UTF-8 counts too.
        decoded = (
            line.decode("utf-8", "replace") for line in bounded_lines(stream, path=path, on_problem=too_long.append)
        )
        first = sum(bool(line.removeprefix("\ufeff").strip()) for line in islice(decoded, 1))
        return first + sum(not line.isspace() for line in decoded) + len(too_long)


def _raise(problem: FormatError) -> None:
    raise problem


def _documents(
    stream: io.BufferedReader,
    path: str | Path,
    kind: InputFormat,
    language: str | None,
    on_problem: OnProblem,
    keep_places: bool,
) -> Iterator[Document]:
    empty = True
    with open_input(path) if stream.closed else stream as stream:
        if kind == "conll":
            places: Iterator[Document | FormatError] = _from_sentences(stream, path, language or "", on_problem)
        else:
            places = _from_lines(stream, path, kind, language)
        for place in places:
            empty = False
            if isinstance(place, Document):
                yield place
                continue
            on_problem(place)
            if keep_places:
                yield Document(str(place.line), AnnotatedText("", "und")).with_note(BAD_LINE, str(place), "error")
    if empty:
        on_problem(FormatError("no document in it: the file is empty", path=path))


def _from_sentences(
    stream: io.BufferedReader, path: str | Path, language: str, on_problem: OnProblem
) -> Iterator[Document]:
    lines = bounded_lines(stream, path=path, on_problem=on_problem)
    for number, text in enumerate(iter_conll_texts(lines, name=path, on_problem=on_problem), start=1):
        yield Document(str(number), AnnotatedText(text, language))


def _from_lines(
    stream: io.BufferedReader, path: str | Path, kind: InputFormat, language: str | None
) -> Iterator[Document | FormatError]:
    """What stands at each line that is not blank, problems in their places."""
    problems: list[FormatError] = []
    lines = bounded_lines(stream, path=path, on_problem=problems.append)
    for number, line in numbered_lines(lines, path=path, on_problem=problems.append):
        yield from problems
        problems.clear()
        if line.strip():
            yield _from_line(number, line, path, kind, language)
    yield from problems


def _from_line(
    number: int, line: str, path: str | Path, kind: InputFormat, language: str | None
) -> Document | FormatError:
    if kind == "jsonl":
        try:
            document = jsonl.parse_input(line, default_id=str(number), language=language)
        except jsonl.LineProblem as problem:
            return FormatError(str(problem), path=path, line=number)
    else:
        document = Document(str(number), AnnotatedText(line, language or ""))
    if len(line) <= _LONG_LINE_CHARACTERS:
        return document
    size = f"{len(line) / 1e6:.1f} million characters"
    return document.with_note(LONG_LINE, f"{path}:{number}: a line of {size} was read as one document", "warning")
