"""Fusing with a chat model: the paper's experiment with GPT-4, zero-shot, in one step or in two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from transfusion.chat.usage import Estimate
from transfusion.decoder.fit import Reading
from transfusion.document import Document
from transfusion.fuse.base import note_missing_translation, translation_of
from transfusion.prompting.model import ChatModel
from transfusion.prompting.wording import Task


class ChatFuser:
    """The second of two steps: the model sees the source, its pivot and what was found in that.

    :param model: The chat model.
    :param annotated: Whether it sees what was found; without, it reads the pivot as it is (the paper's *w/o annotate*).
    """

    def __init__(self, model: ChatModel, *, annotated: bool = True) -> None:
        self.model = model
        self._task: Task = "given" if annotated else "beside"

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Annotate each source beside its pivot; a document without one is read alone and says so.

        :param documents: Documents.
        :returns: The same documents in the same order, with what was found in their sources.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        return _fused(self.model, documents, self._task)

    def estimate(self, documents: Iterable[Document], /) -> Estimate:
        """Reckon what fusing would take, without asking the server; see :meth:`ChatModel.estimate`."""
        return self.model.estimate(list(_readings(documents)), self._task)


class ChatTransFusion:
    """Both steps in one answer: what the pivot says, and then, with that before its eyes, what the source says.

    The pivot is filled in on the way. One that came with annotations is shown with them, and only the source is asked
    for.

    :param model: The chat model.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Annotate each pivot and its source; a document without a pivot is read alone and says so.

        :param documents: Documents.
        :returns: The same documents in the same order, with what was found in both texts.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        done: dict[int, Document] = {}
        tasks = [_task(document) for document in documents]
        for task in dict.fromkeys(tasks):
            numbers = [number for number, other in enumerate(tasks) if other == task]
            done |= zip(numbers, _fused(self.model, [documents[n] for n in numbers], task), strict=True)
        return [done[number] for number in range(len(documents))]

    def estimate(self, documents: Iterable[Document], /) -> Estimate:
        """Reckon what fusing would take, without asking the server; see :meth:`ChatModel.estimate`."""
        return self.model.estimate(list(_readings(documents)), "both")


class ChatDirect:
    """Reads the source alone, whatever translation there is: zero-shot *direct*.

    :param model: The chat model.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def fuse(self, documents: Sequence[Document], /) -> list[Document]:
        """Annotate each source without looking at its pivot.

        :param documents: Documents.
        :returns: The same documents in the same order, with what was found in their sources.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        read = self.model.read([Reading(document.source.blank()) for document in documents], "alone")
        return [_filled(document, reading) for document, reading in zip(documents, read, strict=True)]

    def estimate(self, documents: Iterable[Document], /) -> Estimate:
        """Reckon what reading would take, without asking the server; see :meth:`ChatModel.estimate`."""
        return self.model.estimate([Reading(document.source.blank()) for document in documents], "alone")


def _task(document: Document) -> Task:
    pivot = translation_of(document)
    return "given" if pivot is not None and pivot.annotated else "both"


def _fused(model: ChatModel, documents: Sequence[Document], task: Task) -> list[Document]:
    read = model.read(list(_readings(documents)), task, sentences=[document.sentences for document in documents])
    return [
        _filled(document if translation_of(document) is not None else note_missing_translation(document), reading)
        for document, reading in zip(documents, read, strict=True)
    ]


def _readings(documents: Iterable[Document]) -> Iterator[Reading]:
    return (Reading(document.source.blank(), translation_of(document)) for document in documents)


def _filled(document: Document, reading: Reading) -> Document:
    pivot = document.pivot if reading.pivot is None else reading.pivot
    return replace(document, source=reading.source, pivot=pivot, notes=(*document.notes, *reading.notes))
