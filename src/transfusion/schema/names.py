"""Names of classes and fields for labels and roles that need not be names in Python.

``weather/noun`` becomes ``WeatherNoun``; ``PER`` stays ``PER``. What Python keeps for itself gets an underscore behind
it, what begins with a digit a word before it. The same label always gets the same name.
"""

from __future__ import annotations

import keyword
from collections.abc import Container, Iterable
from unicodedata import normalize

from transfusion.errors import SchemaError

BASE_NAMES = ("Entity", "Value", "Relation", "Event")
"""Names that a class of a schema cannot have, because other classes are built on them."""


def is_class_name(name: str) -> bool:
    """Whether a class of a schema can have this name.

    Python reads identifiers in the Unicode form NFKC, so a name in another form would come back as another name.

    :param name: The name.
    :returns: Whether it is an identifier, in NFKC, and neither a keyword nor the name of a base.
    """
    return _is_identifier(name) and name not in BASE_NAMES


def check_class_name(name: str) -> None:
    """Make sure that a class of a schema can have a name.

    :param name: The name; empty for one made from the label.
    :raises SchemaError: If it cannot.
    """
    if name and not is_class_name(name):
        raise SchemaError(
            f"class_name {name!r} is no name for a class; write it as {class_name_for(name)!r}, "
            "or leave it out to have one made from the label"
        )


def class_name_for(label: str) -> str:
    """The name of the class of a label.

    :param label: The label.
    :returns: An identifier: the words of the label, each with a capital first letter, joined; case is kept otherwise.
    """
    name = _identifier(_joined(label), "Label")
    return name if is_class_name(name) else f"{name}_"


def is_plain(name: str, label: str) -> bool:
    """Whether the name of a class is no more than the words of its label joined.

    :param name: The name of the class.
    :param label: The label.
    :returns: Whether nothing had to be added to make it a name.
    """
    return name == normalize("NFKC", _joined(label))


def field_name_for(role: str) -> str:
    """The name of the field of a role.

    :param role: The role.
    :returns: The role if it is an identifier; else its words joined by underscores.
    """
    if _is_identifier(role):
        return role
    name = _identifier("_".join(_words(role)), "role_")
    return name if _is_identifier(name) else f"{name}_"


def unique(name: str, taken: Container[str]) -> str:
    """A name that is not taken yet.

    :param name: The name that is wanted.
    :param taken: Names that are in use.
    :returns: The name, or the name with the first number from 2 behind it that makes it free.
    """
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def unique_field_names(roles: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Names of fields for roles, no two the same.

    :param roles: The roles, in order.
    :param taken: Names of other fields.
    :returns: A name for each role, in order. Roles that are identifiers keep their names whatever comes before them.
    """
    roles = list(roles)
    used = set(taken)
    kept = {role for role in roles if _is_identifier(role) and role not in used}
    used |= kept
    names = []
    for role in roles:
        name = role if role in kept else unique(field_name_for(role), used)
        used.add(name)
        names.append(name)
    return tuple(names)


def _is_identifier(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and normalize("NFKC", name) == name


def _identifier(name: str, before: str) -> str:
    name = normalize("NFKC", name)
    return name if name.isidentifier() else normalize("NFKC", before + name)


def _joined(label: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in _words(label))


def _words(label: str) -> list[str]:
    readable = (character if f"a{character}".isidentifier() else " " for character in normalize("NFKC", label))
    return "".join(readable).replace("_", " ").split()
