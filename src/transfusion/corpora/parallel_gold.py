"""Two gold files whose sentences translate each other: the same spans, labelled by people in both languages.

Universal NER's PUD files hold the same 1,000 sentences in every language, xSID the same requests. Which sentence goes
with which, the files say in three ways:

- xSID gives the English original of each sentence (``# text-en``);
- PUD sentences have the same ``sent_id`` in German, English, Portuguese and Russian;
- the Chinese PUD file has ids of its own and another order: where the English one goes news (n01 … n05), then Wikipedia
  (w01 … w05), it has first all sentences that were written in English (n01, w01) and then those that were translated
  into it (n02 … n05, w02 … w05). Pairing them line by line gives every second sentence a translation of another one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfusion.corpora.columns import GoldFile, read_gold
from transfusion.document import AnnotatedText, Document
from transfusion.errors import FormatError, InputError

_PUD_ID = re.compile(r"[nw]\d{5}-\d{4}")


@dataclass(frozen=True, slots=True)
class ParallelGold:
    """Sentences and their translations, both with gold entities.

    :param annotated: Sentences of the one language.
    :param others: The translation of each.
    :param problems: Lines of either file that could not be read, and sentences that have no counterpart.
    """

    annotated: tuple[AnnotatedText, ...]
    others: tuple[AnnotatedText, ...]
    problems: tuple[FormatError, ...]


def read_parallel_gold(
    annotated: str | Path,
    other: str | Path,
    *,
    annotated_language: str = "eng",
    language: str,
    labels: Collection[str] | None = None,
) -> ParallelGold:
    """Read two gold files in step.

    :param annotated: File of the language that entities will be carried from.
    :param other: File of the language that they will be carried to.
    :param annotated_language: ISO 639-3 code of the first.
    :param language: ISO 639-3 code of the second.
    :param labels: Labels to keep; entities of all others become plain text. ``None`` keeps all.
    :returns: The sentences that stand in both, in the order of the second file.
    :raises InputError: If a file cannot be opened, or nothing says which sentence goes with which.
    :raises FormatError: If a file is in none of the gold formats.
    """
    one = _read(annotated, annotated_language, labels)
    two = _read(other, language, labels)
    pairs = [(found, document) for found, document in zip(counterparts(one, two), two.documents, strict=True) if found]
    problems = [*one.problems, *two.problems]
    if missing := len(two.documents) - len(pairs):
        problems.append(FormatError(f"{missing} sentences have no counterpart in {annotated}; left out", path=other))
    return ParallelGold(
        tuple(found.source for found, _ in pairs), tuple(document.source for _, document in pairs), tuple(problems)
    )


def counterparts(one: GoldFile, two: GoldFile) -> list[Document | None]:
    """For each sentence of the second file, the one of the first that it translates.

    :param one: Sentences of one language.
    :param two: Their translations, perhaps not of all, perhaps in another order.
    :returns: A sentence of the first file for each of the second; ``None`` where there is none.
    :raises InputError: If nothing says which sentence goes with which.
    """
    if all(two.originals):
        return _by_original(one.documents, two.originals)
    by_id = {document.id: document for document in one.documents}
    if any(document.id in by_id for document in two.documents):
        return [by_id.get(document.id) for document in two.documents]
    if len(one.documents) == len(two.documents) and all(_PUD_ID.fullmatch(name) for name in by_id):
        return [*sorted(one.documents, key=_english_first)]
    raise InputError(
        f"{two.path}: nothing here says which sentence translates which of {one.path}: no `# text-en`, no `# sent_id` "
        "that both have, and not the order of Parallel Universal Dependencies"
    )


def _read(path: str | Path, language: str, labels: Collection[str] | None) -> GoldFile:
    try:
        return read_gold(path, language=language, labels=labels)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _by_original(documents: Sequence[Document], originals: Sequence[str | None]) -> list[Document | None]:
    """Sentences by their text; of those that stand there twice, the first goes with the first."""
    waiting: dict[str | None, list[Document]] = {}
    for document in reversed(documents):
        waiting.setdefault(document.source.text, []).append(document)
    return [found.pop() if (found := waiting.get(text)) else None for text in originals]


def _english_first(document: Document) -> tuple[bool, str]:
    """Where a sentence stands in the Chinese file: those written in English first, news before Wikipedia."""
    return document.id[1:3] != "01", document.id[0]
