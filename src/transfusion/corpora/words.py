"""Where the words of a tokenised sentence stand in its natural text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

Span = tuple[int, int]
"""Start and end of a word in code points of the text."""

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″〝〞「」『』", '"'),
        **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)


def locate_words(text: str, words: Sequence[str]) -> list[Span | None]:
    """Find each word in the text, in order.

    First as it is written, with nothing but whitespace between words. Where that fails (another kind of quote, another
    Unicode normal form, a letter in one and not in the other), by the longest common run of characters; a word is then
    found only if each of its characters is.

    :param text: The natural text.
    :param words: Its words, in reading order.
    :returns: A span for every word, or ``None`` for one that the text does not hold.
    """
    exact = _locate_exactly(text, words)
    return list(exact) if exact is not None else _locate_loosely(text, words)


def _locate_exactly(text: str, words: Sequence[str]) -> list[Span] | None:
    spans: list[Span] = []
    position = 0
    for word in words:
        while position < len(text) and text[position].isspace() and not text.startswith(word, position):
            position += 1
        if not word or not text.startswith(word, position):
            return None
        spans.append((position, position + len(word)))
        position += len(word)
    return spans


def _locate_loosely(text: str, words: Sequence[str]) -> list[Span | None]:
    text_characters, text_places = _fold(text)
    word_characters: list[str] = []
    owners: list[int] = []
    for index, word in enumerate(words):
        characters, _ = _fold(word)
        word_characters += characters
        owners += [index] * len(characters)

    found: list[list[int]] = [[] for _ in words]
    # Without autojunk, or the letters of a long sentence would count as noise.
    for block in SequenceMatcher(None, text_characters, word_characters, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            found[owners[block.b + step]].append(text_places[block.a + step])

    lengths = [owners.count(index) for index in range(len(words))]
    return [
        (places[0], places[-1] + 1) if places and len(places) == length and _is_one_run(text, places) else None
        for places, length in zip(found, lengths, strict=True)
    ]


def _fold(text: str) -> tuple[list[str], list[int]]:
    """The characters of a text that matter for comparison, and the place each of them comes from."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character.translate(_FOLDED)).casefold():
            if not part.isspace():
                characters.append(part)
                places.append(place)
    return characters, places


def _is_one_run(text: str, places: Sequence[int]) -> bool:
    """Whether the places follow one another with nothing but whitespace between them."""
    return all(not text[before + 1 : after].strip() for before, after in pairwise(places))
