"""``transfusion cache``: translations that were kept, and how to be rid of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly

app = typer.Typer(help="Look at the translations that were kept, or delete them.", no_args_is_help=True)


@app.callback()
def _cache() -> None:
    """Look at the translations that were kept, or delete them.

    They are in the folder TRANSFUSION_CACHE, or else in transfusion/ in the user's folder for caches.
    """


@app.command()
@fails_clearly
def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many translations of which engines and languages are kept, where, and since when."""
    from transfusion.translate.cache import TranslationCache

    with TranslationCache() as cache:
        found = cache.info()
    if as_json:
        record = {
            "path": str(found.path),
            "size_bytes": found.size_bytes,
            "entries": found.entries,
            "routes": [
                {
                    "signature": route.signature,
                    "source": route.source,
                    "target": route.target,
                    "entries": route.entries,
                    "oldest": route.oldest.isoformat(),
                    "newest": route.newest.isoformat(),
                }
                for route in found.routes
            ],
            "set_aside": [str(path) for path in found.set_aside],
        }
        # Escapes, since a signature may hold what UTF-8 cannot.
        typer.echo(json.dumps(record, indent=2))
        return
    typer.echo(f"{_printable(str(found.path))}  {found.size_bytes / 1e6:.1f} MB  {found.entries:,} translations")
    for route in found.routes:
        since = f"{route.oldest:%Y-%m-%d} to {route.newest:%Y-%m-%d}"
        typer.echo(f"  {route.source} → {route.target}: {route.entries:,}, {since}, {_printable(route.signature)}")
    for path in found.set_aside:
        typer.echo(f"  damaged, set aside: {_printable(path.name)}")


@app.command(epilog="Example:\n\ntransfusion cache clear --engine apertium --older-than 30")
@fails_clearly
def clear(
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this engine, or of this signature as `info` prints it.")
    ] = None,
    older_than: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=100_000, help="Only what was translated so long ago.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete translations that were kept: all of them, unless told which."""
    from transfusion.translate.cache import TranslationCache

    with TranslationCache() as cache:
        path = _printable(str(cache.path))
        if not yes:
            which = "all translations" if engine is None else f"translations of {_printable(engine)}"
            age = "" if older_than is None else f" that are {older_than} days old or older"
            typer.confirm(f"Delete {which}{age} from {path}?", abort=True, err=True)
        deleted = cache.clear(engine=engine, older_than=None if older_than is None else timedelta(days=older_than))
    typer.echo(f"deleted {deleted:,} translations from {path}")


def _printable(text: str) -> str:
    """A name without what a terminal could not show in one line."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
