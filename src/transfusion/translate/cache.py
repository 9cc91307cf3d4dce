"""Translations that were made before, in a file that all runs share.

A translation is found by everything that decides it: the translator's signature, the two languages and the text. Texts
themselves are not kept, only hashes of them; translations are. The file is made to be lost: a damaged one is set aside
and begun anew, and where none can be written a run goes on without (:mod:`~transfusion.translate.database`).
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from transfusion.errors import OutputError, TranslationError
from transfusion.folders import cache_folder
from transfusion.translate.base import Translated, Translator
from transfusion.translate.database import DamageError, Database

log = logging.getLogger(__name__)

FILE = "translations.sqlite3"

_VERSION = 1
# Strings are kept as bytes: SQLite's own refuse lone surrogates, and many of its functions stop at a NUL.
_SCHEMA = (
    """CREATE TABLE routes (
        id INTEGER PRIMARY KEY,
        signature BLOB NOT NULL,
        source BLOB NOT NULL,
        target BLOB NOT NULL,
        UNIQUE (signature, source, target)
    )""",
    """CREATE TABLE translations (
        key BLOB PRIMARY KEY,
        route INTEGER NOT NULL REFERENCES routes,
        text BLOB NOT NULL,
        language BLOB NOT NULL,
        seal BLOB NOT NULL,
        created INTEGER NOT NULL
    ) WITHOUT ROWID""",
)
_KEY_BYTES, _SEAL_BYTES = 20, 8
_ENGINE_END = re.compile(rb"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Route:
    """What the cache holds of one translator from one language to another.

    :param signature: The translator's signature.
    :param source: ISO 639-3 code of the language of the texts.
    :param target: ISO 639-3 code of the language that was asked for.
    :param entries: How many translations there are.
    :param oldest: When the first of them was made, in UTC, to the second.
    :param newest: When the last of them was made.
    """

    signature: str
    source: str
    target: str
    entries: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache holds.

    :param path: Its file, which need not exist.
    :param size_bytes: Size of the file and of what SQLite keeps beside it.
    :param routes: What it holds, by signature and languages.
    :param set_aside: Damaged files that were renamed; nobody reads them any more.
    """

    path: Path
    size_bytes: int
    routes: tuple[Route, ...]
    set_aside: tuple[Path, ...]

    @property
    def entries(self) -> int:
        """How many translations there are in all."""
        return sum(route.entries for route in self.routes)


class TranslationCache:
    """Translations by signature, languages and text.

    Threads may share one; so may the processes of one machine share its file. Several machines need a file each, even
    where they share a home: set ``TRANSFUSION_CACHE`` to a folder that is local to each.

    Where the file cannot be read or written, a warning says so once; from then on nothing is found, or nothing kept.

    :param path: The file; ``translations.sqlite3`` in :func:`~transfusion.folders.cache_folder` if left out.
    :param patience: Seconds to wait for other processes.
    :raises ConfigError: If no path is given and there is no folder for caches.
    """

    def __init__(self, path: Path | None = None, *, patience: float = 30.0) -> None:
        self._database = Database(path or cache_folder() / FILE, schema=_SCHEMA, version=_VERSION, patience=patience)
        self._readable = self._writable = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._database.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def get_many(self, texts: Iterable[str], *, signature: str, source: str, target: str) -> dict[str, Translated]:
        """Look translations up.

        :param texts: Any texts.
        :param signature: The translator's signature.
        :param source: ISO 639-3 code of the language of the texts.
        :param target: ISO 639-3 code of the language wanted.
        :returns: The translations that there are, by text.
        """
        if not self._readable:
            return {}
        keys = _keys(texts, signature, source, target)
        try:
            return self._database.read(lambda connection: _select(connection, keys))
        except (sqlite3.Error, OSError) as error:
            self._readable = self._writable = False
            log.warning("%s: the translations kept here cannot be read (%s); going on without", self.path, error)
            return {}

    def put_many(self, translations: Mapping[str, Translated], *, signature: str, source: str, target: str) -> None:
        """Keep translations: all of them, or none if the process ends before this returns.

        :param translations: Translations by text.
        :param signature: The signature of the translator that made them.
        :param source: ISO 639-3 code of the language of the texts.
        :param target: ISO 639-3 code of the language that was asked for.
        """
        if not translations or not self._writable:
            return
        keys = _keys(translations, signature, source, target)
        route = tuple(map(_encode, (signature, source, target)))
        rows = [(keys[text], *_row(keys[text], translated)) for text, translated in translations.items()]
        try:
            self._database.write(lambda connection: _insert(connection, route, rows))
        except (sqlite3.Error, OSError) as error:
            self._writable = False
            log.warning("%s: translations cannot be kept here (%s); going on without", self.path, error)

    def info(self) -> CacheInfo:
        """Look at what there is.

        :returns: Size and contents.
        :raises OutputError: If the file cannot be read.
        """
        # SQLite keeps more beside the file while it is open.
        size = self._database.size_bytes()
        routes: tuple[Route, ...] = ()
        if self.path.exists():
            try:
                routes = self._database.read(_routes)
            except (sqlite3.Error, OSError) as error:
                raise OutputError(f"{self.path}: cannot be read: {error}") from error
        return CacheInfo(self.path, size, routes, tuple(self._database.set_aside()))

    def clear(self, *, engine: str | None = None, older_than: timedelta | None = None) -> int:
        """Delete translations; without conditions all of them, and the damaged files that were set aside.

        :param engine: Only those of this engine (``nllb``, the name that its signatures begin with), or of this
            signature.
        :param older_than: Only those that were made at least so long ago.
        :returns: How many translations were deleted.
        :raises OutputError: If the file cannot be written.
        """
        latest = sys.maxsize if older_than is None else int(time.time() - older_than.total_seconds())
        deleted = 0
        try:
            if self.path.exists():
                deleted = self._database.write(lambda connection: _delete(connection, engine, latest))
                self._database.shrink()
            if engine is None and older_than is None:
                for path in self._database.set_aside():
                    path.unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"{self.path}: cannot be cleared: {error}") from error
        return deleted


class CachedTranslator:
    """A translator that looks into a cache before it asks another.

    What the other translates is kept at once, some texts at a time, so a run that is killed has little to redo. It
    may be shared between threads if the other translator may.

    :param inner: The translator to ask for what is missing.
    :param cache: Where translations are looked up and kept.
    :param batch_size: How many texts to ask for at a time.
    :raises ValueError: If ``batch_size`` is less than 1.
    """

    def __init__(self, inner: Translator, cache: TranslationCache, *, batch_size: int = 64) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.inner = inner
        self.cache = cache
        self.batch_size = batch_size
        self.hits = 0
        """Texts so far that the inner translator was not asked for: they stood in the cache, or twice in one call."""
        self.misses = 0
        """Texts so far that the inner translator was asked for."""
        self._counting = threading.Lock()

    @property
    def signature(self) -> str:
        """That of the inner translator: where a translation was kept does not change it."""
        return self.inner.signature

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate what was not translated before.

        :param texts: The sentences.
        :param source: ISO 639-3 code of their language.
        :param target: ISO 639-3 code of the language to translate into.
        :returns: One translation for each sentence, in order; ``None`` where the inner translator has none for it,
            which is not kept: it is asked again the next time.
        :raises LanguageError: If something is missing and the inner translator knows no way between these languages.
        :raises TranslationError: If the inner translator failed as a whole, or gave fewer or more translations than it
            was given texts.
        """
        signature = self.inner.signature
        found = self.cache.get_many(texts, signature=signature, source=source, target=target)
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        with self._counting:
            self.hits += len(texts) - len(missing)
        for begin in range(0, len(missing), self.batch_size):
            batch = missing[begin : begin + self.batch_size]
            with self._counting:
                self.misses += len(batch)
            translations = self.inner.translate(batch, source=source, target=target)
            if len(translations) != len(batch):
                raise TranslationError(
                    f"the translator {signature!r:.200} gave back {len(translations)} translations for {len(batch)} "
                    "texts, so nobody can tell which is whose"
                )
            made = {text: new for text, new in zip(batch, translations, strict=True) if new is not None}
            self.cache.put_many(made, signature=signature, source=source, target=target)
            found |= made
        return [found.get(text) for text in texts]

    def careful(self) -> CachedTranslator | None:
        """The inner translator's careful settings, with the same cache.

        :returns: A translator that counts for itself; ``None`` if the inner translator has no such settings.
        """
        careful = self.inner.careful()
        return None if careful is None else CachedTranslator(careful, self.cache, batch_size=self.batch_size)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _keys(texts: Iterable[str], signature: str, source: str, target: str) -> dict[str, bytes]:
    # JSON says where each name ends, so no two lists of names and a text can run together to the same bytes.
    start = blake2b(json.dumps([signature, source, target]).encode(), digest_size=_KEY_BYTES)
    keys = {}
    for text in texts:
        state = start.copy()
        state.update(_encode(text))
        keys[text] = state.digest()
    return keys


def _seal(key: bytes, text: bytes, language: bytes) -> bytes:
    """What shows that a row is as it was written: SQLite itself does not notice other bytes in a text."""
    return blake2b(b"%b%d:%b%b" % (key, len(text), text, language), digest_size=_SEAL_BYTES).digest()


def _row(key: bytes, translated: Translated) -> tuple[bytes, bytes, bytes]:
    text, language = _encode(translated.text), _encode(translated.language)
    return text, language, _seal(key, text, language)


def _select(connection: sqlite3.Connection, keys: Mapping[str, bytes]) -> dict[str, Translated]:
    found = {}
    for text, key in keys.items():
        row = connection.execute("SELECT text, language, seal FROM translations WHERE key = ?", (key,)).fetchone()
        if row is not None:
            content, language, seal = row
            strings = isinstance(content, bytes) and isinstance(language, bytes)
            if not strings or seal != _seal(key, content, language):
                raise DamageError("a translation is not as it was written")
            found[text] = Translated(_decode(content), _decode(language))
    return found


def _insert(connection: sqlite3.Connection, route: tuple[bytes, ...], rows: Iterable[tuple[bytes, ...]]) -> None:
    connection.execute("INSERT OR IGNORE INTO routes (signature, source, target) VALUES (?, ?, ?)", route)
    identity = connection.execute(
        "SELECT id FROM routes WHERE (signature, source, target) = (?, ?, ?)", route
    ).fetchone()
    if identity is None:
        raise DamageError("its index does not lead to what it holds")
    connection.executemany(
        "INSERT OR REPLACE INTO translations (key, text, language, seal, route, created) VALUES (?, ?, ?, ?, ?, ?)",
        [(*row, *identity, int(time.time())) for row in rows],
    )


def _routes(connection: sqlite3.Connection) -> tuple[Route, ...]:
    rows = connection.execute(
        "SELECT signature, source, target, COUNT(*), MIN(created), MAX(created) FROM translations "
        "JOIN routes ON routes.id = route GROUP BY route ORDER BY signature, source, target"
    )
    return tuple(map(_route, rows))


def _route(row: tuple[Any, ...]) -> Route:
    signature, source, target, entries, oldest, newest = row
    try:
        return Route(
            _decode(signature),
            _decode(source),
            _decode(target),
            entries,
            datetime.fromtimestamp(oldest, UTC),
            datetime.fromtimestamp(newest, UTC),
        )
    except (AttributeError, TypeError, ValueError, OverflowError, OSError) as error:
        raise DamageError(f"its list of contents cannot be read: {error}") from error


def _delete(connection: sqlite3.Connection, engine: str | None, latest: int) -> int:
    if engine is None:
        deleted = connection.execute("DELETE FROM translations WHERE created <= ?", (latest,)).rowcount
    else:
        routes = connection.execute("SELECT id, signature FROM routes").fetchall()
        deleted = sum(
            connection.execute("DELETE FROM translations WHERE created <= ? AND route = ?", (latest, identity)).rowcount
            for identity, signature in routes
            if _encode(engine) in (signature, _ENGINE_END.split(signature, maxsplit=1)[0])
        )
    connection.execute("DELETE FROM routes WHERE id NOT IN (SELECT route FROM translations)")
    return deleted
