"""From a trained network to the folder that inference reads: ONNX, vocabulary and frozen embeddings, settings."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn

from transfusion.encoder.folder import NETWORK, EncoderConfig, write_config, write_pieces
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.train.network import EncoderNetwork

ALIGNMENT_LAYER = 6
"""Layer whose hidden states align words best; chosen on the development sentences of MasakhaNER 2.0."""
OPSET = 17


class _WithHidden(nn.Module):
    """The network with the hidden states of one layer as a second output."""

    def __init__(self, network: EncoderNetwork, layer: int) -> None:
        super().__init__()
        self.network = network
        self.layer = layer

    def forward(self, embeddings: Tensor, kinds: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network.body(
            inputs_embeds=embeddings, token_type_ids=kinds, attention_mask=mask, output_hidden_states=True
        )
        return self.network.head(output.last_hidden_state), output.hidden_states[self.layer]


def export(
    network: EncoderNetwork,
    vocabulary: Vocabulary,
    table: EmbeddingTable,
    config: EncoderConfig,
    folder: Path,
    *,
    layer: int = ALIGNMENT_LAYER,
    quantise: bool = True,
) -> None:
    """Write a model folder.

    :param network: The trained network.
    :param vocabulary: Its word pieces.
    :param table: Its frozen word embeddings.
    :param config: Settings; the hash of the network is filled in here.
    :param folder: Where to write; made if it is not there.
    :param layer: Layer that word alignment reads.
    :param quantise: Whether matrices are stored as 8-bit integers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _to_onnx(network, work / "plain.onnx", layer)
        options = FusionOptions("bert")
        fused = optimize_model(
            str(work / "plain.onnx"),
            model_type="bert",
            num_heads=network.config.num_attention_heads,
            hidden_size=network.config.hidden_size,
            optimization_options=options,
            opt_level=0,
        )
        _split_skip_norms(fused.model)
        fused.save_model_to_file(str(work / "fused.onnx"))
        if quantise:
            quantize_dynamic(
                work / "fused.onnx",
                work / "final.onnx",
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        else:
            shutil.copy(work / "fused.onnx", work / "final.onnx")
        data = (work / "final.onnx").read_bytes()
    (folder / NETWORK).write_bytes(data)
    write_pieces(folder, vocabulary, table)
    write_config(folder, replace(config, network_sha256=hashlib.sha256(data).hexdigest()))


def _split_skip_norms(model: onnx.ModelProto) -> None:
    """Turn every fused addition and layer normalisation back into two nodes.

    Attention can only be fused together with these, but the runtime's kernel for the pair is not vectorised on CPUs: it
    takes seven times as long as an addition and its kernel for layer normalisation alone.
    """
    nodes = []
    for node in model.graph.node:
        if node.op_type != "SkipLayerNormalization":
            nodes.append(node)
            continue
        left, right, scale, shift, *bias = node.input
        total = f"{node.name}_sum"
        if bias:
            nodes.append(onnx.helper.make_node("Add", [left, bias[0]], [f"{node.name}_biased"]))
            left = f"{node.name}_biased"
        nodes.append(onnx.helper.make_node("Add", [left, right], [total]))
        epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
        norm = onnx.helper.make_node(
            "LayerNormalization", [total, scale, shift], [node.output[0]], name=node.name, axis=-1, epsilon=epsilon
        )
        nodes.append(norm)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _to_onnx(network: EncoderNetwork, path: Path, layer: int) -> None:
    network.eval()
    width = network.config.hidden_size
    example = (torch.randn(2, 9, width), torch.zeros(2, 9, dtype=torch.long), torch.ones(2, 9, dtype=torch.long))
    names = ["embeddings", "kinds", "mask"]
    outputs = ["logits", "hidden"]
    torch.onnx.export(
        _WithHidden(network, layer).eval(),  # the exporter puts back the mode that it found, in all that is inside
        example,
        str(path),
        input_names=names,
        output_names=outputs,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in (*names, *outputs)},
        opset_version=OPSET,
        dynamo=False,  # the newer exporter fixes the length of attention masks in these bodies
    )
