"""Endless repetition: what a translation model writes when it is caught in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

# A longer word is read letter by letter: it may be a loop without spaces, or a script without them.
_LONGEST_WORD = 24

# Loops that drift (he said that he said he said) repeat no stretch exactly, but hold few different pairs of words.
_DRIFT_WORDS = 20
_DRIFT_SHARE = 0.4


def find_loop(source: str, translation: str) -> str | None:
    """A stretch that a translation repeats on end, and its source does not.

    It takes four copies of a word, three of several words, or two of a whole clause; and twice the repetition that the
    source has, so that *no, no, no* may be said in any language.

    :param source: The text that was translated.
    :param translation: Its translation.
    :returns: What is repeated, or ``None``. The time taken is linear in the length of the texts.
    """
    units = _units(translation)
    repeated, stretch, variety = _repetition(units, strict=True)
    drifts = len(units) >= _DRIFT_WORDS and variety < _DRIFT_SHARE
    if not (repeated or drifts):
        return None
    in_source, _, source_variety = _repetition(_units(source), strict=False)
    if repeated > 2 * in_source:
        return stretch
    return " ".join(units[-3:]) if drifts and source_variety > 2 * variety else None


def _units(text: str) -> list[str]:
    units: list[str] = []
    for word in text.casefold().split():
        units.extend(word if len(word) > _LONGEST_WORD else (word,))
    return units


def _repetition(units: Sequence[str], *, strict: bool) -> tuple[int, str, float]:
    """The worst loop.

    A loop of period p begins with a pair of neighbours that stood p places before, and goes on as long as each unit is
    the same as the one p places before.

    :param units: Words and characters.
    :param strict: Count only what is surely a loop.
    :returns: How many characters repeat the stretch before them, that stretch, and the share of pairs of neighbours
        that are different from all before.
    """
    last: dict[tuple[str, str], int] = {}
    worst, stretch = 0, ""
    period = run = 0

    def weigh(end: int) -> None:
        nonlocal worst, stretch
        if not run or run + 1 < period:
            return
        once = sum(map(len, units[end - period : end]))
        copies = (run + 1) / period + 1
        repeated = round((copies - 1) * once)
        if repeated > worst and (not strict or _is_loop(period, copies, repeated)):
            worst, stretch = repeated, " ".join(units[end - period : end])

    for index, pair in enumerate(pairwise(units), start=1):
        distance = index - last.get(pair, index)
        last[pair] = index
        if run and units[index] == units[index - period]:
            run += 1
        else:
            weigh(index)
            period, run = distance, int(distance > 0)
    weigh(len(units))
    return worst, stretch, len(last) / max(1, len(units) - 1)


def _is_loop(period: int, copies: float, repeated: int) -> bool:
    return (
        (copies >= 4 and repeated >= 8)
        or (copies >= 3 and period >= 2 and repeated >= 12)
        or (copies >= 2 and period >= 6 and repeated >= 40)
    )
