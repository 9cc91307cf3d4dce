"""A schema as Python classes: what a decoder is shown in its prompt, and what it writes back.

An entity class has the field ``span``; a relation ``arg1`` and ``arg2``; an event ``mention`` and a list-valued
field for each role (Sainz et al., *GoLLIE*, ICLR 2024). A class is data here: no code that a file or a model wrote is
run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from transfusion.schema.names import class_name_for, unique, unique_field_names
from transfusion.schema.types import EntityType, EventType, RelationType, Schema

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

_EXAMPLES = "Such as: "


@dataclass(frozen=True, slots=True)
class ClassField:
    """A field of a class.

    :param name: Its name, an identifier.
    :param type: ``str``, or ``List[str]`` for a role that several spans may fill.
    :param comment: What stands behind it after ``#``: examples, or what the role means; ``None`` for nothing.
    :param label: The role of annotations where that is no identifier; empty where it is the name. No prompt shows it.
    """

    name: str
    type: str = "str"
    comment: str | None = None
    label: str = ""

    @property
    def many(self) -> bool:
        """Whether the field holds a list."""
        return self.type.lower().startswith("list")


@dataclass(frozen=True, slots=True)
class ClassDefinition:
    """A class of a schema.

    :param name: Its name, an identifier; the label of annotations, unless ``label`` says otherwise.
    :param base: What it is.
    :param guideline: What counts as one: the docstring.
    :param fields: Its fields, in order.
    :param label: The label of annotations where that is not the name; empty where it is. No prompt shows it.
    :param head: Entity labels that ``arg1`` of a relation may have; empty for any. No prompt shows them.
    :param tail: The same for ``arg2``.
    """

    name: str
    base: Base
    guideline: str = ""
    fields: tuple[ClassField, ...] = (ClassField("span"),)
    label: str = ""
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


def entity_classes(schema: Schema) -> tuple[ClassDefinition, ...]:
    """The classes of the entities and values of a schema.

    :param schema: The schema.
    :returns: A class for each, in order.
    """
    return tuple(_entity_class(name, kind) for name, kind in _named(schema) if isinstance(kind, EntityType))


def relation_classes(schema: Schema) -> tuple[ClassDefinition, ...]:
    """The classes of the relations of a schema.

    :param schema: The schema.
    :returns: A class for each, in order.
    """
    return tuple(_relation_class(name, kind) for name, kind in _named(schema) if isinstance(kind, RelationType))


def event_classes(schema: Schema) -> tuple[ClassDefinition, ...]:
    """The classes of the events of a schema, with their roles.

    :param schema: The schema.
    :returns: A class for each, in order: ``mention``, then a list-valued field for each role.
    """
    return tuple(_event_class(name, kind, kind.roles) for name, kind in _named(schema) if isinstance(kind, EventType))


def trigger_classes(schema: Schema) -> tuple[ClassDefinition, ...]:
    """The classes of the events of a schema, for finding triggers alone.

    :param schema: The schema.
    :returns: A class for each, in order, with the field ``mention`` only.
    """
    return tuple(_event_class(name, kind, ()) for name, kind in _named(schema) if isinstance(kind, EventType))


def classes_of(schema: Schema) -> tuple[ClassDefinition, ...]:
    """All classes of a schema: entities, relations, then events with their roles.

    :param schema: The schema.
    :returns: The classes; no name stands twice.
    """
    return (*entity_classes(schema), *relation_classes(schema), *event_classes(schema))


def class_labels(classes: Iterable[ClassDefinition]) -> dict[str, str]:
    """Which label annotations of a class have.

    :param classes: The classes.
    :returns: The label of each, by the name of the class.
    """
    return {definition.name: definition.label or definition.name for definition in classes}


def role_labels(definition: ClassDefinition) -> dict[str, str]:
    """Which role a field of an event stands for.

    :param definition: The class of an event.
    :returns: The role of each field but ``mention``, by the name of the field.
    """
    key_fields = KEY_FIELDS[definition.base]
    return {field.name: field.label or field.name for field in definition.fields if field.name not in key_fields}


def schema_of(classes: Iterable[ClassDefinition]) -> Schema:
    """The schema that classes stand for: :func:`classes_of` the other way round.

    :param classes: The classes, in any order. A role that holds one string becomes one that holds several.
    :returns: The schema, each kind in the order of the classes.
    :raises SchemaError: If a label stands twice or cannot be one, or a relation is between entities that are missing.
    """
    entities: list[EntityType] = []
    relations: list[RelationType] = []
    events: list[EventType] = []
    for definition in classes:
        label = definition.label or definition.name
        class_name = "" if class_name_for(label) == definition.name else definition.name
        comments = [field.comment or "" for field in definition.fields]
        if definition.base == "Relation":
            relations.append(
                RelationType(
                    label, definition.guideline, definition.head, definition.tail, class_name, comments[0], comments[1]
                )
            )
            continue
        comment, examples = _read_comment(comments[0])
        if definition.base == "Event":
            roles = tuple(role_labels(definition).values())
            meanings = tuple(comments[1:]) if any(comments[1:]) else ()
            events.append(EventType(label, definition.guideline, roles, class_name, meanings, examples, comment))
        else:
            is_value = definition.base == "Value"
            entities.append(EntityType(label, definition.guideline, examples, class_name, is_value, comment))
    return Schema(tuple(entities), tuple(relations), tuple(events))


def _named(schema: Schema) -> list[tuple[str, EntityType | RelationType | EventType]]:
    """Every type of a schema and the name of its class. Names that are made avoid those that were given."""
    taken = {kind.class_name for kind in schema.types}
    named = []
    for kind in schema.types:
        name = kind.class_name or unique(class_name_for(kind.name), taken)
        taken.add(name)
        named.append((name, kind))
    return named


def _entity_class(name: str, kind: EntityType) -> ClassDefinition:
    span = ClassField("span", comment=_write_comment(kind.comment, kind.examples))
    return ClassDefinition(name, "Value" if kind.value else "Entity", kind.guideline, (span,), _label(name, kind.name))


def _relation_class(name: str, kind: RelationType) -> ClassDefinition:
    arguments = (
        ClassField("arg1", comment=kind.head_comment or None),
        ClassField("arg2", comment=kind.tail_comment or None),
    )
    return ClassDefinition(name, "Relation", kind.guideline, arguments, _label(name, kind.name), kind.head, kind.tail)


def _event_class(name: str, kind: EventType, roles: tuple[str, ...]) -> ClassDefinition:
    mention = ClassField("mention", comment=_write_comment(kind.comment, kind.examples))
    meanings = kind.role_guidelines or ("",) * len(kind.roles)
    arguments = (
        ClassField(field, "List[str]", meaning or None, _label(field, role))
        for field, role, meaning in zip(unique_field_names(roles, ("mention",)), roles, meanings, strict=False)
    )
    return ClassDefinition(name, "Event", kind.guideline, (mention, *arguments), _label(name, kind.name))


def _label(name: str, label: str) -> str:
    return "" if name == label else label


def _write_comment(comment: str, examples: tuple[str, ...]) -> str | None:
    quoted = ", ".join(json.dumps(example, ensure_ascii=False) for example in examples)
    return " ".join(part for part in (comment, _EXAMPLES + quoted if examples else "") if part) or None


def _read_comment(comment: str) -> tuple[str, tuple[str, ...]]:
    """What a comment says and the examples that it ends with, if these can be told apart for certain."""
    before, found, quoted = comment.rpartition(_EXAMPLES)
    if found:
        try:
            values = json.loads(f"[{quoted}]")
        except (ValueError, RecursionError):
            values = None
        if values and all(isinstance(value, str) for value in values):
            examples = tuple(values)
            words = before.removesuffix(" ")
            if _write_comment(words, examples) == comment:
                return words, examples
    return comment, ()
