"""Attention over keys and values that many rows share.

Documents are read by a model in rows.  All rows begin with the same tokens, of which there is one copy, however many
rows look at it; what follows is each row's own.  The tokens of all rows go through the model side by side, without
padding, as one long row; only attention takes them apart, here.

The model knows nothing of this: it is told positions, and calls :func:`attend` for attention (transformers'
``AttentionInterface``).  Sliding windows and soft caps are honoured; keys outside a window stay, because rows take
guesses back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

NAME = "transfusion_rows"
"""What transformers knows :func:`attend` by."""

KeysAndValues: TypeAlias = tuple[Tensor, Tensor]

_STEP = 128
_MOST_SCORES = 1 << 26
"""Attention scores of a layer that are in memory at one time: 256 MiB."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """Tokens that rows share, with their keys and values.

    :param ids: The tokens.
    :param layers: Keys and values of each layer. *Shape of each:* ``(heads, tokens, size)``
    """

    ids: tuple[int, ...] = ()
    layers: dict[int, KeysAndValues] = field(default_factory=dict)

    def cropped(self, length: int) -> Beginning:
        """The first ``length`` tokens, without a copy."""
        layers = {layer: (keys[:, :length], values[:, :length]) for layer, (keys, values) in self.layers.items()}
        return Beginning(self.ids[:length], layers)


class RowStore:
    """Keys and values of rows, each in a slot of its own, after a beginning that they share.

    Token ``i`` of a row stands at place ``i`` of its slot, so what was guessed wrong is written over.

    :param beginning: What the rows share.
    """

    def __init__(self, beginning: Beginning) -> None:
        self.beginning = beginning
        self._layers: dict[int, KeysAndValues] = {}
        self._size = (0, 0)

    def reserve(self, slots: int, places: int) -> None:
        """Make room; what is there stays.

        :param slots: For so many rows.
        :param places: Of so many tokens.
        """
        old_slots, old_places = self._size
        if slots > old_slots or places > old_places:
            self._size = max(slots, old_slots), max(-(-places // _STEP) * _STEP, old_places)
            for layer, (keys, values) in self._layers.items():
                self._layers[layer] = self._grown(keys), self._grown(values)

    def write(self, layer: int, slots: Tensor, places: Tensor, keys: Tensor, values: Tensor) -> KeysAndValues:
        """Keep the keys and values of tokens.

        :param layer: Number of the layer.
        :param slots: Slot of each token. *Shape:* ``(tokens,)``
        :param places: Its place in the slot. *Shape:* ``(tokens,)``
        :param keys: *Shape:* ``(tokens, heads, size)``
        :param values: *Shape:* ``(tokens, heads, size)``
        :returns: All keys and values of the layer. *Shape of each:* ``(slots, heads, places, size)``
        """
        if layer not in self._layers:
            self._layers[layer] = (
                keys.new_zeros(self._size[0], keys.shape[1], self._size[1], keys.shape[2]),
                values.new_zeros(self._size[0], values.shape[1], self._size[1], values.shape[2]),
            )
        kept_keys, kept_values = self._layers[layer]
        kept_keys[slots, :, places] = keys
        kept_values[slots, :, places] = values
        return kept_keys, kept_values

    def move(self, slot: int, to: int, places: int) -> None:
        """Move the first places of a slot to another."""
        for kept in self._layers.values():
            for tensor in kept:
                tensor[to, :, :places] = tensor[slot, :, :places]

    def lengthened_beginning(self, ids: Sequence[int]) -> Beginning:
        """The beginning and the first tokens of the row in slot 0 after it.

        :param ids: Those tokens.
        :returns: A beginning with a memory of its own.
        """
        layers = {}
        for layer, own in self._layers.items():
            more = [tensor[0, :, : len(ids)] for tensor in own]
            old = self.beginning.layers.get(layer, (more[0][:, :0], more[1][:, :0]))
            layers[layer] = (torch.cat([old[0], more[0]], 1), torch.cat([old[1], more[1]], 1))
        return Beginning((*self.beginning.ids, *ids), layers)

    def _grown(self, old: Tensor) -> Tensor:
        new = old.new_zeros(self._size[0], old.shape[1], self._size[1], old.shape[3])
        new[: old.shape[0], :, : old.shape[2]] = old
        return new


class _Group:
    """Rows that are fed about as many tokens each, padded to the same number."""

    def __init__(self, rows: Sequence[Fed], first_token: int, shared: int, device: torch.device) -> None:
        self.width = max(row.count for row in rows)
        self.used = max(row.place + row.count for row in rows)
        slots = [row.slot for row in rows]
        in_order = slots == list(range(slots[0], slots[0] + len(slots)))
        self.slots: slice | Tensor = (
            slice(slots[0], slots[0] + len(slots)) if in_order else torch.tensor(slots, device=device)
        )
        counts = torch.tensor([row.count for row in rows])
        starts = first_token + counts.cumsum(0) - counts
        # What pads a row is its last token once more.
        within = torch.minimum(torch.arange(self.width), counts[:, None] - 1)
        self.tokens = (starts[:, None] + within).flatten().to(device)
        places = torch.tensor([row.place for row in rows])[:, None] + within
        self.unpadded = (torch.arange(self.width) < counts[:, None]).flatten().nonzero().flatten().to(device)
        self._shared = shared
        self._first_place = min(row.place for row in rows)
        self._positions = (shared + places).to(device)
        self._hidden: dict[int | None, tuple[int, Tensor]] = {}

    def visible(self, window: int | None) -> tuple[int, Tensor]:
        """What the tokens of the group may look at.

        :param window: How many tokens back, itself included; ``None`` for all.
        :returns: The first token of the beginning that one of them sees, and what is hidden of what follows, the
            beginning first. *Shape:* ``(rows, 1, 1, width, keys)``
        """
        if window not in self._hidden:
            first = 0 if window is None else min(self._shared, max(0, self._shared + self._first_place - window + 1))
            keys = torch.arange(first, self._shared + self.used, device=self._positions.device)
            back = self._positions[:, :, None] - keys
            hidden = back < 0 if window is None else (back < 0) | (back >= window)
            self._hidden[window] = first, hidden[:, None, None]
        return self._hidden[window]


@dataclass(frozen=True, slots=True)
class Fed:
    """The tokens of one row that go through the model at once.

    :param slot: The row's slot.
    :param place: Place of the first of the tokens in it.
    :param count: How many there are.
    """

    slot: int
    place: int
    count: int


class Feed:
    """Tokens of many rows, side by side, on their way through the model.

    :param store: Where their keys and values go.
    :param groups: Rows by how many tokens they are fed: those of one group are padded to the same number. All tokens
        of a row before those of the next one.
    :param heads: Attention heads of the model.
    :param device: Where the model is.
    """

    def __init__(self, store: RowStore, groups: Sequence[Sequence[Fed]], heads: int, device: torch.device) -> None:
        self.store = store
        rows = [row for group in groups for row in group]
        shared = len(store.beginning.ids)
        self.slots = torch.tensor([row.slot for row in rows for _ in range(row.count)], device=device)
        self.places = torch.tensor([row.place + i for row in rows for i in range(row.count)], device=device)
        self.positions = self.places + shared
        self._groups: list[_Group] = []
        first = 0
        for group in groups:
            size = heads * max((row.count * (shared + row.place + row.count) for row in group), default=1)
            most = max(1, _MOST_SCORES // size)
            for start in range(0, len(group), most):
                part = group[start : start + most]
                self._groups.append(_Group(part, first, shared, device))
                first += sum(row.count for row in part)

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scaling: float,
        window: int | None,
        cap: float | None,
    ) -> Tensor:
        """Attention of a layer.

        :param layer: Its number.
        :param query: *Shape:* ``(tokens, heads, size)``
        :param key: *Shape:* ``(tokens, key heads, size)``
        :param value: *Shape:* ``(tokens, key heads, size)``
        :param scaling: What scores are multiplied with.
        :param window: How many tokens back a token sees, itself included; ``None`` for all.
        :param cap: Where scores level off; ``None`` for nowhere.
        :returns: *Shape:* ``(tokens, heads, size)``
        """
        own = self.store.write(layer, self.slots, self.places, key, value)
        none = key.new_zeros(key.shape[1], 0, key.shape[2]), value.new_zeros(value.shape[1], 0, value.shape[2])
        shared = self.store.beginning.layers.get(layer, none)
        results = []
        for group in self._groups:
            first, hidden = group.visible(window)
            results.append(_attend(group, query, shared, own, first, hidden, scaling, cap))
        return results[0] if len(results) == 1 else torch.cat(results)


def _attend(
    group: _Group,
    query: Tensor,
    shared: KeysAndValues,
    own: KeysAndValues,
    first: int,
    hidden: Tensor,
    scaling: float,
    cap: float | None,
) -> Tensor:
    keys, values = (tensor[group.slots, :, : group.used] for tensor in own)
    shared_keys, shared_values = (tensor[:, first:] for tensor in shared)
    rows, key_heads = keys.shape[:2]
    heads, size = query.shape[1:]
    each = heads // key_heads
    # Heads that look at the same keys stand side by side, as if they were tokens.
    asked = query[group.tokens].view(rows, group.width, key_heads, each, size).permute(2, 0, 3, 1, 4)
    asked = asked.reshape(key_heads, rows * each * group.width, size)
    split, count = (key_heads, rows, each * group.width), shared_keys.shape[1]
    to_shared = (asked @ shared_keys.transpose(1, 2)).view(*split, count).transpose(0, 1)
    to_own = asked.view(*split, size).transpose(0, 1) @ keys.transpose(2, 3)
    scores = torch.cat([to_shared, to_own], 3).float() * scaling
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores.view(rows, key_heads, each, group.width, -1).masked_fill(hidden, float("-inf"))
    weights = scores.softmax(-1).to(query.dtype).view(rows, key_heads, each * group.width, -1)
    from_shared = (
        weights[..., :count].transpose(0, 1).reshape(key_heads, rows * each * group.width, count) @ shared_values
    )
    result = from_shared.view(*split, values.shape[3]).transpose(0, 1) + weights[..., count:] @ values
    result = result.view(rows, key_heads, each, group.width, -1).permute(0, 3, 1, 2, 4)
    return result.reshape(rows * group.width, heads, -1)[group.unpadded]


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001
    *,
    feed: Feed,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers asks for it.

    :param module: The layer.
    :param query: *Shape:* ``(1, heads, tokens, size)``
    :param key: *Shape:* ``(1, key heads, tokens, size)``
    :param value: *Shape:* ``(1, key heads, tokens, size)``
    :param attention_mask: Not used: the feed knows who sees whom.
    :param feed: The tokens and whose they are.
    :param scaling: What scores are multiplied with; one over the root of the size if left out.
    :param sliding_window: How many tokens back a token sees, itself included.
    :param softcap: Where scores level off.
    :returns: The result, and no weights. *Shape:* ``(1, tokens, heads, size)``
    """
    result = feed.attend(
        module.layer_idx,
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        query.shape[-1] ** -0.5 if scaling is None else scaling,
        sliding_window,
        softcap,
    )
    return result[None], None
