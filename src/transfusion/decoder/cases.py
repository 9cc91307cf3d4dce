"""Prompts as test cases: a JSON file with a schema, texts and annotations, and perhaps the prompt they must give."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transfusion.decoder.items import Argument, Item
from transfusion.decoder.render import TEMPLATES, Template, render_example
from transfusion.errors import FormatError, InputError
from transfusion.schema.classes import KEY_FIELDS, Base, ClassDefinition, ClassField

_TYPE = re.compile(r"\w[\w .,|=\"'\[\]]*")


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt with its answer, in parts.

    :param name: Name of the case; of the file, if it says none.
    :param template: What is asked for.
    :param classes: The schema.
    :param text: The source.
    :param items: Its annotations.
    :param pivot_text: Its translation.
    :param pivot_items: The annotations of the translation.
    :param given: Annotations that the prompt gives.
    :param expected: What the parts must give; ``None`` if the file does not say.
    """

    name: str
    template: Template
    classes: tuple[ClassDefinition, ...]
    text: str
    items: tuple[Item, ...] = ()
    pivot_text: str | None = None
    pivot_items: tuple[Item, ...] = ()
    given: tuple[Item, ...] = ()
    expected: str | None = None

    def render(self) -> str:
        """The prompt and its answer, byte for byte what a model is trained on."""
        return render_example(
            self.template,
            self.classes,
            self.text,
            self.items,
            pivot_text=self.pivot_text,
            pivot_items=self.pivot_items,
            given=self.given,
        )


def read_case(path: str | Path) -> Case:
    """Read a case.

    :param path: A JSON file: an object with ``template``, ``types`` and ``text`` and, where they apply, ``name``,
        ``pivot_text``, ``annotations``, ``pivot_annotations``, ``given`` and ``expected``. A type has ``name`` and
        ``base``, perhaps ``guideline`` and ``fields``; a field has ``name``, perhaps ``type`` and ``comment``; an
        annotation has ``type`` and ``args``. Other keys are passed over.
    :returns: The case.
    :raises InputError: If the file cannot be opened.
    :raises FormatError: If it is no such file; the message names the place in it.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 (byte {error.start})", path=path) from error
    except json.JSONDecodeError as error:
        problem = f"not valid JSON: {error.msg} (column {error.colno})"
        raise FormatError(problem, path=path, line=error.lineno) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or brackets in brackets
        raise FormatError(f"not valid JSON: {error}", path=path) from error
    try:
        return _case(_Place("", record), path.stem)
    except _Problem as problem:
        raise FormatError(str(problem), path=path) from None


class _Problem(Exception):
    """What is wrong, and where in the file."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A value of the file, and the way to it: ``types[1].fields``."""

    way: str
    value: object

    def problem(self, wanted: str) -> _Problem:
        shown = json.dumps(self.value, ensure_ascii=False)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return _Problem(f"{self.way or 'the file'} must be {wanted}, not {shown}")

    def get(self, key: str) -> _Place:
        """What stands under a key; null where there is none."""
        if not isinstance(self.value, Mapping):
            raise self.problem("an object")
        return _Place(f"{self.way}.{key}".lstrip("."), self.value.get(key))

    def text(self, default: str | None = None) -> str:
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self.problem("a string")
        return self.value

    def optional_text(self) -> str | None:
        return None if self.value is None else self.text()

    def identifier(self) -> str:
        name = self.text()
        if not name.isidentifier() or keyword.iskeyword(name):
            raise self.problem("a name that Python code can use")
        return name

    def each(self) -> list[_Place]:
        """What a list holds; nothing if there is none."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.problem("a list")
        return [_Place(f"{self.way}[{number}]", value) for number, value in enumerate(self.value)]


def _case(record: _Place, name: str) -> Case:
    template = record.get("template")
    if template.value not in TEMPLATES:
        raise template.problem(f"one of {', '.join(TEMPLATES)}")
    pivot_text = record.get("pivot_text")
    if pivot_text.value is None and template.text().endswith("_tf"):
        raise pivot_text.problem(f"a string, since the template {template.value} shows a translation")
    types = record.get("types")
    if types.value is None:
        raise types.problem("a list")
    classes = tuple(map(_definition, types.each()))
    names = [definition.name for definition in classes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _Problem(f"types: the class {twice[0]} stands twice")
    known = {definition.name: definition for definition in classes}

    def items(key: str) -> tuple[Item, ...]:
        return tuple(_item(place, known) for place in record.get(key).each())

    return Case(
        name=record.get("name").text(name),
        template=template.value,
        classes=classes,
        text=record.get("text").text(),
        items=items("annotations"),
        pivot_text=pivot_text.optional_text(),
        pivot_items=items("pivot_annotations"),
        given=items("given"),
        expected=record.get("expected").optional_text(),
    )


def _definition(record: _Place) -> ClassDefinition:
    # Data sets have bases of their own, such as LifeEvent; a prompt shows whatever name there is.
    base = cast("Base", record.get("base").identifier())
    name = record.get("name").identifier()
    fields = tuple(map(_field, record.get("fields").each()))
    if record.get("fields").value is None:
        fields = tuple(map(ClassField, KEY_FIELDS.get(base, ())))
    names = [field.name for field in fields]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _Problem(f"{record.way}: the field {twice[0]} stands twice")
    return ClassDefinition(name, base, record.get("guideline").text(""), fields)


def _field(record: _Place) -> ClassField:
    kind = record.get("type").text("str").strip()
    if not _TYPE.fullmatch(kind):
        raise record.get("type").problem("a type, such as str or List[str]")
    return ClassField(record.get("name").identifier(), kind, record.get("comment").optional_text())


def _item(record: _Place, known: Mapping[str, ClassDefinition]) -> Item:
    name = record.get("type").identifier()
    arguments = record.get("args")
    if not isinstance(arguments.value, Mapping):
        raise arguments.problem("an object")
    definition = known.get(name)
    fields = None if definition is None else {each.name for each in definition.fields}
    values: dict[str, Argument] = {}
    for key in cast("Mapping[str, Any]", arguments.value):
        place = arguments.get(key)
        if definition is not None and fields is not None and key not in fields | {*KEY_FIELDS.get(definition.base, ())}:
            raise _Problem(f"{place.way}: {name} has no such field; it has {', '.join(sorted(fields)) or 'none'}")
        if not key.isidentifier() or keyword.iskeyword(key):
            raise _Problem(f"{arguments.way}: {key!r} is no name of a field")
        if isinstance(place.value, list):
            values[key] = tuple(each.text() for each in place.each())
        elif place.value is not None:
            values[key] = place.text()
    return Item(name, values)
