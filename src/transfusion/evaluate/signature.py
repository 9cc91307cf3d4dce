"""What made a number: the signature that every score carries, as sacrebleu's do.

``f1:strict-micro|labels:LOC+ORG+PER|lang:lug|system:fusion|model:mini@1f0c2a7d|translations:test.translations.jsonl@77…``
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from transfusion.errors import InputError

_DIGITS = 8
"""Hexadecimal digits of a hash that are shown: enough to tell apart the files of one project."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything that must be the same for two scores to be comparable, or named as the difference.

    :param labels: Labels scored.
    :param language: ISO 639-3 code of the test set.
    :param system: ``fusion``, ``direct``, ``projection``, …
    :param model: Name and hash of an encoder, as :func:`name_and_hash` gives them; of another model, its signature and
        a digest of the schema that it is shown.
    :param gold: Name and hash of the gold file.
    :param documents: Number of documents scored.
    :param version: Version of this package.
    :param translations: Name and hash of the file of translations; ``None`` without one.
    :param translator: Signature of the engine that translated what the file did not; ``None`` without one.
    :param seed: Seed, for a system that draws; ``None`` for one that does not.
    """

    labels: tuple[str, ...]
    language: str
    system: str
    model: str
    gold: str
    documents: int
    version: str
    translations: str | None = None
    translator: str | None = None
    seed: int | None = None

    def to_dict(self) -> dict[str, str]:
        """The parts by their short names, in the order of the text form; parts that do not apply are left out."""
        parts = {
            "f1": "strict-micro",
            "labels": "+".join(sorted(self.labels)),
            "lang": self.language,
            "system": self.system,
            "model": self.model,
            "translations": self.translations,
            "translator": self.translator,
            "gold": self.gold,
            "seed": None if self.seed is None else str(self.seed),
            "n": str(self.documents),
            "v": self.version,
        }
        return {key: value for key, value in parts.items() if value is not None}

    def __str__(self) -> str:
        # Names are files' and users' to choose; the separators must stay ours.
        return "|".join(f"{key}:{value.replace('|', '_')}" for key, value in self.to_dict().items())


def name_and_hash(path: str | Path, *, name: str | None = None) -> str:
    """Name of a file or folder with a short hash of what it holds: ``test.txt@3f8a01bc``.

    A folder's hash covers the names and contents of all its files, in order, hidden ones left out.

    :param path: A file or a folder.
    :param name: Name to show in place of the path's own.
    :returns: Name, ``@`` and the first digits of a SHA-256.
    :raises InputError: If the path does not exist or cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            digest = hashlib.sha256()
            for file in _files(path):
                digest.update(f"{file.relative_to(path).as_posix()}\0{_hash(file)}\0".encode())
            value = digest.hexdigest()
        else:
            value = _hash(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return f"{name or path.resolve().name}@{value[:_DIGITS]}"


def _files(folder: Path) -> Collection[Path]:
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not any(p.startswith(".") for p in file.relative_to(folder).parts))


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
