"""Weights in the order in which a processor multiplies with them.

PyTorch puts the weights of a layer in that order whenever it is called (oneDNN), which takes as long as the product
itself while only a few tokens go through. Here it is done once. With 16 tokens, the layer that tells the probabilities
of Gemma's 262,144 pieces then takes 34 ms instead of 61 in bfloat16, and with 32 tokens 128 instead of 230 in float32
(one thread). It is the largest layer; see :mod:`~transfusion.decoder.head` for what else is done about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

MOST_BYTES = 4 << 30
"""Weights are there twice, so only models of up to this size are packed."""


class PackedLayers:
    """The linear layers of a model, with packed weights beside their own.

    :param model: The model. Only layers on the CPU are packed, and none of a large model.
    :param without: A layer of it that is left as it is.
    """

    def __init__(self, model: nn.Module, *, without: nn.Module | None = None) -> None:
        layers = [
            layer
            for layer in model.modules()
            if type(layer) is nn.Linear and layer is not without and can_pack(layer.weight, layer.weight.dtype)
        ]
        small = sum(layer.weight.nbytes for layer in layers) <= MOST_BYTES
        self._layers = [(layer, packed_product(layer.weight, layer.bias)) for layer in layers] if small else []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the layers multiply with their packed weights."""
        for layer, forward in self._layers:
            layer.forward = forward  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            for layer, _ in self._layers:
                del layer.forward


def can_pack(weight: Tensor, dtype: torch.dtype) -> bool:
    """Whether the product with a weight can be computed with it packed.

    :param weight: The weight.
    :param dtype: In which number format.
    :returns: Whether this processor and this build of PyTorch multiply so.
    """
    onednn: Any = torch.backends.mkldnn
    if weight.device.type != "cpu" or not onednn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def computes_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16; others have to do with those for float32."""
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def packed_product(weight: Tensor, bias: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """What a linear layer computes, with its weight packed.

    :param weight: *Shape:* ``(out, in)``
    :param bias: *Shape:* ``(out,)``
    :returns: From tokens to their products. *Shapes:* ``(…, in)`` and ``(…, out)``
    """
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
    return partial(_linear, packed, None if bias is None else bias.detach())


def _linear(weight: Tensor, bias: Tensor | None, tokens: Tensor) -> Tensor:
    # What PyTorch's own compiler emits for a linear layer on a CPU.
    product: Tensor = torch.ops.mkldnn._linear_pointwise(tokens, weight, bias, "none", [], "")
    return product
