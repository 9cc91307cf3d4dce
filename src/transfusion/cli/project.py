"""``transfusion project``: entities carried from a text to its translation, and how well that works."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from transfusion.cli.terminal import (
    BAD_INPUT,
    Encoder,
    Progressing,
    Threads,
    check_writable,
    fails_clearly,
    say,
    write_file,
)
from transfusion.cli.translation import EngineOptions, engine_options
from transfusion.errors import ConfigError, InputError, TransfusionError

if TYPE_CHECKING:
    from transfusion.corpora.parallel_gold import ParallelGold
    from transfusion.encoder.model import EncoderModel
    from transfusion.evaluate.projection import ProjectionScores
    from transfusion.project.base import Projector
    from transfusion.translate.base import Translator

MethodName = Literal["align", "marker", "constrained"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)

Spans = Annotated[
    Literal["names", "phrases"], typer.Option(help="align: what the spans are, which decides how they are aligned.")
]
Marks = Annotated[
    Literal["brackets", "tags", "indexed"],
    typer.Option(help="marker: [span], <a>span</a> or [1]span[/1]."),
]
TranslatorName = Annotated[
    str | None,
    typer.Option("--translator", help="marker, constrained: engine, and perhaps its model: apertium, nllb, hf:MODEL."),
]

app = typer.Typer(help="Carry entities from a text to its translation.", no_args_is_help=True)


@app.callback()
def _project() -> None:
    """Carry entities from a text to its translation.

    Three methods: align compares words with the encoder; marker puts marks round the spans and translates the text with
    them; constrained asks a translation model where it would put the marks.
    """


@app.command(
    epilog="Examples:\n\n"
    "transfusion project carry english.jsonl --translations swahili.jsonl --output carried.jsonl\n\n"
    "transfusion project carry english.jsonl --method marker --translator apertium --output carried.jsonl"
)
@fails_clearly
def carry(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Annotated documents: what `extract` wrote as JSON lines; - for standard input."
        ),
    ],
    translations: Annotated[
        str | None,
        typer.Option(help='JSON lines in step with INPUT: {"text", "language"}, or null. INPUT may hold them itself.'),
    ] = None,
    method: Annotated[MethodName, typer.Option(help="How.")] = "align",
    output: Annotated[str, typer.Option(help="Where to write the documents; - for standard output.")] = "-",
    model: Encoder = "mini",
    spans: Spans = "names",
    translator: TranslatorName = None,
    translator_option: EngineOptions = None,
    marks: Marks = "brackets",
    batch_size: Annotated[int, typer.Option(min=1, help="Documents that are worked on together.")] = 64,
    threads: Threads = None,
) -> None:
    """Give the translation of each document the document's entities.

    The documents are written with their translations, whose entities replace any that were there. An entity without a
    counterpart is a note on its document.
    """
    from transfusion.annotate.projection import ProjectToPivot
    from transfusion.formats import Output
    from transfusion.formats.results import read_results
    from transfusion.pipeline import Pipeline
    from transfusion.translate.parallel import ParallelTranslations

    if source == translations == "-":
        raise InputError("INPUT and --translations cannot both come from standard input; put one of them in a file")
    methods = Methods(model, spans, translator, engine_options(translator_option), marks, threads)
    problems: list[TransfusionError] = []
    counts: Counter[str] = Counter()
    with Progressing("documents") as progress:

        def problem(error: TransfusionError) -> None:
            problems.append(error)
            progress.say(f"error: {error}")

        documents = read_results(source, on_problem=problem)
        with Output(output, "jsonl", source=source) as out:
            if translations is not None:
                documents = ParallelTranslations(translations, on_problem=problem)(documents)
            stage = ProjectToPivot(methods.maker(method))
            for document in Pipeline([stage]).stream(documents, batch_size):
                out.write(document)
                progress.advance()
                counts["entities"] += len(document.source.entities)
                counts["carried"] += 0 if document.pivot is None or document.failed else len(document.pivot.entities)
                counts["failed"] += document.failed
                for note in document.notes:
                    if note.severity != "info":
                        progress.say(f"{note.severity}: document {document.id}: {note.message}")
    say(
        f"{progress.done:,} documents; {counts['carried']:,} of {counts['entities']:,} entities carried; "
        f"{counts['failed']:,} documents failed; {len(problems):,} bad lines"
    )
    if problems or counts["failed"]:
        raise typer.Exit(BAD_INPUT)


@app.command(
    epilog="Examples:\n\n"
    "transfusion project score uner/en_pud-ud-test.iob2 uner/de_pud-ud-test.iob2 --language deu\n\n"
    "transfusion project score xsid/en.test.conll xsid/it.test.conll --language ita --spans phrases --show 3"
)
@fails_clearly
def score(
    annotated: Annotated[Path, typer.Argument(metavar="GOLD", help="Gold file that entities are carried from.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Gold file of the same sentences in the language.")],
    language: Annotated[str, typer.Option(help="Language of OTHER.")],
    annotated_language: Annotated[str, typer.Option("--from", help="Language of GOLD.")] = "eng",
    methods: Annotated[str, typer.Option(help="align, marker, constrained, with commas between.")] = "align",
    labels: Annotated[str | None, typer.Option(help="Labels to carry, with commas between; all by default.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Carry the first so many sentences only; 0 for all.")] = 0,
    show: Annotated[int, typer.Option(min=0, help="Show so many examples of each kind of error.")] = 0,
    json_output: Annotated[
        Path | None, typer.Option("--json", help="Write the scores here; - for standard output.")
    ] = None,
    model: Encoder = "mini",
    spans: Spans = "names",
    translator: TranslatorName = None,
    translator_option: EngineOptions = None,
    marks: Marks = "brackets",
    threads: Threads = None,
) -> None:
    """Carry one language's gold entities to another and compare with that one's own gold.

    Strict precision, recall and F1 with a 95 % bootstrap interval, and what became of every entity; what the columns
    mean stands in docs/projection.md.
    """
    from transfusion.corpora.parallel_gold import read_parallel_gold
    from transfusion.evaluate.projection import project_gold, score_projections, to_markdown
    from transfusion.language import get_language

    check_writable(None if str(json_output) == "-" else json_output)
    wanted = _method_names(methods)
    source, target = get_language(annotated_language).iso639_3, get_language(language).iso639_3
    kept = None if labels is None else {label.strip() for label in labels.split(",")}
    gold = read_parallel_gold(annotated, other, annotated_language=source, language=target, labels=kept)
    for problem in gold.problems:
        say(f"warning: {problem}")
    if limit:
        gold = replace(gold, annotated=gold.annotated[:limit], others=gold.others[:limit])
    if not gold.annotated:
        raise InputError(f"{other}: no sentence to score")
    known = Methods(model, spans, translator, engine_options(translator_option), marks, threads)
    results: dict[MethodName, dict[str, ProjectionScores]] = {}
    with Progressing("sentences", len(wanted) * len(gold.annotated)) as progress:
        for method in wanted:
            projections = project_gold(known.maker(method)(source, target), gold, progress.advance)
            results[method] = {target: score_projections(gold, projections)}
    signatures = {name: str(known.signature(name, annotated, other, gold, target)) for name in results}
    record = {name: {**found[target].to_dict(), "signature": signatures[name]} for name, found in results.items()}
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    if str(json_output) == "-":
        typer.echo(text, nl=False)
        return
    if json_output is not None:
        write_file(json_output, text)
    typer.echo(to_markdown(results), nl=False)
    for name, found in results.items():
        for line in _examples(found[target], gold, show):
            typer.echo(f"{name}: {line}")
        typer.echo(signatures[name])


@dataclass(slots=True)
class Methods:
    """Makes methods of projection from what the command line says; loads what they share once.

    :param model: Name or folder of the encoder.
    :param spans: What the spans are.
    :param translator: Name of the translation engine; ``None`` if none was given.
    :param options: Its settings.
    :param marks: Style of the marks.
    :param threads: Threads to compute with.
    """

    model: str
    spans: Literal["names", "phrases"]
    translator: str | None
    options: dict[str, str]
    marks: Literal["brackets", "tags", "indexed"]
    threads: int | None
    _encoder: EncoderModel | None = None
    _engine: Translator | None = None

    def maker(self, method: MethodName) -> Callable[[str, str], Projector]:
        """A function that makes the method for two languages.

        :param method: The method.
        :returns: What takes the codes of two languages and gives a projector from the one to the other.
        :raises ConfigError: If the method needs a translator and none was given, or one of another kind.
        """
        if method != "align" and self.translator is None:
            raise ConfigError(f"the method {method} needs --translator, for example --translator apertium")
        return {"align": self._align, "marker": self._marker, "constrained": self._constrained}[method]

    def signature(self, method: MethodName, annotated: Path, other: Path, gold: ParallelGold, language: str) -> object:
        """What made a score.

        :param method: The method.
        :param annotated: File that the entities come from.
        :param other: File that they were compared with.
        :param gold: What was read from the two.
        :param language: Code of the language of ``other``.
        :returns: The signature; its string form is for people.
        """
        from transfusion import __version__
        from transfusion.encoder.folder import find_model
        from transfusion.evaluate.signature import Signature, name_and_hash

        how = self.spans if method == "align" else self.marks if method == "marker" else ""
        made = name_and_hash(find_model(self.model), name=Path(self.model).name) if method == "align" else None
        return Signature(
            labels=tuple(sorted({entity.label for text in gold.others for entity in text.entities})),
            language=language,
            system=f"{method}{how and f' {how}'}",
            model=made or self._load_engine().signature,
            gold=f"{name_and_hash(annotated)}+{name_and_hash(other)}",
            documents=len(gold.others),
            version=__version__,
        )

    def _align(self, _source: str, _target: str) -> Projector:
        from transfusion.encoder.model import EncoderModel
        from transfusion.project.align import PHRASES, AlignmentSettings, AlignProjector

        if self._encoder is None:
            self._encoder = EncoderModel.load(self.model, threads=self.threads)
        return AlignProjector(self._encoder, PHRASES if self.spans == "phrases" else AlignmentSettings())

    def _marker(self, source: str, target: str) -> Projector:
        from transfusion.project.marker import MarkerProjector, MarkerSettings
        from transfusion.translate.bind import bind

        return MarkerProjector(bind(self._load_engine(), source, target), MarkerSettings(self.marks))

    def _constrained(self, _source: str, _target: str) -> Projector:
        from transfusion.project.constrained import ConstrainedProjector
        from transfusion.translate.scoring import SequenceScorer
        from transfusion.translate.seq2seq import Seq2SeqTranslator

        engine = self._load_engine()
        if not isinstance(engine, Seq2SeqTranslator):
            raise ConfigError(f"the method constrained needs a network: nllb or hf:MODEL, not {self.translator!r}")
        return ConstrainedProjector(SequenceScorer(engine))

    def _load_engine(self) -> Translator:
        from transfusion.translate.engines import load_translator

        if self._engine is None:
            assert self.translator is not None
            self._engine = load_translator(self.translator, self.options)
        return self._engine


def _method_names(names: str) -> list[MethodName]:
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
    if unknown := [name for name in wanted if name not in METHODS]:
        raise ConfigError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    return [method for method in METHODS if method in wanted]


def _examples(scores: ProjectionScores, gold: ParallelGold, count: int) -> list[str]:
    """Some of each kind of error, drawn with a fixed seed."""
    from transfusion.evaluate.projection import OUTCOMES, describe

    draw = random.Random(0)
    lines = []
    for outcome in OUTCOMES[1:]:
        cases = [case for case in scores.cases if case.outcome == outcome]
        chosen = draw.sample(cases, min(count, len(cases)))
        lines += [f"{outcome}: {describe(case, gold)}" for case in chosen]
    return lines
