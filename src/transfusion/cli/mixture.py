"""``transfusion mixture``: training data from annotated English and a translator."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfusion.cli.terminal import BAD_INPUT, Progressing, fails_clearly, say

if TYPE_CHECKING:
    from transfusion.train.mixture_files import PartResult

EXAMPLES = """
Example:

transfusion mixture training/mixture.toml
"""


@fails_clearly
def mixture(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a TOML file.")],
) -> None:
    """Make a training mixture: English examples, and some of them translated with their spans.

    Every translated example holds both texts with both annotations, where it comes from and which checks it passed;
    those with a lost span or a broken translation are left out and counted. Parts that are there already are kept, so a
    run that was stopped goes on where it was. The same configuration gives the same file, byte for byte.
    """
    from transfusion.train.mixture_files import make_mixture, read_mixture_config

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    settings = read_mixture_config(config)
    parts = len(settings.tasks) * (1 + len(settings.languages))
    with Progressing("parts", parts) as progress:
        results = make_mixture(settings, lambda _: progress.advance())
    for line in _table(results):
        typer.echo(line)
    say(f"{sum(result.records for result in results):,} examples in {settings.output / 'mixture.jsonl'}")
    if any(result.problem for result in results):
        raise typer.Exit(BAD_INPUT)


def _table(results: list[PartResult]) -> list[str]:
    """What each part came to."""
    width = max(len("task"), *(len(result.task) for result in results))
    lines = [f"{'task':{width}}  language  examples    spans    tried  untranslated  lost span  faulty"]
    for one in results:
        line = f"{one.task:{width}}  {one.language:8}  {one.records:8,}"
        if one.counts is not None:
            c = one.counts
            line += f"  {c.spans:7,}  {c.tried:7,}  {c.untranslated:12,}  {c.lost_span:9,}  {c.faulty:6,}"
        lines.append(line + (f"  {one.problem}" if one.problem else ""))
    return lines
