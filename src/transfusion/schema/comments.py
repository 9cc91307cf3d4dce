"""Comments behind the fields of classes. A syntax tree has none, so they are read from the tokens."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Mapping

_QUIET = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Comments:
    """The comments of a source text.

    :param text: The source text, with line feeds at the ends of lines.
    :raises SyntaxError: If it cannot be cut into tokens.
    """

    def __init__(self, text: str) -> None:
        self._behind: dict[int, str] = {}
        self._alone: dict[int, tuple[int, str]] = {}
        code_lines: set[int] = set()
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                line, column = token.start
                if token.type == tokenize.COMMENT:
                    comment = token.string.removeprefix("#").strip()
                    if line in code_lines:
                        self._behind[line] = comment
                    else:
                        self._alone[line] = (column, comment)
                elif token.type not in _QUIET:
                    code_lines.update(range(line, token.end[0] + 1))
        except tokenize.TokenError as error:
            raise SyntaxError(error.args[0], ("", *error.args[1], "")) from error

    def of_field(self, line: int, column: int) -> list[str]:
        """What the comments of a field say, in order.

        :param line: The line that the field ends in, from 1.
        :param column: The column that it begins in; comments on the lines after it stand there or further right.
        :returns: The comment behind it and those on the lines straight after it.
        """
        found = [self._behind[line]] if line in self._behind else []
        return [comment for comment in [*found, *_run(self._alone, line + 1, column)] if comment]


def _run(alone: Mapping[int, tuple[int, str]], line: int, column: int) -> list[str]:
    comments = []
    while line in alone and alone[line][0] >= column:
        comments.append(alone[line][1])
        line += 1
    return comments
