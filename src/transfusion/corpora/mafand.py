"""Parallel news of MAFAND-MT: texts in African languages and their English or French originals.

Adelani et al., *A Few Thousand Translations Go a Long Way!*, NAACL 2022. Files ``<pivot>-<language>/<split>.json`` hold
one ``{"translation": {"<pivot>": …, "<language>": …}}`` a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from transfusion.corpora.columns import numbered_lines
from transfusion.document import AnnotatedText, Document
from transfusion.errors import FormatError, InputError

_PIVOTS = {"en": "eng", "fr": "fra"}
"""ISO 639-3 codes of the pivots, which the files name by two letters."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its counterpart in the pivot language.

    :param id: Folder, split and line: ``en-lug-train-12``.
    :param source: Text in the African language.
    :param pivot: Text in the pivot language.
    :param source_language: ISO 639-3 code.
    :param pivot_language: ISO 639-3 code.
    """

    id: str
    source: str
    pivot: str
    source_language: str
    pivot_language: str

    def to_document(self) -> Document:
        """The pair as a document with a translation and no entities."""
        return Document(
            self.id, AnnotatedText(self.source, self.source_language), AnnotatedText(self.pivot, self.pivot_language)
        )


@dataclass(frozen=True, slots=True)
class PairFile:
    """What a file of pairs held.

    :param path: The file.
    :param pairs: Its pairs, in the order of the file.
    :param empty: Number of lines with nothing on one side or on both.
    :param problems: Lines that could not be read; the rest of the file was read all the same.
    """

    path: Path
    pairs: tuple[Pair, ...]
    empty: int
    problems: tuple[FormatError, ...]


def read_pairs(path: str | Path) -> PairFile:
    """Read the pairs of one file; texts are stripped of whitespace at both ends.

    :param path: ``<pivot>-<language>/<split>.json``; the folder's name says which languages.
    :returns: The pairs, and the count of what was left out.
    :raises InputError: If the folder is not named after two languages.
    :raises OSError: If the file cannot be opened.
    """
    path = Path(path)
    pivot_key, separator, language = path.parent.name.partition("-")
    if not (separator and pivot_key and language):
        raise InputError(
            f"{path}: the folder must be named <pivot>-<language>, such as en-lug, not {path.parent.name!r}"
        )
    pairs: list[Pair] = []
    problems: list[FormatError] = []
    empty = 0
    with path.open("rb") as stream:
        for line, text in numbered_lines(stream, path=path, on_problem=problems.append):
            if not text.strip():
                empty += 1
                continue
            try:
                pivot, source = _sides(text, pivot_key, language)
            except ValueError as error:
                problems.append(FormatError(str(error), path=path, line=line))
                continue
            if not (pivot and source):
                empty += 1
                continue
            pairs.append(
                Pair(
                    f"{path.parent.name}-{path.stem}-{line}", source, pivot, language, _PIVOTS.get(pivot_key, pivot_key)
                )
            )
    return PairFile(path, tuple(pairs), empty, tuple(problems))


def find_pair_files(folder: str | Path, split: str) -> list[Path]:
    """The files of one split in all language pairs, in the order of their names.

    :param folder: Folder that holds ``<pivot>-<language>`` folders.
    :param split: ``train``, ``dev`` or ``test``.
    :returns: Paths; none where the split is missing.
    """
    return sorted(Path(folder).glob(f"*-*/{split}.json"))


def _sides(text: str, pivot_key: str, language: str) -> tuple[str, str]:
    """Pivot and source text of a line.

    :param text: The line.
    :param pivot_key: Key of the pivot side.
    :param language: Key of the source side.
    :returns: Pivot text and source text.
    :raises ValueError: If the line is not a translation between the two.
    """
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    translation = record.get("translation") if isinstance(record, dict) else None
    if not isinstance(translation, dict):
        raise ValueError('no object under "translation"')
    sides = (translation.get(pivot_key), translation.get(language))
    if not (isinstance(sides[0], str) and isinstance(sides[1], str)):
        raise ValueError(f"no text for {pivot_key!r} and {language!r}; the line has {sorted(translation)}")
    return sides[0].strip(), sides[1].strip()
