"""Do the values of a call fit the fields of its class?"""

from __future__ import annotations

from collections.abc import Iterable

from transfusion.decoder.calls import Unusable, Value
from transfusion.decoder.items import Argument
from transfusion.decoder.problems import Problem, ProblemCode, shown
from transfusion.schema.classes import KEY_FIELDS, ClassDefinition, ClassField


def check_call(
    values: Iterable[Value], definition: ClassDefinition
) -> tuple[dict[str, Argument] | None, tuple[Problem, ...]]:
    """Make arguments of the values of a call.

    A value that does not fit is left out. Without one of its key fields (``span``; ``arg1``, ``arg2``; ``mention``) an
    item says nothing, and is dropped.

    :param values: The values, in order.
    :param definition: The class.
    :returns: The arguments by field, ``None`` for an item that is dropped; and what was wrong.
    """
    checker = _Checker(definition)
    for value in values:
        checker.take(value)
    return checker.finish()


class _Checker:
    def __init__(self, definition: ClassDefinition) -> None:
        self.definition = definition
        self.fields = {field.name: field for field in definition.fields}
        self.arguments: dict[str, Argument] = {}
        self.named: set[str] = set()  # fields that got a value, a usable one or not
        self.positional = 0
        self.problems: list[Problem] = []

    def take(self, value: Value) -> None:
        """Put a value into its field, or say why not."""
        name = value.keyword
        if name is None:
            self.positional += 1
            if self.positional > len(self.definition.fields):
                return self._problem("extra-field", f"value {self.positional} is one too many; left out")
            name = self.definition.fields[self.positional - 1].name
        if name not in self.fields:
            return self._problem("extra-field", f"no field {shown(name)}; left out")
        if name in self.named:
            return self._problem("duplicate-field", f"field {name!r} has a value already; the second was left out")
        self.named.add(name)
        for unusable in value.left_out:
            self._problem(unusable.code, f"in field {name!r}, {unusable.message}; left out")
        fitting = self._fitting(self.fields[name], value.value)
        if fitting is not None:
            self.arguments[name] = fitting
        return None

    def finish(self) -> tuple[dict[str, Argument] | None, tuple[Problem, ...]]:
        """The arguments, if the item has its key fields, and all problems."""
        if self.positional:
            self._problem("positional", f"{self.positional} values without names of fields were taken in order")
        for field in self.definition.fields:
            if field.name not in self.named:
                self._problem("missing-field", f"no value for the field {field.name!r}")
        lacking = [name for name in KEY_FIELDS[self.definition.base] if name not in self.arguments]
        if not lacking:
            return self.arguments, tuple(self.problems)
        dropped = [Problem(problem.code, f"{problem.message}; the item was dropped") for problem in self.problems]
        return None, tuple(dropped)

    def _fitting(self, field: ClassField, value: Argument | Unusable) -> Argument | None:
        """The value as the field wants it; ``None`` for one that does not fit."""
        if isinstance(value, Unusable):
            self._problem(value.code, f"in field {field.name!r}, {value.message}; left out")
            return None
        if not field.many:
            if isinstance(value, str) and value.strip():
                return value
            if isinstance(value, str):
                self._problem("empty-string", f"field {field.name!r} is empty")
            else:
                self._problem("wrong-type", f"field {field.name!r} holds one string, not a list; left out")
            return None
        if isinstance(value, str):
            self._problem("single-string", f"field {field.name!r} holds a list; the string was taken as a list of one")
            value = (value,)
        kept = tuple(string for string in value if string.strip())
        if len(kept) < len(value):
            self._problem("empty-string", f"{len(value) - len(kept)} empty strings in field {field.name!r}; left out")
        return kept

    def _problem(self, code: ProblemCode, message: str) -> None:
        self.problems.append(Problem(code, message))
