"""Schemas written as Python classes, as GoLLIE has them. The text is parsed, never imported or run. ::

    @dataclass
    class Person(Entity):
        '''People called by name.'''

        label: ClassVar[str] = "PER"

        span: str  # Such as: "Yoweri Museveni", "Winnie Byanyima"

A field's comment stands behind it, on the lines after it, or in a string after it. No prompt shows a ``ClassVar``:
``label`` is the label of annotations where the class has another name, ``head`` and ``tail`` are the entity labels that
the arguments of a relation may have, and ``roles`` names the roles of fields that are called otherwise.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from transfusion.errors import SchemaError
from transfusion.schema.classes import BASES, KEY_FIELDS, ClassDefinition, ClassField
from transfusion.schema.comments import Comments
from transfusion.schema.names import is_class_name
from transfusion.schema.problems import Problems
from transfusion.schema.syntax import (
    Constant,
    constant_of,
    field_type,
    is_class_var,
    is_empty,
    is_nothing,
    last_name,
    string_of,
)
from transfusion.schema.types import check_label

_SETTINGS = {
    "label": "a string",
    "head": "a tuple of strings",
    "tail": "a tuple of strings",
    "roles": "a dict of strings",
}
_SETTING_OF = {"head": "Relation", "tail": "Relation", "roles": "Event"}


def read_classes(text: str, *, path: str | Path = "<schema>") -> tuple[ClassDefinition, ...]:
    """Read the classes of a schema from source text.

    :param text: Python classes; imports and strings round them are let through, anything else is a problem.
    :param path: What errors call the text.
    :returns: The classes, in order. A class on another class of the text has the fields of that one before its own.
    :raises SchemaError: If there are problems; the message has each with its line and a caret under the place.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    problems = Problems(text, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape such as \d in a docstring means what it says
            tree = ast.parse(text)
        comments = Comments(text)
    except SyntaxError as error:
        problems.add_syntax_error(error)
        problems.fail()
    except (ValueError, RecursionError, MemoryError) as error:
        raise SchemaError(f"{path}: not valid Python: {str(error) or 'nested too deeply'}") from error
    reader = _Reader(problems, comments)
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            reader.read_class(statement)
        elif not isinstance(statement, ast.Import | ast.ImportFrom) and string_of(statement) is None:
            problems.add(statement, "a schema holds classes and imports, and nothing that would have to be run")
    problems.raise_any()
    return tuple(reader.classes.values())


class _Reader:
    """Reads classes one after the other and collects what is wrong with them.

    :param problems: Where problems go.
    :param comments: The comments of the text.
    """

    def __init__(self, problems: Problems, comments: Comments) -> None:
        self.classes: dict[str, ClassDefinition] = {}
        self._problems = problems
        self._comments = comments
        self._lines: dict[str, int] = {}

    def read_class(self, node: ast.ClassDef) -> None:
        """Read a class, or say what is wrong with it."""
        before = len(self._problems)
        self._check_head(node)
        parent = self._parent(node)
        self._lines.setdefault(node.name, node.lineno)
        if parent is None:
            return
        definition = self._read_body(node, parent)
        if len(self._problems) == before:
            self.classes[node.name] = definition

    def _check_head(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            if last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) != "dataclass":
                self._problems.add(decorator, "a class of a schema has no decorator but @dataclass")
        if node.name in self._lines:
            self._problems.add_name(node, f"the class {node.name} stands twice, first in line {self._lines[node.name]}")
        if not is_class_name(node.name):
            self._problems.add_name(node, f"no class of a schema is called {node.name}: others are built on that")
        if node.keywords or getattr(node, "type_params", None):
            self._problems.add_name(node, f"the class {node.name} says no more than what it is: {node.name}(Entity)")

    def _parent(self, node: ast.ClassDef) -> ClassDefinition | None:
        """What a class begins as: the class that it is built on, or one of its base without fields."""
        if len(node.bases) != 1:
            self._problems.add_name(node, f"the class {node.name} is built on one of {', '.join(BASES)}")
            return None
        name = last_name(node.bases[0])
        if name in self.classes:
            return replace(self.classes[name], name=node.name, guideline="", label="")
        for base in BASES:
            if name == base:
                return ClassDefinition(node.name, base, fields=())
        if name not in self._lines:  # else the class was complained about already
            near = get_close_matches(name or "", [*BASES, *self.classes], n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            choice = f"A class is built on {', '.join(BASES)}, or a class above it"
            self._problems.add(node.bases[0], f"unknown base: {hint}{choice}")
        return None

    def _read_body(self, node: ast.ClassDef, parent: ClassDefinition) -> ClassDefinition:
        fields = {field.name: field for field in parent.fields}
        settings: dict[str, ast.AnnAssign] = {}
        own: dict[str, ast.AnnAssign] = {}
        last: str | None = None
        guideline = ""
        for position, statement in enumerate(node.body):
            string = string_of(statement)
            if string is not None and position == 0:
                guideline = string
            elif string is not None and last is not None:
                fields[last] = _with_comment(fields[last], [string])
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name, last = statement.target.id, None
                seen = settings if is_class_var(statement.annotation) else own
                if name in seen:
                    self._problems.add(statement, f"{name} stands twice in {node.name}")
                seen[name] = statement
                if seen is own and (field := self._read_field(statement, name)) is not None:
                    fields[name], last = field, name
            elif not is_nothing(statement):
                key = KEY_FIELDS[parent.base][0]
                self._problems.add(statement, f"a class of a schema holds a docstring and fields such as {key}: str")
        ordered = self._check_fields(node, parent, fields, own)
        definition = replace(parent, guideline=guideline, fields=ordered)
        for name, statement in settings.items():
            definition = self._read_setting(statement, name, definition)
        return definition

    def _read_field(self, node: ast.AnnAssign, name: str) -> ClassField | None:
        kind = field_type(node.annotation)
        if kind is None:
            self._problems.add(node.annotation, f"the field {name} is of type str or List[str], or Optional of these")
            return None
        if node.value is not None and not is_empty(node.value):
            self._problems.add(node.value, f"the field {name} has no value before a text is read")
            return None
        comments = self._comments.of_field(node.end_lineno or node.lineno, node.col_offset)
        return _with_comment(ClassField(name, kind), comments)

    def _check_fields(
        self,
        node: ast.ClassDef,
        parent: ClassDefinition,
        fields: dict[str, ClassField],
        own: dict[str, ast.AnnAssign],
    ) -> tuple[ClassField, ...]:
        """The fields of a class, those of its base first, which are strings; only an event has others."""
        keys = KEY_FIELDS[parent.base]
        what = f"{'an' if parent.base in ('Entity', 'Event') else 'a'} {parent.base}"
        missing = [key for key in keys if key not in fields and key not in own]
        if missing:
            self._problems.add_name(node, f"the class {node.name} lacks {' and '.join(missing)}, which {what} has")
        for name, statement in own.items():
            if name in keys and name in fields and fields[name].many:
                self._problems.add(statement.annotation, f"the field {name} of {what} is of type str")
            elif name not in keys and parent.base != "Event":
                self._problems.add(statement, f"{what} has {' and '.join(keys)} and no field {name}")
        return tuple(
            sorted(fields.values(), key=lambda field: keys.index(field.name) if field.name in keys else len(keys))
        )

    def _read_setting(self, node: ast.AnnAssign, name: str, definition: ClassDefinition) -> ClassDefinition:
        value = constant_of(node.value)
        problem = _setting_problem(name, value, definition)
        if problem is not None:
            self._problems.add(node, problem)
        elif isinstance(value, str):
            return replace(definition, label="" if value == definition.name else value)
        elif isinstance(value, tuple):
            return replace(definition, head=value) if name == "head" else replace(definition, tail=value)
        elif value is not None:
            labels = {field: "" if role == field else role for field, role in value.items()}
            fields = (replace(field, label=labels.get(field.name, field.label)) for field in definition.fields)
            return replace(definition, fields=tuple(fields))
        return definition


def _setting_problem(name: str, value: Constant | None, definition: ClassDefinition) -> str | None:
    if name not in _SETTINGS:
        near = get_close_matches(name, _SETTINGS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"unknown ClassVar {name}: {hint}There are {', '.join(_SETTINGS)}"
    if _SETTING_OF.get(name, definition.base) != definition.base:
        return f"{name} is for a class on {_SETTING_OF[name]}, and {definition.name} is one on {definition.base}"
    kinds = {"label": str, "head": tuple, "tail": tuple, "roles": dict}
    if not isinstance(value, kinds[name]):
        return f"{name} is {_SETTINGS[name]}"
    try:
        for label in [value] if isinstance(value, str) else value.values() if isinstance(value, dict) else value or ():
            check_label(label)
    except SchemaError as error:
        return str(error)
    if isinstance(value, dict):
        roles = [field.name for field in definition.fields if field.name not in KEY_FIELDS[definition.base]]
        for field in value:
            if field not in roles:
                return f"roles names the field {field}, and {definition.name} has {', '.join(roles) or 'none'}"
    return None


def _with_comment(field: ClassField, comments: list[str]) -> ClassField:
    parts = [field.comment, *comments] if field.comment else comments
    return replace(field, comment=" ".join(parts) or None)
