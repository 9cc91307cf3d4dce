"""``transfusion prompt``: what a decoder is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transfusion.cli.terminal import fails_clearly
from transfusion.errors import InputError

if TYPE_CHECKING:
    from transfusion.decoder.base import Prompt
    from transfusion.decoder.tasks import Task
    from transfusion.document import Document, Entity
    from transfusion.schema import Schema

EXAMPLES = """
Examples:

transfusion prompt "Ruto alikutana na Museveni." --language swa --translation "Ruto met Museveni." --schema masakhaner

transfusion prompt news.jsonl --schema mine.py --document 17 --no-annotate

transfusion prompt "MV Kalangala ya serikali ya Uganda." --schema ships.toml --template re --given "MV Kalangala=Vessel"

transfusion prompt --case case.json
"""

Kind = Literal["ner", "ee", "eae", "re"]


@fails_clearly
def prompt(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT|INPUT", help="A text; or a file of texts, as `extract` reads it; - for standard input."
        ),
    ] = None,
    schema: Annotated[
        str, typer.Option(help="What to ask for: a name of `transfusion schema list`, or a file.")
    ] = "masakhaner",
    language: Annotated[str | None, typer.Option(help="Language of the text: lug, lg, lug_Latn, ...")] = None,
    translation: Annotated[str | None, typer.Option(help="Its translation; JSON lines may hold it themselves.")] = None,
    template: Annotated[
        Kind | None,
        typer.Option(
            help="ner: entities; ee: triggers of events; eae: arguments of the triggers that --given names; re: "
            "relations between the entities that it names. By default what the schema asks for first."
        ),
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option(metavar="MENTION=LABEL", help="For eae and re; may be given several times.")
    ] = None,
    annotate: Annotated[
        bool, typer.Option(help="Ask for the annotations of the translation first, then for those of the text.")
    ] = True,
    document: Annotated[str | None, typer.Option(help="Id of the document of INPUT; the first one by default.")] = None,
    case: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the prompt and the answer that a JSON file describes in parts."),
    ] = None,
) -> None:
    """Show the prompt that a decoder gets for a document.

    It ends where the model goes on. With --case it is a whole training example, byte for byte; the file says what
    would otherwise be given here.
    """
    if (source is None) == (case is None):
        raise InputError("give a text, a file of texts, or --case FILE; and only one of them")
    if case is not None:
        from transfusion.decoder.cases import read_case

        _write(read_case(case).render())
        return
    from transfusion.schema import find_schema

    assert source is not None
    found = _document(source, language, translation, document)
    _write(_prompt(found, find_schema(schema), template, given or [], annotate=annotate).text)


def _write(text: str) -> None:
    """Exactly these characters, in UTF-8 whatever the terminal speaks, without a line end of our own."""
    typer.echo(text.encode("utf-8"), nl=False)


def _document(source: str, language: str | None, translation: str | None, wanted: str | None) -> Document:
    from transfusion.document import AnnotatedText, Document
    from transfusion.formats import read_documents
    from transfusion.language import get_language

    if source == "-" or _is_file(source):
        documents = read_documents(source, language=language)
        found = next((each for each in documents if wanted in (None, each.id)), None)
        if found is None:
            raise InputError(f"{source}: no document" + ("" if wanted is None else f" with the id {wanted!r}"))
    elif wanted is not None:
        raise InputError(f"--document names a document of a file, and {source!r:.60} is none")
    else:
        code = "und" if language is None else get_language(language).iso639_3
        found = Document("1", AnnotatedText(source, code))
    if translation is not None:
        found = replace(found, pivot=AnnotatedText(translation, "eng"))
    return found


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except OSError:  # a text that is longer than any name of a file
        return False


def _prompt(document: Document, schema: Schema, template: Kind | None, given: list[str], *, annotate: bool) -> Prompt:
    """The prompt as the decoder itself makes it."""
    from transfusion.decoder.fit import Reading
    from transfusion.decoder.tasks import ArgumentTask, EntityTask, RelationTask, TriggerTask, tasks_of
    from transfusion.document import Event

    kinds: dict[Kind, type[Task]] = {"ner": EntityTask, "ee": TriggerTask, "eae": ArgumentTask, "re": RelationTask}
    tasks = {kind: task for task in tasks_of(schema, annotate=annotate) for kind in kinds if type(task) is kinds[kind]}
    chosen = next(iter(tasks)) if template is None else template
    if chosen not in tasks:
        raise InputError(f"the schema has nothing that the template {chosen} asks for; it has {', '.join(tasks)}")
    text = document.source
    spans = tuple(_given(text.text, each) for each in given)
    if chosen == "eae":
        known = [event.name for event in schema.events]
        if unknown := [span.label for span in spans if span.label not in known]:
            raise InputError(f"--given: no event {unknown[0]!r}; there are {', '.join(known)}")
        text = replace(text, events=tuple(Event(span.label, span) for span in spans))
    elif chosen == "re":
        schema.check_labels(span.label for span in spans)
        text = replace(text, entities=spans)
    elif spans:
        raise InputError(f"the template {chosen} gives nothing; --given goes with eae and re")
    made = tasks[chosen].prompt(Reading(text, document.pivot), tasks[chosen].classes)
    if made is None:
        raise InputError(f"the template {chosen} asks about what is known: name it with --given 'MENTION=LABEL'")
    return made


def _given(text: str, option: str) -> Entity:
    from transfusion.document import Entity

    mention, _, label = option.rpartition("=")
    if not mention or not label:
        raise InputError(f"--given {option!r} is not of the form MENTION=LABEL")
    start = text.find(mention)
    if start < 0:
        raise InputError(f"--given {option!r}: the text has no {mention!r}")
    return Entity(start, start + len(mention), label)
