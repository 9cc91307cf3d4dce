"""Fusing sentence by sentence, where it is known which sentence of the pivot translates which of the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from transfusion.document import AnnotatedText, Document, Note, SentencePair
from transfusion.fuse.base import NO_TRANSLATION


def by_sentence(documents: Sequence[Document], fuse: Callable[[Sequence[Document]], list[Document]]) -> list[Document]:
    """Fuse each sentence with its translation, and put the entities back into the documents.

    :param documents: Documents; one that does not know its sentences is fused as it is.
    :param fuse: A fuser.
    :returns: The same documents in the same order, with entities of their sources.
    """
    parts = [_part(d, pair) if pair else d for d in documents for pair in (d.sentences or (None,))]
    fused = iter(fuse(parts))
    return [
        _joined(document, [next(fused) for _ in document.sentences]) if document.sentences else next(fused)
        for document in documents
    ]


def _part(document: Document, pair: SentencePair) -> Document:
    source = AnnotatedText(document.source.text[pair.start : pair.end], document.source.language)
    pivot = None if document.pivot is None else _slice(document.pivot, pair.pivot_start, pair.pivot_end)
    return Document(document.id, source, pivot)


def _slice(text: AnnotatedText, start: int, end: int) -> AnnotatedText | None:
    if start == end:
        return None
    inside = tuple(entity.shifted(-start) for entity in text.entities if start <= entity.start and entity.end <= end)
    return AnnotatedText(text.text[start:end], text.language, inside)


def _joined(document: Document, parts: Sequence[Document]) -> Document:
    entities = [
        entity.shifted(pair.start)
        for pair, part in zip(document.sentences, parts, strict=True)
        for entity in part.source.entities
    ]
    alone = sum(note.code == NO_TRANSLATION for part in parts for note in part.notes)
    if alone:
        message = f"{alone} of {len(parts)} sentences have no translation: labelled directly, without a pivot"
        document = document.with_note(NO_TRANSLATION, message, "warning")
    others: list[Note] = [note for part in parts for note in part.notes if note.code != NO_TRANSLATION]
    notes = (*document.notes, *others)
    return replace(document, source=document.source.with_entities(tuple(entities)), notes=notes)
