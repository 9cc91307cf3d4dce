"""Peak memory of ``transfusion extract`` for a short and a long file.

The lines are made up from the words of the example texts and from random ones, so that a memory which grows with every
new word would show.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import string
import subprocess
import sys
import tempfile
from pathlib import Path

TEXTS = Path(__file__).parents[1] / "examples" / "texts.jsonl"


def write_lines(path: Path, count: int, *, translated: bool) -> None:
    """Write a file of made-up documents.

    :param path: The file.
    :param count: How many lines.
    :param translated: Whether each comes with a made-up translation.
    """
    chance = random.Random(13)
    records = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            record = chance.choice(records)
            line = {"text": _varied(record["text"], chance), "language": record["language"]}
            if translated:
                line["translation"] = _varied(record["translation"]["text"], chance)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _varied(text: str, chance: random.Random) -> str:
    words = [
        word if chance.random() < 0.8 else "".join(chance.choices(string.ascii_letters, k=chance.randint(2, 9)))
        for word in text.split()
    ]
    return " ".join(words[: chance.randint(4, len(words))])


def peak_memory(arguments: list[str]) -> float:
    """Most memory that a process held, in MB.

    :param arguments: The command.
    :returns: Its maximum resident set size.
    """
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 1e6


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini", help="name or folder of the model (default: mini)")
    parser.add_argument("--system", default="direct", help="direct or fusion (default: direct)")
    parser.add_argument("--lines", type=int, nargs=2, default=[1_000, 100_000], metavar=("SHORT", "LONG"))
    options = parser.parse_args()
    command = str(Path(sys.executable).with_name("transfusion"))
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.lines:
            path = Path(folder) / f"{count}.jsonl"
            write_lines(path, count, translated=options.system != "direct")
            arguments = [command, "extract", str(path), "--model", options.model, "--system", options.system]
            peaks.append(peak_memory([*arguments, "--output", str(path.with_suffix(".out"))]))
            print(f"{count:,} lines: {peaks[-1]:.0f} MB at most", flush=True)
    print(f"ratio: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
