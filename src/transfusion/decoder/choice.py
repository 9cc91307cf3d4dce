"""Which of several places of a string an item means."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Container, Iterator, Sequence

from transfusion.decoder.mentions import Mention, MentionFinder
from transfusion.document import Entity

_NEIGHBOURS = 2  # places on either side of another that are looked at


class Places:
    """The places that items of one label have taken in a text.

    :param finder: Looks strings up in the text.
    """

    def __init__(self, finder: MentionFinder) -> None:
        self._finder = finder
        self._taken: set[tuple[int, int]] = set()
        self._covered: set[int] = set()
        self._counts: Counter[str] = Counter()
        self._left: dict[str, Iterator[Mention]] = {}
        self._overlapping: dict[str, deque[Mention]] = {}

    def take(self, string: str) -> Mention | None:
        """Take the next place of a string: one that touches no other, as long as there is one.

        :param string: Any string.
        :returns: The place, which nobody has taken before; ``None`` if there is none.
        """
        left = self._left.setdefault(string, self._finder.mentions(string))
        overlapping = self._overlapping.setdefault(string, deque())
        for mention in left:  # what is free now and what is not; the latter stays so
            if self._covered.isdisjoint(range(mention.start, mention.end)):
                return self._take(string, mention)
            overlapping.append(mention)
        while overlapping:
            mention = overlapping.popleft()
            if (mention.start, mention.end) not in self._taken:
                return self._take(string, mention)
        return None

    def claim(self, start: int, end: int) -> None:
        """Take a place that is known already.

        :param start: First code point.
        :param end: One past its last.
        """
        self._taken.add((start, end))
        self._covered.update(range(start, end))

    def count(self, string: str) -> int:
        """How many places of a string were taken for it."""
        return self._counts[string]

    def _take(self, string: str, mention: Mention) -> Mention:
        self.claim(mention.start, mention.end)
        self._counts[string] += 1
        return mention


def nearest_pair(
    heads: Sequence[Entity], tails: Sequence[Entity], taken: Container[tuple[tuple[int, int], tuple[int, int]]]
) -> tuple[Entity, Entity] | None:
    """The places of two arguments that are closest together.

    :param heads: Places that the first may mean.
    :param tails: Places that the second may mean.
    :param taken: Pairs of spans that may not be chosen.
    :returns: Of the pairs that may be chosen, the one with the least between them, then the first in reading order; no
        pair is of one place. Of each head, only the nearest few tails are looked at.
    """
    ordered = sorted(tails, key=lambda tail: tail.start)
    starts = [tail.start for tail in ordered]
    pairs = []
    for head in heads:
        at = bisect_left(starts, head.start)
        for tail in ordered[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]:
            spans = (head.start, head.end), (tail.start, tail.end)
            if spans[0] != spans[1] and spans not in taken:
                pairs.append((head, tail))
    return min(pairs, key=lambda pair: (gap(*pair), pair[0].start, pair[1].start), default=None)


def gap(one: Entity, other: Entity) -> int:
    """How many code points stand between two entities; 0 if they touch or overlap."""
    return max(one.start - other.end, other.start - one.end, 0)
