r"""Unpaired surrogates: the only code points that no UTF-8 file can hold.

JSON can bring them in (``"\ud83d"``, half of an emoji that some program cut in two).  Each is replaced by U+FFFD, one
code point for one, so no offset moves; a note on the document says so.
"""

from __future__ import annotations

import re
from dataclasses import replace

from transfusion.document import AnnotatedText, Argument, Document, Entity, Note

SURROGATES = "unpaired-surrogate"
"""Code of the note on a document in which surrogates were replaced."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(document: Document) -> Document:
    """The document as UTF-8 can hold it.

    :param document: Any document.
    :returns: The same document; where one of its texts or names held unpaired surrogates, with U+FFFD in their place
        and a warning.
    """
    pivot = document.pivot
    cleaned = replace(
        document,
        id=_clean(document.id),
        source=_clean_text(document.source),
        pivot=None if pivot is None else _clean_text(pivot),
        notes=tuple(Note(_clean(n.code), _clean(n.message), n.severity) for n in document.notes),
    )
    if cleaned == document:
        return document
    return cleaned.with_note(
        SURROGATES, "half an emoji or the like was replaced by U+FFFD; offsets still fit", "warning"
    )


def _clean_text(annotated: AnnotatedText) -> AnnotatedText:
    return replace(
        annotated,
        text=_clean(annotated.text),
        language=_clean(annotated.language),
        entities=tuple(map(_clean_entity, annotated.entities)),
        relations=tuple(
            replace(link, label=_clean(link.label), head=_clean_entity(link.head), tail=_clean_entity(link.tail))
            for link in annotated.relations
        ),
        events=tuple(
            replace(
                event,
                label=_clean(event.label),
                trigger=_clean_entity(event.trigger),
                arguments=tuple(Argument(_clean(each.role), _clean_entity(each.entity)) for each in event.arguments),
            )
            for event in annotated.events
        ),
    )


def _clean_entity(entity: Entity) -> Entity:
    return replace(entity, label=_clean(entity.label))


def _clean(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
