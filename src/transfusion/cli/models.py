"""``transfusion models``: the models that can be named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly


@fails_clearly
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that ship with the package."""
    from transfusion.encoder.folder import available_models
    from transfusion.systems.card import read_card, shipped_decoders

    found = available_models()
    decoders = [(folder, read_card(folder)) for folder in shipped_decoders()]
    if as_json:
        records = [
            {
                "name": info.name,
                "kind": "encoder",
                "path": str(info.path),
                "size_bytes": info.size_bytes,
                "labels": list(info.config.labels),
                "languages": list(info.config.languages),
                "trained_on": list(info.config.trained_on),
                "licence": info.config.licence,
                "description": info.config.description,
            }
            for info in found
        ]
        records += [
            {
                "name": folder.name,
                "kind": "decoder",
                "path": str(folder),
                "size_bytes": _size(folder),
                "base": card.base,
                "schema": card.schema,
                "languages": list(card.languages),
                "trained_on": list(card.trained_on),
                "licence": card.licence,
                "description": card.description,
            }
            for folder, card in decoders
        ]
        typer.echo(json.dumps(records, ensure_ascii=False, indent=2))
        return
    for info in found:
        config = info.config
        typer.echo(f"{info.name}  {info.size_bytes / 1e6:.0f} MB  {config.description}".rstrip())
        rows = {
            "labels": ", ".join(config.labels),
            "languages in training": ", ".join(config.languages),
            "trained on": ", ".join(config.trained_on),
            "licence": config.licence,
            "folder": str(info.path),
        }
        _print(rows)
    for folder, card in decoders:
        typer.echo(f"{folder.name}  {_size(folder) / 1e6:.0f} MB  {card.description}".rstrip())
        rows = {
            "adapter for": card.base,
            "schema": card.schema,
            "languages in training": ", ".join(card.languages),
            "trained on": ", ".join(card.trained_on),
            "licence": card.licence,
            "folder": str(folder),
        }
        _print(rows)
    if not (found or decoders):
        typer.echo("no models in this installation; --model takes a folder, too")


def _print(rows: Mapping[str, str]) -> None:
    for name, value in rows.items():
        if value:
            typer.echo(f"  {name}: {value}")


def _size(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
