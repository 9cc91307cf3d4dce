"""A schema that is too large for one prompt is asked for in several, and no class is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.errors import SchemaError
from transfusion.schema import Schema
from transfusion.schema.classes import ClassDefinition, entity_classes
from transfusion.schema.split import split_classes


def length(definition: ClassDefinition) -> int:
    return len(definition.guideline)


def test_three_hundred_labels_fit_prompts_of_one_size() -> None:
    classes = entity_classes(Schema.from_labels(f"CROP_{number}" for number in range(300)))
    groups = split_classes(classes, 1000, lambda _: 12)
    assert [len(group) for group in groups] == [75, 75, 75, 75]
    assert tuple(definition for group in groups for definition in group) == classes


def test_a_class_that_never_fits_is_named() -> None:
    classes = [ClassDefinition("Crop", "Entity", "short"), ClassDefinition("Market", "Entity", "x" * 50)]
    with pytest.raises(SchemaError, match="the class Market takes 50 tokens of a prompt and there is room for 49"):
        split_classes(classes, 49, length)


def test_no_classes_make_no_groups() -> None:
    assert split_classes((), 10, length) == ()


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(40, 200))
def test_every_class_is_in_one_group_that_fits(sizes: list[int], budget: int) -> None:
    classes = [ClassDefinition(f"C{number}", "Entity", "x" * size) for number, size in enumerate(sizes)]
    groups = split_classes(classes, budget, length)
    assert [definition for group in groups for definition in group] == classes
    assert all(group for group in groups)
    loads = [sum(map(length, group)) for group in groups]
    assert all(load <= budget for load in loads)
    assert all(first + second > max(loads) for first, second in zip(loads, loads[1:], strict=False)) or len(loads) < 2
