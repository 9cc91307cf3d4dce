"""Carrying spans from one text to its translation by word alignment.

Two stretches of the two texts are aligned when each is the other's best match.  How well two stretches match is the
cosine of what a multilingual encoder makes of them in a middle layer, plus, for names, how much their spelling has in
common: names survive translation letter by letter more often than a small encoder has seen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transfusion.document import AnnotatedText, Entity, Match, Note
from transfusion.encoder.layout import Slot
from transfusion.encoder.model import EncoderModel, Vectors
from transfusion.project.base import Projection
from transfusion.project.similarity import spelling_similarity


@dataclass(frozen=True, slots=True)
class AlignmentSettings:
    """What decides whether a span finds a home; for names, chosen on the development sentences of MasakhaNER 2.0.

    :param threshold: Least match, after centring, that counts as aligned.
    :param spelling: Weight of spelling beside the cosine.
    :param gap: Stretches without a match that a span may bridge.
    :param grow: Whether a home takes in neighbours whose own best match is a word of the span, mutual or not. In a
        script without spaces it always does: several stretches there are one word.
    """

    threshold: float = 0.5
    spelling: float = 1.2
    gap: int = 1
    grow: bool = False


PHRASES = AlignmentSettings(threshold=0.15, spelling=0.6, gap=2, grow=True)
"""For spans that are ordinary words, such as slots ("every day at 6 am"); chosen on the valid files of xSID."""


TOO_LONG = "too-long-to-align"
"""Code of the note on a pair of texts whose words are too many to compare."""
MOST_COMPARISONS = 20_000_000
"""Words of the one text times words of the other; a table of so many numbers takes 80 MB, and several are needed."""


class AlignProjector:
    """Carries spans to where the encoder's view of the words says that they went.

    Of a pair of texts that are too long to compare, all spans are lost, with a note.

    :param model: The encoder, whose middle layer aligns the words.
    :param settings: What counts as aligned.
    """

    def __init__(self, model: EncoderModel, settings: AlignmentSettings | None = None) -> None:
        self.model = model
        self.settings = settings or AlignmentSettings()

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        """Carry spans over; see :class:`~transfusion.project.base.Projector`."""
        analyses = self.model.analyse([*annotated, *others])
        return [
            self._project(one, ours.vectors, other.text, theirs.vectors)
            for one, other, ours, theirs in zip(
                annotated, others, analyses[: len(annotated)], analyses[len(annotated) :], strict=True
            )
        ]

    def _project(self, annotated: AnnotatedText, vectors: Vectors, text: str, text_vectors: Vectors) -> Projection:
        comparisons = len(vectors.slots) * len(text_vectors.slots)
        if comparisons > MOST_COMPARISONS:
            note = Note(TOO_LONG, f"{comparisons} pairs of words are too many to align", "warning")
            return Projection((), annotated.entities, (note,))
        return project(annotated, vectors, text, text_vectors, self.settings)


def project(
    annotated: AnnotatedText,
    annotated_vectors: Vectors,
    text: str,
    text_vectors: Vectors,
    settings: AlignmentSettings | None = None,
) -> Projection:
    """Carry the entities of one text to its translation.

    :param annotated: The text whose entities are known, usually the pivot.
    :param annotated_vectors: The encoder's view of it.
    :param text: The text that the entities are carried to, usually the source.
    :param text_vectors: The encoder's view of that.
    :param settings: What counts as aligned.
    :returns: The spans that found a home, and those that did not.
    """
    settings = settings or AlignmentSettings()
    if not annotated.entities or not annotated_vectors.slots or not text_vectors.slots:
        return Projection((), annotated.entities)
    names = [
        index
        for index, slot in enumerate(annotated_vectors.slots)
        if any(e.start < slot.end and slot.start < e.end for e in annotated.entities)
    ]
    spelling = _spelling_similarity(annotated.text, annotated_vectors.slots, names, text, text_vectors.slots)
    match = _cosines(annotated_vectors.values, text_vectors.values) + settings.spelling * spelling
    enough = match >= settings.threshold
    enough &= _both_words(annotated.text, annotated_vectors.slots, text, text_vectors.slots)
    mutual = _mutual_best(match) & enough
    closest = match.argmax(axis=0)
    best = np.where(np.take_along_axis(enough, closest[None], axis=0)[0], closest, -1)
    homes = []
    lost = []
    for entity in annotated.entities:
        rows = [i for i in names if _overlaps(annotated_vectors.slots[i], entity)]
        columns = sorted({int(column) for row in rows for column in np.flatnonzero(mutual[row])})
        run = _strongest_run(columns, match[rows].max(axis=0, initial=-1.0), settings.gap)
        if not run:
            lost.append(entity)
            continue
        run = _grown(run, np.isin(best, rows), text_vectors.slots, across_spaces=settings.grow)
        strength = float(np.clip(match[np.ix_(rows, run)].max(axis=0).mean(), 0.0, 1.0))
        spelt: Match = "similar" if spelling[np.ix_(rows, run)].max() >= 0.8 else "aligned"
        homes.append(_Home(entity, _span(entity, run, text_vectors.slots, strength, spelt), run, strength))
    kept, crowded = _without_overlap(homes)
    carried = tuple((home.entity, home.span) for home in sorted(kept, key=lambda home: home.span.start))
    return Projection(carried, (*lost, *(home.entity for home in crowded)))


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a span could go: the span there, the stretches it takes, and how well they match."""

    entity: Entity
    span: Entity
    run: Sequence[int]
    strength: float


def _overlaps(slot: Slot, entity: Entity) -> bool:
    return entity.start < slot.end and slot.start < entity.end


def _cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of two sets of vectors, each centred: all vectors of one text share a large common part."""
    left = left - left.mean(axis=0)
    right = right - right.mean(axis=0)
    left /= np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-6)
    right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-6)
    cosines: NDArray[np.float32] = left @ right.T
    return cosines


def _mutual_best(match: NDArray[np.float32]) -> NDArray[np.bool_]:
    best: NDArray[np.bool_] = match == match.max(axis=0, keepdims=True)
    best &= match == match.max(axis=1, keepdims=True)
    return best


def _both_words(left: str, left_slots: Sequence[Slot], right: str, right_slots: Sequence[Slot]) -> NDArray[np.bool_]:
    """A mark of punctuation is no home for a word."""
    left_words = np.array([any(c.isalnum() for c in left[s.start : s.end]) for s in left_slots])
    right_words = np.array([any(c.isalnum() for c in right[s.start : s.end]) for s in right_slots])
    both: NDArray[np.bool_] = left_words[:, None] & right_words[None, :]
    return both


def _spelling_similarity(
    left: str, left_slots: Sequence[Slot], names: Sequence[int], right: str, right_slots: Sequence[Slot]
) -> NDArray[np.float32]:
    """How alike the stretches that are part of a name are spelt or sound: Dice coefficients of character bigrams."""
    similarity = np.zeros((len(left_slots), len(right_slots)), np.float32)
    words = [right[slot.start : slot.end] for slot in right_slots]
    for row in names:
        name = left[left_slots[row].start : left_slots[row].end]
        similarity[row] = [spelling_similarity(name, word) for word in words]
    return np.where(similarity >= 0.5, similarity, 0.0).astype(np.float32)


def _strongest_run(columns: Sequence[int], strength: NDArray[np.float32], gap: int) -> list[int]:
    """Of the matched stretches, the neighbours that match best together, with the stretches between them."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and column - runs[-1][-1] <= gap + 1:
            runs[-1].extend(range(runs[-1][-1] + 1, column + 1))
        else:
            runs.append([column])
    return max(runs, key=lambda run: float(strength[run].sum()), default=[])


def _grown(run: Sequence[int], ours: NDArray[np.bool_], slots: Sequence[Slot], *, across_spaces: bool) -> list[int]:
    """The run with the neighbours that are ours too, as far as they reach in one piece."""
    first, last = run[0], run[-1]
    while first > 0 and ours[first - 1] and (across_spaces or slots[first - 1].end == slots[first].start):
        first -= 1
    while last + 1 < len(slots) and ours[last + 1] and (across_spaces or slots[last].end == slots[last + 1].start):
        last += 1
    return list(range(first, last + 1))


def _span(entity: Entity, run: Sequence[int], slots: Sequence[Slot], strength: float, match: Match) -> Entity:
    return replace(
        entity,
        start=slots[run[0]].start,
        end=slots[run[-1]].end,
        score=entity.score * min(1.0, 0.5 + strength / 2),
        match=match,
    )


def _without_overlap(homes: Sequence[_Home]) -> tuple[list[_Home], list[_Home]]:
    """Of two spans that want the same stretch, the better aligned one gets it."""
    taken: set[int] = set()
    kept, crowded = [], []
    for home in sorted(homes, key=lambda home: -home.strength):
        if taken.isdisjoint(home.run):
            taken.update(home.run)
            kept.append(home)
        else:
            crowded.append(home)
    return kept, crowded
