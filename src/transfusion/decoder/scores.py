"""How sure a model was of what it wrote."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transfusion.decoder.base import Token


def item_score(tokens: Sequence[Token], start: int, end: int) -> float | None:
    """The probability that the model gave to a stretch of its answer, given what stands before it.

    It is the product of the probabilities of the stretch's tokens.  Brackets and names of fields do no harm: a model
    that knows the format writes them with probability 1.  Nor is a long mention at a loss because of its tokens alone:
    what follows the first is all but certain if there is nothing to decide.  Their geometric mean, the other choice,
    is no probability of anything, and it hides one doubtful token behind many sure ones.

    :param tokens: The tokens of the answer, in order.
    :param start: First code point of the stretch.
    :param end: One past its last.
    :returns: A number between 0 and 1; ``None`` if there are no tokens there, as from a backend that tells none.
    """
    # A token without width is a part of a character: of the one before it or, from other backends, of the one behind.
    inside = [
        token.logprob
        for token in tokens
        if (token.start < end and token.end > start) or start <= token.start == token.end <= end
    ]
    return min(1.0, math.exp(math.fsum(inside))) if inside else None
