"""``transfusion models``: the models that can be named."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly


@fails_clearly
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that ship with the package."""
    from transfusion.encoder.folder import available_models

    found = available_models()
    if as_json:
        records = [
            {
                "name": info.name,
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
        for name, value in rows.items():
            if value:
                typer.echo(f"  {name}: {value}")
    if not found:
        typer.echo("no models in this installation; --model takes a folder, too")
