"""What a text consists of, for signs that a translation went wrong: its size, its script and its common words.

Names are kept apart from common words, because names stay what they are in a good translation, in any language.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import regex

# Characters that a script needs for what takes an alphabet one letter, roughly: a Chinese character is worth three.
# Vowel signs are no letters, so that abugidas count for a little more than the letters that they show.
_DENSITY = {
    3.0: r"\p{Han}",
    2.0: r"[\p{Hiragana}\p{Katakana}\p{Hangul}]",
    1.7: r"[\p{Ethiopic}\p{Yi}\p{Canadian_Aboriginal}\p{Vai}]",
    1.4: r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Devanagari}\p{Bengali}\p{Gujarati}\p{Gurmukhi}\p{Kannada}"
    r"\p{Malayalam}\p{Oriya}\p{Sinhala}\p{Tamil}\p{Telugu}]",
    1.0: r"[\p{L}\p{Nd}]",
}
_DENSITY_OF = [(weight, regex.compile(pattern)) for weight, pattern in _DENSITY.items()]

# ISO 15924 codes of mixed scripts. Bopomofo stands between Chinese characters in dictionaries only.
_MIXED = {
    "Hans": ("Hani", "Bopo"),
    "Hant": ("Hani", "Bopo"),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
    "Hang": ("Hang", "Hani"),
}

_ADDRESS = regex.compile(r"(?:https?:|www\.|pic\.twitter\.)\S++|[@#]\w++|(?<![\w.+-])[\w.+-]++@[\w.-]++")
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’]*+")


def size(text: str) -> float:
    """How much a text says: letters and digits, weighted by how densely their script is written.

    :param text: Any text.
    :returns: The size in letters of an alphabet.
    """
    return sum(count * _density(character) for character, count in Counter(text).items())


def foreign_share(text: str, script: str) -> float:
    """Which share of the letters is not of a script.

    :param text: Any text.
    :param script: ISO 15924 code.
    :returns: A share between 0 and 1 by size; 0 for a text without letters or an unknown script.
    """
    total = foreign = 0.0
    for character, count in Counter(text).items():
        if character.isalpha() and not (script == "Latn" and character.isascii()):
            foreign += 0 if _is_of(character, script) else count * _density(character)
        if character.isalpha():
            total += count * _density(character)
    return foreign / total if total else 0.0


def without_addresses(text: str) -> str:
    """The text without web and mail addresses, hashtags and user names, which nobody translates."""
    return _ADDRESS.sub(" ", text) if any(mark in text for mark in ("://", "www.", "@", "#", "pic.")) else text


def words(text: str) -> list[str]:
    """The words of a text, as written; numbers and addresses are none."""
    return _WORD.findall(without_addresses(text))


def common_words(all_words: list[str]) -> list[str]:
    """Those words that are no names: written small, or in a script without capitals.

    :param all_words: Words of a text.
    :returns: The common ones in lower case, in order; all of them if everything is written in capitals.
    """
    if all(word.isupper() for word in all_words):
        return [word.lower() for word in all_words]
    return [word for word in all_words if not word[0].isupper()]


@lru_cache(maxsize=1 << 14)
def _density(character: str) -> float:
    if character.isascii():
        return float(character.isalnum())
    return next((weight for weight, pattern in _DENSITY_OF if pattern.match(character)), 0.0)


@lru_cache(maxsize=1 << 14)
def _is_of(character: str, script: str) -> bool:
    pattern = _script_pattern(script)
    return pattern is None or pattern.match(character) is not None


@lru_cache(maxsize=256)
def _script_pattern(script: str) -> regex.Pattern[str] | None:
    """Letters of a script, and those that belong to no script in particular; ``None`` for an unknown script."""
    names = "".join(rf"\p{{Script={name}}}" for name in _MIXED.get(script, (script,)))
    try:
        return regex.compile(rf"[{names}\p{{Script=Zyyy}}\p{{Script=Zinh}}]")
    except regex.error:
        return None
