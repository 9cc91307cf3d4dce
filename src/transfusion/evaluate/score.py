"""Strict span micro-F1: an entity counts if its offsets and its label are all as in the gold.

The numbers equal those of ``seqeval`` 1.2.2 (default mode, micro average) on the same entities, and through it those of
the CoNLL-2000 scorer ``conlleval``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from transfusion.document import Entity

Counts = npt.NDArray[np.int64]
"""*Shape:* (documents, 3): entities that are right, predicted, and in the gold."""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores of one label, or of all together.

    :param correct: Entities predicted with the right offsets and label.
    :param predicted: Entities predicted.
    :param support: Entities in the gold.
    """

    correct: int
    predicted: int
    support: int

    @property
    def precision(self) -> float:
        """Part of the predicted entities that is right, 0 to 100; 0 where nothing was predicted."""
        return 100 * _ratio(self.correct, self.predicted)

    @property
    def recall(self) -> float:
        """Part of the gold entities that was found, 0 to 100; 0 where the gold has none."""
        return 100 * _ratio(self.correct, self.support)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 100."""
        precision, recall = _ratio(self.correct, self.predicted), _ratio(self.correct, self.support)
        return 100 * _ratio(2 * precision * recall, precision + recall)

    def to_dict(self) -> dict[str, Any]:
        """``f1``, ``precision``, ``recall`` (0 to 100), ``support``, ``predicted`` and ``correct``."""
        return {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "support": self.support,
            "predicted": self.predicted,
            "correct": self.correct,
        }


@dataclass(frozen=True, slots=True)
class Scores(LabelScores):
    """Micro-averaged scores of a test set.

    :param per_label: Scores of each label that gold or predictions use, in the order of the names.
    :param counts: Counts of each document, which the bootstrap resamples.
    """

    per_label: dict[str, LabelScores]
    counts: Counts = field(compare=False, repr=False)

    @property
    def documents(self) -> int:
        """Number of documents scored."""
        return len(self.counts)

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain data, with ``documents`` and ``per_label`` beside the numbers of all labels together."""
        return {
            **LabelScores.to_dict(self),
            "documents": self.documents,
            "per_label": {label: scores.to_dict() for label, scores in self.per_label.items()},
        }


def score(
    gold: Iterable[Sequence[Entity]],
    predicted: Iterable[Sequence[Entity]],
    *,
    labels: Collection[str] | None = None,
) -> Scores:
    """Compare predicted entities with gold ones, document by document.

    An entity given twice in one document counts once. Scores and the way a span was found play no part.

    :param gold: Gold entities of each document.
    :param predicted: Predicted entities of the same documents in the same order.
    :param labels: Labels to score; entities of all others are left out on both sides. ``None`` scores all.
    :returns: Scores between 0 and 100, overall and for each label.
    :raises ValueError: If there are more documents on one side than on the other.
    """
    correct: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    support: Counter[str] = Counter()
    rows: list[tuple[int, int, int]] = []
    for expected, found in zip(map(set, _keys(gold, labels)), map(set, _keys(predicted, labels)), strict=True):
        right = expected & found
        rows.append((len(right), len(found), len(expected)))
        correct.update(label for _, _, label in right)
        guessed.update(label for _, _, label in found)
        support.update(label for _, _, label in expected)
    counts = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Scores(
        correct=correct.total(),
        predicted=guessed.total(),
        support=support.total(),
        per_label={
            label: LabelScores(correct[label], guessed[label], support[label]) for label in sorted(guessed | support)
        },
        counts=counts,
    )


def _keys(
    documents: Iterable[Sequence[Entity]], labels: Collection[str] | None
) -> Iterable[list[tuple[int, int, str]]]:
    return (
        [(e.start, e.end, e.label) for e in entities if labels is None or e.label in labels] for entities in documents
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
