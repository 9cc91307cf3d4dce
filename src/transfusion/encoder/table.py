"""Word embeddings kept at four bits, looked up row by row.

A quarter of a million pieces are most of a small multilingual encoder.  They stay frozen while the layers above them
are trained, so they stand in a file of their own, are mapped into memory rather than read, and only the rows that a
text needs are turned into floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Weights in one block."""
BLOCK_BYTES = 18
"""Bytes of one block: a float16 scale and 32 nibbles."""


class EmbeddingTable:
    """A frozen matrix of word embeddings in ``Q4_0`` blocks.

    :param blocks: The matrix; may be a memory map. *Shape:* ``(vocabulary, hidden_size // 32, 18)``, uint8.
    """

    def __init__(self, blocks: NDArray[np.uint8]) -> None:
        self.blocks = blocks

    @property
    def hidden_size(self) -> int:
        """Width of one embedding."""
        return int(self.blocks.shape[1]) * BLOCK

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embeddings of pieces.

        :param ids: Piece ids. *Shape:* any.
        :returns: *Shape:* ``(*ids.shape, hidden_size)``.
        """
        rows, inverse = np.unique(ids, return_inverse=True)
        embeddings = dequantise(self.blocks[rows]).reshape(len(rows), self.hidden_size)
        return embeddings[inverse.reshape(ids.shape)]


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn ``Q4_0`` blocks into floats.

    The low nibbles of a block are its weights 0 to 15, the high ones its weights 16 to 31, each offset by 8.

    :param blocks: A float16 scale and 16 bytes of nibbles each. *Shape:* ``(..., 18)``.
    :returns: The weights. *Shape:* ``(..., 32)``.
    """
    scale = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[..., 2:] & 0x0F, blocks[..., 2:] >> 4], axis=-1)
    return (nibbles.astype(np.float32) - 8) * scale
