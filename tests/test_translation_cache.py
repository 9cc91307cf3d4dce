"""Translations are kept between runs, whatever happens to the runs and to the file."""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from transfusion.cli import cache as command
from transfusion.errors import ConfigError, OutputError, TranslationError
from transfusion.folders import cache_folder
from transfusion.translate.base import FakeTranslator, Translated
from transfusion.translate.cache import FILE, CachedTranslator, TranslationCache
from transfusion.translate.database import Database

SOURCES = Path(__file__).resolve().parents[1] / "src"
GLOSSARY = {"kiša": "rain", "pada": "falls", "u": "in", "zagrebu": "Zagreb", "splitu": "Split"}
RAIN, SPLIT = "Kiša pada u Zagrebu.", "Kiša pada u Splitu."
NEWS = [f"Kiša pada u Zagrebu, {number}. dan." for number in range(200)]
WAY = {"source": "hrv", "target": "eng"}
FROM_FAKE = {"signature": "fake", **WAY}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "translations.sqlite3"


@pytest.fixture
def cache(path: Path) -> Iterator[TranslationCache]:
    with TranslationCache(path, patience=5) as opened:
        yield opened


class WithoutWords(FakeTranslator):
    """An engine that has no translation for what holds no word, and does poorly where it is asked too much."""

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        if any("rat" in text for text in texts):
            raise TranslationError("the engine died")
        made = super().translate(texts, source=source, target=target)
        return [new if any(map(str.isalpha, text)) else None for text, new in zip(texts, made, strict=True)]


class Careful(FakeTranslator):
    """An engine with careful settings."""

    def careful(self) -> FakeTranslator:  # type: ignore[override]
        return FakeTranslator({**self.glossary, "kiša": "the rain"})


def english(number: int) -> str:
    return f"Rain falls in Zagreb, day {number}."


def fill(path: Path, count: int = len(NEWS)) -> dict[str, Translated]:
    """A cache with some news in it, whole on the disk."""
    kept = {text: Translated(english(number), "eng") for number, text in enumerate(NEWS[:count])}
    with TranslationCache(path) as cache:
        cache.put_many(kept, **FROM_FAKE)
    assert not path.with_name(f"{path.name}-wal").exists()
    return kept


def set_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))


def run_program(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )


# What a run asks for.


def test_a_second_run_makes_no_call(path: Path) -> None:
    engine = FakeTranslator(GLOSSARY)
    for run in range(2):
        with TranslationCache(path) as cache:
            translator = CachedTranslator(engine, cache)
            first, second = translator.translate([RAIN, SPLIT], **WAY)
        assert first == Translated("rain falls in Zagreb.", "eng")
        assert second == Translated("rain falls in Split.", "eng")
        assert (translator.hits, translator.misses) == ((0, 2), (2, 0))[run]
    assert engine.calls == [(RAIN, SPLIT)]


def test_only_what_is_missing_is_asked_for_and_what_comes_twice_only_once(cache: TranslationCache) -> None:
    engine = FakeTranslator(GLOSSARY)
    translator = CachedTranslator(engine, cache)
    translator.translate([RAIN], **WAY)
    texts = [SPLIT, RAIN, "Pada.", SPLIT]
    assert translator.translate(texts, **WAY) == FakeTranslator(GLOSSARY).translate(texts, **WAY)
    assert engine.calls == [(RAIN,), (SPLIT, "Pada.")]
    assert (translator.hits, translator.misses) == (2, 3)


def test_engine_and_languages_tell_translations_apart(cache: TranslationCache) -> None:
    kept = {RAIN: Translated("It rains.", "eng")}
    cache.put_many(kept, **FROM_FAKE)
    assert cache.get_many([RAIN], **FROM_FAKE) == kept
    for other in ({"signature": "fake:2"}, {"source": "srp"}, {"target": "deu"}):
        assert cache.get_many([RAIN], **{**FROM_FAKE, **other}) == {}
    # Names that run together to the same letters are still others.
    assert cache.get_many([RAIN], signature="fakehrv", source="", target="eng") == {}


def test_the_wrapper_is_known_by_the_engine_and_is_as_careful_as_it(cache: TranslationCache) -> None:
    assert CachedTranslator(FakeTranslator(GLOSSARY), cache).careful() is None
    translator = CachedTranslator(Careful(GLOSSARY), cache)
    assert translator.signature == Careful(GLOSSARY).signature
    careful = translator.careful()
    assert careful is not None
    assert translator.translate([RAIN], **WAY) == [Translated("rain falls in Zagreb.", "eng")]
    assert careful.translate([RAIN], **WAY) == [Translated("the rain falls in Zagreb.", "eng")]
    assert cache.info().entries == 2


def test_what_an_engine_cannot_translate_is_asked_again(cache: TranslationCache) -> None:
    engine = WithoutWords()
    translator = CachedTranslator(engine, cache)
    for _ in range(2):
        assert translator.translate(["1991.", RAIN], **WAY)[0] is None
    assert engine.calls == [("1991.", RAIN), ("1991.",)]


def test_what_was_translated_before_the_engine_died_is_kept(cache: TranslationCache) -> None:
    translator = CachedTranslator(WithoutWords(), cache, batch_size=2)
    with pytest.raises(TranslationError, match="the engine died"):
        translator.translate([*NEWS[:5], "Počeo je rat."], **WAY)
    assert cache.get_many(NEWS, signature=translator.signature, **WAY).keys() == set(NEWS[:4])


def test_an_engine_that_gives_fewer_translations_than_texts_is_not_believed(cache: TranslationCache) -> None:
    class Forgetful(FakeTranslator):
        def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
            return super().translate(texts, source=source, target=target)[1:]

    with pytest.raises(TranslationError, match=r"'fake:.*gave back 1 translations for 2 texts"):
        CachedTranslator(Forgetful(), cache).translate([RAIN, SPLIT], **WAY)
    assert cache.info().entries == 0


def test_a_batch_holds_at_least_one_text(cache: TranslationCache) -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        CachedTranslator(FakeTranslator(), cache, batch_size=0)


ANY_TEXT = st.text(st.characters() | st.sampled_from("\0\ud83d\ude00\udcff\n😀"))


@settings(max_examples=20)
@given(st.dictionaries(ANY_TEXT, st.builds(Translated, ANY_TEXT, st.sampled_from(["eng", "fra"]))), ANY_TEXT)
def test_any_text_comes_back_as_it_was_even_half_an_emoji(kept: dict[str, Translated], signature: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        with TranslationCache(path) as cache:
            cache.put_many(kept, signature=signature, **WAY)
        with TranslationCache(path) as cache:
            assert cache.get_many(kept, signature=signature, **WAY) == kept
            assert [route.signature for route in cache.info().routes] == [signature] * bool(kept)


# Many at once.


def test_threads_share_a_cache(cache: TranslationCache) -> None:
    translator = CachedTranslator(FakeTranslator(GLOSSARY), cache, batch_size=5)
    parts = [NEWS[begin : begin + 60] for begin in range(0, 160, 20)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda part: translator.translate(part, **WAY), parts))
    assert results == [FakeTranslator(GLOSSARY).translate(part, **WAY) for part in parts]
    assert translator.hits + translator.misses == sum(map(len, parts))
    assert cache.info().entries == 200


# Waits for a line, so that all begin together; then each keeps texts of its own and one that all keep.
WRITER = """
import sys
from pathlib import Path
from transfusion.translate.base import Translated
from transfusion.translate.cache import TranslationCache
path, me = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
way = {"signature": "fake", "source": "hrv", "target": "eng"}
with TranslationCache(path) as cache:
    for number in range(40):
        texts = {f"{me}: {number}": Translated(f"by {me}", "eng"), f"svi: {number}": Translated("by all", "eng")}
        cache.put_many(texts, **way)
        assert cache.get_many(texts, **way) == texts
"""


def test_a_new_file_is_not_taken_for_the_damaged_one_that_was_there_a_moment_ago(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = ("CREATE TABLE words (word TEXT)",)
    path.write_bytes(b"this is no database" * 1000)
    connect = sqlite3.connect
    pulled_away: list[str] = []

    def slow_connect(*args: Any, **settings: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(*args, **settings)
        if not pulled_away:  # another process mends the file before this one has seen what it opened
            pulled_away.append("now")
            path.rename(f"{path}.corrupt-by-another")
            other = Database(path, schema=schema, version=1)
            other.write(lambda at: at.execute("INSERT INTO words VALUES ('kept')"))
            other.close()
        return opened

    monkeypatch.setattr("transfusion.translate.database.sqlite3.connect", slow_connect)
    database = Database(path, schema=schema, version=1)
    assert database.read(lambda at: at.execute("SELECT word FROM words").fetchall()) == [("kept",)]
    assert [aside.name for aside in database.set_aside()] == [f"{path.name}.corrupt-by-another"]
    database.close()


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_share_a_file_even_one_that_must_be_mended_first(path: Path, damaged: bool) -> None:
    if damaged:
        path.write_bytes(b"this is no database" * 1000)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    complaints = ""
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        complaints += writer.communicate(timeout=60)[1]
        assert writer.returncode == 0, complaints
    assert complaints.count("\n") == complaints.count("damaged (file is not a database)") == damaged
    assert len(set_aside(path)) == damaged
    with TranslationCache(path) as cache:
        assert cache.info().entries == 5 * 40


@pytest.mark.parametrize(("failures", "kept"), [(3, True), (99, False)])
def test_a_journal_that_another_process_took_along_is_no_end(path: Path, failures: int, kept: bool) -> None:
    left = [failures]

    def write(connection: sqlite3.Connection) -> bool:
        if left[0]:
            left[0] -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return bool(connection.execute("SELECT 1").fetchone() == (1,))

    database = Database(path, schema=["CREATE TABLE kept (text)"], version=1)
    if kept:
        assert database.write(write)
    else:
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            database.write(write)
    database.close()


def test_a_forked_process_opens_the_file_for_itself(path: Path) -> None:
    program = """
import os, sqlite3, sys
from pathlib import Path
from transfusion.translate.base import Translated
from transfusion.translate.cache import TranslationCache
opened_by, connect = [], sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: opened_by.append(os.getpid()) or connect(*args, **kwargs)
way = {"signature": "fake", "source": "hrv", "target": "eng"}
with TranslationCache(Path(sys.argv[1])) as cache:
    cache.put_many({"pada": Translated("falls", "eng")}, **way)
    child = os.fork()
    name = "dijete" if child == 0 else "roditelj"
    for number in range(50):
        cache.put_many({f"{name} {number}": Translated(name, "eng")}, **way)
    assert cache.get_many(["pada"], **way)
    assert opened_by.count(os.getpid()) == 1
    if child:
        assert os.waitpid(child, 0)[1] == 0
    else:
        cache.close()
        os._exit(0)
"""
    with run_program(program, path) as process:
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    with TranslationCache(path) as cache:
        assert cache.info().entries == 101


# Translates on and on, and tells what its engine was asked for.
KILLED = """
import sys
from pathlib import Path
from transfusion.translate.base import FakeTranslator
from transfusion.translate.cache import CachedTranslator, TranslationCache
class Telling(FakeTranslator):
    def translate(self, texts, /, *, source, target):
        print(*texts, sep="\\n", flush=True)
        return super().translate(texts, source=source, target=target)
with TranslationCache(Path(sys.argv[1])) as cache:
    translator = CachedTranslator(Telling(), cache, batch_size=8)
    translator.translate([f"Dan {number}." for number in range(20_000)], source="hrv", target="eng")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_each_kill_costs_no_more_than_one_batch(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    kills = 3
    for kill in range(kills):
        with run_program(KILLED, path) as process:
            assert process.stdout is not None
            for _ in range(60 + 37 * kill):
                asked.append(process.stdout.readline().strip())
            process.kill()
            rest, complaints = process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert complaints == ""
        asked += rest.split("\n")[:-1]
    engine = FakeTranslator()
    with TranslationCache(path) as cache:
        CachedTranslator(engine, cache).translate(list(dict.fromkeys(asked)), **WAY)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    asked += [text for call in engine.calls for text in call]
    assert len(asked) - len(set(asked)) <= kills * 8
    assert len(set(asked)) > 250
    assert not caplog.records


def test_a_cache_that_nobody_closes_is_closed_when_it_is_let_go(path: Path) -> None:
    cache = TranslationCache(path)
    cache.put_many({RAIN: Translated("It rains.", "eng")}, **FROM_FAKE)
    assert path.with_name(f"{path.name}-wal").exists()
    del cache
    gc.collect()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# Files that are not what they were.


def damaged_header(path: Path) -> None:
    path.write_bytes(b"\xa7" * 100 + path.read_bytes()[100:])


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def random_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 4096] = bytes((7 * place) % 251 for place in range(len(content) - 8192))
    path.write_bytes(content)


def another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


def later_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def missing_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE translations")


def other_words(path: Path) -> None:
    content = path.read_bytes()
    assert content.count(english(7).encode()) == 1
    path.write_bytes(content.replace(english(7).encode(), english(8).encode()))


DAMAGES = [damaged_header, halved, random_middle, another_program, later_version, missing_table, other_words]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_the_run_goes_on(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    damage(path)
    engine = FakeTranslator()
    expected = FakeTranslator().translate(NEWS, **WAY)
    with TranslationCache(path) as cache:
        cache.get_many(NEWS, **FROM_FAKE)
        assert CachedTranslator(engine, cache).translate(NEWS, **WAY) == expected
    with TranslationCache(path) as cache:
        again = CachedTranslator(engine, cache)
        assert again.translate(NEWS, **WAY) == expected
        assert again.misses == 0
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert str(path) in warning.getMessage()
    (aside,) = set_aside(path)
    assert aside.name in warning.getMessage()


def test_a_file_that_breaks_while_it_is_open_is_mended_too(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(path)
    with TranslationCache(path) as cache:
        assert cache.get_many(NEWS[:1], **FROM_FAKE)
        with path.open("r+b") as file:
            file.write(b"\xa7" * path.stat().st_size)
        # SQLite may still have pages in memory; a write makes it look.
        for number in range(3):
            cache.put_many({f"Novo {number}.": Translated("New.", "eng")}, **FROM_FAKE)
            cache.get_many(NEWS, **FROM_FAKE)
        cache.put_many({RAIN: Translated("It rains.", "eng")}, **FROM_FAKE)
        assert cache.get_many([RAIN], **FROM_FAKE)
    assert len(set_aside(path)) == 1
    assert len(caplog.records) == 1


def test_a_file_that_another_process_mended_meanwhile_is_left_alone(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"this is no database" * 1000)
    with (
        closing(sqlite3.connect(f"{path}.guard", isolation_level=None)) as other,
        TranslationCache(path) as cache,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN EXCLUSIVE")
        waiting = pool.submit(cache.get_many, NEWS, **FROM_FAKE)
        time.sleep(0.3)
        kept = fill(tmp_path / "mended")
        (tmp_path / "mended").replace(path)
        other.execute("COMMIT")
        assert waiting.result() == kept
    assert not set_aside(path)
    assert not caplog.records


def test_what_belongs_to_a_damaged_file_goes_with_it(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as other, TranslationCache(path) as cache:
        other.execute("UPDATE translations SET text = 'Sun.' WHERE language = CAST('eng' AS BLOB)")
        other.commit()
        assert cache.get_many(NEWS, **FROM_FAKE) == {}
        (aside, *beside) = set_aside(path)
        assert [file.name.removeprefix(aside.name) for file in beside] == ["-shm", "-wal"]
        # Who has the damaged file open does the new one no harm.
        kept = {RAIN: Translated("It rains.", "eng")}
        cache.put_many(kept, **FROM_FAKE)
        other.execute("DELETE FROM translations")
        other.commit()
        other.close()
        assert cache.get_many([*NEWS, RAIN], **FROM_FAKE) == kept
    with TranslationCache(path) as cache:
        assert cache.get_many([*NEWS, RAIN], **FROM_FAKE) == kept


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / FILE
    fill(path)
    return path.read_bytes()


@settings(max_examples=25)
@given(data=st.data())
def test_no_damage_ends_a_run_or_changes_a_translation(whole_file: bytes, data: st.DataObject) -> None:
    content = bytearray(whole_file)
    for _ in range(data.draw(st.integers(0, 4), label="places")):
        place = data.draw(st.integers(0, len(content) - 1), label="place")
        # Half of what matters most to SQLite stands at the beginning of a page.
        place = data.draw(st.sampled_from([place, place // 4096 * 4096]))
        garbage = data.draw(st.binary(min_size=1, max_size=64), label="garbage")
        content[place : place + len(garbage)] = garbage
    length = data.draw(st.sampled_from([len(content), data.draw(st.integers(0, len(content)))]), label="length")
    expected = {text: Translated(english(number), "eng") for number, text in enumerate(NEWS)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_bytes(content[:length])
        with TranslationCache(path) as cache:
            found = cache.get_many(NEWS, **FROM_FAKE)
            assert found.items() <= expected.items()
            cache.put_many(expected, **FROM_FAKE)
            assert cache.get_many(NEWS, **FROM_FAKE).items() <= expected.items()
            cache.info()


def test_a_run_whose_cache_was_deleted_begins_a_new_one(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TranslationCache(path) as cache:
        cache.put_many({RAIN: Translated("It rains.", "eng")}, **FROM_FAKE)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        assert cache.get_many([RAIN], **FROM_FAKE) == {}
        cache.put_many({SPLIT: Translated("It rains.", "eng")}, **FROM_FAKE)
        assert cache.info().entries == 1
    assert not caplog.records


# Places that cannot be written, and others in the way.


def goes_on_without(cache: TranslationCache, caplog: pytest.LogCaptureFixture) -> None:
    """Two runs over the news come out right, and one warning is given."""
    for _ in range(2):
        translator = CachedTranslator(FakeTranslator(), cache, batch_size=20)
        assert translator.translate(NEWS, **WAY) == FakeTranslator().translate(NEWS, **WAY)
    (warning,) = caplog.records
    assert "going on without" in warning.getMessage()
    assert str(cache.path) in warning.getMessage()


@pytest.mark.parametrize("place", ["file/cache/translations.sqlite3", "folder"])
def test_a_place_that_can_hold_no_file_costs_one_warning(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with TranslationCache(tmp_path / place) as cache:
        goes_on_without(cache, caplog)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o500)
    with TranslationCache(tmp_path / FILE) as cache:
        goes_on_without(cache, caplog)
    tmp_path.chmod(0o700)


def test_a_full_disk_costs_one_warning_and_what_was_kept_is_still_found(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = fill(path, 20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with TranslationCache(path) as cache:
        try:
            # No file may grow beyond this: to a program that is what a full disk looks like.
            resource.setrlimit(resource.RLIMIT_FSIZE, (48 * 1024, before[1]))
            goes_on_without(cache, caplog)
            assert cache.get_many(kept, **FROM_FAKE) == kept
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_process_that_holds_the_file_for_too_long_costs_one_warning(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = fill(path, 5)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, TranslationCache(path, patience=0.05) as cache:
        other.execute("BEGIN IMMEDIATE")
        goes_on_without(cache, caplog)
        assert "locked" in caplog.records[0].getMessage()
        assert cache.get_many(kept, **FROM_FAKE) == kept
        with TranslationCache(path, patience=0.05) as cleaner, pytest.raises(OutputError, match="locked"):
            cleaner.clear()


@pytest.mark.parametrize("new", [False, True])
def test_a_process_that_holds_the_file_for_a_moment_is_waited_for(
    path: Path, new: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not new:
        fill(path, 5)
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
        TranslationCache(path) as cache,
    ):
        # A new file is not in write-ahead mode yet; SQLite waits for nobody when it is to bring it there.
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        release.start()
        cache.put_many({RAIN: Translated("It rains.", "eng")}, **FROM_FAKE)
        release.join()
        assert cache.info().entries == (1 if new else 6)
    assert not caplog.records


# Where it is, what it holds, and how to be rid of it.


def test_the_folder_is_the_users_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSFUSION_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "transfusion"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "transfusion"
    monkeypatch.setenv("TRANSFUSION_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    assert TranslationCache().path == tmp_path / "mine" / FILE
    monkeypatch.setenv("TRANSFUSION_CACHE", "~nobody-of-that-name/mine")
    with pytest.raises(ConfigError, match="Set TRANSFUSION_CACHE"):
        cache_folder()


@pytest.fixture
def two_engines(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with old translations by one engine and new ones by two others."""
    monkeypatch.setenv("TRANSFUSION_CACHE", str(path.parent))
    made = {text: Translated("It rains.", "eng") for text in NEWS}
    with TranslationCache() as cache, monkeypatch.context() as time_machine:
        time_machine.setattr("time.time", lambda: datetime(2001, 5, 17, tzinfo=UTC).timestamp())
        cache.put_many(dict(list(made.items())[:30]), signature="apertium:1", **WAY)
        time_machine.undo()
        cache.put_many(dict(list(made.items())[30:50]), signature="apertium:1", **WAY)
        cache.put_many(dict(list(made.items())[:7]), signature="apertium2:1", source="mkd", target="eng")
        cache.put_many(dict(list(made.items())[:3]), signature="nllb:\ud83d\n", **WAY)
    return path


def test_info_tells_what_is_kept_of_whom(two_engines: Path) -> None:
    record = json.loads(CliRunner().invoke(command.app, ["info", "--json"]).stdout)
    assert record["path"] == str(two_engines)
    assert (record["entries"], record["size_bytes"]) == (60, two_engines.stat().st_size)
    assert [(r["signature"], r["source"], r["entries"]) for r in record["routes"]] == [
        ("apertium2:1", "mkd", 7),
        ("apertium:1", "hrv", 50),
        ("nllb:\ud83d\n", "hrv", 3),
    ]
    assert record["routes"][1]["oldest"] == "2001-05-17T00:00:00+00:00"
    assert datetime.fromisoformat(record["routes"][1]["newest"]) > datetime(2026, 1, 1, tzinfo=UTC)
    lines = CliRunner().invoke(command.app, ["info"]).stdout.splitlines()
    assert lines[0].startswith(str(two_engines))
    assert lines[0].endswith("60 translations")
    assert lines[2].startswith("  hrv → eng: 50, 2001-05-17 to 20")
    assert lines[3].endswith(r"nllb:\xd83d\x0a")
    assert len(lines) == 4


def test_looking_at_nothing_makes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path / "none"))
    assert CliRunner().invoke(command.app, ["info"]).stdout.endswith("0.0 MB  0 translations\n")
    assert CliRunner().invoke(command.app, ["clear", "--yes"]).stdout.startswith("deleted 0 translations")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ([], 60),
        (["--engine", "apertium"], 50),
        (["--engine", "apertium2:1"], 7),
        (["--engine", "nllb:\ud83d\n"], 3),
        (["--engine", "aper"], 0),
        (["--older-than", "365"], 30),
        (["--older-than", "0", "--engine", "apertium2"], 7),
    ],
)
def test_clear_deletes_what_it_was_told_to(two_engines: Path, options: list[str], gone: int) -> None:
    result = CliRunner().invoke(command.app, ["clear", "--yes", *options])
    assert result.exit_code == 0
    assert result.stdout == f"deleted {gone} translations from {two_engines}\n"
    with TranslationCache() as cache:
        assert cache.info().entries == 60 - gone


def test_clear_gives_its_room_back(path: Path) -> None:
    fill(path)
    size = path.stat().st_size
    with TranslationCache(path) as cache:
        assert cache.clear(engine="fake") == len(NEWS)
    assert path.stat().st_size <= size / 2


def test_clear_asks_first(two_engines: Path) -> None:
    arguments = ["clear", "--engine", "nllb", "--older-than", "3"]
    refused = CliRunner().invoke(command.app, arguments, input="n\n")
    assert refused.exit_code == 1
    assert f"Delete translations of nllb that are 3 days old or older from {two_engines}?" in refused.stderr
    assert "deleted 60 translations" in CliRunner().invoke(command.app, ["clear"], input="y\n").stdout


def test_clear_takes_damaged_files_along(two_engines: Path, caplog: pytest.LogCaptureFixture) -> None:
    halved(two_engines)
    with TranslationCache() as cache:
        cache.get_many(NEWS, signature="apertium:1", **WAY)
        cache.clear(older_than=timedelta(0))
    (aside,) = set_aside(two_engines)
    assert aside.name in CliRunner().invoke(command.app, ["info"]).stdout
    assert len(caplog.records) == 1
    CliRunner().invoke(command.app, ["clear", "--yes"])
    assert not set_aside(two_engines)


def test_a_cache_that_cannot_be_read_is_an_error_to_whoever_asks_about_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path))
    (tmp_path / FILE).mkdir()
    for arguments in (["info"], ["clear", "--yes"]):
        result = CliRunner().invoke(command.app, arguments)
        assert result.exit_code == 2
        assert str(tmp_path / FILE) in result.stderr
