"""The form of an answer: as a JSON schema for servers that hold a model to one, and read from what the model wrote.

Items are those that a decoder writes too, so what becomes of them is the same for both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transfusion.chat.answer import json_objects
from transfusion.decoder.items import Argument, Item
from transfusion.decoder.parse import Answer
from transfusion.decoder.problems import Problem, ProblemCode, shown
from transfusion.prompting.wording import Kind, kind_of
from transfusion.schema.classes import ClassDefinition, role_labels

_SPACE = re.compile(r"[\s,]*")
_MOST_PROBLEMS = 20  # of an answer; a model that writes nonsense writes much of it


def answer_schema(lists: Sequence[str], classes: Sequence[ClassDefinition]) -> dict[str, Any]:
    """What an answer has to look like.

    :param lists: Names of its lists, in order.
    :param classes: What its items may be.
    :returns: A JSON schema that OpenAI's strict mode, vLLM and llama.cpp take.
    """
    labels: dict[Kind, list[str]] = {}
    for one in classes:
        labels.setdefault(kind_of(one), []).append(one.label or one.name)
    items = []
    if "Entity" in labels:
        items.append(_object({"label": _one_of(labels["Entity"]), "text": _STRING}))
    if "Relation" in labels:
        items.append(_object({"label": _one_of(labels["Relation"]), "head": _STRING, "tail": _STRING}))
    # An event may have the roles of its own class and no others.
    for one in classes:
        if one.base == "Event":
            roles = list(role_labels(one).values())
            argument = _object({"role": _one_of(roles), "text": _STRING}) if roles else None
            arguments = {"type": "array", "items": argument} if argument else {"type": "array", "maxItems": 0}
            items.append(
                _object({"label": _one_of([one.label or one.name]), "trigger": _STRING, "arguments": arguments})
            )
    item = items[0] if len(items) == 1 else {"anyOf": items}
    return {"title": "annotations", **_object({name: {"type": "array", "items": item} for name in lists})}


_STRING = {"type": "string"}


def _one_of(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def read_answer(text: str, lists: Sequence[str], classes: Sequence[ClassDefinition]) -> Answer:
    """Read what a model wrote.

    Code fences, prose and thoughts round it are passed over; of an answer that breaks off, whole items are kept. Where
    one list was asked for, its items count without its name, too; where several were, an item whose list cannot be told
    is dropped, so that what was found in one text never passes for what was found in the other.

    :param text: What the model wrote.
    :param lists: Names of the lists that were asked for, in order.
    :param classes: The classes that items may be of.
    :returns: The items of each list, ``None`` for one that never came, and what was dropped.
    """
    begin = text.rfind("</think>") + 1
    problems: list[Problem] = []
    found: dict[str, tuple[Item, ...] | None] = {}
    reader = _ItemReader(classes, problems)
    for name in lists:
        values = _named_list(text, begin, name)
        if values is None and len(lists) == 1:
            values = _unnamed_list(text)
        if values is None:
            found[name] = None
            problems.append(Problem("missing-list", f"the answer has no list {name!r}: {shown(text.strip())}"))
            continue
        if not values.closed:
            problems.append(Problem("truncated", f"the list {name!r} breaks off after {len(values.values)} items"))
        found[name] = tuple(item for value in values.values for item in reader.read(value, name))
    if len(problems) > _MOST_PROBLEMS:
        left_out = len(problems) - _MOST_PROBLEMS
        problems[_MOST_PROBLEMS:] = [Problem("junk", f"{left_out} more things in the answer that could not be read")]
    return Answer(found, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a JSON list.

    :param values: Those that are whole.
    :param closed: Whether the list is.
    """

    values: tuple[Any, ...]
    closed: bool


def _named_list(text: str, begin: int, name: str) -> _Values | None:
    """The last list of a name: what stands before it in prose is an example or a draft.

    Inside a string the quotes round the name would be escaped, so no text that is quoted is taken for a list.
    """
    opening = None
    for opening in re.finditer(rf'"{re.escape(name)}"\s*:\s*\[', text[begin:]):
        pass
    if opening is None:
        return None
    decoder = json.JSONDecoder()
    values: list[Any] = []
    position = begin + opening.end()
    while True:
        gap = _SPACE.match(text, position)
        position = gap.end() if gap else position
        if text[position : position + 1] == "]":
            return _Values(tuple(values), closed=True)
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return _Values(tuple(values), closed=False)
        values.append(value)


def _unnamed_list(text: str) -> _Values | None:
    """Items that stand anywhere, or a list that is empty; ``None`` where there is neither."""
    values = tuple(value for value in json_objects(text) if "label" in value)
    return _Values(values, closed=True) if values or re.search(r"\[\s*\]", text) else None


_KEYS: Mapping[Kind, Mapping[str, str]] = {
    "Entity": {"span": "text"},
    "Relation": {"arg1": "head", "arg2": "tail"},
    "Event": {"mention": "trigger"},
}
"""Where the strings of an item's own fields stand, by field."""


class _ItemReader:
    """Makes items of objects.

    :param classes: What they may be.
    :param problems: Where to say what was dropped.
    """

    def __init__(self, classes: Sequence[ClassDefinition], problems: list[Problem]) -> None:
        self.problems = problems
        self._classes = {(kind_of(one), one.label or one.name): one for one in classes}
        folded: dict[tuple[Kind, str], list[ClassDefinition]] = {}
        for (kind, label), one in self._classes.items():
            folded.setdefault((kind, label.casefold()), []).append(one)
        # PER where the schema says Per: no other can be meant.
        self._folded = {name: ones[0] for name, ones in folded.items() if len(ones) == 1}

    def read(self, value: Any, place: str) -> Iterator[Item]:
        """The item that a value is, if it is one."""
        if not isinstance(value, dict) or not isinstance(value.get("label"), str):
            self._drop("junk", place, f"{_shown(value)} is no item")
            return
        kind = _kind_of_item(value)
        label = value["label"].strip()
        definition = self._classes.get((kind, label)) or self._folded.get((kind, label.casefold()))
        if definition is None:
            self._drop("unknown-class", place, f"{shown(label)} is no label of the schema ({_shown(value)})")
            return
        arguments: dict[str, Argument] = {}
        for field, key in _KEYS[kind].items():
            text = value.get(key)
            if not isinstance(text, str):
                self._drop("missing-field" if text is None else "wrong-type", place, f"{_shown(value)} needs {key!r}")
                return
            if not text.strip():
                self._drop("empty-string", place, f"{key!r} of {_shown(value)} is empty")
                return
            arguments[field] = text
        if kind == "Event":
            arguments |= self._roles(value, definition, place)
        yield Item(definition.name, arguments)

    def _roles(self, value: dict[str, Any], definition: ClassDefinition, place: str) -> dict[str, tuple[str, ...]]:
        fields = {role.casefold(): field for field, role in role_labels(definition).items()}
        found: dict[str, list[str]] = {}
        arguments = value.get("arguments", [])
        if not isinstance(arguments, list):
            self._drop("wrong-type", place, f"'arguments' of {_shown(value)} is no list")
            return {}
        for argument in arguments:
            role, text = (argument.get("role"), argument.get("text")) if isinstance(argument, dict) else (None, None)
            if not isinstance(role, str) or not isinstance(text, str) or not text.strip():
                self._drop("wrong-type", place, f"{_shown(argument)} is no argument")
            elif role.strip().casefold() not in fields:
                self._drop("extra-field", place, f"{definition.label or definition.name} has no role {shown(role)}")
            else:
                found.setdefault(fields[role.strip().casefold()], []).append(text)
        return {field: tuple(texts) for field, texts in found.items()}

    def _drop(self, code: ProblemCode, place: str, message: str) -> None:
        self.problems.append(Problem(code, f"{place}: {message}; dropped"))


def _kind_of_item(value: Mapping[str, Any]) -> Kind:
    if "trigger" in value:
        return "Event"
    return "Relation" if "head" in value or "tail" in value else "Entity"


def _shown(value: Any) -> str:
    return shown(json.dumps(value, ensure_ascii=False))
