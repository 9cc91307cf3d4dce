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
from transfusion.document import AnnotatedText
from transfusion.errors import ConfigError
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
        by_road: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for index, example in enumerate(chunk):
            old = None if from_source else example.document.pivot
            text = old or example.document.source
            by_road.setdefault((text.language, next(ways)), []).append((index, text.text))
        pivots: dict[int, str] = {}
        for (language, other), items in by_road.items():
            texts = [text for _, text in items]
            found = _there_and_back(texts, translator, language, other, pivot)
            pivots.update({index: text for (index, _), text in zip(items, found, strict=True) if text and text.strip()})
        texts_of = [AnnotatedText(pivots[index], pivot) for index in sorted(pivots)]
        annotated = annotator.annotate(texts_of)
        for index, text, entities in zip(sorted(pivots), texts_of, annotated, strict=True):
            document = chunk[index].document
            rough = replace(document, id=f"{document.id}-rough", pivot=text.with_entities(entities))
            yield replace(chunk[index], document=rough)


def _there_and_back(
    texts: Sequence[str], translator: Translator, language: str, through: str, pivot: str
) -> list[str | None]:
    if language != pivot:
        return bind(translator, language, pivot)(texts)
    if through == pivot:
        raise ConfigError(f"texts in {pivot!r} need languages to go through and back: 'through' names none")
    there = bind(translator, pivot, through)(texts)
    return bind(translator, through, pivot)([text or "" for text in there])
