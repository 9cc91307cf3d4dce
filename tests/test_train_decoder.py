"""A founder fine-tunes a decoder: what it learns from, what it does not, and how a training goes on after a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch.nn import functional

from tiny_causal import CLASSES, tiny_model, tiny_tokenizer
from transfusion.document import AnnotatedText, Document, Entity
from transfusion.errors import ConfigError
from transfusion.train.decoder import SharedBeginning, collate, train_decoder
from transfusion.train.decoder_config import DecoderSource, DecoderTrainingConfig, read_decoder_config
from transfusion.train.decoder_data import IGNORED, Encoder, Form, Use, make_batches, uses
from transfusion.train.examples import Example, write_examples
from transfusion.train.noise import Noise

# Of peft, about a name that transformers has changed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

NAMES = {"PER": "Person", "LOC": "Location"}
TOKENIZER = tiny_tokenizer()
MEETING = Document(
    "1",
    AnnotatedText("Ruto alikutana na Museveni mjini Kampala.", "swa", (Entity(0, 4, "PER"), Entity(33, 40, "LOC"))),
    AnnotatedText("Ruto met Museveni in Kampala.", "eng", (Entity(0, 4, "PER"), Entity(21, 28, "LOC"))),
)
RAIN = Document("2", AnnotatedText("Mvua imenyesha.", "swa"), AnnotatedText("It has rained.", "eng"))


def settings(output: Path = Path("out"), **changes: Any) -> DecoderTrainingConfig:
    plain = DecoderTrainingConfig(
        model="tiny",
        data=(DecoderSource(path="none"),),
        output=output,
        rank=4,
        alpha=4,
        dropout=0.0,
        shuffle=0.0,
        guideline_dropout=0.0,
        label_noise=0.0,
    )
    return replace(plain, **changes)


def encoder(**changes: Any) -> Encoder:
    return Encoder(TOKENIZER, CLASSES, NAMES, settings(**changes))


def learnt_text(document: Document, form: Form) -> str:
    """What of an example carries loss, as text."""
    (sequence,) = encoder().encode([Use(document, form)], Random(1))
    batch = collate([sequence], filler=3)
    return str(TOKENIZER.decode(batch["labels"][batch["labels"] != IGNORED], skip_special_tokens=False))


def test_the_loss_counts_what_comes_after_the_instruction_and_nothing_before() -> None:
    assert learnt_text(MEETING, "fused") == (
        "# The annotation instances that take place in the eng_text above are listed here\n"
        'result = [\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]\n\n'
        "# The annotation instances that take place in the text above are listed here\n"
        'final_result = [\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]\n</s>'
    )


def test_a_prompt_without_translation_is_learnt_from_its_list_on() -> None:
    assert learnt_text(MEETING, "plain") == '\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]\n</s>'
    assert learnt_text(RAIN, "pivot") == "]\n</s>"


def test_the_ablation_goes_to_the_final_list_at_once() -> None:
    learnt = learnt_text(MEETING, "unannotated")
    assert learnt.endswith('final_result = [\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]\n</s>')
    assert "\nresult" not in learnt
    assert "eng_text above" not in learnt


def test_a_list_with_mistakes_is_read_and_not_learnt() -> None:
    pivot = MEETING.pivot
    assert pivot is not None
    mistaken = replace(MEETING, pivot=replace(pivot, entities=(Entity(9, 17, "LOC"),)))
    (sequence,) = encoder().encode([Use(mistaken, "corrected")], Random(1))
    assert 'result = [\n    Location(span="Museveni"),\n]' in TOKENIZER.decode(list(sequence.ids))
    learnt = learnt_text(mistaken, "corrected")
    assert "Museveni" not in learnt
    # A piece may hold the bracket that ends the list and the line break after it: such a piece is not learnt.
    assert learnt.endswith(
        "The annotation instances that take place in the text above are listed here\n"
        'final_result = [\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]\n</s>'
    )


def test_mistakes_are_made_in_the_list_of_the_pivot_alone(tmp_path: Path) -> None:
    path = corpus(tmp_path)
    source = DecoderSource(path=str(path), corrected=1.0, noise=Noise(drop=1.0))
    shown = uses(settings(data=(source,)), list(NAMES))
    assert {use.form for use in shown} == {"corrected"}
    assert all(use.document.pivot is not None and not use.document.pivot.entities for use in shown)
    assert any(use.document.source.entities for use in shown)


def adapted(seed: int = 3) -> PeftModel:
    model = get_peft_model(
        tiny_model("gemma3", len(TOKENIZER)), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    torch.manual_seed(seed)
    return model


def test_sharing_the_beginning_changes_neither_loss_nor_gradients() -> None:
    sequences = encoder().encode([Use(MEETING, "fused"), Use(RAIN, "fused")], Random(1))
    batch = collate(sequences, filler=3)
    assert len(batch["beginning"]) > 30
    model = adapted()
    shared = SharedBeginning(model, sampled=0)(**batch)["loss"]
    torch.autograd.backward(shared)
    gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    losses = []
    for one in sequences:
        logits = model(input_ids=torch.tensor([one.ids])).logits[0]
        losses.append(
            functional.cross_entropy(logits[one.learnt - 1 : -1], torch.tensor(one.ids[one.learnt :]), reduction="sum")
        )
    whole = torch.stack(losses).sum() / sum(len(one.ids) - one.learnt for one in sequences)
    torch.autograd.backward(whole)
    assert torch.allclose(shared, whole, atol=1e-5)
    again = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert len(again) == len(gradients) > 0
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(gradients, again, strict=True))


def test_a_sampled_vocabulary_holds_the_right_pieces_and_never_a_greater_loss() -> None:
    batch = collate(encoder().encode([Use(MEETING, "fused")], Random(1)), filler=3)
    model = adapted()
    whole = SharedBeginning(model, sampled=0)(**batch)["loss"]
    sampled = SharedBeginning(model, sampled=20)(**batch)["loss"]
    assert 0 < sampled < whole


def test_a_hidden_name_is_hidden_in_guidelines_and_answer_alike() -> None:
    (sequence,) = encoder(label_noise=1.0).encode([Use(MEETING, "fused")], Random(1))
    text = TOKENIZER.decode(list(sequence.ids))
    assert "class LABEL_1(Entity)" in text
    assert 'LABEL_1(span="Ruto")' in text
    assert "Person" not in text


def test_a_class_that_is_left_out_leaves_the_answer_too() -> None:
    seen = set()
    for seed in range(12):
        (sequence,) = encoder(guideline_dropout=0.6).encode([Use(MEETING, "plain")], Random(seed))
        text = TOKENIZER.decode(list(sequence.ids))
        assert ("class Person" in text) == ('Person(span="Ruto")' in text)
        assert ("class Location" in text) == ('Location(span="Kampala")' in text)
        assert "class Person" in text or "class Location" in text
        seen.add(("class Person" in text, "class Location" in text))
    assert len(seen) > 1


def test_sequences_that_are_too_long_are_left_out() -> None:
    assert encoder(longest=50).encode([Use(MEETING, "fused")], Random(1)) == []


def test_a_batch_is_of_one_form() -> None:
    shown = [Use(document, form) for document in (MEETING, RAIN) for form in get_args(Form)]
    batches = make_batches(shown, 2, Random(1))
    assert sum(map(len, batches)) == len(shown)
    assert all(len({use.form for use in batch}) == 1 for batch in batches)


def test_what_nobody_is_sure_of_is_not_taught(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    write_examples(path, [Example(MEETING, unsure=((18, 26),)), Example(RAIN)])
    config = settings(data=(DecoderSource(path=str(path), fused=1.0, plain=1.0),))
    assert [use.document.id for use in uses(config, list(NAMES))] == ["2", "2"]
    with pytest.raises(ConfigError, match="no file matches"):
        uses(settings(data=(DecoderSource(path=str(tmp_path / "none"), fused=1.0),)), list(NAMES))


def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    write_examples(path, [Example(replace(d, id=f"{d.id}-{n}")) for n in range(8) for d in (MEETING, RAIN)])
    return path


@pytest.fixture
def config(tmp_path: Path) -> DecoderTrainingConfig:
    return settings(
        output=tmp_path / "run",
        data=(DecoderSource(path=str(corpus(tmp_path)), fused=1.0, plain=0.5),),
        epochs=2,
        batch_size=4,
        learning_rate=2e-2,
        checkpoint_steps=5,
        quantise="none",
    )


def run(config: DecoderTrainingConfig, *, resume: bool = True) -> dict[str, torch.Tensor]:
    train_decoder(config, tiny_model("llama", len(TOKENIZER)), TOKENIZER, CLASSES, NAMES, resume=resume)
    return load_file(config.output / "adapter_model.safetensors")


@pytest.mark.filterwarnings("ignore")  # of the trainer of transformers and of peft
def test_a_training_writes_an_adapter_and_a_card_and_goes_on_after_a_kill(
    config: DecoderTrainingConfig, tmp_path: Path
) -> None:
    weights = run(config)
    assert any(float(tensor.abs().max()) > 0 for name, tensor in weights.items() if "lora_B" in name)
    card = json.loads((config.output / "run.json").read_text(encoding="utf-8"))
    assert card["steps"] > 5
    assert len(card["data_sha256"]) == 64
    assert card["config"]["learning_rate"] == 2e-2
    # A kill after the first checkpoint: what came after it is gone.
    for path in (*config.output.glob("adapter*"), *config.output.glob("checkpoint-1*")):
        if path.is_file():
            path.unlink()
    assert all(torch.allclose(tensor, weights[name], atol=1e-2) for name, tensor in run(config).items())
    with pytest.raises(ConfigError, match=r"\['learning_rate', 'model'\]"):
        run(replace(config, learning_rate=1e-3, model="another base"))
    later = replace(config, output=tmp_path / "later", start=str(config.output), learning_rate=0.0)
    assert all(torch.allclose(tensor, weights[name]) for name, tensor in run(later).items())


def test_a_configuration_is_read_with_the_defaults_of_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    path = tmp_path / "train.toml"
    path.write_text(
        'model = "codellama/CodeLlama-7b-hf"\noutput = "$RUNS/x"\n[[data]]\npath = "a*.jsonl"\nfused = 1\n',
        encoding="utf-8",
    )
    config = read_decoder_config(path)
    assert (config.rank, config.alpha, config.dropout, config.learning_rate, config.batch_size) == (
        128,
        16,
        0.05,
        1e-4,
        16,
    )
    assert (config.epochs, config.warmup, config.quantise) == (1, 0.03, "auto")
    assert config.model == "codellama/CodeLlama-7b-hf"
    assert config.output == tmp_path / "runs" / "x"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('output = "x"\n[[data]]\npath = "a"\nfused = 1', "model"),
        ('model = "m"\noutput = "x"', r"\[\[data\]\]"),
        ('model = "m"\noutput = "x"\n[[data]]\npath = "a"', "is not used"),
        ('model = "m"\noutput = "x"\nquantise = "int3"\n[[data]]\npath = "a"\nfused = 1', "int3"),
        ('model = "m"\noutput = "x"\nlabel_noise = 2\n[[data]]\npath = "a"\nfused = 1', "label_noise"),
        ('model = "m"\noutput = "x"\nrank = 0\n[[data]]\npath = "a"\nfused = 1', "rank"),
        ('model = "m"\noutput = "x"\nspeed = 1\n[[data]]\npath = "a"\nfused = 1', "speed"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "train.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        read_decoder_config(path)
