"""The command as a whole: it starts at once, says what it can do, and what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transfusion import __version__, folders
from transfusion.cli import app
from transfusion.cli.doctor import examine
from transfusion.encoder import folder as encoder_folder

SOURCES = Path(__file__).resolve().parents[1] / "src"


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"transfusion {__version__}\n"


@pytest.mark.parametrize("command", [[], ["extract"], ["evaluate"], ["compare"], ["train"], ["train", "encoder"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_starting_loads_nothing_that_takes_time() -> None:
    code = "import sys, transfusion.cli; print(*sorted(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert not {"numpy", "onnxruntime", "rich", "tokenizers", "torch"} & set(loaded.stdout.split())


def test_training_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "transfusion.train.encoder", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    config = tmp_path / "config.toml"
    config.touch()
    result = CliRunner().invoke(app, ["train", "encoder", str(config)])
    assert result.exit_code == 2
    assert "pip install 'transfusion-ie[train]'" in result.stderr


def test_models_are_listed_for_people_and_for_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "BUILT_IN", tmp_path)
    assert "no models in this installation" in CliRunner().invoke(app, ["models"]).stdout
    (tmp_path / "tiny").mkdir()
    config = encoder_folder.EncoderConfig("tiny", ("PER", "LOC"), languages=("eng",), licence="CC0")
    encoder_folder.write_config(tmp_path / "tiny", config)
    assert "labels: PER, LOC" in CliRunner().invoke(app, ["models"]).stdout
    [model] = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert (model["name"], model["labels"], model["licence"]) == ("tiny", ["PER", "LOC"], "CC0")


def test_the_doctor_finds_a_truncated_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "BUILT_IN", tmp_path)
    (tmp_path / "tiny").mkdir()
    encoder_folder.write_config(tmp_path / "tiny", encoder_folder.EncoderConfig("tiny", ("PER",)))
    (tmp_path / "tiny" / encoder_folder.NETWORK).write_bytes(b"truncated")
    found = {finding.what: finding.state for finding in examine()}
    assert found["transfusion"] == "ok"
    assert found["ONNX Runtime providers"] == "ok"
    assert found["model tiny"] == "broken"
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1
