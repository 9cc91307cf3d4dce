"""Write ``docs/cli.md`` from the commands themselves, so that the page cannot say anything else than ``--help``.

``make docs`` runs this; a test fails when the page is not what it would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer.main

from transfusion.cli import app

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# The command line

Written by `make docs` from the commands' own help. Results go to standard output or to `--output`; progress, warnings
and errors go to standard error.
"""


def render() -> str:
    """The page.

    :returns: Markdown.
    """
    return HEAD + "".join(_sections("transfusion", typer.main.get_command(app)))


# The command objects are click's or typer's own copy of it, depending on typer's version: hence Any.
def _sections(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for child in command.commands.values():
            yield from _sections(f"{name} {child.name}", child)
        return
    parts = [f"\n## {name}\n", inspect.cleandoc(command.help or "") + "\n", _usage(name, command)]
    if command.epilog:
        parts.append(_examples(command.epilog))
    yield "\n".join(parts)


def _usage(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *("[OPTIONS]" for _ in options[:1]), *(_metavar(p) for p in arguments)])
    hints = get_type_hints(command.callback)
    lines = [f"    {usage}\n"]
    if arguments or options:
        lines += ["| | | default |", "|---|---|---|"]
    for parameter in [*arguments, *options]:
        first = _metavar(parameter) if parameter in arguments else parameter.opts[0]
        lines.append(f"| `{first}` | {_cell(_help(parameter, hints.get(parameter.name)))} | {_default(parameter)} |")
    return "\n".join(lines) + "\n"


def _help(parameter: Any, hint: Any) -> str:
    # How typer shows choices differs between its versions; the annotation does not.
    choices = [choice for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal for choice in get_args(kind)]
    among = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return (parameter.help or "") + among


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).strip("{}")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or isinstance(value, bool) or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _examples(epilog: str) -> str:
    examples = [line for line in map(str.strip, epilog.splitlines()) if line and not line.startswith("Example")]
    return "\n".join(["```console", *(f"$ {example}" for example in examples), "```", ""])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
