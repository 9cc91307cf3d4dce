"""Label schemas: which entities, relations and events to look for, and what is meant by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from transfusion.errors import SchemaError
from transfusion.schema.names import check_class_name


@dataclass(frozen=True, slots=True)
class EntityType:
    """A kind of mention.

    :param name: Label, ``PER``.
    :param guideline: What counts as one, in a sentence or two; models that read guidelines are shown it.
    :param examples: A few mentions.
    :param class_name: Name of its class in a prompt, ``Person``; empty for one made from the label.
    :param value: Whether it is a value (a time, a sum, a job title) and not a thing in the world.
    :param comment: What else to say about the mention itself; it is shown beside the examples.
    :raises SchemaError: If the name cannot be a label, or the class name not a name in Python.
    """

    name: str
    guideline: str = ""
    examples: tuple[str, ...] = ()
    class_name: str = ""
    value: bool = False
    comment: str = ""

    def __post_init__(self) -> None:
        check_label(self.name)
        check_class_name(self.class_name)


@dataclass(frozen=True, slots=True)
class RelationType:
    """A kind of link between two mentions.

    :param name: Label, ``LocatedIn``.
    :param guideline: What counts as one.
    :param head: Entity labels that the first argument may have; empty for any.
    :param tail: Entity labels that the second argument may have; empty for any.
    :param class_name: Name of its class in a prompt; empty for one made from the label.
    :param head_comment: What the first argument is, in a few words.
    :param tail_comment: What the second argument is.
    :raises SchemaError: If the name cannot be a label, or the class name not a name in Python.
    """

    name: str
    guideline: str = ""
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    class_name: str = ""
    head_comment: str = ""
    tail_comment: str = ""

    def __post_init__(self) -> None:
        check_label(self.name)
        check_class_name(self.class_name)


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event.

    :param name: Label of the trigger, ``Attack``.
    :param guideline: What counts as one.
    :param roles: Roles of its arguments, ``attacker``, ``place``.
    :param class_name: Name of its class in a prompt; empty for one made from the label.
    :param role_guidelines: What each role means, in the order of the roles; empty, or one for each, which may be empty.
    :param examples: A few triggers.
    :param comment: What else to say about the trigger itself; it is shown beside the examples.
    :raises SchemaError: If the name or a role cannot be a label, a role stands twice, there are not as many guidelines
        as roles, or the class name is not a name in Python.
    """

    name: str
    guideline: str = ""
    roles: tuple[str, ...] = ()
    class_name: str = ""
    role_guidelines: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    comment: str = ""

    def __post_init__(self) -> None:
        check_label(self.name)
        check_class_name(self.class_name)
        for role in self.roles:
            check_label(role)
        _check_unique(self.roles, f"role of {self.name}")
        if self.role_guidelines and len(self.role_guidelines) != len(self.roles):
            raise SchemaError(
                f"{self.name} has {len(self.roles)} roles and {len(self.role_guidelines)} guidelines for them"
            )


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
        _check_unique([kind.class_name for kind in self.types if kind.class_name], "class name")
        for relation in self.relations:
            self.check_labels((*relation.head, *relation.tail))

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels, in order."""
        return tuple(entity.name for entity in self.entities)

    @property
    def types(self) -> tuple[EntityType | RelationType | EventType, ...]:
        """All kinds: entities, relations, then events, each in order."""
        return (*self.entities, *self.relations, *self.events)

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
            or only its name. The ``roles`` of an event are a list of names, or a table from names to what they mean.
        :returns: The schema.
        :raises SchemaError: If a key is unknown, a value is of the wrong kind, or a name is not usable.
        """
        from transfusion.schema.record import read_record

        return read_record(record)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain data; empty fields are left out.

        :returns: What :meth:`from_dict` reads.
        """
        from transfusion.schema.record import write_record

        return write_record(self)

    @classmethod
    def read(cls, path: str | Path) -> Schema:
        """Read a schema from a file.

        :param path: A ``.toml`` or ``.json`` file laid out as :meth:`from_dict` says; a ``.json`` list of labels; a
            ``.txt`` file with a label a line; or a ``.py`` file of classes, which is parsed and never run.
        :returns: The schema.
        :raises SchemaError: If the file cannot be read or holds no schema; the message names the file.
        """
        from transfusion.schema.files import read_schema

        return read_schema(Path(path))


def check_label(name: object) -> None:
    """Make sure that a name can be a label of annotations.

    :param name: The name.
    :raises SchemaError: If it is empty, holds a space or an angle bracket, or looks like an IOB2 tag.
    """
    if not isinstance(name, str) or not name:
        raise SchemaError(f"a label is a non-empty string, not {name!r}")
    if re.search(r"[\s<>]", name):
        mended = "_".join(re.sub(r"[<>]", " ", name).split()) or "LABEL"
        raise SchemaError(f"label {name!r} holds a space or an angle bracket; write it as {mended!r}")
    if name == "O" or name.startswith(("B-", "I-")):
        raise SchemaError(f"label {name!r} looks like an IOB2 tag; give the bare label, PER and not B-PER")


def _check_unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"{what} {name!r} stands twice")
        seen.add(name)
