"""What flows: one immutable document, two annotated texts, filled from left to right.

Offsets count Unicode code points of the text as the caller gave it, so ``text[start:end]`` is always the mention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Match = Literal["exact", "aligned", "similar", "grounded", "case", "normalised", "variant", "inside", "near"]
"""How a span was found in the text.

``exact``: a model labelled these very characters, or wrote them; ``aligned``: carried over by word alignment, or by
marks that a translator kept or would have put there; ``similar``: carried over by string similarity; ``grounded``: a
string that a model wrote, looked up in the text, without a word on how.

Strings that a decoder or a chat model wrote are looked up in this order. ``exact``; ``case``: other capitals;
``normalised``: the same after Unicode normalisation (NFKC, invisible characters left out); ``variant``: other accents,
vowel points, spaces, quotation marks or dashes; ``inside``: a part of a longer word, such as a name with its prefix or
suffix; ``near``: a few letters differ.
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

    @property
    def spans(self) -> tuple[Entity, ...]:
        """Both arguments."""
        return self.head, self.tail

    def shifted(self, offset: int) -> Relation:
        """The same relation, ``offset`` code points further on."""
        return replace(self, head=self.head.shifted(offset), tail=self.tail.shifted(offset))


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

    @property
    def spans(self) -> tuple[Entity, ...]:
        """The trigger and what fills the roles."""
        return self.trigger, *(argument.entity for argument in self.arguments)

    def shifted(self, offset: int) -> Event:
        """The same event, ``offset`` code points further on."""
        arguments = tuple(replace(each, entity=each.entity.shifted(offset)) for each in self.arguments)
        return replace(self, trigger=self.trigger.shifted(offset), arguments=arguments)


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text in one language and what was found in it.

    :param text: The text, exactly as given.
    :param language: ISO 639-3 code.
    :param entities: Entities in reading order.
    :param relations: Relations between entities of this text.
    :param events: Events of this text.
    :raises ValueError: If a span reaches past the end of the text.
    """

    text: str
    language: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        links: tuple[Relation | Event, ...] = (*self.relations, *self.events)
        for entity in (*self.entities, *(span for link in links for span in link.spans)):
            if entity.end > len(self.text):
                raise ValueError(f"{entity} reaches past the end of a text of {len(self.text)} characters")

    @property
    def annotated(self) -> bool:
        """Whether anything was found in the text."""
        return bool(self.entities or self.relations or self.events)

    def mention(self, entity: Entity) -> str:
        """The characters that ``entity`` covers."""
        return self.text[entity.start : entity.end]

    def with_entities(self, entities: tuple[Entity, ...]) -> AnnotatedText:
        """The same text with other entities, put in reading order."""
        return replace(self, entities=tuple(sorted(entities, key=lambda e: (e.start, e.end, e.label))))

    def blank(self) -> AnnotatedText:
        """The same text as if nobody had read it."""
        return AnnotatedText(self.text, self.language)

    def part(self, start: int, end: int) -> AnnotatedText:
        """A stretch by itself, with the annotations that lie wholly in it; their offsets count from ``start``."""

        def inside(*spans: Entity) -> bool:
            return all(start <= span.start and span.end <= end for span in spans)

        return AnnotatedText(
            self.text[start:end],
            self.language,
            tuple(entity.shifted(-start) for entity in self.entities if inside(entity)),
            tuple(relation.shifted(-start) for relation in self.relations if inside(*relation.spans)),
            tuple(event.shifted(-start) for event in self.events if inside(*event.spans)),
        )

    def with_parts(self, parts: Iterable[tuple[int, AnnotatedText]]) -> AnnotatedText:
        """The same text, annotated as its stretches are.

        :param parts: Where each stretch begins, and the stretch.
        :returns: The text with the annotations of all of them, and none of its own.
        """
        parts = list(parts)
        return replace(
            self,
            relations=tuple(relation.shifted(start) for start, part in parts for relation in part.relations),
            events=tuple(event.shifted(start) for start, part in parts for event in part.events),
        ).with_entities(tuple(entity.shifted(start) for start, part in parts for entity in part.entities))


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
        entity holds ``start``, ``end``, ``label``, ``text``, ``score`` and ``match``. If there are any, ``relations``
        hold ``label``, ``score``, ``head`` and ``tail``, and ``events`` hold ``label``, ``score``, ``trigger`` and
        ``arguments``, all of them spans as entities are; an argument has its ``role``, too. Where sentences were
        translated one by one, ``sentences`` holds ``[start, end, pivot start, pivot end]`` of each.
        """
        record: dict[str, Any] = {
            "id": self.id,
            **annotated_to_dict(self.source),
            "pivot": None if self.pivot is None else annotated_to_dict(self.pivot),
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
        :raises ValueError: If a span or a sentence does not fit its text.
        """
        pivot = record.get("pivot")
        return cls(
            id=record["id"],
            source=annotated_from_dict(record),
            pivot=None if pivot is None else annotated_from_dict(pivot),
            notes=tuple(Note(n["code"], n["message"], n["severity"]) for n in record.get("notes", ())),
            sentences=tuple(SentencePair(*offsets) for offsets in record.get("sentences", ())),
        )


def annotated_to_dict(annotated: AnnotatedText) -> dict[str, Any]:
    """One side of a document as plain data: a part of what :meth:`Document.to_dict` gives."""

    def span(entity: Entity) -> dict[str, Any]:
        return {
            "start": entity.start,
            "end": entity.end,
            "label": entity.label,
            "text": annotated.mention(entity),
            "score": round(entity.score, 4),
            "match": entity.match,
        }

    record: dict[str, Any] = {
        "text": annotated.text,
        "language": annotated.language,
        "entities": [span(entity) for entity in annotated.entities],
    }
    if annotated.relations:
        record["relations"] = [
            {"label": link.label, "score": round(link.score, 4), "head": span(link.head), "tail": span(link.tail)}
            for link in annotated.relations
        ]
    if annotated.events:
        record["events"] = [
            {
                "label": event.label,
                "score": round(event.score, 4),
                "trigger": span(event.trigger),
                "arguments": [{"role": each.role, **span(each.entity)} for each in event.arguments],
            }
            for event in annotated.events
        ]
    return record


def annotated_from_dict(record: dict[str, Any]) -> AnnotatedText:
    """Read back what :func:`annotated_to_dict` wrote.

    :param record: The fields. A trigger without ``label`` has that of its event, an argument its role.
    :returns: The text.
    :raises KeyError: If a field is missing.
    :raises ValueError: If a span does not fit the text.
    """
    return AnnotatedText(
        text=record["text"],
        language=record["language"],
        entities=tuple(_span(entity) for entity in record.get("entities", ())),
        relations=tuple(
            Relation(each["label"], _span(each["head"]), _span(each["tail"]), each.get("score", 1.0))
            for each in record.get("relations", ())
        ),
        events=tuple(
            Event(
                each["label"],
                _span({"label": each["label"], **each["trigger"]}),
                tuple(Argument(a["role"], _span({"label": a["role"], **a})) for a in each.get("arguments", ())),
                each.get("score", 1.0),
            )
            for each in record.get("events", ())
        ),
    )


def _span(record: dict[str, Any]) -> Entity:
    return Entity(
        record["start"], record["end"], record["label"], record.get("score", 1.0), record.get("match", "exact")
    )
