"""CoNLL: one word and its IOB2 tag a line, a blank line between documents; the source side alone.

::

    # id = 7
    # language = swa
    # text = Rais Ruto alikutana na Museveni.
    Rais O
    Ruto B-PER
    alikutana O
    na O
    Museveni B-PER
    . O

A word ends where an entity begins or ends, so that the columns give every entity at its exact offsets.  What a line
cannot say stands as JSON under a key of its own, and only where it is needed: ``# text_json`` for a text with line
breaks, ``# entities_json`` for entities that overlap or begin with a blank, ``# notes_json`` for notes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transfusion.corpora.columns import entity_runs
from transfusion.corpora.rows import TAG
from transfusion.corpora.words import locate_words
from transfusion.document import AnnotatedText, Document, Entity, Note, annotated_from_dict, annotated_to_dict
from transfusion.encoder.units import split_units
from transfusion.errors import FormatError
from transfusion.formats.clean import without_surrogates

_COMMENT = re.compile(r"# (\w+) = (.*)", re.DOTALL)


def render(document: Document) -> str:
    """The lines of one document, the blank line after it included.

    :param document: Any document.
    :returns: Text that :func:`parse` reads back: the same text, offsets and labels; scores of entities and the pivot
        are left out.
    """
    document = without_surrogates(document)
    source = document.source
    tagged, others = _split_by_expressiveness(source)
    lines = [_comment("id", document.id), _comment("language", source.language), _comment("text", source.text)]
    if others:
        spans = [{"start": e.start, "end": e.end, "label": e.label} for e in others]
        lines.append(f"# entities_json = {json.dumps(spans)}")
    record = annotated_to_dict(source) if source.relations or source.events else {}
    lines += [f"# {key}_json = {json.dumps(record[key])}" for key in ("relations", "events") if key in record]
    if document.notes:
        lines.append(f"# notes_json = {json.dumps([asdict(note) for note in document.notes])}")
    lines += [f"{source.text[start:end]} {tag}" for start, end, tag in _tagged_words(source.text, tagged)]
    return "\n".join(lines) + "\n\n"


def _comment(key: str, value: str) -> str:
    # Other readers trim values, break lines at more characters than a line feed, or take a lone tag for a column.
    plain = value == value.strip() and len(value.splitlines()) == 1 and not TAG.fullmatch(value)
    return f"# {key} = {value}" if plain else f"# {key}_json = {json.dumps(value)}"


def _split_by_expressiveness(source: AnnotatedText) -> tuple[list[Entity], list[Entity]]:
    """Entities that tags on words can express, and those that they cannot."""
    tagged: list[Entity] = []
    others: list[Entity] = []
    free_from = 0
    for entity in sorted(source.entities, key=lambda e: (e.start, -e.end)):
        mention = source.mention(entity)
        label_fits = TAG.fullmatch(f"B-{entity.label}") is not None
        if label_fits and entity.start >= free_from and not mention[0].isspace() and not mention[-1].isspace():
            tagged.append(entity)
            free_from = entity.end
        else:
            others.append(entity)
    return tagged, others


def _tagged_words(text: str, entities: Sequence[Entity]) -> Iterator[tuple[int, int, str]]:
    """Start, end and tag of every word; entities do not overlap."""
    position = 0
    for entity in entities:
        yield from ((start, end, "O") for start, end in _words(text, position, entity.start))
        prefix = "B"
        for start, end in _words(text, entity.start, entity.end):
            yield start, end, f"{prefix}-{entity.label}"
            prefix = "I"
        position = entity.end
    yield from ((start, end, "O") for start, end in _words(text, position, len(text)))


def _words(text: str, start: int, end: int) -> list[tuple[int, int]]:
    units = ((start + unit.start, start + unit.end) for unit in split_units(text[start:end]))
    # Separator characters such as U+001C are blanks to Python but units to the encoder.
    return [(first, last) for first, last in units if not text[first:last].isspace()]


def parse(
    lines: Iterable[tuple[int, str]], *, path: str | Path, language: str | None = None
) -> Iterator[Document | FormatError]:
    """Read back what :func:`render` wrote, or other two-column files with ``# text``.

    :param lines: Line numbers and lines without line ends.
    :param path: Name of the file for messages.
    :param language: Language of documents that do not say it.
    :yields: A document for each block, or what is wrong with it.
    """
    block: list[str] = []
    first = 0
    number_of_blocks = 0
    for number, line in _with_end(lines):
        if line:
            first = first if block else number
            block.append(line)
        elif block:
            number_of_blocks += 1
            try:
                yield _document(block, default_id=str(number_of_blocks), language=language)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                yield FormatError(f"not a document in CoNLL columns: {error}", path=path, line=first)
            block = []


def _with_end(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield from lines
    yield 0, ""


def _document(block: Sequence[str], *, default_id: str, language: str | None) -> Document:
    comments: dict[str, Any] = {}
    words: list[str] = []
    tags: list[str] = []
    for line in block:
        if not words and (comment := _COMMENT.fullmatch(line)):
            key, value = comment.groups()
            comments[key.removesuffix("_json")] = json.loads(value) if key.endswith("_json") else value
        elif line.startswith("#") and len(line.split()) != 2:
            continue
        else:
            word, tag = line.split()
            if not TAG.fullmatch(tag):
                raise ValueError(f"{tag!r} is no IOB2 tag")
            words.append(word)
            tags.append(tag)
    text = comments.get("text", " ".join(words))
    spans = locate_words(text, words)
    entities = [Entity(span["start"], span["end"], span["label"]) for span in comments.get("entities", ())]
    for first, last, label in entity_runs(tags):
        start, end = spans[first], spans[last]
        if start is None or end is None:
            raise ValueError(f"the text does not hold {words[first]!r}")
        entities.append(Entity(start[0], end[1], label))
    links: dict[str, Any] = {key: comments[key] for key in ("relations", "events") if key in comments}
    source = annotated_from_dict({"text": text, "language": comments.get("language") or language or "und", **links})
    source = source.with_entities(tuple(entities))
    notes = tuple(Note(**note) for note in comments.get("notes", ()))
    return Document(comments.get("id", default_id), source, notes=notes)
