"""Translate-test: the entities of the pivot, carried back to the source by word alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfusion.document import Document
from transfusion.encoder.model import EncoderModel
from transfusion.fuse.base import note_missing_translation
from transfusion.project.align import AlignmentSettings, project

LOST_SPAN = "lost-span"
"""Code of the note on a span of the pivot that found no home in the source."""


class ProjectionFuser:
    """Carries the pivot's entities over, and nothing else.

    :param model: The encoder, whose middle layer aligns the words.
    :param settings: What counts as aligned.
    """

    def __init__(self, model: EncoderModel, settings: AlignmentSettings | None = None) -> None:
        self.model = model
        self.settings = settings or AlignmentSettings()

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Carry entities over; a document without a pivot is labelled directly and says so."""
        pivots = [document.pivot for document in documents if document.pivot is not None]
        sources = self.model.analyse([document.source for document in documents])
        by_pivot = iter(self.model.analyse(pivots))
        fused = []
        for document, source in zip(documents, sources, strict=True):
            if document.pivot is None:
                entities = source.entities
                document = note_missing_translation(document)
            else:
                vectors = next(by_pivot).vectors
                carried = project(document.pivot, vectors, document.source.text, source.vectors, self.settings)
                entities = carried.entities
                for entity in carried.lost:
                    mention = document.pivot.mention(entity)
                    document = document.with_note(LOST_SPAN, f"{entity.label} {mention!r} has no counterpart here")
            fused.append(replace(document, source=document.source.with_entities(entities)))
        return fused
