"""``transfusion train``: a model from a configuration."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly
from transfusion.errors import MissingExtraError

app = typer.Typer(help="Train a model. Needs the extra: pip install 'transfusion-ie[train]'", no_args_is_help=True)


@app.callback()
def _train() -> None:
    """Train a model. Needs the extra: pip install 'transfusion-ie[train]'."""


@app.command(epilog="Example:\n\ntransfusion train encoder training/1-english.toml")
@fails_clearly
def encoder(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a TOML file.")],
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew instead of going on from the last checkpoint.")
    ] = False,
) -> None:
    """Train an encoder.

    A training that was stopped goes on from its last checkpoint. The folder of the trained model is printed at the end.
    """
    try:
        from transfusion.train.encoder import train_from_config
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "transfusion":
            raise
        raise MissingExtraError(package, extra="train", purpose="training") from error

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    typer.echo(str(train_from_config(config, resume=not fresh)))
