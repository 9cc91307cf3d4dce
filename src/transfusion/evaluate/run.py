"""Scoring a system on a gold file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from transfusion import __version__
from transfusion.corpora.columns import read_gold
from transfusion.corpora.detokenise import detokenise
from transfusion.document import Document
from transfusion.errors import FormatError, InputError, TransfusionError
from transfusion.evaluate.score import Scores, score
from transfusion.evaluate.signature import Signature, name_and_hash
from transfusion.language import get_language
from transfusion.pipeline import Pipeline
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.engines import load_translator
from transfusion.translate.parallel import ParallelTranslations
from transfusion.translate.stage import TranslateSource


@dataclass(frozen=True, slots=True)
class GoldSet:
    """A gold file and what goes with it.

    :param gold: The file, in any of the gold formats.
    :param language: ISO 639-3 code of its language.
    :param translations: A file of translations, a line for each sentence; none if there are none.
    :param labels: Labels that are scored; others count as outside.
    :param translated_only: Whether sentences without a translation are left out.
    :param natural: Whether tokenised sentences are turned into natural text first.
    :param translator: Engine that translates sentences which have no translation yet; none if it is ``None``.
    :param options: Settings of the engine.
    :param sample: Most sentences that are scored, drawn once by ``seed`` from those that would be; 0 for all.
    :param seed: Seed of the draw.
    """

    gold: Path
    language: str
    labels: tuple[str, ...]
    translations: Path | None = None
    translated_only: bool = False
    natural: bool = False
    translator: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    sample: int = 0
    seed: int = 13

    @property
    def translated(self) -> bool:
        """Whether there is a way to translations."""
        return self.translations is not None or self.translator is not None


@dataclass(frozen=True, slots=True)
class GoldDocuments:
    """The sentences of a gold set, with their gold entities and their translations.

    :param documents: The sentences.
    :param problems: Lines of the gold file that could not be read.
    :param translator: Signature of the engine that translated them, if one did.
    """

    documents: tuple[Document, ...]
    problems: tuple[FormatError, ...]
    translator: str | None = None


def load_gold(gold: GoldSet) -> GoldDocuments:
    """Read a gold set.

    :param gold: The files, and how they are read.
    :returns: The sentences, and what could not be read.
    :raises InputError: If a file is missing or nothing is left to score.
    :raises FormatError: If a file is in none of the formats.
    :raises TranslationError: If there are more or fewer translations than sentences.
    :raises ConfigError: If there is no such engine.
    """
    try:
        file = read_gold(gold.gold, language=get_language(gold.language).iso639_3, labels=gold.labels)
    except OSError as error:
        raise InputError(f"{gold.gold}: cannot be read ({error.strerror})") from error
    documents: Sequence[Document] = file.documents
    if gold.translations is not None:
        translations = ParallelTranslations(gold.translations)
        translations.check_count(len(documents))
        documents = list(translations(documents))
    if gold.natural:
        documents = [detokenise(document) for document in documents]
    if gold.translated_only and gold.translator is None:
        documents = [document for document in documents if document.pivot is not None]
    if gold.sample and gold.sample < len(documents):
        chosen = sorted(Random(gold.seed).sample(range(len(documents)), gold.sample))
        documents = [documents[place] for place in chosen]
    signature = None
    if gold.translator is not None:
        documents, signature = _translated(documents, gold.translator, gold.options)
    if gold.translated_only:
        documents = [document for document in documents if document.pivot is not None]
    if not documents:
        raise InputError(f"{gold.gold}: no sentence to score")
    return GoldDocuments(tuple(documents), file.problems, signature)


def _translated(documents: Iterable[Document], name: str, options: Mapping[str, str]) -> tuple[Sequence[Document], str]:
    """Documents as an engine translates them, and its signature."""
    with TranslationCache() as cache:
        translator = CachedTranslator(load_translator(name, options), cache)
        return list(Pipeline([TranslateSource(translator)]).stream(documents)), translator.signature


def run_system(
    pipeline: Pipeline, gold: GoldDocuments, labels: Collection[str], on_document: Callable[[], None] | None = None
) -> Scores:
    """Run a system on the sentences of a gold set and score what it finds.

    :param pipeline: The system.
    :param gold: The sentences; the system does not get to see their entities.
    :param labels: Labels that are scored.
    :param on_document: Called after each sentence.
    :returns: The scores.
    :raises TransfusionError: If a stage could not process a sentence.
    """
    blank = (replace(d, source=d.source.blank()) for d in gold.documents)
    predicted = []
    for document in pipeline.stream(blank, batch_size=256):
        if document.failed:
            # A score over what happened to work would look like a score.
            raise TransfusionError(f"sentence {document.id} could not be processed: {document.notes[-1].message}")
        predicted.append([entity for entity in document.source.entities if entity.label in labels])
        if on_document is not None:
            on_document()
    return score([document.source.entities for document in gold.documents], predicted, labels=labels)


def sign(gold: GoldSet, scored: GoldDocuments, *, system: str, model: str) -> Signature:
    """The signature of a score.

    :param gold: What was scored on.
    :param scored: The sentences that were scored.
    :param system: The system.
    :param model: Signature of its model.
    :returns: The signature.
    """
    variant = "".join(
        f"+{name}" for name, on in (("translated", gold.translated_only), ("natural", gold.natural)) if on
    )
    if gold.sample:
        variant += f"+sample{gold.sample}@{gold.seed}"
    return Signature(
        labels=gold.labels,
        language=get_language(gold.language).iso639_3,
        system=system,
        model=model,
        gold=name_and_hash(gold.gold) + variant,
        documents=len(scored.documents),
        version=__version__,
        translations=None if gold.translations is None else name_and_hash(gold.translations),
        translator=scored.translator,
    )
