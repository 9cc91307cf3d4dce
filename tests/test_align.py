"""Carrying spans to a translation: on vectors made by hand, so that who is like whom is plain to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.layout import Slot
from transfusion.encoder.model import EncoderModel, Vectors
from transfusion.encoder.units import split_units
from transfusion.project.align import TOO_LONG, AlignmentSettings, AlignProjector, project
from transfusion.project.base import Projection


def seen(text: str, meanings: str) -> Vectors:
    """A vector for each word of a text, one direction for each letter of ``meanings``."""
    units = split_units(text)
    values = np.zeros((len(units), 26), np.float32)
    for row, meaning in enumerate(meanings.split()):
        values[row, ord(meaning) - ord("a")] = 1
    return Vectors(tuple(Slot(unit.start, unit.end, 0) for unit in units), values)


def carry(
    pivot: str,
    meanings: str,
    source: str,
    source_meanings: str,
    *labelled: str,
    settings: AlignmentSettings | None = None,
) -> tuple[list[tuple[str, str]], list[str]]:
    """Project mentions written as ``PER:Ruto``; gives what was found, as (label, mention), and what was lost."""
    entities = []
    for one in labelled:
        label, _, mention = one.partition(":")
        start = pivot.index(mention)
        entities.append(Entity(start, start + len(mention), label, 0.8))
    found = project(
        AnnotatedText(pivot, "eng", tuple(entities)),
        seen(pivot, meanings),
        source,
        seen(source, source_meanings),
        settings,
    )
    check(found, source)
    return (
        [(entity.label, source[entity.start : entity.end]) for entity in found.entities],
        [pivot[entity.start : entity.end] for entity in found.lost],
    )


def check(found: Projection, source: str) -> None:
    end = 0
    for entity in found.entities:
        assert end <= entity.start < entity.end <= len(source)
        assert 0 < entity.score <= 1
        assert entity.match in ("aligned", "similar")
        end = entity.end


def test_a_span_goes_to_the_word_that_means_the_same() -> None:
    found = carry("the elder spoke", "a b c", "mzee alisema jana", "b c d", "PER:elder")
    assert found == ([("PER", "mzee")], [])


def homes_of_a_word_that_became_two(text: str, slots: list[tuple[int, int]], settings: AlignmentSettings) -> list[str]:
    """Where "Iceland" goes when the second of four stretches is most like it and the third somewhat."""
    pivot = "in Iceland now"
    values = seen("x x x x", "a b b c").values
    values[2, 3] = 0.5
    vectors = Vectors(tuple(Slot(start, end, 0) for start, end in slots), values)
    annotated = AnnotatedText(pivot, "eng", (Entity(3, 10, "LOC", 0.8),))
    found = project(annotated, seen(pivot, "a b c"), text, vectors, settings)
    check(found, text)
    return [text[home.start : home.end] for home in found.entities]


def test_a_home_can_take_in_neighbours_whose_best_match_is_in_the_span() -> None:
    text, slots = "in Ísa landi nú", [(0, 2), (3, 6), (7, 12), (13, 15)]
    assert homes_of_a_word_that_became_two(text, slots, AlignmentSettings()) == ["Ísa"]
    assert homes_of_a_word_that_became_two(text, slots, AlignmentSettings(grow=True)) == ["Ísa landi"]
    far = AlignmentSettings(grow=True, threshold=0.95)
    assert homes_of_a_word_that_became_two(text, slots, far) == ["Ísa"]


def test_a_name_of_several_characters_is_whole_in_a_script_without_spaces() -> None:
    slots = [(place, place + 1) for place in range(4)]
    assert homes_of_a_word_that_became_two("在冰島嗎", slots, AlignmentSettings()) == ["冰島"]


def test_words_in_another_order_find_their_places() -> None:
    found = carry("red river bank", "a b c", "ufuko mto mwekundu", "c b a", "LOC:red river")
    assert found == ([("LOC", "mto mwekundu")], [])


def test_best_must_be_mutual() -> None:
    # Both words of the pivot mean what the one word of the source means most: it can only go with one of them.
    found, lost = carry(
        "river stream", "a a", "mto ng'ombe", "a b", "LOC:river", "LOC:stream", settings=AlignmentSettings(spelling=0.0)
    )
    assert len(found) + len(lost) == 2
    assert len(found) <= 1


def test_a_span_without_a_counterpart_is_reported_lost() -> None:
    assert carry("the elder spoke", "a b c", "alisema jana", "c d", "PER:elder") == ([], ["elder"])


def test_a_span_may_bridge_one_word_that_is_not_aligned() -> None:
    found = carry("bank river", "a b", "ufuko wa mto", "a x b", "LOC:bank river", settings=AlignmentSettings(gap=1))
    assert found == ([("LOC", "ufuko wa mto")], [])


def test_a_wider_gap_is_not_bridged() -> None:
    found, _ = carry(
        "bank river", "a b", "ufuko wa yule mto", "a x y b", "LOC:bank river", settings=AlignmentSettings(gap=1)
    )
    assert found in ([("LOC", "ufuko")], [("LOC", "mto")])
    found, _ = carry(
        "bank river", "a b", "ufuko wa yule mto", "a x y b", "LOC:bank river", settings=AlignmentSettings(gap=2)
    )
    assert found == [("LOC", "ufuko wa yule mto")]


def test_a_name_is_known_by_its_spelling_where_vectors_say_nothing() -> None:
    found = carry("met Museveni there", "a b c", "alikutana na Museveniye huko", "d e f g", "PER:Museveni")
    assert found == ([("PER", "Museveniye")], [])


@pytest.mark.parametrize(("english", "other"), [("Cameroon", "Kamərun"), ("Khartoum", "Kartum"), ("Philip", "Filipu")])
def test_a_name_is_known_by_its_sound(english: str, other: str) -> None:
    found = carry(f"met {english} there", "a b c", f"nda {other} wo", "d e f", f"PER:{english}")
    assert found == ([("PER", other)], [])


def test_how_a_span_was_found_is_said() -> None:
    pivot, source = "Museveni elder", "Museveni mzee"
    annotated = AnnotatedText(pivot, "eng", (Entity(0, 8, "PER"), Entity(9, 14, "PER")))
    found = project(annotated, seen(pivot, "a b"), source, seen(source, "a b"))
    assert [entity.match for entity in found.entities] == ["similar", "aligned"]
    assert [(old.start, new.start) for old, new in found.carried] == [(0, 0), (9, 9)]


def test_two_spans_never_share_a_word() -> None:
    found, lost = carry("Ruto William spoke", "a b c", "RutoWilliam alisema", "a c", "PER:Ruto", "LOC:William")
    assert len(found) + len(lost) == 2
    assert len(found) == 1


def test_punctuation_is_no_home() -> None:
    assert carry("elder .", "a b", ". mzee", "a c", "PER:elder", settings=AlignmentSettings(spelling=0.0)) == (
        [],
        ["elder"],
    )


def test_the_score_is_no_higher_than_that_of_the_span_that_was_carried() -> None:
    annotated = AnnotatedText("elder spoke", "eng", (Entity(0, 5, "PER", 0.6),))
    (home,) = project(annotated, seen("elder spoke", "a b"), "mzee alisema", seen("mzee alisema", "a b")).entities
    assert 0 < home.score <= 0.6


@pytest.mark.parametrize("source", ["", " "])
def test_nothing_can_be_carried_to_an_empty_text(source: str) -> None:
    assert carry("elder spoke", "a b", source, "", "PER:elder") == ([], ["elder"])


def test_a_span_of_white_space_is_lost_and_not_in_the_way() -> None:
    annotated = AnnotatedText("  ", "eng", (Entity(0, 1, "PER"),))
    found = project(annotated, seen("  ", ""), "mzee", seen("mzee", "a"))
    assert (found.entities, found.lost) == ((), annotated.entities)
    spaced = AnnotatedText("a  b", "eng", (Entity(1, 2, "PER"), Entity(3, 4, "LOC")))
    found = project(spaced, seen("a  b", "a b"), "c d", seen("c d", "a b"))
    assert [(old.label, new.start) for old, new in found.carried] == [("LOC", 2)]


def test_a_text_without_entities_carries_none() -> None:
    assert carry("elder spoke", "a b", "mzee alisema", "a b") == ([], [])


WORDS = st.lists(st.sampled_from(["Ruto", "Kampala", "mzee", ".", ",", "我在", "na"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(pivot=WORDS, source=WORDS, data=st.data())
def test_every_span_is_carried_or_lost_and_none_twice(pivot: list[str], source: list[str], data: st.DataObject) -> None:
    text, other = " ".join(pivot), " ".join(source)
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = zip(edges[::2], edges[1::2], strict=False)
    annotated = AnnotatedText(text, "eng", tuple(Entity(start, end, "PER") for start, end in spans))
    letters = st.sampled_from("abcd")
    meanings = [" ".join(data.draw(letters) for _ in split_units(one)) for one in (text, other)]
    found = project(annotated, seen(text, meanings[0]), other, seen(other, meanings[1]))
    check(found, other)
    assert (
        sorted(e.start for e in (*(old for old, _ in found.carried), *found.lost))
        == edges[: 2 * (len(edges) // 2)][::2]
    )


def test_texts_too_long_to_compare_lose_their_spans_and_say_so(
    tiny_model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfusion.project.align.MOST_COMPARISONS", 20)
    ruto = (Entity(0, 4, "PER"),)
    annotated = AnnotatedText("Ruto came", "eng", ruto)
    short, long = AnnotatedText("Ruto alikuja", "swa"), AnnotatedText("Ruto alikuja " * 6, "swa")
    found, lost = AlignProjector(tiny_model).project([annotated, annotated], [short, long])
    assert [(home.start, home.end) for home in found.entities] == [(0, 4)]
    assert (lost.carried, lost.lost, [note.code for note in lost.notes]) == ((), ruto, [TOO_LONG])
