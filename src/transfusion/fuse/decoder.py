"""Fusing with a decoder: one pass annotates the pivot and then, with that before its eyes, the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfusion.decoder.fit import SPLIT, Reading
from transfusion.decoder.model import SCHEMA_SPLIT, DecoderModel
from transfusion.document import Document
from transfusion.fuse.base import note_missing_translation, translation_of
from transfusion.fuse.sentences import by_sentence


class DecoderFuser:
    """Writes the annotations of the pivot and those of the source (paper, TransFusion with GoLLIE-TF).

    The pivot is filled in on the way. What the caller brought along with a pivot is written into the prompt, and the
    model goes on from there. Sentences are read one by one where it is known which became which.

    :param model: The decoder.
    :param annotate: Whether the pivot is annotated first; without, the model reads it as it is (the paper's *w/o
        annotate*).
    """

    def __init__(self, model: DecoderModel, *, annotate: bool = True) -> None:
        self.model = model
        self.annotate = annotate

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Annotate each source beside its pivot; a document without one is read alone and says so."""
        done: dict[int, Document] = {}
        # A sentence cannot tell whether its pivot has no names or has not been read: only its document can.
        for brought in dict.fromkeys(map(_brought, documents)):
            numbers = [number for number, document in enumerate(documents) if _brought(document) == brought]
            fused = by_sentence([documents[n] for n in numbers], lambda parts: self._fuse(parts, *brought))  # noqa: B023
            done |= zip(numbers, map(_once, fused), strict=True)
        return [done[number] for number in range(len(documents))]

    def _fuse(self, documents: Sequence[Document], entities: bool, events: bool) -> list[Document]:
        readings = [
            Reading(document.source.blank(), translation_of(document), entities, events) for document in documents
        ]
        return [
            _filled(document if translation_of(document) is not None else note_missing_translation(document), reading)
            for document, reading in zip(documents, self.model.read(readings, annotate=self.annotate), strict=True)
        ]


class DecoderDirect:
    """Reads the source alone, whatever translation there is: GoLLIE, zero-shot.

    :param model: The decoder.
    """

    def __init__(self, model: DecoderModel) -> None:
        self.model = model

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Annotate each source without looking at its pivot."""
        done = self.model.read([Reading(document.source.blank()) for document in documents])
        return [_filled(document, reading) for document, reading in zip(documents, done, strict=True)]


def _brought(document: Document) -> tuple[bool, bool]:
    """Whether the pivot came with entities, and whether with events."""
    pivot = document.pivot
    return (False, False) if pivot is None else (bool(pivot.entities), bool(pivot.events))


def _filled(document: Document, reading: Reading) -> Document:
    pivot = document.pivot if reading.pivot is None else reading.pivot
    return replace(document, source=reading.source, pivot=pivot, notes=(*document.notes, *reading.notes))


def _once(document: Document) -> Document:
    """The document with notes that would stand there for each sentence once."""
    seen: set[str] = set()
    notes = []
    for note in document.notes:
        if note.code not in (SPLIT, SCHEMA_SPLIT) or note.code not in seen:
            notes.append(note)
        seen.add(note.code)
    return replace(document, notes=tuple(notes))
