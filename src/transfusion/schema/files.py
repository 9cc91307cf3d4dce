"""Schemas in files: TOML, JSON, Python classes, or a list of labels."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfusion.errors import SchemaError
from transfusion.schema.classes import classes_of, schema_of
from transfusion.schema.source import read_classes
from transfusion.schema.types import Schema
from transfusion.schema.writing import write_classes


def read_schema(path: Path) -> Schema:
    """Read a schema from a file.

    :param path: A file that ends in ``.toml``, ``.json``, ``.py`` or ``.txt``, as :meth:`Schema.read` says.
    :returns: The schema.
    :raises SchemaError: If the file cannot be read or holds no schema; the message names the file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path}: not UTF-8 (byte {error.start})") from error
    suffix = path.suffix.lower()
    if suffix == ".py":
        return python_schema(text, path)
    try:
        if suffix == ".toml":
            return Schema.from_dict(tomllib.loads(text))
        if suffix == ".json":
            record = json.loads(text)
            is_labels = isinstance(record, list) and record and all(isinstance(each, str) for each in record)
            return Schema.from_labels(record) if is_labels else Schema.from_dict(record)
        if suffix == ".txt":
            labels = [line.strip() for line in text.splitlines() if line.strip()]
            return Schema.from_labels(labels) if labels else Schema.from_dict({})
        raise SchemaError(f"a schema file ends in .toml or .json, .py or .txt, not {path.suffix!r}")
    except (ValueError, RecursionError) as error:  # what tomllib and json raise
        raise SchemaError(f"{path}: not valid {path.suffix[1:].upper()}: {error}") from error
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error


def python_schema(text: str, path: str | Path = "<schema>") -> Schema:
    """Read a schema from the text of Python classes, without running it.

    :param text: The source text.
    :param path: What errors call it.
    :returns: The schema.
    :raises SchemaError: If it is not made of classes of a schema; every problem with its line and a caret.
    """
    classes = read_classes(text, path=path)
    if not classes:
        raise SchemaError(f"{path}: the schema is empty: write at least one class, class Person(Entity)")
    try:
        return schema_of(classes)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error


def schema_to_python(schema: Schema) -> str:
    """A schema as Python classes.

    :param schema: The schema.
    :returns: Source text that :func:`python_schema` reads back.
    """
    return write_classes(classes_of(schema))


def schema_to_json(schema: Schema) -> str:
    """A schema as JSON.

    :param schema: The schema.
    :returns: The text of a file that :func:`read_schema` reads back.
    """
    return json.dumps(schema.to_dict(), ensure_ascii=False, indent=2) + "\n"


def schema_to_toml(schema: Schema) -> str:
    """A schema as TOML.

    :param schema: The schema.
    :returns: The text of a file that :func:`read_schema` reads back.
    """
    tables = [
        "\n".join([f"[[{key}]]", *(f"{_key(name)} = {_toml(value)}" for name, value in item.items())])
        for key, items in schema.to_dict().items()
        for item in items
    ]
    return "\n\n".join(tables) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    # JSON's escapes are TOML's, but TOML also wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _toml(name)
