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


@dataclass(frozen=True, slots=True)
class SilverPair:
    """What can be learnt from one pair.

    :param pair: The source with its silver labels, beside the pivot as it was annotated.
    :param pivot: The pivot by itself: spans that the source bears out are its labels, the others are unsure.
    """

    pair: Example
    pivot: Example


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

    def add(self, silver: SilverPair | None) -> None:
        """Count what a pair gave."""
        if silver is None:
            self.lost_span += 1
            return
        self.kept += 1
        self.spans += len(silver.pair.document.source.entities)
        self.unsure += len(silver.pair.unsure)

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in vars(self).items())


def make_silver(
    model: EncoderModel,
    documents: Iterable[Document],
    held_out: Collection[str],
    settings: SilverSettings,
    counts: SilverCounts,
) -> Iterator[SilverPair]:
    """Label parallel text.

    :param model: The model whose opinions are asked.
    :param documents: Pairs: a source and its pivot, no entities.
    :param held_out: Fingerprints of sentences that must not be trained on, on either side.
    :param settings: Whose word is taken.
    :param counts: Is added to as the pairs go through.
    :returns: Silver pairs in the order of the documents, see :func:`settle`; those held out or too long are missing.
    :yields: The examples.
    """
    usable = _usable(documents, held_out, settings, counts)
    while chunk := list(islice(usable, CHUNK)):
        for document, opinions in zip(chunk, ask(model, chunk, settings), strict=True):
            silver = settle(document, opinions, settings)
            counts.add(silver)
            if silver is not None:
                yield silver


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
class Opinions:
    """What the readings of one pair found.

    :param pivot: Spans of the pivot, read alone.
    :param carried: The pivot's spans that found a home in the source, with that home.
    :param lost: The pivot's spans that found none.
    :param direct: Spans of the source, read alone.
    :param fused: Spans of the source, read beside the tagged pivot; ``None`` if the model cannot do that yet.
    """

    pivot: tuple[Entity, ...]
    carried: tuple[tuple[Entity, Entity], ...]
    lost: tuple[Entity, ...]
    direct: tuple[Entity, ...]
    fused: tuple[Entity, ...] | None = None


def ask(model: EncoderModel, chunk: Sequence[Document], settings: SilverSettings) -> Iterator[Opinions]:
    """The opinions on each of some pairs, all of which have a pivot."""
    sources = [document.source for document in chunk]
    pivots = [document.pivot for document in chunk if document.pivot is not None]
    analyses: list[Analysis] = model.analyse([*sources, *pivots])
    by_source, by_pivot = analyses[: len(sources)], analyses[len(sources) :]
    tagged = [pivot.with_entities(one.entities) for pivot, one in zip(pivots, by_pivot, strict=True)]
    fused: Sequence[tuple[Entity, ...] | None] = [None] * len(chunk)
    if settings.fused:
        fused = model.label([Reading(source, pivot) for source, pivot in zip(sources, tagged, strict=True)])
    for source, pivot, own, other, both in zip(sources, tagged, by_source, by_pivot, fused, strict=True):
        projection = project(pivot, other.vectors, source.text, own.vectors, settings.alignment)
        yield Opinions(pivot.entities, projection.carried, projection.lost, own.entities, both)


def settle(document: Document, opinions: Opinions, settings: SilverSettings) -> SilverPair | None:
    """Take what is agreed on and doubt the rest.

    :param document: A pair.
    :param opinions: What the readings found in it.
    :param settings: Whose word is taken.
    :returns: What can be learnt; nothing if there was no third opinion and a span of the pivot has no home in the
        source.
    """
    pivot = document.pivot
    if pivot is None or (opinions.fused is None and opinions.lost):
        return None
    homes = [home for _, home in opinions.carried]
    if opinions.fused is None:
        agreed, doubted = _settle_two(homes, opinions.direct, settings)
    else:
        agreed, doubted = _settle_three(homes, opinions.direct, opinions.fused, settings)
    entities = without_overlap([replace(entity, match="exact") for entity in agreed])
    source = document.source.with_entities(entities)
    pair = replace(document, source=source, pivot=pivot.with_entities(opinions.pivot))
    supported = [entity for entity, home in opinions.carried if any(_same(home, other) for other in entities)]
    others = [entity for entity in opinions.pivot if entity not in supported]
    alone = Document(f"{document.id}-pivot", pivot.with_entities(tuple(supported)))
    return SilverPair(Example(pair, _stretches(doubted)), Example(alone, _stretches(others)))


def _stretches(entities: Sequence[Entity]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({(entity.start, entity.end) for entity in entities}))


def _settle_two(
    carried: Sequence[Entity], direct: Sequence[Entity], settings: SilverSettings
) -> tuple[list[Entity], list[Entity]]:
    """A carried span stands if it is sure of itself or the direct reading found it too."""
    agreed, doubted = [], []
    for entity in carried:
        rivals = [other for other in direct if _touch(entity, other)]
        if any(_same(entity, other) for other in rivals) or entity.score >= settings.carried_alone:
            agreed.append(entity)
        else:
            doubted.extend([entity, *rivals])
    for entity in direct:
        if not any(_touch(entity, other) for other in carried) and entity.score >= settings.direct_doubt:
            doubted.append(entity)
    return agreed, doubted


def _settle_three(
    carried: Sequence[Entity], direct: Sequence[Entity], fused: Sequence[Entity], settings: SilverSettings
) -> tuple[list[Entity], list[Entity]]:
    """A span stands if two readings of three found it."""
    found = [*fused, *direct, *carried]
    votes = Counter(_key(entity) for entity in found)
    agreed = list({_key(e): e for e in reversed(found) if votes[_key(e)] >= 2}.values())
    doubted = [
        entity
        for entity in found
        if not any(_touch(entity, other) for other in agreed) and entity.score >= settings.direct_doubt
    ]
    return agreed, doubted


def _key(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.label


def _touch(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _same(one: Entity, other: Entity) -> bool:
    return _key(one) == _key(other)
