"""``transfusion evaluate`` and ``compare``: scores from gold files and from suites."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from transfusion.cli import app
from transfusion.encoder.folder import EncoderConfig, write_config

pytestmark = pytest.mark.usefixtures("capitalised_words")

GOLD = "Ruto B-PER\nalifika O\nNairobi B-LOC\n\nkagame B-PER\npia O\n"
TRANSLATIONS = '{"text": "Ruto arrived in Nairobi"}\nnull\n'


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    write_config(Path("model"), EncoderConfig("tiny", ("PER", "LOC")))
    for language in ("swa", "lug"):
        Path(f"{language}.txt").write_text(GOLD, encoding="utf-8")
        Path(f"{language}.jsonl").write_text(TRANSLATIONS, encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def evaluate(*arguments: str) -> Result:
    return run("evaluate", "swa.txt", "--language", "sw", "--model", "model", *arguments)


def test_a_system_is_scored_with_all_that_made_the_number() -> None:
    result = evaluate("--json", "out.json")
    assert result.exit_code == 0
    scores = json.loads(Path("out.json").read_text(encoding="utf-8"))
    # Predicted: Ruto and Nairobi as PER. Gold: Ruto PER, Nairobi LOC, kagame PER.
    assert (scores["precision"], scores["recall"], scores["support"]) == (50.0, pytest.approx(100 / 3), 3)
    assert scores["f1"] == pytest.approx(40.0)
    assert scores["per_label"]["PER"]["support"] == 2
    assert scores["interval"][0] <= scores["f1"] <= scores["interval"][1]
    assert (scores["system"], scores["model"], scores["language"]) == ("fusion", "model", "swa")
    assert scores["signature"].startswith("f1:strict-micro|labels:LOC+PER|lang:swa|system:fusion|model:model@")
    assert result.stdout.startswith("swa fusion F1 40.0 [")
    assert "precision  recall" in result.stderr


def test_json_can_go_to_standard_output() -> None:
    assert json.loads(evaluate("--json", "-", "--labels", "PER").stdout)["f1"] == pytest.approx(50.0)


def test_sentences_without_a_translation_can_be_left_out() -> None:
    result = evaluate("--translations", "swa.jsonl", "--translated-only", "--json", "-")
    scores = json.loads(result.stdout)
    assert (scores["documents"], scores["translated"], scores["support"]) == (1, 1, 2)


def test_lines_without_a_tag_are_named() -> None:
    Path("swa.txt").write_text(GOLD + "huyu\n", encoding="utf-8")
    result = evaluate("--json", "-")
    assert "warning: swa.txt:7: no IOB tag in 'huyu'; read as O" in result.stderr
    assert len(json.loads(result.stdout)["problems"]) == 1


FATAL = {
    "unknown label": (
        ["--labels", "PER,DATE"],
        "error: the model 'model' does not know the label 'DATE'; it knows PER, LOC",
    ),
    "no label": (["--labels", ","], "error: --labels ',' names no label"),
    "no translations": (["--translations", "absent.jsonl"], "error: absent.jsonl: no such file"),
    "unwritable": (["--json", "no/out.json"], "error: no/out.json: cannot be written"),
    "no model": (["--model", "absent"], "error: no model 'absent'"),
}


@pytest.mark.parametrize(("arguments", "complaint"), FATAL.values(), ids=FATAL.keys())
def test_what_cannot_work_is_one_line_on_stderr(arguments: list[str], complaint: str) -> None:
    result = evaluate(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(complaint)
    assert result.stderr.count("\n") == 1


def test_a_gold_file_that_is_missing_or_none_is_an_error() -> None:
    assert run("evaluate", "absent.txt", "--language", "swa", "--model", "model").exit_code == 2
    Path("plain.txt").write_text("Rais Ruto alifika jana\n", encoding="utf-8")
    result = run("evaluate", "plain.txt", "--language", "swa", "--model", "model")
    assert result.exit_code == 2
    assert "not a gold file" in result.stderr


SUITE = """
title = "Two languages"
labels = ["PER", "LOC"]
model = "./model"
systems = ["fusion", "direct"]

[[set]]
languages = ["swa", "lug"]
gold = "{language}.txt"
translations = "{language}.jsonl"
"""


def test_a_suite_becomes_one_table_in_three_forms() -> None:
    Path("suite.toml").write_text(SUITE, encoding="utf-8")
    result = run("compare", "suite.toml", "--json", "table.json", "--html", "table.html")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Two languages\n")
    assert "| swa | **40.0** [" in result.stdout
    assert "fusion on lug: 2 sentences\n" in result.stderr
    table = json.loads(Path("table.json").read_text(encoding="utf-8"))
    assert [(cell["system"], cell["language"]) for cell in table["results"]] == [
        ("fusion", "swa"),
        ("direct", "swa"),
        ("fusion", "lug"),
        ("direct", "lug"),
    ]
    assert "</table>" in Path("table.html").read_text(encoding="utf-8")


def test_a_suite_with_a_missing_file_names_the_set() -> None:
    Path("suite.toml").write_text(SUITE.replace('"lug"', '"twi"'), encoding="utf-8")
    result = run("compare", "suite.toml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "error: set 'twi': twi.txt: cannot be read" in result.stderr


def test_a_suite_with_an_unknown_setting_says_which_are_known() -> None:
    Path("suite.toml").write_text('systms = ["direct"]\n' + SUITE, encoding="utf-8")
    result = run("compare", "suite.toml")
    assert result.exit_code == 2
    assert "unknown settings ['systms']" in result.stderr
