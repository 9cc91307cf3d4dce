"""What runs a sequence-to-sequence network: CTranslate2, or transformers where CTranslate2 does not know the network.

Both take and give numbers of pieces, tags and all, one batch at a time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from transfusion.checkpoint import read_network
from transfusion.errors import ConfigError, MissingExtraError, ModelError
from transfusion.translate.convert import COMPUTE_TYPES
from transfusion.translate.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Decoding:
    """How translations are searched for.

    :param beam_size: Hypotheses that are followed at once; 1 is greedy search.
    :param repetition_penalty: Above 1 it makes pieces less probable that were written already.
    :param no_repeat_ngram_size: No row of so many pieces is written twice; 0 for no such limit.
    """

    beam_size: int = 4
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0

    def __post_init__(self) -> None:
        if self.beam_size < 1 or self.repetition_penalty <= 0 or self.no_repeat_ngram_size < 0:
            raise ConfigError(
                "decoding needs beam_size >= 1, repetition_penalty > 0 and no_repeat_ngram_size >= 0, not "
                f"{self.beam_size}, {self.repetition_penalty} and {self.no_repeat_ngram_size}"
            )


class Hypothesis(NamedTuple):
    """What a network wrote.

    :param ids: Its pieces, without the prefix that it was given and without the end of sentence.
    :param finished: Whether it came to an end by itself.
    """

    ids: list[int]
    finished: bool


class Backend(Protocol):
    """Runs one network."""

    @property
    def compute_type(self) -> str:
        """The number format that it computes in."""
        ...

    def generate(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], limit: int, decoding: Decoding, /
    ) -> list[Hypothesis]:
        """Translate a batch.

        :param sources: The pieces of each source, tags and all.
        :param prefix: What every translation begins with.
        :param limit: Most pieces of a translation, with those of the prefix.
        :param decoding: How to search.
        :returns: The best hypothesis for each source.
        """
        ...

    def score(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], targets: Sequence[Sequence[int]], /
    ) -> list[list[float]]:
        """Score given translations.

        :param sources: The pieces of each source, tags and all.
        :param prefix: What every translation begins with.
        :param targets: The pieces of each translation, without the prefix.
        :returns: For each pair the natural logarithm of the probability of each piece of the translation, given the
            source and the pieces before it, and, last, that of the end of the sentence.
        """
        ...


class CTranslate2Backend:
    """A network that was converted to CTranslate2.

    :param folder: Folder with converted weights.
    :param pieces: The vocabulary.
    :param device: ``cpu`` or ``cuda``.
    :param compute_type: One of :data:`~transfusion.translate.convert.COMPUTE_TYPES`.
    :param threads: Threads to compute with; by default one for each core at hand.
    :raises ConfigError: If the device cannot compute in that format.
    :raises ModelError: If the weights cannot be read.
    """

    def __init__(self, folder: Path, pieces: Pieces, *, device: str, compute_type: str, threads: int | None) -> None:
        import ctranslate2

        self._pieces = pieces
        supported = ctranslate2.get_supported_compute_types(device)
        if compute_type not in supported:
            raise ConfigError(
                f"compute_type {compute_type!r} cannot be used on {device}; {', '.join(sorted(supported))} can"
            )
        try:
            self._translator = ctranslate2.Translator(
                str(folder), device=device, compute_type=compute_type, intra_threads=threads or usable_cores()
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{folder}: CTranslate2 cannot read the weights: {error}") from error

    @property
    def compute_type(self) -> str:
        """The number format that it computes in."""
        return str(self._translator.compute_type)

    def generate(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], limit: int, decoding: Decoding, /
    ) -> list[Hypothesis]:
        """Translate a batch."""
        results = self._translator.translate_batch(
            [self._tokens(source) for source in sources],
            target_prefix=[self._tokens(prefix) or None] * len(sources),
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            max_input_length=0,  # its default cuts long input off without a word
            max_decoding_length=limit,
            return_end_token=True,
        )
        end = self._pieces.token(self._pieces.end)
        hypotheses = []
        for result in results:
            tokens = result.hypotheses[0][len(prefix) :]
            finished = bool(tokens) and tokens[-1] == end
            hypotheses.append(Hypothesis(self._pieces.ids(tokens[:-1] if finished else tokens), finished))
        return hypotheses

    def score(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], targets: Sequence[Sequence[int]], /
    ) -> list[list[float]]:
        """Score given translations."""
        first = self._tokens(prefix)
        results = self._translator.score_batch(
            [self._tokens(source) for source in sources],
            [[*first, *self._tokens(target)] for target in targets],
            max_input_length=0,
            offset=len(first),
        )
        return [list(result.log_probs) for result in results]

    def _tokens(self, ids: Sequence[int]) -> list[str]:
        return [self._pieces.token(identity) for identity in ids]


class TransformersBackend:
    """A network run by transformers.

    :param folder: Folder with Hugging Face weights.
    :param pieces: The vocabulary.
    :param device: ``cpu`` or ``cuda``.
    :param compute_type: ``float32``, ``bfloat16`` or ``float16``.
    :param threads: Threads to compute with, in the whole process; by default PyTorch's own choice.
    :raises ConfigError: If there is no such number format.
    :raises ModelError: If the weights cannot be read.
    :raises MissingExtraError: If PyTorch is not installed.
    """

    def __init__(self, folder: Path, pieces: Pieces, *, device: str, compute_type: str, threads: int | None) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtraError("torch", extra="hf", purpose=f"running {folder.name} with transformers") from error
        if compute_type not in ("float32", "bfloat16", "float16"):
            raise ConfigError(
                f"compute_type {compute_type!r} is not for networks run by transformers; float32, bfloat16, float16 are"
            )
        if threads is not None:
            torch.set_num_threads(threads)
        self._pieces = pieces
        self._torch = torch
        self._device = device
        self.compute_type = compute_type
        """The number format that it computes in."""
        network = read_network(transformers.AutoModelForSeq2SeqLM, folder, dtype=getattr(torch, compute_type))
        self._network: Any = network.to(device)
        self.positions: int | None = getattr(network.config, "max_position_embeddings", None)
        """Most pieces that the network reads or writes at once; ``None`` if it has no such limit."""
        own = network.generation_config
        start = own.decoder_start_token_id
        self._start = int(network.config.decoder_start_token_id if start is None else start)
        self._never = [ids[0] for ids in own.bad_words_ids or [] if len(ids) == 1]
        # Of the checkpoint's own settings only what it never writes is kept: it may force tags, which are ours to
        # place, or an end of sentence where there is no more room, which would hide that a translation was cut off.
        settings: Any = transformers.GenerationConfig
        network.generation_config = settings(
            decoder_start_token_id=self._start,
            eos_token_id=pieces.end,
            pad_token_id=pieces.padding,
            bad_words_ids=own.bad_words_ids,
        )

    def generate(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], limit: int, decoding: Decoding, /
    ) -> list[Hypothesis]:
        """Translate a batch."""
        begun = [self._start, *prefix]
        inputs = self._inputs(sources)
        written = self._network.generate(
            **inputs,
            decoder_input_ids=self._torch.tensor([begun] * len(sources), device=self._device),
            max_new_tokens=limit - len(prefix),
            do_sample=False,
            num_beams=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
        )
        return [self._hypothesis(row[len(begun) :]) for row in written.tolist()]

    def score(
        self, sources: Sequence[Sequence[int]], prefix: Sequence[int], targets: Sequence[Sequence[int]], /
    ) -> list[list[float]]:
        """Score given translations."""
        torch = self._torch
        read = [[self._start, *prefix, *target] for target in targets]
        inputs, decoder = self._inputs(sources), self._inputs(read)
        with torch.inference_mode():
            logits = self._network(**inputs, decoder_input_ids=decoder["input_ids"], use_cache=False).logits.float()
            logits[..., self._never] = -torch.inf
            log_probabilities = logits.log_softmax(-1)
        scores = []
        for row, target in zip(log_probabilities, targets, strict=True):
            wanted = torch.tensor([*target, self._pieces.end], device=self._device)
            rows = row[len(prefix) : len(prefix) + len(wanted)]
            scores.append(rows.gather(1, wanted.unsqueeze(1)).squeeze(1).tolist())
        return scores

    def _inputs(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        """*Shape:* each ``(batch, longest)``, filled up at the end."""
        longest = max(map(len, rows))
        ids = [[*row, *[self._pieces.padding] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return {
            "input_ids": self._torch.tensor(ids, device=self._device),
            "attention_mask": self._torch.tensor(mask, device=self._device),
        }

    def _hypothesis(self, ids: list[int]) -> Hypothesis:
        if self._pieces.end in ids:
            return Hypothesis(ids[: ids.index(self._pieces.end)], True)
        return Hypothesis(ids, False)


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def usable_device(device: str) -> str:
    """The device to compute on.

    :param device: ``auto``, ``cpu`` or ``cuda``.
    :returns: ``cpu`` or ``cuda``.
    :raises ConfigError: If there is no such device.
    :raises MissingExtraError: If ``ctranslate2`` is not installed.
    """
    try:
        import ctranslate2
    except ImportError as error:
        raise MissingExtraError("ctranslate2", extra="nllb", purpose="translating with a network") from error
    has_gpu = ctranslate2.get_cuda_device_count() > 0
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"no device {device!r}; there are auto, cpu and cuda")
    if device == "cuda" and not has_gpu:
        raise ConfigError("device 'cuda': this machine has no GPU that CTranslate2 can use; use device=cpu or auto")
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def usual_compute_type(device: str) -> str:
    """The number format that CTranslate2 is fastest in: ``int8`` on CPUs, ``float16`` on GPUs."""
    return "float16" if device == "cuda" else "int8"


def check_compute_type(compute_type: str | None) -> None:
    """Make sure that there is such a number format.

    :param compute_type: Its name; ``None`` is let through.
    :raises ConfigError: If there is none.
    """
    if compute_type is not None and compute_type not in COMPUTE_TYPES:
        raise ConfigError(f"no compute_type {compute_type!r}; there are {', '.join(COMPUTE_TYPES)}")
