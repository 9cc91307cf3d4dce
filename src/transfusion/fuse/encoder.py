"""Fusing with the encoder: the network reads the source beside the annotated pivot, or the source alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfusion.document import AnnotatedText, Document
from transfusion.encoder.model import EncoderModel, Reading
from transfusion.fuse.base import note_missing_translation, translation_of
from transfusion.fuse.sentences import by_sentence


class EncoderFuser:
    """Labels the source given the pivot and its tags (paper, encoder-only TransFusion).

    :param model: The encoder.
    """

    def __init__(self, model: EncoderModel) -> None:
        self.model = model

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Label each source beside its pivot; a document without one is labelled directly and says so."""
        return by_sentence(documents, self._fuse)

    def _fuse(self, documents: Sequence[Document]) -> list[Document]:
        readings = [Reading(document.source, self._tagged(translation_of(document))) for document in documents]
        found = self.model.label(readings)
        return [
            replace(
                document if translation_of(document) is not None else note_missing_translation(document),
                source=document.source.with_entities(entities),
            )
            for document, entities in zip(documents, found, strict=True)
        ]

    def _tagged(self, pivot: AnnotatedText | None) -> AnnotatedText | None:
        """The pivot with the spans that are sure enough: a wrong tag costs more than none."""
        if pivot is None:
            return None
        threshold = self.model.config.tag_threshold
        return pivot.with_entities(tuple(entity for entity in pivot.entities if entity.score >= threshold))


class DirectLabeller:
    """Labels the source alone, whatever translation there is: the zero-shot baseline.

    :param model: The encoder.
    """

    def __init__(self, model: EncoderModel) -> None:
        self.model = model

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Label each source without looking at its pivot."""
        found = self.model.label([Reading(document.source) for document in documents])
        return [
            replace(document, source=document.source.with_entities(entities))
            for document, entities in zip(documents, found, strict=True)
        ]
