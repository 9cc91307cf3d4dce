"""Scores and how often they are right: expected calibration error and temperature scaling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.evaluate.calibration import fit_temperature, measure_reliability, scale_scores


def negative_log_likelihood(scores: object, correct: object) -> float:
    """How badly scores explain what was right, computed the plain way."""
    probabilities, right = np.asarray(scores, float), np.asarray(correct, bool)
    return float(-np.sum(np.log(np.where(right, probabilities, 1 - probabilities))))


def test_a_model_that_is_as_good_as_it_says_has_no_calibration_error() -> None:
    # Ten entities at 0.9, nine of them right; four at 0.25, one of them right.
    found = measure_reliability([0.9] * 10 + [0.25] * 4, [True] * 9 + [False] + [True] + [False] * 3)
    assert found.error == pytest.approx(0)
    assert found.count == 14


def test_the_error_is_the_mean_gap_weighted_by_predictions() -> None:
    # Two bins of ten: at 0.95 six of eight are right (gap 0.2), at 0.35 one of two (gap 0.15).
    found = measure_reliability([0.95] * 8 + [0.35] * 2, [1] * 6 + [0] * 2 + [1, 0], bins=10)
    assert found.error == pytest.approx(0.8 * 0.2 + 0.2 * 0.15)
    full = [each for each in found.bins if each.count]
    assert [(each.low, each.high, each.count) for each in full] == [(0.3, 0.4, 2), (0.9, 1.0, 8)]
    assert [each.accuracy for each in full] == pytest.approx([0.5, 0.75])
    assert [each.confidence for each in full] == pytest.approx([0.35, 0.95])


def test_a_score_on_the_bound_of_two_bins_belongs_to_the_lower_one() -> None:
    found = measure_reliability([0.0, 0.1, 0.2, 0.3, 1.0], [0, 0, 0, 0, 1], bins=10)
    assert [each.count for each in found.bins] == [2, 1, 1, 0, 0, 0, 0, 0, 0, 1]


def test_without_predictions_there_is_no_error() -> None:
    found = measure_reliability([], [])
    assert (found.count, found.error) == (0, 0.0)
    assert found.to_dict() == {"ece": 0.0, "count": 0, "bins": []}


def test_the_table_for_people() -> None:
    assert str(measure_reliability([0.95] * 4, [1, 1, 1, 0], bins=10)).splitlines() == [
        "     score   count  confidence  accuracy",
        "0.90-1.00       4       0.950     0.750",
        "expected calibration error 0.2000 of 4 predictions",
    ]


def test_the_record_of_a_table() -> None:
    record = measure_reliability([0.5, 0.5], [1, 0], bins=2).to_dict()
    assert record == {
        "ece": 0.0,
        "count": 2,
        "bins": [{"low": 0.0, "high": 0.5, "count": 2, "confidence": 0.5, "accuracy": 0.5}],
    }


def test_a_model_that_is_too_sure_of_itself_is_cooled_down_to_its_accuracy() -> None:
    # It says 0.99 and is right three times in four: logit(0.99) / T = logit(0.75).
    scores, right = [0.99] * 400, [True, True, True, False] * 100
    temperature = fit_temperature(scores, right)
    assert temperature == pytest.approx(np.log(99) / np.log(3), rel=1e-6)
    scaled = scale_scores(scores, temperature)
    assert scaled == pytest.approx(0.75)
    assert measure_reliability(scores, right).error == pytest.approx(0.24)
    assert measure_reliability(scaled, right).error == pytest.approx(0, abs=1e-9)


def test_a_model_that_is_too_modest_is_given_confidence() -> None:
    assert fit_temperature([0.6] * 10, [True] * 9 + [False]) == pytest.approx(np.log(1.5) / np.log(9), rel=1e-6)


def test_scores_that_were_spoilt_by_a_temperature_are_mended_by_it() -> None:
    random = np.random.default_rng(5)
    honest = random.beta(4, 1.5, 20_000)
    right = random.random(len(honest)) < honest
    spoilt = scale_scores(honest, 1 / 2.5)
    assert fit_temperature(spoilt, right) == pytest.approx(2.5, rel=0.1)
    before, after = (measure_reliability(each, right).error for each in (spoilt, scale_scores(spoilt, 2.5)))
    assert after < 0.02 < before


@pytest.mark.parametrize(
    ("scores", "right", "temperature"),
    [([], [], 1.0), ([0.5, 0.5], [1, 0], 1.0), ([0.9], [1], 0.01), ([0.9], [0], 100.0), ([1.0, 0.0], [1, 0], 0.01)],
    ids=["no predictions", "no opinion", "always right", "always wrong", "certain and right"],
)
def test_where_no_temperature_is_best_there_still_is_one(
    scores: list[float], right: list[int], temperature: float
) -> None:
    assert fit_temperature(scores, right) == pytest.approx(temperature)


predictions = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=30)


@given(predictions)
def test_no_other_temperature_explains_the_development_set_better(found: list[tuple[float, bool]]) -> None:
    scores, right = zip(*found, strict=True)
    best = fit_temperature(scores, right)
    least = negative_log_likelihood(scale_scores(scores, best), right)
    for other in (best * 1.05, best / 1.05, 1.0):
        if 0.01 <= other <= 100:
            assert least <= negative_log_likelihood(scale_scores(scores, other), right) + 1e-6


@given(predictions, st.floats(0.05, 20))
def test_a_temperature_keeps_the_order_of_scores(found: list[tuple[float, bool]], temperature: float) -> None:
    scores = np.sort([score for score, _ in found])
    scaled = scale_scores(scores, temperature)
    assert np.all(np.diff(scaled) >= 0)
    assert np.all((scaled >= 0) & (scaled <= 1))


@pytest.mark.parametrize(
    ("scores", "right"), [([0.5], [1, 0]), ([1.5], [1]), ([-0.1, 0.3], [1, 0]), ([float("nan")], [1])]
)
def test_what_is_no_probability_is_refused(scores: list[float], right: list[int]) -> None:
    with pytest.raises(ValueError, match="scores"):
        measure_reliability(scores, right)
    with pytest.raises(ValueError, match="scores"):
        fit_temperature(scores, right)


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="1 bin or more, not 0"):
        measure_reliability([0.5], [1], bins=0)
    with pytest.raises(ValueError, match="above 0, not 0"):
        scale_scores([0.5], 0)
