"""NLLB-200: two hundred languages to two hundred languages (Costa-jussà et al. 2022, "No Language Left Behind")."""

from __future__ import annotations

from pathlib import Path

from transfusion.checkpoint import find_checkpoint, find_tokenizer, is_converted
from transfusion.errors import ModelError
from transfusion.translate.backends import Decoding, check_compute_type, usable_device, usual_compute_type
from transfusion.translate.convert import converted
from transfusion.translate.seq2seq import MAX_LENGTH, Seq2SeqTranslator, load_converted
from transfusion.translate.tags import Tags, flores_tags


class NllbTranslator(Seq2SeqTranslator):
    """Translates with NLLB-200, or a checkpoint made from it, through CTranslate2.

    Weights of Hugging Face are converted the first time and kept in the cache folder
    (:func:`~transfusion.folders.cache_folder`).

    :param model: A folder with weights of CTranslate2 or Hugging Face, or a name on the hub.
    :param beam_size: Hypotheses that are followed at once.
    :param repetition_penalty: Above 1 it makes pieces less probable that were written already.
    :param no_repeat_ngram_size: No row of so many pieces is written twice; 0 for no such limit.
    :param device: ``auto``, ``cpu`` or ``cuda``.
    :param compute_type: Number format; by default ``int8`` on CPUs and ``float16`` on GPUs.
    :param batch_tokens: Most pieces of a batch, filled up to its longest text.
    :param max_length: Most pieces of a text that are translated at once; longer texts are cut into windows.
    :param threads: Threads to compute with; by default one for each core at hand.
    :param tokenizer: Where the tokenizer comes from, a folder or a name on the hub, if it is not beside the weights.
        A checkpoint that was trained on from another needs that one's.
    :param target_prefix: Text that every translation begins with.
    :raises ModelError: If there is no such model, or it is damaged or no NLLB.
    :raises ConfigError: If a setting is out of range.
    :raises MissingExtraError: If a package that is needed is not installed.
    """

    def __init__(
        self,
        model: str = "facebook/nllb-200-distilled-600M",
        *,
        beam_size: int = 4,
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int = 0,
        device: str = "auto",
        compute_type: str | None = None,
        batch_tokens: int = 2048,
        max_length: int = MAX_LENGTH,
        threads: int | None = None,
        tokenizer: str | None = None,
        target_prefix: str = "",
    ) -> None:
        check_compute_type(compute_type)
        decoding = Decoding(beam_size, repetition_penalty, no_repeat_ngram_size)
        device = usable_device(device)
        compute_type = compute_type or usual_compute_type(device)
        folder = find_checkpoint(model)
        vocabulary = None if tokenizer is None else find_tokenizer(tokenizer)
        if not is_converted(folder):
            folder = converted(folder, quantization=compute_type, tokenizer=vocabulary or find_tokenizer(str(folder)))
        network = load_converted(
            folder, tokenizer=vocabulary, device=device, compute_type=compute_type, threads=threads
        )
        if network.pieces.known("eng_Latn") is None:
            raise ModelError(f"{model} is no NLLB: its vocabulary has no tag eng_Latn. Other models go with hf:{model}")
        # A folder's name would differ between machines; the fingerprint in the signature does not.
        name = "nllb" if Path(model).expanduser().is_dir() else f"nllb:{model}"
        super().__init__(
            network,
            name=name,
            decoding=decoding,
            batch_tokens=batch_tokens,
            max_length=max_length,
            target_prefix=target_prefix,
        )

    def tags(self, source: str, target: str) -> Tags:
        """The source between its language and ``</s>``, the target after its language."""
        return flores_tags(self.network.pieces, source, target)
