"""Finding a string in a text that has it in about the same letters: the stretch of words that is most like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transfusion.encoder.units import split_units
from transfusion.project.similarity import phrase_similarity

_DISTANCE_WEIGHT = 0.05
"""What the whole length of the text away costs: it decides between stretches that are equally alike."""


class Window(NamedTuple):
    """A stretch of a text.

    :param start: First code point.
    :param end: One past the last.
    :param likeness: How like it is to what was looked for, 0 to 1.
    """

    start: int
    end: int
    likeness: float


class WindowFinder:
    """Looks strings up in one text.

    Windows begin and end where words do; in a script without spaces, at any character.

    :param text: The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._words: list[tuple[int, int]] = _words(text)

    def find(
        self, wanted: Sequence[str], *, near: float, least: float, taken: Sequence[tuple[int, int]] = ()
    ) -> Window | None:
        """The window that is most like one of several strings.

        :param wanted: Strings that would all do.
        :param near: Where in the text it is to be expected, 0 for its beginning and 1 for its end; decides between
            windows that are as good as each other.
        :param least: The likeness that a window must have.
        :param taken: Stretches that a window must stay clear of.
        :returns: The window; ``None`` if none is like enough.
        """
        free = [all(end <= start or stop <= begin for start, stop in taken) for begin, end in self._words]
        best: Window | None = None
        best_rank = 0.0
        for string in dict.fromkeys(wanted):
            for first, last in self._stretches(len(_words(string)), free):
                start, end = self._words[first][0], self._words[last][1]
                likeness = phrase_similarity(string, self.text[start:end])
                rank = likeness - _DISTANCE_WEIGHT * abs((start + end) / (2 * len(self.text)) - near)
                if likeness >= least and (best is None or rank > best_rank):
                    best, best_rank = Window(start, self._whole(end, string, taken), likeness), rank
        return best

    def _whole(self, end: int, string: str, taken: Sequence[tuple[int, int]]) -> int:
        """End of a window with the full stop that belongs to a name such as ``U.S.``"""
        last = string[-1:]
        free = all(end < start or stop <= end for start, stop in taken)
        return end + 1 if free and not last.isalnum() and self.text[end : end + 1] == last else end

    def _stretches(self, words: int, free: Sequence[bool]) -> Iterator[tuple[int, int]]:
        """First and last word of every stretch that could be a string of so many words."""
        shortest, longest = max(1, words // 2), words + 1 + words // 2
        for first in range(len(free)):
            for last in range(first, min(first + longest, len(free))):
                if not free[last]:
                    break
                if last - first + 1 >= shortest:
                    yield first, last


def _words(text: str) -> list[tuple[int, int]]:
    """Words without the punctuation between them; in a script without spaces, characters."""
    spans: list[tuple[int, int]] = []
    for unit in split_units(text):
        if unit.divisible:
            spans.extend((place, place + 1) for place in range(unit.start, unit.end))
        elif any(character.isalnum() for character in text[unit.start : unit.end]):
            spans.append((unit.start, unit.end))
    return spans
