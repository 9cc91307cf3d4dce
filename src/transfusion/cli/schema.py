"""``transfusion schema``: look at schemas, and check those that one writes."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from transfusion.cli.terminal import BAD_INPUT, fails_clearly, say

if TYPE_CHECKING:
    from transfusion.schema import Schema

app = typer.Typer(help="List, show and check what to extract.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="FILE|NAME", help="A .py, .toml, .json or .txt file, or a name of `list`.")
]


class Form(StrEnum):
    """How a schema is written."""

    PYTHON = "python"
    TOML = "toml"
    JSON = "json"
    LABELS = "labels"


@app.callback()
def _schema() -> None:
    """List, show and check what to extract.

    A schema says which entities, relations and events to look for, and what is meant by them. It is written as Python
    classes, which are read and never run, as TOML or JSON, or as a list of labels.
    """


@app.command(epilog="Example:\n\ntransfusion schema check market.py")
@fails_clearly
def check(
    name: Name,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name every class, its label and its fields.")
    ] = False,
) -> None:
    """Say what is in a schema, what had to be mended, and what is wrong, with the line and a caret.

    The exit code is 0 for a schema that can be used, and 1 for one that cannot.
    """
    from pathlib import Path

    from transfusion.errors import SchemaError
    from transfusion.schema import find_schema
    from transfusion.schema.classes import classes_of
    from transfusion.schema.mend import advice, list_roles, mends
    from transfusion.schema.source import read_classes

    try:
        schema = find_schema(name)
    except SchemaError as error:
        for line in str(error).split("\n"):
            _say_as_it_is(line)
        raise typer.Exit(BAD_INPUT) from None
    typer.echo(f"{name}: {_contents(schema)}")
    if verbose:
        for definition in classes_of(schema):
            fields = ", ".join(field.name for field in definition.fields)
            label = f"  label {definition.label}" if definition.label else ""
            typer.echo(f"  {definition.base} {definition.name}({fields}){label}")
    is_python = Path(name).suffix.lower() == ".py" and Path(name).is_file()
    written = read_classes(Path(name).read_text(encoding="utf-8-sig"), path=name) if is_python else ()
    for mend in (*mends(schema), *list_roles(written)):
        typer.echo(f"  mended: {mend}")
    for sentence in advice(schema):
        typer.echo(f"  advice: {sentence}")


@app.command("list")
@fails_clearly
def list_schemas(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the schemas that ship with the package."""
    from transfusion.schema.find import find_built_in, schema_names

    found = [find_built_in(name) for name in schema_names()]
    if as_json:
        records = [
            {
                "name": each.name,
                "description": each.description,
                "source": each.source,
                "entities": len(each.schema.entities),
                "relations": len(each.schema.relations),
                "events": len(each.schema.events),
            }
            for each in found
        ]
        typer.echo(json.dumps(records, ensure_ascii=False, indent=2))
        return
    for each in found:
        typer.echo(f"{each.name}  {_contents(each.schema)}")
        typer.echo(f"  {each.description}")
        typer.echo(f"  labels: {each.source}")


@app.command(epilog="Example:\n\ntransfusion schema show masakhaner --format toml > mine.toml")
@fails_clearly
def show(
    name: Name,
    form: Annotated[
        Form, typer.Option("--format", help="How to write it; labels are those of entities alone.")
    ] = Form.PYTHON,
) -> None:
    """Write a schema to standard output, in a form that can be read back."""
    from transfusion.errors import SchemaError
    from transfusion.schema import find_schema
    from transfusion.schema.files import schema_to_json, schema_to_python, schema_to_toml

    schema = find_schema(name)
    if form is Form.LABELS:
        if not schema.labels:
            raise SchemaError(f"{name} has no entities, and a list of labels holds nothing else; use --format toml")
        left_out = len(schema.relations) + len(schema.events)
        if left_out:
            say(f"{left_out} relations and events are left out: a list of labels holds entities alone")
        typer.echo("\n".join(schema.labels))
        return
    write = {Form.PYTHON: schema_to_python, Form.TOML: schema_to_toml, Form.JSON: schema_to_json}[form]
    typer.echo(write(schema), nl=False)


def _contents(schema: Schema) -> str:
    values = sum(entity.value for entity in schema.entities)
    roles = sum(len(event.roles) for event in schema.events)
    counts = [
        (len(schema.entities) - values, "entity", "entities"),
        (values, "value", "values"),
        (len(schema.relations), "relation", "relations"),
        (len(schema.events), "event", "events"),
        (roles, "role", "roles"),
    ]
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)


def _say_as_it_is(line: str) -> None:
    """A line on stderr with its spaces, so that a caret stands under what it means."""
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
