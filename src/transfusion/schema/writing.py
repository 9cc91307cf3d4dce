"""Classes of a schema as source text: :mod:`transfusion.schema.source` the other way round."""

from __future__ import annotations

from collections.abc import Iterable

from transfusion.schema.classes import ClassDefinition, ClassField
from transfusion.schema.literals import docstring, quoted


def write_classes(classes: Iterable[ClassDefinition]) -> str:
    """Write classes as source text.

    :param classes: The classes.
    :returns: A module that :func:`transfusion.schema.source.read_classes` reads back.
    """
    classes = list(classes)
    used = {
        "ClassVar": any(_settings(definition) for definition in classes),
        "List": any(field.many for definition in classes for field in definition.fields),
    }
    names = ", ".join(name for name, is_used in used.items() if is_used)
    imports = "from dataclasses import dataclass\n" + (f"from typing import {names}\n" if names else "")
    return "\n\n".join([imports, *(_class(definition) for definition in classes)])


def _class(definition: ClassDefinition) -> str:
    blocks = [
        [f"    {docstring(definition.guideline)}"] if definition.guideline else [],
        _settings(definition),
        [line for field in definition.fields for line in _field(field)],
    ]
    body = "\n\n".join("\n".join(lines) for lines in blocks if lines)
    return f"@dataclass\nclass {definition.name}({definition.base}):\n{body}\n"


def _field(field: ClassField) -> list[str]:
    line, comment = f"    {field.name}: {field.type}", field.comment
    if not comment:
        return [line]
    if comment == comment.strip() and comment.isprintable():
        return [f"{line}  # {comment}"]
    return [line, f"    {docstring(comment, one_line=True)}"]


def _settings(definition: ClassDefinition) -> list[str]:
    lines = [f"    label: ClassVar[str] = {quoted(definition.label)}"] if definition.label else []
    for name, labels in (("head", definition.head), ("tail", definition.tail)):
        if labels:
            strings = ", ".join(quoted(label) for label in labels) + ("," if len(labels) == 1 else "")
            lines.append(f"    {name}: ClassVar[tuple[str, ...]] = ({strings})")
    roles = ", ".join(f"{quoted(field.name)}: {quoted(field.label)}" for field in definition.fields if field.label)
    return [*lines, f"    roles: ClassVar[dict[str, str]] = {{{roles}}}"] if roles else lines
