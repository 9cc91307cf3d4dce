"""The seam of the first stage: something that turns texts into the pivot language.

An engine knows nothing of documents, caches or quality; it gets sentences and gives translations.  Everything round it
(:mod:`~transfusion.translate.stage`, :mod:`~transfusion.translate.cache`) sees only this protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from transfusion.chat.usage import Estimate
from transfusion.errors import LanguageError


@dataclass(frozen=True, slots=True)
class Translated:
    """A translation.

    :param text: The translation.
    :param language: ISO 639-3 code of the language that it is in.
    """

    text: str
    language: str


class Translator(Protocol):
    """Translates sentences of one language into another."""

    @property
    def signature(self) -> str:
        """Everything that decides what comes out: engine, weights, options.

        Caches go by it and scores carry it.  Two translators with one signature give the same translations; it holds no
        secret and no path that would differ between machines.
        """
        ...

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate sentences.

        :param texts: The sentences; none is empty or white space alone.
        :param source: ISO 639-3 code of their language.
        :param target: ISO 639-3 code of the language to translate into.
        :returns: One translation for each sentence, in order; ``None`` where the engine has none for that one.
        :raises LanguageError: If the engine does not translate between these languages.
        :raises TranslationError: If the engine failed as a whole: it died, or its server does not answer.
        """
        ...

    def careful(self) -> Translator | None:
        """The same engine with other settings, to be asked again where a translation looks broken.

        :returns: One that avoids loops and omissions, however slow; ``None`` if the engine has no such settings.
        """
        ...


@runtime_checkable
class Estimating(Protocol):
    """A translator that can say beforehand what a job would take, because it costs money or much time."""

    def estimate(self, texts: Sequence[str], /, *, source: str, target: str) -> Estimate:
        """What translating these sentences would take; nobody is asked for it."""
        ...


class FakeTranslator:
    """A translator for tests and examples: it looks words up in a glossary and leaves the others as they are.

    What stands between the words (spaces, marks, line breaks) stays in place.

    :param glossary: Words of the source language in lower case, and their translations.
    :param languages: ISO 639-3 codes of the languages that it translates from; any if left out.
    """

    def __init__(self, glossary: Mapping[str, str] | None = None, languages: Sequence[str] | None = None) -> None:
        self.glossary = dict(glossary or {})
        self.languages = None if languages is None else frozenset(languages)
        self.calls: list[tuple[str, ...]] = []
        """The texts of each call, for tests that count them."""

    @property
    def signature(self) -> str:
        """``fake`` and the glossary."""
        return "fake:" + ",".join(f"{word}={other}" for word, other in sorted(self.glossary.items()))

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate word by word."""
        if self.languages is not None and source not in self.languages:
            raise LanguageError(f"the glossary knows no {source!r}; it knows {', '.join(sorted(self.languages))}")
        self.calls.append(tuple(texts))
        return [
            Translated(re.sub(r"\w+", lambda m: self.glossary.get(m[0].lower(), m[0]), text), target) for text in texts
        ]

    def careful(self) -> None:
        """A glossary has no other settings."""
