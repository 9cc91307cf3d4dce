"""A pivot annotated without an annotator: by the entities of its source, carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from transfusion.document import AnnotatedText, Document, Note
from transfusion.project.base import LOST_SPAN, Projection, Projector

NO_PIVOT = "no-translation"
"""Code of the note on a document whose entities cannot be carried anywhere."""


class ProjectToPivot:
    """Gives the pivot of every document the entities of its source.

    Spans that find no home are noted on the document.

    :param projector_for: Makes a method for a language and that of its translation (ISO 639-3 codes); asked once for
        each pair of languages.
    """

    def __init__(self, projector_for: Callable[[str, str], Projector]) -> None:
        self.projector_for = projector_for
        self._projectors: dict[tuple[str, str], Projector] = {}

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, their pivots annotated; documents of a batch are carried together."""
        batch = list(documents)
        groups: dict[tuple[str, str], list[int]] = {}
        for number, document in enumerate(batch):
            if document.pivot is None or not document.pivot.text.strip():
                message = "no translation at hand: its entities were carried nowhere"
                batch[number] = document.with_note(NO_PIVOT, message, "warning")
            else:
                groups.setdefault((document.source.language, document.pivot.language), []).append(number)
        for languages, numbers in groups.items():
            if languages not in self._projectors:
                self._projectors[languages] = self.projector_for(*languages)
            sources = [batch[number].source for number in numbers]
            pivots = [pivot for number in numbers if (pivot := batch[number].pivot) is not None]
            found = self._projectors[languages].project(sources, pivots)
            for number, pivot, projection in zip(numbers, pivots, found, strict=True):
                batch[number] = _with_projection(batch[number], pivot, projection)
        yield from batch


def _with_projection(document: Document, pivot: AnnotatedText, projection: Projection) -> Document:
    lost = (
        Note(LOST_SPAN, f"{entity.label} {document.source.mention(entity)!r} has no counterpart in the translation")
        for entity in projection.lost
    )
    pivot = pivot.with_entities(projection.entities)
    return replace(document, pivot=pivot, notes=(*document.notes, *lost, *projection.notes))
