"""Breaking translations on purpose: words dropped, moved, replaced by others or said again and again.

A fusion model learns from broken translations when not to believe one, and is measured on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal, get_args

from transfusion.document import AnnotatedText, Entity

Damage = Literal["drop", "shuffle", "replace", "repeat"]
"""What happens to words.

``drop``: they are left out; ``shuffle``: they change places; ``replace``: words of other texts stand in their place;
``repeat``: the end is said over and over, as a decoder does that is caught in a loop.
"""

KINDS: tuple[Damage, ...] = get_args(Damage)

_WORD = re.compile(r"\S+")
_REPEATED_WORDS = 3


def damaged(
    text: AnnotatedText, kind: Damage, share: float, random: Random, strangers: Sequence[str] = ()
) -> AnnotatedText:
    """A text with some of its words broken.

    Entities go with their words: one that is torn apart becomes several, and one whose words are gone is gone.

    :param text: The text; words are what stands between white space.
    :param kind: What happens to words.
    :param share: Share of the words that it happens to, 0 to 1.
    :param random: Where chance comes from.
    :param strangers: Words to put in the place of others; needed for ``replace``.
    :returns: The text with one space between words; itself if nothing was to be done.
    :raises ValueError: If ``share`` is no share, or there are no words to replace others by.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, not {share}")
    if kind == "replace" and not strangers:
        raise ValueError("words can be replaced only by other words: strangers is empty")
    words = [found.span() for found in _WORD.finditer(text.text)]
    chosen = set(random.sample(range(len(words)), round(share * len(words))))
    if not chosen:
        return text
    order: list[int | str] = [*range(len(words))]
    if kind == "drop":
        order = [index for index in order if index not in chosen]
    elif kind == "replace":
        order = [random.choice(strangers) if index in chosen else index for index in order]
    elif kind == "shuffle":
        places = sorted(chosen)
        for place, index in zip(places, random.sample(places, len(places)), strict=True):
            order[place] = index
    else:
        order += order[-_REPEATED_WORDS:] * -(-len(chosen) // _REPEATED_WORDS)
    return _rebuilt(text, words, order)


def _rebuilt(text: AnnotatedText, words: Sequence[tuple[int, int]], order: Sequence[int | str]) -> AnnotatedText:
    """The text of the words in a new order; strings are words of other texts."""
    strings = [word if isinstance(word, str) else text.text[slice(*words[word])] for word in order]
    starts = [0]
    for string in strings:
        starts.append(starts[-1] + len(string) + 1)
    entities = []
    for entity in text.entities:
        inside = {i for i, (start, end) in enumerate(words) if start < entity.end and entity.start < end}
        for first, last in _runs([isinstance(word, int) and word in inside for word in order]):
            begins, ends = words[_index(order[first])], words[_index(order[last])]
            start = starts[first] + max(0, entity.start - begins[0])
            end = starts[last] + min(ends[1], entity.end) - ends[0]
            if start < end:
                entities.append(Entity(start, end, entity.label, entity.score, entity.match))
    return AnnotatedText(" ".join(strings), text.language).with_entities(tuple(entities))


def _index(word: int | str) -> int:
    assert isinstance(word, int)
    return word


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and last index of each row of true flags."""
    first = None
    for index, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = index
        elif not flag and first is not None:
            yield first, index - 1
            first = None
