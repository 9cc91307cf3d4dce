"""Fusing sentence by sentence, where it is known which sentence of the pivot translates which of the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from transfusion.document import Document, Note, SentencePair
from transfusion.fuse.base import NO_TRANSLATION


def by_sentence(documents: Sequence[Document], fuse: Callable[[Sequence[Document]], list[Document]]) -> list[Document]:
    """Fuse each sentence with its translation, and put what was found back into the documents.

    :param documents: Documents; one that does not know its sentences is fused as it is.
    :param fuse: A fuser.
    :returns: The same documents in the same order, with entities, relations and events of their sources.
    """
    parts = [_part(d, pair) if pair else d for d in documents for pair in (d.sentences or (None,))]
    fused = iter(fuse(parts))
    return [
        _joined(document, [next(fused) for _ in document.sentences]) if document.sentences else next(fused)
        for document in documents
    ]


def _part(document: Document, pair: SentencePair) -> Document:
    untranslated = document.pivot is None or pair.pivot_start == pair.pivot_end
    pivot = None if document.pivot is None or untranslated else document.pivot.part(pair.pivot_start, pair.pivot_end)
    return Document(document.id, document.source.blank().part(pair.start, pair.end), pivot)


def _joined(document: Document, parts: Sequence[Document]) -> Document:
    source = document.source.with_parts(
        (pair.start, part.source) for pair, part in zip(document.sentences, parts, strict=True)
    )
    pivot = document.pivot
    if pivot is not None and not pivot.annotated:
        # A fuser that reads the pivot, too, has annotated its sentences on the way.
        pivot = pivot.with_parts(
            (pair.pivot_start, part.pivot)
            for pair, part in zip(document.sentences, parts, strict=True)
            if part.pivot is not None
        )
    alone = sum(note.code == NO_TRANSLATION for part in parts for note in part.notes)
    if alone:
        message = f"{alone} of {len(parts)} sentences have no translation: labelled directly, without a pivot"
        document = document.with_note(NO_TRANSLATION, message, "warning")
    others: list[Note] = [note for part in parts for note in part.notes if note.code != NO_TRANSLATION]
    notes = (*document.notes, *others)
    return replace(document, source=source, pivot=pivot, notes=notes)
