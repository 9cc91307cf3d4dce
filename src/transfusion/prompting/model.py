"""A chat model at work: texts in, entities, relations and events out, through prompts and their answers.

A request holds one text, or the part of it that is not too long, and the guidelines of a schema, or a group of them
that is not too large. What the answers say is put together again; nothing is cut off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from transfusion.chat.client import ChatClient
from transfusion.chat.failures import ChatError
from transfusion.chat.record import RecordedClient
from transfusion.chat.server import Prompt, Reply
from transfusion.chat.tokens import estimate_tokens
from transfusion.chat.usage import Estimate, Prices, Usage
from transfusion.decoder.fit import SPLIT, Part, Reading
from transfusion.decoder.ground import ground_items
from transfusion.decoder.items import Item
from transfusion.decoder.parse import Answer
from transfusion.decoder.problems import Problem
from transfusion.document import AnnotatedText, Note, SentencePair, Severity
from transfusion.errors import ConfigError
from transfusion.prompting.answers import answer_schema, read_answer
from transfusion.prompting.cut import cut
from transfusion.prompting.wording import SOURCE, TRANSLATION, Task, instructions, lists_of, message
from transfusion.schema.classes import ClassDefinition, class_labels, classes_of
from transfusion.schema.split import split_classes
from transfusion.schema.types import Schema

CHAT_FAILED = "chat-failed"
"""Code of the note on a document for which a request had no answer, or none that could be read."""

_TASKS: tuple[Task, ...] = ("alone", "beside", "given", "both")
# These cost annotations; the others only say how an answer differs from what was asked for.
_GRAVE = ("missing-list", "truncated", "too-long")

_FRAME_TOKENS = 30
"""Tokens of the JSON round the texts and round the answer, with what servers put between messages."""
_ANSWER_RATE = 0.6
"""Tokens of a list of entities for one of its text. News of MasakhaNER 2.0 has 0.2 to 0.6 of PER, ORG and LOC."""


class ChatModel:
    """A chat model that reads a text, alone or beside its translation, with the guidelines of a schema.

    :param client: What asks the model.
    :param schema: What to extract.
    :param max_labels: Most labels a request; a larger schema takes several requests a text.
    :param max_characters: Most characters of a text and its translation together; longer ones are read in parts.
    :param prices: What the server charges.
    :raises ConfigError: If a limit makes no sense.
    """

    def __init__(
        self,
        client: ChatClient | RecordedClient,
        schema: Schema,
        *,
        max_labels: int = 40,
        max_characters: int = 8000,
        prices: Prices | None = None,
    ) -> None:
        if max_labels < 1 or max_characters < 100:
            raise ConfigError(
                f"chat: max_labels ({max_labels}) must be at least 1 and max_characters ({max_characters}) at least 100"
            )
        self.client = client
        self.schema = schema
        self.prices = prices or Prices()
        self.max_characters = max_characters
        self._classes = classes_of(schema)
        self._labels = class_labels(self._classes)
        self._groups = split_classes(self._classes, max_labels, lambda _: 1)
        self._limits = f"labels={max_labels} characters={max_characters}"

    @property
    def signature(self) -> str:
        """The model, its settings, and a digest of everything that it is told, the schema included."""
        told = [instructions(task, self._classes, source="swa", translation="eng") for task in _TASKS]
        digest = hashlib.sha256(json.dumps([*told, answer_schema([SOURCE], self._classes)]).encode()).hexdigest()[:8]
        return f"chat:{self.client.signature} {self._limits} prompt={digest}"

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self.client.usage

    @property
    def cost(self) -> float | None:
        """What that costs, in the currency of the prices; ``None`` without prices."""
        return self.prices.cost(self.usage.input_tokens, self.usage.output_tokens)

    def read(
        self, readings: Sequence[Reading], task: Task, *, sentences: Sequence[Sequence[SentencePair]] | None = None
    ) -> list[Reading]:
        """Find what the schema asks for.

        :param readings: The texts. One without a pivot is read alone, whatever the task.
        :param task: How to read those that have one; ``both`` fills their pivots in, too.
        :param sentences: For each text, which sentence became which of the pivot, as far as that is known.
        :returns: The same readings in the same order, filled in, with notes on what went wrong. One that got no answer
            at all, or none that could be read, has a note that is an error.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        pairs = [()] * len(readings) if sentences is None else sentences
        jobs = [self._jobs(reading, task, known) for reading, known in zip(readings, pairs, strict=True)]
        prompts = [prompt for job in jobs for each in job for prompt in each.prompts]
        outcomes = iter(self.client.ask(prompts) if prompts else [])
        return [
            _joined(reading, [self._filled(each, [next(outcomes) for _ in each.prompts]) for each in job])
            for reading, job in zip(readings, jobs, strict=True)
        ]

    def estimate(self, readings: Sequence[Reading], task: Task) -> Estimate:
        """Reckon what reading would take, without asking the server or needing a key.

        Tokens are estimated (:mod:`~transfusion.chat.tokens` says how well); what stands in the record is free.

        :param readings: The texts.
        :param task: How to read them. One without a pivot is taken to get one of about its length.
        :returns: Requests, tokens and, where prices are known, cost.
        """
        requests = 0
        read = written = 0.0
        for reading in readings:
            if task != "alone" and reading.pivot is None:
                reading = replace(reading, pivot=reading.source)
            for job in self._jobs(reading, task):
                texts = [job.source] if job.task != "both" else [job.source, job.reading.pivot or job.source]
                for prompt in job.prompts:
                    if isinstance(self.client, RecordedClient) and self.client.knows(prompt):
                        continue
                    requests += 1
                    read += _FRAME_TOKENS + estimate_tokens(prompt.system, "eng")
                    read += estimate_tokens(prompt.user, reading.source.language)
                    # The groups share the mentions of a text between them.
                    answers = sum(estimate_tokens(text.text, text.language) for text in texts) / len(self._groups)
                    written += _FRAME_TOKENS + _ANSWER_RATE * answers
        return Estimate(requests, round(read), round(written), self.prices.cost(read, written))

    def _jobs(self, reading: Reading, task: Task, sentences: Sequence[SentencePair] = ()) -> list[_Job]:
        """What to ask about each part of a text; nothing about one without words."""
        if not reading.source.text.strip():
            return []
        return [self._job(part, task) for part in cut(reading, sentences, self.max_characters)]

    def _job(self, part: Part, task: Task) -> _Job:
        source, pivot = part.reading.source, part.reading.pivot
        if pivot is None or not pivot.text.strip():
            task, pivot = "alone", None
        prompts = tuple(self._prompt(task, group, source, pivot) for group in self._groups)
        return _Job(part, task, prompts)

    def _prompt(
        self, task: Task, classes: Sequence[ClassDefinition], source: AnnotatedText, pivot: AnnotatedText | None
    ) -> Prompt:
        told = instructions(task, classes, source=source.language, translation=pivot.language if pivot else None)
        return Prompt(told, message(task, classes, source, pivot), answer_schema(lists_of(task), classes))

    def _filled(self, job: _Job, outcomes: Sequence[Reply | ChatError]) -> _Done:
        """A part with what its answers say."""
        answers: list[Answer] = []
        notes: list[Note] = []
        refusals: list[ChatError] = []
        for group, outcome in zip(self._groups, outcomes, strict=True):
            if isinstance(outcome, Reply):
                answers.append(read_answer(outcome.text, lists_of(job.task), group))
                notes.extend(_note(problem) for problem in answers[-1].problems)
            else:
                refusals.append(outcome)
        source, pivot = self._grounded(job.source, SOURCE, answers, notes), job.reading.pivot
        if job.task == "both" and pivot is not None:
            pivot = self._grounded(pivot, TRANSLATION, answers, notes)
        unread = len(outcomes) - sum(answer.lists[SOURCE] is not None for answer in answers)
        reason = str(refusals[0]) if refusals else "the answer is not in the form asked for"
        reading = replace(job.reading, source=source, pivot=pivot).with_notes(*notes)
        return _Done(job.part, reading, len(outcomes), unread, reason)

    def _grounded(self, text: AnnotatedText, name: str, answers: Sequence[Answer], notes: list[Note]) -> AnnotatedText:
        """A text with the items of its list in all answers, at their places; notes get what has none."""
        items: list[Item] = [item for answer in answers for item in answer.lists[name] or ()]
        found = ground_items(items, self._classes, text.text, labels=self._labels)
        notes.extend(_note(Problem(problem.code, f"{name}: {problem.message}")) for problem in found.problems)
        return replace(text, relations=found.relations, events=found.events).with_entities(found.entities)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is asked about a part of a text.

    :param part: The part.
    :param task: How it is read.
    :param prompts: A request for each group of labels.
    """

    part: Part
    task: Task
    prompts: tuple[Prompt, ...]

    @property
    def reading(self) -> Reading:
        """The part by itself."""
        return self.part.reading

    @property
    def source(self) -> AnnotatedText:
        """Its text."""
        return self.part.reading.source


@dataclass(frozen=True, slots=True)
class _Done:
    """A part that was read.

    :param part: The part as it was.
    :param reading: What was found in it.
    :param asked: How many requests there were.
    :param unread: How many of them had no answer that could be read.
    :param reason: Why, of the first of them.
    """

    part: Part
    reading: Reading
    asked: int
    unread: int
    reason: str


def _joined(whole: Reading, done: Sequence[_Done]) -> Reading:
    """A text with what was found in its parts."""
    source = whole.source.with_parts((each.part.start, each.reading.source) for each in done)
    pivot = whole.pivot
    if pivot is not None and any(each.reading.pivot != each.part.reading.pivot for each in done):
        pivot = pivot.with_parts(
            (each.part.pivot_start, each.reading.pivot) for each in done if each.reading.pivot is not None
        )
    notes = list(dict.fromkeys(_notes(done)))
    asked, unread = sum(each.asked for each in done), sum(each.unread for each in done)
    if unread:
        severity: Severity = "error" if unread == asked else "warning"
        reason = next(each.reason for each in done if each.unread)
        message = f"no answer that could be read to {unread} of {asked} requests about this text: {reason}"
        notes.append(Note(CHAT_FAILED, message, severity))
    if len(done) > 1:
        message = f"longer than a request may be: read in {len(done)} parts, cut at sentences where that will do"
        notes.append(Note(SPLIT, message))
    return replace(whole, source=source, pivot=pivot).with_notes(*notes)


def _notes(done: Sequence[_Done]) -> Iterator[Note]:
    for each in done:
        yield from each.reading.notes[len(each.part.reading.notes) :]


def _note(problem: Problem) -> Note:
    return Note(problem.code, problem.message, "warning" if problem.code in _GRAVE else "info")
