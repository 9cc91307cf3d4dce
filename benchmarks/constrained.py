"""Constrained projection with a causal language model that was never trained to translate, beside word alignment.

    python benchmarks/constrained.py MODEL [--gguf FILE] --data DATA [--languages de pt] [--pairs 50] [--exact]

MODEL is a folder with a language model, Gemma-3-270M for one.  English gold entities of UNER PUD are carried to the
first short sentences of other languages and scored against their own gold; how many marked translations the model had
to score for a span says what the search costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from transfusion.corpora.parallel_gold import ParallelGold, read_parallel_gold
from transfusion.encoder.model import EncoderModel
from transfusion.evaluate.projection import ProjectionScores, project_gold, score_projections, to_markdown
from transfusion.project.align import AlignProjector
from transfusion.project.constrained import ConstrainedProjector, ConstrainedSettings, TargetScorer
from transfusion.translate.causal_scoring import CausalScorer

PUD = {"de": "deu", "pt": "por", "ru": "rus", "zh": "zho"}


class CountingScorer:
    """Counts the texts that a model scores."""

    def __init__(self, scorer: TargetScorer) -> None:
        self.scorer = scorer
        self.count = 0

    def token_log_probabilities(
        self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
    ) -> list[list[tuple[int, int, float]]]:
        """Score translations; see :class:`~transfusion.project.constrained.TargetScorer`."""
        self.count += len(targets)
        return self.scorer.token_log_probabilities(sources, targets, source=source, target=target)


def read(options: argparse.Namespace, name: str) -> ParallelGold:
    """Pairs of which the English sentence has entities and is short enough."""
    files = (options.data / "uner" / f"{code}_pud-ud-test.iob2" for code in ("en", name))
    gold = read_parallel_gold(*files, language=PUD[name])
    pairs = [
        (one, other)
        for one, other in zip(gold.annotated, gold.others, strict=True)
        if one.entities and len(one.text) <= options.longest
    ][: options.pairs]
    return replace(gold, annotated=tuple(one for one, _ in pairs), others=tuple(other for _, other in pairs))


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with a causal language model")
    parser.add_argument("--gguf", help="name of a GGUF file in that folder, if that holds the model")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--languages", nargs="*", default=["de", "pt"], choices=sorted(PUD))
    parser.add_argument("--pairs", type=int, default=50, help="sentences of each language (default: 50)")
    parser.add_argument("--longest", type=int, default=100, help="characters of an English sentence (default: 100)")
    parser.add_argument("--slack", type=float, default=ConstrainedSettings().slack)
    parser.add_argument("--exact", action="store_true", help="take nothing for granted, whatever it costs")
    parser.add_argument("--threshold", type=float, default=ConstrainedSettings().threshold)
    options = parser.parse_args()

    encoder = EncoderModel.load("mini")
    scorer = CountingScorer(CausalScorer.load(options.model, gguf_file=options.gguf))
    settings = ConstrainedSettings(slack=None if options.exact else options.slack, threshold=options.threshold)
    results: dict[str, dict[str, ProjectionScores]] = {"align": {}, "constrained": {}}
    for name in options.languages:
        gold = read(options, name)
        results["align"][PUD[name]] = score_projections(gold, project_gold(AlignProjector(encoder), gold))
        scorer.count, begun = 0, time.monotonic()
        projections = project_gold(ConstrainedProjector(scorer, settings), gold)
        results["constrained"][PUD[name]] = score_projections(gold, projections)
        spans = sum(len(text.entities) for text in gold.annotated)
        print(
            f"{PUD[name]}: {len(gold.others)} sentences, {spans} spans, {scorer.count / spans:.1f} texts scored and "
            f"{(time.monotonic() - begun) / spans:.1f} s for each span, "
            f"{sum(bool(found.notes) for found in projections)} sentences with notes",
            flush=True,
        )
    print("\n" + to_markdown(results))


if __name__ == "__main__":
    main()
