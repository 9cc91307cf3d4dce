"""What a decoder is asked about a text, one kind of prompt after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from transfusion.decoder.base import Prompt
from transfusion.decoder.findings import Findings
from transfusion.decoder.fit import Reading
from transfusion.decoder.ground import Grounded
from transfusion.decoder.items import Item
from transfusion.decoder.render import Template, build_prompt, render_list
from transfusion.document import AnnotatedText, Entity, Event, Note, Relation
from transfusion.schema.classes import (
    ClassDefinition,
    class_labels,
    entity_classes,
    event_classes,
    relation_classes,
    trigger_classes,
)
from transfusion.schema.types import Schema

UNKNOWN_LABEL = "unknown-label"
"""Code of the note on a document that brought an annotation with a label that the schema lacks."""
UNKNOWN_TRIGGER = "unknown-trigger"
"""Code of the note on a document for which arguments of an event were written that nobody asked about."""
WRONG_ARGUMENT = "wrong-argument"
"""Code of the note on a document for which a relation between entities of other labels was written."""

Kind = Literal["entities", "relations", "events"]


class Task(Protocol):
    """A kind of prompt, and what becomes of its answers."""

    @property
    def finds(self) -> Kind:
        """The annotations that the answers are about."""
        ...

    @property
    def classes(self) -> tuple[ClassDefinition, ...]:
        """The classes that items of an answer may be of."""
        ...

    def prompt(self, reading: Reading, classes: Sequence[ClassDefinition], /) -> Prompt | None:
        """The prompt for a text and some of the classes; ``None`` if there is nothing to ask."""
        ...

    def given(self, reading: Reading, /) -> tuple[Entity, ...]:
        """The entities and triggers of the source that a prompt may name."""
        ...

    def take(self, reading: Reading, findings: Sequence[Findings], /) -> Reading:
        """The reading with what was found, by each group of classes."""
        ...


def tasks_of(schema: Schema, *, annotate: bool = True) -> tuple[Task, ...]:
    """What to ask for all of a schema.

    :param schema: The schema.
    :param annotate: Whether the pivot is annotated before the source.
    :returns: The tasks, each with use of what those before it find.
    """
    tasks: list[Task] = []
    if schema.entities:
        tasks.append(EntityTask(entity_classes(schema), annotate))
    if schema.events:
        tasks.append(TriggerTask(trigger_classes(schema), annotate))
        if any(event.roles for event in schema.events):
            tasks.append(ArgumentTask(event_classes(schema)))
    if schema.relations:
        tasks.append(RelationTask(relation_classes(schema), entity_classes(schema)))
    return tuple(tasks)


@dataclass(frozen=True, slots=True)
class EntityTask:
    """Finds entities in the pivot and then in the source.

    :param classes: The classes of the entities.
    :param annotate: Whether the pivot is annotated before the source.
    """

    classes: tuple[ClassDefinition, ...]
    annotate: bool = True
    finds: Kind = "entities"

    def prompt(self, reading: Reading, classes: Sequence[ClassDefinition], /) -> Prompt | None:
        """See :class:`Task`."""
        brought = None
        if reading.brought_entities and reading.pivot is not None and self.annotate:
            names = _names(classes)
            pivot = reading.pivot
            brought = [Item(names[e.label], {"span": pivot.mention(e)}) for e in pivot.entities if e.label in names]
        return _two_lists("ner", classes, reading, annotate=self.annotate, brought=brought)

    def given(self, _: Reading, /) -> tuple[Entity, ...]:
        """Nothing."""
        return ()

    def take(self, reading: Reading, findings: Sequence[Findings], /) -> Reading:
        """See :class:`Task`."""

        def filled(text: AnnotatedText, found: Sequence[Grounded]) -> AnnotatedText:
            return text.with_entities(_likeliest(entity for each in found for entity in each.entities))

        reading = _filled(reading, findings, filled)
        return _with_unknown(reading, self.classes, reading.brought_entities and self.annotate, "entities")


@dataclass(frozen=True, slots=True)
class TriggerTask:
    """Finds the triggers of events in the pivot and then in the source.

    :param classes: The classes of the events, without roles.
    :param annotate: Whether the pivot is annotated before the source.
    """

    classes: tuple[ClassDefinition, ...]
    annotate: bool = True
    finds: Kind = "events"

    def prompt(self, reading: Reading, classes: Sequence[ClassDefinition], /) -> Prompt | None:
        """See :class:`Task`."""
        brought = None
        if reading.brought_events and reading.pivot is not None and self.annotate:
            names = _names(classes)
            events = [event for event in reading.pivot.events if event.label in names]
            brought = [_trigger_item(event, names[event.label], reading.pivot) for event in events]
        return _two_lists("ee", classes, reading, annotate=self.annotate, brought=brought)

    def given(self, _: Reading, /) -> tuple[Entity, ...]:
        """Nothing."""
        return ()

    def take(self, reading: Reading, findings: Sequence[Findings], /) -> Reading:
        """See :class:`Task`."""

        def filled(text: AnnotatedText, found: Sequence[Grounded]) -> AnnotatedText:
            triggers = _likeliest(event.trigger for each in found for event in each.events)
            return replace(text, events=tuple(Event(t.label, t, (), t.score) for t in triggers))

        reading = _filled(reading, findings, filled)
        return _with_unknown(reading, self.classes, reading.brought_events and self.annotate, "events")


@dataclass(frozen=True, slots=True)
class ArgumentTask:
    """Finds the arguments of the events whose triggers were found in the source.

    :param classes: The classes of the events, with their roles.
    """

    classes: tuple[ClassDefinition, ...]
    finds: Kind = "events"

    def prompt(self, reading: Reading, classes: Sequence[ClassDefinition], /) -> Prompt | None:
        """See :class:`Task`."""
        names = _names(classes)
        events = [event for event in reading.source.events if event.label in names]
        given = [_trigger_item(event, names[event.label], reading.source) for event in events]
        return _one_list("eae", classes, reading, given) if given else None

    def given(self, reading: Reading, /) -> tuple[Entity, ...]:
        """The triggers, and the entities that may be arguments."""
        return (*(event.trigger for event in reading.source.events), *reading.source.entities)

    def take(self, reading: Reading, findings: Sequence[Findings], /) -> Reading:
        """See :class:`Task`."""
        source = reading.source
        events = {event.trigger: event for event in source.events}
        notes: list[Note] = []
        for found in (event for each in findings for event in each.source.events):
            if known := events.get(found.trigger):
                # The trigger has a score of its own; that of its arguments is theirs.
                events[found.trigger] = replace(known, arguments=found.arguments)
            else:
                message = f"arguments of {found.label} {source.mention(found.trigger)!r}, which was not asked about"
                notes.append(Note(UNKNOWN_TRIGGER, f"{message}: left out"))
        return replace(reading, source=replace(source, events=tuple(events.values()))).with_notes(*notes)


@dataclass(frozen=True, slots=True)
class RelationTask:
    """Finds relations, given the entities that were found in the source.

    :param classes: The classes of the relations.
    :param entities: The classes of the entities, which a prompt shows, too.
    """

    classes: tuple[ClassDefinition, ...]
    entities: tuple[ClassDefinition, ...]
    finds: Kind = "relations"

    def prompt(self, reading: Reading, classes: Sequence[ClassDefinition], /) -> Prompt | None:
        """See :class:`Task`."""
        names, source = _names(self.entities), reading.source
        known = [entity for entity in source.entities if entity.label in names]
        given = [Item(names[entity.label], {"span": source.mention(entity)}) for entity in known]
        shown = {item.type for item in given}
        # Those that the text has: a schema of hundreds of labels would leave no room for the text.
        entities = tuple(one for one in self.entities if one.name in shown)
        prompt = _one_list("re", (*entities, *classes), reading, given) if given else None
        return None if prompt is None else replace(prompt, classes=tuple(classes))

    def given(self, reading: Reading, /) -> tuple[Entity, ...]:
        """The entities."""
        return reading.source.entities

    def take(self, reading: Reading, findings: Sequence[Findings], /) -> Reading:
        """See :class:`Task`."""
        source = reading.source
        definitions = {one.label or one.name: one for one in self.classes}
        relations: list[Relation] = []
        notes: list[Note] = []
        for found in (relation for each in findings for relation in each.source.relations):
            definition = definitions[found.label]
            if all(
                not allowed or end.label in allowed
                for end, allowed in ((found.head, definition.head), (found.tail, definition.tail))
            ):
                relations.append(found)
            else:
                ends = " and ".join(f"{end.label} {source.mention(end)!r}" for end in found.spans)
                notes.append(Note(WRONG_ARGUMENT, f"{found.label} does not link {ends}: left out"))
        relations.sort(key=lambda one: (one.head.start, one.tail.start, one.label))
        return replace(reading, source=replace(source, relations=tuple(relations))).with_notes(*notes)


def _names(classes: Iterable[ClassDefinition]) -> dict[str, str]:
    """Name of the class of each label."""
    return {label: name for name, label in class_labels(classes).items()}


def _trigger_item(event: Event, name: str, text: AnnotatedText) -> Item:
    return Item(name, {"mention": text.mention(event.trigger)})


_FUSING: dict[str, tuple[Template, Template]] = {
    "ner": ("ner", "ner_tf"),
    "ee": ("ee", "ee_tf"),
    "eae": ("eae", "eae_tf"),
    "re": ("re", "re_tf"),
}
"""The templates without and with a translation."""


def _two_lists(
    kind: Literal["ner", "ee"],
    classes: Sequence[ClassDefinition],
    reading: Reading,
    *,
    annotate: bool,
    brought: Sequence[Item] | None,
) -> Prompt:
    """The prompt of a task that annotates the pivot, too, unless its annotations are there already."""
    if reading.pivot is None:
        return build_prompt(_FUSING[kind][0], classes, reading.source.text)
    text, pivot_text = reading.source.text, reading.pivot.text
    prompt = build_prompt(_FUSING[kind][1], classes, text, pivot_text=pivot_text, annotate=annotate)
    if brought is None:
        return prompt
    # The first list as a model would have written it, so that it only goes on with the second.
    begun = f"{prompt.text}{render_list(brought, classes)}{prompt.between[0]}["
    return replace(prompt, text=begun, lists=prompt.lists[1:], between=prompt.between[1:])


def _one_list(
    kind: Literal["eae", "re"], classes: Sequence[ClassDefinition], reading: Reading, given: Sequence[Item]
) -> Prompt:
    pivot = reading.pivot
    template = _FUSING[kind][pivot is not None]
    pivot_text = None if pivot is None else pivot.text
    return build_prompt(template, classes, reading.source.text, pivot_text=pivot_text, given=given)


def _filled(
    reading: Reading,
    findings: Sequence[Findings],
    fill: Callable[[AnnotatedText, Sequence[Grounded]], AnnotatedText],
) -> Reading:
    """The reading with the source, and the pivot where the model was asked about it, filled in."""
    pivot = reading.pivot
    in_pivot = [each.pivot for each in findings if each.pivot is not None]
    if pivot is not None and in_pivot:
        pivot = fill(pivot, in_pivot)
    return replace(reading, source=fill(reading.source, [each.source for each in findings]), pivot=pivot)


def _likeliest(found: Iterable[Entity]) -> tuple[Entity, ...]:
    """Spans in reading order, each once a label: groups of classes may share none, but answers repeat themselves."""
    best: dict[tuple[int, int, str], Entity] = {}
    for entity in found:
        known = best.setdefault((entity.start, entity.end, entity.label), entity)
        if entity.score > known.score:
            best[entity.start, entity.end, entity.label] = entity
    return tuple(best[place] for place in sorted(best))


def _with_unknown(reading: Reading, classes: Sequence[ClassDefinition], brought: bool, kind: Kind) -> Reading:
    """The reading with a note for every brought annotation that no prompt could show."""
    if not brought or reading.pivot is None:
        return reading
    known = set(class_labels(classes).values())
    labels = sorted({each.label for each in getattr(reading.pivot, kind)} - known)
    message = f"the translation has {kind} with the label{{}} {', '.join(labels)}, which the schema lacks: not shown"
    return (
        reading.with_notes(Note(UNKNOWN_LABEL, message.format("s" * (len(labels) > 1)), "warning"))
        if labels
        else reading
    )
