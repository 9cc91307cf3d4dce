"""A text without what spelling may vary in, and the way back to its code points.

Folded are case, Unicode normal forms, accents and vowel points, white space, invisible characters, and the shapes of
quotation marks and dashes. A character as readers see it (a grapheme cluster) is folded as a whole, and a stretch of
the folded text that would cut one in two stands for no stretch of the text.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import regex

from transfusion.decoder.boundaries import between_clusters, is_word_character, joins_others
from transfusion.segment import Piece, split_graphemes

# Accents, the vowel points of Arabic and Hebrew, tatweel. Vowel signs of Indic scripts are letters: they stay.
_ACCENTS = (
    r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    r"\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
)
_INVISIBLE = r"\p{Cf}\p{Default_Ignorable_Code_Point}"
_LEFT_OUT = regex.compile(rf"[\s{_INVISIBLE}{_ACCENTS}]+")
_UNSEEN = regex.compile(rf"[{_INVISIBLE}]+")
_SHAPES = str.maketrans(
    {
        **dict.fromkeys("’‘‚‛`´′ʼʹʻ‹›＇", "'"),
        **dict.fromkeys("“”„‟«»″〝〞＂", '"'),
        **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    }
)


class FoldedText:
    """A text, folded.

    :param text: Any text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        characters = sorted(set(text))
        distinct = np.array([ord(character) for character in characters], np.uint32)
        kinds = np.searchsorted(distinct, points)
        folds = [_fold_cluster(character) for character in characters]
        # Almost every character stands for itself: those are translated at once. One that folds to several, or that
        # may be part of its neighbour, is looked at together with its neighbours.
        special = np.array([len(fold) > 1 or joins_others(c) for c, fold in zip(characters, folds, strict=True)], bool)
        counts = np.array([len(fold) for fold in folds], np.int64)[kinds]
        ends = np.arange(1, len(points) + 1, dtype=np.int64)
        table = dict(zip(distinct.tolist(), folds, strict=True))
        parts: list[str] = []
        done = 0
        for start, end in _regions(special[kinds]):
            parts.append(text[done:start].translate(table))
            for cluster in split_graphemes(text, Piece(start, end)):
                fold = _fold_cluster(text[cluster.start : cluster.end])
                parts.append(fold)
                counts[cluster.start : cluster.end] = 0
                counts[cluster.start] = len(fold)
                ends[cluster.start] = cluster.end
            done = end
        parts.append(text[done:].translate(table))
        self.folded = "".join(parts)
        # Of each folded character: where the cluster that it comes from begins and ends.
        self._starts = memoryview(np.repeat(np.arange(len(points), dtype=np.int64), counts).tobytes()).cast("q")
        self._ends = memoryview(np.repeat(ends, counts).tobytes()).cast("q")

    def stretch(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a stretch of the folded text stands in the text.

        What was left out at its ends is part of it if it is part of a word, as a last tatweel is.

        :param start: First folded character.
        :param end: One past the last.
        :returns: First code point and one past the last; ``None`` if the stretch cuts a cluster in two.
        """
        text, starts, ends = self._text, self._starts, self._ends
        if start > 0 and starts[start] == starts[start - 1]:
            return None
        if end < len(starts) and starts[end] == starts[end - 1]:
            return None
        earliest, latest = ends[start - 1] if start else 0, starts[end] if end < len(starts) else len(text)
        first, last = starts[start], ends[end - 1]
        for place in range(first - 1, earliest - 1, -1):
            if not is_word_character(text[place]):
                break
            first = place if between_clusters(text, place) else first
        for place in range(last, latest):
            if not is_word_character(text[place]):
                break
            last = place + 1 if between_clusters(text, place + 1) else last
        return first, last


@lru_cache(maxsize=4096)
def fold(string: str) -> str:
    """A string, folded as texts are.

    :param string: Any string.
    :returns: What to look for in a folded text.
    """
    if string.isascii():
        return "".join(string.split()).lower().translate(_SHAPES)
    return FoldedText(string).folded


def without_case(string: str) -> str:
    """A string in small letters, the dotted and dotless ones of Turkish alike.

    :param string: Any string.
    :returns: The string; its length may differ.
    """
    return string.casefold().replace("i\u0307", "i").replace("ı", "i")


def normalised(string: str) -> str:
    """A string in small letters, in normal form NFKC, without invisible characters.

    :param string: Any string.
    :returns: The string; its length may differ.
    """
    visible = _UNSEEN.sub("", unicodedata.normalize("NFKC", string))
    return unicodedata.normalize("NFKC", without_case(visible))


@lru_cache(maxsize=1 << 16)
def _fold_cluster(cluster: str) -> str:
    if cluster.isascii():
        return "" if cluster.isspace() else cluster.lower().translate(_SHAPES)
    # Shapes first: NFKD makes a space and an accent of some quotation marks.
    decomposed = unicodedata.normalize("NFKD", cluster.translate(_SHAPES))
    small = unicodedata.normalize("NFKD", without_case(decomposed)).translate(_SHAPES)
    return unicodedata.normalize("NFC", _LEFT_OUT.sub("", small))


def _regions(special: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Stretches of special characters, with a neighbour on either side."""
    wide = special.copy()
    wide[:-1] |= special[1:]
    wide[1:] |= special[:-1]
    edges = np.flatnonzero(np.diff(wide, prepend=False, append=False))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
