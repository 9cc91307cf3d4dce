"""``transfusion translate``: a file of translations that other commands read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from transfusion.cli.extract import Tally
from transfusion.cli.terminal import BAD_INPUT, Progressing, fails_clearly, say
from transfusion.cli.translation import Cache, EngineOptions, Pivot, Suspect, engine_options, translation_stage
from transfusion.errors import InputError, OutputError

if TYPE_CHECKING:
    from transfusion.document import Document
    from transfusion.translate.stage import TranslateSource

EXAMPLES = """
Examples:

transfusion translate news.txt --language hrv --translator apertium --output news.translations.jsonl

transfusion translate news.txt --language lug --translator nllb --translator-option beam_size=5 --output english.jsonl

transfusion extract news.txt --language lug --translations english.jsonl
"""


@fails_clearly
def translate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Plain text (a document a line), JSON lines, a CoNLL file, or - for standard input."
        ),
    ],
    translator: Annotated[
        str,
        typer.Option(help="Engine, and perhaps its model: apertium, nllb, nllb:FOLDER, hf:MODEL, chat:MODEL."),
    ],
    language: Annotated[
        str | None, typer.Option(help="Language of the texts: lug, lg, lug_Latn, ... JSON lines may say it themselves.")
    ] = None,
    output: Annotated[str, typer.Option(help="Where to write the translations; - for standard output.")] = "-",
    translator_option: EngineOptions = None,
    pivot: Pivot = "eng",
    suspect: Suspect = "retry",
    cache: Cache = True,
    input_format: Annotated[
        Literal["text", "jsonl", "conll"] | None,
        typer.Option(help="What INPUT is; by default told from its name and content."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents that are translated together.")] = 64,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Translate nothing: say how much there is to do, and what it would cost.")
    ] = False,
) -> None:
    """Translate texts, sentence by sentence, into a file for --translations.

    Each document gives one line, in order: {"text", "language", "sentences", "notes"}, or null where there is no
    translation. A run that was stopped goes on where it was. What could not be translated, or looks broken, is counted
    at the end.
    """
    from transfusion.formats import count_documents, read_documents
    from transfusion.formats.source import is_regular_file
    from transfusion.translate.parallel import render

    with Progressing("documents") as progress:
        tally = Tally(progress)
        documents = read_documents(
            source, language=language, format=input_format, on_problem=tally.problem, keep_places=True
        )
        if dry_run:
            _estimate(documents, translator, translator_option, pivot)
            return
        if is_regular_file(source):
            progress.set_total(count_documents(source, format=input_format))
        with (
            translation_stage(translator, translator_option, pivot=pivot, suspect=suspect, cache=cache) as stage,
            _lines(output, source, f"{stage.translator.signature}\n{language} {pivot} {suspect} {input_format}") as out,
        ):
            for _ in islice(documents, out.done):
                progress.advance()
            for document in _translated(documents, stage, batch_size):
                out.write(render(document))
                tally.count(document)
    say(tally.summary(entities=False))
    if tally.problems or tally.failed:
        raise typer.Exit(BAD_INPUT)


def _translated(documents: Iterable[Document], stage: TranslateSource, batch_size: int) -> Iterator[Document]:
    from transfusion.pipeline import Pipeline

    return Pipeline([stage]).stream(documents, batch_size)


class _Out(Protocol):
    done: int

    def write(self, line: str) -> None:
        """Write a line with its end."""


class _StandardOutput:
    """Lines to standard output, which nobody can go on with."""

    done = 0

    def write(self, line: str) -> None:
        typer.echo(line, nl=False)


@contextmanager
def _lines(output: str, source: str, settings: str) -> Iterator[_Out]:
    from transfusion.translate.partial import PartialLines

    if output == "-":
        with nullcontext(_StandardOutput()) as out:
            yield out
        return
    path, given = Path(output), Path(source)
    if source != "-" and path.exists() and given.exists() and path.samefile(given):
        raise OutputError(f"{path}: this is the file that is being read; give another one")
    state = given.stat() if source != "-" and given.is_file() else None
    # Standard input may be another text the next time: its name is no promise, so such a run always begins anew.
    identity = f"{settings}\n{given.absolute()} {state.st_size} {state.st_mtime_ns}\n" if state else f"{id(settings)}\n"
    with PartialLines(path, identity) as lines:
        if lines.done:
            say(f"{lines.done:,} documents are there already")
        yield lines


def _estimate(documents: Iterable[Document], name: str, options: list[str] | None, pivot: str) -> None:
    from transfusion.language import get_language
    from transfusion.segment import split_sentences
    from transfusion.translate.base import Estimating
    from transfusion.translate.engines import load_translator

    engine = load_translator(name, engine_options(options))
    target = get_language(pivot).iso639_3
    sentences: dict[str, list[str]] = {}
    count = 0
    for document in documents:
        count += 1
        text = document.source.text
        pieces = split_sentences(text, document.source.language)
        sentences.setdefault(document.source.language, []).extend(text[piece.start : piece.end] for piece in pieces)
    if not count:
        raise InputError("there is nothing to translate")
    for language, texts in sorted(sentences.items()):
        characters = sum(map(len, texts))
        line = f"{language}: {len(texts):,} sentences, {characters:,} characters"
        if isinstance(engine, Estimating):
            whole = engine.estimate(texts, source=language, target=target)
            line += (
                f"; {whole.requests:,} requests, about {whole.input_tokens:,} tokens in, {whole.output_tokens:,} out"
            )
            line += "" if whole.cost is None else f", {whole.cost:,.2f} in the currency of the prices"
        typer.echo(line)
