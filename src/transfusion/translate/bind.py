"""A translator with its languages settled: what those need who have texts of one language and know no engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transfusion.errors import TranslationError
from transfusion.translate.base import Translator


def bind(translator: Translator, source: str, target: str) -> Callable[[Sequence[str]], list[str | None]]:
    """Settle the languages of a translator.

    :param translator: The translator.
    :param source: ISO 639-3 code of the language of the texts to come.
    :param target: ISO 639-3 code of the language to translate them into.
    :returns: A function from texts to translations, one for each, in order; ``None`` where there is none. Empty texts
        have none. It raises what the translator raises, and
        :class:`~transfusion.errors.TranslationError` if that gives more or fewer translations than it was asked for.
    """

    def translate(texts: Sequence[str], /) -> list[str | None]:
        asked = [text for text in texts if text.strip()]
        given = translator.translate(asked, source=source, target=target) if asked else []
        if len(given) != len(asked):
            raise TranslationError(f"the translator gave {len(given)} translations for {len(asked)} texts")
        waiting = iter(given)
        translations = (next(waiting) if text.strip() else None for text in texts)
        return [None if translated is None else translated.text for translated in translations]

    return translate
