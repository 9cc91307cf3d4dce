"""The systems on the tiny model: which texts each reads, in which order documents come back, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from transfusion.annotate.base import AnnotatePivot
from transfusion.annotate.encoder import EncoderAnnotator
from transfusion.document import AnnotatedText, Document, Entity
from transfusion.encoder.model import EncoderModel, Reading
from transfusion.fuse import projection
from transfusion.fuse.base import FuseSource
from transfusion.fuse.encoder import DirectLabeller, EncoderFuser
from transfusion.fuse.projection import ProjectionFuser
from transfusion.pipeline import Pipeline

SOURCE = "Rais Ruto alikutana na Museveni mjini Kampala."
TRANSLATION = "President Ruto met Museveni in Kampala."
GOLD = (Entity(10, 14, "PER"), Entity(19, 27, "PER"), Entity(31, 38, "LOC"))


def document(number: int, *, translation: str | None = TRANSLATION, entities: tuple[Entity, ...] = ()) -> Document:
    pivot = None if translation is None else AnnotatedText(translation, "eng", entities)
    return Document(f"news-{number}", AnnotatedText(f"{SOURCE} {number}", "swa"), pivot)


def news() -> list[Document]:
    return [document(n, translation=None if n % 3 == 0 else TRANSLATION) for n in range(20)]


@pytest.mark.parametrize("system", ["fusion", "direct", "projection", "untagged"])
def test_documents_come_back_in_order_with_their_texts(tiny_folder: Path, system: str) -> None:
    given = news()
    done = list(Pipeline.load(tiny_folder, system=system, threads=1).stream(given, batch_size=7))
    assert [one.id for one in done] == [one.id for one in given]
    assert [one.source.text for one in done] == [one.source.text for one in given]
    assert not any(one.failed for one in done)


@pytest.mark.parametrize(
    ("system", "notes"), [("fusion", True), ("untagged", True), ("projection", True), ("direct", False)]
)
def test_a_document_without_a_translation_is_labelled_directly_and_says_so(
    tiny_folder: Path, tiny_model: EncoderModel, system: str, notes: bool
) -> None:
    pipeline = Pipeline.load(tiny_folder, system=system, threads=1)
    for missing in (None, "", " \n"):
        (done,) = pipeline.stream([document(1, translation=missing)])
        assert [note.code for note in done.notes] == ["no-translation"] * notes
        assert done.source.entities == tiny_model.label([Reading(done.source)])[0]


def test_direct_never_looks_at_the_translation(tiny_model: EncoderModel) -> None:
    stage = FuseSource(DirectLabeller(tiny_model))
    (with_pivot,) = stage([document(1, entities=GOLD)])
    (without,) = stage([document(1, translation=None)])
    assert with_pivot.source == without.source
    assert with_pivot.pivot == document(1, entities=GOLD).pivot


def test_fusion_reads_the_pivot_and_its_tags(tiny_model: EncoderModel) -> None:
    stage = FuseSource(EncoderFuser(tiny_model))
    done = stage([document(1, entities=entities) for entities in ((), GOLD, GOLD[:1])])
    assert len({str(one.source.entities) for one in done}) == 3


def test_a_span_of_the_pivot_that_is_not_sure_enough_is_not_tagged(tiny_folder: Path, tiny_model: EncoderModel) -> None:
    unsure = Entity(10, 14, "PER", 0.3)
    picky = EncoderModel.load(tiny_folder, threads=1)
    picky.config = replace(picky.config, tag_threshold=0.5)
    (done,) = EncoderFuser(picky).fuse([document(1, entities=(unsure, GOLD[1]))])
    (expected,) = EncoderFuser(tiny_model).fuse([document(1, entities=GOLD[1:2])])
    assert done.source == expected.source
    assert done.pivot is not None
    assert done.pivot.entities == (unsure, GOLD[1])


def test_fusion_annotates_the_pivot_first(tiny_folder: Path, tiny_model: EncoderModel) -> None:
    (done,) = Pipeline.load(tiny_folder, threads=1).stream([document(1)])
    assert done.pivot is not None
    assert done.pivot.entities == tiny_model.label([Reading(done.pivot)])[0]
    assert done.source.entities == tiny_model.label([Reading(done.source, done.pivot)])[0]


def test_untagged_leaves_the_pivot_unannotated(tiny_folder: Path) -> None:
    (done,) = Pipeline.load(tiny_folder, system="untagged", threads=1).stream([document(1)])
    assert done.pivot == document(1).pivot


def test_a_pivot_that_brings_its_entities_keeps_them(tiny_model: EncoderModel) -> None:
    given = [document(1, entities=GOLD), document(2), document(3, translation=None), document(4, entities=GOLD[:1])]
    done = list(AnnotatePivot(EncoderAnnotator(tiny_model), batch_size=3)(given))
    assert [one.id for one in done] == [one.id for one in given]
    assert [one.pivot for one in (done[0], done[2], done[3])] == [given[0].pivot, None, given[3].pivot]
    assert done[1].pivot is not None
    assert done[1].pivot.entities


def test_projection_carries_the_pivots_entities_and_nothing_else(tiny_model: EncoderModel) -> None:
    # The tiny model's vectors mean nothing, but the same text has the same ones.
    given = Document("1", AnnotatedText(TRANSLATION, "swa"), AnnotatedText(TRANSLATION, "eng", GOLD))
    (done,) = ProjectionFuser(tiny_model).fuse([given])
    assert [(entity.start, entity.end, entity.label) for entity in done.source.entities] == [
        (entity.start, entity.end, entity.label) for entity in GOLD
    ]
    assert all(entity.match == "similar" for entity in done.source.entities)
    assert done.notes == ()


def test_projection_reports_a_span_that_found_no_home(tiny_model: EncoderModel) -> None:
    given = Document("1", AnnotatedText("...", "swa"), AnnotatedText(TRANSLATION, "eng", GOLD))
    (done,) = ProjectionFuser(tiny_model).fuse([given])
    assert done.source.entities == ()
    assert [note.code for note in done.notes] == ["lost-span"] * 3
    assert "'Museveni'" in done.notes[1].message


def test_texts_too_long_to_align_are_labelled_directly_and_say_so(
    tiny_model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "MOST_COMPARISONS", 40)
    (done,) = ProjectionFuser(tiny_model).fuse([document(1, entities=GOLD)])
    assert [note.code for note in done.notes] == ["too-long-to-align"]
    assert done.source.entities == tiny_model.label([Reading(done.source)])[0]


def test_one_pivot_with_a_label_of_another_model_stops_no_other_document(tiny_folder: Path) -> None:
    given = [document(1), document(2, entities=(Entity(0, 9, "TITLE"),)), document(3)]
    done = list(Pipeline.load(tiny_folder, threads=1).stream(given))
    assert [one.failed for one in done] == [False, True, False]
    assert "TITLE" in done[1].notes[0].message
