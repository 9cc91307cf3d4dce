"""The vocabulary of word pieces, and how a unit of text is cut into them.

A SentencePiece unigram model cuts a string into the pieces whose log probabilities add up highest, so only pieces that
are substrings of the string can take part.  Handing all 250k pieces to ``tokenizers`` costs more than a second at every
start; handing it the pieces that the strings at hand contain gives the same cut at once.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from transfusion.encoder.units import Unit

SPACE = "▁"
"""What stands for white space in front of a word, in SentencePiece's alphabet."""
BOS, PAD, EOS, UNK = 0, 1, 2, 3
"""Ids of the special pieces, as in XLM-R."""
FIRST_PIECE = 4

_CACHE_LIMIT = 20_000
"""Units whose pieces are kept: the words that make up most of any text, in about 20 MB."""
_LONGEST_CACHED = 32
"""Code points of the longest unit whose pieces are kept; a line without spaces can be one unit of thousands."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a unit.

    :param id: Row of the embedding table.
    :param start: First code point in the text of the unit.
    :param end: One past its last code point in the text of the unit.
    """

    id: int
    start: int
    end: int


class Vocabulary:
    """Word pieces with their log probabilities.

    :param pieces: Pieces in order of id, the special ones first.
    :param scores: Log probability of each piece. *Shape:* ``(vocabulary,)``.
    :param normalisation: Characters that are rewritten before pieces are looked up.
    """

    def __init__(self, pieces: Sequence[str], scores: NDArray[np.float32], normalisation: Mapping[str, str]) -> None:
        self.pieces = pieces
        self.scores = scores
        self.normalisation = normalisation
        self._ids = {piece: index for index, piece in enumerate(pieces) if index >= FIRST_PIECE}
        self._longest = max(map(len, self._ids))
        self._worst = FIRST_PIECE + int(np.argmin(scores[FIRST_PIECE:]))
        self._cache: dict[tuple[str, bool, bool], tuple[Piece, ...]] = {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Vocabulary:
        """Build a vocabulary from the arrays that :meth:`to_arrays` made."""
        return cls(
            arrays["pieces"].tobytes().decode("utf-8").split("\n"),
            arrays["scores"],
            json.loads(arrays["normalisation"].tobytes()),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The vocabulary as arrays that a safetensors file can hold."""
        normalisation = json.dumps(dict(self.normalisation), ensure_ascii=False)
        return {
            "pieces": np.frombuffer("\n".join(self.pieces).encode("utf-8"), np.uint8),
            "scores": np.asarray(self.scores, np.float32),
            "normalisation": np.frombuffer(normalisation.encode("utf-8"), np.uint8),
        }

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str, units: Iterable[Unit]) -> list[tuple[Piece, ...]]:
        """Cut units into pieces.

        :param text: The text that the units were found in.
        :param units: Units of that text.
        :returns: For each unit its pieces, at least one, together covering all of its code points.
        """
        keys = [(text[unit.start : unit.end], unit.spaced, unit.divisible) for unit in units]
        # Read once and into a dictionary of its own: another thread may clear the cache at any time.
        cuts = {key: self._cache.get(key) for key in keys}
        missing = [key for key, pieces in cuts.items() if pieces is None]
        fresh = dict(zip(missing, self._cut(missing), strict=True)) if missing else {}
        if len(self._cache) + len(fresh) > _CACHE_LIMIT:
            self._cache.clear()
        short = ((key, pieces) for key, pieces in fresh.items() if len(key[0]) <= _LONGEST_CACHED)
        self._cache.update(islice(short, _CACHE_LIMIT))
        return [cuts[key] or fresh[key] for key in keys]

    def _cut(self, keys: Sequence[tuple[str, bool, bool]]) -> list[tuple[Piece, ...]]:
        prepared = [self._normalise(*key) for key in keys]
        strings = [string for string, _ in prepared]
        candidates = sorted(self._candidates(strings))
        ids = [UNK, *candidates]
        tokenizer = Tokenizer(Unigram([("", 0.0), *((self.pieces[i], float(self.scores[i])) for i in candidates)], 0))
        cuts = []
        for (_, origin), encoding in zip(prepared, tokenizer.encode_batch(strings), strict=True):
            pieces: list[Piece] = []
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                pieces.append(Piece(ids[token], origin[start], origin[end]))
            cuts.append(tuple(pieces) or (Piece(UNK, 0, origin[-1]),))
        return cuts

    def _candidates(self, strings: Iterable[str]) -> set[int]:
        """Ids of all pieces that are substrings of any of the strings."""
        # `tokenizers` scores an unknown character relative to the least likely piece it knows: keep that one in.
        found = {self._worst}
        for string in strings:
            for start in range(len(string)):
                for end in range(start + 1, min(start + self._longest, len(string)) + 1):
                    index = self._ids.get(string[start:end])
                    if index is not None:
                        found.add(index)
        return found

    def _normalise(self, text: str, spaced: bool, divisible: bool) -> tuple[str, list[int]]:
        """A unit in SentencePiece's alphabet, and where in the unit each of its characters (and its end) came from."""
        rewritten = [self.normalisation.get(character, character).replace(" ", SPACE) for character in text]
        # Half of a surrogate pair, which JSON can smuggle in, is no character that could be looked up.
        string = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", "".join(rewritten))
        if divisible:
            origin = [index for index, replacement in enumerate(rewritten) for _ in replacement]
        else:
            # Only the unit as a whole gets a label, so composing its accents may move characters freely.
            string = unicodedata.normalize("NFC", string)
            origin = [0] * len(string)
        origin.append(len(text))
        if spaced:
            return SPACE + string, [0, *origin]
        return string, origin
