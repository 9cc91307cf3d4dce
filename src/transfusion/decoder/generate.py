"""Answers of a language model in this process, written by the library transformers.

What makes it fast, beside the plain loop:

- The guidelines, with which all prompts of a schema begin, are read once; see :mod:`~transfusion.decoder.keys`.
- A row that is complete makes room for the next at once, and an answer ends at its last bracket.
- Several tokens are checked at one time where the answer copies; see :mod:`~transfusion.decoder.lookup`.
- The probabilities of a quarter of a million pieces are computed only where a token is chosen, and roughly where that
  is enough; see :mod:`~transfusion.decoder.head`.

None of it changes the answer: the tokens are those of greedy decoding. Only their probabilities may be off a little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from transfusion.decoder.answer import Answer
from transfusion.decoder.base import Generation, Prompt
from transfusion.decoder.constrain import load_constraint
from transfusion.decoder.head import Opinions, find_head
from transfusion.decoder.items import Item
from transfusion.decoder.keys import NAME, Beginning, Fed, Feed, RowStore, attend
from transfusion.decoder.lookup import Acceptance, History
from transfusion.decoder.matching import ConstraintSource
from transfusion.decoder.packing import PackedLayers
from transfusion.decoder.prefix import common_length, group_by_beginning, shared_length
from transfusion.decoder.render import render_list
from transfusion.decoder.rows import Row
from transfusion.errors import ModelError
from transfusion.schema.classes import KEY_FIELDS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CHUNK = 512
"""Most tokens of one prompt that are read at once."""
_LOOK_BACK = 2048
"""Guesses are copied from the last so many tokens of a prompt."""
_BEGINNINGS = 8
"""Guidelines of so many schemas are remembered."""
_WORTH_SHARING = 16
"""Fewer tokens than this are not worth a pass of their own."""
_KINDS = {"full_attention", "sliding_attention"}


class TransformersGenerator:
    """Answers prompts with a causal language model, greedily.

    :param model: The model, ready for inference.
    :param tokenizer: Its tokeniser; a fast one.
    :param name: What the signature calls the model: its weights and adapter.
    :param batch_tokens: How many tokens of prompts may be in work at once, those that they share left out; each answer
        needs room for up to ``max_new_tokens`` more. By default 4096 on CPUs and 32768 on GPUs.
    :param max_new_tokens: Most tokens of an answer.
    :param lookup: Whether to guess tokens that the answer copies; the answers are the same.
    :param constrained: Whether answers are held to the grammar of their prompt, where the tokeniser allows it.
    :param constraint_for: Gives the constraint of a prompt's answer, if not that grammar.
    :raises ModelError: If the model cannot be used: its attention is of another kind, or its tokeniser is a slow one.
    :raises MissingExtraError: If llguidance is not installed and answers are to be constrained.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str = "causal",
        batch_tokens: int | None = None,
        max_new_tokens: int = 512,
        lookup: bool = True,
        constrained: bool = True,
        constraint_for: ConstraintSource | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise ModelError(f"{type(tokenizer).__name__} is a slow tokeniser: a fast one is needed (tokenizer.json)")
        network: Any = model  # transformers types little of what is asked of it here
        self.model = network
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.lookup = lookup
        if constrained and constraint_for is None:
            constraint_for = load_constraint(tokenizer, network.get_output_embeddings().weight.shape[0])
        self.constraint_for = constraint_for
        self._name = name
        self._device = model.device
        on_cpu = self._device.type == "cpu"
        self.batch_tokens = batch_tokens or (4096 if on_cpu else 32768)
        # So many tokens more make a pass through the model take twice as long as it takes anyway.
        self._even = 16 if on_cpu else 256
        config = network.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ())
        if kinds - _KINDS or not network.is_backend_compatible():
            others = ", ".join(sorted(kinds - _KINDS)) or "no AttentionInterface"
            raise ModelError(f"{type(model).__name__} attends in ways that are not known here ({others})")
        self._heads: int = config.num_attention_heads
        self._context: int = config.max_position_embeddings
        self._ends = _ends(model, tokenizer)
        self._beginnings: deque[Beginning] = deque(maxlen=_BEGINNINGS)
        self._acceptance = Acceptance()
        self._skeletons: dict[tuple[object, ...], list[int]] = {}
        _register()
        # A few tokens show whether the model works as is supposed here.
        self._trial = torch.arange(3, min(27, config.vocab_size), device=self._device)
        self._head = find_head(network, self._trial)
        screened = self._head is not None and self._head.screened
        self._packed = PackedLayers(model, without=network.get_output_embeddings() if screened else None)
        self._check_attention()

    @property
    def signature(self) -> str:
        """Model, number format and what else decides the answers."""
        constraint = "constrained" if self.constraint_for else "free"
        dtype = str(self.model.dtype).removeprefix("torch.")
        return f"transformers:{self._name}:{dtype}:greedy:new{self.max_new_tokens}:{constraint}"

    @property
    def context(self) -> int:
        """Most tokens that prompt and answer may be together."""
        return self._context

    def count_tokens(self, text: str, /) -> int:
        """How many tokens a prompt is."""
        return len(self.tokenizer(text)["input_ids"])

    def generate(self, prompts: Sequence[Prompt], /) -> list[Generation]:
        """Answer prompts.

        :param prompts: The prompts.
        :returns: An answer to each, in order.
        :raises ModelError: If a prompt leaves no room for an answer.
        """
        rows = [self._tokens(prompt) for prompt in prompts]
        for number, row in enumerate(rows, 1):
            if len(row) >= self._context:
                raise ModelError(
                    f"prompt {number} of {len(rows)} has {len(row)} tokens; the model reads {self._context}, and the "
                    "answer is among them: split the text or the schema"
                )
        answers: list[Generation | None] = [None] * len(rows)
        with torch.inference_mode(), self._own_attention():
            for group in group_by_beginning(rows):
                beginning = self._beginning([rows[index] for index in group])
                # The longest first: no row is left alone with a long way to go.
                order = sorted(group, key=lambda index: (-len(rows[index]), index))
                waiting = [self._row(index, prompts[index], rows[index], len(beginning.ids)) for index in order]
                for done in self._run(beginning, waiting):
                    answers[done.index] = done.answer.generation()
        return [answer for answer in answers if answer is not None]

    def _tokens(self, prompt: Prompt) -> list[int]:
        ids: list[int] = self.tokenizer(prompt.text)["input_ids"]
        return ids[:-1] if len(ids) > 1 and ids[-1] in self._ends else ids  # some tokenisers end every text

    def _row(self, index: int, prompt: Prompt, ids: list[int], shared: int) -> Row:
        history = None
        if self.lookup:
            history = History([self._skeleton(prompt), *self._word_beginnings(prompt), ids[-_LOOK_BACK:]])
        return Row(
            index=index,
            pending=ids[shared:],
            room=min(self.max_new_tokens, self._context - len(ids)),
            answer=Answer(self.tokenizer.backend_tokenizer, ids, prompt.lists),
            history=history,
            matcher=None if self.constraint_for is None else self.constraint_for(prompt),
        )

    def _skeleton(self, prompt: Prompt) -> list[int]:
        """Tokens of an answer without contents: how items begin and end, and what stands between lists."""
        key = (prompt.classes, prompt.between)
        if key not in self._skeletons:
            items = [Item(one.name, dict.fromkeys(KEY_FIELDS[one.base], "x")) for one in prompt.classes]
            written = render_list(items, prompt.classes)
            text = "[" + "".join(f"{written}{between}[" for between in prompt.between) + written
            self._skeletons[key] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._skeletons[key]

    def _word_beginnings(self, prompt: Prompt) -> list[list[int]]:
        """Words of the texts as they are cut behind a quotation mark, which is not as they are cut behind a space."""
        texts = {
            f'="{" ".join(words[place : place + 3])}'
            for one in prompt.lists
            for words in [one.text.split()]
            for place in range(len(words))
        }
        if not texts:
            return []
        found: list[list[int]] = self.tokenizer(sorted(texts), add_special_tokens=False)["input_ids"]
        return found

    def _beginning(self, rows: Sequence[list[int]]) -> Beginning:
        """Keys and values of what prompts begin with, as far as it is worth it; newly computed only where new."""
        wanted, most = shared_length(rows), min(map(len, rows)) - 1
        known = max(
            self._beginnings, key=lambda one: min(common_length(one.ids, row) for row in rows), default=Beginning()
        )
        usable = min(most, *(common_length(known.ids, row) for row in rows))
        if wanted - usable < _WORTH_SHARING or (len(rows) == 1 and usable >= _WORTH_SHARING):
            return known.cropped(usable)
        store = RowStore(known.cropped(usable))
        new = rows[0][usable:wanted]
        store.reserve(1, len(new))
        for start in range(0, len(new), _CHUNK):
            part = new[start : start + _CHUNK]
            self._read(self.model.base_model, store, [Fed(0, start, len(part))], part)
        beginning = store.lengthened_beginning(new)
        if usable == len(known.ids) and usable:
            self._beginnings.remove(known)
        self._beginnings.append(beginning)
        return beginning

    def _run(self, beginning: Beginning, waiting: Iterable[Row]) -> Iterator[Row]:
        """Answer the prompts of one group; rows come back in the order in which they are complete."""
        store, queue, active = RowStore(beginning), deque(waiting), list[Row]()
        while queue or active:
            load = sum(row.load for row in active)
            while queue and (not active or load + queue[0].load <= self.batch_tokens):
                row = queue.popleft()
                row.slot = len(active)
                load += row.load
                active.append(row)
            self._step(store, active)
            for row in [row for row in active if row.done]:
                yield row
                last = active.pop()
                if last is not row:  # the last row takes the slot that is free
                    store.move(last.slot, row.slot, last.read)
                    last.slot = row.slot
                    active[row.slot] = last

    def _step(self, store: RowStore, rows: list[Row]) -> None:
        """Put tokens of all rows through the model, and choose those that follow."""
        worth = len(rows) / (len(rows) + self._even)
        fed: list[Fed] = []
        ids: list[int] = []
        chosen_from: list[int] = []
        for row in rows:
            tokens = row.pending[:_CHUNK]
            if len(tokens) == len(row.pending):
                row.guess(self._acceptance, worth)
                chosen_from += range(len(ids) + len(tokens) - 1, len(ids) + len(tokens) + len(row.guessed))
                tokens = tokens + row.guessed
            fed.append(Fed(row.slot, row.read, len(tokens)))
            ids += tokens
        store.reserve(len(rows), max(one.place + one.count for one in fed))
        opinions = self._opinions(store, fed, ids, chosen_from)
        first = 0
        kept: list[tuple[Row, range]] = []
        for row in rows:
            if len(row.pending) > _CHUNK:
                row.skip(_CHUNK)
                continue
            count = len(row.guessed) + 1
            taken = row.take(opinions, first, self._ends, self._acceptance)
            kept.append((row, range(first, first + taken)))
            first += count
        _score(opinions, kept)

    def _opinions(self, store: RowStore, fed: list[Fed], ids: list[int], chosen_from: list[int]) -> Opinions:
        """What the model thinks may follow some of the tokens."""
        places = torch.tensor(chosen_from, dtype=torch.long, device=self._device)
        if self._head is None:
            return Opinions(self._read(self.model, store, fed, ids, logits_to_keep=places).logits[0])
        return self._head(self._read(self.model.base_model, store, fed, ids).last_hidden_state[0, places])

    def _read(self, network: Any, store: RowStore, fed: list[Fed], ids: list[int], **settings: Any) -> Any:
        """Put tokens through the model."""
        feed = Feed(store, fed, self._heads, self._device)
        tokens = torch.tensor([ids], device=self._device)
        return network(input_ids=tokens, position_ids=feed.positions[None], use_cache=False, feed=feed, **settings)

    @contextmanager
    def _own_attention(self) -> Iterator[None]:
        """Let the model work in our way, and in its own again afterwards."""
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation(NAME)
        try:
            with self._packed.in_use():
                yield
        finally:
            self.model.set_attn_implementation(before)

    def _check_attention(self) -> None:
        """Make sure that the model attends as is supposed here: no sinks, no biases by distance."""
        ids = self._trial.tolist()
        with torch.inference_mode():
            expected = self.model(input_ids=self._trial[None], use_cache=False).logits[0]
            with self._own_attention():
                store = RowStore(Beginning())
                store.reserve(1, len(ids))
                found = self._opinions(store, [Fed(0, 0, len(ids))], ids, list(range(len(ids)))).logits
        off = (found.float() - expected.float()).norm() / expected.float().norm()
        if not off < 0.1:
            raise ModelError(f"{type(self.model).__name__} attends in ways that are not known here (off by {off:.0%})")


def _score(opinions: Opinions, kept: list[tuple[Row, range]]) -> None:
    """Tell rows how probable the tokens were that they took last.

    :param opinions: What the model thought.
    :param kept: The rows, each with the places at which its tokens were taken.
    """
    places = [place for _, part in kept for place in part]
    if places:
        tokens = [token for row, part in kept for token in row.answer.ids[len(row.answer.ids) - len(part) :]]
        logps = opinions.log_probabilities(places, tokens)
        for row, part in kept:
            row.answer.score(logps[: len(part)])
            del logps[: len(part)]


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end a text, according to whoever knows one."""
    found: set[int] = set()
    for owner in (model.config, model.generation_config, tokenizer):
        ends = getattr(owner, "eos_token_id", None)
        found.update(ends if isinstance(ends, list | tuple) else [] if ends is None else [ends])
    return frozenset(found)


def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
