"""What 8-bit weights cost and gain: F1 and speed of two exports of one network."""

from __future__ import annotations

import argparse
from pathlib import Path

from corpus import LABELS, first, masakhaner, timed
from transfusion import Pipeline
from transfusion.evaluate.run import GoldSet, load_gold


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--float", required=True, help="folder of the model with float weights")
    parser.add_argument("--int8", required=True, help="folder of the model with 8-bit weights")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--language", default="lug", help="language of MasakhaNER 2.0 with human translations")
    parser.add_argument("--limit", type=int, default=0, help="read only so many sentences of each set; 0 for all")
    options = parser.parse_args()
    english = load_gold(GoldSet(options.data / "conll2003-en" / "test.txt", "eng", LABELS))
    sets = {
        "CoNLL-2003 English test, annotating": ("direct", first(english, options.limit)),
        f"MasakhaNER 2.0 {options.language} dev, fusion": (
            "fusion",
            masakhaner(options.data, options.language, "dev", translated=True, limit=options.limit),
        ),
    }
    for name, (system, gold) in sets.items():
        scores, speeds = zip(
            *(timed(Pipeline.load(model, system=system), gold) for model in (options.float, options.int8)), strict=True
        )
        print(f"{name} ({len(gold.documents)} sentences)")
        for kind, result, speed in zip(("float", "int8"), scores, speeds, strict=True):
            print(f"  {kind:5}  F1 {result.f1:5.2f}  {speed:6.1f} sentences per second")
        print(f"  int8 costs {scores[0].f1 - scores[1].f1:.2f} F1 and is {speeds[1] / speeds[0]:.2f} times as fast")


if __name__ == "__main__":
    main()
