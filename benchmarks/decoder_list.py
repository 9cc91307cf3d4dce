"""What does a decoder make of the list of its pivot: does it gain by it, and where do its mistakes come from?

The same model reads development sentences of MasakhaNER 2.0 beside their human translations, with the list of the pivot
that it writes itself, with the list of another annotator, and without one. Told are the F1 of each, which gold entities
are found with and without the list, and whether what was missed or wrong stood in the list. ::

    python benchmarks/decoder_list.py --data DATA --model mini-decoder --languages lug ewe bam --limit 60
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from corpus import masakhaner, without_entities
from transfusion.document import Document
from transfusion.evaluate.score import score
from transfusion.pipeline import Pipeline
from transfusion.systems.find import find_systems

ALIKE = 0.6
"""Names of two languages are taken to be the same from this share of common characters, or with four first letters."""

Span = tuple[int, int, str]


def spans(document: Document) -> set[Span]:
    """The entities of a source."""
    return {(entity.start, entity.end, entity.label) for entity in document.source.entities}


def listed(mention: str, label: str, document: Document) -> str:
    """Where a mention of the source stands in the list of the pivot."""
    pivot = document.pivot
    labels = [e.label for e in pivot.entities if alike(pivot.mention(e), mention)] if pivot is not None else []
    return "in the list" if label in labels else "in the list with another label" if labels else "not in the list"


def alike(one: str, other: str) -> bool:
    """Whether two strings may be the same name in two languages."""
    one, other = one.lower(), other.lower()
    return one[:4] == other[:4] or SequenceMatcher(None, one, other).ratio() >= ALIKE


def compare(gold: Document, fused: Document, alone: Document) -> Iterable[str]:
    """What became of each entity, in words.

    :param gold: The sentence with its gold entities.
    :param fused: As the model reads it with a list.
    :param alone: As the model reads it without one.
    :yields: A line for each gold entity, each that was missed and each that is wrong.
    """
    true, found, without = spans(gold), spans(fused), spans(alone)
    for span in true:
        with_list, alone_too = span in found, span in without
        yield f"gold: {'found' if with_list else 'missed'} with the list, {'found' if alone_too else 'missed'} without"
    for start, end, label in true - found:
        yield f"missed: {listed(gold.source.text[start:end], label, fused)}"
    for start, end, label in found - true:
        also = ", as without the list" if (start, end, label) in without else ""
        yield f"wrong: {listed(fused.source.text[start:end], label, fused)}{also}"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--model", default="mini-decoder")
    parser.add_argument("--annotator", default="mini", help="what else makes lists")
    parser.add_argument("--languages", nargs="+", default=["lug", "ewe", "bam"])
    parser.add_argument("--limit", type=int, default=60, help="sentences a language")
    options = parser.parse_args()

    model = find_systems(options.model)
    own, none = (Pipeline.load(model, system=system) for system in ("fusion", "untagged"))
    other = Pipeline([find_systems(options.annotator).annotation()])
    became: Counter[str] = Counter()
    print("| language | own list | list of another | no list |\n| --- | ---: | ---: | ---: |", flush=True)
    for language in options.languages:
        sentences = masakhaner(options.data, language, "dev", translated=True, limit=options.limit)
        gold, blank = sentences.documents, without_entities(sentences)
        fused, alone = list(own.stream(blank)), list(none.stream(blank))
        guided = list(own.stream(other.stream(blank)))
        figures = " | ".join(f"{f1(gold, read):.1f}" for read in (fused, guided, alone))
        print(f"| {language} | {figures} |", flush=True)
        for three in zip(gold, fused, alone, strict=True):
            became.update(compare(*three))
    print()
    for what, count in sorted(became.items()):
        print(f"{count:5} {what}")


def f1(gold: Sequence[Document], read: Sequence[Document]) -> float:
    """Strict micro-F1, 0 to 100."""
    return score([one.source.entities for one in gold], [one.source.entities for one in read]).f1


if __name__ == "__main__":
    main()
