"""The encoder at work: exact offsets, the same answer in any company, damage named when it is loaded."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.folder import available_models, find_model, read_config
from transfusion.encoder.model import EncoderModel, Reading
from transfusion.errors import ModelError, SchemaError

SENTENCES = (
    "Rais Ruto alikutana na Museveni mjini Kampala.",
    "Kampala",
    "我在乌干达的坎帕拉。",
    "เมืองกรุงเทพฯ",
    "አዲስ አበባ ነው።",
    "The family 👨‍👩‍👧 of n'Awka said: “Ng'ombe!”",
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from((*SENTENCES, "\r\n", "\0", "é", "👨‍👩‍👧", "שלום", "ﷺ", "½", " ")), max_size=6).map(
        "".join
    ),
)


def text_in(language: str, text: str, *entities: Entity) -> AnnotatedText:
    return AnnotatedText(text, language, entities)


def without_scores(entities: tuple[Entity, ...]) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label) for entity in entities]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_mentions_are_in_the_text_apart_and_in_reading_order(tiny_model: EncoderModel, texts: list[str]) -> None:
    found = tiny_model.label([Reading(text_in("lug", text)) for text in texts])
    for text, entities in zip(texts, found, strict=True):
        end = 0
        for entity in entities:
            mention = text[entity.start : entity.end]
            assert mention
            assert mention == mention.strip(" \t\r\n")
            assert end <= entity.start < entity.end <= len(text)
            assert 0 < entity.score <= 1
            end = entity.end


def test_a_text_gets_the_same_entities_alone_and_in_company(tiny_model: EncoderModel) -> None:
    pivot = text_in("eng", "President Ruto met Museveni in Kampala.", Entity(31, 38, "LOC"))
    readings = [Reading(text_in("swa", text), pivot if n % 2 else None) for n, text in enumerate(SENTENCES * 12)]
    together = tiny_model.label(readings)
    assert any(together)
    for reading, entities in zip(readings, together, strict=True):
        (alone,) = tiny_model.label([reading])
        assert without_scores(alone) == without_scores(entities)
        assert [e.score for e in alone] == pytest.approx([e.score for e in entities], abs=1e-3)


def test_the_number_of_threads_changes_nothing(tiny_model: EncoderModel, tiny_folder: Path) -> None:
    readings = [Reading(text_in("swa", text)) for text in SENTENCES * 40]
    assert EncoderModel.load(tiny_folder, threads=1).label(readings) == tiny_model.label(readings)


def test_several_callers_can_share_one_model(tiny_model: EncoderModel) -> None:
    readings = [Reading(text_in("swa", f"{text} {n}")) for n, text in enumerate(SENTENCES * 5)]
    expected = tiny_model.label(readings)
    with ThreadPoolExecutor(4) as callers:
        assert all(found == expected for found in callers.map(tiny_model.label, [readings] * 8))


@pytest.mark.parametrize("text", ["", " ", "\r\n\t ", "\0", "\u200b", "\ud800"])
def test_a_text_with_nothing_to_read_is_no_trouble(tiny_model: EncoderModel, text: str) -> None:
    assert all(e.end <= len(text) for e in tiny_model.label([Reading(text_in("swa", text))])[0])
    assert tiny_model.analyse([text_in("swa", text)])[0].vectors.values.shape[1] == 32


def test_no_texts_give_no_answers(tiny_model: EncoderModel) -> None:
    assert tiny_model.label([]) == []
    assert tiny_model.analyse([]) == []


def test_an_analysis_finds_what_labelling_finds_and_gives_a_vector_to_every_stretch(tiny_model: EncoderModel) -> None:
    texts = [text_in("swa", text) for text in (*SENTENCES, "Museveni mjini Kampala. " * 60)]
    analyses = tiny_model.analyse(texts)
    assert [a.entities for a in analyses] == tiny_model.label([Reading(text) for text in texts])
    for text, analysis in zip(texts, analyses, strict=True):
        slots = analysis.vectors.slots
        assert analysis.vectors.values.shape == (len(slots), 32)
        assert np.isfinite(analysis.vectors.values).all()
        assert "".join(text.text[slot.start : slot.end] for slot in slots) == "".join(text.text.split())


def test_what_is_past_the_window_is_read_too(tiny_model: EncoderModel) -> None:
    sentence = "Rais Ruto alikutana na Museveni mjini Kampala. "
    (found,) = tiny_model.label([Reading(text_in("swa", sentence * 80))])
    assert {entity.start // len(sentence * 10) for entity in found} == set(range(8))


def test_a_tag_that_the_network_has_never_seen_is_an_error(tiny_model: EncoderModel) -> None:
    pivot = text_in("eng", "on Monday", Entity(3, 9, "DATE"))
    with pytest.raises(SchemaError, match="DATE"):
        tiny_model.label([Reading(text_in("swa", "Jumatatu"), pivot)])


def test_a_model_can_weigh_outside_against_entities(tiny_model: EncoderModel, broken: Path) -> None:
    readings = [Reading(text_in("swa", text)) for text in SENTENCES]
    record = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(record | {"outside_bias": 100.0}))
    assert any(tiny_model.label(readings))
    assert not any(EncoderModel.load(broken, threads=1).label(readings))


@pytest.fixture
def broken(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "broken"))


@pytest.mark.parametrize("name", ["network.onnx", "pieces.safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_named(broken: Path, name: str, kept: float) -> None:
    data = (broken / name).read_bytes()
    (broken / name).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ModelError, match=name):
        EncoderModel.load(broken)


@pytest.mark.parametrize("name", ["config.json", "network.onnx", "pieces.safetensors"])
def test_a_missing_file_is_named(broken: Path, name: str) -> None:
    (broken / name).unlink()
    with pytest.raises(ModelError, match=name):
        EncoderModel.load(broken)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"format": None}, "format"),
        ({"labels": "PER"}, "labels"),
        ({"labels": []}, "labels"),
        ({"labels": [1]}, "labels"),
        ({"window": "512"}, "window"),
        ({"window": 3}, "window"),
        ({"outside_bias": "0.5"}, "outside_bias"),
        ({"tag_threshold": None}, "tag_threshold"),
    ],
)
def test_settings_that_make_no_sense_are_named(broken: Path, change: dict[str, object], said: str) -> None:
    record = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(record | change))
    with pytest.raises(ModelError, match=rf"config\.json.*{said}"):
        EncoderModel.load(broken)


@pytest.mark.parametrize("settings_text", ["", "[]", "null", "3", '"mini"', "{", "{}", '{"format": 1}', "\udcff"])
def test_settings_that_are_no_settings_are_named(broken: Path, settings_text: str) -> None:
    (broken / "config.json").write_bytes(settings_text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"config\.json"):
        EncoderModel.load(broken)


def test_a_setting_of_a_later_version_is_let_be(broken: Path) -> None:
    record = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(record | {"colour": "green"}))
    assert read_config(broken).labels == ("LOC", "ORG", "PER")


def test_labels_that_the_network_was_not_made_for_are_refused(broken: Path) -> None:
    record = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(record | {"labels": ["PER"]}))
    with pytest.raises(ModelError, match="7 logits"):
        EncoderModel.load(broken)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../models", "no-such-model", "mini\0", "m" * 5000, "/", "mini/x", "*"]
)
def test_an_odd_name_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        find_model(name)


def test_a_slash_at_the_end_means_a_folder(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_folder.parent)
    assert find_model("tiny/") == Path("tiny")
    assert find_model("tiny") == Path("tiny")


def test_models_of_the_package_are_known_by_name(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfusion.folders.BUILT_IN", tiny_folder.parent)
    monkeypatch.chdir(tmp_path)
    assert find_model("tiny") == tiny_folder
    (info,) = available_models()
    assert (info.name, info.path, info.config.window) == ("tiny", tiny_folder, 128)
    assert info.size_bytes == sum(file.stat().st_size for file in tiny_folder.iterdir())
    with pytest.raises(ModelError, match="tiny"):
        find_model("tinny")
