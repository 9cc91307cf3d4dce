"""Which stretches of a text a decoder may copy, and how they stand between quotes.

A mention begins and ends where a reader could cut: between words and marks; in scripts that write no spaces, and in
Hangul, where particles are written onto names, between characters as readers see them (grapheme clusters).
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

# Line_Break tells scripts without spaces by what they need: SA a dictionary (Thai, Khmer, Myanmar), ID and CJ none.
_FREELY_CUT = r"\p{LB=SA}\p{LB=ID}\p{LB=CJ}\p{Javanese}\p{Balinese}\p{Hangul}"
# A word takes whole clusters, so what joins letters without being one (U+200C in می‌خواهم) stays inside.
_CHUNK = regex.compile(rf"\s+|(?:(?=[[\p{{L}}\p{{M}}\p{{N}}_]--[{_FREELY_CUT}]])\X)++|\X", regex.VERSION1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of text that is copied whole or not at all.

    :param text: Its text; never white space alone.
    :param gap: The white space between it and the next chunk.
    """

    text: str
    gap: str


def split_chunks(text: str) -> list[Chunk]:
    """Cut a text into words, marks and, where no spaces tell words, characters.

    Every string of consecutive chunks, the gaps between them kept, is a substring of the text.

    :param text: Any text.
    :returns: The chunks in reading order; none for a text of white space.
    """
    pieces = _CHUNK.findall(text)
    return [
        Chunk(piece, following if following.isspace() else "")
        for piece, following in zip(pieces, [*pieces[1:], ""], strict=True)
        if not piece.isspace()
    ]


def escape(text: str, quote: str) -> str:
    """What stands for a text between quotes in Python source as ``repr`` writes it.

    The escaped form of two texts is that of their concatenation.

    :param text: Any text, lone surrogates included.
    :param quote: The quotation mark it stands between, ``"`` or ``'``.
    :returns: The text, printable and on one line.
    """
    # Beside a double quote, repr takes single ones, and so writes only those with a backslash.
    body = repr('"' + text)[2:-1]
    return body if quote == "'" else body.replace("\\'", "'").replace('"', '\\"')
