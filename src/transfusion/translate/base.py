"""The seam of the first stage: something that turns texts into the pivot language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Translated:
    """A translation.

    :param text: The translation.
    :param language: ISO 639-3 code of the language that it is in.
    """

    text: str
    language: str


class Translator(Protocol):
    """Translates texts of one language into another."""

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate texts.

        :param texts: The texts.
        :param source: ISO 639-3 code of their language.
        :param target: ISO 639-3 code of the language to translate into.
        :returns: One translation for each text, in order; ``None`` where there is none.
        """
        ...
