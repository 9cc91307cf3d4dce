"""F1 on MasakhaNER 2.0 as published, tokenised, and turned into natural text, scored by its own offsets."""

from __future__ import annotations

import argparse
from pathlib import Path

from corpus import masakhaner, timed
from transfusion import Pipeline


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini", help="name or folder of the model (default: mini)")
    parser.add_argument("--system", default="fusion", help="direct reads all sentences, others the translated ones")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with masakhaner2/")
    parser.add_argument("--split", default="test", choices=["dev", "test"])
    parser.add_argument("--languages", nargs="+", default=["lug", "pcm", "twi", "ewe", "bbj", "mos", "bam"])
    parser.add_argument("--limit", type=int, default=0, help="read only so many sentences a language; 0 for all")
    options = parser.parse_args()
    pipeline = Pipeline.load(options.model, system=options.system)
    differences = []
    print("language  sentences  tokenised  natural  difference")
    for language in options.languages:
        count, f1 = 0, []
        for natural in (False, True):
            translated = options.system != "direct"
            gold = masakhaner(
                options.data, language, options.split, translated=translated, natural=natural, limit=options.limit
            )
            count = len(gold.documents)
            f1.append(timed(pipeline, gold)[0].f1)
        differences.append(f1[1] - f1[0])
        print(f"{language:8}  {count:9}  {f1[0]:9.2f}  {f1[1]:7.2f}  {differences[-1]:+10.2f}", flush=True)
    print(f"mean difference {sum(differences) / len(differences):+.2f}, largest {max(differences, key=abs):+.2f}")


if __name__ == "__main__":
    main()
