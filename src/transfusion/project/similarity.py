"""How alike two names are, as they are spelt and as they sound.

Names survive translation letter by letter more often than any other word, but languages write them by ear: Cameroun is
Kaməlûm in Ghomala', Budapest is Bidapɛsiti in Bambara.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache

_PLAIN_LETTERS = str.maketrans("ɔɛəŋɓɗƙʉɩʋɣɖƒɲʼ", "oeenbdkuivgdfn'")
_SOUNDS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("ou", "u"),
        ("ph", "f"),
        ("[ck]h", "k"),
        ("c(?=[eiy])", "s"),
        ("[cq]", "k"),
        ("[yj]", "i"),
        ("w", "u"),
        ("l", "r"),
        ("z", "s"),
        (r"(.)\1+", r"\1"),
    )
]


def spelling_similarity(one: str, other: str) -> float:
    """Dice coefficient of the bigrams of two strings, of their letters or of their sounds, whichever is larger.

    Case, accents, spaces and punctuation do not count.

    :param one: A word or several.
    :param other: Another.
    :returns: 0 for nothing in common, or no letters at all; 1 for the same letters or sounds.
    """
    spelt, sounds = _bigrams(one)
    other_spelt, other_sounds = _bigrams(other)
    return max(_dice(spelt, other_spelt), _dice(sounds, other_sounds))


def phrase_similarity(one: str, other: str) -> float:
    """How alike two strings of one or several words are: bigrams or the longest common runs, whichever says more.

    Bigrams know a name that is spelt by ear; runs know that half a name is not the whole (``difflib``).

    :param one: A string.
    :param other: Another.
    :returns: 0 for nothing in common; 1 for the same letters.
    """
    bigrams = spelling_similarity(one, other)
    runs = SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False)
    if min(runs.real_quick_ratio(), runs.quick_ratio()) <= bigrams:
        return bigrams
    return max(bigrams, runs.ratio())


def _dice(one: Counter[str], other: Counter[str]) -> float:
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0


@lru_cache(maxsize=50_000)
def _bigrams(word: str) -> tuple[Counter[str], Counter[str]]:
    """Bigrams of a word as it is spelt, and roughly as it sounds."""
    decomposed = unicodedata.normalize("NFKD", word.casefold().translate(_PLAIN_LETTERS))
    letters = "".join(character for character in decomposed if character.isalnum())
    return _count_bigrams(letters), _count_bigrams(_sound(letters))


def _sound(letters: str) -> str:
    """Letters that different orthographies use for one sound made the same, doubled ones single."""
    for pattern, replacement in _SOUNDS:
        letters = pattern.sub(replacement, letters)
    return letters


def _count_bigrams(letters: str) -> Counter[str]:
    padded = f"^{letters}$"
    return Counter(padded[index : index + 2] for index in range(len(padded) - 1)) if letters else Counter()
