"""Label schemas: which entities, relations and events to look for, and what is meant by them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from transfusion.errors import SchemaError


@dataclass(frozen=True, slots=True)
class EntityType:
    """A kind of mention.

    :param name: Label, ``PER``.
    :param guideline: What counts as one, in a sentence or two; models that read guidelines are shown it.
    :param examples: A few mentions.
    :raises SchemaError: If the name cannot be a label.
    """

    name: str
    guideline: str = ""
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class RelationType:
    """A kind of link between two mentions.

    :param name: Label, ``LocatedIn``.
    :param guideline: What counts as one.
    :param head: Entity labels that the first argument may have; empty for any.
    :param tail: Entity labels that the second argument may have; empty for any.
    :raises SchemaError: If the name cannot be a label.
    """

    name: str
    guideline: str = ""
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event.

    :param name: Label of the trigger, ``Attack``.
    :param guideline: What counts as one.
    :param roles: Roles of its arguments, ``attacker``, ``place``.
    :raises SchemaError: If the name or a role cannot be a label, or a role stands twice.
    """

    name: str
    guideline: str = ""
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)
        for role in self.roles:
            _check_name(role)
        _check_unique(self.roles, f"role of {self.name}")


@dataclass(frozen=True, slots=True)
class Schema:
    """What to extract.

    :param entities: Kinds of mention, in the order in which results name them.
    :param relations: Kinds of relation.
    :param events: Kinds of event.
    :raises SchemaError: If a name stands twice, or a relation is between entities that the schema lacks.
    """

    entities: tuple[EntityType, ...]
    relations: tuple[RelationType, ...] = ()
    events: tuple[EventType, ...] = ()

    def __post_init__(self) -> None:
        _check_unique(self.labels, "entity label")
        _check_unique([relation.name for relation in self.relations], "relation label")
        _check_unique([event.name for event in self.events], "event label")
        for relation in self.relations:
            self.check_labels((*relation.head, *relation.tail))

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels, in order."""
        return tuple(entity.name for entity in self.entities)

    def check_labels(self, labels: Iterable[str]) -> None:
        """Make sure that every one of ``labels`` is an entity label of this schema.

        :param labels: Entity labels, for example those of a gold file or an option.
        :raises SchemaError: If one is not; it names the label, near ones and all that there are.
        """
        known = self.labels
        for label in labels:
            if label not in known:
                by_lower = {name.lower(): name for name in known}
                near = get_close_matches(label.lower(), by_lower, n=1, cutoff=0.5)
                hint = f"did you mean {by_lower[near[0]]}? " if near else ""
                raise SchemaError(f"unknown label {label!r}: {hint}The labels are {', '.join(known) or '(none)'}")

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> Schema:
        """A schema of entity labels without guidelines.

        :param labels: The labels, in order.
        :returns: The schema.
        :raises SchemaError: If a label is not usable or stands twice.
        """
        return cls(tuple(EntityType(label) for label in labels))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Schema:
        """Read what :meth:`to_dict` wrote, or a person.

        :param record: Lists ``entities``, ``relations``, ``events``; each item is a table with the fields of its type,
            or only its name.
        :returns: The schema.
        :raises SchemaError: If a key is unknown, a value is of the wrong kind, or a name is not usable.
        """
        if not isinstance(record, Mapping):
            raise SchemaError(f"a schema is a table with the list 'entities', not {record!r:.60}")
        kinds = {"entities": EntityType, "relations": RelationType, "events": EventType}
        _check_keys(record, kinds, "schema")
        if not any(record.get(key) for key in kinds):
            raise SchemaError("the schema is empty: list at least one label under 'entities'")
        lists = {key: _read_types(kind, record.get(key, ()), key) for key, kind in kinds.items()}
        return cls(**lists)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain data; empty fields are left out.

        :returns: What :meth:`from_dict` reads.
        """
        return {
            field.name: [
                {
                    key: list(value) if isinstance(value, tuple) else value
                    for key, value in asdict(kind).items()
                    if value
                }
                for kind in getattr(self, field.name)
            ]
            for field in fields(self)
            if getattr(self, field.name)
        }

    @classmethod
    def read(cls, path: str | Path) -> Schema:
        """Read a schema from a file.

        :param path: A ``.toml`` or ``.json`` file laid out as :meth:`from_dict` says.
        :returns: The schema.
        :raises SchemaError: If the file cannot be read or holds no schema; the message names the file.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
            if path.suffix.lower() == ".toml":
                record = tomllib.loads(text)
            elif path.suffix.lower() == ".json":
                record = json.loads(text)
            else:
                raise SchemaError(f"a schema file ends in .toml or .json, not {path.suffix!r}")
            return cls.from_dict(record)
        except OSError as error:
            raise SchemaError(f"{path}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path}: not UTF-8 (byte {error.start})") from error
        except (ValueError, RecursionError) as error:  # what tomllib and json raise
            raise SchemaError(f"{path}: not valid {path.suffix[1:].upper()}: {error}") from error
        except SchemaError as error:
            raise SchemaError(f"{path}: {error}") from error


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise SchemaError(f"a label is a non-empty string, not {name!r}")
    if re.search(r"[\s<>]", name):
        raise SchemaError(f"label {name!r} holds a space or an angle bracket; write it as {_mended(name)!r}")
    if name == "O" or name.startswith(("B-", "I-")):
        raise SchemaError(f"label {name!r} looks like an IOB2 tag; give the bare label, PER and not B-PER")


def _mended(name: str) -> str:
    return "_".join(re.sub(r"[<>]", " ", name).split()) or "LABEL"


def _check_unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"{what} {name!r} stands twice")
        seen.add(name)


def _check_keys(record: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    for key in record:
        if key not in known:
            raise SchemaError(f"unknown key {key!r} in a {what}: it may have {', '.join(known)}")


def _read_types(kind: type[Any], items: object, key: str) -> tuple[Any, ...]:
    if not isinstance(items, list | tuple):
        raise SchemaError(f"{key!r} is a list, not {items!r:.60}")
    names = [field.name for field in fields(kind)]
    result = []
    for item in items:
        record = {"name": item} if isinstance(item, str) else item
        if not isinstance(record, Mapping) or "name" not in record:
            raise SchemaError(f"an item of {key!r} is a name or a table with 'name', not {item!r:.60}")
        _check_keys(record, names, kind.__name__)
        values: dict[str, Any] = {}
        for name, value in record.items():
            if name in ("name", "guideline"):
                if not isinstance(value, str):
                    raise SchemaError(f"{name!r} of {record['name']!r} is a string, not {value!r:.60}")
                values[name] = value
            else:
                if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
                    raise SchemaError(f"{name!r} of {record['name']!r} is a list of strings, not {value!r:.60}")
                values[name] = tuple(value)
        result.append(kind(**values))
    return tuple(result)


NEWS = Schema(
    (
        EntityType(
            "PER",
            "A person called by name: given names, family names, nicknames, initials. "
            "Titles and offices (president, Dr.) stay outside the mention.",
            ("Yoweri Museveni", "Winnie Byanyima"),
        ),
        EntityType(
            "ORG",
            "An organised group with a name of its own: a company, party, ministry, school, club, army, newspaper or "
            "international body.",
            ("Makerere University", "African Union"),
        ),
        EntityType(
            "LOC",
            "A place with a name: a country, region, city, village, street, river, lake, mountain or landmark.",
            ("Kampala", "Lake Victoria"),
        ),
    )
)
"""The people, organisations and places of news text, as CoNLL-2003, MasakhaNER and Universal NER label them."""
