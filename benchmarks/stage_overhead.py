"""What the first stage takes beside the engine: sentences, cache, quality signs and offsets.

The engine's time is measured inside of it, that of the whole stage outside; the difference is the overhead, as a share
of the engine's time. With a fast engine (Apertium) and, where ``--translator`` names one, with a slow one. ::

    python benchmarks/stage_overhead.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus import without_entities
from transfusion.document import Document
from transfusion.evaluate.run import GoldSet, load_gold
from transfusion.translate.base import Translated, Translator
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.engines import load_translator
from transfusion.translate.stage import TranslateSource


class Timed:
    """An engine that knows how long it took.

    :param inner: The engine.
    """

    def __init__(self, inner: Translator) -> None:
        self.inner = inner
        self.seconds = 0.0

    @property
    def signature(self) -> str:
        """That of the engine."""
        return self.inner.signature

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        """Translate, and look at the clock before and after."""
        begun = time.perf_counter()
        try:
            return self.inner.translate(texts, source=source, target=target)
        finally:
            self.seconds += time.perf_counter() - begun

    def careful(self) -> Translator | None:
        """That of the engine; its time would count as overhead, so it is left out here."""
        return None


def measure(engine: Translator, documents: Sequence[Document]) -> tuple[float, float]:
    """Seconds in the engine, and seconds of the whole stage, with an empty cache."""
    timed = Timed(engine)
    with TemporaryDirectory() as folder, TranslationCache(Path(folder) / "cache.sqlite3") as cache:
        stage = TranslateSource(CachedTranslator(timed, cache))
        begun = time.perf_counter()
        for _ in stage(documents):
            pass
        return timed.seconds, time.perf_counter() - begun


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with uner/")
    parser.add_argument("--translator", default="apertium", help="the engine (default: apertium)")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    gold = GoldSet(options.data / "uner" / "hr_set-ud-test.iob2", "hrv", ("LOC", "ORG", "PER"))
    documents = without_entities(load_gold(gold))[: options.documents]
    engine = load_translator(options.translator)
    measure(engine, documents[:2])  # starts the engine
    for _ in range(options.repetitions):
        inside, whole = measure(engine, documents)
        beside = whole - inside
        print(
            f"{len(documents)} sentences: engine {inside:.2f} s, the rest of the stage {beside:.2f} s "
            f"({1000 * beside / len(documents):.2f} ms a sentence), {100 * beside / inside:.1f} % of the engine's time"
        )


if __name__ == "__main__":
    main()
