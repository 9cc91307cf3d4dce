"""``transfusion prompt``: the prompt of a case, byte for byte, and that of a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from transfusion.cli.prompt import prompt
from transfusion.decoder.render import build_prompt
from transfusion.schema import find_schema
from transfusion.schema.classes import entity_classes

app = typer.Typer()
app.command()(prompt)

SCHEMA = """
from transfusion.schema import *

class Vessel(Entity):
    \"\"\"Ships.\"\"\"
    span: str

class Sinking(Event):
    \"\"\"A vessel goes down.\"\"\"
    mention: str
    place: List[str]

class OwnedBy(Relation):
    \"\"\"Whose it is.\"\"\"
    arg1: str
    arg2: str
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ships.py").write_text(SCHEMA, encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def shown(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_case_is_written_byte_for_byte(shared_data: Path) -> None:
    for path in sorted((shared_data / "golden_prompts").glob("*.json")):
        expected = json.loads(path.read_text(encoding="utf-8"))["expected"]
        assert run("--case", str(path)).stdout_bytes == expected.encode(), path.name


def test_a_text_and_its_translation_give_the_prompt_that_a_model_gets() -> None:
    text, translation = "Ruto alikutana na Museveni.", "Ruto met Museveni."
    classes = entity_classes(find_schema("masakhaner"))
    given = (text, "--language", "swa", "--translation", translation, "--schema", "masakhaner")
    assert shown(*given) == build_prompt("ner_tf", classes, text, pivot_text=translation).text
    alone = build_prompt("ner_tf", classes, text, pivot_text=translation, annotate=False)
    assert shown(*given, "--no-annotate") == alone.text
    assert shown(text) == build_prompt("ner", classes, text).text


def test_a_document_of_a_file_is_found_by_its_id() -> None:
    lines = [{"id": "a", "text": "Moja."}, {"id": "b", "text": "Mbili.", "translation": "Two."}]
    Path("news.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert 'text = "Moja."' in shown("news.jsonl", "--language", "swa")
    second = shown("news.jsonl", "--language", "swa", "--document", "b")
    assert 'text = "Mbili."' in second
    assert 'eng_text = "Two."' in second
    result = run("news.jsonl", "--language", "swa", "--document", "c")
    assert (result.exit_code, result.stderr) == (2, "error: news.jsonl: no document with the id 'c'\n")


def test_templates_ask_for_what_a_schema_has() -> None:
    text = "MV Kalangala ilizama."
    assert "class Sinking(Event):" in shown(text, "--schema", "ships.py", "--template", "ee")
    relations = shown(text, "--schema", "ships.py", "--template", "re", "--given", "MV Kalangala=Vessel")
    assert '#    - "MV Kalangala": Vessel\n#\nresult = [' in relations
    arguments = shown(text, "--schema", "ships.py", "--template", "eae", "--given", "ilizama=Sinking")
    assert '#    - "ilizama" triggers a Sinking event.\n#\nresult = [' in arguments


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give a text, a file of texts, or --case FILE"),
        (("x", "--case", "case.json"), "only one of them"),
        (("--case", "case.json"), "case.json: cannot be read"),
        (("x", "--template", "re"), "the schema has nothing that the template re asks for; it has ner"),
        (("x", "--schema", "ships.py", "--template", "re"), "name it with --given"),
        (("x", "--schema", "ships.py", "--template", "re", "--given", "x"), "not of the form MENTION=LABEL"),
        (("x", "--schema", "ships.py", "--template", "re", "--given", "y=Vessel"), "the text has no 'y'"),
        (("x", "--schema", "ships.py", "--template", "re", "--given", "x=Boat"), "unknown label 'Boat'"),
        (("x", "--schema", "ships.py", "--template", "eae", "--given", "x=Fire"), "no event 'Fire'; there are Sinking"),
        (("x", "--given", "x=PER"), "--given goes with eae and re"),
        (("x", "--document", "1"), "--document names a document of a file"),
        (("x" * 5000, "--language", "xyzzy"), "xyzzy"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments: tuple[str, ...], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
