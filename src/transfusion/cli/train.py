"""``transfusion train``: a model from a configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly
from transfusion.errors import MissingExtraError

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a TOML file.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on from the last checkpoint.")]

app = typer.Typer(help="Train a model. Needs the extra: pip install 'transfusion-ie[train]'", no_args_is_help=True)


@app.callback()
def _train() -> None:
    """Train a model. Needs the extra: pip install 'transfusion-ie[train]'."""


@app.command(epilog="Example:\n\ntransfusion train encoder training/1-english.toml")
@fails_clearly
def encoder(
    config: Config,
    fresh: Fresh = False,
) -> None:
    """Train an encoder.

    A training that was stopped goes on from its last checkpoint. The folder of the trained model is printed at the end.
    """
    with _needs_extra():
        from transfusion.train.encoder import train_from_config

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    typer.echo(str(train_from_config(config, resume=not fresh)))


@app.command(epilog="Example:\n\ntransfusion train decoder training/decoder/2-transfusion.toml")
@fails_clearly
def decoder(
    config: Config,
    fresh: Fresh = False,
) -> None:
    """Train an adapter for a decoder: QLoRA where there is CUDA, plain LoRA in bf16 elsewhere.

    A training that was stopped goes on from its last checkpoint. The folder of the adapter is printed at the end. For
    several GPUs: accelerate launch $(which transfusion) train decoder CONFIG.
    """
    with _needs_extra():
        from transfusion.train.decoder import train_decoder_from_config

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    typer.echo(str(train_decoder_from_config(config, resume=not fresh)))


@app.command(epilog="Example:\n\ntransfusion train silver training/2-silver.toml")
@fails_clearly
def silver(config: Config) -> None:
    """Label parallel text with a model, as examples to train on.

    Languages whose file is there already are left alone, so a run that was stopped goes on where it was. The counts of
    each language are printed at the end.
    """
    with _needs_extra():
        from transfusion.train.silver_files import make_silver_files, read_silver_config

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for language, counts in make_silver_files(read_silver_config(config)).items():
        typer.echo(f"{language}: {counts}")


@app.command(epilog="Example:\n\ntransfusion train rough training/6-rough.toml")
@fails_clearly
def rough(config: Config) -> None:
    """Give examples rough translations, made by a machine, so that a model learns when not to believe one.

    Files that are there already are left alone, so a run that was stopped goes on where it was.
    """
    with _needs_extra():
        from transfusion.train.rough_files import make_rough_files, read_rough_config

    def done(path: Path, count: int) -> None:
        typer.echo(f"{path}: {count:,} examples")

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make_rough_files(read_rough_config(config), done)


@contextmanager
def _needs_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "transfusion":
            raise
        raise MissingExtraError(package, extra="train", purpose="training") from error
