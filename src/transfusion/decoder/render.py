"""The prompt of a decoder: guidelines as Python classes, the text, its translation, and the lists of annotations.

Byte for byte what the published GoLLIE-TF checkpoints were trained on (Chen, Shah and Ritter, ACL 2025; after Sainz et
al., *GoLLIE*, ICLR 2024): a template that went through black. The templates ending in ``_tf`` show the translation; the
others are GoLLIE's. :mod:`transfusion.decoder.style` does the part of black.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, get_args

from transfusion.decoder.base import AnswerList, Prompt
from transfusion.decoder.items import Argument, Item
from transfusion.decoder.style import Group, assignment, comment, docstring, field, lay_out, quote
from transfusion.schema.classes import KEY_FIELDS, Base, ClassDefinition, ClassField

Template = Literal["ner", "ner_tf", "ee", "ee_tf", "eae", "eae_tf", "re", "re_tf"]
"""What is asked for: entities, events, arguments of given triggers, or relations between given entities."""

TEMPLATES: tuple[Template, ...] = get_args(Template)

_DEFINITIONS = "# The following lines describe the task definition\n"
_TEXT = "# This is the text to analyze\n"
_PIVOT_TEXT = "# This is the English translation of the text\n"
_ANNOTATE_BOTH = (
    "# Using translation and fusion\n# (1) generate annotation for eng_text\n# (2) generate annotation for text\n\n"
)
_USE_BOTH = "# Use both eng_text and text and generate results for text\n\n"
_PIVOT_LIST = "# The annotation instances that take place in the eng_text above are listed here\n"
_SOURCE_LIST = "# The annotation instances that take place in the text above are listed here\n"
_GIVEN_LIST = {
    "re": "# The list called result contains the relation annotations for the following entities",
    "eae": "# The list called result contains the instances for the following events according to the guidelines above",
}
_ANSWERED_BY: Mapping[str, Base] = {"re": "Relation", "eae": "Event"}


def render_example(
    template: Template,
    classes: Sequence[ClassDefinition],
    text: str,
    items: Sequence[Item],
    *,
    pivot_text: str | None = None,
    pivot_items: Sequence[Item] = (),
    given: Sequence[Item] = (),
) -> str:
    """The whole text of a training example: a prompt and its answer.

    :param template: What is asked for.
    :param classes: The schema, in the order in which it is shown.
    :param text: The source.
    :param items: Its annotations.
    :param pivot_text: The translation, for templates that show one.
    :param pivot_items: The annotations of the translation, for templates that have a list of them.
    :param given: Entities (``re``) or triggers (``eae``) that the prompt gives.
    :returns: The text, with a line end after its last line.
    :raises ValueError: If there is no such template, or it shows a translation and there is none.
    """
    prompt = build_prompt(template, classes, text, pivot_text=pivot_text, given=given)
    lists = (pivot_items, items)[-len(prompt.lists) :]
    rests = (*(f"{between}[" for between in prompt.between), "\n")
    return prompt.text + "".join(render_list(each, classes) + rest for each, rest in zip(lists, rests, strict=True))


def build_prompt(
    template: Template,
    classes: Sequence[ClassDefinition],
    text: str,
    *,
    pivot_text: str | None = None,
    given: Sequence[Item] = (),
    annotate: bool = True,
) -> Prompt:
    """The prompt that a model is to answer.

    :param template: What is asked for.
    :param classes: The schema, in the order in which it is shown.
    :param text: The source.
    :param pivot_text: The translation, for templates that show one.
    :param given: Entities (``re``) or triggers (``eae``) that the prompt gives.
    :param annotate: For ``ner_tf`` and ``ee_tf``, whether the model annotates the translation first; if not, the list
        and its heading are left out (the paper's ablation *w/o annotate*).
    :returns: The prompt, up to and with the bracket that opens the first list.
    :raises ValueError: If there is no such template, or it shows a translation and there is none.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no template {template!r}; there are {', '.join(TEMPLATES)}")
    task, _, fused = template.partition("_")
    shown = _definitions(tuple(classes)) + _TEXT + assignment("text", text) + "\n"
    if fused:
        if pivot_text is None:
            raise ValueError(f"the template {template!r} shows a translation, and there is none")
        shown += _PIVOT_TEXT + assignment("eng_text", pivot_text) + "\n"
    if task in _GIVEN_LIST:
        shown += (_USE_BOTH if fused else "") + _GIVEN_LIST[task] + (" in text:\n" if fused else ":\n")
        shown += "".join(map(_given_trigger if task == "eae" else _given_entity, given)) + "#\n"
        answers = tuple(one for one in classes if one.base == _ANSWERED_BY[task]) or tuple(classes)
        return Prompt(f"{shown}result = [", (AnswerList("result", text),), classes=answers)
    if not fused:
        return Prompt(f"{shown}{_SOURCE_LIST}result = [", (AnswerList("result", text),), classes=tuple(classes))
    assert pivot_text is not None
    last = AnswerList("final_result", text)
    shown += _ANNOTATE_BOTH
    if not annotate:
        return Prompt(f"{shown}{_SOURCE_LIST}final_result = [", (last,), classes=tuple(classes))
    between = f"\n\n{_SOURCE_LIST}final_result = "
    lists = (AnswerList("result", pivot_text), last)
    return Prompt(f"{shown}{_PIVOT_LIST}result = [", lists, (between,), tuple(classes))


def render_list(items: Sequence[Item], classes: Sequence[ClassDefinition] = ()) -> str:
    """A list of annotations, from behind its opening bracket on.

    :param items: The annotations.
    :param classes: Their classes: fields stand in the order of the class, those of its base first, and a list that an
        item lacks is empty. An item of another class keeps its own order.
    :returns: The text up to and with the closing bracket.
    """
    if not items:
        return "]"
    fields = _fields(tuple(classes))
    return "\n" + "".join(_item(item, fields.get(item.type, ())) for item in items) + "]"


def _item(item: Item, fields: Iterable[ClassField]) -> str:
    arguments: dict[str, Argument] = {}
    for each in fields:
        if each.name in item.arguments:
            arguments[each.name] = item.arguments[each.name]
        elif each.many:
            arguments[each.name] = ()
    arguments |= item.arguments
    parts = tuple(_argument(name, value) for name, value in arguments.items())
    return "\n".join(lay_out(Group(f"{item.type}(", parts, ")"), ",", depth=1)) + "\n"


def _argument(name: str, value: Argument) -> str | Group:
    if isinstance(value, str):
        return f"{name}={quote(value)}"
    return Group(f"{name}=[", tuple(map(quote, value)), "]", display=True)


def _given_entity(item: Item) -> str:
    return comment(f'   - "{_mention(item)}": {item.type}') + "\n"


def _given_trigger(item: Item) -> str:
    return comment(f'   - "{_mention(item)}" triggers a {item.type} event.') + "\n"


def _mention(item: Item) -> str:
    """What an item is called by in a prompt that gives it: its span, its trigger, or else its first string."""
    strings = {name: value for name, value in item.arguments.items() if isinstance(value, str)}
    name = next((key for key in ("span", "mention", *strings) if key in strings), "")
    return strings.get(name, "")


@lru_cache(maxsize=64)
def _definitions(classes: tuple[ClassDefinition, ...]) -> str:
    """The beginning of a prompt: the schema as Python classes, with the blank lines behind it."""
    return _DEFINITIONS + ("".join(f"{_definition(one)}\n\n" for one in classes) or "\n")


def _definition(one: ClassDefinition) -> str:
    header = "\n".join(lay_out(Group(f"class {one.name}(", (one.base,), ")"), ":", depth=0))
    fields = "".join(field(each.name, each.type, each.comment) for each in one.fields)
    return f"@dataclass\n{header}\n    {docstring(one.guideline)}\n" + (f"\n{fields}" if fields else "")


@lru_cache(maxsize=64)
def _fields(classes: tuple[ClassDefinition, ...]) -> Mapping[str, tuple[ClassField, ...]]:
    """The fields of each class in the order of a dataclass: those of its base, then its own."""
    return {one.name: tuple(_in_order(one)) for one in classes}


def _in_order(one: ClassDefinition) -> Iterable[ClassField]:
    own = {each.name: each for each in one.fields}
    names = dict.fromkeys((*KEY_FIELDS.get(one.base, ()), *own))
    return [own.get(name, ClassField(name)) for name in names]
