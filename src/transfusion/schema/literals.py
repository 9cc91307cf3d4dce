"""Strings as they are written in source text, so that reading gives back every character."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc

_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """A string literal in double quotes.

    :param text: Any string.
    :returns: Source text of one line.
    """
    return f'"{_escaped(text).replace(chr(34), chr(92) + chr(34))}"'


def docstring(text: str, *, indent: str = "    ", one_line: bool = False) -> str:
    """A string literal in triple quotes.

    :param text: Any string. Its lines stand on lines of their own where reading them back takes nothing away.
    :param indent: What stands before lines after the first.
    :param one_line: Write line breaks as escapes in any case.
    :returns: Source text, without indent before its first line.
    """
    before, last = (text[:-1], '\\"') if text.endswith('"') else (text, "")
    body = _escaped(before).replace('"""', '\\"\\"\\"') + last
    lines = body.split("\\n")
    if one_line or len(lines) == 1 or "\\" in text or cleandoc(_broken(text.split("\n"), indent)) != text:
        return f'"""{body}"""'
    return f'"""{_broken(lines, indent)}"""'


def _broken(lines: Sequence[str], indent: str) -> str:
    """Lines as they stand in a docstring, whose quotation marks end on a line of their own."""
    return "\n".join([lines[0], *(f"{indent}{line}" if line else "" for line in lines[1:]), indent])


def _escaped(text: str) -> str:
    return "".join(
        _NAMED.get(character) or (character if character.isprintable() else _code(character)) for character in text
    )


def _code(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
