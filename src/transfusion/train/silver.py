"""Silver examples: labels that models gave to parallel text, where nobody labelled any.

The pivot side of a pair is annotated, its spans are carried to the source side by word alignment, and the source is
also labelled without looking at the pivot.  Where these opinions agree the label is taken; where they do not, the
stretch is marked unsure and carries no loss.  A later round asks the model that an earlier one trained, which reads
source and pivot together, for one opinion more.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from transfusion.corpora.overlap import fingerprint
from transfusion.document import Document, Entity
from transfusion.encoder.model import Analysis, EncoderModel, Reading
from transfusion.project.align import AlignmentSettings, project
from transfusion.train.examples import Example
from transfusion.train.noise import without_overlap

log = logging.getLogger(__name__)

CHUNK = 256
"""Pairs that are worked on together."""


@dataclass(frozen=True, slots=True)
class SilverSettings:
    """Whose word is taken.

    :param fused: Whether the model has learnt to read pivots, so that its reading of both texts is an opinion.
    :param carried_alone: Score from which a carried span stands without support.
    :param direct_doubt: Score from which a span that only the direct reading found is doubt, not noise.
    :param longest: Pairs with a text of more characters are left out.
    :param alignment: What counts as aligned.
    """

    fused: bool = False
    carried_alone: float = 0.7
    direct_doubt: float = 0.5
    longest: int = 600
    alignment: AlignmentSettings = AlignmentSettings()


@dataclass
class SilverCounts:
    """What became of the pairs."""

    read: int = 0
    held_out: int = 0
    too_long: int = 0
    lost_span: int = 0
    kept: int = 0
    spans: int = 0
    unsure: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in vars(self).items())


def make_silver(
    model: EncoderModel,
    documents: Iterable[Document],
    held_out: Collection[str],
    settings: SilverSettings,
    counts: SilverCounts,
) -> Iterator[Example]:
    """Label parallel text.

    :param model: The model whose opinions are asked.
    :param documents: Pairs: a source and its pivot, no entities.
    :param held_out: Fingerprints of sentences that must not be trained on, on either side.
    :param settings: Whose word is taken.
    :param counts: Is added to as the pairs go through.
    :returns: Examples in the order of the pairs; pairs that are held out, too long, or in which a span of the pivot
        found no home are missing.
    """
    usable = _usable(documents, held_out, settings, counts)
    while chunk := list(islice(usable, CHUNK)):
        for document, opinions in zip(chunk, _opinions(model, chunk, settings), strict=True):
            example = _settle(document, opinions, settings)
            if example is None:
                counts.lost_span += 1
                continue
            counts.kept += 1
            counts.spans += len(example.document.source.entities)
            counts.unsure += len(example.unsure)
            yield example


def _usable(
    documents: Iterable[Document], held_out: Collection[str], settings: SilverSettings, counts: SilverCounts
) -> Iterator[Document]:
    for document in documents:
        if document.pivot is None:
            continue
        counts.read += 1
        if fingerprint(document.source.text) in held_out or fingerprint(document.pivot.text) in held_out:
            counts.held_out += 1
        elif max(len(document.source.text), len(document.pivot.text)) > settings.longest:
            counts.too_long += 1
        else:
            yield document


@dataclass(frozen=True, slots=True)
class _Opinions:
    """What the readings of one pair found in the source, and in the pivot."""

    pivot: tuple[Entity, ...]
    carried: tuple[Entity, ...]
    lost: tuple[Entity, ...]
    direct: tuple[Entity, ...]
    fused: tuple[Entity, ...] | None


def _opinions(model: EncoderModel, chunk: Sequence[Document], settings: SilverSettings) -> Iterator[_Opinions]:
    sources = [document.source for document in chunk]
    pivots = [document.pivot for document in chunk if document.pivot is not None]
    analyses: list[Analysis] = model.analyse([*sources, *pivots])
    by_source, by_pivot = analyses[: len(sources)], analyses[len(sources) :]
    tagged = [pivot.with_entities(one.entities) for pivot, one in zip(pivots, by_pivot, strict=True)]
    fused: Sequence[tuple[Entity, ...] | None] = [None] * len(chunk)
    if settings.fused:
        fused = model.label([Reading(source, pivot) for source, pivot in zip(sources, tagged, strict=True)])
    for source, pivot, own, other, both in zip(sources, tagged, by_source, by_pivot, fused, strict=True):
        carried = project(pivot, other.vectors, source.text, own.vectors, settings.alignment)
        yield _Opinions(pivot.entities, carried.entities, carried.lost, own.entities, both)


def _settle(document: Document, opinions: _Opinions, settings: SilverSettings) -> Example | None:
    """Take what is agreed on, doubt the rest; nothing at all if a span of the pivot has no home in the source."""
    if opinions.fused is None:
        if opinions.lost:
            return None
        agreed, doubted = _settle_two(opinions, settings)
    else:
        agreed, doubted = _settle_three(opinions.carried, opinions.direct, opinions.fused, settings)
    entities = without_overlap([replace(entity, match="exact") for entity in agreed])
    pivot = document.pivot
    assert pivot is not None  # `_usable` lets pairs alone through
    return Example(
        replace(
            document,
            source=document.source.with_entities(entities),
            pivot=pivot.with_entities(opinions.pivot),
        ),
        tuple(sorted({(entity.start, entity.end) for entity in doubted})),
    )


def _settle_two(opinions: _Opinions, settings: SilverSettings) -> tuple[list[Entity], list[Entity]]:
    agreed, doubted = [], []
    for entity in opinions.carried:
        rivals = [other for other in opinions.direct if _touch(entity, other)]
        if any(_same(entity, other) for other in rivals) or entity.score >= settings.carried_alone:
            agreed.append(entity)
        else:
            doubted.extend([entity, *rivals])
    for entity in opinions.direct:
        if not any(_touch(entity, other) for other in opinions.carried) and entity.score >= settings.direct_doubt:
            doubted.append(entity)
    return agreed, doubted


def _settle_three(
    carried: Sequence[Entity], direct: Sequence[Entity], fused: Sequence[Entity], settings: SilverSettings
) -> tuple[list[Entity], list[Entity]]:
    votes = Counter((e.start, e.end, e.label) for opinion in (carried, direct, fused) for e in opinion)
    agreed = [e for e in fused if votes[e.start, e.end, e.label] >= 2]
    known = {(e.start, e.end, e.label) for e in agreed}
    for entity in carried:
        if votes[entity.start, entity.end, entity.label] >= 2 and (entity.start, entity.end, entity.label) not in known:
            agreed.append(entity)
    doubted = [
        entity
        for opinion in (carried, direct, fused)
        for entity in opinion
        if not any(_touch(entity, other) for other in agreed) and entity.score >= settings.direct_doubt
    ]
    return agreed, doubted


def _touch(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _same(one: Entity, other: Entity) -> bool:
    return (one.start, one.end, one.label) == (other.start, other.end, other.label)
