"""Making the vocabulary smaller without any script going dark.

Of the base's 250k pieces many are whole words of large languages, which the unigram model can spell with shorter pieces
as well.  The least likely of the pieces of several characters are dropped; every single character stays.
"""

from __future__ import annotations

import numpy as np

from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import FIRST_PIECE, SPACE, Vocabulary


def trim(vocabulary: Vocabulary, table: EmbeddingTable, size: int) -> tuple[Vocabulary, EmbeddingTable]:
    """Keep the most likely pieces and all single characters.

    :param vocabulary: All pieces.
    :param table: Their embeddings.
    :param size: Pieces to keep; at least as many as there are single characters.
    :returns: The smaller vocabulary, in the old order, and the embeddings of its pieces.
    """
    droppable = [
        index
        for index, piece in enumerate(vocabulary.pieces)
        if index >= FIRST_PIECE and len(piece.removeprefix(SPACE)) > 1
    ]
    droppable.sort(key=lambda index: float(vocabulary.scores[index]))
    dropped = set(droppable[: max(0, len(vocabulary) - size)])
    kept = np.array([index for index in range(len(vocabulary)) if index not in dropped])
    pieces = [vocabulary.pieces[index] for index in kept]
    return (
        Vocabulary(pieces, vocabulary.scores[kept], vocabulary.normalisation),
        EmbeddingTable(np.ascontiguousarray(table.blocks[kept])),
    )
