"""The prompt of a decoder: guidelines as Python classes, the text, its translation, and the lists of annotations.

The layout is what the published GoLLIE-TF checkpoints were trained on (Chen, Shah and Ritter, ACL 2025): a template,
formatted by black.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from transfusion.decoder.base import AnswerList, Prompt
from transfusion.decoder.items import Argument, Item
from transfusion.schema.classes import ClassDefinition

Template = Literal["ner", "ner_tf", "ee", "ee_tf", "eae", "eae_tf", "re", "re_tf"]

_WIDTH = 88
_FUSION = "# Using translation and fusion\n# (1) generate annotation for eng_text\n# (2) generate annotation for text\n\n"
_PIVOT_LIST = "# The annotation instances that take place in the eng_text above are listed here\n"
_SOURCE_LIST = "# The annotation instances that take place in the text above are listed here\n"


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
    """The whole text of a training example.

    :param template: Which prompt.
    :param classes: The schema.
    :param text: The source.
    :param items: Its annotations.
    :param pivot_text: The translation, for templates that have one.
    :param pivot_items: The annotations of the translation.
    :param given: Annotations that the prompt gives.
    :returns: The text.
    """
    prompt = build_prompt(template, classes, text, pivot_text=pivot_text, given=given)
    lists = [pivot_items, items] if len(prompt.lists) == 2 else [items]
    between = (*prompt.between, "\n")
    return prompt.text + "".join(render_list(each) + rest for each, rest in zip(lists, between, strict=True))


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

    :param template: Which prompt.
    :param classes: The schema.
    :param text: The source.
    :param pivot_text: The translation, for templates that have one.
    :param given: Annotations that the prompt gives.
    :param annotate: Whether the model annotates the translation first.
    :returns: The prompt, up to and with the bracket that opens the first list.
    """
    if template not in ("ner", "ner_tf"):
        raise ValueError(f"no template {template!r} yet")
    begin = "# The following lines describe the task definition\n" + "".join(map(_definition, classes))
    begin += f"# This is the text to analyze\ntext = {quote(text)}\n\n"
    source = AnswerList("result", text)
    if template == "ner":
        return Prompt(begin + _SOURCE_LIST + "result = [", (source,), (), tuple(classes))
    begin += f"# This is the English translation of the text\neng_text = {quote(pivot_text or '')}\n\n" + _FUSION
    source = AnswerList("final_result", text)
    if not annotate:
        return Prompt(begin + _SOURCE_LIST + "final_result = [", (source,), (), tuple(classes))
    lists = (AnswerList("result", pivot_text or ""), source)
    return Prompt(begin + _PIVOT_LIST + "result = [", lists, ("\n\n" + _SOURCE_LIST + "final_result = [",), tuple(classes))


def render_list(items: Sequence[Item]) -> str:
    """A list after its opening bracket, up to and with the closing one."""
    return "\n" + "".join(_item(item) for item in items) + "]" if items else "]"


def quote(text: str) -> str:
    """A string as Python prints it and black quotes it."""
    printed = repr(text)
    if printed[0] == '"':
        return printed
    body = printed[1:-1]
    mended = body.replace("\\'", "'").replace('"', '\\"')
    return f'"{mended}"' if mended.count("\\") <= body.count("\\") else printed


def _definition(one: ClassDefinition) -> str:
    fields = "".join(
        f"    {field.name}: {field.type}" + (f"  # {field.comment}" if field.comment else "") + "\n" for field in one.fields
    )
    return f'@dataclass\nclass {one.name}({one.base}):\n    """{one.guideline}"""\n\n{fields}\n\n'


def _item(item: Item) -> str:
    arguments = [f"{name}={_value(value)}" for name, value in item.arguments.items()]
    line = f"    {item.type}({', '.join(arguments)}),\n"
    if len(line) - 1 <= _WIDTH:
        return line
    joined = ", ".join(arguments)
    if len(joined) + 8 <= _WIDTH or len(arguments) == 1:
        return f"    {item.type}(\n        {joined}\n    ),\n"
    return f"    {item.type}(\n" + "".join(f"        {argument},\n" for argument in arguments) + "    ),\n"


def _value(value: Argument) -> str:
    return quote(value) if isinstance(value, str) else f"[{', '.join(map(quote, value))}]"
