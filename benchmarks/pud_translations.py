"""Write the English PUD sentences as translations of those of another language.

    python benchmarks/pud_translations.py DATA/uner OUTPUT

German, Portuguese and Russian sentences have the English ``sent_id``.  The Chinese file has ids of its own and another
order: where the English one goes news (n01 … n05), then Wikipedia (w01 … w05), it has first all sentences that were
written in English (n01, w01) and then those that were translated into it (n02 … n05, w02 … w05).  Pairing them line by
line gives every second sentence a translation of another one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transfusion.corpora.columns import read_gold
from transfusion.document import Document

LANGUAGES = ("de", "pt", "ru", "zh")


def english_first(document: Document) -> tuple[bool, str]:
    """Where a sentence stands in the Chinese file: those written in English first, news before Wikipedia."""
    return document.id[1:3] != "01", document.id[0]


def main() -> None:
    """Write a file of translations for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uner", type=Path, help="folder of Universal NER files")
    parser.add_argument("output", type=Path, help="folder for the translations")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    english = read_gold(arguments.uner / "en_pud-ud-test.iob2", language="eng").documents
    by_id = {document.id: document for document in english}
    in_chinese_order = sorted(english, key=english_first)
    for language in LANGUAGES:
        gold = read_gold(arguments.uner / f"{language}_pud-ud-test.iob2", language=language)
        with (arguments.output / f"{language}.translations.jsonl").open("w", encoding="utf-8") as file:
            for document, counterpart in zip(gold.documents, in_chinese_order, strict=True):
                text = by_id.get(document.id, counterpart).source.text
                file.write(json.dumps({"text": text, "language": "eng"}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
