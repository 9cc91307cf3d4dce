"""Extract from the example texts: a table on the terminal, and demo/index.html with source and pivot side by side.

The command line does the same: ``transfusion extract examples/texts.jsonl --format html --output demo/index.html``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

import transfusion as tf
from transfusion.formats import Output, read_documents

TEXTS = Path(__file__).parent / "texts.jsonl"
PAGE = Path("demo") / "index.html"
STYLES = {"PER": "blue", "ORG": "dark_orange", "LOC": "green"}


def main() -> int:
    """Run the demo.

    :returns: Exit code.
    """
    console = Console()
    begun = time.perf_counter()
    pipe = tf.Pipeline.load("mini")
    loaded = time.perf_counter()
    table = Table("language", "text", "found", show_lines=True)
    count = entities = 0
    PAGE.parent.mkdir(exist_ok=True)
    with Output(PAGE, "html") as page:
        for document in pipe.stream(read_documents(TEXTS)):
            page.write(document)
            table.add_row(tf.get_language(document.source.language).name, highlighted(document), mentions(document))
            count += 1
            entities += len(document.source.entities)
    console.print(table)
    console.print(
        f"{entities} entities in {count} texts; the model took {loaded - begun:.1f} s to load, "
        f"the texts took {time.perf_counter() - loaded:.1f} s."
    )
    console.print(f"Source and pivot side by side: {PAGE.resolve()}", soft_wrap=True)
    return 0


def highlighted(document: tf.Document) -> Text:
    """The source with its entities in colour."""
    text = Text(document.source.text)
    for entity in document.source.entities:
        text.stylize(f"bold {STYLES.get(entity.label, 'magenta')}", entity.start, entity.end)
    return text


def mentions(document: tf.Document) -> Text:
    """One line for each entity: label, offsets, mention."""
    source = document.source
    lines = [
        Text.assemble((entity.label, STYLES.get(entity.label, "magenta")), f" {entity.start:>3}–{entity.end:<3} ")
        + Text(source.mention(entity))
        for entity in source.entities
    ]
    return Text("\n").join(lines)


if __name__ == "__main__":
    sys.exit(main())
