"""A difference between systems is claimed only if other test sets of the kind would show it too."""

from __future__ import annotations

import numpy as np
import pytest

from transfusion.document import Entity
from transfusion.evaluate.score import Scores, score
from transfusion.evaluate.significance import bootstrap, paired_bootstrap


def system(hits: float, *, seed: int, documents: int = 300) -> Scores:
    """A system that finds each document's only name with the given probability, and something wrong otherwise."""
    found = np.random.default_rng(seed).random(documents) < hits
    return score([[Entity(0, 4, "PER")]] * documents, [[Entity(0, 4 if hit else 5, "PER")] for hit in found.tolist()])


def test_the_interval_holds_the_score_and_narrows_with_more_documents() -> None:
    small, large = (bootstrap(system(0.7, seed=1, documents=n)) for n in (100, 2000))
    for estimate in (small, large):
        assert estimate.low < estimate.value < estimate.high
    # The standard error of a part p of n documents is sqrt(p (1 - p) / n).
    assert large.high - large.low == pytest.approx(2 * 1.96 * 100 * (0.7 * 0.3 / 2000) ** 0.5, rel=0.15)
    assert small.high - small.low > 3 * (large.high - large.low)


def test_a_much_better_system_is_significantly_better() -> None:
    result = paired_bootstrap(system(0.8, seed=1), system(0.6, seed=2))
    assert result.difference.value == pytest.approx(result.f1_a.value - result.f1_b.value)
    assert result.difference.low > 0
    assert result.p_value < 0.01
    assert result.probability_a_better > 0.99


def test_the_worse_system_is_as_surely_worse() -> None:
    better, worse = system(0.8, seed=1), system(0.6, seed=2)
    there, back = paired_bootstrap(better, worse), paired_bootstrap(worse, better)
    assert back.difference.value == -there.difference.value
    assert back.p_value == there.p_value
    assert back.probability_a_better == pytest.approx(1 - there.probability_a_better)


def test_a_system_is_not_better_than_itself() -> None:
    one = system(0.7, seed=1)
    result = paired_bootstrap(one, one)
    assert (result.difference.value, result.p_value, result.probability_a_better) == (0, 1, 0.5)


def test_equal_systems_seldom_look_different() -> None:
    p_values = [
        paired_bootstrap(system(0.7, seed=2 * n, documents=200), system(0.7, seed=2 * n + 1, documents=200)).p_value
        for n in range(40)
    ]
    assert sum(p < 0.05 for p in p_values) <= 6


def test_a_mean_over_languages_weighs_each_the_same_and_is_surer_than_one_of_them() -> None:
    a = {"lug": system(0.75, seed=1, documents=100), "twi": system(0.6, seed=2, documents=900)}
    b = {"lug": system(0.65, seed=3, documents=100), "twi": system(0.5, seed=4, documents=900)}
    mean = paired_bootstrap(a, b)
    assert mean.f1_a.value == pytest.approx((a["lug"].f1 + a["twi"].f1) / 2)
    assert mean.test_sets == ("lug", "twi")
    lug = paired_bootstrap(a["lug"], b["lug"])
    assert mean.difference.high - mean.difference.low < lug.difference.high - lug.difference.low


def test_the_order_of_the_second_systems_languages_does_not_matter() -> None:
    a = {"lug": system(0.7, seed=1), "twi": system(0.5, seed=2)}
    b = {"lug": system(0.6, seed=3), "twi": system(0.6, seed=4)}
    assert paired_bootstrap(a, b) == paired_bootstrap(a, dict(reversed(b.items())))


def test_a_seed_makes_it_repeatable_in_any_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    one = system(0.7, seed=1)
    whole = bootstrap(one, seed=3)
    assert bootstrap(one, seed=3) == whole
    assert bootstrap(one, seed=4) != whole
    monkeypatch.setattr("transfusion.evaluate.significance._CELLS", 1)
    assert bootstrap(one, seed=3) == whole


def test_systems_on_different_documents_cannot_be_paired() -> None:
    one = system(0.7, seed=1)
    with pytest.raises(ValueError, match="different documents or gold"):
        paired_bootstrap(one, system(0.7, seed=1, documents=299))
    with pytest.raises(ValueError, match="cannot pair test sets"):
        paired_bootstrap({"lug": one}, {"twi": one})
    with pytest.raises(ValueError, match="one document"):
        bootstrap(score([], []))
    with pytest.raises(ValueError, match="one document"):
        bootstrap({})
