"""Attention over keys and values that many rows share.

Documents are read by a model in rows.  All rows begin with the same tokens, of which there is one copy, however many
rows look at it; what follows is each row's own.  The tokens of all rows go through the model side by side, without
padding, as one long row; only attention takes them apart, here.

The model knows nothing of this: it is told positions, and calls :func:`attend` for attention (transformers'
``AttentionInterface``).  Sliding windows and soft caps are honoured; keys outside a window stay, because rows take
guesses back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

NAME = "transfusion_rows"
"""What transformers knows :func:`attend` by."""

KeysAndValues: TypeAlias = tuple[Tensor, Tensor]

_STEP = 128
_MOST_SCORES = {"cpu": 1 << 19, "cuda": 1 << 26}
"""Attention scores that are computed at one time: 2 MiB stay in the caches of a processor, 256 MiB busy a GPU."""
_SPARE_SCORES = {"cpu": 1 << 14, "cuda": 1 << 24}
"""So many scores more, of what only pads rows, take as long as one more group."""


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
        new = old.new_empty(self._size[0], old.shape[1], self._size[1], old.shape[3])
        new[: old.shape[0], :, : old.shape[2]] = old
        # What is hidden weighs nothing, but nothing times NaN is NaN.
        new[old.shape[0] :] = 0
        new[: old.shape[0], :, old.shape[2] :] = 0
        return new


class _Group:
    """Neighbours that are fed about as many tokens each, padded to the same number."""

    def __init__(self, rows: Sequence[Fed], first_token: int, shared: int, device: torch.device) -> None:
        self.width = max(row.count for row in rows)
        self.used = max(row.place + row.count for row in rows)
        self.slots = slice(rows[0].slot, rows[-1].slot + 1)
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
    :param rows: The rows, those of consecutive slots. All tokens of one come before those of the next.
    :param heads: Attention heads of the model.
    :param device: Where the model is.
    """

    def __init__(self, store: RowStore, rows: Sequence[Fed], heads: int, device: torch.device) -> None:
        self.store = store
        shared = len(store.beginning.ids)
        self.slots = torch.tensor([row.slot for row in rows for _ in range(row.count)], device=device)
        self.places = torch.tensor([row.place + i for row in rows for i in range(row.count)], device=device)
        self.positions = self.places + shared
        self._groups: list[_Group] = []
        first = 0
        for group in alike(rows, shared, heads, device.type):
            self._groups.append(_Group(group, first, shared, device))
            first += sum(row.count for row in group)

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


def alike(rows: Sequence[Fed], shared: int, heads: int, device: str) -> Iterator[list[Fed]]:
    """Put neighbours together that are fed about as many tokens.

    :param rows: The rows.
    :param shared: How many tokens they share.
    :param heads: Attention heads of the model.
    :param device: ``cpu`` or another kind of device, which decides how much padding a group is worth.
    :yields: Rows of a group; the groups are in order.
    """
    kind = "cpu" if device == "cpu" else "cuda"
    most, spare = _MOST_SCORES[kind], _SPARE_SCORES[kind]
    group: list[Fed] = []
    width = keys = needed = 0
    for row in rows:
        own = shared + row.place + row.count
        wider, longer, all_needed = max(width, row.count), max(keys, own), needed + heads * row.count * own
        padded = heads * (len(group) + 1) * wider * longer
        if group and (padded > most or padded > all_needed + spare):
            yield group
            group, wider, longer, all_needed = [], row.count, own, heads * row.count * own
        group.append(row)
        width, keys, needed = wider, longer, all_needed
    if group:
        yield group


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
    scores = torch.cat([to_shared, to_own], 3).float().mul_(scaling)
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores.view(rows, key_heads, each, group.width, -1).masked_fill_(hidden, float("-inf"))
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
