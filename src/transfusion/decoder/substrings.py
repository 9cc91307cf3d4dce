"""Which stretches of a text a decoder may copy, and how they stand between quotes.

They are those that grounding takes for words and their like (:mod:`~transfusion.decoder.boundaries`), so that it finds
what was copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from transfusion.decoder.boundaries import may_begin, may_end


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of text that is copied whole or not at all.

    :param text: Its text; never white space alone.
    :param gap: The white space between it and the next chunk.
    :param begins: Whether a mention may begin with it.
    """

    text: str
    gap: str
    begins: bool = True


def split_chunks(text: str) -> list[Chunk]:
    """Cut a text wherever a mention may begin or end.

    Every string of consecutive chunks, the gaps between them kept, is a substring of the text.

    :param text: Any text.
    :returns: The chunks in reading order; none for a text of white space.
    """
    chunks: list[Chunk] = []
    cuts = [place for place in range(1, len(text)) if may_end(text, place)]
    for start, end in pairwise([0, *cuts, len(text)] if text else []):
        piece = text[start:end]
        if piece.isspace():
            if chunks:
                last = chunks[-1]
                chunks[-1] = Chunk(last.text, last.gap + piece, last.begins)
        else:
            chunks.append(Chunk(piece, "", may_begin(text, start)))
    return chunks


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
