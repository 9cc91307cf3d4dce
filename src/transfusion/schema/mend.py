"""What a schema needed to have changed before a prompt can show it, and what it would be better for."""

from __future__ import annotations

from collections.abc import Iterable

from transfusion.schema.classes import KEY_FIELDS, ClassDefinition, classes_of, role_labels
from transfusion.schema.names import is_plain
from transfusion.schema.types import Schema


def mends(schema: Schema) -> tuple[str, ...]:
    """The names that had to be made up.

    :param schema: The schema.
    :returns: A sentence for each label whose class got a name that is not the label's words joined, and for each role
        whose field has another name.
    """
    given = {kind.class_name for kind in schema.types}
    found = []
    for definition in classes_of(schema):
        label = definition.label or definition.name
        if definition.name not in given and not is_plain(definition.name, label):
            found.append(f"the class of the label {label!r} is called {definition.name}")
        for field, role in role_labels(definition).items():
            if field != role:
                found.append(f"the role {role!r} of {label!r} is the field {field}")
    return tuple(found)


def list_roles(classes: Iterable[ClassDefinition]) -> tuple[str, ...]:
    """The roles that were written as one string each, and are read as lists.

    :param classes: The classes of a file.
    :returns: A sentence for each event that has such roles.
    """
    found = []
    for definition in classes:
        single = [
            field.name
            for field in definition.fields
            if not field.many and field.name not in KEY_FIELDS[definition.base]
        ]
        if single:
            found.append(f"of {definition.name}, {', '.join(single)} may be filled more than once: List[str]")
    return tuple(found)


def advice(schema: Schema) -> tuple[str, ...]:
    """What a schema would be better for.

    :param schema: The schema.
    :returns: A sentence for each kind that has types without a guideline.
    """
    bare = {
        "entities": [entity.name for entity in schema.entities if not entity.guideline],
        "relations": [relation.name for relation in schema.relations if not relation.guideline],
        "events": [event.name for event in schema.events if not event.guideline],
    }
    found = []
    for what, names in bare.items():
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            found.append(f"{what} without a guideline: {shown}")
    return tuple(found)
