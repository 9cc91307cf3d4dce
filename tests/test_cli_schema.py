"""``transfusion schema``: look at schemas, and check those that one writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from transfusion.cli.schema import app
from transfusion.schema import Schema, find_schema, schema_names

MARKET = '''
class Crop(Entity):
    """What is grown for sale."""
    span: str

class Sale(Event):
    mention: str
    seller: str
    goods: List[str]
'''


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_says_what_is_in_a_schema_and_what_was_mended(tmp_path: Path) -> None:
    path = tmp_path / "market.py"
    path.write_text(MARKET, encoding="utf-8")
    result = run("check", path, "--verbose")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{path}: 1 entity, 1 event, 2 roles",
        "  Entity Crop(span)",
        "  Event Sale(mention, seller, goods)",
        "  mended: of Sale, seller may be filled more than once: List[str]",
        "  advice: events without a guideline: Sale",
    ]


def test_check_names_labels_that_are_no_names_in_python(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text('entities = ["PER", "None", "7up"]\n[[events]]\nname = "Sale"\nroles = ["time-of-day"]\n')
    result = run("check", path)
    assert result.exit_code == 0
    assert "mended: the class of the label 'None' is called None_" in result.stdout
    assert "mended: the class of the label '7up' is called Label7up" in result.stdout
    assert "mended: the role 'time-of-day' of 'Sale' is the field time_of_day" in result.stdout
    assert "PER" not in result.stdout.split("advice")[0]


def test_check_shows_a_problem_with_its_line_and_a_caret(tmp_path: Path) -> None:
    path = tmp_path / "market.py"
    path.write_text(MARKET.replace("Entity", "Enity"), encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    first, line, caret = result.stderr.splitlines()
    assert first.startswith(f"{path}:2: unknown base: did you mean Entity?")
    assert caret.index("^") == line.index("Enity")
    assert caret.count("^") == len("Enity")


def test_check_answers_a_wrong_name() -> None:
    result = run("check", "conll2002")
    assert result.exit_code == 1
    assert "did you mean conll2003" in result.stderr


def test_list_names_every_schema_and_where_its_labels_come_from() -> None:
    plain = run("list")
    records = json.loads(run("list", "--json").stdout)
    assert [record["name"] for record in records] == list(schema_names())
    assert all(record["source"] in plain.stdout for record in records)
    assert "rams  139 events" in plain.stdout


@pytest.mark.parametrize(("form", "suffix"), [("python", "py"), ("toml", "toml"), ("json", "json")])
def test_what_show_writes_can_be_read_back(form: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"schema.{suffix}"
    path.write_text(run("show", "ace2005", "--format", form).stdout, encoding="utf-8")
    assert Schema.read(path) == find_schema("ace2005")


def test_a_list_of_labels_says_what_it_leaves_out() -> None:
    assert run("show", "uner", "--format", "labels").stdout == "PER\nORG\nLOC\n"
    result = run("show", "redfm", "--format", "labels")
    assert result.stdout.splitlines()[0] == "PER"
    assert "32 relations and events are left out" in result.stderr
    nothing = run("show", "rams", "--format", "labels")
    assert nothing.exit_code == 2
    assert "rams has no entities" in nothing.stderr
