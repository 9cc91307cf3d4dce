"""The configuration of a decoder's training: the base, the adapter, the data and how each part of it is used.

For example::

    model = "codellama/CodeLlama-7b-hf"
    output = "$RUNS/gollie-tf"           # paths may name environment variables, and are relative to this file
    schema = "masakhaner"

    [[data]]
    path = "$DATA/conll2003-en/train.txt"
    plain = 1.0                          # how often an epoch shows an example without a translation (GoLLIE) …

    [[data]]
    path = "$RUNS/mixture/*.jsonl"
    fused = 1.0                          # … and with it (TransFusion)
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transfusion.errors import ConfigError
from transfusion.train.config import build, read_toml, resolve
from transfusion.train.noise import Noise

FORMS = ("plain", "pivot", "fused", "corrected", "unannotated")
"""The forms in which a training shows an example."""


@dataclass(frozen=True, slots=True)
class DecoderSource:
    """One part of the training data and how it is used.

    Each of the five ways is a number of times an epoch; a fraction is a probability.

    :param path: A file or a glob, relative to the configuration: examples as JSON lines, or gold in columns.
    :param language: Language of a gold file.
    :param plain: The source alone, as GoLLIE is trained.
    :param pivot: The pivot alone, in the same form.
    :param fused: Both: the model annotates the pivot, then the source.
    :param corrected: Both, but the list of the pivot has mistakes in it, and only what comes after it is learnt. A
        model that has always seen that list agree with the source learns to copy it, mistakes and all.
    :param unannotated: Both, but the source is annotated at once (the paper's ablation).
    :param natural: Share of tokenised sentences that are turned into natural text.
    :param limit: Use at most so many examples of each file, chosen by the seed; 0 for all.
    :param skip: Endings of file names that are left out, to hold languages out.
    :param noise: Mistakes made in the list of the pivot for ``corrected``.
    """

    path: str
    language: str = "eng"
    plain: float = 0.0
    pivot: float = 0.0
    fused: float = 0.0
    corrected: float = 0.0
    unannotated: float = 0.0
    natural: float = 0.0
    limit: int = 0
    skip: tuple[str, ...] = ()
    noise: Noise = Noise()


@dataclass(frozen=True, slots=True)
class DecoderTrainingConfig:
    """Everything that decides what a training makes. The defaults are those of the paper (section 4.1 and appendix).

    :param model: The base: a name on a hub, a folder, a GGUF file, or ``gemma3-270m``.
    :param data: The parts of the data.
    :param output: Folder of checkpoints, of the log and of the adapter.
    :param start: Folder of an adapter to go on from; empty for a new one.
    :param schema: Name or file of the schema that prompts show.
    :param seed: Seed of data order, noise, dropout and new weights.
    :param epochs: Passes over the data.
    :param max_steps: Stop after so many steps; 0 for all. The learning rate falls to zero by then.
    :param learning_rate: Peak rate; it warms up and then falls as a cosine.
    :param warmup: Share of the steps that the rate rises over.
    :param batch_size: Examples in one step.
    :param rank: Rank of the adapter's matrices.
    :param alpha: Scale of the adapter, times the rank.
    :param dropout: Dropout in front of the adapter.
    :param quantise: ``nf4`` holds the base in 4 bits (QLoRA), ``none`` in bf16; ``auto`` is ``nf4`` with CUDA.
    :param longest: Examples of more tokens than this are left out, and counted.
    :param shuffle: Share of the batches whose prompt shows the classes in a random order.
    :param guideline_dropout: Probability that a class is left out of a batch's prompts, and of its answers.
    :param label_noise: Probability that a class goes by the name ``LABEL_1``, ``LABEL_2``, … in a batch.
    :param sampled_softmax: Pieces drawn from the vocabulary in each step to tell the right ones from, besides all
        pieces of the batch; 0 for the whole vocabulary. Most of a small model with many pieces is its last layer.
    :param checkpoint_steps: Steps between two checkpoints.
    """

    model: str
    data: tuple[DecoderSource, ...]
    output: Path
    start: str = ""
    schema: str = "masakhaner"
    seed: int = 13
    epochs: int = 1
    max_steps: int = 0
    learning_rate: float = 1e-4
    warmup: float = 0.03
    batch_size: int = 16
    rank: int = 128
    alpha: int = 16
    dropout: float = 0.05
    quantise: str = "auto"
    longest: int = 2048
    shuffle: float = 1.0
    guideline_dropout: float = 0.15
    label_noise: float = 0.15
    sampled_softmax: int = 0
    checkpoint_steps: int = 200


def read_decoder_config(path: Path) -> DecoderTrainingConfig:
    """Read the configuration of a decoder's training.

    :param path: A TOML file; paths inside it are relative to its folder.
    :returns: The configuration.
    :raises ConfigError: If the file is missing or a setting is unknown, missing or of the wrong type.
    """
    settings = read_toml(path)
    parts = settings.pop("data", None)
    if not parts or not isinstance(parts, list) or not {"output", "model"} <= settings.keys():
        raise ConfigError(f"{path}: needs the settings 'model' and 'output' and at least one [[data]]")
    data = tuple(_read_source(part, path) for part in parts)
    config = build(DecoderTrainingConfig, {**settings, "data": data}, str(path))
    if config.quantise not in ("auto", "nf4", "none"):
        raise ConfigError(f"{path}: quantise is auto, nf4 or none, not {config.quantise!r}")
    for name in ("shuffle", "guideline_dropout", "label_noise", "dropout", "warmup"):
        if getattr(config, name) > 1:
            raise ConfigError(f"{path}: {name} is a share between 0 and 1, not {getattr(config, name)}")
    for name in ("epochs", "batch_size", "rank", "alpha", "longest", "checkpoint_steps"):
        if getattr(config, name) < 1:
            raise ConfigError(f"{path}: {name} must be at least 1")
    return replace(
        config,
        output=resolve(str(config.output), path),
        start=str(resolve(config.start, path)) if config.start else "",
        model=_place(config.model, path),
        schema=_place(config.schema, path),
    )


def _read_source(part: Any, config: Path) -> DecoderSource:
    if not isinstance(part, dict):
        raise ConfigError(f"{config}: [[data]] must be a table of settings, not {part!r}")
    noise = build(Noise, part.get("noise", {}), f"{config}: [data.noise]")
    source = build(DecoderSource, {**part, "noise": noise}, f"{config}: [[data]]")
    if not any(getattr(source, form) for form in FORMS):
        raise ConfigError(f"{config}: [[data]] {source.path!r} is not used: give one of {', '.join(FORMS)}")
    if source.corrected and (source.noise.scramble or source.noise.damage):
        raise ConfigError(
            f"{config}: [data.noise]: scramble and damage change the pivot's text; here only lists are wrong"
        )
    return replace(source, path=str(resolve(source.path, Path(glob.escape(str(config))))))


def _place(value: str, config: Path) -> str:
    """A name as it stands; a path, told by a variable, a leading dot or a file that is there, made absolute."""
    if "$" in value or value.startswith((".", os.sep)) or (config.parent / value).exists():
        return str(resolve(value, config))
    return value
