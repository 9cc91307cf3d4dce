"""Files and standard input as numbered lines, and what kind of file they are.

Lines end at a line feed alone (a carriage return before it is left out): text may hold other characters that Python's
``splitlines`` would break at.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from transfusion.corpora.rows import TAG
from transfusion.errors import FormatError, InputError

InputFormat = Literal["text", "jsonl", "conll"]
INPUT_FORMATS: tuple[InputFormat, ...] = get_args(InputFormat)

STDIN = "-"
MAX_LINE_BYTES = 64 * 2**20
"""A longer line is no text that somebody wrote; it is refused before it fills the memory."""

_EXTENSIONS: dict[str, InputFormat] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".conll", ".conllu", ".iob2", ".iob", ".bio"), "conll"),
}
_HEAD_BYTES = 64 * 2**10
_MIN_ROWS, _MAX_COLUMNS = 3, 6
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def open_input(path: str | Path) -> io.BufferedReader:
    """Open a file, or standard input for ``-``.

    :param path: Path or ``-``.
    :returns: A stream whose beginning can be looked at with ``peek``.
    :raises InputError: If it cannot be opened.
    :raises FormatError: If it is UTF-16.
    """
    if str(path) == STDIN:
        # Under a test runner standard input is no real file and cannot peek.
        raw = sys.stdin.buffer
        stream: io.BufferedReader = (
            raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(_Raw(raw), _HEAD_BYTES)
        )
    else:
        stream = _open_file(Path(path))
    if stream.peek(2)[:2] in _UTF16:
        stream.close()
        raise FormatError("this is UTF-16; convert the file to UTF-8", path=path)
    return stream


def is_regular_file(path: str | Path) -> bool:
    """Whether something can be read more than once: a file, and not standard input or a pipe."""
    return str(path) != STDIN and Path(path).is_file()


def _open_file(path: Path) -> io.BufferedReader:
    try:
        return io.BufferedReader(path.open("rb", buffering=0), _HEAD_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder; give a file, or - for standard input") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


class _Raw(io.RawIOBase):
    """A binary stream in memory, as a raw one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def detect_format(path: str | Path, stream: io.BufferedReader) -> InputFormat:
    """Tell the format by the file's extension where that is clear, and by what the file begins with where it is not.

    :param path: Path or ``-``.
    :param stream: Its contents, from which nothing is taken.
    :returns: ``jsonl`` if most lines begin with ``{``; ``conll`` if lines are a few columns with an IOB tag among them;
        ``text`` otherwise.
    """
    by_name = _EXTENSIONS.get(Path(path).suffix.lower())
    if by_name is not None:
        return by_name
    lines = [line.strip() for line in stream.peek(_HEAD_BYTES)[:_HEAD_BYTES].decode("utf-8", "replace").split("\n")]
    # What was looked at may end in the middle of a line.
    whole = [line for line in (lines[:-1] if len(lines) > 1 else lines) if line]
    if whole and 2 * sum(line.startswith("{") for line in whole) >= len(whole):
        return "jsonl"
    rows = [line.split() for line in whole if not line.startswith("# ")]
    tagged = sum(len(row) <= _MAX_COLUMNS and any(TAG.fullmatch(cell) for cell in row[1:]) for row in rows)
    return "conll" if len(rows) >= _MIN_ROWS and tagged >= 0.9 * len(rows) else "text"


def bounded_lines(stream: BinaryIO, *, path: str | Path, on_problem: Callable[[FormatError], None]) -> Iterator[bytes]:
    """Lines of a stream; one that is longer than :data:`MAX_LINE_BYTES` is reported, and an empty line stands for it.

    :param stream: Where to read.
    :param path: Name of the file for messages.
    :param on_problem: Told of each line that is too long.
    :yields: Lines with their line ends.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            limit = MAX_LINE_BYTES // 2**20
            on_problem(
                FormatError(f"a line of more than {limit} MB; put a document on each line", path=path, line=number)
            )
            line = b"\n"
        yield line
