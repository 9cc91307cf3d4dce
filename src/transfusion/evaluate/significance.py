"""How far a score can be trusted: the bootstrap over documents.

Resampling documents with replacement shows how the score would vary over test sets of the same kind (Koehn,
*Statistical Significance Tests for Machine Translation Evaluation*, EMNLP 2004). The same resamples serve both systems
of a comparison, so that what is hard for both cancels out. For a mean over several test sets, such as languages,
documents are resampled within each and the F1 of all sets is averaged, each set weighing the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transfusion.evaluate.score import Counts, Scores

Floats = npt.NDArray[np.float64]
TestSets = Scores | Mapping[str, Scores]
"""Scores of one test set, or of several by name."""

_CELLS = 4_000_000
"""Numbers held at once while resampling: some 32 MB, whatever the size of the test set."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    :param value: As measured on the whole test set.
    :param low: Lower end of the 95 % interval.
    :param high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same documents.

    :param f1_a: F1 of the first, 0 to 100.
    :param f1_b: F1 of the second.
    :param difference: F1 of the first less that of the second.
    :param p_value: Two-sided: how often a difference this large would come up if the systems were equally good. Never
        below 1 / (resamples + 1).
    :param probability_a_better: Part of the resamples in which the first is ahead; ties count half.
    :param resamples: Number of resamples drawn.
    :param seed: Seed of the draw.
    :param test_sets: Names of the sets averaged over; empty for a single one.
    """

    f1_a: Estimate
    f1_b: Estimate
    difference: Estimate
    p_value: float
    probability_a_better: float
    resamples: int
    seed: int
    test_sets: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return asdict(self)


def bootstrap(scores: TestSets, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """The F1 of one system with its 95 % interval.

    :param scores: One test set, or several to average over.
    :param resamples: Number of resamples.
    :param seed: Seed of the draw.
    :returns: F1 (or mean F1) and its interval, 0 to 100.
    :raises ValueError: If there is nothing to resample.
    """
    sets = list(_by_name(scores).values())
    drawn = _resampled_f1([one.counts for one in sets], resamples=resamples, seed=seed)[:, 0]
    return _estimate(_mean_f1(sets), drawn)


def paired_bootstrap(a: TestSets, b: TestSets, *, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Whether system A is better than system B, and by how much.

    The p-value compares the measured difference with the resampled ones after these were moved to a mean of zero.

    :param a: Scores of the first system: one test set, or several to average over.
    :param b: Scores of the second on the same documents.
    :param resamples: Number of resamples; 1,000 or more.
    :param seed: Seed of the draw.
    :returns: Both scores, their difference, intervals and p-value.
    :raises ValueError: If the two were not scored on the same test sets and documents, or there are none.
    """
    sets_a, sets_b = _by_name(a), _by_name(b)
    if sets_a.keys() != sets_b.keys():
        raise ValueError(f"cannot pair test sets {sorted(sets_a)} with {sorted(sets_b)}")
    for name, one in sets_a.items():
        if not np.array_equal(one.counts[:, 2], sets_b[name].counts[:, 2]):
            where = f" of {name!r}" if name else ""
            raise ValueError(f"the two systems were scored on different documents or gold entities{where}")
    joined = [np.hstack([one.counts, sets_b[name].counts]) for name, one in sets_a.items()]
    drawn = _resampled_f1(joined, resamples=resamples, seed=seed)
    differences = drawn[:, 0] - drawn[:, 1]
    f1_a, f1_b = _mean_f1(sets_a.values()), _mean_f1(sets_b[name] for name in sets_a)
    # A hair of tolerance, or rounding would decide between differences that are equal.
    beyond = np.abs(differences - differences.mean()) >= abs(f1_a - f1_b) - 1e-9
    return Comparison(
        f1_a=_estimate(f1_a, drawn[:, 0]),
        f1_b=_estimate(f1_b, drawn[:, 1]),
        difference=_estimate(f1_a - f1_b, differences),
        p_value=float((beyond.sum() + 1) / (resamples + 1)),
        probability_a_better=float(np.mean(differences > 0) + np.mean(differences == 0) / 2),
        resamples=resamples,
        seed=seed,
        test_sets=tuple(name for name in sets_a if name),
    )


def _by_name(scores: TestSets) -> Mapping[str, Scores]:
    return {"": scores} if isinstance(scores, Scores) else scores


def _mean_f1(sets: Iterable[Scores]) -> float:
    return float(np.mean([one.f1 for one in sets]))


def _estimate(value: float, drawn: Floats) -> Estimate:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _resampled_f1(sets: Sequence[Counts], *, resamples: int, seed: int) -> Floats:
    """Mean F1 over the sets in every resample.

    :param sets: For each test set, *shape* (documents, 3 * systems).
    :param resamples: Number of resamples.
    :param seed: Seed of the draw.
    :returns: *Shape:* (resamples, systems), 0 to 100.
    :raises ValueError: If there are no resamples, no sets, or a set without documents.
    """
    if resamples < 1 or not sets or not all(len(counts) for counts in sets):
        raise ValueError("the bootstrap needs at least one resample, and one document in every test set")
    systems = sets[0].shape[1] // 3
    total = np.zeros((resamples, systems))
    for number, counts in enumerate(sets):
        # A stream of its own for each set: adding one does not change the draws of those before it.
        generator = np.random.default_rng([seed, number])
        step = max(1, _CELLS // counts.size)
        for first in range(0, resamples, step):
            size = min(step, resamples - first)
            chosen = generator.integers(len(counts), size=(size, len(counts)))
            sums = counts[chosen].sum(axis=1).reshape(size, systems, 3)
            correct, entities = sums[..., 0], sums[..., 1] + sums[..., 2]
            total[first : first + size] += 200 * correct / np.maximum(entities, 1)
    return total / len(sets)
