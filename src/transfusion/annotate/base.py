"""The seam of the second stage: something that finds entities in the pivot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from transfusion.document import AnnotatedText, Document, Entity


class Annotator(Protocol):
    """Finds entities in texts of a language that it is good at."""

    def annotate(self, texts: Sequence[AnnotatedText], /) -> list[tuple[Entity, ...]]:
        """Entities of each text, in reading order; entities that a text already has are not read."""
        ...


class AnnotatePivot:
    """The second stage: annotates the pivot of every document that has one.

    A pivot that already carries entities, because the caller brought them along, keeps them.

    :param annotator: What finds the entities.
    :param batch_size: Documents that are annotated together.
    """

    def __init__(self, annotator: Annotator, batch_size: int = 256) -> None:
        self.annotator = annotator
        self.batch_size = batch_size

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, their pivots annotated."""
        remaining = iter(documents)
        while batch := list(islice(remaining, self.batch_size)):
            pivots = [d.pivot for d in batch if d.pivot is not None and not d.pivot.entities]
            found = iter(zip(pivots, self.annotator.annotate(pivots), strict=True))
            for document in batch:
                if document.pivot is None or document.pivot.entities:
                    yield document
                else:
                    pivot, entities = next(found)
                    yield replace(document, pivot=pivot.with_entities(entities))
