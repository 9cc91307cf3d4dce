"""A SQLite file that mends itself: for what can be made again, shared by threads and processes.

A process may be killed at any moment: SQLite undoes what it had half done. A damaged file is renamed and a new one
begun, since losing a cache costs time and a run that ends costs more.
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# Our statements do not change, so one that SQLite does not understand (ERROR) or that gives a row of the wrong shape
# means that the tables are not ours any more.
_DAMAGE = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_TOOBIG,
}
_SIDE_FILES = ("-wal", "-shm", "-journal")
_MOST_PULLED_AWAY = 5
"""So often in a row an error of reading or writing is put down to another process rather than to the disk."""


class DamageError(sqlite3.DatabaseError):
    """The file holds something that was never written to it so."""


class Database:
    """A SQLite file in write-ahead mode, where the file system has it.

    The file is opened when it is first needed and, after :meth:`close` or in a forked process, again; it is closed at
    the latest when nobody holds this object any more. One connection serves all threads, one after the other.

    Write-ahead mode is for the processes of one machine. Machines that share a network folder need a file each.

    :param path: The file; it and its folder are made when needed.
    :param schema: Statements that make the tables.
    :param version: Number of the schema, at least 1. A file with another number is set aside like a damaged one.
    :param patience: Seconds to wait for other processes.
    """

    def __init__(self, path: Path, *, schema: Sequence[str], version: int, patience: float = 30.0) -> None:
        self.path = path.absolute()
        self.schema = tuple(schema)
        self.version = version
        self.patience = patience
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._identity: tuple[int, int] | None = None
        self._of_parent: sqlite3.Connection | None = None

    def read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Read the state of one moment.

        :param action: What to do; it may be called again where the file had to be mended.
        :returns: What the action returned.
        :raises sqlite3.Error: If the file cannot be read, or other processes keep it for too long.
        :raises OSError: If its folder cannot be made, or a damaged file cannot be renamed.
        """
        return self._persist(lambda: self._transaction("BEGIN", action))

    def write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Change all that the action changes, or nothing.

        :param action: What to do; it may be called again where the file had to be mended.
        :returns: What the action returned.
        :raises sqlite3.Error: If the file cannot be written, or other processes keep it for too long.
        :raises OSError: If its folder cannot be made, or a damaged file cannot be renamed.
        """
        return self._persist(lambda: self._transaction("BEGIN IMMEDIATE", action))

    def shrink(self) -> None:
        """Give the room of what was deleted back to the file system, where nobody is in the way."""
        with suppress(sqlite3.OperationalError):
            self._persist(lambda: self._connected().execute("VACUUM"))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._disconnect()

    def size_bytes(self) -> int:
        """Size of the file and of what SQLite keeps beside it."""
        sizes = 0
        for suffix in ("", *_SIDE_FILES):
            with suppress(FileNotFoundError):
                sizes += Path(f"{self.path}{suffix}").stat().st_size
        return sizes

    def set_aside(self) -> list[Path]:
        """Damaged files that were renamed, with what belongs to them, oldest first."""
        return sorted(self.path.parent.glob(f"{self.path.name}.corrupt-*"))

    def _persist(self, action: Callable[[], T]) -> T:
        """Try again while others keep the file, when its journal was pulled away, and once more after mending it."""
        mended = False
        pulled_away = 0
        deadline = time.monotonic() + self.patience
        with self._lock:
            while True:
                try:
                    return action()
                except sqlite3.Error as error:
                    if _code(error) in _BUSY and time.monotonic() < deadline:
                        time.sleep(random.uniform(0.01, 0.05))
                        continue
                    if _lost_its_journal(error) and pulled_away < _MOST_PULLED_AWAY:
                        pulled_away += 1
                        self._disconnect()
                        time.sleep(random.uniform(0.01, 0.05))
                        continue
                    if mended or not (_is_damage(error) or self._was_replaced()):
                        raise
                    self._mend(error)
                    mended = True

    def _transaction(self, begin: str, action: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connected()
        connection.execute(begin)
        try:
            result = action(connection)
            connection.execute("COMMIT")
        except BaseException:
            # After some errors SQLite has rolled back by itself.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _connected(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # SQLite's locks belong to the process that took them: a child must neither use nor close the connection.
            self._of_parent, self._connection = self._connection, None
            self._process = os.getpid()
        if self._connection is not None and self._was_replaced():
            self._disconnect()
        if self._connection is None:
            self._connection = self._open()
            self._closing = weakref.finalize(self, _close, self._connection, self._process)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = self._connect()
        try:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # A file system without shared memory keeps the journal that SQLite begins with.
                if _code(error) in _BUSY:
                    raise
            connection.execute("PRAGMA synchronous = NORMAL")
            if _version(connection) != self.version:
                self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        """Open the file, and know for certain which one that was."""
        while True:
            before = _identity(self.path)
            connection = sqlite3.connect(
                self.path, timeout=self.patience, isolation_level=None, check_same_thread=False
            )
            self._identity = _identity(self.path)
            if before in (None, self._identity):
                return connection
            # Another process has put a new file in the place of a damaged one: which of them is open, nobody knows.
            connection.close()

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been quicker.
        if (version := _version(connection)) != self.version:
            if version or connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() != (0,):
                raise DamageError(f"its schema has version {version}, not {self.version}")
            for statement in self.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self.version:d}")
        connection.execute("COMMIT")

    def _was_replaced(self) -> bool:
        """Whether the file that was opened is no longer the one of that name."""
        return _identity(self.path) != self._identity

    def _mend(self, reason: Exception) -> None:
        """Rename the file, unless another process has done so."""
        self._disconnect()
        if self._was_replaced():
            return
        # The lock on a file beside it keeps two processes from renaming one after the other, the second a good file.
        with closing(sqlite3.connect(f"{self.path}.guard", timeout=self.patience, isolation_level=None)) as guard:
            guard.execute("BEGIN EXCLUSIVE")
            if self._was_replaced():
                return
            aside = f"{self.path}.corrupt-{datetime.now():%Y%m%dT%H%M%S%f}"
            for suffix in (*_SIDE_FILES, ""):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        log.warning("%s: damaged (%s); set aside as %s, and a new one begun", self.path, reason, Path(aside).name)

    def _disconnect(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._closing()
            self._connection = None


def _close(connection: sqlite3.Connection, process: int) -> None:
    if process == os.getpid():
        connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that gets its name later; ``None`` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _code(error: Exception) -> int | None:
    """SQLite's primary result code, of the errors that come from SQLite."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _lost_its_journal(error: Exception) -> bool:
    """Whether a process that closed or renamed a damaged file may have taken the journal of the new one along."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_WRITE
    return _code(error) == sqlite3.SQLITE_IOERR and not full and not _is_damage(error)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, DamageError):
        return True
    return _code(error) in _DAMAGE or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ
