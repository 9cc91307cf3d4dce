"""What does not fit in a model's context is cut, never truncated: a text at its sentences, a schema between classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from transfusion.decoder.base import Generator, Prompt
from transfusion.decoder.render import build_prompt
from transfusion.document import AnnotatedText, Note
from transfusion.errors import ModelError, SchemaError
from transfusion.schema.classes import ClassDefinition
from transfusion.schema.split import split_classes
from transfusion.segment import split_windows

SPLIT = "split"
"""Code of the note on a document that was longer than the model's context, and was read in parts."""

_FRAME = 64
"""Tokens kept for what an answer holds besides mentions."""
_SHORTEST = 8
"""Characters of a part below which cutting on is of no use."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text for a decoder to read, alone or beside its pivot.

    :param source: The text, with what was found in it so far.
    :param pivot: Its translation; ``None`` to read the text alone.
    :param brought_entities: Whether the pivot's entities came with it: they are shown, and not looked for again.
    :param brought_events: The same for its events.
    :param notes: What happened on the way.
    """

    source: AnnotatedText
    pivot: AnnotatedText | None = None
    brought_entities: bool = False
    brought_events: bool = False
    notes: tuple[Note, ...] = ()

    def with_notes(self, *notes: Note) -> Reading:
        """The same reading with more notes."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a reading that fits.

    :param start: First code point of its source in the whole.
    :param pivot_start: First code point of its pivot in the whole.
    :param reading: The part by itself.
    """

    start: int
    pivot_start: int
    reading: Reading


def fits(prompt: Prompt, generator: Generator) -> bool:
    """Whether a model can read a prompt and still write its answer.

    :param prompt: The prompt.
    :param generator: The model.
    :returns: Whether there is room for an answer as long as the texts that it is about.
    """
    texts = "".join(each.text for each in prompt.lists)
    if len((prompt.text + texts).encode("utf-8", "replace")) + _FRAME <= generator.context:
        return True  # no token is shorter than a byte: most prompts need no counting
    # A text of megabytes is not worth counting: no tokeniser puts so many characters into a token.
    if len(texts) > 64 * generator.context:
        return False
    return generator.count_tokens(prompt.text) + generator.count_tokens(texts) + _FRAME <= generator.context


def group_classes(classes: Sequence[ClassDefinition], generator: Generator) -> tuple[tuple[ClassDefinition, ...], ...]:
    """Put classes into groups whose guidelines leave half of a model's context to the texts and the answer.

    :param classes: The classes.
    :param generator: The model.
    :returns: The groups, in the order of the classes; one group if there is room for all of them.
    :raises ModelError: If a single class is longer than that.
    """
    room = generator.context // 2

    def tokens(some: Sequence[ClassDefinition]) -> int:
        return generator.count_tokens(build_prompt("ner", some, "").text)

    if tokens(classes) <= room:
        return (tuple(classes),)
    frame = tokens([])
    try:
        return split_classes(classes, max(0, room - frame), lambda one: tokens([one]) - frame)
    except SchemaError as error:
        raise ModelError(f"the model's context of {generator.context} tokens is too small: {error}") from error


def parts(reading: Reading, reading_fits: Callable[[Reading], bool]) -> list[Part]:
    """Cut a reading until every part of it fits.

    Source and pivot are cut into about as many parts, at ends of sentences where that will do, and what stands at the
    same share of both texts goes together.

    :param reading: The reading.
    :param reading_fits: Whether a reading fits.
    :returns: The parts in reading order; the reading itself if it fits.
    :raises ModelError: If not even a few characters fit: the context is too small for the schema.
    """
    if reading_fits(reading):
        return [Part(0, 0, reading)]
    length, count = len(reading.source.text), 2
    while length // count >= _SHORTEST:
        cut = list(_cut(reading, count))
        if all(reading_fits(part.reading) for part in cut):
            return cut
        count *= 2
    raise ModelError(
        "the model's context has no room for the guidelines, a few words of text and an answer: "
        "give a model with a longer context, or a schema with shorter guidelines"
    )


def _cut(reading: Reading, count: int) -> Iterator[Part]:
    source, pivot = reading.source, reading.pivot
    windows = _windows(source, count)
    ends = [window[1] / len(source.text) for window in windows[:-1]] + [1.0]
    of_pivot = _shared_out(pivot, count, ends) if pivot is not None else [(0, 0)] * len(windows)
    for (start, end), (pivot_start, pivot_end) in zip(windows, of_pivot, strict=True):
        part = None if pivot is None or pivot_start == pivot_end else pivot.part(pivot_start, pivot_end)
        yield Part(start, pivot_start, replace(reading, source=source.part(start, end), pivot=part, notes=()))


def _windows(text: AnnotatedText, count: int) -> list[tuple[int, int]]:
    longest = ceil(len(text.text) / count)
    pieces = split_windows(text.text, text.language, fits=lambda string: len(string) <= longest)
    return [(piece.start, piece.end) for piece in pieces]


def _shared_out(pivot: AnnotatedText, count: int, ends: Sequence[float]) -> list[tuple[int, int]]:
    """Stretches of the pivot for parts of the source that end at given shares of it."""
    stretches: list[tuple[int, int]] = []
    pieces = _windows(pivot, 4 * count)
    position = 0
    for end in ends:
        inside = []
        while position < len(pieces) and sum(pieces[position]) / 2 <= end * len(pivot.text):
            inside.append(pieces[position])
            position += 1
        stretches.append((inside[0][0], inside[-1][1]) if inside else (0, 0))
    return stretches
