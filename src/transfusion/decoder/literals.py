"""String literals of Python, read as data."""

from __future__ import annotations

import re
import unicodedata

from transfusion.decoder.problems import ProblemCode, shown

# Groups: prefix, body. Possessive, so that no text takes more than one look at each character.
_LITERAL = re.compile(
    r"""([A-Za-z]{0,2}+)(?:
        \"\"\"((?:[^"\\]++|\\.|"(?!""))*+)\"\"\"
      | '''((?:[^'\\]++|\\.|'(?!''))*+)'''
      | "(?!"")((?:[^"\\\r\n]++|\\(?:\r\n|.))*+)"
      | '(?!'')((?:[^'\\\r\n]++|\\(?:\r\n|.))*+)'
    )""",
    re.VERBOSE | re.DOTALL,
)
_OPENING = re.compile(r"""[A-Za-z]{0,2}+(\"\"\"|'''|["'])""")
_LINE_END = re.compile(r"[\r\n]")
_ESCAPE = re.compile(
    r"\\(?:\r\n|[0-7]{1,3}+|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|N\{[^{}]{1,80}+\}|.)", re.DOTALL
)
_SHORT = {
    "\n": "",
    "\r": "",
    "\r\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


class Damage(Exception):
    """An item that cannot be read on.

    :param code: What is wrong.
    :param message: The same for people.
    :param reach: How far the text was looked at.
    """

    def __init__(self, code: ProblemCode, message: str, reach: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reach = reach


class Refused(Exception):
    """A literal that is whole, and no string that a prompt could show.

    :param message: What is wrong with it.
    """


def literal_end(text: str, start: int, end: int) -> int:
    """Where the string literal that begins at a place ends.

    :param text: Source text.
    :param start: Where the literal begins, its prefix included.
    :param end: Where the text ends.
    :returns: One past its closing quote; ``start`` if no literal begins there.
    :raises Damage: If the closing quote is missing.
    """
    opening = _OPENING.match(text, start, end)
    if opening is None:
        return start
    literal = _LITERAL.match(text, start, end)
    if literal is not None:
        return literal.end()
    line_end = None if len(opening[1]) == 3 else _LINE_END.search(text, opening.end(), end)
    if line_end is None:
        raise Damage("truncated", f"the string {shown(text[start:end])} has no end", end)
    raise Damage("bad-string", f"the string {shown(text[start : line_end.start()])} has no end", line_end.start())


def literal_value(text: str, start: int, end: int) -> str:
    """The string that a literal stands for.

    :param text: Source text.
    :param start: Where the literal begins.
    :param end: What :func:`literal_end` said.
    :returns: The string, escapes replaced. Python's rules, so an unknown escape stays as it is written.
    :raises Refused: If it is a literal of bytes, a formatted string, or has an escape that stands for no character.
    """
    literal = _LITERAL.match(text, start, end)
    if literal is None:
        raise ValueError(f"no string literal: {shown(text[start:end])}")
    prefix = literal[1].lower()
    body = next(group for group in literal.groups()[1:] if group is not None)
    if prefix == "r":
        return body
    if prefix not in ("", "u"):
        raise Refused(f"{shown(literal[0])} is no plain string")
    return _ESCAPE.sub(_unescaped, body) if "\\" in body else body


def _unescaped(escape: re.Match[str]) -> str:
    body = escape[0][1:]
    if body in _SHORT:
        return _SHORT[body]
    try:
        if body[0] in "01234567":
            return chr(int(body, 8))
        if body[0] in "xuU":
            return chr(int(body[1:], 16))
        if body[0] == "N":
            return unicodedata.lookup(body[2:-1])
    except (ValueError, KeyError, OverflowError) as error:
        raise Refused(f"{shown(escape[0])} stands for no character") from error
    return escape[0]
