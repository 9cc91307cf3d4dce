"""From training data to batches: which inputs an epoch has, with which noise and labels, and in which order."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Protocol

from transfusion.corpora.columns import read_gold
from transfusion.document import AnnotatedText
from transfusion.encoder.layout import EncoderInput, Layout, slot_labels
from transfusion.errors import ConfigError
from transfusion.train.config import Source, TrainingConfig
from transfusion.train.examples import Example, detokenised, read_examples, without_spaces
from transfusion.train.network import IGNORED

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledInput:
    """An input and the label of each of its positions."""

    input: EncoderInput
    labels: tuple[int, ...]


class ReadableSource(Protocol):
    """Where examples are, and which of them are used; the settings of :class:`~transfusion.train.config.Source`."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def language(self) -> str: ...  # noqa: D102
    @property
    def natural(self) -> float: ...  # noqa: D102
    @property
    def limit(self) -> int: ...  # noqa: D102
    @property
    def skip(self) -> tuple[str, ...]: ...  # noqa: D102


def prepare(config: TrainingConfig, layout: Layout) -> list[LabelledInput]:
    """All inputs of a training, every epoch with noise of its own, in no particular order.

    :param config: The configuration.
    :param layout: How texts are laid out.
    :returns: The inputs.
    """
    random = Random(config.seed)
    prepared = []
    too_long = unlabelled = 0
    for source in config.data:
        examples = list(read_source(source, config.labels, random))
        pivots = [example.document.pivot for example in examples if example.document.pivot is not None]
        for _ in range(config.epochs):
            for example in examples:
                for pivot in _uses(example, source, pivots, config.labels, random):
                    one = _lay_out(example, pivot, layout, spaceless=random.random() < source.spaceless)
                    if len(one.input) > config.longest:
                        too_long += 1
                    elif all(label == IGNORED for label in one.labels):
                        unlabelled += 1  # a batch of these alone would have no loss, and its gradient no value
                    else:
                        prepared.append(one)
        log.info("%s: %d examples", source.path, len(examples))
    if too_long:
        log.warning("left out %d inputs of more than %d positions", too_long, config.longest)
    if unlabelled:
        log.warning("left out %d inputs without a single sure label", unlabelled)
    if not prepared:
        raise ConfigError("the configuration's data holds no example")
    return prepared


def read_source(source: ReadableSource, labels: Sequence[str], random: Random) -> Iterator[Example]:
    """The examples of one part of the data.

    :param source: The part.
    :param labels: Labels that are kept; entities of others are left out.
    :param random: Source of randomness: which examples are used where there is a limit, and which become natural text.
    :yields: The examples.
    :raises ConfigError: If no file matches.
    """
    paths = [path for path in sorted(glob.glob(source.path)) if not Path(path).stem.endswith(source.skip or ("\0",))]
    if not paths:
        raise ConfigError(f"no file matches {source.path}")
    for path in map(Path, paths):
        if path.suffix == ".jsonl":
            examples = list(read_examples(path))
        else:
            gold = read_gold(path, language=source.language)
            for problem in gold.problems:
                log.warning("%s", problem)
            examples = [Example(document) for document in gold.documents]
        if source.limit and len(examples) > source.limit:
            examples = random.sample(examples, source.limit)
        for example in examples:
            example = _with_labels(example, labels)
            yield detokenised(example) if random.random() < source.natural else example


def _with_labels(example: Example, labels: Sequence[str]) -> Example:
    """The example without entities that the network has no labels for."""

    def restricted(text: AnnotatedText) -> AnnotatedText:
        return text.with_entities(tuple(entity for entity in text.entities if entity.label in labels))

    source, pivot = example.document.source, example.document.pivot
    pivot = None if pivot is None else restricted(pivot)
    return replace(example, document=replace(example.document, source=restricted(source), pivot=pivot))


def _uses(
    example: Example, source: Source, pivots: Sequence[AnnotatedText], labels: Sequence[str], random: Random
) -> Iterator[AnnotatedText | None]:
    for _ in range(times(source.direct, random)):
        yield None
    for _ in range(times(source.fused, random)):
        pivot = example.document.pivot or example.document.source
        yield source.noise.corrupt(pivot, pivots, labels, random)


def times(rate: float, random: Random) -> int:
    """A rate as a number of times: its whole part, and once more with the probability of the rest."""
    return int(rate) + (random.random() < rate - int(rate))


def _lay_out(example: Example, pivot: AnnotatedText | None, layout: Layout, *, spaceless: bool) -> LabelledInput:
    if spaceless:
        example = without_spaces(example)
    source = example.document.source
    laid_out = layout.lay_out(source.text, pivot, spaceless=spaceless)
    labels = [IGNORED] * len(laid_out)
    gold = slot_labels(laid_out.slots, source.entities, layout.labels)
    for slot, label in zip(laid_out.slots, gold, strict=True):
        if not any(start < slot.end and slot.start < end for start, end in example.unsure):
            labels[slot.position] = label
    return LabelledInput(laid_out, tuple(labels))


def make_batches(inputs: Sequence[LabelledInput], positions: int, seed: int) -> list[list[LabelledInput]]:
    """Group inputs of about one length, then put the groups in random order.

    :param inputs: All inputs.
    :param positions: Positions in one batch, padding included.
    :param seed: Seed of the order.
    :returns: The batches.
    """
    random = Random(seed)
    shuffled = random.sample(list(inputs), len(inputs))
    shuffled.sort(key=lambda one: len(one.input))  # stable: inputs of one length stay in random order
    batches: list[list[LabelledInput]] = [[]]
    for one in shuffled:
        if batches[-1] and (len(batches[-1]) + 1) * len(one.input) > positions:
            batches.append([])
        batches[-1].append(one)
    random.shuffle(batches)
    return batches
