"""Translate-test: the entities of the pivot, carried back to the source by word alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfusion.document import AnnotatedText, Document, Entity
from transfusion.encoder.model import Analysis, EncoderModel, Vectors
from transfusion.fuse.base import Fuser, note_missing_translation, translation_of
from transfusion.fuse.sentences import by_sentence
from transfusion.project.align import MOST_COMPARISONS, TOO_LONG, AlignmentSettings, project
from transfusion.project.base import LOST_SPAN


class ProjectionFuser:
    """Carries the pivot's entities over, and nothing else.

    :param model: The encoder, whose middle layer aligns the words.
    :param settings: What counts as aligned.
    :param alone: What reads a source that has no pivot to carry from; the encoder when left out.
    """

    def __init__(
        self, model: EncoderModel, settings: AlignmentSettings | None = None, *, alone: Fuser | None = None
    ) -> None:
        self.model = model
        self.settings = settings or AlignmentSettings()
        self.alone = alone

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Carry entities over; a document without a pivot, or too long a one, is labelled directly and says so."""
        return by_sentence(documents, self._fuse)

    def _fuse(self, documents: Sequence[Document]) -> list[Document]:
        pivots = [translation_of(document) for document in documents]
        sources = self.model.analyse([document.source for document in documents])
        by_pivot = iter(self.model.analyse([pivot for pivot in pivots if pivot is not None]))
        fused = []
        for document, source, pivot in zip(documents, sources, pivots, strict=True):
            if pivot is None:
                fused.append(self._read_alone(note_missing_translation(document), source))
            else:
                fused.append(self._carry(document, source, pivot, next(by_pivot).vectors))
        return fused

    def _carry(self, document: Document, source: Analysis, pivot: AnnotatedText, vectors: Vectors) -> Document:
        comparisons = len(source.vectors.slots) * len(vectors.slots)
        if comparisons > MOST_COMPARISONS:
            message = f"{comparisons} pairs of words are too many to align: labelled directly, without the pivot"
            return self._read_alone(document.with_note(TOO_LONG, message, "warning"), source)
        carried = project(pivot, vectors, document.source.text, source.vectors, self.settings)
        for entity in carried.lost:
            message = f"{entity.label} {pivot.mention(entity)!r} has no counterpart here"
            document = document.with_note(LOST_SPAN, message)
        return _with_entities(document, carried.entities)

    def _read_alone(self, document: Document, source: Analysis) -> Document:
        return _with_entities(document, source.entities) if self.alone is None else self.alone.fuse([document])[0]


def _with_entities(document: Document, entities: tuple[Entity, ...]) -> Document:
    return replace(document, source=document.source.with_entities(entities))
