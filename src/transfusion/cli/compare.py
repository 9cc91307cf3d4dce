"""``transfusion compare``: systems × languages in one table."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from transfusion.cli.terminal import Progressing, check_writable, fails_clearly, say, write_file

EXAMPLES = """
Examples:

transfusion compare suite.toml > table.md

transfusion compare suite.toml --json table.json --html table.html
"""


@fails_clearly
def compare(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite: a TOML file with systems and sets.")],
    json_output: Annotated[Path | None, typer.Option("--json", help="Write the table as JSON here, too.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the table as a web page here, too.")] = None,
) -> None:
    """Score systems on languages, as a suite file says: one table, with intervals and tests.

    The table goes to standard output as Markdown.
    """
    from transfusion.evaluate.suite import read_suite, run_suite

    check_writable(json_output)
    check_writable(html)
    described = read_suite(suite)
    with ExitStack() as current:

        def on_start(system: str, name: str, sentences: int) -> Callable[[], None]:
            current.close()
            say(f"{system} on {name}: {sentences:,} sentences")
            return current.enter_context(Progressing("sentences", sentences)).advance

        report = run_suite(described, on_start)
    if json_output is not None:
        write_file(json_output, json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n")
    if html is not None:
        write_file(html, report.to_html())
    typer.echo(report.to_markdown(), nl=False)
