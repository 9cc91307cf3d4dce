"""A prompt and its answer on their way through a model: what is guessed, what is taken, what was right."""

from __future__ import annotations

from collections.abc import Collection

from transfusion.decoder.answer import Answer
from transfusion.decoder.head import Opinions
from transfusion.decoder.lookup import Acceptance, History
from transfusion.decoder.matching import Matcher

_MOST_GUESSES = 16


class Row:
    """A prompt on its way through the model.

    :param index: Which prompt it is.
    :param pending: Its tokens that the model has not read.
    :param room: Most tokens of its answer.
    :param answer: Its answer so far.
    :param history: What guesses are copied from; ``None`` for no guesses.
    :param matcher: What the answer is held to; ``None`` for a free answer.
    """

    def __init__(
        self,
        *,
        index: int,
        pending: list[int],
        room: int,
        answer: Answer,
        history: History | None,
        matcher: Matcher | None,
    ) -> None:
        self.index = index
        self.pending = pending
        self.room = room
        self.answer = answer
        self.slot = 0
        self.read = 0
        self.load = len(pending)
        self.done = False
        self.guessed: list[int] = []
        self._copied: tuple[int, int] = (0, 0)
        self._history = history
        self._matcher = matcher

    def guess(self, acceptance: Acceptance, worth: float) -> None:
        """Guess what the answer goes on with, into ``guessed``.

        :param acceptance: How often guesses are right.
        :param worth: How probable it has to be that a guess and all before it are right.
        """
        most = min(_MOST_GUESSES, self.room - len(self.answer.ids) - 1)
        forced = self._follow(self._matcher.forced()[:most]) if self._matcher else []
        copied: list[int] = []
        if self._history is not None and not forced:
            copied, matched = self._history.guess(acceptance, most=most, worth=worth)
            copied = self._follow(copied)
            self._copied = matched, len(copied)
        self.guessed = forced or copied
        if self._matcher:
            self._matcher.rollback(len(self.guessed))

    def _follow(self, tokens: list[int]) -> list[int]:
        """As many of the tokens as the constraint allows; it has accepted them."""
        if self._matcher is None:
            return tokens
        for count, token in enumerate(tokens):
            if not self._matcher.accept(token):
                return tokens[:count]
        return tokens

    def skip(self, count: int) -> None:
        """The model has read some of the prompt.

        :param count: How many tokens.
        """
        del self.pending[:count]
        self.read += count

    def take(self, opinions: Opinions, first: int, ends: Collection[int], acceptance: Acceptance) -> int:
        """Go on with what the model would write.

        :param opinions: What the model thinks of many rows.
        :param first: The place after the last token of this row's prompt and answer; that after each guess follows.
        :param ends: Tokens that end a text.
        :param acceptance: Learns whether guesses were right.
        :returns: How many tokens the answer has got.
        """
        taken: list[int] = []
        for place in range(len(self.guessed) + 1):
            chosen = self._best(opinions, first + place)
            self.done = chosen is None or chosen in ends
            if chosen is None or self.done:
                break
            self.answer.add(chosen)
            taken.append(chosen)
            self.done = self.answer.finished or len(self.answer.ids) >= self.room
            if self.done or self.guessed[place : place + 1] != [chosen]:
                break
        self._learn(taken, acceptance)
        if taken:
            # The last one has not been through the model, and what was guessed after it is written over.
            self.read += len(self.pending) + len(taken) - 1
            self.pending = taken[-1:]
            if self._history is not None:
                self._history.extend(taken)
        return len(taken)

    def _best(self, opinions: Opinions, place: int) -> int | None:
        """The most probable token that the constraint allows, which accepts it; ``None`` if there is none."""
        token = opinions.best[place]
        if self._matcher is None:
            return token
        if self._matcher.finished():
            return None
        if self._matcher.accept(token):
            return token
        allowed = opinions.best_allowed(place, self._matcher.mask())
        return allowed if allowed is not None and self._matcher.accept(allowed) else None

    def _learn(self, taken: list[int], acceptance: Acceptance) -> None:
        matched, guessed = self._copied
        confirmed = next(
            (i for i, pair in enumerate(zip(taken, self.guessed, strict=False)) if pair[0] != pair[1]), None
        )
        if guessed:
            confirmed = min(len(taken), guessed) if confirmed is None else confirmed
            acceptance.record(matched, guessed=guessed, confirmed=confirmed)
            self._copied = 0, 0
