"""Which sentences must not be trained on, since a dev or test file holds them.

MAFAND-MT and MasakhaNER share sentences, one as natural text and the other tokenised, so they are compared by their
letters and digits alone.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from transfusion.corpora.columns import numbered_lines, read_gold
from transfusion.corpora.mafand import find_pair_files, read_pairs
from transfusion.corpora.rows import read_blocks
from transfusion.errors import FormatError, InputError


def fingerprint(text: str) -> str:
    """Letters and digits of a text in lower case, without spaces, punctuation and accents.

    Two texts that differ in tokenisation, quotes, Unicode normal form or tone marks have the same fingerprint; that is
    wider than equality on purpose, for a pair dropped in vain costs less than a test sentence trained on.

    :param text: Any text.
    :returns: Its fingerprint; empty where the text has no letters or digits.
    """
    letters = "".join(character for character in text if character.isalnum())
    return "".join(part for part in unicodedata.normalize("NFKD", letters).casefold() if part.isalnum())


def held_out_fingerprints(folder: str | Path) -> set[str]:
    """Fingerprints of every sentence in a dev or test file, and of its translations.

    Read are MasakhaNER 2.0 and the translations beside it, MAFAND-MT (both sides), CoNLL-2003, Universal NER and xSID
    (with the English it was translated from). A pair may be trained on if neither of its sides is in the set.

    :param folder: Folder that holds ``masakhaner2``, ``mafand``, ``conll2003-en``, ``uner`` and ``xsid``; any of them
        may be missing.
    :returns: Fingerprints, the empty one never among them.
    :raises InputError: If no dev or test file is there at all: training would hold nothing out.
    :raises FormatError: If one of the files cannot be read.
    """
    folder = Path(folder)
    prints = {fingerprint(text) for text in _held_out_texts(folder)} - {""}
    if not prints:
        raise InputError(f"{folder}: no dev or test files to hold out; expected folders such as masakhaner2 and mafand")
    return prints


def _held_out_texts(folder: Path) -> Iterator[str]:
    for split in ("dev", "test"):
        for path in sorted([*folder.glob(f"masakhaner2/*/{split}.txt"), *folder.glob(f"conll2003-en/{split}.txt")]):
            yield from (document.source.text for document in read_gold(path, language="und").documents)
        for path in sorted(folder.glob(f"masakhaner2/*/{split}.translations.jsonl")):
            yield from _translations(path)
        for path in find_pair_files(folder / "mafand", split):
            for pair in read_pairs(path).pairs:
                yield pair.source
                yield pair.pivot
    # xSID calls its dev files "valid"; Universal NER gives only dev and test files here, train files are not held out.
    numbered = [*folder.glob("uner/*-dev.iob2"), *folder.glob("uner/*-test.iob2")]
    numbered += [*folder.glob("xsid/*.valid.conll"), *folder.glob("xsid/*.test.conll")]
    for path in sorted(numbered):
        with path.open("rb") as stream:
            for block in read_blocks(numbered_lines(stream, path=path)):
                yield from (block.comments[key] for key in ("text", "text-en") if key in block.comments)


def _translations(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        for number, line in numbered_lines(stream, path=path):
            try:
                record = json.loads(line)
                if record is not None:
                    yield record["text"]
            except (ValueError, TypeError, KeyError) as error:
                raise FormatError(
                    f'neither {{"text", "language"}} nor null: {line[:80]!r}', path=path, line=number
                ) from error
