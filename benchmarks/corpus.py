"""Gold sentences for the benchmarks, and timing."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from transfusion import Document, Pipeline
from transfusion.evaluate.run import GoldDocuments, GoldSet, load_gold, run_system
from transfusion.evaluate.score import Scores

LABELS = ("LOC", "ORG", "PER")


def masakhaner(
    data: Path, language: str, split: str, *, translated: bool, natural: bool = False, limit: int = 0
) -> GoldDocuments:
    """Sentences of MasakhaNER 2.0 with their gold entities.

    :param data: Folder that holds ``masakhaner2``.
    :param language: ISO 639-3 code.
    :param split: ``dev`` or ``test``.
    :param translated: Whether to keep only the sentences with a human translation, which becomes their pivot.
    :param natural: Whether to turn the tokenised sentences into natural text.
    :param limit: Keep the first so many; 0 for all.
    :returns: The sentences.
    """
    folder = data / "masakhaner2" / language
    gold = GoldSet(
        gold=folder / f"{split}.txt",
        language=language,
        labels=LABELS,
        translations=folder / f"{split}.translations.jsonl" if translated else None,
        translated_only=translated,
        natural=natural,
    )
    return first(load_gold(gold), limit)


def first(gold: GoldDocuments, limit: int) -> GoldDocuments:
    """The first so many sentences; all for 0."""
    return replace(gold, documents=gold.documents[:limit]) if limit else gold


def without_entities(gold: GoldDocuments) -> list[Document]:
    """The sentences as a system gets to see them."""
    return [replace(document, source=document.source.with_entities(())) for document in gold.documents]


def timed(pipeline: Pipeline, gold: GoldDocuments) -> tuple[Scores, float]:
    """Score a pipeline, and say how many sentences it read in a second."""
    begun = time.perf_counter()
    scores = run_system(pipeline, gold, LABELS)
    return scores, len(gold.documents) / (time.perf_counter() - begun)
