"""What prompts begin with: the guidelines, which are the same for every document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

TokenIds: TypeAlias = list[int] | tuple[int, ...]

_TELLING = 64
"""So many tokens tell the guidelines of one schema from those of another."""


def common_length(one: TokenIds, other: TokenIds) -> int:
    """How many tokens two rows begin with."""
    most = min(len(one), len(other))
    return next((index for index in range(most) if one[index] != other[index]), most)


def shared_length(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with, so that each has at least one token of its own after them.

    :param rows: The rows, at least one; none is empty.
    :returns: The number.
    """
    # What the first and the last in alphabetical order begin with, all between them begin with as well.
    first, last = min(rows), max(rows)
    return min(common_length(first, last), min(map(len, rows)) - 1)


def group_by_beginning(rows: Sequence[TokenIds]) -> list[list[int]]:
    """Put rows together that begin alike: large schemas are split, and every part has guidelines of its own.

    :param rows: The rows.
    :returns: The indexes of the rows of each group. Rows that are alone with their beginning are one group.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(tuple(row[:_TELLING]), []).append(index)
    alone = [index for group in groups.values() if len(group) == 1 for index in group]
    together = [group for group in groups.values() if len(group) > 1]
    return [*together, alone] if alone else together
