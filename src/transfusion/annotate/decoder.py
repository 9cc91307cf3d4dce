"""Annotating with a decoder: the model reads the pivot alone, in GoLLIE's form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from transfusion.decoder.fit import Reading
from transfusion.decoder.model import DecoderModel
from transfusion.document import AnnotatedText, Document, Entity


class DecoderAnnotator:
    """Annotates texts by themselves; also the second stage, for a decoder that does not fuse.

    As a stage it fills in entities, relations and events of pivots and notes what went wrong; a pivot that came with
    annotations keeps them.

    :param model: The decoder.
    """

    def __init__(self, model: DecoderModel) -> None:
        self.model = model

    def annotate(self, texts: Sequence[AnnotatedText], /) -> list[tuple[Entity, ...]]:
        """Entities of each text, in reading order."""
        return [done.source.entities for done in self._read(texts)]

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, their pivots annotated; those of a batch are read together."""
        batch = list(documents)
        pivots = [d.pivot for d in batch if d.pivot is not None and not d.pivot.annotated]
        found = iter(self._read(pivots))
        for document in batch:
            if document.pivot is None or document.pivot.annotated:
                yield document
            else:
                done = next(found)
                yield replace(document, pivot=done.source, notes=(*document.notes, *done.notes))

    def _read(self, texts: Sequence[AnnotatedText]) -> list[Reading]:
        return self.model.read([Reading(text.blank()) for text in texts])
