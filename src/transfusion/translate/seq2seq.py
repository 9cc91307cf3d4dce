"""Translation with an encoder and a decoder network: what NLLB and all other such checkpoints have in common.

A text that is longer than the network reads is cut into windows at ends of sentences. A translation that was cut off,
because it grew past three times its source, is made anew from halves of the text; what is cut off even then is logged.
The limit goes by the length of the text alone, so that a translation never depends on what it was batched with.
"""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

from transfusion.checkpoint import CONVERTED_WEIGHTS, fingerprint
from transfusion.errors import ConfigError, TranslationError
from transfusion.language import get_language
from transfusion.segment import split_windows
from transfusion.translate.backends import Backend, CTranslate2Backend, Decoding, Hypothesis
from transfusion.translate.base import Translated
from transfusion.translate.convert import TOKENIZER, read_card
from transfusion.translate.pieces import Pieces
from transfusion.translate.tags import Tags

log = logging.getLogger(__name__)

MAX_LENGTH = 256
"""Most pieces of a text that are translated at once. Networks read more, but leave sentences out of long texts."""

_SHORTEST_BUCKET = 32
_GROWTH, _HEADROOM = 3, 16
_ROUNDS, _SHORTEST_HALF = 2, 8

Part = tuple[int, ...]
"""Which part of which text: text, window, half, half of a half. Parts sort in reading order."""


class Chunk(NamedTuple):
    """A stretch of a text and its pieces, without tags."""

    text: str
    ids: list[int]


@dataclass(frozen=True, slots=True)
class Network:
    """A network at work, and its vocabulary.

    :param pieces: The vocabulary.
    :param backend: What runs it.
    :param positions: Most pieces that it reads or writes at once; ``None`` if it has no such limit.
    :param identity: Fingerprints of weights and vocabulary.
    """

    pieces: Pieces
    backend: Backend
    positions: int | None
    identity: str


def load_converted(
    folder: Path, *, tokenizer: Path | None, device: str, compute_type: str, threads: int | None
) -> Network:
    """Load converted weights.

    :param folder: Folder with weights of CTranslate2, converted by this package or another.
    :param tokenizer: Folder of the tokenizer, if it is not the one beside the weights.
    :param device: ``cpu`` or ``cuda``.
    :param compute_type: Number format to compute in.
    :param threads: Threads to compute with.
    :returns: The network.
    :raises ModelError: If weights or tokenizer cannot be read.
    :raises ConfigError: If the device cannot compute in that format.
    """
    beside = folder / TOKENIZER if (folder / TOKENIZER).is_dir() else folder
    pieces = Pieces.load(tokenizer or beside)
    backend = CTranslate2Backend(folder, pieces, device=device, compute_type=compute_type, threads=threads)
    card = read_card(folder)
    weights = fingerprint([folder / CONVERTED_WEIGHTS]) if card is None else f"{card.weights}-{card.quantization}"
    positions = pieces.longest if card is None else card.positions
    return Network(pieces, backend, positions, f"{weights}+{pieces.fingerprint}")


class Seq2SeqTranslator(ABC):
    """Translates with a network; what its kind of checkpoint wants round a text is said by :meth:`tags`.

    :param network: The network.
    :param name: Engine and model, for the signature.
    :param decoding: How translations are searched for.
    :param batch_tokens: Most pieces of a batch, filled up to its longest text.
    :param max_length: Most pieces of a text that are translated at once, tags included.
    :param target_prefix: Text that every translation begins with.
    :raises ConfigError: If a setting is out of range.
    """

    def __init__(
        self,
        network: Network,
        *,
        name: str,
        decoding: Decoding,
        batch_tokens: int,
        max_length: int,
        target_prefix: str,
    ) -> None:
        if max_length < 16 or batch_tokens < 1:
            raise ConfigError(f"max_length must be at least 16 and batch_tokens 1, not {max_length} and {batch_tokens}")
        self.network = network
        self.decoding = decoding
        self._name = name
        self._batch_tokens = batch_tokens
        self._max_length = min(max_length, network.positions or max_length)
        self._target_prefix = target_prefix
        self._is_careful = False

    @property
    def signature(self) -> str:
        """Engine, fingerprints of weights and vocabulary, number format, and how translations are searched for."""
        search = self.decoding
        parts = [
            f"{self._name}@{self.network.identity}",
            self.network.backend.compute_type,
            f"beam {search.beam_size}",
            f"length {self._max_length}",
        ]
        if search.repetition_penalty != 1:
            parts.append(f"repetition {search.repetition_penalty:g}")
        if search.no_repeat_ngram_size:
            parts.append(f"no {search.no_repeat_ngram_size}-gram twice")
        if self._target_prefix:
            parts.append(f"prefix {self._target_prefix!r}")
        return "; ".join(parts)

    @abstractmethod
    def tags(self, source: str, target: str) -> Tags:
        """What the checkpoint wants round a text.

        :param source: ISO 639-3 code of the source language.
        :param target: ISO 639-3 code of the target language.
        :returns: The tags.
        :raises LanguageError: If the checkpoint does not know one of the languages.
        """

    def careful(self) -> Self | None:
        """The same network with a beam twice as wide and penalties on repetition."""
        if self._is_careful:
            return None
        other = copy.copy(self)
        other._is_careful = True
        search = self.decoding
        other.decoding = replace(
            search,
            beam_size=2 * search.beam_size,
            repetition_penalty=max(1.1, search.repetition_penalty),
            no_repeat_ngram_size=search.no_repeat_ngram_size or 4,
        )
        return other

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate texts, sentences as a rule.

        :param texts: The texts.
        :param source: ISO 639-3 code of their language.
        :param target: ISO 639-3 code of the language to translate into.
        :returns: One translation for each text, in order; ``None`` for a text with nothing in it that the vocabulary
            knows a piece for.
        :raises LanguageError: If the checkpoint does not know one of the languages.
        :raises ConfigError: If what goes before every text leaves no room for texts.
        :raises TranslationError: If the network fails: there is too little memory, for example.
        """
        tags = self.tags(source, target)
        language = get_language(target).iso639_3
        pending = {part: chunk for part, chunk in self._windows(texts, source, tags) if chunk.ids}
        done: dict[Part, str] = {}
        cut = 0
        while pending:
            halves: dict[Part, Chunk] = {}
            for part, hypothesis in self._generate(pending, tags):
                parts = {} if hypothesis.finished else self._halves(part, pending[part], source)
                if parts:
                    halves |= parts
                    continue
                cut += not hypothesis.finished
                done[part] = self.network.pieces.decode(hypothesis.ids)
            pending = halves
        if cut:
            log.warning("%d translations from %s to %s never came to an end and were cut off", cut, source, target)
        translations: list[list[str] | None] = [None] * len(texts)
        for part in sorted(done):
            translations[part[0]] = [*(translations[part[0]] or []), done[part]]
        return [
            None if found is None else Translated(" ".join(filter(None, found)), language) for found in translations
        ]

    def _windows(self, texts: Sequence[str], source: str, tags: Tags) -> Iterator[tuple[Part, Chunk]]:
        room = self._max_length - len(tags.before) - len(tags.after)
        if room < _SHORTEST_HALF:
            raise ConfigError(
                f"what goes before each text takes {len(tags.before)} of the {self._max_length} pieces that are "
                "translated at once; shorten it, or raise max_length"
            )
        for index, text in enumerate(texts):
            # A text of megabytes is never cut into pieces as a whole: that would take its time, and be of no use.
            whole = self._chunk(text) if len(text) <= 16 * room else None
            windows = [whole] if whole and len(whole.ids) <= room else self._split(text, source, room)
            for number, window in enumerate(windows):
                yield (index, number), window

    def _halves(self, part: Part, chunk: Chunk, source: str) -> dict[Part, Chunk]:
        """Two halves of a text, or more where they do not come out even; none of a text that is too short."""
        if len(part) >= 2 + _ROUNDS or len(chunk.ids) < 2 * _SHORTEST_HALF:
            return {}
        halves = self._split(chunk.text, source, (len(chunk.ids) + 1) // 2)
        return {(*part, number): half for number, half in enumerate(halves) if half.ids}

    def _split(self, text: str, source: str, room: int) -> list[Chunk]:
        """Cut a text into windows of at most so many pieces."""
        windows = split_windows(text, source, fits=lambda piece: len(self.network.pieces.encode(piece)) <= room)
        return [self._chunk(text[start:end]) for start, end in windows]

    def _chunk(self, text: str) -> Chunk:
        return Chunk(text, self.network.pieces.encode(text))

    def _generate(self, chunks: Mapping[Part, Chunk], tags: Tags) -> Iterator[tuple[Part, Hypothesis]]:
        """Translate parts, a batch of similar lengths at a time."""
        opening = self.network.pieces.encode(self._target_prefix) if self._target_prefix else []
        sources = {part: [*tags.before, *chunk.ids, *tags.after] for part, chunk in chunks.items()}
        for batch in self._batches(sources):
            # Only the first part of a text begins with what the translation shall begin with.
            begun = [] if any(batch[0][1:]) else opening
            prefix = [*tags.target, *begun]
            limit = len(prefix) + _GROWTH * _bucket(len(sources[batch[0]])) + _HEADROOM
            limit = min(limit, self.network.positions or limit)
            try:
                found = self.network.backend.generate([sources[part] for part in batch], prefix, limit, self.decoding)
            except (RuntimeError, ValueError, MemoryError) as error:
                raise TranslationError(f"{self._name} failed on a batch of {len(batch)} texts: {error}") from error
            for part, hypothesis in zip(batch, found, strict=True):
                yield part, Hypothesis([*begun, *hypothesis.ids], hypothesis.finished)

    def _batches(self, sources: Mapping[Part, Sequence[int]]) -> Iterator[list[Part]]:
        """Parts of one bucket that begin alike, longest first, so that too little memory shows at once."""
        order = sorted(sources, key=lambda part: (-len(sources[part]), any(part[1:]), part))
        groups: dict[tuple[int, bool], list[Part]] = {}
        for part in order:
            begins = bool(self._target_prefix) and any(part[1:])
            groups.setdefault((_bucket(len(sources[part])), begins), []).append(part)
        for group in groups.values():
            while group:
                size = max(1, self._batch_tokens // len(sources[group[0]]))
                yield group[:size]
                del group[:size]


def _bucket(length: int) -> int:
    bucket = _SHORTEST_BUCKET
    while bucket < length:
        bucket *= 2
    return bucket
