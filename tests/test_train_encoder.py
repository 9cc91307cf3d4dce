"""A whole training on a tiny base: it learns, stops and goes on, and what it exports is what it trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from transfusion.document import AnnotatedText, Document, Entity
from transfusion.encoder.folder import EncoderConfig
from transfusion.encoder.layout import Layout, make_batch
from transfusion.encoder.model import EncoderModel, Reading
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import ConfigError, ModelError
from transfusion.train.base import BaseEncoder
from transfusion.train.config import Source, TrainingConfig, read_config
from transfusion.train.examples import Example, write_examples

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its exporter say of their own future

from transfusion.train import encoder as training  # noqa: E402
from transfusion.train.batches import make_batches, prepare  # noqa: E402
from transfusion.train.encoder import load_network, train  # noqa: E402
from transfusion.train.export import export  # noqa: E402
from transfusion.train.network import IGNORED, EncoderNetwork, from_base  # noqa: E402
from transfusion.train.run import find_checkpoint, plain  # noqa: E402

CONLL = "Ruto B-PER\nmet O\nMuseveni B-PER\nin O\nKampala B-LOC\n. O\n\n"
CONFIG = """
output = "out"
epochs = 4
learning_rate = 5e-3
batch_positions = 64
dropout = 0.1
checkpoint_steps = 4
compile = false
quantise = false

[[data]]
path = "train.txt"
fused = 0.5
natural = 0.5
noise = { drop = 0.2, invent = 0.1 }
"""


@pytest.fixture
def config(tmp_path: Path, tiny_base: BaseEncoder, monkeypatch: pytest.MonkeyPatch) -> TrainingConfig:
    monkeypatch.setattr(training, "read_base", lambda: tiny_base)
    names = ["Ruto", "Museveni", "Kato", "Amina"]
    text = "".join(CONLL.replace("Ruto", one).replace("Museveni", other) for one in names for other in names)
    (tmp_path / "train.txt").write_text(text, encoding="utf-8")
    (tmp_path / "train.toml").write_text(CONFIG, encoding="utf-8")
    return read_config(tmp_path / "train.toml")


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


class Killed(Exception):
    """Somebody pulled the plug."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes a training die at its n-th step from then on."""

    def arrange(steps: int) -> None:
        original = EncoderNetwork.forward
        left = iter(range(steps))

        @wraps(original)  # the trainer looks at what it takes
        def forward(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                monkeypatch.setattr(EncoderNetwork, "forward", original)
                raise Killed
            return original(*args, **kwargs)

        monkeypatch.setattr(EncoderNetwork, "forward", forward)

    return arrange


def test_a_training_that_was_interrupted_goes_on_to_the_very_same_weights(
    config: TrainingConfig, kill_after: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    straight = train(replace(config, output=config.output / "straight"))
    assert capsys.readouterr().out == ""
    interrupted = replace(config, output=config.output / "interrupted")
    kill_after(7)
    with pytest.raises(Killed):
        train(interrupted)
    assert not (interrupted.output / "network.onnx").exists()
    checkpoint = find_checkpoint(interrupted.output, plain(interrupted))
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-4"
    # A second checkpoint that the kill left half written is passed over.
    (interrupted.output / "checkpoint-8").mkdir()
    (interrupted.output / "checkpoint-8" / "model.safetensors").write_bytes(b"half")
    train(interrupted)
    assert weights(interrupted.output) == weights(straight)
    assert (interrupted.output / "network.onnx").read_bytes() == (straight / "network.onnx").read_bytes()

    card = json.loads((straight / "run.json").read_text(encoding="utf-8"))
    assert card["config"]["epochs"] == 4
    assert card["steps"] > 8
    again = replace(config, output=config.output / "again", start=str(straight), epochs=1)
    assert weights(train(again)) != weights(straight)
    kept = replace(again, output=config.output / "kept", keep_start=1.0)
    assert weights(train(kept)) == weights(straight)


def test_a_training_learns_what_it_is_shown(config: TrainingConfig) -> None:
    folder = train(replace(config, epochs=40, learning_rate=3e-3, batch_positions=256, dropout=0.0))
    model = EncoderModel.load(folder, threads=1)
    text = AnnotatedText("Kato met Amina in Kampala.", "eng")
    found = [(text.mention(entity), entity.label) for entity in model.label([Reading(text)])[0]]
    assert found == [("Kato", "PER"), ("Amina", "PER"), ("Kampala", "LOC")]


def test_checkpoints_of_another_configuration_are_refused(config: TrainingConfig) -> None:
    state = config.output / "checkpoint-4" / "trainer_state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}", encoding="utf-8")
    assert find_checkpoint(config.output, plain(config)) == state.parent
    (config.output / "run.json").write_text(json.dumps({"config": plain(config)}), encoding="utf-8")
    other = plain(replace(config, quantise=True))
    assert find_checkpoint(config.output, other, {"quantise"}) == state.parent
    with pytest.raises(ConfigError, match=r"\['epochs', 'seed'\]"):
        find_checkpoint(config.output, plain(replace(config, seed=1, epochs=9)))


def test_a_folder_without_checkpoints_has_none(config: TrainingConfig) -> None:
    assert find_checkpoint(config.output, plain(config)) is None


def test_there_must_be_weights_to_start_from(config: TrainingConfig, tiny_base: BaseEncoder, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        train(replace(config, start=str(tmp_path / "nowhere")))
    (tmp_path / "network.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match="no weights of a matching encoder"):
        load_network(from_base(tiny_base, ("PER",)), tmp_path)


@pytest.mark.parametrize("quantise", [False, True])
def test_the_exported_network_gives_the_logits_that_pytorch_gives(
    tiny_base: BaseEncoder, tiny_vocabulary: Vocabulary, tmp_path: Path, quantise: bool
) -> None:
    torch.manual_seed(3)
    config = EncoderConfig("tiny", ("LOC", "ORG", "PER"))
    network = from_base(tiny_base, config.labels).eval()
    table = EmbeddingTable(tiny_base.word_blocks)
    export(network, tiny_vocabulary, table, config, tmp_path, quantise=quantise)
    layout = Layout(tiny_vocabulary, config.labels)
    pivot = AnnotatedText("Ruto in Kampala", "eng", (Entity(0, 4, "PER"), Entity(8, 15, "LOC")))
    inputs = [layout.lay_out("Ruto mjini Kampala.", pivot), layout.lay_out("我在坎帕拉"), layout.lay_out("a " * 60)]
    batch = make_batch(inputs, table)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    logits, hidden = session.run(
        ["logits", "hidden"], {"embeddings": batch.embeddings, "kinds": batch.kinds, "mask": batch.mask}
    )
    arrays = [torch.from_numpy(array) for array in (batch.embeddings, batch.kinds, batch.mask)]
    with torch.no_grad():
        expected = network(*arrays)["logits"].numpy()
        middle = network.body(
            inputs_embeds=arrays[0], token_type_ids=arrays[1], attention_mask=arrays[2], output_hidden_states=True
        ).hidden_states[6]
    there = batch.mask.astype(bool)
    if quantise:
        assert np.corrcoef(logits[there].ravel(), expected[there].ravel())[0, 1] > 0.99
    else:
        assert np.abs(logits - expected)[there].max() < 1e-4
        assert np.abs(hidden - middle.numpy())[there].max() < 1e-4


def prepared(config: TrainingConfig, vocabulary: Vocabulary, examples: list[Example], **source: Any) -> list[Any]:
    path = config.output.parent / "examples.jsonl"
    write_examples(path, examples)
    return prepare(replace(config, data=(Source(str(path), **source),)), Layout(vocabulary, config.labels))


def example(text: str, *entities: Entity, unsure: tuple[tuple[int, int], ...] = ()) -> Example:
    return Example(Document("1", AnnotatedText(text, "swa", entities)), unsure)


def test_unsure_stretches_carry_no_loss(config: TrainingConfig, tiny_vocabulary: Vocabulary) -> None:
    one = example("Ruto na Kampala", Entity(0, 4, "PER"), unsure=((8, 15),))
    (made,) = prepared(replace(config, epochs=1), tiny_vocabulary, [one])
    by_word = {slot.start: made.labels[slot.position] for slot in made.input.slots}
    assert by_word == {0: 5, 5: 0, 8: IGNORED}
    assert sum(label != IGNORED for label in made.labels) == 2


def test_inputs_without_one_sure_label_are_left_out_and_counted(
    config: TrainingConfig, tiny_vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture
) -> None:
    doubtful, empty, sound = example("Ruto", unsure=((0, 4),)), example(" "), example("Ruto", Entity(0, 4, "PER"))
    with caplog.at_level(logging.WARNING):
        assert len(prepared(replace(config, epochs=1), tiny_vocabulary, [doubtful, empty, sound])) == 1
    assert "left out 2 inputs without" in caplog.text
    with pytest.raises(ConfigError, match="no example"):
        prepared(config, tiny_vocabulary, [doubtful])


def test_inputs_that_are_too_long_are_left_out_and_counted(
    config: TrainingConfig, tiny_vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        prepared(replace(config, longest=20, epochs=1), tiny_vocabulary, [example("a " * 40), example("a")])
    assert "left out 1 inputs of more than 20" in caplog.text


def test_labels_that_are_not_trained_are_plain_text_on_both_sides(
    config: TrainingConfig, tiny_vocabulary: Vocabulary
) -> None:
    one = example("Ruto", Entity(0, 4, "TITLE"))
    made = prepared(replace(config, epochs=1), tiny_vocabulary, [one], direct=1.0, fused=1.0)
    assert [max(item.labels) for item in made] == [0, 0]
    assert [max(item.input.kinds) for item in made] == [0, 1]


def test_how_often_an_example_is_used_is_as_asked(config: TrainingConfig, tiny_vocabulary: Vocabulary) -> None:
    examples = [example(f"Ruto {number}") for number in range(400)]
    made = prepared(replace(config, epochs=2), tiny_vocabulary, examples, direct=0.5, fused=1.25)
    alone = sum(max(item.input.kinds) == 0 for item in made)
    assert alone == pytest.approx(400, abs=60)
    assert len(made) - alone == pytest.approx(1000, abs=60)


def test_bad_lines_of_a_gold_file_are_said(
    config: TrainingConfig, tiny_vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(config.data[0].path)
    path.write_bytes(path.read_bytes() + b"Ruto\n" + CONLL.encode())
    with caplog.at_level(logging.WARNING):
        prepare(config, Layout(tiny_vocabulary, config.labels))
    assert "train.txt:" in caplog.text


def test_data_that_is_not_there_is_named(config: TrainingConfig, tiny_vocabulary: Vocabulary) -> None:
    Path(config.data[0].path).unlink()
    with pytest.raises(ConfigError, match=r"train\.txt"):
        prepare(config, Layout(tiny_vocabulary, config.labels))


def test_languages_can_be_held_out(config: TrainingConfig, tiny_vocabulary: Vocabulary) -> None:
    folder = config.output.parent / "silver"
    for language in ("lug", "ewe"):
        write_examples(folder / f"{language}.jsonl", [example(f"Ruto {language}")])
    data = (Source(str(folder / "*.jsonl"), skip=("ewe",)),)
    assert len(prepare(replace(config, data=data, epochs=1), Layout(tiny_vocabulary, config.labels))) == 1


def test_batches_hold_every_input_once_and_no_more_than_fit(
    config: TrainingConfig, tiny_vocabulary: Vocabulary
) -> None:
    inputs = prepare(config, Layout(tiny_vocabulary, config.labels))
    batches = make_batches(inputs, 64, seed=1)
    assert sorted(id(one) for batch in batches for one in batch) == sorted(map(id, inputs))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(one.input) for one in batch) <= 64
    assert make_batches(inputs, 64, seed=1) == batches
    assert make_batches(inputs, 64, seed=2) != batches
