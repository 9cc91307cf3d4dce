"""A training's configuration: every mistake in it is one clear line before the work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfusion.errors import ConfigError
from transfusion.train.config import model_config, read_config
from transfusion.train.noise import Noise
from transfusion.train.silver_files import read_silver_config

DATA = '\n[[data]]\npath = "gold/*.txt"\n'
WHOLE = """
labels = ["LOC", "PER"]
output = "$RUNS/fusion"
start = "runs/english"
epochs = 2
learning_rate = 1e-4
warmup = 0

[[data]]
path = "gold/train.txt"
direct = 1
skip = ["-ewe", "-bam"]
noise = { drop = 0.2, untag = 1 }

[[data]]
path = "$SILVER/*.jsonl"
fused = 1.5

[model]
name = "mini"
outside_bias = -0.5
trained_on = ["CoNLL-2003 English"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "train.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configuration_is_read_with_paths_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SILVER", "silver")
    config = read_config(written(tmp_path, WHOLE))
    assert config.labels == ("LOC", "PER")
    assert config.output == tmp_path / "elsewhere" / "fusion"
    assert config.start == str(tmp_path / "runs" / "english")
    assert [source.path for source in config.data] == [
        str(tmp_path / "gold" / "train.txt"),
        str(tmp_path / "silver" / "*.jsonl"),
    ]
    assert config.data[0].skip == ("-ewe", "-bam")
    assert config.data[0].noise == Noise(drop=0.2, untag=1)
    assert config.data[1].noise == Noise()
    model = model_config(config)
    assert model.outside_bias == -0.5
    assert (model.name, model.labels, model.trained_on) == ("mini", ("LOC", "PER"), ("CoNLL-2003 English",))


def test_brackets_in_the_name_of_its_folder_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "run[1]"
    folder.mkdir()
    (folder / "train.txt").touch()
    config = read_config(written(folder, 'output = "out"\n[[data]]\npath = "*.txt"\n'))
    assert [path.name for path in Path("/").glob(config.data[0].path.removeprefix("/"))] == ["train.txt"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("output = ", "not TOML"),
        ('output = "out"', r"\[\[data\]\]"),
        ('output = "out"\ndata = []', r"\[\[data\]\]"),
        ('output = "out"\ndata = "train.txt"', r"\[\[data\]\]"),
        ('output = "out"\n[data]\npath = "train.txt"', r"\[\[data\]\]"),
        ('output = "out"\ndata = ["train.txt"]', "table"),
        (DATA, "output"),
        ('output = "out"\nspeed = 3' + DATA, r"unknown settings \['speed'\].*learning_rate"),
        ('output = "out"\nepochs = "two"' + DATA, "epochs must be a whole number.*'two'"),
        ('output = "out"\nepochs = 1.5' + DATA, "epochs"),
        ('output = "out"\nepochs = true' + DATA, "epochs"),
        ('output = "out"\nepochs = -1' + DATA, "epochs"),
        ('output = "out"\nkeep_start = 0.5' + DATA, "keep_start"),
        ('output = "out"\nstart = "runs/english"\nkeep_start = 1.5' + DATA, "keep_start"),
        ('output = "out"\nlearning_rate = -1' + DATA, "learning_rate"),
        ('output = "out"\nlearning_rate = "fast"' + DATA, "learning_rate must be a number"),
        ('output = "out"\nlabels = "PER"' + DATA, "labels must be a list.*'PER'"),
        ('output = "out"\nlabels = [1]' + DATA, "labels"),
        ('output = "out"\nlabels = []' + DATA, "labels"),
        ('output = "out"\ncompile = "yes"' + DATA, "compile must be true or false"),
        ('output = "out"\nmodel = "mini"' + DATA, "model must be a table"),
        ("output = 3" + DATA, "output"),
        ('output = "$NOWHERE/out"' + DATA, "NOWHERE"),
        ('output = "out"\nstart = "$NOWHERE/out"' + DATA, "NOWHERE"),
        ('output = "out"\n[[data]]\ndirect = 1', "path"),
        ('output = "out"' + DATA + "fusion = 1", "fusion"),
        ('output = "out"' + DATA + 'direct = "often"', "direct"),
        ('output = "out"' + DATA + "noise = { drop = 2 }", "drop is a probability"),
        ('output = "out"' + DATA + 'noise = { drop = "much" }', "drop"),
        ('output = "out"' + DATA + "noise = { lose = 0.1 }", "lose"),
        ('output = "out"' + DATA + "noise = 0.1", "noise"),
        ('output = "out"' + DATA + "[model]\ncolour = 1", "colour"),
        ('output = "out"' + DATA + "[model]\nname = 1", "name"),
    ],
)
def test_a_mistake_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(written(tmp_path, text))
    assert "\n" not in str(caught.value).strip()


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        read_config(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'output = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin\.toml"):
        read_config(tmp_path / "latin.toml")


SILVER = 'model = "m"\npairs = "p"\nheld_out = "d"\noutput = "o"\n'


def test_a_configuration_for_silver_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    config = read_silver_config(written(tmp_path, SILVER + 'skip = ["ewe"]\nfused = true\nlimit = 20'))
    assert (config.model, config.pairs, config.held_out, config.output) == tuple(tmp_path / n for n in "mpdo")
    assert (config.skip, config.fused, config.limit) == (("ewe",), True, 20)


@pytest.mark.parametrize("text", ["", "model = ", SILVER + "colour = 1", SILVER.replace('"m"', "3"), 'model = "m"'])
def test_a_mistake_in_one_for_silver_is_one_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"train\.toml"):
        read_silver_config(written(tmp_path, text))
