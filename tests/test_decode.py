"""The best well-formed sequence of labels, and the spans it spells."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transfusion.encoder.decode import best_sequence, log_softmax, read_spans
from transfusion.encoder.layout import Slot

OUT, B_LOC, I_LOC, B_PER, I_PER = range(5)
LOGITS = st.integers(0, 5).flatmap(
    lambda slots: arrays.arrays(np.float32, (slots, 5), elements=st.floats(-30, 30, width=32))
)


def well_formed(sequence: tuple[int, ...]) -> bool:
    return all(
        label in (OUT, B_LOC, B_PER) or (place > 0 and sequence[place - 1] in (label - 1, label))
        for place, label in enumerate(sequence)
    )


@settings(deadline=None)
@given(logits=LOGITS)
def test_the_sequence_is_the_best_of_all_that_are_well_formed(logits: np.ndarray) -> None:
    scores = log_softmax(logits)
    found = tuple(int(label) for label in best_sequence(scores))
    assert len(found) == len(logits)
    assert well_formed(found)
    if len(logits) <= 4:
        everything = filter(well_formed, product(range(5), repeat=len(logits)))
        best = max(sum(scores[place, label] for place, label in enumerate(one)) for one in everything)
        assert sum(scores[place, label] for place, label in enumerate(found)) == pytest.approx(best, abs=1e-3)


@settings(deadline=None)
@given(logits=LOGITS)
def test_spans_lie_on_whole_slots_and_have_probabilities(logits: np.ndarray) -> None:
    slots = [Slot(3 * place, 3 * place + 2, place + 1) for place in range(len(logits))]
    end = 0
    for entity in read_spans(slots, log_softmax(logits), ("LOC", "PER")):
        assert end <= entity.start < entity.end
        assert entity.start % 3 == 0
        assert entity.end % 3 == 2
        assert 0 < entity.score <= 1
        end = entity.end


@given(logits=LOGITS)
def test_probabilities_add_up(logits: np.ndarray) -> None:
    assert np.allclose(np.exp(log_softmax(logits)).sum(axis=-1), 1, atol=1e-5)


def sure_of(*labels: int) -> np.ndarray:
    logits = np.full((len(labels), 5), -10, np.float32)
    logits[np.arange(len(labels)), labels] = 10
    return log_softmax(logits)


def spans_of(*labels: int) -> list[tuple[int, int, str]]:
    slots = [Slot(place, place + 1, place) for place in range(len(labels))]
    return [(e.start, e.end, e.label) for e in read_spans(slots, sure_of(*labels), ("LOC", "PER"))]


def test_two_names_side_by_side_stay_two() -> None:
    assert spans_of(B_PER, I_PER, B_PER, I_PER) == [(0, 2, "PER"), (2, 4, "PER")]
    assert spans_of(B_PER, B_LOC, OUT, B_LOC) == [(0, 1, "PER"), (1, 2, "LOC"), (3, 4, "LOC")]


def test_a_span_that_never_began_is_mended() -> None:
    assert spans_of(B_LOC, I_LOC, I_LOC) == [(0, 3, "LOC")]
    assert well_formed(tuple(best_sequence(sure_of(I_PER, I_PER, OUT, I_LOC, I_PER))))


def test_a_network_that_is_certain_of_the_impossible_still_gives_a_probability() -> None:
    logits = np.full((3, 5), -200, np.float32)
    logits[:, I_PER] = 200
    for entity in read_spans([Slot(n, n + 1, n) for n in range(3)], log_softmax(logits), ("LOC", "PER")):
        assert 0 < entity.score <= 1


def test_no_slots_have_no_labels() -> None:
    assert best_sequence(np.zeros((0, 5), np.float32)).tolist() == []
    assert read_spans([], np.zeros((0, 5), np.float32), ("LOC", "PER")) == ()
