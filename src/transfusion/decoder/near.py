"""Stretches of a text that differ from a string by a few letters.

If a stretch is within *d* edits of a string, then of any *d* + 1 pieces that the string is cut into, one stands in the
stretch unchanged. So pieces are looked up, which costs little however long the text is, and edits are counted round
those places only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

_LONGEST = 200  # a mention of more folded characters than this is copied whole or not at all
_PLACES = 32  # places of one piece that are looked at
_MOST_EDITS = 12


class Likeness(NamedTuple):
    """A stretch that is like a string.

    :param similarity: One minus the share of the longer of the two that would have to be edited.
    :param start: First character of the stretch.
    :param end: One past its last.
    """

    similarity: float
    start: int
    end: int


def near_stretches(
    text: str, string: str, *, threshold: float, begins: Callable[[int], bool], ends: Callable[[int], bool]
) -> list[Likeness]:
    """Find what is like a string.

    :param text: Folded text.
    :param string: Folded string.
    :param threshold: Least similarity, above 0.
    :param begins: Whether a stretch may begin at a place of the text.
    :param ends: Whether one may end before a place.
    :returns: The stretches, most similar first, then in reading order. At most a few dozen places are looked at.
    """
    size = len(string)
    most = min(int((1 - threshold) * size / threshold + 1e-9), size - 1, _MOST_EDITS)
    if size > _LONGEST or most < 1:
        return []
    found: dict[tuple[int, int], float] = {}
    seen: set[int] = set()
    for place in _places(text, string, most):
        if place in seen:
            continue
        seen.add(place)
        starts = [at for at in range(max(0, place - most), min(place + most, len(text) - 1) + 1) if begins(at)]
        last = min(len(text), place + size + most)
        stops = [at for at in range(max(0, place + size - most), last + 1) if ends(at)]
        for start in starts:
            for stop in stops:
                length = stop - start
                if length < 1 or abs(length - size) > most or (start, stop) in found:
                    continue
                edits = edit_distance(string, text[start:stop], most)
                similarity = 1 - edits / max(size, length)
                found[start, stop] = similarity if edits <= most else 0.0
    good = [Likeness(similarity, *span) for span, similarity in found.items() if similarity >= threshold]
    return sorted(good, key=lambda each: (-each.similarity, each.start, each.end))


def edit_distance(one: str, other: str, most: int) -> int:
    """How many characters to insert, delete or replace to make one string the other (Levenshtein).

    :param one: A string.
    :param other: Another.
    :param most: What is far enough.
    :returns: The distance; anything more than ``most`` if it is more. Takes time in the order of length times ``most``.
    """
    far = most + 1
    if abs(len(one) - len(other)) > most:
        return far
    row = [column if column <= most else far for column in range(len(other) + 1)]
    for index, character in enumerate(one, 1):
        first, last = max(1, index - most), min(len(other), index + most)
        diagonal = row[first - 1]
        row[first - 1] = index if first == 1 and index <= most else far
        best = row[first - 1]
        for column in range(first, last + 1):
            above = row[column] if column < index + most else far
            cost = diagonal if character == other[column - 1] else 1 + min(diagonal, above, row[column - 1])
            diagonal = row[column]
            row[column] = cost
            best = min(best, cost)
        if best > most:
            return far
    return min(row[-1], far)


def _places(text: str, string: str, most: int) -> Iterator[int]:
    """Where the string would begin in the text, going by one of its pieces."""
    size = len(string)
    edges = [index * size // (most + 1) for index in range(most + 2)]
    for start, end in pairwise(edges):
        piece = string[start:end]
        at = text.find(piece)
        for _ in range(_PLACES):
            if at < 0:
                break
            yield at - start
            at = text.find(piece, at + 1)
