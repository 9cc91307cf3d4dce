"""Results read back: what ``transfusion extract`` wrote as JSON lines or CoNLL columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from transfusion.corpora.columns import numbered_lines
from transfusion.document import Document
from transfusion.errors import FormatError
from transfusion.formats import conll, jsonl
from transfusion.formats.source import bounded_lines, detect_format, open_input


def read_results(path: str | Path, *, on_problem: Callable[[FormatError], None] | None = None) -> Iterator[Document]:
    """Read annotated documents.

    JSON lines give the document back as it was, scores to four digits; CoNLL gives the source with its entities and
    the notes.

    :param path: A file in one of the two formats, told apart by name and content; ``-`` for standard input.
    :param on_problem: Told of each place that cannot be read; without it the first one is raised.
    :yields: Documents, in the order of the file.
    :raises InputError: If the file cannot be opened.
    :raises FormatError: If a place cannot be read and nobody listens to problems.
    """
    problems: list[FormatError] = []
    with open_input(path) as stream:
        kind = detect_format(path, stream)
        lines = numbered_lines(
            bounded_lines(stream, path=path, on_problem=problems.append), path=path, on_problem=problems.append
        )
        places = conll.parse(lines, path=path) if kind == "conll" else _from_lines(lines, path)
        for place in places:
            if isinstance(place, FormatError):
                problems.append(place)
            _report(problems, on_problem)
            if isinstance(place, Document):
                yield place
        _report(problems, on_problem)


def _from_lines(lines: Iterator[tuple[int, str]], path: str | Path) -> Iterator[Document | FormatError]:
    for number, line in lines:
        if line.strip():
            try:
                yield jsonl.parse_result(line)
            except jsonl.LineProblem as problem:
                yield FormatError(str(problem), path=path, line=number)


def _report(problems: list[FormatError], on_problem: Callable[[FormatError], None] | None) -> None:
    for problem in problems:
        if on_problem is None:
            raise problem
        on_problem(problem)
    problems.clear()
