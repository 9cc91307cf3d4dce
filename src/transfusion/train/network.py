"""The encoder as a PyTorch module: a BERT body that is fed word embeddings, and a linear layer that labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from transfusion.encoder.layout import FIRST_TAG, SOURCE
from transfusion.encoder.table import dequantise
from transfusion.encoder.vocabulary import SPACE
from transfusion.train.base import BaseEncoder

IGNORED = -100
"""Label of positions that the loss does not count."""

_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class EncoderNetwork(nn.Module):
    """Reads embeddings and kinds of positions, writes label logits.

    The frozen word embeddings stay outside: the network is fed vectors, and its own 22 million weights are all that
    training changes and that a checkpoint stores.

    :param config: Shape of the body; ``type_vocab_size`` is the number of kinds of position.
    :param outputs: Number of IOB2 labels.
    """

    def __init__(self, config: BertConfig, outputs: int) -> None:
        super().__init__()
        self.config = config
        self.body = BertModel(config, add_pooling_layer=False)
        self.body.embeddings.word_embeddings.weight.requires_grad_(False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.head = nn.Linear(config.hidden_size, outputs)

    def forward(
        self, embeddings: Tensor, kinds: Tensor, mask: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Label every position.

        :param embeddings: Word embeddings. *Shape:* ``(batch, length, hidden_size)``.
        :param kinds: Kind of each position. *Shape:* ``(batch, length)``.
        :param mask: 1 where there is an input. *Shape:* ``(batch, length)``.
        :param labels: IOB2 labels, ``IGNORED`` where there is none. *Shape:* ``(batch, length)``.
        :returns: ``logits``, *shape* ``(batch, length, outputs)``, and with labels ``loss``, the mean cross-entropy.
        """
        hidden = self.body(inputs_embeds=embeddings, token_type_ids=kinds, attention_mask=mask).last_hidden_state
        logits = self.head(self.dropout(hidden)).float()
        result = {"logits": logits}
        if labels is not None:
            result["loss"] = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        return result


def network_config(base: BaseEncoder, kinds: int, dropout: float = 0.1) -> BertConfig:
    """The shape of a network that starts from the base."""
    return BertConfig(
        vocab_size=1,
        hidden_size=base.hidden_size,
        num_hidden_layers=base.layers,
        num_attention_heads=base.heads,
        intermediate_size=base.intermediate_size,
        max_position_embeddings=base.max_positions,
        layer_norm_eps=base.layer_norm_eps,
        type_vocab_size=kinds,
        hidden_dropout_prob=dropout,
        # Attention weights are left alone: their dropout costs a tenth of the time on a CPU and gained nothing.
        attention_probs_dropout_prob=0.0,
        # On a CPU the backward pass of fused attention takes three times as long.
        attn_implementation="eager",  # type: ignore[call-arg]
    )


def from_base(base: BaseEncoder, labels: Sequence[str], dropout: float = 0.1) -> EncoderNetwork:
    """A network whose body is the base's and whose labelling layer is new.

    :param base: The base encoder.
    :param labels: Entity labels.
    :param dropout: Dropout of hidden states in training.
    :returns: The network.
    """
    network = EncoderNetwork(network_config(base, FIRST_TAG + 2 * len(labels), dropout), 1 + 2 * len(labels))
    state = network.body.state_dict()
    state["embeddings.position_embeddings.weight"] = _tensor(base.tensors["emb.pos"], base.max_positions)
    state["embeddings.token_type_embeddings.weight"] = _kind_embeddings(base, labels)
    state["embeddings.LayerNorm.weight"] = _tensor(base.tensors["emb.ln.w"])
    state["embeddings.LayerNorm.bias"] = _tensor(base.tensors["emb.ln.b"])
    for layer in range(base.layers):
        for short, long in _LAYER_NAMES.items():
            name = f"encoder.layer.{layer}.{long}"
            bias = _tensor(base.tensors[f"l{layer}.{short}.b"])
            norm = short.endswith("ln")
            state[f"{name}.bias"] = bias
            state[f"{name}.weight"] = _tensor(base.tensors[f"l{layer}.{short}.w"], None if norm else len(bias))
    network.body.load_state_dict(state)
    return network


def _tensor(values: np.ndarray, rows: int | None = None) -> Tensor:
    flat = torch.from_numpy(np.array(values, np.float32)).flatten()
    return flat if rows is None else flat.reshape(rows, -1)


def _kind_embeddings(base: BaseEncoder, labels: Sequence[str]) -> Tensor:
    """Source and pivot begin as the base's only segment; a tag as the mean of the pieces it would be spelled with."""
    segment = base.tensors["emb.type"][: base.hidden_size]
    ids = {piece: index for index, (piece, _) in enumerate(base.pieces)}
    rows = [segment] * FIRST_TAG
    for label in labels:
        for spelling in ((SPACE + "<", label, ">"), (SPACE + "</", label, ">")):
            known = [ids[piece] for piece in spelling if piece in ids]
            rows.append(segment + dequantise(base.word_blocks[known]).reshape(len(known), -1).mean(axis=0))
    assert len(rows) > SOURCE
    return torch.from_numpy(np.stack(rows).astype(np.float32))
