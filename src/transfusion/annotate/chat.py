"""Annotating with a chat model: it reads the pivot alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from transfusion.chat.usage import Estimate
from transfusion.decoder.fit import Reading
from transfusion.document import AnnotatedText, Document, Entity, Note, Severity
from transfusion.prompting.model import ChatModel


class ChatAnnotator:
    """Annotates texts by themselves; also the second stage, the first of two steps of prompting.

    As a stage it fills in entities, relations and events of pivots and notes what went wrong. A pivot that came with
    annotations keeps them, and one that the model gives no answer about stays as it is, with a warning: its document
    can still be read.

    :param model: The chat model.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def annotate(self, texts: Sequence[AnnotatedText], /) -> list[tuple[Entity, ...]]:
        """Entities of each text, in reading order."""
        return [done.source.entities for done in self._read(texts)]

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, their pivots annotated; those of a batch are asked for together.

        :param documents: Documents.
        :yields: Each with what was found in its pivot.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        batch = list(documents)
        found = iter(self._read(_unread(batch)))
        for document in batch:
            if document.pivot is None or document.pivot.annotated:
                yield document
            else:
                done = next(found)
                notes = (Note(n.code, f"translation: {n.message}", _mild(n)) for n in done.notes)
                yield replace(document, pivot=done.source, notes=(*document.notes, *notes))

    def estimate(self, documents: Iterable[Document], /) -> Estimate:
        """Reckon what the stage would take, without asking the server; see :meth:`ChatModel.estimate`.

        :param documents: Documents; one without a pivot is taken to get one of about its length.
        :returns: Requests, tokens and, where prices are known, cost.
        """
        pivots = _unread(d if d.pivot is not None else replace(d, pivot=d.source.blank()) for d in documents)
        return self.model.estimate([Reading(pivot) for pivot in pivots], "alone")

    def _read(self, texts: Sequence[AnnotatedText]) -> list[Reading]:
        return self.model.read([Reading(text.blank()) for text in texts], "alone")


def _unread(documents: Iterable[Document]) -> list[AnnotatedText]:
    """The pivots that nobody has annotated."""
    return [d.pivot for d in documents if d.pivot is not None and not d.pivot.annotated]


def _mild(note: Note) -> Severity:
    return "warning" if note.severity == "error" else note.severity
