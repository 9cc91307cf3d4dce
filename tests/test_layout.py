"""How texts are laid out: what the network reads, spelled out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.layout import FIRST_TAG, PIVOT, SOURCE, EncoderInput, Layout, Slot, make_batch, slot_labels
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import SchemaError
from transfusion.train.base import BaseEncoder

LABELS = ("LOC", "ORG", "PER")


@pytest.fixture(scope="module")
def layout(tiny_vocabulary: Vocabulary) -> Layout:
    return Layout(tiny_vocabulary, LABELS)


def spelled(layout: Layout, laid_out: EncoderInput) -> str:
    """The input as a reader would write it, the pieces of a word run together."""
    words = []
    for id_, kind in zip(laid_out.ids, laid_out.kinds, strict=True):
        if kind >= FIRST_TAG:
            label, closing = divmod(kind - FIRST_TAG, 2)
            words.append(f" <{'/' * closing}{LABELS[label]}> ")
        else:
            piece = layout.vocabulary.pieces[id_]
            words.append(f" {piece} " if piece in ("<s>", "</s>") else piece.replace("▁", " "))
    return " ".join("".join(words).split())


def pivot(text: str, *entities: Entity) -> AnnotatedText:
    return AnnotatedText(text, "eng", entities)


def test_a_text_alone_stands_between_its_marks(layout: Layout) -> None:
    laid_out = layout.lay_out("Ruto, Kampala.")
    assert spelled(layout, laid_out) == "<s> Ruto, Kampala. </s>"
    assert set(laid_out.kinds) == {SOURCE}
    assert [(slot.start, slot.end) for slot in laid_out.slots] == [(0, 4), (4, 5), (6, 13), (13, 14)]


def test_the_pivot_follows_with_tags_round_its_spans(layout: Layout) -> None:
    laid_out = layout.lay_out("Ruto", pivot("Ruto in Kampala.", Entity(0, 4, "PER"), Entity(8, 15, "LOC")))
    assert spelled(layout, laid_out) == "<s> Ruto </s> <PER> Ruto </PER> in <LOC> Kampala </LOC> . </s>"
    assert laid_out.kinds[laid_out.ids.index(2) + 1 :].count(SOURCE) == 0
    assert all(laid_out.kinds[slot.position] == SOURCE for slot in laid_out.slots)


def test_one_span_closes_before_the_next_opens(layout: Layout) -> None:
    laid_out = layout.lay_out("a", pivot("Kampala Ruto", Entity(8, 12, "PER"), Entity(0, 7, "LOC")))
    assert spelled(layout, laid_out) == "<s> a </s> <LOC> Kampala </LOC> <PER> Ruto </PER> </s>"


def test_nested_spans_have_nested_tags(layout: Layout) -> None:
    inner, outer = Entity(0, 7, "LOC"), Entity(0, 15, "ORG")
    text = "Kampala Ruto in the"
    for entities in ((inner, outer), (outer, inner)):
        laid_out = layout.lay_out("a", pivot(text, *entities))
        assert spelled(layout, laid_out) == "<s> a </s> <ORG> <LOC> Kampala </LOC> Ruto in </ORG> the </s>"
    laid_out = layout.lay_out("a", pivot(text, Entity(0, 12, "ORG"), Entity(8, 12, "PER"), Entity(8, 12, "LOC")))
    assert spelled(layout, laid_out) == "<s> a </s> <ORG> Kampala <LOC> <PER> Ruto </PER> </LOC> </ORG> in the </s>"


def test_a_span_that_begins_inside_a_word_takes_in_the_whole_of_it(layout: Layout) -> None:
    laid_out = layout.lay_out("a", pivot("the Kampala in", Entity(6, 9, "LOC")))
    assert spelled(layout, laid_out) == "<s> a </s> the <LOC> Kampala </LOC> in </s>"


def test_a_span_with_spaces_at_its_ends_is_tagged_where_its_words_are(layout: Layout) -> None:
    laid_out = layout.lay_out("a", pivot("the  Kampala  in", Entity(3, 14, "LOC")))
    assert spelled(layout, laid_out) == "<s> a </s> the <LOC> Kampala </LOC> in </s>"


@pytest.mark.parametrize("span", [Entity(3, 4, "LOC"), Entity(11, 13, "LOC")])
def test_a_span_of_nothing_but_spaces_has_no_tags(layout: Layout, span: Entity) -> None:
    laid_out = layout.lay_out("a", pivot("the Kampala  ", span))
    assert spelled(layout, laid_out) == "<s> a </s> the Kampala </s>"


def test_in_a_script_without_spaces_tags_stand_between_pieces(layout: Layout) -> None:
    laid_out = layout.lay_out("a", pivot("我在乌干达的坎帕拉", Entity(2, 5, "LOC"), Entity(6, 9, "LOC")))
    assert spelled(layout, laid_out) == "<s> a </s> 我在 <LOC> 乌干达 </LOC> 的 <LOC> 坎帕拉 </LOC> </s>"


def test_each_piece_of_a_script_without_spaces_has_a_label_of_its_own(layout: Layout) -> None:
    text = "我在乌干达。"
    slots = layout.lay_out(text).slots
    assert [text[slot.start : slot.end] for slot in slots] == ["我", "在", "乌", "干达", "。"]


def test_words_without_spaces_can_be_labelled_piece_by_piece(layout: Layout) -> None:
    text = "Kampala,我"
    assert [text[s.start : s.end] for s in layout.lay_out(text).slots] == ["Kampala", ",", "我"]
    assert [text[s.start : s.end] for s in layout.lay_out(text, spaceless=True).slots] == ["Kam", "pala", ",", "我"]


def test_an_empty_pivot_is_read_as_one(layout: Layout) -> None:
    assert spelled(layout, layout.lay_out("Ruto", pivot(""))) == "<s> Ruto </s> </s>"


def test_a_label_that_the_network_does_not_know_is_an_error(layout: Layout) -> None:
    with pytest.raises(SchemaError, match=r"\['DATE'\].*'LOC', 'ORG', 'PER'"):
        layout.lay_out("a", pivot("on Monday", Entity(3, 9, "DATE")))


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from(LABELS))
TEXTS = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(["Kampala", "Ruto", "我在乌干达", "กรุงเทพฯ", " ", ". ", "ﷺ", "½", "\0", "e\u0301"]), max_size=8
    ).map("".join),
)


@settings(deadline=None)
@given(source=TEXTS, text=TEXTS, spans=st.lists(SPANS, max_size=5))
def test_lengths_agree_and_every_tag_that_opens_closes(
    layout: Layout, source: str, text: str, spans: list[tuple[int, int, str]]
) -> None:
    entities = [Entity(s, min(s + n, len(text)), label) for s, n, label in spans if s < len(text)]
    annotated = pivot(text, *entities)
    alone, both = layout.lay_out(source), layout.lay_out(source, annotated)
    assert len(alone) == len(alone.kinds) == layout.source_length(source) + 2
    assert len(both) == len(both.kinds) == layout.source_length(source) + layout.pivot_length(annotated) + 3
    assert alone.slots == both.slots
    opened: list[int] = []
    for kind in both.kinds:
        if kind >= FIRST_TAG and kind % 2 == FIRST_TAG % 2:
            opened.append(kind)
        elif kind >= FIRST_TAG:
            opened.remove(kind - 1)  # fails where a tag closes that never opened
        assert kind < layout.kinds
    assert not opened
    positions = [slot.position for slot in both.slots]
    assert positions == sorted(set(positions))
    covered = "".join(source[slot.start : slot.end] for slot in both.slots)
    assert covered == "".join(character for character in source if character in covered)


def labels_of(spans: list[tuple[int, int]], *entities: Entity) -> list[int]:
    return slot_labels([Slot(start, end, 0) for start, end in spans], entities, LABELS)


def test_labels_are_iob2() -> None:
    # Rais | Ruto | alikutana | Yoweri | Museveni | .
    words = [(0, 4), (5, 9), (10, 19), (20, 26), (27, 35), (35, 36)]
    assert labels_of(words, Entity(5, 9, "PER"), Entity(20, 35, "PER")) == [0, 5, 0, 5, 6, 0]
    assert labels_of(words, Entity(20, 35, "PER"), Entity(5, 9, "LOC")) == [0, 1, 0, 5, 6, 0]
    assert labels_of(words) == [0] * 6


def test_neighbours_of_one_type_begin_anew() -> None:
    assert labels_of([(0, 2), (3, 5), (6, 8)], Entity(0, 2, "LOC"), Entity(3, 8, "LOC")) == [1, 1, 2]


def test_a_span_that_covers_part_of_a_word_labels_it() -> None:
    assert labels_of([(0, 10), (11, 15)], Entity(3, 6, "ORG")) == [3, 0]
    assert labels_of([(0, 10), (11, 15)], Entity(9, 12, "ORG")) == [3, 4]


def test_of_two_spans_in_one_word_the_first_labels_it() -> None:
    assert labels_of([(0, 10), (11, 15)], Entity(0, 3, "ORG"), Entity(4, 15, "PER")) == [3, 5]


@given(cuts=st.sets(st.integers(0, 40), min_size=2, max_size=12), spans=st.lists(SPANS, max_size=4))
def test_labels_are_always_well_formed(cuts: set[int], spans: list[tuple[int, int, str]]) -> None:
    edges = sorted(cuts)
    labels = labels_of(list(pairwise(edges)), *(Entity(s, s + n, label) for s, n, label in spans))
    for place, label in enumerate(labels):
        assert label == 0 or label % 2 == 1 or labels[place - 1] in (label, label - 1)


def test_a_batch_is_padded_and_blank_where_there_is_no_word(layout: Layout, tiny_base: BaseEncoder) -> None:
    table = EmbeddingTable(tiny_base.word_blocks)
    short, long = layout.lay_out("a"), layout.lay_out("Ruto", pivot("Kampala", Entity(0, 7, "LOC")))
    batch = make_batch([short, long], table)
    assert batch.embeddings.shape == (2, len(long), table.hidden_size)
    assert batch.mask.sum(axis=1).tolist() == [len(short), len(long)]
    assert not batch.embeddings[0, len(short) :].any()
    tags = batch.kinds[1] >= FIRST_TAG
    assert tags.sum() == 2
    assert not batch.embeddings[1, tags].any()
    assert batch.embeddings[1, batch.kinds[1] == PIVOT].any(axis=1).all()
