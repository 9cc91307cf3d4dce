"""Calls such as ``Person(span="Ruto")`` → names of fields and values, in one pass and without recursion."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from transfusion.decoder.items import Argument
from transfusion.decoder.literals import Damage, Refused, literal_end, literal_value
from transfusion.decoder.problems import ProblemCode, shown

NAME = r"[^\W\d]\w*+"
"""Pattern of an identifier."""

LITERAL_START = r"""(?:[A-Za-z]{0,2}+["'])"""
"""Pattern of the beginning of a string literal: prefix and first quote."""

MOST_VALUES = 500
"""Most values that a call, or a list in it, may hold. No event has as many participants; a model in a loop has."""

_SPACE = re.compile(r"(?:\s++|\#[^\n]*+)*+")
_KEYWORD = re.compile(rf"({NAME})\s*+=(?!=)")
_CALL = re.compile(rf"({NAME})\s*+\(")
_LITERAL_START = re.compile(LITERAL_START)
_PART = re.compile(
    rf"(?P<quote>(?<!\w){LITERAL_START})|(?P<open>[\[({{])|(?P<close>[\])}}])|(?P<comma>,)|\#[^\n]*+"
    r"|[^\W\d]\w*+|[^\[\](){},\#\"'\w]++|.",
    re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Unusable:
    """A value that is no string and no list of strings.

    :param code: What is wrong with it.
    :param message: The same for people.
    """

    code: ProblemCode
    message: str


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a call.

    :param keyword: Name of the field that it is for; ``None`` where it stands without one.
    :param value: The value.
    :param left_out: What was left out of a list.
    """

    keyword: str | None
    value: Argument | Unusable
    left_out: tuple[Unusable, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A whole call.

    :param values: What stands between its brackets, in order.
    :param end: One past its closing bracket.
    """

    values: tuple[Value, ...]
    end: int


def read_call(text: str, position: int, end: int, classes: Container[str]) -> Call:
    """Read a call of a class.

    :param text: Source text.
    :param position: Just behind the opening bracket.
    :param end: Where the text ends.
    :param classes: Known classes. A call of one of them in the place of a value without a name means that a closing
        bracket is missing.
    :returns: The call.
    :raises Damage: If it breaks off or is no syntax.
    """
    values: list[Value] = []
    while True:
        position = _after_space(text, position, end)
        if position == end:
            raise Damage("truncated", "the answer ends inside it", end)
        if text[position] == ")":
            return Call(tuple(values), position + 1)
        if text[position] == ",":
            position += 1
            continue
        _expect_room(len(values), position)
        keyword = _KEYWORD.match(text, position, end)
        if keyword is None and (call := _CALL.match(text, position, end)) and call[1] in classes:
            raise Damage("syntax", f"{call[1]}(…) stands inside it", position)
        start = _after_space(text, keyword.end(), end) if keyword else position
        value, left_out, position = _read_value(text, start, end)
        values.append(Value(keyword[1] if keyword else None, value, left_out))
        _expect_end_of_value(text, position, end, ")")


def skip_call(text: str, position: int, end: int) -> int:
    """Pass over a call, whatever it holds.

    :param text: Source text.
    :param position: Just behind the opening bracket.
    :param end: Where the text ends.
    :returns: One past its closing bracket.
    :raises Damage: If it breaks off, or its brackets do not match.
    """
    while True:
        position, _ = _skip_value(text, position, end)
        if text[position] == "]":
            raise Damage("syntax", "its brackets do not match", position)
        position += 1
        if text[position - 1] == ")":
            return position


def _after_space(text: str, position: int, end: int) -> int:
    found = _SPACE.match(text, position, end)
    return found.end() if found else position


def _expect_end_of_value(text: str, position: int, end: int, closing: str) -> None:
    position = _after_space(text, position, end)
    if position == end:
        raise Damage("truncated", "the answer ends inside it", end)
    if text[position] not in (",", closing):
        wrong = text[position : min(position + 20, end)]
        raise Damage("syntax", f"a comma or {closing!r} should stand in the place of {shown(wrong)}", position)


def _expect_room(count: int, position: int) -> None:
    if count >= MOST_VALUES:
        raise Damage("too-long", f"it holds more than {MOST_VALUES} values", position)


def _read_value(text: str, start: int, end: int) -> tuple[Argument | Unusable, tuple[Unusable, ...], int]:
    """A value, what was left out of it, and where it ends."""
    if text[start : min(start + 1, end)] == "[":
        return _read_list(text, start, end)
    value, position = _read_string(text, start, end)
    return value, (), position


def _read_list(text: str, start: int, end: int) -> tuple[tuple[str, ...], tuple[Unusable, ...], int]:
    strings: list[str] = []
    left_out: list[Unusable] = []
    position = start + 1
    while True:
        position = _after_space(text, position, end)
        if position == end:
            raise Damage("truncated", "the answer ends inside it", end)
        if text[position] == "]":
            return tuple(strings), tuple(left_out), position + 1
        if text[position] == ",":
            position += 1
            continue
        _expect_room(len(strings) + len(left_out), position)
        value, position = _read_string(text, position, end)
        if isinstance(value, Unusable):
            left_out.append(value)
        else:
            strings.append(value)
        _expect_end_of_value(text, position, end, "]")


def _read_string(text: str, start: int, end: int) -> tuple[str | Unusable, int]:
    """A string, or what stands in the place of one, and where it ends."""
    if _LITERAL_START.match(text, start, end) is None:
        return _read_other(text, start, end)
    position = literal_end(text, start, end)
    following = _after_space(text, position, end)
    if _LITERAL_START.match(text, following, end):
        while _LITERAL_START.match(text, following, end):
            position = literal_end(text, following, end)
            following = _after_space(text, position, end)
        return Unusable("bad-string", f"several strings in a row: {shown(text[start:position])}"), position
    try:
        return literal_value(text, start, position), position
    except Refused as error:
        return Unusable("bad-string", str(error)), position


def _read_other(text: str, start: int, end: int) -> tuple[Unusable, int]:
    position, brackets = _skip_value(text, start, end)
    code: ProblemCode = "nested" if brackets else "wrong-type"
    return Unusable(code, f"{shown(text[start:position].rstrip())} is no string"), position


def _skip_value(text: str, start: int, end: int) -> tuple[int, bool]:
    """Where the comma or closing bracket behind a value stands, and whether the value holds brackets."""
    position = start
    expected: list[str] = []
    brackets = False
    while found := _PART.match(text, position, end):
        kind = found.lastgroup
        if kind == "open":
            expected.append(_CLOSING[found[0]])
            brackets = True
        elif kind == "close" and expected:
            if expected.pop() != found[0]:
                raise Damage("syntax", "its brackets do not match", position)
        elif kind == "close" and found[0] == "}":
            raise Damage("syntax", "its brackets do not match", position)
        elif kind == "close" or (kind == "comma" and not expected):
            return position, brackets
        position = literal_end(text, position, end) if kind == "quote" else found.end()
    raise Damage("truncated", "the answer ends inside it", end)
