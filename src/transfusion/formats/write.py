"""Results out, one document at a time: nothing that is written is lost when a run dies."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self, get_args

from transfusion.document import Document
from transfusion.errors import OutputError
from transfusion.formats import conll, jsonl
from transfusion.formats.html import Page
from transfusion.formats.source import STDIN

OutputFormat = Literal["jsonl", "conll", "html"]
OUTPUT_FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)

STDOUT = STDIN
"""``-`` names standard output where something is written."""


class Renderer(Protocol):
    """What a format makes of documents."""

    def begin(self) -> str:
        """What stands before the first document."""
        ...

    def render(self, document: Document, /) -> str:
        """One document."""
        ...

    def end(self) -> str:
        """What stands after the last document."""
        ...


class _Lines:
    """JSON lines."""

    def begin(self) -> str:
        return ""

    def render(self, document: Document, /) -> str:
        return jsonl.render(document)

    def end(self) -> str:
        return ""


class _Columns(_Lines):
    """CoNLL columns."""

    def render(self, document: Document, /) -> str:
        return conll.render(document)


_RENDERERS: dict[OutputFormat, type[Renderer]] = {"jsonl": _Lines, "conll": _Columns, "html": Page}


class Output:
    """A place for results, opened at once so that an unwritable one is known before any work is done.

    What stands in a file is kept until the first document is written.  Every document is handed to the system as soon
    as it is written.

    :param path: The file, or ``-`` for standard output.
    :param format: ``jsonl``, ``conll`` or ``html``; an HTML page gets its legend at the end.
    :param source: The file that is being read, which must not be the same.
    :raises OutputError: If the file cannot be written.
    """

    def __init__(self, path: str | Path, format: OutputFormat = "jsonl", *, source: str | Path | None = None) -> None:
        self.path = path
        self._renderer = _RENDERERS[format]()
        self._begun = False
        self._is_file = str(path) != STDOUT
        if self._is_file and source is not None and _same_file(path, source):
            raise OutputError(f"{path}: this is the file that is being read; give another one")
        self._stream = _open(Path(path)) if self._is_file else sys.stdout.buffer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            # A page whose run has died is closed like any other, so that what it has can be read.
            if kind is None or (self._begun and isinstance(error, Exception | KeyboardInterrupt)):
                with nullcontext() if kind is None else suppress(OSError, OutputError):
                    self._write(self._renderer.end())
        finally:
            if self._is_file:
                # Every write was flushed, so what closing complains about was told already.
                with suppress(OSError):
                    self._stream.close()

    def write(self, document: Document) -> None:
        """Write one document.

        :param document: The document.
        :raises OutputError: If the disk is full, or the file can no longer be written.
        """
        self._write(self._renderer.render(document))

    def _write(self, text: str) -> None:
        try:
            if not self._begun:
                self._begun = True
                if self._is_file and Path(self.path).is_file():
                    self._stream.truncate(0)
                text = self._renderer.begin() + text
            self._stream.write(text.encode("utf-8"))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except IsADirectoryError:
        raise OutputError(f"{path}: this is a folder; give a file, or - for standard output") from None
    except FileNotFoundError:
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _same_file(path: str | Path, source: str | Path) -> bool:
    try:
        return str(source) != STDIN and Path(path).samefile(source)
    except OSError:
        return False
