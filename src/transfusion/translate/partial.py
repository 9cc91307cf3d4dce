"""A file of lines that is written line by line, and gone on with after a kill."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from transfusion.errors import OutputError

_BLOCK = 1 << 20


class PartialLines:
    """Lines on their way into a file, which gets its name when all of them are there.

    Until then they stand in ``NAME.partial``, and ``NAME.partial.of`` says what they are lines of. A run of the same
    thing goes on behind the last whole line; a run of something else begins anew.

    :param path: The file.
    :param identity: What the lines are lines of: everything that decides them.
    :raises OutputError: If the file cannot be written.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.done = 0
        """Lines that were there already."""
        self._partial = path.with_name(path.name + ".partial")
        self._of = path.with_name(path.name + ".partial.of")
        try:
            if path.is_dir():
                raise OutputError(f"{path}: this is a folder; give a file")
            same = self._partial.exists() and self._of.exists() and self._of.read_text(encoding="utf-8") == identity
            if not same:
                self._partial.unlink(missing_ok=True)
                self._of.write_text(identity, encoding="utf-8")
            self._stream = self._partial.open("r+b" if same else "w+b")
            self.done, end = _whole_lines(self._stream)
            self._stream.truncate(end)
            self._stream.seek(end)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        if kind is None:
            try:
                self._partial.replace(self.path)
                self._of.unlink(missing_ok=True)
            except OSError as problem:
                raise OutputError(f"{self.path}: cannot be written: {problem.strerror or problem}") from problem

    def write(self, line: str) -> None:
        """Write a line.

        :param line: The line with its end.
        :raises OutputError: If it cannot be written.
        """
        try:
            self._stream.write(line.encode("utf-8"))
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"{self._partial}: cannot be written: {error.strerror or error}") from error


def _whole_lines(stream: BinaryIO) -> tuple[int, int]:
    """How many whole lines a file has, and where the last of them ends."""
    count = end = position = 0
    while block := stream.read(_BLOCK):
        count += block.count(b"\n")
        if (last := block.rfind(b"\n")) >= 0:
            end = position + last + 1
        position += len(block)
    return count, end
