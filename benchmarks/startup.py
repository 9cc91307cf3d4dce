"""Wall time of one ``transfusion extract`` of one sentence, from the start of the process to its end."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SENTENCE = {
    "text": "Rais Ruto alikutana na Museveni mjini Kampala.",
    "language": "swa",
    "translation": "President Ruto met Museveni in Kampala.",
}


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini", help="name or folder of the model (default: mini)")
    parser.add_argument("--system", default="fusion")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    command = Path(sys.executable).with_name("transfusion")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "one.jsonl"
        text.write_text(json.dumps(SENTENCE) + "\n", encoding="utf-8")
        arguments = [command, "extract", text, "--model", options.model, "--system", options.system]
        times = []
        for _ in range(options.runs + 1):
            begun = time.perf_counter()
            subprocess.run(arguments, check=True, capture_output=True)
            times.append(time.perf_counter() - begun)
    # The first run reads the model from the disk, and may compile the modules.
    first, *times = times
    print(
        f"one sentence, start to end: median {statistics.median(times):.2f} s, min {min(times):.2f} s, "
        f"max {max(times):.2f} s ({options.runs} runs; the first of all, {first:.2f} s, not among them)"
    )


if __name__ == "__main__":
    main()
