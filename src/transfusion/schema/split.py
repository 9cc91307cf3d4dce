"""Schemas that are too large for one prompt: groups of classes that fit, every class in one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transfusion.errors import SchemaError
from transfusion.schema.classes import ClassDefinition


def split_classes(
    classes: Sequence[ClassDefinition], budget: int, measure: Callable[[ClassDefinition], int]
) -> tuple[tuple[ClassDefinition, ...], ...]:
    """Split classes into as few groups as fit a budget, in order, of about the same size.

    :param classes: The classes.
    :param budget: What a group may measure, in tokens.
    :param measure: What a class measures as it stands in a prompt, in tokens.
    :returns: The groups; joined they are the classes.
    :raises SchemaError: If a class alone is larger than the budget; nothing is ever cut off.
    """
    sizes = [measure(definition) for definition in classes]
    for definition, size in zip(classes, sizes, strict=True):
        if size > budget:
            raise SchemaError(
                f"the class {definition.name} takes {size} tokens of a prompt and there is room for {budget}: "
                "shorten its guideline"
            )
    # The smallest limit that needs no more groups than the budget does: the groups are then about the same size.
    least, most = max(sizes, default=0), budget
    needed = len(_ends(sizes, budget))
    while least < most:
        middle = (least + most) // 2
        if len(_ends(sizes, middle)) <= needed:
            most = middle
        else:
            least = middle + 1
    ends = _ends(sizes, most)
    return tuple(tuple(classes[start:end]) for start, end in zip([0, *ends], ends, strict=False))


def _ends(sizes: Sequence[int], limit: int) -> list[int]:
    """Where groups end that are each filled up to a limit."""
    ends: list[int] = []
    filled = 0
    for position, size in enumerate(sizes):
        if filled + size > limit and position > (ends[-1] if ends else 0):
            ends.append(position)
            filled = 0
        filled += size
    return [*ends, len(sizes)] if sizes else []
