"""Log probabilities as servers tell them, and which characters of an answer they are for.

OpenAI's format for completions (vLLM has it too) names tokens by their text; llama.cpp gives their bytes as well, in
the format for chat. A character may take several tokens, whose text is then empty or the replacement character.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from transfusion.decoder.base import Token


class Piece(NamedTuple):
    """A token as a server tells it.

    :param text: Its text, more or less.
    :param data: Its bytes; ``None`` if the server does not tell them.
    :param logprob: Natural logarithm of its probability.
    """

    text: str
    data: bytes | None
    logprob: float


def read_pieces(logprobs: Any) -> list[Piece]:
    """The tokens of a piece of an answer.

    :param logprobs: What the server gives as ``logprobs``.
    :returns: Its tokens; none where it has no format that is known here.
    """
    if not isinstance(logprobs, dict):
        return []
    rows: list[tuple[Any, Any, Any]]
    if isinstance(content := logprobs.get("content"), list):
        rows = [(row.get("token"), row.get("bytes"), row.get("logprob")) for row in content if isinstance(row, dict)]
    elif isinstance(tokens := logprobs.get("tokens"), list) and isinstance(
        values := logprobs.get("token_logprobs"), list
    ):
        rows = [(token, None, value) for token, value in zip(tokens, values, strict=False)]
    else:
        return []
    return [
        Piece(text if isinstance(text, str) else "", _bytes(data), float(value))
        for text, data, value in rows
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def place_tokens(pieces: Sequence[Piece], text: str, start: int) -> list[Token]:
    """Where tokens stand in an answer.

    By their bytes where those are the bytes of the text, else by their text. Where neither adds up to the text, tokens
    are matched from both ends, and the first of those left between has what is left of the text.

    :param pieces: The tokens of a piece of the answer.
    :param text: That piece.
    :param start: Where it begins in the answer, in code points.
    :returns: A token each. One that only completes a character, or of which nothing is seen, is empty.
    """
    data = [piece.data for piece in pieces if piece.data is not None]
    if len(data) == len(pieces) and b"".join(data) == text.encode("utf-8", "replace"):
        # A character belongs to the token with its first byte.
        lengths = [sum(byte & 0xC0 != 0x80 for byte in each) for each in data]
    else:
        lengths = _matched([piece.text for piece in pieces], text)
    ends = list(accumulate(lengths, initial=start))
    return [Token(begin, end, piece.logprob) for piece, begin, end in zip(pieces, ends[:-1], ends[1:], strict=True)]


def _matched(names: Sequence[str], text: str) -> list[int]:
    """The length of each token in the text."""
    lengths = [0] * len(names)
    first, last = 0, len(names)
    begin, end = 0, len(text)
    while first < last and text.startswith(names[first], begin, end):
        lengths[first] = len(names[first])
        begin += len(names[first])
        first += 1
    while first < last and text.endswith(names[last - 1], begin, end):
        last -= 1
        lengths[last] = len(names[last])
        end -= len(names[last])
    if first < last:
        lengths[first] = end - begin
    return lengths


def _bytes(value: Any) -> bytes | None:
    try:
        return bytes(value) if isinstance(value, list) else None
    except (TypeError, ValueError):
        return None
