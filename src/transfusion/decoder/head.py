"""The last layer of a language model: which piece comes next, and how probable it is.

Gemma has 262,144 pieces, so this layer is most of the work on a token.  On processors with instructions for bfloat16, a
layer in float32 multiplies in that format first.  Rounding puts its logits off by no more than Cauchy and Schwarz
allow, so only a few pieces can still be the most probable one, and for these the logits are computed again, in
float32.  The piece that is chosen is the same.  In the sum that its probability is divided by, the rough logits of the
other pieces will do: log-probabilities are off by a few thousandths at most.

Logits of forty places are 40 MiB in float32, and memory that is touched for the first time costs as much as computing
what goes there; so copies of them all are avoided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from transfusion.decoder.packing import MOST_BYTES, can_pack, computes_bfloat16, packed_product
from transfusion.errors import ModelError

_BLOCK = 512
"""The largest of so many logits tells whether one of them can be the largest of all."""
_PART = 1 << 14
"""So many rows of weights are looked at together."""
_ROUNDING = 2.0**-8
"""A number in bfloat16 is off by less than this, relative to it."""
_SUMMING = 2.0**-23
"""A sum in float32 is off by less than this for each of its terms, relative to what they are without their signs."""
_MANY = 1024
"""With more contenders a place than this, on average, it is faster to multiply in float32 at once."""
_SAME = 1e-3
"""Logits that differ by this share are others, and not only rounded otherwise."""
_TOGETHER = {"cpu": 1, "cuda": 64}
"""Probabilities of so many places are computed together: one place's logits stay in the caches of a processor."""


class Head:
    """The last layer of a model.

    :param layer: The layer.
    """

    def __init__(self, layer: Any) -> None:  # a linear one, most of the time
        self._layer = layer
        self.screened = (
            type(layer) is nn.Linear
            and layer.bias is None
            and layer.weight.dtype == torch.float32
            and layer.weight.nbytes <= MOST_BYTES
            and can_pack(layer.weight, torch.bfloat16)
            and computes_bfloat16()
        )
        if self.screened:
            self._weight: Tensor = layer.weight.detach()
            rough = self._weight.bfloat16()
            self._product = packed_product(rough)
            parts = zip(torch.split(self._weight, _PART), torch.split(rough, _PART), strict=True)
            norms = torch.stack([torch.stack([_longest(one), _longest(one - low.float())]) for one, low in parts])
            longest, self._lost = norms.amax(0).tolist()
            self._norm = longest + self._lost

    def __call__(self, hidden: Tensor) -> Opinions:
        """The model's opinion on what comes next.

        :param hidden: What the layers before say. *Shape:* ``(places, size)``
        :returns: An opinion for each place.
        """
        if not self.screened:
            return Opinions(self._layer(hidden))
        rounded = hidden.bfloat16()
        norm = hidden.norm(dim=1)
        error = self._norm * ((hidden - rounded).norm(dim=1) + hidden.shape[1] * _SUMMING * norm) + self._lost * norm
        return Opinions(self._product(rounded), Screening(self._weight, hidden, error))


def find_head(model: Any, ids: Tensor) -> Head | None:
    """The last layer of a model, if its product is what the model says; some scale or cap it.

    :param model: A causal language model of transformers.
    :param ids: Tokens to try it with. *Shape:* ``(tokens,)``
    :returns: The layer; ``None`` if the model does more.
    """
    layer = model.get_output_embeddings()
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if layer is None or capped or model.base_model is model:
        return None
    with torch.inference_mode():
        expected = model(input_ids=ids[None], use_cache=False).logits[0].float()
        hidden = model.base_model(input_ids=ids[None], use_cache=False).last_hidden_state[0]
        if hidden.shape[-1] != getattr(layer, "in_features", None):
            return None
        found = layer(hidden).float()
    same = found.shape == expected.shape and (found - expected).norm() < _SAME * expected.norm()
    return Head(layer) if same else None


def _longest(vectors: Tensor) -> Tensor:
    norm: Tensor = vectors.norm(dim=1)
    return norm.max()


class Screening:
    """How far rough logits can be off, and what they are exactly.

    :param weight: *Shape:* ``(vocabulary, size)``
    :param hidden: *Shape:* ``(places, size)``
    :param error: How far logits of a place may be off before they were rounded. *Shape:* ``(places,)``
    """

    def __init__(self, weight: Tensor, hidden: Tensor, error: Tensor) -> None:
        self._weight = weight
        self._hidden = hidden
        self._error = error

    def least(self, highest: Tensor, places: Tensor) -> Tensor:
        """What the rough logit of the most probable piece is at least.

        :param highest: The highest rough logit. *Shape:* ``(places,)``
        :param places: Whose it is. *Shape:* ``(places,)``
        :returns: *Shape:* ``(places,)``
        """
        error = self._error[places]
        return highest - 2 * (error + _ROUNDING * (highest.abs() * (1 + _ROUNDING) + error))

    def exact(self, places: Tensor, pieces: Tensor) -> Tensor:
        """Logits in float32, one for each pair of a place and a piece."""
        pairs = zip(torch.split(places, _PART), torch.split(pieces, _PART), strict=True)
        return torch.cat([torch.linalg.vecdot(self._hidden[place], self._weight[piece]) for place, piece in pairs])

    def whole(self) -> Tensor:
        """All logits in float32. *Shape:* ``(places, vocabulary)``"""
        return functional.linear(self._hidden, self._weight)


class Opinions:
    """What a model thinks may come next, at several places.

    :param logits: *Shape:* ``(places, vocabulary)``
    :param screening: What to make of the logits if they are rough.
    :raises ModelError: If some are no numbers.
    """

    def __init__(self, logits: Tensor, screening: Screening | None = None) -> None:
        self.logits = logits
        self._screening = screening
        everywhere = torch.arange(len(logits), device=logits.device)
        rows, pieces = self._near_best(logits, everywhere)
        if screening is not None and len(rows) > _MANY * len(logits):
            self.logits, self._screening = screening.whole(), None
            rows, pieces = self._near_best(self.logits, everywhere)
        self._contenders = Contenders(rows, pieces, self._exact(rows, pieces))
        self.best = self._contenders.best(len(logits))

    def best_allowed(self, place: int, allowed: NDArray[np.bool_]) -> int | None:
        """The most probable piece among some.

        :param place: Which place.
        :param allowed: Which pieces. *Shape:* ``(vocabulary,)``, or shorter if the last ones are not.
        :returns: The piece; ``None`` if none is allowed.
        """
        if not allowed.any():
            return None
        forbidden = torch.from_numpy(~allowed).to(self.logits.device)
        logits = self.logits[place : place + 1, : len(allowed)].masked_fill(forbidden, float("-inf"))
        rows, pieces = self._near_best(logits, torch.tensor([place], device=logits.device))
        return Contenders(rows, pieces, self._exact(rows + place, pieces)).best(1)[0] if len(rows) else None

    def log_probabilities(self, places: Sequence[int], pieces: Sequence[int]) -> list[float]:
        """How probable pieces are.

        :param places: A place for each piece.
        :param pieces: The pieces.
        :returns: Natural logarithms of their probabilities.
        """
        where = torch.tensor(places, device=self.logits.device)
        wanted = torch.tensor(pieces, device=self.logits.device)
        exact = self._exact(where, wanted)
        logps: list[float] = (exact - self._log_sums(set(places))[where]).clamp(max=0).tolist()
        return logps

    def _log_sums(self, wanted: set[int]) -> Tensor:
        """Logarithms of the sums that probabilities are divided by, where they are wanted. *Shape:* ``(places,)``"""
        together = _TOGETHER["cpu" if self.logits.device.type == "cpu" else "cuda"]
        count = len(self.logits)
        highest = self._contenders.highest(count)
        memory = self.logits.new_empty((min(together, count), self.logits.shape[1]), dtype=torch.float32)
        sums = torch.zeros_like(highest)
        for start in sorted({place // together * together for place in wanted}):
            part = slice(start, min(start + together, count))
            logits = memory[: part.stop - part.start].copy_(self.logits[part])
            self._contenders.write(logits, start)
            sums[part] = logits.sub_(highest[part, None]).exp_().sum(1).log()
        return sums + highest

    def _near_best(self, logits: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Which pieces may be the most probable.

        :param logits: *Shape:* ``(places, pieces)``
        :param places: Which places these are. *Shape:* ``(places,)``
        :returns: Rows of the logits, in order, and pieces, in order within a row. *Shape of each:* ``(found,)``
        """
        count, size = logits.shape
        length = gcd(size, _BLOCK)
        blocks = logits.reshape(count, size // length, length)
        tops = blocks.amax(2).float()
        least = tops.amax(1)
        if self._screening is not None:
            least = self._screening.least(least, places)
        rows, numbers = (tops >= least[:, None]).nonzero(as_tuple=True)
        found = blocks[rows, numbers].float()
        within, offsets = ((found >= least[rows, None]) & (found > float("-inf"))).nonzero(as_tuple=True)
        return rows[within], numbers[within] * length + offsets

    def _exact(self, places: Tensor, pieces: Tensor) -> Tensor:
        if self._screening is None:
            return self.logits[places, pieces].float()
        return self._screening.exact(places, pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Contenders:
    """Pieces that may be the most probable of their rows, among them all that are.

    :param rows: Their rows, in order.
    :param pieces: The pieces, in order within a row.
    :param logits: Their logits.
    """

    rows: Tensor
    pieces: Tensor
    logits: Tensor

    def highest(self, count: int) -> Tensor:
        """The highest logit of each row.

        :param count: How many rows there are.
        :returns: *Shape:* ``(count,)``
        """
        lowest = torch.full((count,), float("-inf"), device=self.logits.device)
        return lowest.scatter_reduce(0, self.rows, self.logits, "amax")

    def best(self, count: int) -> list[int]:
        """The most probable piece of each row, the first if several are.

        :param count: How many rows there are.
        :returns: The pieces.
        :raises ModelError: If a row has none.
        """
        hit = self.logits == self.highest(count)[self.rows]
        rows, pieces = self.rows[hit], self.pieces[hit]
        first = torch.ones_like(rows, dtype=torch.bool)
        first[1:] = rows[1:] != rows[:-1]
        found: list[int] = pieces[first].tolist()
        if len(found) < count:
            raise ModelError("the model gives NaN for probabilities: its weights are damaged, or need another dtype")
        return found

    def write(self, logits: Tensor, first: int) -> None:
        """Put exact logits into the place of rough ones.

        :param logits: Those of some rows. *Shape:* ``(rows, vocabulary)``
        :param first: The first of these rows.
        """
        ends = torch.tensor([first, first + len(logits)], device=self.rows.device)
        start, end = torch.searchsorted(self.rows, ends).tolist()
        logits[self.rows[start:end] - first, self.pieces[start:end]] = self.logits[start:end]
