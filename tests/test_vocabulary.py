"""The vocabulary cuts units as SentencePiece would, without loading all of it."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from transfusion.encoder import vocabulary as module
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.units import Unit, split_units
from transfusion.encoder.vocabulary import FIRST_PIECE, SPACE, UNK, Vocabulary
from transfusion.train.trim import trim

# The tiny vocabulary's alphabet, some of its longer pieces, and characters that it has never seen.
WORDS = st.lists(
    st.sampled_from([*"KampalMuseviRtoɛɔéው我干达กรุง.,'-", "Kam", "pala", "干达", "กรุง", "Ж", "ж", "😀", "e\u0301"]),
    min_size=1,
    max_size=14,
).map("".join)


@pytest.fixture(scope="module")
def whole(tiny_vocabulary: Vocabulary) -> Tokenizer:
    """`tokenizers` with the whole vocabulary at once."""
    scored = list(zip(tiny_vocabulary.pieces, map(float, tiny_vocabulary.scores), strict=True))
    return Tokenizer(Unigram([(f"<{i}>", 0.0) for i in range(FIRST_PIECE)] + scored[FIRST_PIECE:], UNK))


@settings(deadline=None)
@given(word=WORDS, spaced=st.booleans(), divisible=st.booleans())
def test_the_cut_is_that_of_the_whole_vocabulary(
    tiny_vocabulary: Vocabulary, whole: Tokenizer, word: str, spaced: bool, divisible: bool
) -> None:
    (pieces,) = tiny_vocabulary.encode(word, [Unit(0, len(word), spaced, divisible)])
    expected = whole.encode((SPACE if spaced else "") + (word if divisible else unicodedata.normalize("NFC", word)))
    assert [piece.id for piece in pieces] == expected.ids


@settings(deadline=None)
@given(words=st.lists(WORDS, max_size=5))
def test_a_unit_is_cut_the_same_in_any_company(tiny_vocabulary: Vocabulary, words: list[str]) -> None:
    text = " ".join(words)
    fresh = Vocabulary(tiny_vocabulary.pieces, tiny_vocabulary.scores, tiny_vocabulary.normalisation)
    units = split_units(text)
    assert fresh.encode(text, units) == [tiny_vocabulary.encode(text, [unit])[0] for unit in units]


@settings(deadline=None)
@given(text=st.one_of(st.text(), st.lists(WORDS).map(" ".join)))
def test_pieces_cover_their_unit_from_end_to_end(tiny_vocabulary: Vocabulary, text: str) -> None:
    units = split_units(text)
    for unit, pieces in zip(units, tiny_vocabulary.encode(text, units), strict=True):
        assert pieces
        assert pieces[-1].end == unit.end - unit.start
        for one, following in pairwise(pieces):
            assert 0 <= one.start <= one.end == following.start
        if not unit.divisible:
            assert pieces[0].start == 0


@pytest.mark.parametrize("text", ["\0", "\u00ad", "\ud800", "a\0b", "ﷺ", "½", "Ａ"])
def test_what_is_rewritten_or_unreadable_has_pieces_too(tiny_vocabulary: Vocabulary, text: str) -> None:
    (pieces,) = tiny_vocabulary.encode(text, [Unit(0, len(text), True, False)])
    assert pieces[-1].end == len(text)


def test_a_full_width_letter_is_read_as_the_letter(tiny_vocabulary: Vocabulary) -> None:
    unit = Unit(0, 1, True, False)
    assert tiny_vocabulary.encode("Ａ", [unit]) == tiny_vocabulary.encode("A", [unit])


def test_accents_may_be_written_in_two_ways(tiny_vocabulary: Vocabulary) -> None:
    composed, decomposed = "Kamp\u00e9la", "Kampe\u0301la"
    (one,) = tiny_vocabulary.encode(composed, [Unit(0, len(composed), True, False)])
    (other,) = tiny_vocabulary.encode(decomposed, [Unit(0, len(decomposed), True, False)])
    assert [piece.id for piece in one] == [piece.id for piece in other]


def test_the_memory_of_pieces_is_bounded(tiny_vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_LIMIT", 10)
    fresh = Vocabulary(tiny_vocabulary.pieces, tiny_vocabulary.scores, tiny_vocabulary.normalisation)
    for start in range(0, 200, 7):
        text = " ".join(f"k{number}" for number in range(start, start + 13)) + " " + "x" * 1000
        units = split_units(text)
        assert fresh.encode(text, units) == tiny_vocabulary.encode(text, units)
        assert len(fresh._cache) <= 10
    assert not any(len(key[0]) > 100 for key in fresh._cache)


def test_a_vocabulary_survives_being_stored(tiny_vocabulary: Vocabulary) -> None:
    stored = Vocabulary.from_arrays(tiny_vocabulary.to_arrays())
    assert list(stored.pieces) == list(tiny_vocabulary.pieces)
    assert np.array_equal(stored.scores, tiny_vocabulary.scores)
    assert stored.normalisation == tiny_vocabulary.normalisation


def test_trimming_drops_the_unlikely_and_keeps_every_character(tiny_vocabulary: Vocabulary) -> None:
    table = EmbeddingTable(np.arange(len(tiny_vocabulary) * 18, dtype=np.uint32).astype(np.uint8).reshape(-1, 1, 18))
    single = [piece for piece in tiny_vocabulary.pieces if len(piece.removeprefix(SPACE)) <= 1]
    smaller, _ = trim(tiny_vocabulary, table, 0)
    assert smaller.pieces[FIRST_PIECE:] == single
    smaller, rows = trim(tiny_vocabulary, table, len(tiny_vocabulary) - 3)
    dropped = set(tiny_vocabulary.pieces) - set(smaller.pieces)
    assert len(smaller) == len(rows) == len(tiny_vocabulary) - 3
    score = dict(zip(tiny_vocabulary.pieces, tiny_vocabulary.scores, strict=True))
    kept = [piece for piece in smaller.pieces[FIRST_PIECE:] if len(piece.removeprefix(SPACE)) > 1]
    assert max(score[piece] for piece in dropped) <= min(score[piece] for piece in kept)
    for row, piece in enumerate(smaller.pieces):
        assert np.array_equal(rows.blocks[row], table.blocks[list(tiny_vocabulary.pieces).index(piece)])


def test_a_trimmed_vocabulary_spells_what_it_no_longer_knows(tiny_vocabulary: Vocabulary) -> None:
    table = EmbeddingTable(np.zeros((len(tiny_vocabulary), 1, 18), np.uint8))
    smaller, _ = trim(tiny_vocabulary, table, 0)
    (pieces,) = smaller.encode("Kampala", [Unit(0, 7, True, False)])
    assert "".join(smaller.pieces[piece.id] for piece in pieces) == SPACE + "Kampala"


def test_keeping_all_pieces_changes_nothing(tiny_vocabulary: Vocabulary) -> None:
    table = EmbeddingTable(np.zeros((len(tiny_vocabulary), 1, 18), np.uint8))
    same, rows = trim(tiny_vocabulary, table, len(tiny_vocabulary))
    assert list(same.pieces) == list(tiny_vocabulary.pieces)
    assert len(rows) == len(table)
