"""Which Apertium translators ("modes") are installed, what they translate, and the way from one language to another.

A mode is a file such as ``hbs-eng.mode`` that holds the pipeline of one direction.  Its name holds ISO 639-1 or 639-3
codes, macrolanguages among them, and perhaps a variant: ``gl-en``, ``hbs-eng``, ``eng-hbs_HR``, ``eng-cat_valencia``.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from transfusion.errors import LanguageError, ModelError
from transfusion.language import Language, get_language

_INSTALL = "install it (Debian and Ubuntu: apt-get install apertium apertium-hbs-eng, or another pair)"

_NAME = re.compile(r"(?P<source>[a-z]{2,3})(?:_(?P<from>\w+))?-(?P<target>[a-z]{2,3})(?:_(?P<into>\w+))?")


@dataclass(frozen=True, slots=True)
class Mode:
    """One installed direction.

    :param name: Its name, ``eng-hbs_HR``.
    :param source: ISO 639-3 code of what it reads, ``eng``; ``None`` if the name does not say.
    :param target: ISO 639-3 code of what it writes, ``hbs``; ``None`` if the name does not say.
    :param variants: Variants of source and target, ``("", "HR")``.
    """

    name: str
    source: str | None = None
    target: str | None = None
    variants: tuple[str, str] = ("", "")

    @classmethod
    def from_name(cls, name: str) -> Mode:
        """Read the languages out of a name.

        :param name: The name of a mode.
        :returns: The mode; without languages if the name is not two languages with a hyphen between them.
        """
        found = _NAME.fullmatch(name)
        try:
            source, target = (
                (get_language(found[side]).iso639_3 for side in ("source", "target")) if found else (None,) * 2
            )
        except LanguageError:
            return cls(name)
        return cls(name, source, target, (found["from"] or "", found["into"] or "") if found else ("", ""))


class InstalledModes:
    """The modes of one Apertium installation.

    :param folder: The folder that holds ``modes``; where Apertium is installed if left out.
    :raises ModelError: If Apertium or its modes are not there.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        program, flusher = shutil.which("apertium"), shutil.which("apertium-wblank-mode")
        if program is None or flusher is None:
            found = "Apertium is not installed" if program is None else f"{program} is older than Apertium 3.7"
            raise ModelError(f"{found}: {_INSTALL}")
        self._program, self._flusher = program, flusher
        # <prefix>/bin/apertium has its data in <prefix>/share/apertium.
        self.folder = Path(folder or Path(program).resolve().parents[1] / "share" / "apertium")
        self.by_name: Mapping[str, Mode] = {
            path.stem: Mode.from_name(path.stem) for path in sorted(self.folder.glob("modes/*.mode"))
        }
        if not self.by_name:
            raise ModelError(f"Apertium has no language pair in {self.folder / 'modes'}: {_INSTALL}")

    def route(self, source: str, target: str) -> tuple[Mode, ...]:
        """The shortest way from one language to another.

        :param source: Code of the language to translate from.
        :param target: Code of the language to translate into.
        :returns: Modes to use one after another; a single one where there is a direct one.
        :raises LanguageError: If no modes lead there, or nobody knows the languages.
        """
        start, end = get_language(source), get_language(target)
        goals = _codes(end)
        ways: dict[str, tuple[str, ...]] = {code: (code,) for code in _codes(start) if code not in goals}
        frontier = list(ways)
        while frontier:
            ahead: list[str] = []
            for here in frontier:
                for there in (code for code in self._onward.get(here, ()) if code not in ways):
                    ways[there] = (*ways[here], there)
                    if there in goals:
                        return tuple(self._between(*step, start, end) for step in pairwise(ways[there]))
                    ahead.append(there)
            frontier = ahead
        raise LanguageError(
            f"the Apertium installed here does not translate from {source!r} into {target!r}; {self._sources(end)}"
        )

    def chain(self, text: str) -> tuple[Mode, ...]:
        """The modes that a user asks for by name.

        :param text: Name of a mode, or languages with hyphens between them, perhaps with variants: ``hbs-slv``,
            ``spa-cat-eng``, ``slv-hbs_HR``.
        :returns: Modes to use one after another.
        :raises LanguageError: If one of them is not installed.
        """
        if text in self.by_name:
            return (self.by_name[text],)
        parts = text.split("-")
        steps = [self._named(*step) for step in pairwise(parts)]
        missing = ["-".join(step) for step, mode in zip(pairwise(parts), steps, strict=True) if mode is None]
        if missing or not steps:
            wanted, there = ", ".join(missing) or repr(text), ", ".join(self.by_name)
            raise LanguageError(f"no Apertium mode {wanted} is installed here; there are {there}")
        return tuple(mode for mode in steps if mode)

    def steps(self, mode: Mode, *, unknown_marks: bool = False) -> list[list[str]]:
        """The programs of a mode, with arguments, so that every one of them flushes at a NUL.

        :param mode: The mode.
        :param unknown_marks: Whether unknown words get a mark.
        :returns: A list of arguments for each program, in order.
        :raises ModelError: If the mode cannot be read.
        """
        # Apertium's own program adds the options for null flush, and steps that newer versions need.
        pipeline = _output(self._flusher, "-z", str(self._path(mode)))
        try:
            lexer = shlex.shlex(pipeline, posix=True, punctuation_chars="|;&<>()")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            words = []
        steps: list[list[str]] = [[]]
        for word in words:
            if word == "|":
                steps.append([])
            elif word == "$1":
                steps[-1].append("-g" if unknown_marks else "-n")
            elif word != "$2":  # the place for a tagger's option
                steps[-1].append(word)
        if not all(steps) or any(set(word) <= set("|;&<>()") for step in steps for word in step):
            raise ModelError(f"{self._path(mode)} is not a pipeline of programs; {_INSTALL}")
        return steps

    def signature(self, modes: Iterable[Mode]) -> str:
        """Version of the program, and a digest of what the modes are and of all data that they name.

        :param modes: The modes in question.
        :returns: For example ``3.8.3 5d41402abc4b``.
        :raises ModelError: If the program does not say its version.
        """
        digest = hashlib.sha256()
        for mode in modes:
            script = self._path(mode).read_text(encoding="utf-8")
            paths = [Path(word) for word in re.findall(r"'([^']+)'", script)]
            for path in paths:
                script = script.replace(str(path), path.name)
            digest.update(f"{mode.name}\0{script}\0".encode())
            for path in paths:
                digest.update(self._digest_of(path))
        return f"{self._version} {digest.hexdigest()[:12]}"

    @cached_property
    def _version(self) -> str:
        version = re.search(r"\d[\w.]*", _output(self._program, "-V"))
        if version is None:
            raise ModelError(f"{self._program} -V does not say a version; {_INSTALL}")
        return version[0]

    @cached_property
    def _digests(self) -> dict[Path, bytes]:
        return {}

    def _digest_of(self, path: Path) -> bytes:
        if path not in self._digests:
            if path.is_file():
                with path.open("rb") as stream:
                    self._digests[path] = hashlib.file_digest(stream, "sha256").digest()
            else:
                self._digests[path] = b""
        return self._digests[path]

    @cached_property
    def _onward(self) -> dict[str, list[str]]:
        """Language -> languages that it is translated into directly, in alphabetical order."""
        pairs = sorted({(mode.source, mode.target) for mode in self.by_name.values() if mode.source and mode.target})
        onward: dict[str, list[str]] = {}
        for source, target in pairs:
            onward.setdefault(source, []).append(target)
        return onward

    def _path(self, mode: Mode) -> Path:
        return self.folder / "modes" / f"{mode.name}.mode"

    def _between(self, source: str, target: str, start: Language, end: Language) -> Mode:
        """The mode between two languages that suits the two languages asked for best."""
        wanted = [language.iso639_1.upper() if language.iso639_1 else "" for language in (start, end)]

        def unlike(mode: Mode) -> tuple[list[int], str]:
            ranks = [0 if v == w else 1 if not v else 2 for v, w in zip(mode.variants, wanted, strict=True)]
            return ranks, mode.name

        return min((m for m in self.by_name.values() if (m.source, m.target) == (source, target)), key=unlike)

    def _named(self, source: str, target: str) -> Mode | None:
        if found := self.by_name.get(f"{source}-{target}"):
            return found
        wanted = Mode.from_name(f"{source}-{target}")
        same = [
            mode
            for mode in self.by_name.values()
            if wanted.source and (mode.source, mode.target) == (wanted.source, wanted.target)
        ]
        exact = [mode for mode in same if mode.variants == wanted.variants]
        return next(iter(exact), None)

    def _sources(self, target: Language) -> str:
        """For an error: what can be translated into a language."""
        reached = set(_codes(target))
        while more := {source for source, onward in self._onward.items() if reached.intersection(onward)} - reached:
            reached |= more
        sources = sorted(reached.difference(_codes(target)))
        if sources:
            return f"into {target.iso639_3!r} it translates {', '.join(sources)}"
        return f"nothing into {target.iso639_3!r}; its modes are {', '.join(self.by_name)}"


def _output(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603
    return run.stdout.decode(errors="replace")


def covers(code: str | None, language: Language) -> bool:
    """Whether a language of a mode is the one asked for, or the macrolanguage of it, or part of it.

    :param code: Language of a mode; ``None`` where it is not known.
    :param language: The language asked for.
    :returns: Whether they go together; ``True`` where it is not known.
    """
    return code is None or code in _codes(language)


def _codes(language: Language) -> Sequence[str]:
    """Codes that a mode may have for a language: its own, its macrolanguage's and, of a group, the usual member's."""
    from langcodes.data_dicts import MACROLANGUAGES

    codes = [language.iso639_3]
    codes += [get_language(MACROLANGUAGES[code]).iso639_3 for code in _both(language) if code in MACROLANGUAGES]
    if language.flores is not None:
        codes.append(language.flores.partition("_")[0])
    return list(dict.fromkeys(codes))


def _both(language: Language) -> Iterable[str]:
    return (code for code in (language.iso639_3, language.iso639_1) if code is not None)
