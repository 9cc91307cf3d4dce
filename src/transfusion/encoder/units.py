"""Units: the smallest stretches of a text that get a label of their own.

A unit is a word, a single mark of punctuation, or, in scripts that write no spaces, a stretch that the vocabulary later
cuts into its pieces.  Units are found in the text as it was given, before anything is normalised, so the offsets of
every span that is built from them are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

_SPACELESS = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Tai_Le}\p{New_Tai_Lue}"
    r"\p{Tai_Tham}\p{Javanese}\p{Balinese}々〆ヶー"
)
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_SPACELESS}]]"
_APOSTROPHE = "['’ʼ‘]"
_UNIT = regex.compile(
    rf"(?P<spaceless>[[{_SPACELESS}]&&[\p{{L}}\p{{M}}\p{{N}}ー]][[{_SPACELESS}\p{{M}}]&&[\p{{L}}\p{{M}}\p{{N}}ー]]*)"
    # An apostrophe inside a word belongs to it (ng'ombe, n'Awka), but an English possessive (Ghana's) and a French
    # article (l'Afrique) are words of their own: a name must be able to begin and end beside them.
    rf"|(?<!{_LETTER})(?i:[cdjlmst]|(?:jus|lors|puis)?qu){_APOSTROPHE}(?={_LETTER}{{2}})"
    rf"|{_APOSTROPHE}(?i:s)(?!{_LETTER})"
    rf"|{_LETTER}+(?:{_APOSTROPHE}(?!(?i:s)(?!{_LETTER})){_LETTER}+)*"
    r"|\S",
    regex.VERSION1,
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of text.

    :param start: First code point.
    :param end: One past the last code point.
    :param spaced: Whether white space, or the start of the text, stands before it.
    :param divisible: Whether it belongs to a script without spaces, so that its pieces are labelled one by one.
    """

    start: int
    end: int
    spaced: bool
    divisible: bool


def split_units(text: str, *, spaceless: bool = False) -> list[Unit]:
    """Cut a text into units; every character that is not white space is in exactly one of them.

    :param text: Any text.
    :param spaceless: Whether to treat words of any script as those of scripts without spaces.
    :returns: Units in reading order.
    """
    units = []
    previous_end = -1
    for match in _UNIT.finditer(text):
        start, end = match.span()
        divisible = match["spaceless"] is not None or (spaceless and text[start].isalnum())
        units.append(Unit(start, end, start != previous_end, divisible))
        previous_end = end
    return units
