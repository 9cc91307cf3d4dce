"""Branch and bound over the places that a pair of marks can take in a text.

A mark is put into a text by scoring the text with the mark in it, and two facts about log-probabilities say, before
that is done, how good the result can be at best:

- what follows a mark adds at most 0, so what comes before it is a bound;
- the probabilities of what can come next add up to 1.  Where the model is all but sure of the token that stands there
  now, a mark in its place is improbable, and by how much at least is known without asking for it.

An opening mark is scored alone; its text bounds every closing mark after it.  Places that cannot beat the best found
are never scored.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate

# Scores of one text in two batches differ by rounding; a place is given up only if it is worse by more than that.
_ROUNDING = 1e-3
# Single precision cannot tell a probability nearer to 1 from 1.
_LEAST_DOUBT = 1e-7


class ScoredText:
    """A text and how probable a model finds it, token by token.

    :param text: The text.
    :param tokens: Start, end and log-probability of each token, in order; what ends the text comes last.
    """

    def __init__(self, text: str, tokens: Sequence[tuple[int, int, float]]) -> None:
        self.text = text
        self._ends = list(accumulate((end for _, end, _ in tokens), max))
        self._before = list(accumulate((logp for *_, logp in tokens), initial=0.0))
        self._after = list(accumulate((logp for *_, logp in reversed(tokens)), initial=0.0))[::-1]
        self._otherwise = [math.log(max(_LEAST_DOUBT, -math.expm1(logp))) for *_, logp in tokens]

    @property
    def log_probability(self) -> float:
        """Of the whole text."""
        return self._before[-1]

    def following(self, place: int) -> float:
        """Log-probability of the token that stands at a place and of all after it."""
        return self._after[self._token_at(place)]

    def with_mark(self, place: int, *, certain: bool) -> float:
        """The highest log-probability that the text up to a place can have together with a mark put there.

        :param place: Where the mark is put.
        :param certain: Whether to allow for a mark that changes how the word before it is cut into tokens.  Then the
            value is a bound for every model whose tokens do not depend on what follows the next white space;
            otherwise it is a better guess.
        :returns: The bound, at most 0.
        """
        there = self._token_at(place)
        first = there
        if certain:
            settled = self._settled(place)
            first = min(there, bisect_right(self._ends, settled)) if settled else 0
        # The first token that differs is one of these, and it is not the one that stands there now.
        return max(self._before[index] + self._otherwise[index] for index in range(first, there + 1))

    def _token_at(self, place: int) -> int:
        return min(bisect_right(self._ends, place), len(self._ends) - 1)

    def _settled(self, place: int) -> int:
        """The end of the last word that is over, white space and all, before a place."""
        head = self.text[:place]
        while head and not head[-1].isspace():
            head = head[:-1]
        return len(head.rstrip())


@dataclass(frozen=True, slots=True)
class Home:
    """A place for a span.

    :param start: First code point, in the text without marks.
    :param end: One past the last.
    :param log_probability: Of the text with the marks there.
    """

    start: int
    end: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    :param homes: The most probable first.
    :param scored: How many texts were scored.
    :param complete: Whether no place was left that could have been better; false if the budget ran out.
    """

    homes: tuple[Home, ...]
    scored: int
    complete: bool


@dataclass(frozen=True, slots=True, order=True)
class _Node:
    """Marks to try: the opening alone, or both."""

    hope: float  # the log-probability expected at best, negated: the heap gives the smallest first
    start: int
    end: int  # -1 for an opening alone
    bound: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class MarkSearch:
    """Finds the most probable places for one pair of marks.

    :param text: The text without marks.
    :param marks: Opening and closing mark.
    :param openings: Where the opening mark may stand, in order.
    :param closings: Where the closing mark may stand, in order.
    :param score: Scores texts with marks, given the other text with its marks.
    :param unmarked: The text without marks, given the other text with its marks.
    :param plain: The text without marks, given the other text without: what the model thinks of the words themselves.
    :param slack: By how much (natural logarithm) marks are taken to raise the log-probability of what follows them, at
        most.  ``None`` takes nothing for granted: the search is exact and scores many more texts.
    :param keep: How many places to find.
    :param budget: How many texts to score at most.
    :param batch_size: How many texts to score at once.
    """

    text: str
    marks: tuple[str, str]
    openings: Sequence[int]
    closings: Sequence[int]
    score: Callable[[list[str]], list[ScoredText]]
    unmarked: ScoredText
    plain: ScoredText
    slack: float | None
    keep: int
    budget: int
    batch_size: int

    def run(self) -> Found:
        """Search, the most hopeful places first.

        :returns: The best places: all of them, or those found when the budget ran out.
        """
        heap: list[_Node] = []
        best: list[tuple[float, int, int]] = []  # log-probability negated, start, end
        scored = 0
        for start in self.openings:
            heappush(heap, self._node(self.unmarked, start, start, -1))
        while heap and scored < self.budget:
            batch: list[_Node] = []
            while heap and len(batch) < min(self.batch_size, self.budget - scored):
                node = heappop(heap)
                if self._can_win(node, best):
                    batch.append(node)
            scored += len(batch)
            texts = self.score([self._marked(node) for node in batch]) if batch else []
            for node, text in zip(batch, texts, strict=True):
                if node.end < 0:
                    for child in self._closings_of(node, text):
                        heappush(heap, child)
                else:
                    insort(best, (-text.log_probability, node.start, node.end))
                    del best[self.keep :]
        complete = not any(self._can_win(node, best) for node in heap)
        return Found(tuple(Home(start, end, -negated) for negated, start, end in best), scored, complete)

    def _closings_of(self, node: _Node, opened: ScoredText) -> Iterator[_Node]:
        for end in self.closings[bisect_right(self.closings, node.start) :]:
            yield self._node(opened, end + len(self.marks[0]), node.start, end)

    def _node(self, before: ScoredText, place: int, start: int, end: int) -> _Node:
        """The node of one more mark.

        :param before: The text with the marks so far.
        :param place: Where the new mark is put, counted in that text.
        :param start: First code point of the span.
        :param end: One past its last; -1 if not yet known.
        :returns: The node.
        """
        following = self.plain.following(start if end < 0 else end)
        guess = before.with_mark(place, certain=False)
        if self.slack is None:
            bound = before.with_mark(place, certain=True)
        else:
            bound = guess + min(0.0, following + self.slack)
        return _Node(-(guess + following), start, end, bound)

    def _can_win(self, node: _Node, best: Sequence[tuple[float, int, int]]) -> bool:
        return len(best) < self.keep or node.bound > -best[-1][0] - _ROUNDING

    def _marked(self, node: _Node) -> str:
        if node.end < 0:
            return self.text[: node.start] + self.marks[0] + self.text[node.start :]
        return mark(self.text, node.start, node.end, self.marks)


def mark(text: str, start: int, end: int, marks: tuple[str, str]) -> str:
    """Put marks round a span of a text."""
    return text[:start] + marks[0] + text[start:end] + marks[1] + text[end:]
