"""A corpus translated twice, by an engine and then from the cache; and look-ups per second in a large cache.

Both runs go through ``CachedTranslator.translate`` in batches, the first with an empty cache; the second opens the file
anew.  The engine is warmed up by one sentence that is not in the corpus.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transfusion.corpora.columns import read_gold
from transfusion.translate.base import Translated, Translator
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.engines import load_translator


class CountingTranslator:
    """A translator that counts how often it is called.

    :param inner: The translator that does the work.
    """

    def __init__(self, inner: Translator) -> None:
        self.inner = inner
        self.calls = 0

    @property
    def signature(self) -> str:
        """That of the inner translator."""
        return self.inner.signature

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate, and count."""
        self.calls += 1
        return self.inner.translate(texts, source=source, target=target)

    def careful(self) -> Translator | None:
        """The careful settings of the inner translator."""
        return self.inner.careful()


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over the corpus.

    :param seconds: Wall-clock seconds inside ``CachedTranslator.translate``.
    :param calls: Calls of the engine.
    :param hits: Sentences that came from the cache.
    """

    seconds: float
    calls: int
    hits: int


def run(path: Path, engine: CountingTranslator, texts: Sequence[str], batch_size: int, way: dict[str, str]) -> Run:
    """Translate the corpus.

    :param path: File of the cache.
    :param engine: What to ask for sentences that are not in it.
    :param texts: The sentences of the corpus.
    :param batch_size: Sentences a call.
    :param way: ``source`` and ``target``, ISO 639-3.
    :returns: What it took.
    """
    engine.calls = 0
    with TranslationCache(path) as cache:
        translator = CachedTranslator(engine, cache)
        begun = time.perf_counter()
        for begin in range(0, len(texts), batch_size):
            translator.translate(texts[begin : begin + batch_size], **way)
        return Run(time.perf_counter() - begun, engine.calls, translator.hits)


def lookups_per_second(folder: Path, entries: int, lookups: int, batch_size: int) -> float:
    """Look made-up sentences up, all of them kept, drawn by lot from a large cache.

    :param folder: Where the cache is made.
    :param entries: Translations in it.
    :param lookups: How many to look up.
    :param batch_size: How many at a time.
    :returns: Look-ups per second.
    """
    way = {"signature": "made-up", "source": "hrv", "target": "eng"}
    translation = Translated(
        "A sentence of news of about the usual length, which says what happened and to whom.", "eng"
    )
    with TranslationCache(folder / "large.sqlite3") as cache:
        for begin in range(0, entries, 1000):
            cache.put_many({f"{number}": translation for number in range(begin, min(begin + 1000, entries))}, **way)
    wanted = [str(number) for number in random.Random(7).choices(range(entries), k=lookups)]
    with TranslationCache(folder / "large.sqlite3") as cache:
        begun = time.perf_counter()
        found = sum(
            len(cache.get_many(batch, **way)) == len(set(batch))
            for batch in (wanted[begin : begin + batch_size] for begin in range(0, lookups, batch_size))
        )
        seconds = time.perf_counter() - begun
    assert found == -(-lookups // batch_size)
    return lookups / seconds


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with uner/")
    parser.add_argument("--corpus", default="hr_set", help="which of the treebanks in uner/ (default: hr_set)")
    parser.add_argument("--translator", default="apertium", help="engine, as `transfusion translate` takes it")
    parser.add_argument("--source", default="hrv", help="language of the corpus (default: hrv)")
    parser.add_argument("--target", default="eng", help="language to translate into (default: eng)")
    parser.add_argument("--batch-size", type=int, default=256, help="sentences a call (default: 256)")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--entries", type=int, default=200_000, help="translations in the large cache")
    parser.add_argument("--lookups", type=int, default=100_000)
    options = parser.parse_args()

    files = sorted((options.data / "uner").glob(f"{options.corpus}-*.iob2"))
    documents = [document for path in files for document in read_gold(path, language=options.source).documents]
    texts = list(dict.fromkeys(document.source.text for document in documents))
    way = {"source": options.source, "target": options.target}
    engine = CountingTranslator(load_translator(options.translator))
    engine.translate(["Dobro jutro."], **way)
    print(f"{len(texts):,} different sentences of {', '.join(path.name for path in files)}; {engine.signature:.60}")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for repetition in range(options.repetitions):
            path = Path(folder) / f"{repetition}.sqlite3"
            first, second = (run(path, engine, texts, options.batch_size, way) for _ in range(2))
            ratios.append(first.seconds / second.seconds)
            print(
                f"first run: {first.calls} calls of the engine, {first.seconds:.2f} s; "
                f"second: {second.calls} calls, {second.hits:,} hits, {1000 * second.seconds:.0f} ms",
                flush=True,
            )
        print(f"times as fast: median {statistics.median(ratios):.0f}, min {min(ratios):.0f}, max {max(ratios):.0f}")
        speed = lookups_per_second(Path(folder), options.entries, options.lookups, options.batch_size)
        print(f"{speed:,.0f} look-ups per second among {options.entries:,} translations")


if __name__ == "__main__":
    main()
