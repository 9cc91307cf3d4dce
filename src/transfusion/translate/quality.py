"""Signs that a translation went wrong, seen from the two texts alone: no reference is needed.

What translation models do when they fail is coarse: they loop, stop early, copy the source, drift into another language
or write nothing. A sign that is ``severe`` says that the translation would mislead who reads it; thresholds were chosen
on development pairs of MAFAND and measured on its test pairs with ``benchmarks/quality_signs.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from transfusion.language import get_language
from transfusion.translate.loops import find_loop
from transfusion.translate.numbers import lost_numbers
from transfusion.translate.words import common_words, foreign_share, size, words
from transfusion.translate.wrong_language import are_close, is_still_source, wrong_language

FaultCode = Literal["copied", "empty", "length-ratio", "numbers-lost", "repetition", "wrong-language", "wrong-script"]

# Letters added on both sides of the ratio of lengths: the slack of short texts.
_SLACK = 4.0
_SHORTEST = 0.47
_LONGEST = 3.0

# Names in the script of the source may stay; Latin ones do so in the texts of every other script, and at length.
_FOREIGN_SHARE = 0.25
_FOREIGN_SHARE_NOT_LATIN = 0.6
_ENOUGH_FOR_SCRIPT = 6.0

# Words written small that also stand in the source, by their letters.
_COPIED_SHARE = 0.7
_COPIED_WORDS = 3
_COPIED_LETTERS = 12.0
_COPIED_HEADLINE_WORDS = 6


@dataclass(frozen=True, slots=True)
class Fault:
    """A sign that a translation went wrong.

    :param code: Stable, short name.
    :param message: The sentence for people.
    :param severe: Whether the translation would mislead who reads it; otherwise it lacks something.
    """

    code: FaultCode
    message: str
    severe: bool


def find_faults(source: str, translation: str, *, source_language: str, target_language: str) -> tuple[Fault, ...]:
    """Look for signs that a translation went wrong.

    :param source: A sentence or a longer text.
    :param translation: Its translation.
    :param source_language: Any code of its language.
    :param target_language: Any code of the language that the translation should be in.
    :returns: What was found, at most one fault of a code: the severe ones first. Nothing is held against the
        translation of a text without letters and digits.
    :raises LanguageError: If nobody knows one of the codes.
    """
    source_size, translation_size = size(source), size(translation)
    if not source_size:
        return ()
    if not translation_size:
        return (Fault("empty", "the translation is empty", True),)
    return tuple(_faults(source, translation, source_size, translation_size, source_language, target_language))


def _faults(
    source: str,
    translation: str,
    source_size: float,
    translation_size: float,
    source_language: str,
    target_language: str,
) -> Iterator[Fault]:
    if loop := find_loop(source, translation):
        yield Fault("repetition", f"the translation repeats {_shortened(loop)!r} on end", True)
    ratio = (translation_size + _SLACK) / (source_size + _SLACK)
    if not _SHORTEST <= ratio <= _LONGEST:
        kind = "short" if ratio < 1 else "long"
        message = f"the translation is too {kind}: {translation_size:.0f} letters for {source_size:.0f}"
        yield Fault("length-ratio", message, True)
    script = get_language(target_language).script
    if script and translation_size >= _ENOUGH_FOR_SCRIPT:
        share = foreign_share(translation, script)
        if share > (_FOREIGN_SHARE if script == "Latn" else _FOREIGN_SHARE_NOT_LATIN):
            yield Fault("wrong-script", f"{share:.0%} of the letters are not of the script {script}", True)
    yield from _language_faults(source, translation, source_language, target_language)
    if lost := lost_numbers(source, translation):
        numbers = ", ".join(map(_shortened, lost[:5])) + (", …" if len(lost) > 5 else "")
        yield Fault("numbers-lost", f"numbers of the source are missing: {numbers}", False)


def _language_faults(source: str, translation: str, source_language: str, target_language: str) -> Iterator[Fault]:
    translated = words(translation)
    if _is_copied(source, translation, translated) and (
        not are_close(source_language, target_language)
        or is_still_source(translated, source=source_language, target=target_language)
    ):
        yield Fault("copied", "the translation is the source, copied", True)
    found = wrong_language(translated, target=target_language)
    if found is not None:
        yield Fault("wrong-language", f"the translation is in {found!r}, not in {target_language!r}", True)


def _is_copied(source: str, translation: str, translated: list[str]) -> bool:
    common = common_words(translated)
    letters = size("".join(common))
    if len(common) < _COPIED_WORDS or letters < _COPIED_LETTERS:
        # A Headline In Capitals looks like names; but a row of so many names would hold commas.
        return len(translated) >= _COPIED_HEADLINE_WORDS and "," not in translation and translated == words(source)
    in_source = {word.casefold() for word in words(source)}
    return size("".join(word for word in common if word.casefold() in in_source)) >= _COPIED_SHARE * letters


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
