"""Do scores mean what they say? Of the entities with score 0.8, four in five should be right.

Expected calibration error and temperature scaling are those of Guo, Pleiss, Sun and Weinberger, *On Calibration of
Modern Neural Networks* (ICML 2017), section 2, equation 3, and section 4.2, for one score a prediction: the probability
that it is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A score of 0 or 1 has no finite logit; nothing is told apart beyond these.
_LEAST = 1e-12
_WIDEST = 100.0


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions whose scores are alike.

    :param low: Its scores are greater than this (a score of 0 is in the first bin).
    :param high: And at most this.
    :param count: How many predictions there are.
    :param confidence: Their mean score; 0 if there are none.
    :param accuracy: The part of them that is right; 0 if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far scores are from what they say.

    :param bins: Predictions by score, in bins of equal width.
    """

    bins: tuple[Bin, ...]

    @property
    def count(self) -> int:
        """Number of predictions."""
        return sum(each.count for each in self.bins)

    @property
    def error(self) -> float:
        """Expected calibration error, between 0 and 1: the mean gap between score and accuracy."""
        gaps = sum(each.count * abs(each.accuracy - each.confidence) for each in self.bins)
        return gaps / self.count if self.count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """``ece``, ``count`` and ``bins``, those without predictions left out."""
        return {
            "ece": self.error,
            "count": self.count,
            "bins": [
                {
                    "low": each.low,
                    "high": each.high,
                    "count": each.count,
                    "confidence": each.confidence,
                    "accuracy": each.accuracy,
                }
                for each in self.bins
                if each.count
            ],
        }

    def __str__(self) -> str:
        """The table for people, a bin a line."""
        lines = ["     score   count  confidence  accuracy"]
        lines += [
            f"{each.low:.2f}-{each.high:.2f}  {each.count:6}  {each.confidence:10.3f}  {each.accuracy:8.3f}"
            for each in self.bins
            if each.count
        ]
        return "\n".join([*lines, f"expected calibration error {self.error:.4f} of {self.count} predictions"])


def measure_reliability(scores: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> Reliability:
    """Compare scores with how often they are right.

    :param scores: The score of each prediction, between 0 and 1.
    :param correct: Whether it is right.
    :param bins: Number of bins; Guo et al. take 15.
    :returns: The table, and with it the expected calibration error.
    :raises ValueError: If scores and verdicts do not fit together, a score is no probability, or there is no bin.
    """
    probabilities, right = _checked(scores, correct)
    if bins < 1:
        raise ValueError(f"calibration is measured in 1 bin or more, not {bins}")
    # A score that is a bound belongs below it; the bounds are those that the table shows.
    bounds = np.arange(1, bins) / bins
    places = np.searchsorted(bounds, probabilities, side="left")
    counts = np.bincount(places, minlength=bins)
    means = [np.bincount(places, values, bins) / np.maximum(counts, 1) for values in (probabilities, right)]
    return Reliability(
        tuple(
            Bin(place / bins, (place + 1) / bins, int(counts[place]), float(means[0][place]), float(means[1][place]))
            for place in range(bins)
        )
    )


def fit_temperature(scores: ArrayLike, correct: ArrayLike) -> float:
    """The temperature at which scores explain best what was right: the least negative log likelihood.

    :param scores: The score of each prediction on a development set, between 0 and 1.
    :param correct: Whether it is right.
    :returns: The temperature, between 0.01 and 100: above 1 for a model that is too sure of itself; 1 where there is
        nothing to learn it from.
    :raises ValueError: If scores and verdicts do not fit together, or a score is no probability.
    """
    probabilities, right = _checked(scores, correct)
    logits = _logits(probabilities)

    def slope(sharpness: float) -> float:
        """How the negative log likelihood changes with ``1 / temperature``; it is convex, so this only grows."""
        return float(np.sum((_sigmoid(sharpness * logits) - right) * logits))

    low, high = -np.log(_WIDEST), np.log(_WIDEST)
    if not np.any(logits):
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(np.exp(middle)) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def scale_scores(scores: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Scores after temperature scaling: their logits divided by the temperature.

    :param scores: Scores between 0 and 1.
    :param temperature: As :func:`fit_temperature` finds it.
    :returns: The scores, in the same order of size.
    :raises ValueError: If a score is no probability or the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    probabilities, _ = _checked(scores, np.zeros(np.shape(scores)))
    return _sigmoid(_logits(probabilities) / temperature)


def _checked(scores: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    probabilities, right = np.asarray(scores, np.float64), np.asarray(correct, np.float64)
    if probabilities.ndim != 1 or probabilities.shape != right.shape:
        raise ValueError(f"{probabilities.shape} scores and {right.shape} verdicts: give one of each a prediction")
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError(f"scores lie between 0 and 1, not {probabilities.min()} to {probabilities.max()}")
    return probabilities, right


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    inner = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(inner) - np.log1p(-inner))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))
