"""``transfusion extract``: from files, good ones and bad ones, to results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from transfusion.cli import app
from transfusion.formats import read_results

pytestmark = pytest.mark.usefixtures("capitalised_words")


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["extract", *arguments], input=typed)


def results(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.split("\n")[:-1]]


def put(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return name


def test_a_text_file_gives_a_json_line_a_document_and_a_summary() -> None:
    result = run(put("news.txt", "jana Ruto alifika\n\nKagame na Museveni\n"), "--language", "sw")
    assert result.exit_code == 0
    first, second = results(result)
    assert first == {
        "id": "1",
        "text": "jana Ruto alifika",
        "language": "swa",
        "entities": [{"start": 5, "end": 9, "label": "PER", "text": "Ruto", "score": 0.9, "match": "exact"}],
        "pivot": None,
        "notes": [],
    }
    assert (second["id"], len(second["entities"])) == ("3", 2)
    assert result.stderr == "2 documents; 3 entities (PER 3); 0 bad lines\n"


def test_standard_input_is_read_and_languages_can_stand_in_the_lines() -> None:
    result = run("-", typed='{"text": "Ruto", "language": "swa", "translation": "Ruto"}\n')
    assert result.exit_code == 0
    assert results(result)[0]["pivot"] == {"text": "Ruto", "language": "eng", "entities": []}


def test_bad_lines_are_named_and_counted_and_the_rest_goes_on() -> None:
    result = run(put("news.jsonl", b'{"text": "Ruto"}\n[]\n\xff\n{"text": "Kagame"}\n'), "--language", "swa")
    assert result.exit_code == 1
    assert [one["text"] for one in results(result)] == ["Ruto", "Kagame"]
    assert result.stderr.splitlines() == [
        "error: news.jsonl:2: a JSON object is needed here, not a list",
        "error: news.jsonl:3: not UTF-8: byte 0xff at column 1; convert the file to UTF-8",
        "2 documents; 2 entities (PER 2); 2 bad lines",
    ]


def test_a_document_that_fails_is_named_and_the_rest_goes_on() -> None:
    result = run(put("news.txt", "Ruto\nBOOM\nKagame\n"), "--language", "swa")
    assert result.exit_code == 1
    assert [one["id"] for one in results(result)] == ["1", "2", "3"]
    assert "error: document 2: label_capitalised_words could not process this document" in result.stderr
    assert "notes: stage-failed 1" in result.stderr


def test_translations_stay_in_step_past_lines_that_cannot_be_read() -> None:
    put("english.jsonl", '{"text": "one"}\n{"text": "two"}\nnull\n{"text": "quatre", "language": "fra"}\n')
    source = put("news.txt", b"a\n\xff\n\nc\nd\n")
    result = run(source, "--language", "lug", "--translations", "english.jsonl")
    assert result.exit_code == 1
    assert [(one["id"], one["pivot"] and one["pivot"]["text"]) for one in results(result)] == [
        ("1", "one"),
        ("4", None),
        ("5", "quatre"),
    ]


def test_translations_of_another_file_are_refused_before_any_work() -> None:
    put("english.jsonl", "null\n" * 1000)
    put("out.jsonl", "kept\n")
    result = run(
        put("news.txt", "a\nb\n"), "--language", "lug", "--translations", "english.jsonl", "--output", "out.jsonl"
    )
    assert result.exit_code == 2
    assert "1,000 for 2" in result.stderr
    assert Path("out.jsonl").read_text() == "kept\n"


@pytest.mark.parametrize("format", ["jsonl", "conll"])
def test_results_go_to_a_file_and_can_be_read_back(format: str) -> None:
    result = run(put("news.txt", "jana Ruto\n"), "--language", "swa", "--format", format, "--output", f"out.{format}")
    assert (result.exit_code, result.stdout) == (0, "")
    [document] = read_results(f"out.{format}")
    assert [document.source.mention(entity) for entity in document.source.entities] == ["Ruto"]


def test_a_page_can_be_written() -> None:
    result = run(put("news.txt", "jana Ruto\n"), "--language", "swa", "--format", "html", "--output", "out.html")
    assert result.exit_code == 0
    assert ">Ruto</mark>" in Path("out.html").read_text(encoding="utf-8")


FATAL = {
    "missing file": (["absent.txt", "--language", "swa"], "error: absent.txt: no such file"),
    "folder": ([".", "--language", "swa"], "error: .: this is a folder"),
    "no language": (["news.txt"], "error: news.txt: plain text does not say which language it is in"),
    "unknown language": (["news.txt", "--language", "swahilli"], "error: unknown language 'swahilli': did you mean"),
    "unwritable": (
        ["news.txt", "--language", "swa", "--output", "no/out.jsonl"],
        "error: no/out.jsonl: there is no folder",
    ),
    "over the input": (
        ["news.txt", "--language", "swa", "--output", "news.txt"],
        "error: news.txt: this is the file that",
    ),
    "no translations": (["news.txt", "--language", "swa", "--translations", "t.jsonl"], "error: t.jsonl: no such file"),
    "one pipe for two": (
        ["-", "--language", "swa", "--translations", "-"],
        "error: INPUT and --translations cannot both",
    ),
}


@pytest.mark.parametrize(("arguments", "complaint"), FATAL.values(), ids=FATAL.keys())
def test_what_cannot_work_is_one_line_on_stderr(arguments: list[str], complaint: str) -> None:
    put("news.txt", "jana Ruto\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(complaint)
    assert result.stderr.count("\n") == 1
    assert Path("news.txt").read_text() == "jana Ruto\n"


def test_an_empty_file_is_one_line_on_stderr_and_no_success() -> None:
    result = run(put("news.txt", ""), "--language", "swa")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: news.txt: no document in it: the file is empty"


# The program in a process of its own, with the same stage in the place of a model.
PROGRAM = """
import signal, sys
sys.path[:0] = {paths!r}
from conftest import label_capitalised_words
from transfusion.pipeline import Pipeline
from transfusion.cli import app
Pipeline.load = lambda *_, **__: Pipeline([label_capitalised_words])
# A shell that starts tests in the background has its children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
app()
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    tests = Path(__file__).parent
    program = PROGRAM.format(paths=[str(tests), str(tests.parent / "src")])
    return subprocess.Popen(
        [sys.executable, "-c", program, "extract", *arguments, "--language", "swa"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )


def test_a_reader_that_has_had_enough_gets_no_traceback() -> None:
    put("news.txt", "Ruto na Kagame\n" * 20_000)
    with start("news.txt") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to send")
def test_ctrl_c_keeps_what_was_written() -> None:
    with start("-", "--batch-size", "1", "--output", "out.jsonl") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("Ruto ŋ\n".encode() * 5000)
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not (Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"stopped; what was written stays\n"
    assert process.returncode == 130
    assert next(read_results("out.jsonl")).source.text == "Ruto ŋ"


def test_a_line_of_five_megabytes_is_one_document_and_one_warning() -> None:
    result = run(put("book.txt", "ruto alifika " * 400_000), "--language", "swa", "--output", "out.jsonl")
    assert result.exit_code == 0
    warning = "book.txt:1: a line of 5.2 million characters was read as one document (long-line; more are counted)"
    assert result.stderr.splitlines() == [
        f"warning: document 1: {warning}",
        "1 document; 0 entities; notes: long-line 1; 0 bad lines",
    ]
