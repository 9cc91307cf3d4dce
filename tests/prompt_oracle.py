"""How the published code makes a prompt: a Jinja template, formatted by black 23.9.1. The tests hold ours to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, make_dataclass

import black
from jinja2 import Environment

from transfusion.decoder.items import Item
from transfusion.decoder.render import Template
from transfusion.schema.classes import KEY_FIELDS, ClassDefinition

_BEGINNING = """\
# The following lines describe the task definition
{%- for definition in guidelines %}
{{ definition }}
{%- endfor %}

# This is the text to analyze
text = {{ text.__repr__() }}
"""
_TRANSLATION = """
# This is the English translation of the text
eng_text = {{ pivot_text.__repr__() }}
"""
_ANNOTATE_BOTH = """
# Using translation and fusion
# (1) generate annotation for eng_text
# (2) generate annotation for text
"""
_USE_BOTH = """
# Use both eng_text and text and generate results for text
"""
_ENTITIES = """\
{%- for each in given %}
#    - "{{ each.span }}": {{ each.__class__.__name__ }}
{%- endfor %}
"""
_TRIGGERS = """\
{%- for each in given %}
#    - "{{ each.mention }}" triggers a {{ each.__class__.__name__ }} event.
{%- endfor %}
"""


def _list(name: str, items: str) -> str:
    return f"{name} = [\n{{%- for each in {items} %}}\n    {{{{ each }}}},\n{{%- endfor %}}\n]\n"


def _found(text: str) -> str:
    return f"\n# The annotation instances that take place in the {text} above are listed here\n"


_RELATIONS = "\n# The list called result contains the relation annotations for the following entities"
_ARGUMENTS = (
    "\n# The list called result contains the instances for the following events according to the guidelines above"
)
_FOUND = _found("text") + _list("result", "items")
_FOUND_BOTH = (
    _TRANSLATION
    + _ANNOTATE_BOTH
    + _found("eng_text")
    + _list("result", "pivot_items")
    + _found("text")
    + _list("final_result", "items")
)
_ANSWER = "# \n" + _list("result", "items")

_TEMPLATES: dict[Template, str] = {
    "ner": _FOUND,
    "ee": _FOUND,
    "ner_tf": _FOUND_BOTH,
    "ee_tf": _FOUND_BOTH,
    "re": f"{_RELATIONS}:{_ENTITIES}{_ANSWER}",
    "eae": f"{_ARGUMENTS}:{_TRIGGERS}{_ANSWER}",
    "re_tf": f"{_TRANSLATION}{_USE_BOTH}{_RELATIONS} in text:{_ENTITIES}{_ANSWER}",
    "eae_tf": f"{_TRANSLATION}{_USE_BOTH}{_ARGUMENTS} in text:{_TRIGGERS}{_ANSWER}",
}
_JINJA = Environment(autoescape=False)  # noqa: S701 - no web page


def oracle(
    template: Template,
    classes: Sequence[ClassDefinition],
    text: str,
    items: Sequence[Item],
    *,
    pivot_text: str | None = None,
    pivot_items: Sequence[Item] = (),
    given: Sequence[Item] = (),
) -> str:
    """What :func:`transfusion.decoder.render.render_example` must give."""
    source = _JINJA.from_string(_BEGINNING + _TEMPLATES[template]).render(
        guidelines=[class_source(each) for each in classes],
        text=text,
        pivot_text=pivot_text,
        items=[_instance(each, classes) for each in items],
        pivot_items=[_instance(each, classes) for each in pivot_items],
        given=[_instance(each, classes) for each in given],
    )
    return black.format_str(source, mode=black.Mode())


def class_source(definition: ClassDefinition) -> str:
    fields = "".join(
        f"    {each.name}: {each.type}" + ("\n" if each.comment is None else f"  # {each.comment}\n")
        for each in definition.fields
    )
    return f'@dataclass\nclass {definition.name}({definition.base}):\n    """{definition.guideline}"""\n\n{fields}'


def _instance(item: Item, classes: Sequence[ClassDefinition]) -> object:
    """An object of a real dataclass, which prints itself."""
    [definition] = [each for each in classes if each.name == item.type]
    base = make_dataclass(definition.base, [(name, str) for name in KEY_FIELDS[definition.base]])
    own = [(each.name, object, field()) for each in definition.fields]
    kind = make_dataclass(definition.name, own, bases=(base,))
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in item.arguments.items()}
    return kind(**values)
