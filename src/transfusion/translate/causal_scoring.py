"""Scoring translations with a causal language model: Gemma, Llama, Qwen and the like.

The model reads the text and its translation one below the other, each after the name of its language, and is asked how
probable every token of the translation is.  Texts with marks are scored in the same way, which makes any language model
that knows two languages a scorer for :mod:`~transfusion.project.constrained`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from transfusion.checkpoint import read_network
from transfusion.errors import MissingExtraError, ModelError
from transfusion.language import get_language

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PURPOSE = "scoring with a causal language model"


class CausalScorer:
    """Scores translations with a causal language model of the library transformers.

    :param model: The model, ready for inference.
    :param tokenizer: Its tokeniser; it must be a fast one, which knows offsets.
    :param batch_tokens: How many tokens to put through the model at once.  The probabilities of all of them over the
        whole vocabulary are in memory at one time: 1024 tokens of Gemma's 262,144 pieces are 1 GiB.
    :raises ModelError: If the tokeniser does not know offsets.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, batch_tokens: int = 1024) -> None:
        if not tokenizer.is_fast:
            raise ModelError(f"{type(tokenizer).__name__} does not say where its tokens stand: a fast one is needed")
        self.model = model
        self.tokenizer = tokenizer
        self.batch_tokens = batch_tokens
        line_end = tokenizer.encode("\n", add_special_tokens=False)
        end = line_end[-1] if line_end else tokenizer.eos_token_id
        if end is None:
            raise ModelError(f"{type(tokenizer).__name__} has neither a line break nor a token that ends a text")
        self._end = int(end)

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, gguf_file: str | None = None, batch_tokens: int = 1024
    ) -> CausalScorer:
        """Load a model and its tokeniser.

        :param folder: Folder with the files of the model.
        :param gguf_file: Name of a GGUF file in it, if that holds the model.
        :param batch_tokens: See the class.
        :returns: The scorer.
        :raises MissingExtraError: If transformers or PyTorch is not installed.
        :raises ModelError: If the tokeniser or the weights cannot be read.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError(error.name or "transformers", extra="hf", purpose=_PURPOSE) from error
        kind = {} if gguf_file is None else {"gguf_file": gguf_file}
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **kind)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder}: its tokeniser cannot be read: {error}") from error
        model = read_network(AutoModelForCausalLM, Path(folder), dtype=torch.bfloat16, **kind)
        return cls(model, tokenizer, batch_tokens=batch_tokens)

    def token_log_probabilities(
        self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
    ) -> list[list[tuple[int, int, float]]]:
        """Score translations token by token; see :class:`~transfusion.project.constrained.TargetScorer`.

        What ends a text is the line break after it.
        """
        names = get_language(source).name, get_language(target).name
        scored = []
        for text, group in groupby(zip(sources, targets, strict=True), key=lambda pair: pair[0]):
            prompt = f"{names[0]}: {_in_one_line(text)}\n{names[1]}: "
            lines = [self._line(prompt, _in_one_line(translation)) for _, translation in group]
            for batch in self._batches(lines):
                scored += self._score(batch)
        return scored

    def _line(self, prompt: str, translation: str) -> _Line:
        encoded = self.tokenizer(prompt + translation, return_offsets_mapping=True)
        skipped = len(prompt)
        # The token before the first of the translation has to be there: it is what the model predicts that one from.
        first = next((i for i, (_, end) in enumerate(encoded["offset_mapping"]) if i and end > skipped), None)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        if ids and ids[-1] == self.tokenizer.eos_token_id:  # some tokenisers end every text
            ids, offsets = ids[:-1], offsets[:-1]
        spans = [] if first is None else [(max(0, start - skipped), end - skipped) for start, end in offsets[first:]]
        return _Line((*ids, self._end), (*spans, (len(translation), len(translation))))

    def _batches(self, lines: Sequence[_Line]) -> Iterator[list[_Line]]:
        batch: list[_Line] = []
        for line in lines:
            if batch and (len(batch) + 1) * max(len(other.ids) for other in (*batch, line)) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(line)
        if batch:
            yield batch

    def _score(self, lines: Sequence[_Line]) -> list[list[tuple[int, int, float]]]:
        """Log-probabilities of lines that begin alike: the beginning goes through the model once."""
        import torch

        device = self.model.device
        # The last token of the beginning predicts the first that is scored, so it is not shared.
        shared = min(_common_beginning([line.ids for line in lines]), min(line.first for line in lines) - 1)
        rests = [line.ids[shared:] for line in lines]
        width = max(map(len, rests))
        padded = torch.tensor([[*rest, *[self._end] * (width - len(rest))] for rest in rests], device=device)
        with torch.inference_mode():
            cache = None
            if shared:
                beginning = torch.tensor([lines[0].ids[:shared]], device=device)
                cache = self.model(beginning, use_cache=True, logits_to_keep=1).past_key_values
                cache.batch_repeat_interleave(len(lines))
            # What pads a line comes after it and is never seen by it, so no mask is needed.
            logits = self.model(padded[:, :-1], past_key_values=cache, use_cache=cache is not None).logits
            scored = []
            for line, rest, values in zip(lines, rests, logits, strict=True):
                begin = line.first - shared - 1
                wanted = torch.tensor(rest[begin + 1 :], device=device)
                own = values[begin : len(rest) - 1].float()
                logps = own.gather(1, wanted[:, None])[:, 0] - own.logsumexp(1)
                spans_and_logps = zip(line.spans, logps.tolist(), strict=True)
                scored.append([(start, end, min(0.0, logp)) for (start, end), logp in spans_and_logps])
        return scored


@dataclass(frozen=True, slots=True)
class _Line:
    """A prompt and a translation as tokens.

    :param ids: All tokens and the one that ends the translation.
    :param spans: Where the tokens of the translation stand in it.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> int:
        """Where the translation begins among the tokens."""
        return len(self.ids) - len(self.spans)


def _common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with."""
    return next(
        (index for index, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1), min(map(len, rows))
    )


def _in_one_line(text: str) -> str:
    """The text with a space for each line break, which would end it; offsets stay."""
    return "".join(" " if character in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" else character for character in text)
