"""Prompts as test cases: JSON files with a schema, texts and annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from transfusion.decoder.cases import read_case
from transfusion.decoder.items import Item
from transfusion.errors import FormatError, InputError
from transfusion.schema.classes import ClassField

VESSEL: dict[str, Any] = {"name": "Vessel", "base": "Entity", "guideline": "Ships.", "fields": [{"name": "span"}]}
CASE: dict[str, Any] = {
    "template": "ner_tf",
    "types": [VESSEL],
    "text": "Meli ya MV Bukoba.",
    "pivot_text": "The ship MV Bukoba.",
    "annotations": [{"type": "Vessel", "args": {"span": "MV Bukoba"}}],
    "pivot_annotations": [{"type": "Vessel", "args": {"span": "MV Bukoba"}}],
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(record: object) -> Path:
        path = tmp_path / "ship.json"
        path.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        return path

    return write


def test_a_case_gives_its_prompt_and_answer(write: Any) -> None:
    case = read_case(write({**CASE, "expected": "…", "name": "ships"}))
    assert (case.name, case.expected, case.items) == ("ships", "…", (Item("Vessel", {"span": "MV Bukoba"}),))
    assert case.render().endswith('final_result = [\n    Vessel(span="MV Bukoba"),\n]\n')


def test_what_a_case_leaves_out_is_empty_and_what_nobody_knows_is_passed_over(write: Any) -> None:
    sinking = {"name": "Sinking", "base": "Event"}
    case = read_case(write({"template": "ee", "types": [sinking], "text": "x", "pivot_given": [], "comment": "?"}))
    assert (case.name, case.items, case.given, case.pivot_text, case.expected) == ("ship", (), (), None, None)
    assert case.classes[0].fields == (ClassField("mention"),)
    assert "result = []" in case.render()


def test_a_base_of_a_data_set_s_own_is_shown_as_it_is(write: Any) -> None:
    fields = [{"name": "mention"}, {"name": "who", "type": "List[str]", "comment": "Who is born"}]
    birth = {"name": "BeBorn", "base": "LifeEvent", "guideline": "", "fields": fields}
    args = {"who": ["Amina"], "mention": "alizaliwa"}
    shown = read_case(
        write({"template": "ee", "types": [birth], "text": "x", "annotations": [{"type": "BeBorn", "args": args}]})
    ).render()
    assert "class BeBorn(LifeEvent):\n" in shown
    assert 'BeBorn(mention="alizaliwa", who=["Amina"]),' in shown


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"template": "qa"}, 'template must be one of ner, ner_tf, .*, not "qa"'),
        ({"template": None}, "template must be one of .*, not null"),
        ({"text": None}, "text must be a string, not null"),
        ({"pivot_text": None}, "pivot_text must be a string, since the template ner_tf shows a translation"),
        ({"types": None}, "types must be a list, not null"),
        ({"types": {}}, "types must be a list"),
        ({"types": ["Vessel"]}, r'types\[0\] must be an object, not "Vessel"'),
        ({"types": [{**VESSEL, "name": "class"}]}, r"types\[0\].name must be a name that Python code can use"),
        ({"types": [{**VESSEL, "base": None}]}, r"types\[0\].base must be a string"),
        ({"types": [VESSEL, VESSEL]}, "the class Vessel stands twice"),
        ({"types": [{**VESSEL, "fields": [{"name": "span"}] * 2}]}, r"types\[0\]: the field span stands twice"),
        ({"types": [{**VESSEL, "fields": [{"name": "span", "type": "str\nx"}]}]}, "must be a type, such as str"),
        ({"annotations": [{"type": "Vessel"}]}, r"annotations\[0\].args must be an object"),
        ({"annotations": [{"type": "Vessel", "args": {"span": 3}}]}, r"annotations\[0\].args.span must be a string"),
        ({"given": [{"type": "Vessel", "args": {"name": "x"}}]}, r"given\[0\].args.name: Vessel has no such field"),
        ({"given": [{"type": "Other", "args": {"a b": "x"}}]}, r"given\[0\].args: 'a b' is no name of a field"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(write: Any, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(FormatError, match=rf"ship\.json: .*{problem}"):
        read_case(write({**CASE, **change}))


def test_files_that_are_no_json_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ship.json"
    with pytest.raises(InputError, match=r"ship\.json: cannot be read"):
        read_case(path)
    path.write_text('{"template": "ner",\n "types": [}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"ship\.json:2: not valid JSON: .* \(column 12\)"):
        read_case(path)
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(FormatError, match="not valid JSON"):
        read_case(path)
    path.write_bytes(b"\xff{}")
    with pytest.raises(FormatError, match=r"not UTF-8 \(byte 0\)"):
        read_case(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(FormatError, match="the file must be an object"):
        read_case(path)
