"""The training mixture: annotated English, and some of it translated with its spans carried over.

D_mix of *Translation and Fusion* (Chen, Shah and Ritter, ACL 2025, section 3.3) holds, for each task, English examples
and, for each target language, a few examples {x_src, y_src, x_tgt^trans, y_tgt^trans}.  Here a translated record is an
:class:`~transfusion.train.examples.Example` whose *source* is the text in the target language and whose *pivot* is the
English that it was translated from, each with its annotations: the way round that a model meets them at inference.

Everything follows from the configuration and the seed: a mixture made twice is the same file, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from random import Random
from typing import Any, Protocol

from transfusion.document import AnnotatedText, Document
from transfusion.project.base import Projection
from transfusion.train.examples import Example
from transfusion.translate.quality import find_faults

CHUNK = 64
"""Candidates that are translated together."""


@dataclass(frozen=True, slots=True)
class Task:
    """A corpus whose annotations are the task.

    :param name: Name of the task in records and tables.
    :param documents: Annotated texts, all in one language.
    :param english: How many of them go into the mixture as they are.
    :param translated: How many go in for each target language.
    """

    name: str
    documents: tuple[Document, ...]
    english: int
    translated: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A text in the target language and what became of the spans.

    :param text: The text, with the spans that arrived.
    :param projection: Which span went where, and which were lost.
    """

    text: AnnotatedText
    projection: Projection


class Carrier(Protocol):
    """Translates annotated texts together with their annotations."""

    @property
    def signature(self) -> str:
        """Translator and method, with everything that decides what they do."""
        ...

    def carry(self, texts: Sequence[AnnotatedText], /, *, target: str) -> list[Carried | None]:
        """Translate texts and carry their spans over.

        :param texts: Annotated texts of one language.
        :param target: ISO 639-3 code of the language to translate into.
        :returns: A result for each text; ``None`` where there is no translation.
        :raises LanguageError: If the translator does not know the language.
        """
        ...


@dataclass(slots=True)
class MixtureCounts:
    """What became of the candidates of one task and language.

    :param tried: Candidates that were translated.
    :param kept: Those that became records.
    :param untranslated: Those without a translation.
    :param lost_span: Those with a span that did not arrive.
    :param faulty: Those whose translation looks broken.
    :param spans: Spans in the records.
    :param faults: How often each sign of a broken translation was seen.
    """

    tried: int = 0
    kept: int = 0
    untranslated: int = 0
    lost_span: int = 0
    faulty: int = 0
    spans: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain data."""
        return {**asdict(self), "faults": dict(sorted(self.faults.items()))}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MixtureCounts:
        """Read back what :meth:`to_dict` wrote."""
        return cls(**{**record, "faults": Counter(record["faults"])})


def english_records(task: Task, seed: int) -> Iterator[dict[str, Any]]:
    """The records of a task in its own language.

    :param task: The task.
    :param seed: Decides which documents are taken when there are more than enough.
    :yields: Records, in the order of the corpus.
    """
    for document in _chosen(task.documents, task.english, _random(seed, task.name)):
        yield _record(Example(replace(document, pivot=None)), task.name, {"checks": ["gold"]})


def translated_records(
    task: Task, language: str, carrier: Carrier, seed: int, counts: MixtureCounts
) -> Iterator[dict[str, Any]]:
    """The records of a task in a target language.

    Candidates are drawn in random order, one in ten of them without a span, until enough of them pass: every span
    arrived, and the translation shows no severe sign of being broken.

    :param task: The task.
    :param language: ISO 639-3 code of the target language.
    :param carrier: What translates, and carries the spans.
    :param seed: Decides the order.
    :param counts: Is added to.
    :yields: Records, at most ``task.translated``.
    :raises LanguageError: If the carrier does not know the language.
    """
    candidates = _candidates(task, _random(seed, task.name, language))
    while counts.kept < task.translated and (chunk := list(islice(candidates, CHUNK))):
        results = carrier.carry([document.source for document in chunk], target=language)
        for document, carried in zip(chunk, results, strict=True):
            if counts.kept == task.translated:
                break
            counts.tried += 1
            if _passes(document, carried, counts) and carried is not None:
                counts.kept += 1
                counts.spans += len(carried.text.entities)
                pair = Document(f"{document.id}-{language}", carried.text, document.source)
                provenance = {
                    "from": document.id,
                    "carrier": carrier.signature,
                    "checks": ["every-span", "no-severe-fault"],
                }
                yield _record(Example(pair), task.name, provenance)


def _passes(document: Document, carried: Carried | None, counts: MixtureCounts) -> bool:
    if carried is None:
        counts.untranslated += 1
        return False
    faults = find_faults(
        document.source.text,
        carried.text.text,
        source_language=document.source.language,
        target_language=carried.text.language,
    )
    counts.faults.update(fault.code for fault in faults)
    if any(fault.severe for fault in faults):
        counts.faulty += 1
        return False
    if carried.projection.lost or len(carried.text.entities) != len(document.source.entities):
        counts.lost_span += 1
        return False
    return True


def _candidates(task: Task, random: Random) -> Iterator[Document]:
    """Documents in random order, one in ten of them without a span, as long as there are both."""
    shuffled = random.sample(task.documents, len(task.documents))
    filled = iter([document for document in shuffled if document.source.entities])
    blank = iter([document for document in shuffled if not document.source.entities])
    for filled_ones in iter(lambda: list(islice(filled, 9)), []):
        yield from filled_ones
        yield from islice(blank, 1)
    yield from blank


def _record(example: Example, task: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {**example.to_dict(), "task": task, "provenance": dict(provenance)}


def _random(seed: int, *names: str) -> Random:
    """Chance of its own for each part, so that one more language changes nothing in the others."""
    digest = hashlib.blake2b("\0".join((str(seed), *names)).encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))


def _chosen(documents: Sequence[Document], count: int, random: Random) -> Iterable[Document]:
    if count >= len(documents):
        return documents
    return [documents[index] for index in sorted(random.sample(range(len(documents)), count))]
