"""The seam of the third stage: something that decides the entities of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from transfusion.document import AnnotatedText, Document

NO_TRANSLATION = "no-translation"
"""Code of the note on a document that was labelled without a translation though the system reads one."""


class Fuser(Protocol):
    """Decides the entities of sources, most fusers by looking at their pivots too."""

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """The same documents in the same order, with the entities of their sources."""
        ...


class FuseSource:
    """The third stage: labels the source of every document.

    :param fuser: What decides the entities.
    :param batch_size: Documents that are labelled together.
    """

    def __init__(self, fuser: Fuser, batch_size: int = 256) -> None:
        self.fuser = fuser
        self.batch_size = batch_size

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, their sources labelled."""
        remaining = iter(documents)
        while batch := list(islice(remaining, self.batch_size)):
            yield from self.fuser.fuse(batch)


def translation_of(document: Document) -> AnnotatedText | None:
    """The pivot of a document, unless there is none or nothing is written in it."""
    return document.pivot if document.pivot is not None and document.pivot.text.strip() else None


def note_missing_translation(document: Document) -> Document:
    """A document without a pivot, noting that it was labelled by itself."""
    return document.with_note(NO_TRANSLATION, "no translation at hand: labelled directly, without a pivot", "warning")
