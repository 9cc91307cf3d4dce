"""How texts are laid out for the network.

A text alone is read as ``<s> source </s>``; with a translation as ``<s> source </s> pivot </s>``, where the spans found
in the pivot stand between tags of their label, ``<PER> … </PER>``.  A tag is one position with an embedding of its own,
not a string that the vocabulary would cut up.  Labels stand on the source alone: on the first piece of every unit
(paper, section on encoder-only TransFusion).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.units import split_units
from transfusion.encoder.vocabulary import BOS, EOS, PAD, Vocabulary
from transfusion.errors import SchemaError

SOURCE, PIVOT, FIRST_TAG = 0, 1, 2
"""Kinds of position; the tags of label *k* are ``FIRST_TAG + 2 k`` (opening) and ``FIRST_TAG + 2 k + 1`` (closing)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of the source that gets one label.

    :param start: First code point.
    :param end: One past the last code point.
    :param position: Position in the network's input whose output is the label.
    """

    start: int
    end: int
    position: int


@dataclass(frozen=True, slots=True)
class EncoderInput:
    """One text, or one text and its pivot, as the network reads it.

    :param ids: Row of the embedding table for each position; tags carry the padding row.
    :param kinds: Kind of each position: source, pivot, or which tag.
    :param slots: Where labels are read off.
    """

    ids: tuple[int, ...]
    kinds: tuple[int, ...]
    slots: tuple[Slot, ...]

    def __len__(self) -> int:
        return len(self.ids)


class Layout:
    """Lays texts out for a network with given labels.

    :param vocabulary: The word pieces.
    :param labels: Labels in the order that the network numbers them.
    """

    def __init__(self, vocabulary: Vocabulary, labels: Sequence[str]) -> None:
        self.vocabulary = vocabulary
        self.labels = tuple(labels)

    @property
    def kinds(self) -> int:
        """How many kinds of position there are."""
        return FIRST_TAG + 2 * len(self.labels)

    def source_length(self, text: str) -> int:
        """Positions that a text takes as source, without the marks of its beginning and end."""
        return sum(map(len, self.vocabulary.encode(text, split_units(text))))

    def pivot_length(self, annotated: AnnotatedText) -> int:
        """Positions that an annotated text takes as pivot, without the mark of its end."""
        return self.source_length(annotated.text) + 2 * len(_visible(annotated))

    def lay_out(self, source: str, pivot: AnnotatedText | None = None, *, spaceless: bool = False) -> EncoderInput:
        """Lay out one text.

        :param source: The text that is to be labelled.
        :param pivot: Its translation with what was found there; none for labelling the text alone.
        :param spaceless: Whether to label the source piece by piece, as if its script wrote no spaces.
        :returns: What the network reads.
        :raises SchemaError: If the pivot has a label that the network does not know.
        """
        ids, kinds, slots = [BOS], [SOURCE], []
        for start, end, pieces in self._stretches(source, spaceless):
            slots.append(Slot(start, end, len(ids)))
            ids.extend(pieces)
        ids.append(EOS)
        kinds.extend([SOURCE] * (len(ids) - 1))
        if pivot is not None:
            opening, closing = self._tags(_visible(pivot))
            for start, end, pieces in self._stretches(pivot.text):
                # A span that begins or ends inside a stretch takes in the whole of it.
                self._emit(closing, start, ids, kinds)
                self._emit(opening, end - 1, ids, kinds)
                ids.extend(pieces)
                kinds.extend([PIVOT] * len(pieces))
            self._emit(closing, len(pivot.text), ids, kinds)
            ids.append(EOS)
            kinds.append(PIVOT)
        return EncoderInput(tuple(ids), tuple(kinds), tuple(slots))

    def _stretches(self, text: str, spaceless: bool = False) -> Iterator[tuple[int, int, list[int]]]:
        """The stretches of a text that can have a label of their own: start, end, ids of their pieces."""
        units = split_units(text, spaceless=spaceless)
        for unit, pieces in zip(units, self.vocabulary.encode(text, units), strict=True):
            if not unit.divisible:
                yield unit.start, unit.end, [piece.id for piece in pieces]
                continue
            start, ids = 0, []
            for index, piece in enumerate(pieces):
                # Several pieces may come from one character, and the mark of a space from none: these stay together.
                ids.append(piece.id)
                last = index + 1 == len(pieces)
                if last or (piece.end > start and pieces[index + 1].start >= piece.end):
                    yield unit.start + start, unit.end if last else unit.start + piece.end, ids
                    start, ids = piece.end, []

    def _tags(self, entities: Sequence[Entity]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Opening and closing tags as (code point, kind), in reading order; nested spans in nested tags."""
        unknown = sorted({entity.label for entity in entities} - set(self.labels))
        if unknown:
            raise SchemaError(f"the pivot has the labels {unknown}; this model knows {sorted(self.labels)}")
        tags = [(entity, FIRST_TAG + 2 * self.labels.index(entity.label)) for entity in entities]
        outermost = sorted(tags, key=lambda tag: (tag[0].start, -tag[0].end, tag[1]))
        innermost = sorted(tags, key=lambda tag: (tag[0].end, -tag[0].start, -tag[1]))
        return [(entity.start, kind) for entity, kind in outermost], [(e.end, kind + 1) for e, kind in innermost]

    @staticmethod
    def _emit(tags: list[tuple[int, int]], until: int, ids: list[int], kinds: list[int]) -> None:
        while tags and tags[0][0] <= until:
            kinds.append(tags.pop(0)[1])
            ids.append(PAD)


def _visible(annotated: AnnotatedText) -> list[Entity]:
    """Entities that tags can stand round: a span of white space alone has nothing inside it."""
    return [entity for entity in annotated.entities if not annotated.mention(entity).isspace()]


def slot_labels(slots: Sequence[Slot], entities: Sequence[Entity], labels: Sequence[str]) -> list[int]:
    """Gold label of each slot in IOB2: 0 outside, ``1 + 2 k`` where label *k* begins, ``2 + 2 k`` inside it."""
    ordered = sorted(entities, key=lambda entity: entity.start)
    result, current, begun = [], 0, False
    for slot in slots:
        while current < len(ordered) and ordered[current].end <= slot.start:
            current, begun = current + 1, False
        if current < len(ordered) and ordered[current].start < slot.end:
            result.append(1 + 2 * labels.index(ordered[current].label) + begun)
            begun = True
        else:
            result.append(0)
    return result


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of about one length, padded to the longest.

    :param embeddings: Word embeddings, zero for tags and padding. *Shape:* ``(batch, length, hidden_size)``.
    :param kinds: Kind of each position. *Shape:* ``(batch, length)``.
    :param mask: 1 where there is an input. *Shape:* ``(batch, length)``.
    """

    embeddings: NDArray[np.float32]
    kinds: NDArray[np.int64]
    mask: NDArray[np.int64]


def make_batch(inputs: Sequence[EncoderInput], table: EmbeddingTable) -> Batch:
    """Pad inputs to one length and look up their word embeddings.

    :param inputs: At least one input.
    :param table: The frozen word embeddings.
    :returns: The batch.
    """
    length = max(map(len, inputs))
    ids = np.full((len(inputs), length), PAD, np.int64)
    kinds = np.zeros((len(inputs), length), np.int64)
    mask = np.zeros((len(inputs), length), np.int64)
    for row, one in enumerate(inputs):
        ids[row, : len(one)] = one.ids
        kinds[row, : len(one)] = one.kinds
        mask[row, : len(one)] = 1
    embeddings = table[ids]
    embeddings[(ids == PAD)] = 0.0
    return Batch(embeddings, kinds, mask)
