"""From label scores to spans: the best well-formed IOB2 sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transfusion.document import Entity
from transfusion.encoder.layout import Slot


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def best_sequence(log_probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """The most likely IOB2 sequence in which every inside label continues a span of its own type.

    :param log_probabilities: Of the labels of each slot, outside first, then begin and inside of each type.
        *Shape:* ``(slots, labels)``.
    :returns: Label of each slot. *Shape:* ``(slots,)``.
    """
    slots, labels = log_probabilities.shape
    if slots == 0:
        return np.zeros(0, np.int64)
    allowed = np.zeros((labels, labels), np.float32)  # from row to column
    for inside in range(2, labels, 2):
        allowed[:, inside] = -np.inf
        allowed[inside - 1, inside] = allowed[inside, inside] = 0.0
    best = log_probabilities[0].copy()
    best[2::2] = -np.inf
    origin = np.zeros((slots, labels), np.int64)
    for slot in range(1, slots):
        paths = best[:, None] + allowed
        origin[slot] = paths.argmax(axis=0)
        best = paths.max(axis=0) + log_probabilities[slot]
    sequence = np.zeros(slots, np.int64)
    sequence[-1] = best.argmax()
    for slot in range(slots - 1, 0, -1):
        sequence[slot - 1] = origin[slot, sequence[slot]]
    return sequence


def read_spans(
    slots: Sequence[Slot], log_probabilities: NDArray[np.float32], labels: Sequence[str]
) -> tuple[Entity, ...]:
    """Read the spans of a text off its label scores.

    :param slots: Stretches of the text.
    :param log_probabilities: *Shape:* ``(slots, 1 + 2 * len(labels))``.
    :param labels: Entity labels in the order of the network.
    :returns: Entities in reading order; the score is the geometric mean of the probabilities of the labels inside.
    """
    sequence = best_sequence(log_probabilities)
    chosen = log_probabilities[np.arange(len(sequence)), sequence]
    entities = []
    index = 0
    while index < len(sequence):
        begin = index
        label = int(sequence[index])
        index += 1
        if label == 0:
            continue
        while index < len(sequence) and sequence[index] == label + 1:
            index += 1
        score = math.exp(chosen[begin:index].mean())
        entities.append(Entity(slots[begin].start, slots[index - 1].end, labels[(label - 1) // 2], min(score, 1.0)))
    return tuple(entities)
