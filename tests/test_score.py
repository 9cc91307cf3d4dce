"""Strict span F1 is seqeval's, to the last digit."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.corpora.columns import entity_runs
from transfusion.corpora.rows import read_blocks
from transfusion.document import Entity
from transfusion.evaluate.score import Scores, score

LABELS = ("DATE", "LOC", "ORG", "PER")


def entities(tags: Sequence[str]) -> list[Entity]:
    """Entities of a sentence whose words are one character long, so that offsets are word numbers."""
    return [Entity(first, last + 1, label) for first, last, label in entity_runs(tags)]


def by_seqeval(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, dict[str, float]]:
    metrics = pytest.importorskip("seqeval.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report: dict[str, dict[str, float]] = metrics.classification_report(gold, predicted, output_dict=True, digits=9)
    return report


def assert_equals_seqeval(gold: list[list[str]], predicted: list[list[str]]) -> Scores:
    scores = score(map(entities, gold), map(entities, predicted))
    report = by_seqeval(gold, predicted)
    micro = report["micro avg"]
    assert (scores.precision, scores.recall, scores.f1, scores.support) == (
        100 * micro["precision"],
        100 * micro["recall"],
        100 * micro["f1-score"],
        micro["support"],
    )
    for label, part in scores.per_label.items():
        assert (part.precision, part.recall, part.f1, part.support) == (
            100 * report[label]["precision"],
            100 * report[label]["recall"],
            100 * report[label]["f1-score"],
            report[label]["support"],
        )
    return scores


def with_noise(tags: list[str], generator: random.Random) -> list[str]:
    """Tags as a poor model would give them: some dropped, retyped, shifted, invented or ill-formed."""
    noisy = list(tags)
    for index, tag in enumerate(tags):
        roll = generator.random()
        if roll < 0.05:
            noisy[index] = generator.choice(["B-", "I-"]) + generator.choice(LABELS)
        elif roll < 0.2 and tag != "O":
            noisy[index] = generator.choice(["O", tag[:2] + generator.choice(LABELS), "I-" + tag[2:]])
    return noisy


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("language", ["lug", "yor", "bbj", "zul"])
def test_real_files_score_as_in_seqeval(shared_data: Path, language: str) -> None:
    lines = (shared_data / f"masakhaner2/{language}/dev.txt").read_text(encoding="utf-8").split("\n")
    gold = [[row.cells[-1] for row in block.rows] for block in read_blocks(enumerate(lines, 1))]
    generator = random.Random(language)
    predicted = [with_noise(tags, generator) for tags in gold]
    scores = assert_equals_seqeval(gold, predicted)
    assert 20 < scores.f1 < 95
    assert scores.documents == len(gold)


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


@pytest.mark.filterwarnings("ignore")
@given(
    st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=6), min_size=1, max_size=4).filter(
        lambda sentences: any(gold != "O" for sentence in sentences for gold, _ in sentence)
    )
)
def test_any_tags_score_as_in_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    assert_equals_seqeval([[g for g, _ in s] for s in sentences], [[p for _, p in s] for s in sentences])


def test_an_entity_counts_only_with_both_offsets_and_the_label() -> None:
    gold = [[Entity(0, 4, "PER"), Entity(10, 17, "LOC")], []]
    predicted = [[Entity(0, 4, "PER", score=0.3), Entity(10, 16, "LOC")], [Entity(0, 2, "ORG")]]
    scores = score(gold, predicted)
    assert (scores.correct, scores.predicted, scores.support) == (1, 3, 2)
    assert scores.precision == pytest.approx(100 / 3)
    assert scores.recall == 50
    assert scores.f1 == pytest.approx(40)
    assert list(scores.per_label) == ["LOC", "ORG", "PER"]
    assert scores.per_label["PER"].f1 == 100
    assert scores.per_label["ORG"].support == 0
    np.testing.assert_array_equal(scores.counts, [[1, 2, 2], [0, 1, 0]])


def test_an_entity_given_twice_counts_once() -> None:
    assert score([[Entity(0, 4, "PER")]], [[Entity(0, 4, "PER"), Entity(0, 4, "PER", match="similar")]]).f1 == 100


def test_labels_outside_of_the_schema_are_left_out_on_both_sides() -> None:
    gold = [[Entity(0, 4, "PER"), Entity(5, 9, "DATE")]]
    predicted = [[Entity(0, 4, "PER"), Entity(9, 12, "DATE")]]
    scores = score(gold, predicted, labels=["PER", "LOC"])
    assert (scores.f1, list(scores.per_label)) == (100, ["PER"])


def test_nothing_found_and_nothing_to_find_is_zero_and_not_an_error() -> None:
    assert score([], []).to_dict() == {
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
        "support": 0,
        "predicted": 0,
        "correct": 0,
        "documents": 0,
        "per_label": {},
    }
    assert score([[]], [[Entity(0, 1, "PER")]]).f1 == 0
    assert score([[Entity(0, 1, "PER")]], [[]]).f1 == 0


def test_documents_that_are_missing_on_one_side_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score([[], []], [[]])
