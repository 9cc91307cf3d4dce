"""A schema as Python classes: what a decoder is shown in its prompt, and what it writes back.

An entity class has the field ``span``; a relation ``arg1`` and ``arg2``; an event ``mention`` and a list-valued field for
each role (Sainz et al., *GoLLIE*, ICLR 2024). A class is data here. No code that a file or a model wrote is ever run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Base = Literal["Entity", "Value", "Relation", "Event"]
"""What a class says it is: a mention, a value such as a number or a job title, a link, or something that happens."""

KEY_FIELDS: dict[Base, tuple[str, ...]] = {
    "Entity": ("span",),
    "Value": ("span",),
    "Relation": ("arg1", "arg2"),
    "Event": ("mention",),
}
"""The fields that a class has because of its base, in order."""

BASES: tuple[Base, ...] = get_args(Base)


@dataclass(frozen=True, slots=True)
class ClassField:
    """A field of a class.

    :param name: Its name, an identifier.
    :param type: ``str``, or ``List[str]`` for a role that several spans may fill.
    :param comment: What stands behind it after ``#``: examples, or what the role means; ``None`` for nothing.
    """

    name: str
    type: str = "str"
    comment: str | None = None

    @property
    def many(self) -> bool:
        """Whether the field holds a list."""
        return self.type.lower().startswith("list")


@dataclass(frozen=True, slots=True)
class ClassDefinition:
    """A class of a schema.

    :param name: Its name, an identifier; the label of annotations, unless the schema gives the label another name.
    :param base: What it is.
    :param guideline: What counts as one: the docstring.
    :param fields: Its fields, in order.
    """

    name: str
    base: Base
    guideline: str = ""
    fields: tuple[ClassField, ...] = (ClassField("span"),)
