"""Write the English PUD sentences as translations of those of another language.

python benchmarks/pud_translations.py DATA/uner OUTPUT
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transfusion.corpora.columns import read_gold
from transfusion.corpora.parallel_gold import counterparts

LANGUAGES = ("de", "pt", "ru", "zh")


def main() -> None:
    """Write a file of translations for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uner", type=Path, help="folder of Universal NER files")
    parser.add_argument("output", type=Path, help="folder for the translations")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    english = read_gold(arguments.uner / "en_pud-ud-test.iob2", language="eng")
    for language in LANGUAGES:
        gold = read_gold(arguments.uner / f"{language}_pud-ud-test.iob2", language=language)
        with (arguments.output / f"{language}.translations.jsonl").open("w", encoding="utf-8") as file:
            for document in counterparts(english, gold):
                assert document is not None, f"{gold.path}: a sentence without an English counterpart"
                file.write(json.dumps({"text": document.source.text, "language": "eng"}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
