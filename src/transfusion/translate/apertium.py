"""Apertium: rules and dictionaries, offline, from Debian (``apt-get install apertium apertium-hbs-eng``).

Forcada et al. (2011), *Apertium: a free/open-source platform for rule-based machine translation*.  It is fast and gives
the same translation every time; words that its dictionaries lack stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from transfusion.errors import LanguageError
from transfusion.language import get_language
from transfusion.segment import Piece, split_windows
from transfusion.translate.apertium_modes import InstalledModes, Mode, covers
from transfusion.translate.apertium_process import ModeProcess
from transfusion.translate.base import Translated

_LONGEST = 10_000
"""Characters that go through the programs as one sentence; a longer text is cut."""


class ApertiumTranslator:
    """Translates with the Apertium pairs that are installed.

    Where no pair leads from one language to the other, it goes the shortest way through others: Slovene to Croatian to
    English. Each pair on the way is one row of programs that runs until :meth:`close`, or until nobody holds the
    translator any more. Croatian, Serbian, Bosnian and Montenegrin are Apertium's ``hbs``; a code for a group means its
    usual member.

    :param chain: The way to go instead of the shortest one: a mode's name (``eo-en-compounds``), or languages with
        hyphens between them, perhaps with variants (``spa-cat-eng``, ``eng-hbs_SR``).
    :param unknown_marks: Whether Apertium's marks stay in front of words that it does not know (``*``), cannot
        translate (``@``) or cannot inflect (``#``).
    :param timeout: Seconds that a pair may take without a sign of life.
    :param independent: Whether a sentence's translation must not depend on the sentences before it. Pairs with a hidden
        Markov tagger (Spanish, Galician, French, ...) forget a little at some words and are started anew there, which
        is ten times slower; for training data that is not worth waiting for.
    :param folder: The folder that holds Apertium's ``modes``; where it is installed if left out.
    :raises ModelError: If Apertium, or any pair, is not installed.
    :raises LanguageError: If a part of the chain is not installed.
    """

    def __init__(
        self,
        chain: str | None = None,
        *,
        unknown_marks: bool = False,
        timeout: float = 120.0,
        independent: bool = True,
        folder: str | None = None,
    ) -> None:
        self.unknown_marks = unknown_marks
        self.timeout = timeout
        self.independent = independent
        self._installed = InstalledModes(folder)
        self._chain = None if chain is None else self._installed.chain(chain)
        self._processes: dict[tuple[str, bool], ModeProcess] = {}

    @cached_property
    def signature(self) -> str:
        """The chain, Apertium's version and a digest of the data: the chain's or, without one, all that is there."""
        modes = self._chain or tuple(self._installed.by_name.values())
        names = ":" + "+".join(mode.name for mode in self._chain) if self._chain else ""
        marks = " unknown_marks" if self.unknown_marks else ""
        order = "" if self.independent else " in order"
        return f"apertium{names} {self._installed.signature(modes)}{marks}{order}"

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate sentences.

        :param texts: The sentences.
        :param source: Code of their language.
        :param target: Code of the language to translate into.
        :returns: One translation for each sentence, in order; ``None`` where nothing came out.
        :raises LanguageError: If the installed pairs, or the chain, do not lead from the one to the other.
        :raises TranslationError: If a pair's programs died twice at the same sentence, or hang.
        """
        way = self._way(source, target)
        translations = list(texts)
        for mode in way:
            translations = self._through(mode, translations, source, marks=self.unknown_marks and mode is way[-1])
        language = get_language(target).iso639_3
        return [Translated(text, language) if text.strip() else None for text in translations]

    def careful(self) -> None:
        """Rules have no other settings."""

    def close(self) -> None:
        """End all programs; the next translation starts them again."""
        for process in self._processes.values():
            process.close()

    def _way(self, source: str, target: str) -> tuple[Mode, ...]:
        if self._chain is None:
            return self._installed.route(source, target)
        first, last = self._chain[0].source, self._chain[-1].target
        if covers(first, get_language(source)) and covers(last, get_language(target)):
            return self._chain
        names = " and ".join(mode.name for mode in self._chain)
        raise LanguageError(f"Apertium's {names} translates from {first} into {last}, not from {source} into {target}")

    def _through(self, mode: Mode, texts: Sequence[str], source: str, *, marks: bool) -> list[str]:
        """Translate texts with one mode. White space at the ends of a text, and between its pieces, stays in place."""
        cuts = [_pieces(text, source) for text in texts]
        process = self._process(mode, marks)
        answers = iter(
            process.translate([text[p.start : p.end] for text, cut in zip(texts, cuts, strict=True) for p in cut])
        )
        return [_joined(text, cut, [next(answers) for _ in cut]) for text, cut in zip(texts, cuts, strict=True)]

    def _process(self, mode: Mode, marks: bool) -> ModeProcess:
        if (mode.name, marks) not in self._processes:
            steps = self._installed.steps(mode, unknown_marks=marks)
            self._processes[mode.name, marks] = ModeProcess(
                mode.name, steps, timeout=self.timeout, unknown_marks=marks, independent=self.independent
            )
        return self._processes[mode.name, marks]


def _pieces(text: str, language: str) -> list[Piece]:
    if len(text) > _LONGEST:
        return split_windows(text, language, fits=lambda piece: len(piece) <= _LONGEST)
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return [Piece(start, end)] if start < end else []


def _joined(text: str, pieces: Sequence[Piece], translations: Sequence[str]) -> str:
    """A text with its pieces replaced by their translations."""
    ends = [0, *(piece.end for piece in pieces)]
    parts = [text[end : piece.start] + new for end, piece, new in zip(ends, pieces, translations, strict=False)]
    return "".join(parts) + text[ends[-1] :]
