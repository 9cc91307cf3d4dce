"""Where a mention may begin and end: between characters as readers see them, and between words."""

from __future__ import annotations

from functools import lru_cache

import regex

# Line_Break tells scripts without spaces by what they need: SA a dictionary (Thai, Khmer, Myanmar), ID and CJ none.
_SPACELESS = regex.compile(r"[\p{LB=SA}\p{LB=ID}\p{LB=CJ}\p{Javanese}\p{Balinese}--\p{Hangul}]", regex.VERSION1)
# The apostrophe of ʼ is a letter to Unicode; beside it a name must be able to begin and end, as beside the others.
# Joiners and soft hyphens (می‌خواهم is one word) are none, but are part of words.
_WORD_CHARACTER = regex.compile(r"[\p{L}\p{M}\p{N}_\u200c\u200d\u00ad--ʼ]", regex.VERSION1)
_GRAPHEME = regex.compile(r"\X")
_JOINER = regex.compile(r"[\P{GCB=Other}--\p{GCB=Control}--\p{GCB=CR}--\p{GCB=LF}]", regex.VERSION1)
_FLAG_HALF = regex.compile(r"\p{GCB=Regional_Indicator}")
_LINK = regex.compile(r"[\p{GCB=Extend}\p{GCB=ZWJ}]")
_CONSONANT = regex.compile(r"\p{InCB=Consonant}")
_LINKED = regex.compile(r"[\p{Extended_Pictographic}\p{InCB=Consonant}]")
# What must stand before a code point that depends on more than its neighbour, read backwards from there: rules GB9c,
# GB11 and GB12 of Unicode's Annex 29, as ``\X`` of the regex library has them (a linker joins without a first
# consonant too).
_LINKER = regex.compile(r"\p{InCB=Linker}")
_LINKS_BEHIND = regex.compile(r"(?r)[\p{InCB=Extend}\p{InCB=Linker}]*+")
_JOINED_EMOJI_BEHIND = regex.compile(r"(?r)\p{Extended_Pictographic}\p{GCB=Extend}*+\p{GCB=ZWJ}")
_FLAG_HALVES_BEHIND = regex.compile(r"(?r)\p{GCB=Regional_Indicator}*+")


def may_begin(text: str, position: int) -> bool:
    """Whether a mention may begin at a place of a text.

    :param text: The text.
    :param position: A place, in code points.
    :returns: Whether a word begins there. In scripts that write no spaces, any character may begin a mention.
    """
    return not _inside_word(text, position) and between_clusters(text, position)


def may_end(text: str, position: int) -> bool:
    """Whether a mention may end before a place of a text.

    :param text: The text.
    :param position: A place, in code points.
    :returns: Whether a word ends there. In scripts that write no spaces, any character may end a mention; also in
        Korean, which writes particles behind a name without a space.
    """
    inside = _inside_word(text, position) and not _is_hangul(text[position - 1 : position + 1])
    return not inside and between_clusters(text, position)


def between_clusters(text: str, position: int) -> bool:
    """Whether a place of a text is not in the middle of a character as readers see it (a grapheme cluster).

    :param text: The text.
    :param position: A place, in code points.
    :returns: Whether a cluster ends and another begins there.
    """
    if not 0 < position < len(text):
        return True
    certain = _breaks(text[position - 1], text[position])
    if certain is not None:
        return certain
    if _FLAG_HALF.match(text, position):  # two and two make a flag
        return (position - _first(_FLAG_HALVES_BEHIND, text, position)) % 2 == 0
    if _CONSONANT.match(text, position):
        return _LINKER.search(text, _first(_LINKS_BEHIND, text, position), position) is None
    return _JOINED_EMOJI_BEHIND.match(text, 0, position) is None


def word_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch, and what belongs to the words at its ends.

    :param text: The text.
    :param start: First code point of the stretch.
    :param end: One past its last.
    :returns: Where the words begin and end, or a place more than the length of the stretch away from it: what is longer
        is another word altogether.
    """
    far = end - start + 1
    first, last = start - far, end + far
    while start > first and _inside_word(text, start):
        start -= 1
    while end < last and _inside_word(text, end):
        end += 1
    return start, end


def joins_others(character: str) -> bool:
    """Whether a code point can make one character with those beside it, as accents, vowel signs and emoji do."""
    return _JOINER.match(character) is not None


@lru_cache(maxsize=1 << 14)
def is_word_character(character: str) -> bool:
    """Whether a code point is a letter, a digit, or a sign that belongs to one."""
    return _WORD_CHARACTER.match(character) is not None


def _inside_word(text: str, position: int) -> bool:
    return 0 < position < len(text) and _continues_word(text[position - 1], text[position])


@lru_cache(maxsize=1 << 16)
def _continues_word(before: str, after: str) -> bool:
    if before.isascii() and after.isascii():
        return (before.isalnum() or before == "_") and (after.isalnum() or after == "_")
    return all(_WORD_CHARACTER.match(one) and not _SPACELESS.match(one) for one in (before, after))


@lru_cache(maxsize=1 << 14)
def _is_hangul(characters: str) -> bool:
    return regex.fullmatch(r"\p{Hangul}+", characters) is not None


def _first(behind: regex.Pattern[str], text: str, position: int) -> int:
    """Where a row that ends at a place begins, read backwards."""
    row = behind.match(text, 0, position)
    return position if row is None else row.start()


@lru_cache(maxsize=1 << 16)
def _breaks(before: str, after: str) -> bool | None:
    """Whether a cluster ends between two code points; ``None`` where that depends on what stands before them."""
    if before.isascii() and after.isascii():
        return before + after != "\r\n"
    if len(_GRAPHEME.findall(before + after)) == 1:
        return None if _FLAG_HALF.match(before) and _FLAG_HALF.match(after) else False
    return None if _LINK.match(before) and _LINKED.match(after) else True
