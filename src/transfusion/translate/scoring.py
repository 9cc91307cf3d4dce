"""How probable a translation is, piece by piece: what constrained projection asks of a translation model.

Le, Chen, Ritter and Xu 2024, "Constrained Decoding for Cross-lingual Label Projection" (Codec), puts marks where the
model finds the marked translation most probable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transfusion.errors import TranslationError
from transfusion.translate.pieces import PieceAt
from transfusion.translate.seq2seq import Seq2SeqTranslator


class SequenceScorer:
    """Scores given translations with the network of a translator.

    :param translator: An :class:`~transfusion.translate.nllb.NllbTranslator` or
        :class:`~transfusion.translate.hf.HfTranslator`.
    :param batch_tokens: Most pieces of a batch, filled up to its longest pair.
    """

    def __init__(self, translator: Seq2SeqTranslator, *, batch_tokens: int = 2048) -> None:
        self._translator = translator
        self._batch_tokens = batch_tokens

    @property
    def signature(self) -> str:
        """That of the translator."""
        return self._translator.signature

    def token_log_probabilities(
        self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
    ) -> list[list[tuple[int, int, float]]]:
        """Score each piece of given translations.

        :param sources: Texts.
        :param targets: A translation of each, as it stands; an empty one is an end of sentence alone.
        :param source: ISO 639-3 code of the language of the texts.
        :param target: ISO 639-3 code of the language of the translations.
        :returns: For each pair ``(start, end, log probability)`` of each piece of the translation, given the source and
            the pieces before it: natural logarithms; code points of the translation that the piece stands for, without
            white space (``start == end`` for a piece that is white space alone). Last comes the end of the sentence,
            at ``(len(target), len(target))``.
        :raises LanguageError: If the checkpoint does not know one of the languages.
        :raises TranslationError: If a text is longer than the network reads, or the network fails.
        :raises ModelError: If the tokenizer cannot tell where its pieces stand.
        """
        network = self._translator.network
        tags = self._translator.tags(source, target)
        read = [[*tags.before, *network.pieces.encode(text), *tags.after] for text in sources]
        written = [network.pieces.encode_target(text) for text in targets]
        for number, (one, other) in enumerate(zip(read, written, strict=True)):
            longest = max(len(one), len(tags.target) + len(other) + 1)
            if network.positions is not None and longest > network.positions:
                raise TranslationError(
                    f"pair {number} has {longest:,} pieces; the network reads {network.positions:,}. Score it in parts"
                )
        scores: list[list[float]] = [[] for _ in read]
        for batch in self._batches(read, written):
            try:
                found = network.backend.score(
                    [read[i] for i in batch], tags.target, [[piece.id for piece in written[i]] for i in batch]
                )
            except (RuntimeError, ValueError, MemoryError) as error:
                raise TranslationError(f"scoring {len(batch)} pairs failed: {error}") from error
            for number, row in zip(batch, found, strict=True):
                scores[number] = row
        return [
            [(start, end, score) for (_, start, end), score in zip(self._places(text, pieces), row, strict=True)]
            for text, pieces, row in zip(targets, written, scores, strict=True)
        ]

    def _places(self, text: str, pieces: Sequence[PieceAt]) -> list[PieceAt]:
        return [*pieces, PieceAt(self._translator.network.pieces.end, len(text), len(text))]

    def _batches(self, read: Sequence[Sequence[int]], written: Sequence[Sequence[PieceAt]]) -> Iterator[list[int]]:
        """Numbers of pairs of similar lengths, the longest first."""
        sizes = [max(len(one), len(other) + 2) for one, other in zip(read, written, strict=True)]
        order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))
        while order:
            count = max(1, self._batch_tokens // sizes[order[0]])
            yield order[:count]
            del order[:count]
