"""Schemas by name: those of published data sets, which ship with the package, and those in files.

Labels and roles are those of the data sets; what is said about them are our own words. Each file in ``builtin/`` names
where its labels come from, and is read when it is asked for.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from transfusion.errors import SchemaError
from transfusion.schema.news import NEWS, NEWS_AND_DATES, NEWS_AND_MORE
from transfusion.schema.types import Schema

_SUFFIXES = (".py", ".toml", ".json", ".txt")


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A schema that ships with the package.

    :param name: What it is found by.
    :param description: What it is for, in a line.
    :param source: Where its labels are defined.
    :param schema: The schema.
    """

    name: str
    description: str
    source: str
    schema: Schema


_MASAKHANER = "Adelani et al., MasakhaNER 2.0, EMNLP 2022; masakhane-io/masakhane-ner"
_CONLL = "Tjong Kim Sang and De Meulder, CoNLL-2003 shared task"
_NEWS = {
    "conll2003": BuiltIn("conll2003", "CoNLL-2003 without MISC: people, organisations, places", _CONLL, NEWS),
    "conll2003-misc": BuiltIn("conll2003-misc", "CoNLL-2003 with MISC", _CONLL, NEWS_AND_MORE),
    "masakhaner": BuiltIn(
        "masakhaner", "MasakhaNER 2.0 as it is scored: people, organisations, places", _MASAKHANER, NEWS
    ),
    "masakhaner-date": BuiltIn("masakhaner-date", "MasakhaNER 2.0 with dates", _MASAKHANER, NEWS_AND_DATES),
    "uner": BuiltIn(
        "uner", "Universal NER v1: people, organisations, places", "Mayhew et al., Universal NER, NAACL 2024", NEWS
    ),
}


def schema_names() -> tuple[str, ...]:
    """The names of the schemas that ship with the package, sorted."""
    named = (file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))
    return tuple(sorted({*_NEWS, *named}))


def find_schema(name_or_path: str | Path) -> Schema:
    """Find a schema.

    :param name_or_path: Name of one that ships with the package (:func:`schema_names`), or a file as
        :meth:`transfusion.schema.Schema.read` reads it.
    :returns: The schema.
    :raises SchemaError: If there is none by this name, or the file cannot be read.
    """
    name = str(name_or_path)
    if name.lower() in schema_names():
        return find_built_in(name).schema
    if Path(name).suffix.lower() in _SUFFIXES or Path(name).is_file():
        return Schema.read(name)
    raise _unknown(name)


def find_built_in(name: str) -> BuiltIn:
    """Find a schema that ships with the package.

    :param name: Its name.
    :returns: The schema and what is known about it.
    :raises SchemaError: If there is none by this name.
    """
    name = name.lower()
    if name not in schema_names():
        raise _unknown(name)
    return _NEWS[name] if name in _NEWS else _load(name)


@cache
def _load(name: str) -> BuiltIn:
    record: dict[str, Any] = tomllib.loads(_folder().joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    description, source = record.pop("description"), record.pop("source")
    base = record.pop("base", None)
    if base is not None:  # lists that stand here take the place of those of another schema
        record = {**_load(base).schema.to_dict(), **record}
    return BuiltIn(name, description, source, Schema.from_dict(record))


def _folder() -> Any:
    return files("transfusion.schema").joinpath("builtin")


def _unknown(name: str) -> SchemaError:
    names = schema_names()
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return SchemaError(
        f"no schema {name!r}: {hint}There are {', '.join(names)}; or give a file that ends in {', '.join(_SUFFIXES)}"
    )
