"""F1 against the quality of translations: human ones, the same with words broken, and a rule-based engine's.

The test sentences of MasakhaNER 2.0 that have a human translation, and what a system makes of them with

- that translation;
- the same with 10, 30 or 50 % of its words dropped, shuffled, replaced by those of other sentences, or repeated;
- the same after it went into Catalan and back through Apertium, which stands for a rough translator;
- none.

How good a translation is, is told by chrF++ (sacrebleu) against the human one. ::

    python benchmarks/robustness.py --data ../shared/data --json robustness.json --plot robustness.svg
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from sacrebleu.metrics.chrf import CHRF

from transfusion.document import AnnotatedText, Document
from transfusion.evaluate.run import GoldSet, load_gold
from transfusion.evaluate.score import Scores, score
from transfusion.pipeline import Pipeline
from transfusion.translate.base import Translator
from transfusion.translate.bind import bind
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.damage import KINDS, Damage, damaged
from transfusion.translate.engines import load_translator

LANGUAGES = ("lug", "pcm", "twi", "ewe", "bbj", "mos", "bam")
LABELS = ("LOC", "ORG", "PER")
SHARES = (0.1, 0.3, 0.5)
SEED = 17

Translations = dict[str, list[Document]]
"""The sentences of each language, with their pivots."""


@dataclass(frozen=True, slots=True)
class Row:
    """One quality of translation.

    :param name: What was done to the translations.
    :param kind: The group that it belongs to.
    :param chrf: chrF++ against the human translations, mean of the languages; ``None`` without translations.
    :param f1: F1 by model, mean of the languages.
    """

    name: str
    kind: str
    chrf: float | None
    f1: dict[str, float]


def read_sentences(data: Path, languages: Sequence[str], limit: int) -> Translations:
    """The translated test sentences of each language, ``limit`` of them drawn by the seed."""
    sentences = {}
    for language in languages:
        folder = data / "masakhaner2" / language
        gold = GoldSet(folder / "test.txt", language, LABELS, folder / "test.translations.jsonl", translated_only=True)
        documents = list(load_gold(gold).documents)
        if limit and len(documents) > limit:
            documents = Random(SEED).sample(documents, limit)
        sentences[language] = documents
    return sentences


def conditions(human: Translations, rough: Translator) -> Iterator[tuple[str, str, Translations | None]]:
    """Name, group and translations of each row."""
    yield "human", "human", human
    for kind in KINDS:
        for share in SHARES:
            yield f"{kind} {share:.0%}", kind, broken(human, kind, share)
    yield "Apertium, to Catalan and back", "Apertium", there_and_back(human, rough)
    yield "none", "none", None


def broken(human: Translations, kind: Damage, share: float) -> Translations:
    """The human translations with some of their words broken."""
    made = {}
    for language, documents in human.items():
        random = Random(SEED)
        strangers = [word for document in documents for word in pivot_of(document).text.split()]
        made[language] = [
            replace(document, pivot=damaged(pivot_of(document), kind, share, random, strangers))
            for document in documents
        ]
    return made


def there_and_back(human: Translations, rough: Translator) -> Translations:
    """The human translations after they went into Catalan and back."""
    made = {}
    for language, documents in human.items():
        pivot = pivot_of(documents[0]).language
        there = bind(rough, pivot, "cat")([pivot_of(document).text for document in documents])
        back = bind(rough, "cat", pivot)([text or "" for text in there])
        made[language] = [
            replace(document, pivot=AnnotatedText(text or "", pivot))
            for document, text in zip(documents, back, strict=True)
        ]
    return made


def pivot_of(document: Document) -> AnnotatedText:
    """The pivot, which is there."""
    assert document.pivot is not None
    return document.pivot


def f1(pipeline: Pipeline, documents: Sequence[Document], gold: Sequence[Document]) -> Scores:
    """What a system finds, scored."""
    blank = (replace(document, source=document.source.with_entities(())) for document in documents)
    found = [document.source.entities for document in pipeline.stream(blank)]
    return score([document.source.entities for document in gold], found, labels=LABELS)


def measure(
    human: Translations, models: Sequence[str], rough: Translator, chrf: CHRF, say: Callable[[str], None]
) -> list[Row]:
    """All rows of the table."""
    fusion = {model: Pipeline.load(model, system="fusion") for model in models}
    direct = {model: Pipeline.load(model, system="direct") for model in models}
    rows = []
    for name, kind, translations in conditions(human, rough):
        systems = direct if translations is None else fusion
        means = {
            model: mean([f1(pipeline, (translations or human)[lang], gold).f1 for lang, gold in human.items()])
            for model, pipeline in systems.items()
        }
        quality = None
        if translations is not None:
            quality = mean(
                [
                    chrf.corpus_score(
                        [pivot_of(document).text for document in translations[lang]],
                        [[pivot_of(document).text for document in gold]],
                    ).score
                    for lang, gold in human.items()
                ]
            )
        rows.append(Row(name, kind, quality, means))
        say(line(rows[-1], models))
    return rows


def mean(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def line(row: Row, models: Sequence[str]) -> str:
    """A row of a Markdown table."""
    cells = [row.name, "" if row.chrf is None else f"{row.chrf:.1f}", *(f"{row.f1[model]:.1f}" for model in models)]
    return f"| {' | '.join(cells)} |"


def plot(rows: Sequence[Row], models: Sequence[str], path: Path) -> None:
    """F1 against chrF++, one line a kind of damage, the last model drawn in full and the others dashed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    human = next(row for row in rows if row.kind == "human")
    alone = next(row for row in rows if row.kind == "none")
    for number, kind in enumerate((*KINDS, "Apertium")):
        points = [human, *(row for row in rows if row.kind == kind)]
        for model in models:
            axes.plot(
                [row.chrf or 0.0 for row in points],
                [row.f1[model] for row in points],
                color=f"C{number}",
                linestyle="-" if model == models[-1] else ":",
                marker="o",
                markersize=4,
                label=f"{kind} ({Path(model).name})" if len(models) > 1 else kind,
            )
    for model in models:
        axes.axhline(alone.f1[model], color="grey", linestyle="-" if model == models[-1] else ":", linewidth=1)
    axes.annotate("without translation", (0.01, alone.f1[models[-1]]), xycoords=("axes fraction", "data"), va="bottom")
    axes.set_xlabel("chrF++ of the translations against human ones")
    axes.set_ylabel("F1, mean of the languages")
    axes.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", action="append", help="model to measure; may be given again")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--limit", type=int, default=250, help="sentences a language; 0 for all")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    models = arguments.model or ["mini"]
    human = read_sentences(arguments.data, arguments.languages.split(","), arguments.limit)
    print(f"{sum(map(len, human.values())):,} sentences in {len(human)} languages")
    print(f"| translations | chrF++ | {' | '.join(Path(model).name for model in models)} |")
    print(f"| --- |{' ---: |' * (1 + len(models))}")
    with TranslationCache() as cache:
        rough = CachedTranslator(load_translator("apertium"), cache)
        chrf = CHRF(word_order=2)
        rows = measure(human, models, rough, chrf, lambda text: print(text, flush=True))
        print(chrf.get_signature())
    if arguments.json:
        record = [{"name": row.name, "chrf": row.chrf, "f1": row.f1} for row in rows]
        arguments.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if arguments.plot:
        plot(rows, models, arguments.plot)


if __name__ == "__main__":
    main()
