"""What is wrong with a source text: every problem with its line and a caret under the place."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NoReturn

from transfusion.errors import SchemaError

_WIDTH = 160
_AT_MOST = 20


class Problems:
    """The problems of one source text.

    :param text: The text, with line feeds at the ends of lines.
    :param path: What messages call it.
    """

    def __init__(self, text: str, path: str | Path) -> None:
        self._lines = text.split("\n")
        self._path = path
        self._found: list[tuple[int, int, str]] = []

    def __len__(self) -> int:
        """How many problems there are."""
        return len(self._found)

    def add(self, node: ast.stmt | ast.expr, message: str) -> None:
        """Add a problem with what a node of the syntax tree stands for."""
        end = node.end_col_offset if node.end_lineno == node.lineno else None
        self._add(node.lineno, self._column(node.lineno, node.col_offset), self._column(node.lineno, end), message)

    def add_name(self, node: ast.ClassDef, message: str) -> None:
        """Add a problem with a class; the caret stands under its name."""
        line = self._line(node.lineno)
        start = line.find(node.name, line.find("class") + len("class"))
        self._add(node.lineno, max(start, 0), max(start, 0) + len(node.name), message)

    def add_syntax_error(self, error: SyntaxError) -> None:
        """Add what Python said of the text."""
        line, column = min(error.lineno or 1, len(self._lines)), max((error.offset or 1) - 1, 0)
        self._add(line, column, column + 1, f"not valid Python: {error.msg}")

    def raise_any(self) -> None:
        """Raise what was found.

        :raises SchemaError: If anything was.
        """
        if self._found:
            self.fail()

    def fail(self) -> NoReturn:
        """Raise what was found.

        :raises SchemaError: Always; the problems in the order of the lines.
        """
        found = sorted(self._found)
        shown = [self._show(*problem) for problem in found[:_AT_MOST]]
        if len(found) > _AT_MOST:
            shown.append(f"{self._path}: {len(found) - _AT_MOST} more problems")
        raise SchemaError("\n".join(shown))

    def _add(self, line: int, start: int, end: int, message: str) -> None:
        carets = "^" * max(end - start, 1)
        self._found.append((line, start, f"{message}\n{carets}"))

    def _line(self, number: int) -> str:
        return self._lines[number - 1]

    def _column(self, number: int, offset: int | None) -> int:
        """Columns of syntax trees count bytes of UTF-8; here they count characters. ``None`` is the end of the line."""
        line = self._line(number)
        return len(line.encode()[:offset].decode(errors="replace"))

    def _show(self, number: int, start: int, message: str) -> str:
        message, carets = message.rsplit("\n", 1)
        line = self._line(number)
        cut = max(0, start - _WIDTH // 2) if len(line) > _WIDTH else 0
        visible = line[cut : cut + _WIDTH]
        space = "".join("\t" if character == "\t" else " " for character in line[cut:start])
        under = carets[: max(len(visible) - (start - cut), 1)]
        return f"{self._path}:{number}: {message}\n    {_printable(visible)}\n    {space}{under}"


def _printable(line: str) -> str:
    """A line with every character as wide as one, so that carets stand where they should."""
    return "".join(character if character.isprintable() or character == "\t" else "\ufffd" for character in line)
