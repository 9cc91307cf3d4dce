"""A decoder at work: texts in, entities, relations and events out, through prompts and their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from transfusion.decoder.base import Generator
from transfusion.decoder.findings import Findings, read_answer
from transfusion.decoder.fit import SPLIT, Part, Reading, fits, group_classes, parts
from transfusion.decoder.tasks import Kind, Task, tasks_of
from transfusion.document import AnnotatedText, Entity, Note
from transfusion.schema.classes import ClassDefinition
from transfusion.schema.types import Schema

SCHEMA_SPLIT = "schema-split"
"""Code of the note on a document that was read several times, each time for some of the schema's classes."""


class DecoderModel:
    """A language model that reads a text, alone or beside its pivot, with the guidelines of a schema.

    :param generator: What answers prompts.
    :param schema: What to extract.
    """

    def __init__(self, generator: Generator, schema: Schema) -> None:
        self.generator = generator
        self.schema = schema
        self._groups: dict[tuple[ClassDefinition, ...], tuple[tuple[ClassDefinition, ...], ...]] = {}

    @property
    def signature(self) -> str:
        """Everything that decides what is found: the generator's signature and a digest of the schema."""
        return f"{self.generator.signature} schema={schema_digest(self.schema)}"

    def read(self, readings: Sequence[Reading], *, annotate: bool = True) -> list[Reading]:
        """Find what the schema asks for: entities, then events and their arguments, then relations.

        The prompts of one kind go to the model together, so that it can share its work between them.

        :param readings: The texts.
        :param annotate: Whether the model annotates a pivot before it annotates the source.
        :returns: The same readings in the same order, filled in, with notes on what went wrong.
        :raises ModelError: If the model's context has no room for the guidelines and a few words of text.
        """
        done = list(readings)
        for task in tasks_of(self.schema, annotate=annotate):
            done = self._run(task, done)
        return done

    def _run(self, task: Task, readings: Sequence[Reading]) -> list[Reading]:
        groups = self._grouped(task)
        cut = [parts(reading, partial(self._fits, task, groups)) for reading in readings]
        flat = [part.reading for each in cut for part in each]
        asked = [
            (number, prompt)
            for number, reading in enumerate(flat)
            if reading.source.text.strip()
            for group in groups
            if (prompt := task.prompt(reading, group)) is not None
        ]
        generations = self.generator.generate([prompt for _, prompt in asked]) if asked else []
        findings: list[list[Findings]] = [[] for _ in flat]
        for (number, prompt), generation in zip(asked, generations, strict=True):
            findings[number].append(read_answer(prompt, generation, task.given(flat[number])))
        done = iter([_taken(task, reading, found) for reading, found in zip(flat, findings, strict=True)])
        return [
            _joined(reading, task.finds, [(part, next(done)) for part in each], len(groups))
            for reading, each in zip(readings, cut, strict=True)
        ]

    def _fits(self, task: Task, groups: Sequence[Sequence[ClassDefinition]], reading: Reading) -> bool:
        prompts = (task.prompt(reading, group) for group in groups)
        return all(prompt is None or fits(prompt, self.generator) for prompt in prompts)

    def _grouped(self, task: Task) -> tuple[tuple[ClassDefinition, ...], ...]:
        """The classes of a task in groups whose guidelines leave half of the context to the texts and the answer."""
        if task.classes not in self._groups:
            self._groups[task.classes] = group_classes(task.classes, self.generator)
        return self._groups[task.classes]


def _taken(task: Task, reading: Reading, findings: Sequence[Findings]) -> Reading:
    """A reading with what its answers say."""
    notes = [note for each in findings for note in each.notes]
    return task.take(reading, findings).with_notes(*notes) if findings else reading


def _joined(whole: Reading, finds: Kind, done: Sequence[tuple[Part, Reading]], groups: int) -> Reading:
    """A reading with what was found in its parts."""
    source = _added(whole.source, finds, [(part.start, each.source) for part, each in done])
    pivot = whole.pivot
    if pivot is not None:
        pivot = _added(pivot, finds, [(part.pivot_start, each.pivot) for part, each in done if each.pivot is not None])
    notes = dict.fromkeys(note for part, each in done for note in each.notes[len(part.reading.notes) :])
    if len(done) > 1:
        message = f"longer than the model's context: read in {len(done)} parts, cut at sentences where that will do"
        notes[Note(SPLIT, message)] = None
    if groups > 1:
        notes[Note(SCHEMA_SPLIT, f"the guidelines are longer than the model's context: shown in {groups} groups")] = (
            None
        )
    return replace(whole, source=source, pivot=pivot).with_notes(*notes)


def _added(whole: AnnotatedText, finds: Kind, found: Sequence[tuple[int, AnnotatedText]]) -> AnnotatedText:
    """A text with the annotations of one kind that were found in its parts; those that lie in no part stay."""
    stretches = [(start, start + len(part.text)) for start, part in found]

    def lies_in_a_part(spans: Sequence[Entity]) -> bool:
        return any(all(start <= span.start and span.end <= end for span in spans) for start, end in stretches)

    together = whole.with_parts(found)
    if finds == "entities":
        kept = [entity for entity in whole.entities if not lies_in_a_part([entity])]
        return whole.with_entities((*together.entities, *kept))
    if finds == "relations":
        links = [link for link in whole.relations if not lies_in_a_part(link.spans)]
        return replace(whole, relations=(*together.relations, *links))
    events = [event for event in whole.events if not lies_in_a_part(event.spans)]
    return replace(whole, events=tuple(sorted((*together.events, *events), key=lambda e: e.trigger.start)))


def schema_digest(schema: Schema) -> str:
    """The first digits of a hash of everything that a schema says.

    :param schema: The schema.
    :returns: Eight hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(schema.to_dict(), sort_keys=True).encode()).hexdigest()[:8]
