"""The command ``transfusion``: one file a command.

A command imports what it needs when it is called, so that ``--help`` and short runs start at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from transfusion.cli import (
    cache,
    compare,
    convert,
    doctor,
    evaluate,
    extract,
    mixture,
    models,
    project,
    prompt,
    schema,
    train,
    translate,
)

app = typer.Typer(
    name="transfusion",
    help="Find people, places and organisations in languages without labelled data, at exact offsets.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    # A traceback with the values of all variables would print the texts that are being worked on.
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from transfusion import __version__

        typer.echo(f"transfusion {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command(epilog=extract.EXAMPLES)(extract.extract)
app.command(epilog=translate.EXAMPLES)(translate.translate)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=compare.EXAMPLES)(compare.compare)
app.add_typer(train.app, name="train")
app.command(epilog=mixture.EXAMPLES)(mixture.mixture)
app.add_typer(project.app, name="project")
app.command(epilog=prompt.EXAMPLES)(prompt.prompt)
app.add_typer(schema.app, name="schema")
app.command(epilog=convert.EXAMPLES)(convert.convert)
app.add_typer(cache.app, name="cache")
app.command()(models.models)
app.command()(doctor.doctor)
