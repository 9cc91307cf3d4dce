"""What a decoder writes: calls of the schema's classes, with strings copied from a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Argument = str | tuple[str, ...]
"""The value of a field: a string, or several where the field holds a list."""


@dataclass(frozen=True, slots=True)
class Item:
    """One annotation, as it stands in a list of a prompt or an answer.

    :param type: Name of the class.
    :param arguments: Its fields and their strings, in the order in which they were written.
    :param start: Where it begins in the answer that it was read from; -1 if it was read from none.
    :param end: One past where it ends there.
    """

    type: str
    arguments: Mapping[str, Argument]
    start: int = -1
    end: int = -1
