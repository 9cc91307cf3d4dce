"""The pieces that a checkpoint reads and writes, and where they stand in a text.

A thin wrapper of transformers' tokenizers. It adds no tags of its own (:mod:`~transfusion.translate.tags` does), and a
text that happens to hold ``</s>`` or ``>>fra<<`` is cut like any other text.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from transfusion.checkpoint import fingerprint, tokenizer_files
from transfusion.errors import MissingExtraError, ModelError

_SPACE = "▁"


class PieceAt(NamedTuple):
    """A piece of a text.

    :param id: Its number.
    :param start: First code point of what it stands for, without white space.
    :param end: One past the last.
    """

    id: int
    start: int
    end: int


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer of transformers from a folder.

    :param folder: The folder.
    :returns: The tokenizer; it takes no notice of special tokens inside of texts.
    :raises ModelError: If it cannot be read.
    :raises MissingExtraError: If ``transformers`` is not installed.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("transformers", extra="nllb", purpose="reading a tokenizer") from error
    try:
        with warnings.catch_warnings():
            # Marian's normaliser of punctuation changes the text; the tokenizer never calls it.
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, split_special_tokens=True
            )
    except ImportError as error:
        raise MissingExtraError("sentencepiece", extra="nllb", purpose="reading a tokenizer") from error
    # The reader of tokenizer.json raises plain exceptions.
    except Exception as error:
        raise ModelError(f"{folder}: the tokenizer cannot be read: {error}") from error


def all_tokens(tokenizer: Any) -> dict[str, int]:
    """All tokens of a tokenizer and their numbers; M2M-100's own list leaves out its tags of languages."""
    return {**tokenizer.get_vocab(), **getattr(tokenizer, "lang_token_to_id", {})}


class Pieces:
    """Cuts texts into pieces and puts pieces together.

    :param tokenizer: A tokenizer of transformers, as :func:`load_tokenizer` gives it.
    :param files: What it was read from.
    """

    def __init__(self, tokenizer: Any, files: Sequence[Path]) -> None:
        self.tokenizer = tokenizer
        self._files = tuple(files)
        # Marian and M2M-100 have no fast tokenizer: their SentencePiece models are asked directly.
        self._source_model = getattr(tokenizer, "spm_source", None) or getattr(tokenizer, "sp_model", None)
        self._target_model = getattr(tokenizer, "spm_target", None) or self._source_model

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load from the files of a tokenizer.

        :param folder: Folder with the files.
        :returns: The pieces.
        :raises ModelError: If they cannot be read.
        :raises MissingExtraError: If ``transformers`` or ``sentencepiece`` is not installed.
        """
        return cls(load_tokenizer(folder), tokenizer_files(folder))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the vocabulary files."""
        return fingerprint(self._files)

    @property
    def end(self) -> int:
        """The piece that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def padding(self) -> int:
        """The piece that fills batches up."""
        identity = self.tokenizer.pad_token_id
        return self.end if identity is None else int(identity)

    @property
    def longest(self) -> int | None:
        """Most pieces that the model is said to read; ``None`` if nobody said."""
        length = int(self.tokenizer.model_max_length)
        return length if length < 2**31 else None

    @cached_property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What this tokenizer puts before and after every text."""
        bare = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return tuple(whole[:start]), tuple(whole[start + len(bare) :])
        raise ModelError(f"{type(self.tokenizer).__name__}: cannot tell what it puts round a text")

    def encode(self, text: str) -> list[int]:
        """The pieces of a source text."""
        text = _without_surrogates(text)
        if self._source_model is not None:
            return self.ids(self._source_model.encode(text, out_type=str))
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def encode_target(self, text: str) -> list[PieceAt]:
        """The pieces of a text in the target language, each with its place.

        :param text: The text.
        :returns: The pieces in order; one that stands for white space alone is empty, ``start == end``.
        :raises ModelError: If the tokenizer cannot tell.
        """
        readable = _without_surrogates(text)
        if self._target_model is not None:
            found = self._target_model.encode(readable, return_type="proto").pieces
            ids = self._target_ids([piece.piece for piece in found])
            place = _code_points(readable)
            spans = [(place[piece.begin], place[piece.end]) for piece in found]
        elif not self.tokenizer.is_fast:
            raise ModelError(f"{type(self.tokenizer).__name__} does not tell where its pieces stand in a text")
        else:
            cut = self.tokenizer(readable, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
            ids, spans = list(cut["input_ids"]), list(cut["offset_mapping"])
        return [
            # The mark of a space that is not in the text is said to stand on the letter that it goes before.
            PieceAt(identity, *_trimmed(readable, start, start if self.token(identity) == _SPACE else end))
            for identity, (start, end) in zip(ids, spans, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of pieces, without tags."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).strip()

    def token(self, identity: int) -> str:
        """The name of a piece."""
        return str(self.tokenizer.convert_ids_to_tokens(identity))

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of pieces; of names that are unknown, that of the unknown piece."""
        return list(self.tokenizer.convert_tokens_to_ids(list(tokens)))

    def known(self, token: str) -> int | None:
        """The number of a piece, ``None`` if there is no such piece."""
        return self._numbers.get(token)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return all_tokens(self.tokenizer)

    def _target_ids(self, tokens: Sequence[str]) -> list[int]:
        # Some Marian checkpoints have a vocabulary for each side.
        table: dict[str, int] | None = getattr(self.tokenizer, "target_encoder", None)
        if table is None:
            return self.ids(tokens)
        return [table.get(token, table[self.tokenizer.unk_token]) for token in tokens]


def _without_surrogates(text: str) -> str:
    """The text with ``?`` for each half of a surrogate pair, which no tokenizer takes; nothing moves."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _code_points(text: str) -> list[int]:
    """For each byte of a text in UTF-8, and for the end, which code point it belongs to: SentencePiece counts bytes."""
    return [index for index, character in enumerate(text) for _ in character.encode("utf-8")] + [len(text)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())
