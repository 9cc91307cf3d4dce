"""Guessing what an answer goes on with: it copies from its prompt, and its items look alike.

The last tokens are looked for further up, and what followed them there is guessed to follow again (Saxena, *Prompt
Lookup Decoding*, 2023; Yang et al., *Inference with Reference*, 2023).  A guess that the model does not confirm costs
time and changes nothing, so only what will probably be confirmed is guessed: how probable that is, is learnt during
the run.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 32
"""Matches are not followed further back than so many tokens."""
_PLACES = 24
"""So many places, the newest first, are tried for the longest match."""
_BREAK = -1
"""Stands between texts that do not follow one another; no token."""


class Acceptance:
    """How often a guess is confirmed, by how many tokens before it agreed with where it was copied from."""

    def __init__(self) -> None:
        self._confirmed = [0.0, 1.0, 2.0, *[3.5] * (_LONGEST - 2)]
        self._tried = [1.0, 3.0, 4.0, *[4.0] * (_LONGEST - 2)]

    def rate(self, matched: int) -> float:
        """The share of guesses that were confirmed after so many tokens in agreement."""
        place = min(matched, _LONGEST)
        return self._confirmed[place] / self._tried[place]

    def record(self, matched: int, *, guessed: int, confirmed: int) -> None:
        """Learn from a guess.

        :param matched: Tokens in agreement before it.
        :param guessed: How many tokens it had.
        :param confirmed: How many of them were right, up to the first that was wrong.
        """
        for place in range(matched, matched + min(guessed, confirmed + 1)):
            self._tried[min(place, _LONGEST)] += 1
            self._confirmed[min(place, _LONGEST)] += place < matched + confirmed


class History:
    """The tokens of a prompt and of its answer so far, to copy from.

    :param texts: Tokens that may be copied, the least telling first; each stands for itself.
    """

    def __init__(self, texts: Iterable[Iterable[int]]) -> None:
        self._tokens: list[int] = [_BREAK]
        self._after: dict[int, int] = {}
        self._after_pair: dict[tuple[int, int], list[int]] = {}
        for text in texts:
            self._tokens.append(_BREAK)
            self.extend(text)

    def extend(self, tokens: Iterable[int]) -> None:
        """The text goes on with these tokens."""
        known = self._tokens
        for token in tokens:
            # A place is entered when it is known what follows there.
            self._after[known[-1]] = len(known)
            self._after_pair.setdefault((known[-2], known[-1]), []).append(len(known))
            known.append(token)

    def guess(self, acceptance: Acceptance, *, most: int, worth: float) -> tuple[list[int], int]:
        """What may come next.

        :param acceptance: How often guesses are confirmed.
        :param most: How many tokens at most.
        :param worth: How probable it has to be that all tokens up to the last are confirmed.
        :returns: The tokens, none if there is nothing to copy, and how many tokens before them agreed.
        """
        place, matched = self._longest_match()
        tokens: list[int] = []
        probability = 1.0
        while matched and len(tokens) < most and place < len(self._tokens):
            probability *= acceptance.rate(matched + len(tokens))
            if probability < worth or self._tokens[place] == _BREAK:
                break
            tokens.append(self._tokens[place])
            place += 1
        return tokens, matched

    def _longest_match(self) -> tuple[int, int]:
        known = self._tokens
        best, longest = self._after.get(known[-1], 0), 0
        if not best:
            return 0, 0
        longest = 1
        for place in self._after_pair.get((known[-2], known[-1]), [])[: -_PLACES - 1 : -1]:
            matched = 2
            while matched < _LONGEST and known[place - matched - 1] == known[-matched - 1] != _BREAK:
                matched += 1
            if matched > longest:
                best, longest = place, matched
                if longest == _LONGEST:
                    break
        return best, longest
