"""Prompts are, byte for byte, what the published checkpoints were trained on: template, Jinja, black 23.9.1."""

from __future__ import annotations

import ast
import re
import timeit
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from prompt_oracle import oracle
from transfusion.decoder.cases import read_case
from transfusion.decoder.items import Argument, Item
from transfusion.decoder.parse import parse_answer
from transfusion.decoder.render import TEMPLATES, build_prompt, render_example, render_list
from transfusion.schema import find_schema
from transfusion.schema.classes import KEY_FIELDS, Base, ClassDefinition, ClassField, entity_classes

# -------------------- what prompts are made of

SCRIPTS = (
    "Kampala mjini Ọ̀yọ́ ɛɔŋ é",
    "在坎帕拉的东京",
    "محمد العربية ‏",
    "አዲስ አበባ።",
    "กรุงเทพฯ",
    "नई दिल्ली",
    "👩🏽‍🚒🇺🇬🎉",
    "İıßﬁ½Ａ",
)
AWKWARD = "\"\"''\\\\\n\r\t \xa0\u200b\u2028\x85\x0b\x0c\x1c\x00\x7f#{}[](),=:;%$"
characters = st.one_of(
    st.sampled_from("".join(SCRIPTS)), st.sampled_from(AWKWARD), st.characters(codec="utf-8"), st.sampled_from("abc ")
)
texts = st.text(characters, max_size=30)
surrogates = st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udc80\udfff")), max_size=8)
lines_about_to_wrap = st.integers(40, 100).flatmap(
    lambda length: st.text(st.sampled_from("a b"), min_size=length, max_size=length)
)
mentions = st.one_of(texts, lines_about_to_wrap, st.text(st.sampled_from("\"'\\a "), max_size=12), surrogates)
names = st.one_of(
    st.sampled_from(["Vessel", "Attack", "OwnedBy", "Ort", "Ville_été", "名"]),
    st.integers(1, 95).map(lambda length: "N" * length),
)
field_names = st.one_of(
    st.sampled_from(["span_type", "attacker", "place", "instrument", "match", "type", "print"]),
    st.integers(1, 95).map(lambda length: "f" * length),
)
types = st.sampled_from(
    [
        "str",
        "List[str]",
        "Optional[str]",
        "Optional[List[str]]",
        "Dict[str, List[str]]",
        "List[Union[str, Name]]",
        "int",
        "List[str] | None",
    ]
)


def comment_strategy() -> st.SearchStrategy[str | None]:
    ends = "\r\n"
    words = st.one_of(
        st.integers(40, 90).map(lambda length: "x" * length),
        st.text(characters.filter(lambda character: character not in ends), min_size=1, max_size=30),
        st.sampled_from(
            [
                "fmt: off",
                "fmt: skip",
                "type: ignore",
                "type: int",
                "noqa",
                "pylint: x",
                "!shebang",
                "# twice",
                ":x",
                "'",
            ]
        ),
    )
    around = st.sampled_from(["", " ", "  ", "\t", "\xa0"])
    return st.none() | st.tuples(around, words, around).map("".join)


def is_a_docstring(text: str) -> bool:
    """Whether three quotes round a text make one string: others, black refuses or reads as two."""
    source = f'"""{text}"""'
    found = re.match(r'"""(?:\\.|(?!""")[^\\])*"""', source, re.DOTALL)
    return found is not None and found.end() == len(source)


guideline_lines = st.one_of(
    texts, st.integers(70, 95).map(lambda length: "g" * length), st.text(st.sampled_from(" \t\\\"'ab"), max_size=12)
)
guidelines = (
    st.lists(guideline_lines, max_size=4)
    .flatmap(lambda lines: st.sampled_from(["\n", "\n    ", "\n\t", "\n\n", "\n  "]).map(lambda end: end.join(lines)))
    .filter(is_a_docstring)
)


@st.composite
def class_definitions(draw: st.DrawFn, base: Base) -> ClassDefinition:
    keys = KEY_FIELDS[base]
    own = draw(st.lists(field_names.filter(lambda name: name not in keys), unique=True, max_size=5))
    order = draw(st.permutations([*keys, *own])) if draw(st.booleans()) else [*keys, *own]
    shown = order[draw(st.integers(0, len(order))) :] if draw(st.integers(0, 5)) == 0 else order
    fields = tuple(ClassField(name, "str" if name in keys else draw(types), draw(comment_strategy())) for name in shown)
    return ClassDefinition(draw(names), base, draw(guidelines), fields)


@st.composite
def items_of(
    draw: st.DrawFn, classes: Sequence[ClassDefinition], mentions: st.SearchStrategy[str] = mentions
) -> list[Item]:
    found = []
    for definition in draw(st.lists(st.sampled_from(classes), max_size=3)) if classes else ():
        arguments: dict[str, Argument] = {key: draw(mentions) for key in KEY_FIELDS[definition.base]}
        for each in definition.fields:
            if each.name not in arguments:
                many = draw(st.lists(mentions, max_size=3)) if each.many else None
                arguments[each.name] = draw(mentions) if many is None else tuple(many)
        order = draw(st.permutations(list(arguments)))
        found.append(Item(definition.name, {name: arguments[name] for name in order}))
    return found


BASES_OF: dict[str, tuple[Base, ...]] = {
    "ner": ("Entity", "Value"),
    "ee": ("Event",),
    "eae": ("Event",),
    "re": ("Relation", "Entity"),
}


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    template = draw(st.sampled_from(TEMPLATES))
    task = template.removesuffix("_tf")
    bases = BASES_OF[task]
    by_base = {each: draw(st.lists(class_definitions(each), max_size=3)) for each in bases}
    classes = {one.name: one for group in by_base.values() for one in group}
    of_base = [one for one in classes.values() if one.base == bases[0]]
    shown = [one for one in classes.values() if one.base == bases[-1]]
    fused = template.endswith("_tf")
    return {
        "template": template,
        "classes": list(classes.values()),
        "text": draw(mentions),
        "items": draw(items_of(of_base)),
        "pivot_text": draw(mentions) if fused else None,
        "pivot_items": draw(items_of(of_base)) if fused else [],
        "given": [without_line_ends(each) for each in draw(items_of(shown))] if task in ("re", "eae") else [],
    }


def without_line_ends(item: Item) -> Item:
    """A given mention stands in a comment, which a line end, or half a character, would break for black too."""
    mended = {
        name: re.sub("[\r\n\ud800-\udfff]", " ", value)
        for name, value in item.arguments.items()
        if isinstance(value, str)
    }
    return Item(item.type, {**item.arguments, **mended})


# -------------------- the oracle


def test_the_oracle_gives_the_prompts_of_the_published_code(shared_data: Path) -> None:
    paths = sorted((shared_data / "golden_prompts").glob("*.json"))
    assert paths
    for path in paths:
        case = read_case(path)
        parts = {name: getattr(case, name) for name in ("pivot_text", "pivot_items", "given")}
        assert oracle(case.template, case.classes, case.text, case.items, **parts) == case.expected, path.name
        assert case.render() == case.expected, path.name


@settings(max_examples=150, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
@given(cases())
def test_every_prompt_is_what_jinja_and_black_make_of_it(case: dict[str, Any]) -> None:
    assert render_example(**case) == oracle(**case)


VESSEL = ClassDefinition("Vessel", "Entity", "Ships.", (ClassField("span", comment='Such as: "MV Bukoba"'),))
SINKING = ClassDefinition(
    "Sinking",
    "Event",
    "A vessel goes down.",
    (ClassField("mention"), ClassField("vessel", "List[str]", "What sinks"), ClassField("place", "List[str]")),
)
OWNED_BY = ClassDefinition("OwnedBy", "Relation", "Whose it is.", (ClassField("arg1"), ClassField("arg2")))


@pytest.mark.parametrize("width", range(66, 96))
def test_lines_break_at_the_width_at_which_black_breaks_them(width: int) -> None:
    long = "x" * width
    noted = [ClassField("a", "str", long), ClassField("b", "List[str]", long), ClassField("c", "Dict[str, int]", long)]
    classes = [
        ClassDefinition(f"N{long}", "Event", f"{long}\n{long}", (ClassField("mention"), *noted)),
        ClassDefinition("Shot", "Event", long, (ClassField("mention"), ClassField("who", "List[str]"))),
        ClassDefinition("Said", "Event", "", (ClassField("mention"), ClassField(f"f{long}", "List[str]"))),
    ]
    short = long[:-40]
    items = [Item("Shot", {"mention": m, "who": w}) for m in (long, short, "") for w in ((), (long,), (short, "a"))]
    items += [Item("Said", {"mention": "", f"f{long}": ("a", "b")})]
    case: dict[str, Any] = {"template": "ee_tf", "classes": classes, "text": long, "pivot_text": long}
    assert render_example(**case, items=items, pivot_items=items) == oracle(**case, items=items, pivot_items=items)


@pytest.mark.parametrize(
    "guideline",
    [
        "",
        " ",
        "\n",
        " leading and trailing ",
        '"Quoted" at the start',
        "a backslash \\ and an escape \\n",
        "first\n  second\n    third\n",
        "\n\tTabs\n\t\tdeeper\n",
        "goes on \\\n   verbatim",
        "ends in two \\\\",
        '\\\n verbatim, and ends in \\"',
        "a\u2028b\nc\x0cd",
        "long\n" + "g" * 82,
        "long\n" + "g" * 81,
    ],
)
def test_docstrings_are_indented_and_stripped_as_black_does_it(guideline: str) -> None:
    classes = [ClassDefinition("Vessel", "Entity", guideline), ClassDefinition("Bare", "Entity", guideline, ())]
    assert render_example("ner", classes, "", []) == oracle("ner", classes, "", [])


@pytest.mark.parametrize(
    "comment",
    [
        "",
        " ",
        "two  blanks  ",
        "\ttab",
        "\xa0",
        "fmt: off",
        "fmt:skip",
        "type: ignore",
        "type: int",
        "noqa",
        "!",
        "# twice",
    ],
)
def test_comments_that_mean_something_to_tools_stay_where_black_leaves_them(comment: str) -> None:
    fields = [ClassField(f"role{n}", kind, comment + "z" * n) for n, kind in enumerate(["str", "List[str]"] * 45, 1)]
    classes = [ClassDefinition("Vessel", "Entity", "", tuple(fields))]
    assert render_example("ner", classes, "", []) == oracle("ner", classes, "", [])


# -------------------- where black fails, a prompt stays a prompt


def parsed(prompt: str) -> ast.Module:
    """The prompt as code, escapes that Python does not know let through, as black does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(prompt.replace("\0", " "))


@pytest.mark.parametrize(
    ("guideline", "shown"),
    [
        ('the "crew"', '"""the "crew" """'),
        ('the ""', '"""the "" """'),
        ('say """ here', '"""say \\"\\"\\" here"""'),
        ("a path C:\\", '"""a path C:\\ """'),
        ("half \ud83d a character", '"""half \ufffd a character"""'),
    ],
)
def test_a_guideline_cannot_end_its_docstring(guideline: str, shown: str) -> None:
    text = build_prompt("ner", [ClassDefinition("Vessel", "Entity", guideline)], "x").text
    assert f"    {shown}\n" in text
    vessel = parsed(text + "]").body[0]
    assert isinstance(vessel, ast.ClassDef)
    assert ast.get_docstring(vessel)
    assert oracle("ner", [ClassDefinition("Vessel", "Entity", shown[3:-3])], "x", []) == text + "]\n"


def test_a_line_end_in_a_comment_becomes_a_space() -> None:
    vessel = replace(VESSEL, fields=(ClassField("span", comment="one\ntwo\r\nthree"),))
    text = build_prompt("re", [vessel, OWNED_BY], "x", given=[Item("Vessel", {"span": "MV\nBukoba"})]).text
    assert "    span: str  # one two three\n" in text
    assert '#    - "MV Bukoba": Vessel\n#\nresult = [' in text


@given(texts, surrogates)
def test_every_prompt_can_be_written_and_read_as_code(one: str, other: str) -> None:
    guideline = re.sub(r"\\+(?=[xuUN])", "", one + other)  # black minds no half escapes, Python does
    classes = [ClassDefinition("Vessel", "Entity", guideline, (ClassField("span", comment=other + one),)), OWNED_BY]
    items = [Item("OwnedBy", {"arg1": one, "arg2": other})]
    text = render_example("re_tf", classes, other, items, pivot_text=one, given=[Item("Vessel", {"span": one + other})])
    text.encode()
    assigned = [node for node in parsed(text).body if isinstance(node, ast.Assign)]
    values = {ast.unparse(node.targets[0]): node.value for node in assigned}
    assert list(values) == ["text", "eng_text", "result"]
    assert ast.literal_eval(values["text"]) == other
    assert ast.literal_eval(values["eng_text"]) == one


# -------------------- for inference


def test_a_model_goes_on_where_the_prompt_ends() -> None:
    pivot_items, items = [Item("Vessel", {"span": "MV Bukoba"})], [Item("Vessel", {"span": "Bukoba"})]
    whole = render_example("ner_tf", [VESSEL], "Meli.", items, pivot_text="A ship.", pivot_items=pivot_items)
    prompt = build_prompt("ner_tf", [VESSEL], "Meli.", pivot_text="A ship.")
    assert prompt.text.endswith("in the eng_text above are listed here\nresult = [")
    assert [(each.name, each.text) for each in prompt.lists] == [("result", "A ship."), ("final_result", "Meli.")]
    answer = f"{render_list(pivot_items)}{prompt.between[0]}[{render_list(items)}"
    assert f"{prompt.text}{answer}\n" == whole


def test_without_annotate_the_first_list_is_left_out() -> None:
    whole = build_prompt("ner_tf", [VESSEL], "Meli.", pivot_text="A ship.")
    alone = build_prompt("ner_tf", [VESSEL], "Meli.", pivot_text="A ship.", annotate=False)
    assert [each.name for each in alone.lists] == ["final_result"]
    heading = "# The annotation instances that take place in the eng_text above are listed here\nresult = ["
    assert alone.text == whole.text.removesuffix(heading) + whole.between[0].lstrip("\n") + "["


def test_the_answer_holds_relations_or_events_where_entities_are_given() -> None:
    assert build_prompt("re", [VESSEL, OWNED_BY], "x").classes == (OWNED_BY,)
    assert build_prompt("eae", [VESSEL, SINKING], "x").classes == (SINKING,)
    assert build_prompt("ner", [VESSEL], "x").classes == (VESSEL,)


def test_fields_stand_in_the_order_of_the_class_and_missing_lists_are_empty() -> None:
    item = Item("Sinking", {"place": ("Mwanza",), "mention": "ilizama"})
    assert render_list([item], [SINKING]) == '\n    Sinking(mention="ilizama", vessel=[], place=["Mwanza"]),\n]'
    assert render_list([item]) == '\n    Sinking(place=["Mwanza"], mention="ilizama"),\n]'


def test_a_template_that_nobody_knows_or_that_lacks_its_translation_is_refused() -> None:
    with pytest.raises(ValueError, match="no template 'qa'; there are ner, ner_tf"):
        build_prompt("qa", [VESSEL], "x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'ner_tf' shows a translation"):
        build_prompt("ner_tf", [VESSEL], "x")


@settings(suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_was_rendered_reads_back_the_same(data: st.DataObject) -> None:
    classes = [VESSEL, SINKING, OWNED_BY]
    of_something = items_of(classes, mentions.filter(str.strip))  # an empty string names no span
    drawn = data.draw(st.tuples(of_something, of_something))
    prompt = build_prompt("ner_tf", classes, "x", pivot_text="y")
    answer = f"{render_list(drawn[0], classes)}{prompt.between[0]}[{render_list(drawn[1], classes)}\n"
    read = parse_answer(answer, [each.name for each in prompt.lists], prompt.classes)
    assert not read.problems
    for name, items in zip(("result", "final_result"), drawn, strict=True):
        found = read.lists[name]
        assert found is not None
        assert [(each.type, dict(each.arguments)) for each in found] == [(i.type, dict(i.arguments)) for i in items]


def test_rendering_takes_microseconds() -> None:
    classes = find_schema("masakhaner")
    shown = entity_classes(classes)
    text = "Rais Ruto alikutana na Museveni mjini Kampala. " * 5

    def render() -> None:
        build_prompt("ner_tf", shown, text, pivot_text=text)

    assert min(timeit.repeat(render, number=20, repeat=20)) / 20 < 200e-6
