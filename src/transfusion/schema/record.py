"""A schema as plain data: what stands in a TOML or JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from transfusion.errors import SchemaError
from transfusion.schema.types import EntityType, EventType, RelationType, Schema

_KINDS: dict[str, type[Any]] = {"entities": EntityType, "relations": RelationType, "events": EventType}
_LISTS = ("examples", "head", "tail", "roles")


def read_record(record: Mapping[str, Any]) -> Schema:
    """Read a schema from plain data.

    :param record: As :meth:`transfusion.schema.Schema.from_dict` says.
    :returns: The schema.
    :raises SchemaError: If a key is unknown, a value is of the wrong kind, or a name is not usable.
    """
    if not isinstance(record, Mapping):
        raise SchemaError(f"a schema is a table with the list 'entities', not {record!r:.60}")
    _check_keys(record, _KINDS, "schema")
    if not any(record.get(key) for key in _KINDS):
        raise SchemaError("the schema is empty: list at least one label under 'entities'")
    return Schema(**{key: _read_types(kind, record.get(key, ()), key) for key, kind in _KINDS.items()})


def write_record(schema: Schema) -> dict[str, Any]:
    """A schema as plain data; empty fields are left out.

    :param schema: The schema.
    :returns: What :func:`read_record` reads.
    """
    return {key: [_write_type(kind) for kind in getattr(schema, key)] for key in _KINDS if getattr(schema, key)}


def _write_type(kind: EntityType | RelationType | EventType) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for field in fields(kind):
        value = getattr(kind, field.name)
        if value and field.name != "role_guidelines":
            record[field.name] = list(value) if isinstance(value, tuple) else value
    if isinstance(kind, EventType) and kind.role_guidelines:
        record["roles"] = dict(zip(kind.roles, kind.role_guidelines, strict=True))
    return record


def _check_keys(record: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    for key in record:
        if key not in known:
            raise SchemaError(f"unknown key {key!r} in a {what}: it may have {', '.join(known)}")


def _read_types(kind: type[Any], items: object, key: str) -> tuple[Any, ...]:
    if not isinstance(items, list | tuple):
        raise SchemaError(f"{key!r} is a list, not {items!r:.60}")
    names = [field.name for field in fields(kind) if field.name != "role_guidelines"]
    result = []
    for item in items:
        record = {"name": item} if isinstance(item, str) else item
        if not isinstance(record, Mapping) or "name" not in record:
            raise SchemaError(f"an item of {key!r} is a name or a table with 'name', not {item!r:.60}")
        _check_keys(record, names, kind.__name__)
        values: dict[str, Any] = {}
        for name, value in record.items():
            values.update(_read_value(name, value, f"{name!r} of {record['name']!r:.60}"))
        result.append(kind(**values))
    return tuple(result)


def _read_value(name: str, value: object, what: str) -> dict[str, Any]:
    if name == "value":
        if not isinstance(value, bool):
            raise SchemaError(f"{what} is true or false, not {value!r:.60}")
        return {name: value}
    if name in _LISTS:
        if name == "roles" and isinstance(value, Mapping):
            meanings = [_text(meaning, f"the role {role!r} in {what}") for role, meaning in value.items()]
            return {"roles": tuple(value), "role_guidelines": tuple(meanings) if any(meanings) else ()}
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise SchemaError(f"{what} is a list of strings, not {value!r:.60}")
        return {name: tuple(_text(each, what) for each in value)}
    return {name: _text(value, what)}


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise SchemaError(f"{what} is a string, not {value!r:.60}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SchemaError(f"{what} holds half of a surrogate pair, which is no character: {value!r:.60}") from None
    return value
