"""A language model that llama.cpp can serve, a thousandth of the size of real ones, its weights drawn by lot."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest

CONTEXT = 4096
_WIDTH, _HEADS, _INNER, _LAYERS = 32, 2, 64, 2


def write_tiny_gguf(path: Path) -> Path:
    """Write the model; the test is skipped where the package ``gguf`` is not installed.

    A token is an ASCII letter, digit or mark; of everything else, a byte.

    :param path: Where to.
    :returns: The path.
    """
    gguf = pytest.importorskip("gguf")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["▁", *string.ascii_letters, *string.digits, *string.punctuation]
    tokens = ["<unk>", "<s>", "</s>", *bytes_, *letters]
    kinds = gguf.TokenType
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256, *[kinds.NORMAL] * len(letters)]

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)

    random = np.random.default_rng(5)
    shapes = {"token_embd": (len(tokens), _WIDTH), "output": (len(tokens), _WIDTH)}
    for layer in range(_LAYERS):
        shapes |= {f"blk.{layer}.attn_{name}": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.ffn_{name}": (_INNER, _WIDTH) for name in ("gate", "up")}
        shapes[f"blk.{layer}.ffn_down"] = (_WIDTH, _INNER)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.5, shape).astype(np.float32))
    norms = ["output_norm", *(f"blk.{layer}.{name}_norm" for layer in range(_LAYERS) for name in ("attn", "ffn"))]
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
