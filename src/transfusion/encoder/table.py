"""Word embeddings kept at four bits, looked up row by row.

A quarter of a million pieces are most of a small multilingual encoder.  They stay frozen while the layers above them
are trained, so they stand in a file of their own, are mapped into memory rather than read, and only the rows that a
text needs are turned into floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
BLOCK_BYTES = 18


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn ``Q4_0`` blocks into floats.

    :param blocks: A float16 scale and 16 bytes of nibbles each. *Shape:* ``(..., 18)``.
    :returns: The weights. *Shape:* ``(..., 32)``.
    """
    blocks = np.ascontiguousarray(blocks)
    scale = blocks[..., :2].copy().view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[..., 2:] & 0x0F, blocks[..., 2:] >> 4], axis=-1)
    return (nibbles.astype(np.float32) - 8) * scale
