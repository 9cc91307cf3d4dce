"""Any sequence-to-sequence checkpoint: Marian (OPUS-MT), MADLAD-400, M2M-100, mBART-50, T5 and others."""

from __future__ import annotations

import logging
from pathlib import Path

from transfusion.checkpoint import (
    find_checkpoint,
    find_tokenizer,
    fingerprint,
    is_converted,
    read_config,
    weight_files,
)
from transfusion.errors import ConfigError, ModelError
from transfusion.language import get_language
from transfusion.translate.backends import (
    Decoding,
    TransformersBackend,
    check_compute_type,
    usable_device,
    usual_compute_type,
)
from transfusion.translate.convert import UnknownArchitectureError, converted
from transfusion.translate.pieces import Pieces
from transfusion.translate.seq2seq import MAX_LENGTH, Network, Seq2SeqTranslator, load_converted
from transfusion.translate.tags import Tags, language_tags

log = logging.getLogger(__name__)

_BACKENDS = ("auto", "ctranslate2", "transformers")


class HfTranslator(Seq2SeqTranslator):
    """Translates with a sequence-to-sequence checkpoint, through CTranslate2 where that knows the network.

    How languages are told is known for the families in :mod:`~transfusion.translate.tags`; others get the text as it
    is, after ``text_prefix``.

    :param model: A folder with weights of CTranslate2 or Hugging Face, or a name on the hub.
    :param backend: ``ctranslate2``, ``transformers``, or ``auto``: the first where it knows the network.
    :param beam_size: Hypotheses that are followed at once.
    :param repetition_penalty: Above 1 it makes pieces less probable that were written already.
    :param no_repeat_ngram_size: No row of so many pieces is written twice; 0 for no such limit.
    :param device: ``auto``, ``cpu`` or ``cuda``.
    :param compute_type: Number format. With CTranslate2 by default ``int8`` on CPUs and ``float16`` on GPUs, with
        transformers ``float32`` and ``float16``.
    :param batch_tokens: Most pieces of a batch, filled up to its longest text.
    :param max_length: Most pieces of a text that are translated at once; longer texts are cut into windows.
    :param threads: Threads to compute with; by default one for each core at hand.
    :param tokenizer: Where the tokenizer comes from, a folder or a name on the hub, if it is not beside the weights.
    :param text_prefix: What goes before every text, as T5 wants it: ``translate {source} to {target}:`` with the
        English names of the languages for ``{source}`` and ``{target}``.
    :param target_prefix: Text that every translation begins with.
    :raises ModelError: If there is no such model, or it is damaged or no sequence-to-sequence model.
    :raises ConfigError: If a setting is out of range.
    :raises MissingExtraError: If a package that is needed is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        backend: str = "auto",
        beam_size: int = 4,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        device: str = "auto",
        compute_type: str | None = None,
        batch_tokens: int = 2048,
        max_length: int = MAX_LENGTH,
        threads: int | None = None,
        tokenizer: str | None = None,
        text_prefix: str = "",
        target_prefix: str = "",
    ) -> None:
        if backend not in _BACKENDS:
            raise ConfigError(f"no backend {backend!r}; there are {', '.join(_BACKENDS)}")
        check_compute_type(compute_type)
        decoding = Decoding(beam_size, repetition_penalty, no_repeat_ngram_size)
        device = usable_device(device)
        folder = find_checkpoint(model)
        vocabulary = None if tokenizer is None else find_tokenizer(tokenizer)
        network = None
        if backend != "transformers":
            network = _through_ctranslate2(folder, vocabulary, device, compute_type, threads, backend == "auto")
        if network is None:
            network = _through_transformers(folder, vocabulary, device, compute_type, threads)
        super().__init__(
            network,
            name="hf" if Path(model).expanduser().is_dir() else f"hf:{model}",
            decoding=decoding,
            batch_tokens=batch_tokens,
            max_length=max_length,
            target_prefix=target_prefix,
        )
        self._text_prefix = text_prefix

    @property
    def signature(self) -> str:
        """Engine, fingerprints of weights and vocabulary, number format, and how translations are searched for."""
        return super().signature + (f"; text prefix {self._text_prefix!r}" if self._text_prefix else "")

    def tags(self, source: str, target: str) -> Tags:
        """What this family of checkpoints wants round a text, and the text prefix."""
        pieces = self.network.pieces
        tags = language_tags(pieces, source, target)
        if not self._text_prefix:
            return tags
        prefix = self._text_prefix.replace("{source}", get_language(source).name)
        prefix = prefix.replace("{target}", get_language(target).name)
        return Tags((*tags.before, *pieces.encode(prefix)), tags.after, tags.target)


def _through_ctranslate2(
    folder: Path,
    vocabulary: Path | None,
    device: str,
    compute_type: str | None,
    threads: int | None,
    may_fail: bool,
) -> Network | None:
    """The network through CTranslate2; ``None`` if that does not know it and there is another way."""
    compute_type = compute_type or usual_compute_type(device)
    if not is_converted(folder):
        own = vocabulary or find_tokenizer(str(folder))
        try:
            folder = converted(folder, quantization=compute_type, tokenizer=own)
        except UnknownArchitectureError as error:
            if not may_fail:
                raise
            log.info("%s; transformers runs it", error)
            return None
    return load_converted(folder, tokenizer=vocabulary, device=device, compute_type=compute_type, threads=threads)


def _through_transformers(
    folder: Path, vocabulary: Path | None, device: str, compute_type: str | None, threads: int | None
) -> Network:
    if not weight_files(folder):
        raise ModelError(f"{folder}: transformers reads weights of Hugging Face, and this folder has none")
    read_config(folder)
    pieces = Pieces.load(vocabulary or find_tokenizer(str(folder)))
    compute_type = compute_type or ("float16" if device == "cuda" else "float32")
    backend = TransformersBackend(folder, pieces, device=device, compute_type=compute_type, threads=threads)
    weights = fingerprint(weight_files(folder))
    identity = f"{weights}-transformers+{pieces.fingerprint}"
    return Network(pieces, backend, backend.positions, identity)
