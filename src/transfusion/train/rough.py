"""Rough translations for training: the pivots of examples, replaced by what a machine makes of them.

A fusion model that has met only good translations believes a bad one.  The pivot of a pair is translated into another
language and back, or, where the engine knows the language of the source, the source itself is translated; then the new
pivot is annotated by a model, as it would be at inference.  What is to be learnt, the labels of the source, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice

from transfusion.annotate.base import Annotator
from transfusion.document import AnnotatedText, Document
from transfusion.errors import ConfigError
from transfusion.project.base import Projector
from transfusion.train.examples import Example
from transfusion.translate.base import Translator
from transfusion.translate.bind import bind

CHUNK = 256
"""Examples that are translated together."""


def roughened(
    examples: Iterable[Example],
    translator: Translator,
    annotator: Annotator,
    *,
    through: Sequence[str],
    pivot: str = "eng",
    from_source: bool = False,
) -> Iterator[Example]:
    """Examples whose pivots are machine translations.

    :param examples: Examples; one without a pivot has its source in its place.
    :param translator: What translates.
    :param annotator: What annotates the new pivots.
    :param through: ISO 639-3 codes of languages that texts in the pivot language go through and back, each in its turn.
        Texts in other languages are translated into the pivot language, and that is all.
    :param pivot: ISO 639-3 code of the language that new pivots are in.
    :param from_source: Whether the source is translated, and not the old pivot.
    :yields: The examples that came through, in order.
    :raises ConfigError: If texts in the pivot language have no language to go through.
    :raises TranslationError: If the engine fails.
    :raises LanguageError: If the engine does not know one of the languages.
    """
    remaining = iter(examples)
    ways = cycle(through or [pivot])
    while chunk := list(islice(remaining, CHUNK)):
        texts = [(None if from_source else example.document.pivot) or example.document.source for example in chunk]
        rough = _rough(texts, translator, ways, pivot)
        annotated = annotator.annotate(list(rough.values()))
        for (index, text), entities in zip(rough.items(), annotated, strict=True):
            document = chunk[index].document
            document = replace(document, id=f"{document.id}-rough", pivot=text.with_entities(entities))
            yield replace(chunk[index], document=document)


def rough_sources(
    examples: Iterable[Example],
    translator: Translator,
    projector: Projector,
    *,
    through: Sequence[str],
    pivot: str = "eng",
) -> Iterator[Example]:
    """Examples whose sources are machine translations, with their labels carried over.

    They are what an annotator has to read when pivots are rough.

    :param examples: Examples; their sources are translated.
    :param translator: What translates.
    :param projector: What carries the labels.
    :param through: Languages that sources in the pivot language go through and back, each in its turn.
    :param pivot: ISO 639-3 code of the language that the new sources are in.
    :yields: The examples whose spans all arrived, in order, without pivots. One with an unsure stretch is dropped:
        nobody knows where that went.
    :raises ConfigError: If texts in the pivot language have no language to go through.
    :raises TranslationError: If the engine fails.
    :raises LanguageError: If the engine does not know one of the languages.
    """
    remaining = (example for example in examples if not example.unsure)
    ways = cycle(through or [pivot])
    while chunk := list(islice(remaining, CHUNK)):
        rough = _rough([example.document.source for example in chunk], translator, ways, pivot)
        given = [chunk[index].document.source for index in rough]
        projections = projector.project(given, list(rough.values()))
        for (index, text), projection in zip(rough.items(), projections, strict=True):
            if not projection.lost:
                spans = tuple(replace(entity, score=1.0, match="exact") for entity in projection.entities)
                document = chunk[index].document
                yield Example(Document(f"{document.id}-rough", text.with_entities(spans)))


def _rough(
    texts: Sequence[AnnotatedText], translator: Translator, ways: Iterator[str], pivot: str
) -> dict[int, AnnotatedText]:
    """Machine translations of texts into the pivot language, by the number of the text; those that there are."""
    by_road: dict[tuple[str, str], list[int]] = {}
    for index, text in enumerate(texts):
        by_road.setdefault((text.language, next(ways)), []).append(index)
    rough: dict[int, AnnotatedText] = {}
    for (language, other), indexes in by_road.items():
        found = _there_and_back([texts[index].text for index in indexes], translator, language, other, pivot)
        for index, translation in zip(indexes, found, strict=True):
            if translation and translation.strip():
                rough[index] = AnnotatedText(translation, pivot)
    return dict(sorted(rough.items()))


def _there_and_back(
    texts: Sequence[str], translator: Translator, language: str, through: str, pivot: str
) -> list[str | None]:
    if language != pivot:
        return bind(translator, language, pivot)(texts)
    if through == pivot:
        raise ConfigError(f"texts in {pivot!r} need languages to go through and back: 'through' names none")
    there = bind(translator, pivot, through)(texts)
    return bind(translator, through, pivot)([text or "" for text in there])
