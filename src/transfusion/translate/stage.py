"""The first stage: gives every document its pivot, sentence by sentence.

Translation models are made for sentences: given a paragraph, they translate its beginning and drop the rest without a
word.  So a text is cut into sentences, each is translated, and the document remembers which sentence became which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from transfusion.document import AnnotatedText, Document, SentencePair
from transfusion.errors import LanguageError, TranslationError
from transfusion.formats.clean import without_surrogates
from transfusion.segment import Piece, split_sentences, split_windows
from transfusion.translate.base import Translated, Translator
from transfusion.translate.quality import Fault, find_faults

Policy = Literal["retry", "direct", "keep"]
"""What to do with a translation that looks broken.

``retry``: ask again with careful settings, and leave it out if that is no better; ``direct``: leave it out, so that the
sentence is labelled by itself; ``keep``: use it all the same.
"""

SUSPECT = "suspect-translation"
"""Code of the note on a document with translations that look broken and are used."""
LEFT_OUT = "translation-left-out"
"""Code of the note on a document with translations that look broken and are not used."""
FAILED = "translation-failed"
"""Code of the note on a document that the engine could not translate, or not all of it."""
UNKNOWN_LANGUAGE = "untranslatable-language"
"""Code of the note on a document in a language that the engine does not know."""

LONGEST = 1000
"""Characters of the longest piece that is translated at once; longer sentences are cut."""
_FAILURES = 4
"""Failures in a batch after which the engine counts as dead."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a document and what became of it."""

    piece: Piece
    text: str
    translation: str | None = None
    faults: tuple[Fault, ...] = ()
    failed: bool = False
    left_out: bool = False


class TranslateSource:
    """The first stage: translates the source of every document that has no pivot yet.

    :param translator: The engine, with its cache round it if there is one.
    :param pivot: ISO 639-3 code of the language to translate into.  Documents in that language are left as they are.
    :param policy: What to do with a translation that looks broken.
    """

    def __init__(self, translator: Translator, *, pivot: str = "eng", policy: Policy = "retry") -> None:
        self.translator = translator
        self.pivot = pivot
        self.policy = policy
        self._careful = translator.careful() if policy == "retry" else None
        self._dead = False  # whether the engine failed on all of the last batch

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The same documents in the same order, with pivots and the sentences of both sides.

        A document that cannot be translated, or not all of it, goes on with a note that says so.
        """
        batch = list(documents)
        by_language: dict[str, list[int]] = {}
        for index, document in enumerate(batch):
            if document.pivot is None and document.source.language != self.pivot and document.source.text.strip():
                by_language.setdefault(document.source.language, []).append(index)
        for language, indexes in by_language.items():
            sentences = {index: _sentences(batch[index].source) for index in indexes}
            try:
                done = self._translated([s for index in indexes for s in sentences[index]], language)
            except LanguageError as error:
                for index in indexes:
                    batch[index] = batch[index].with_note(UNKNOWN_LANGUAGE, str(error), "warning")
                continue
            results = iter(done)
            for index in indexes:
                batch[index] = self._with_pivot(batch[index], [next(results) for _ in sentences[index]])
        yield from batch

    def _translated(self, sentences: Sequence[_Sentence], language: str) -> list[_Sentence]:
        distinct = list(dict.fromkeys(sentence.text for sentence in sentences))
        first = _Run(self.translator, language, self.pivot, dead=self._dead)
        found = {text: self._judged(text, first.results.get(text), language) for text in first.over(distinct)}
        self._dead = first.failed and not any(first.results.values())
        if self._careful is not None:
            bad = [text for text, one in found.items() if any(fault.severe for fault in one.faults)]
            again = _Run(self._careful, language, self.pivot)
            for text in again.over(bad):
                second = self._judged(text, again.results.get(text), language)
                if second.translation is not None and not any(fault.severe for fault in second.faults):
                    found[text] = second
        return [replace(found[sentence.text], piece=sentence.piece) for sentence in sentences]

    def _judged(self, text: str, translated: Translated | None, language: str) -> _Sentence:
        whole = Piece(0, len(text))
        if translated is None:
            return _Sentence(whole, text, failed=True)
        # A line break inside of a sentence's translation would look like the end of a sentence.
        translation = " ".join(translated.text.split())
        faults = find_faults(text, translation, source_language=language, target_language=self.pivot)
        left_out = not translation or (self.policy != "keep" and any(fault.severe for fault in faults))
        return _Sentence(whole, text, translation, faults, left_out=left_out)

    def _with_pivot(self, document: Document, sentences: Sequence[_Sentence]) -> Document:
        document = _with_notes(document, sentences)
        text = ""
        end = 0
        pairs = []
        for sentence in sentences:
            translation = "" if sentence.left_out else sentence.translation or ""
            if text and translation:
                between = document.source.text[end : sentence.piece.start]
                text += "\n" * between.count("\n") or " "
            pairs.append(SentencePair(*sentence.piece, len(text), len(text) + len(translation)))
            text += translation
            end = sentence.piece.end if translation else end
        if not text:
            return document
        pivot = AnnotatedText(text, self.pivot)
        return without_surrogates(replace(document, pivot=pivot, sentences=tuple(pairs)))


class _Run:
    """Texts on their way through an engine that may fail on some of them.

    :param translator: The engine.
    :param source: ISO 639-3 code of the language of the texts.
    :param target: ISO 639-3 code of the language to translate into.
    :param dead: Whether it looked dead before: one text is tried first then.
    """

    def __init__(self, translator: Translator, source: str, target: str, *, dead: bool = False) -> None:
        self.results: Mapping[str, Translated | None] = {}
        self._translator = translator
        self._source = source
        self._target = target
        self._failures = 0
        self._dead = dead

    @property
    def failed(self) -> bool:
        """Whether the engine failed on any text."""
        return self._failures > 0

    def over(self, texts: Sequence[str]) -> Sequence[str]:
        """Fill in :attr:`results`, and give the texts back."""
        if self._dead and self._translate(texts[:1]) == [None]:
            self._failures = _FAILURES
        self.results = dict(zip(texts, self._translate(texts), strict=True))
        return texts

    def _translate(self, texts: Sequence[str]) -> list[Translated | None]:
        """Translations; texts that the engine fails on are found by halving, until it looks dead."""
        if not texts or self._failures >= _FAILURES:
            return [None] * len(texts)
        try:
            translations = self._translator.translate(texts, source=self._source, target=self._target)
            if len(translations) == len(texts):
                return translations
        except TranslationError:
            pass
        if len(texts) == 1:
            self._failures += 1
            return [None]
        middle = len(texts) // 2
        return [*self._translate(texts[:middle]), *self._translate(texts[middle:])]


def _sentences(source: AnnotatedText) -> list[_Sentence]:
    pieces = []
    for piece in split_sentences(source.text, source.language):
        if piece.end - piece.start <= LONGEST:
            pieces.append(piece)
            continue
        sentence = source.text[piece.start : piece.end]
        windows = split_windows(sentence, source.language, fits=lambda string: len(string) <= LONGEST)
        pieces += [Piece(piece.start + window.start, piece.start + window.end) for window in windows]
    return [_Sentence(piece, source.text[piece.start : piece.end]) for piece in pieces]


def _with_notes(document: Document, sentences: Sequence[_Sentence]) -> Document:
    failed = sum(sentence.failed for sentence in sentences)
    if failed:
        message = f"{failed} of {len(sentences)} sentences could not be translated"
        document = document.with_note(FAILED, message, "warning")
    for code, left_out in ((LEFT_OUT, True), (SUSPECT, False)):
        faulty = [sentence for sentence in sentences if sentence.faults and sentence.left_out == left_out]
        if faulty:
            counts = Counter(fault.code for sentence in faulty for fault in sentence.faults)
            signs = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            what = "and are not used" if left_out else "and are used all the same"
            message = (
                f"translations of {len(faulty)} of {len(sentences)} sentences look broken {what} ({signs}); "
                f"the first: {faulty[0].faults[0].message}"
            )
            severe = any(fault.severe for sentence in faulty for fault in sentence.faults)
            document = document.with_note(code, message, "warning" if severe else "info")
    return document
