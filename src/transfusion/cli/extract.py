"""``transfusion extract``: entities, relations and events from texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transfusion.cli.terminal import (
    BAD_INPUT,
    ModelName,
    ModelOptions,
    Progressing,
    SchemaName,
    System,
    Threads,
    fails_clearly,
    named_values,
    say,
)
from transfusion.cli.translation import (
    Cache,
    Engine,
    EngineOptions,
    Pivot,
    Suspect,
    parallel_file,
    translation_stage,
)
from transfusion.document import Document
from transfusion.errors import InputError, TransfusionError

if TYPE_CHECKING:
    from transfusion.systems.base import Model

EXAMPLES = """
Examples:

transfusion extract news.txt --language lug --output entities.jsonl

transfusion extract news.jsonl --format html --output page.html

transfusion extract news.txt --language twi --translations english.jsonl --format conll

transfusion extract vijesti.txt --language hrv --translator apertium

transfusion extract news.jsonl --model mini-decoder --schema ships.py --translations english.jsonl

transfusion extract news.txt --language swa --model chat:gpt-4o-mini --schema ace2005 --system direct

echo "Rais Ruto alikutana na Museveni." | transfusion extract - --language swa
"""


@fails_clearly
def extract(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Plain text (a document a line), JSON lines with text and perhaps id, language and translation, "
            "a CoNLL file, or - for standard input.",
        ),
    ],
    language: Annotated[
        str | None, typer.Option(help="Language of the texts: lug, lg, lug_Latn, ... JSON lines may say it themselves.")
    ] = None,
    translations: Annotated[
        str | None, typer.Option(help='JSON lines in step with INPUT: {"text", "language"}, or null.')
    ] = None,
    translator: Engine = None,
    translator_option: EngineOptions = None,
    pivot: Pivot = "eng",
    suspect: Suspect = "retry",
    cache: Cache = True,
    system: System = "fusion",
    model: ModelName = "mini",
    schema: SchemaName = None,
    model_option: ModelOptions = None,
    format: Annotated[Literal["jsonl", "conll", "html"], typer.Option(help="What to write.")] = "jsonl",
    output: Annotated[str, typer.Option(help="Where to write it; - for standard output.")] = "-",
    input_format: Annotated[
        Literal["text", "jsonl", "conll"] | None,
        typer.Option(help="What INPUT is; by default told from its name and content."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents that are worked on together.")] = 64,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask and write nothing; say what a chat model would read, write and cost.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Find entities, relations and events in texts of any language.

    Each document gives one result, in the order of the input. Lines that cannot be read are named on stderr, and the
    rest goes on; the exit code is 0 only if every document was read.
    """
    from transfusion.formats import Output, count_documents, read_documents
    from transfusion.formats.source import is_regular_file
    from transfusion.pipeline import Pipeline
    from transfusion.systems.find import find_systems
    from transfusion.translate.parallel import ParallelTranslations

    translations, translator = parallel_file(translations, translator)
    if source == translations == "-":
        raise InputError("INPUT and --translations cannot both come from standard input; put one of them in a file")
    with Progressing("documents") as progress:
        tally = Tally(progress)
        documents = read_documents(
            source, language=language, format=input_format, on_problem=tally.problem, keep_places=True
        )
        if is_regular_file(source):
            progress.set_total(count_documents(source, format=input_format))
        if translations is not None:
            parallel = ParallelTranslations(translations, on_problem=tally.problem)
            if progress.total is not None:
                parallel.check_count(progress.total)
            documents = parallel(documents)
        if dry_run:
            settings = named_values(model_option, "--model-option")
            typer.echo(_estimate(find_systems(model, schema=schema, options=settings), system, documents, tally))
            return
        with (
            Output(output, format, source=source) as out,
            nullcontext()
            if translator is None or system == "direct"
            else translation_stage(translator, translator_option, pivot=pivot, suspect=suspect, cache=cache) as stage,
        ):
            pipeline = Pipeline.load(
                model,
                system=system,
                schema=schema,
                model_options=named_values(model_option, "--model-option"),
                translator=stage,
                threads=threads,
            )
            for document in pipeline.stream(_readable(documents, tally), batch_size):
                out.write(document)
                tally.count(document)
    say(tally.summary())
    if tally.problems or tally.failed:
        raise typer.Exit(BAD_INPUT)


def _readable(documents: Iterator[Document], tally: Tally) -> Iterator[Document]:
    """Without the documents that only keep the place of a line that could not be read."""
    from transfusion.formats.read import BAD_LINE

    for document in documents:
        if all(note.code != BAD_LINE for note in document.notes):
            # Told before the work and not after it: a line of many megabytes takes its time.
            tally.warn(document)
            yield document


def _estimate(model: Model, system: str, documents: Iterator[Document], tally: Tally) -> str:
    """What a run would take, in a line."""
    from transfusion.pipeline import Pipeline
    from transfusion.systems.base import Estimating

    Pipeline.load(model, system=system)  # what cannot be built cannot be estimated either
    found = list(_readable(documents, tally))
    line = f"{len(found):,} document{'s' * (len(found) != 1)}"
    if not isinstance(model, Estimating):
        return f"{line}; the model {model.name!r} is not paid for by use"
    whole = model.estimate(system, found)
    line += f"; {whole.requests:,} requests, about {whole.input_tokens:,} tokens in, {whole.output_tokens:,} out"
    return line + ("" if whole.cost is None else f", {whole.cost:,.2f} in the currency of the prices")


class Tally:
    """What a run has come to so far.

    :param progress: Where to show it.
    """

    def __init__(self, progress: Progressing) -> None:
        self.problems = 0
        self.failed = 0
        self._progress = progress
        self._documents = 0
        self._labels: Counter[str] = Counter()
        self._links: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._warned: set[str] = set()

    def problem(self, problem: TransfusionError) -> None:
        """Name something that could not be read."""
        self.problems += 1
        self._progress.say(f"error: {problem}")

    def warn(self, document: Document) -> None:
        """Name the first warning of each kind."""
        for note in document.notes:
            if note.severity == "warning" and note.code not in self._warned:
                self._warned.add(note.code)
                self._progress.say(f"warning: document {document.id}: {note.message} ({note.code}; more are counted)")

    def count(self, document: Document) -> None:
        """Count a result; every failure is named, and of each kind of warning the first."""
        self.warn(document)
        self._documents += 1
        self.failed += document.failed
        self._labels.update(entity.label for entity in document.source.entities)
        self._links["relation"] += len(document.source.relations)
        self._links["event"] += len(document.source.events)
        for note in document.notes:
            self._notes[note.code] += 1
            if note.severity == "error":
                self._progress.say(f"error: document {document.id}: {note.message}")
        self._progress.advance()

    def summary(self, *, entities: bool = True) -> str:
        """The one line that a run ends with.

        :param entities: Whether the run was for entities and what links them.
        :returns: The line.
        """
        parts = [f"{self._documents:,} document{'s' * (self._documents != 1)}"]
        if entities:
            total = self._labels.total()
            labels = ", ".join(f"{label} {count:,}" for label, count in sorted(self._labels.items()))
            parts.append(f"{total:,} entit{'y' if total == 1 else 'ies'}" + (f" ({labels})" if labels else ""))
            parts += [f"{count:,} {what}{'s' * (count != 1)}" for what, count in self._links.items() if count]
        if self._notes:
            parts.append("notes: " + ", ".join(f"{code} {count:,}" for code, count in sorted(self._notes.items())))
        parts.append(f"{self.problems:,} bad line{'s' * (self.problems != 1)}")
        return "; ".join(parts)
