"""What flows: one immutable document, two annotated texts, filled from left to right.

Offsets count Unicode code points of the text as the caller gave it, so ``text[start:end]`` is always the mention.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Match = Literal["exact", "aligned", "similar", "grounded"]
"""How a span was found in the text.

``exact``: a model labelled these very characters; ``aligned``: carried over by word alignment, or by marks that a
translator kept or would have put there; ``similar``: carried over by string similarity; ``grounded``: a string that a
model wrote, looked up in the text.
"""

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the results should know about one document.

    :param code: Stable, short name that summaries count by, for example ``no-translation``.
    :param message: The sentence for people.
    :param severity: ``error`` means that the document could not be processed.
    """

    code: str
    message: str
    severity: Severity = "info"


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span.

    :param start: First code point of the mention.
    :param end: One past its last code point.
    :param label: Label, as the schema names it.
    :param score: Probability between 0 and 1; 1 for gold.
    :param match: How the span was found in the text.
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    match: Match = "exact"

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"an entity needs 0 <= start < end, not start={self.start}, end={self.end}")

    def shifted(self, offset: int) -> Entity:
        """The same entity, ``offset`` code points further on."""
        return replace(self, start=self.start + offset, end=self.end + offset)


@dataclass(frozen=True, slots=True)
class Relation:
    """A labelled link between two entities.

    :param label: Label, as the schema names it.
    :param head: First argument.
    :param tail: Second argument.
    :param score: Probability between 0 and 1.
    """

    label: str
    head: Entity
    tail: Entity
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Argument:
    """A participant of an event: a role and the span that fills it."""

    role: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger and its arguments.

    :param label: Label, as the schema names it.
    :param trigger: The span that evokes the event.
    :param arguments: Participants, in reading order.
    :param score: Probability between 0 and 1.
    """

    label: str
    trigger: Entity
    arguments: tuple[Argument, ...] = ()
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text in one language and what was found in it.

    :param text: The text, exactly as given.
    :param language: ISO 639-3 code.
    :param entities: Entities in reading order.
    :param relations: Relations between entities of this text.
    :param events: Events of this text.
    :raises ValueError: If an entity reaches past the end of the text.
    """

    text: str
    language: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        for entity in self.entities:
            if entity.end > len(self.text):
                raise ValueError(f"{entity} reaches past the end of a text of {len(self.text)} characters")

    def mention(self, entity: Entity) -> str:
        """The characters that ``entity`` covers."""
        return self.text[entity.start : entity.end]

    def with_entities(self, entities: tuple[Entity, ...]) -> AnnotatedText:
        """The same text with other entities, put in reading order."""
        return replace(self, entities=tuple(sorted(entities, key=lambda e: (e.start, e.end, e.label))))


@dataclass(frozen=True, slots=True)
class SentencePair:
    """A sentence of the source and where its translation stands in the pivot.

    :param start: First code point of the sentence in the source.
    :param end: One past its last.
    :param pivot_start: First code point of its translation in the pivot.
    :param pivot_end: One past its last; the same as ``pivot_start`` where the sentence has no translation.
    """

    start: int
    end: int
    pivot_start: int
    pivot_end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.end and 0 <= self.pivot_start <= self.pivot_end):
            raise ValueError(f"a sentence pair needs 0 <= start < end and 0 <= pivot_start <= pivot_end, not {self}")


@dataclass(frozen=True, slots=True)
class Document:
    """One text on its way through the pipeline.

    :param id: Name that the caller knows the document by.
    :param source: The text in the language without labelled data.
    :param pivot: Its translation, once there is one.
    :param notes: What happened on the way.
    :param sentences: Which sentence of the source became which of the pivot, in order; empty where unknown.
    :raises ValueError: If a sentence reaches past the end of its text.
    """

    id: str
    source: AnnotatedText
    pivot: AnnotatedText | None = None
    notes: tuple[Note, ...] = field(default=())
    sentences: tuple[SentencePair, ...] = ()

    def __post_init__(self) -> None:
        length, pivot_length = len(self.source.text), 0 if self.pivot is None else len(self.pivot.text)
        for pair in self.sentences:
            if pair.end > length or pair.pivot_end > pivot_length:
                raise ValueError(f"{pair} reaches past the end of texts of {length} and {pivot_length} characters")

    @property
    def failed(self) -> bool:
        """Whether some stage could not process the document."""
        return any(note.severity == "error" for note in self.notes)

    def with_note(self, code: str, message: str, severity: Severity = "info") -> Document:
        """The same document with one more note."""
        return replace(self, notes=(*self.notes, Note(code, message, severity)))

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data: the JSON line of the ``jsonl`` format.

        Keys ``id``, ``text``, ``language``, ``entities``, ``pivot`` (``None`` without translation) and ``notes``; each
        entity holds ``start``, ``end``, ``label``, ``text``, ``score`` and ``match``. Where sentences were translated
        one by one, ``sentences`` holds ``[start, end, pivot start, pivot end]`` of each.
        """
        record: dict[str, Any] = {
            "id": self.id,
            "text": self.source.text,
            "language": self.source.language,
            "entities": _entities_to_list(self.source),
            "pivot": None
            if self.pivot is None
            else {
                "text": self.pivot.text,
                "language": self.pivot.language,
                "entities": _entities_to_list(self.pivot),
            },
            "notes": [{"code": n.code, "message": n.message, "severity": n.severity} for n in self.notes],
        }
        if self.sentences:
            record["sentences"] = [[s.start, s.end, s.pivot_start, s.pivot_end] for s in self.sentences]
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Document:
        """Read back what :meth:`to_dict` wrote.

        :param record: The fields.
        :returns: The document.
        :raises KeyError: If a field is missing.
        :raises ValueError: If an entity or a sentence does not fit its text.
        """
        pivot = record.get("pivot")
        return cls(
            id=record["id"],
            source=_annotated_from_dict(record),
            pivot=None if pivot is None else _annotated_from_dict(pivot),
            notes=tuple(Note(n["code"], n["message"], n["severity"]) for n in record.get("notes", ())),
            sentences=tuple(SentencePair(*offsets) for offsets in record.get("sentences", ())),
        )


def _entities_to_list(annotated: AnnotatedText) -> list[dict[str, Any]]:
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "label": entity.label,
            "text": annotated.mention(entity),
            "score": round(entity.score, 4),
            "match": entity.match,
        }
        for entity in annotated.entities
    ]


def _annotated_from_dict(record: dict[str, Any]) -> AnnotatedText:
    return AnnotatedText(
        text=record["text"],
        language=record["language"],
        entities=tuple(
            Entity(e["start"], e["end"], e["label"], e.get("score", 1.0), e.get("match", "exact"))
            for e in record.get("entities", ())
        ),
    )
