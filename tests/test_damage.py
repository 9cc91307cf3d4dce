from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.translate.damage import KINDS, Damage, damaged

SENTENCE = AnnotatedText(
    "President Yoweri Museveni met farmers in Kampala.", "eng", (Entity(10, 25, "PER"), Entity(41, 48, "LOC"))
)


def test_nothing_happens_where_no_word_is_chosen() -> None:
    assert damaged(SENTENCE, "drop", 0.0, Random(1)) is SENTENCE


def test_dropping_every_word_leaves_nothing() -> None:
    assert damaged(SENTENCE, "drop", 1.0, Random(1)) == AnnotatedText("", "eng")


def test_a_dropped_share_of_the_words_is_gone_and_the_rest_keeps_its_order() -> None:
    left = damaged(SENTENCE, "drop", 0.3, Random(2)).text.split()
    assert len(left) == 5
    assert left == [word for word in SENTENCE.text.split() if word in left]


def test_shuffling_keeps_the_words() -> None:
    text = damaged(SENTENCE, "shuffle", 1.0, Random(3)).text
    assert text != SENTENCE.text
    assert sorted(text.split()) == sorted(SENTENCE.text.split())


def test_a_loop_says_the_last_words_again() -> None:
    text = damaged(SENTENCE, "repeat", 0.5, Random(4)).text
    assert text.startswith(SENTENCE.text)
    assert text.count("farmers in Kampala.") == 1 + 2


def test_words_are_replaced_by_those_of_other_texts() -> None:
    words = damaged(SENTENCE, "replace", 0.5, Random(5), ["goat"]).text.split()
    assert words.count("goat") == 4
    assert len(words) == len(SENTENCE.text.split())


def test_replacing_needs_words_to_replace_by() -> None:
    with pytest.raises(ValueError, match="strangers"):
        damaged(SENTENCE, "replace", 0.5, Random(5))


@given(kind=st.sampled_from(KINDS), share=st.floats(0, 1), seed=st.integers(0, 10_000))
def test_entities_stay_round_their_own_words(kind: Damage, share: float, seed: int) -> None:
    broken = damaged(SENTENCE, kind, share, Random(seed), ["goat", "milk"])
    names = {"PER": {"Yoweri", "Museveni"}, "LOC": {"Kampala"}}
    for entity in broken.entities:
        assert set(broken.mention(entity).split()) <= names[entity.label]
