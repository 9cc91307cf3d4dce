"""``transfusion evaluate``: one system scored on one gold file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfusion.cli.terminal import (
    ModelName,
    ModelOptions,
    Progressing,
    SchemaName,
    System,
    Threads,
    check_writable,
    fails_clearly,
    named_values,
    say,
    write_file,
)
from transfusion.cli.translation import Engine, EngineOptions, engine_options

if TYPE_CHECKING:
    from transfusion.evaluate.score import Scores

EXAMPLES = """
Examples:

transfusion evaluate masakhaner2/lug/test.txt --language lug --system direct

transfusion evaluate lug/test.txt --language lug --translations lug/test.translations.jsonl --json lug.json

transfusion evaluate uner/hr_set-ud-test.iob2 --language hrv --translator apertium

transfusion evaluate lug/test.txt --language lug --translations lug/test.translations.jsonl --model mini-decoder
"""


@fails_clearly
def evaluate(
    gold: Annotated[
        Path, typer.Argument(metavar="GOLD", help="MasakhaNER or CoNLL-2003 columns, UNER .iob2 or xSID .conll.")
    ],
    language: Annotated[str, typer.Option(help="Language of the sentences: lug, lg, lug_Latn, ...")],
    translations: Annotated[
        Path | None, typer.Option(help='JSON lines in step with the sentences: {"text", "language"}, or null.')
    ] = None,
    translator: Engine = None,
    translator_option: EngineOptions = None,
    system: System = "fusion",
    model: ModelName = "mini",
    schema: SchemaName = None,
    model_option: ModelOptions = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels to score, with commas between; by default those of the model.")
    ] = None,
    json_output: Annotated[
        Path | None, typer.Option("--json", help="Write the scores here; - for standard output.")
    ] = None,
    translated_only: Annotated[
        bool, typer.Option("--translated-only", help="Leave out sentences without a translation.")
    ] = False,
    natural: Annotated[
        bool, typer.Option("--natural", help="Turn tokenised sentences into natural text first.")
    ] = False,
    sample: Annotated[
        int, typer.Option(min=0, help="Score at most so many sentences, drawn by --seed; 0 for all.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 13,
    threads: Threads = None,
) -> None:
    """Score a system on gold entities: strict span micro-F1 with a 95 % bootstrap interval."""
    from transfusion.evaluate.run import GoldSet, load_gold, run_system, sign
    from transfusion.evaluate.significance import bootstrap
    from transfusion.language import get_language
    from transfusion.pipeline import Pipeline
    from transfusion.systems.find import find_systems

    to_stdout = str(json_output) == "-"
    check_writable(None if to_stdout else json_output)
    settings = named_values(model_option, "--model-option")
    systems = find_systems(model, schema=schema, options=settings, threads=threads)
    code = get_language(language).iso639_3
    chosen = choose_labels(labels, systems.labels, model)
    options = engine_options(translator_option)
    engine = None if system == "direct" else translator
    spec = GoldSet(gold, code, chosen, translations, translated_only, natural, engine, options, sample, seed)
    sentences = load_gold(spec)
    for problem in sentences.problems:
        say(f"warning: {problem}")
    count = len(sentences.documents)
    pipeline = Pipeline.load(systems, system=system)
    with Progressing("sentences", count) as progress:
        scores = run_system(pipeline, sentences, chosen, progress.advance)
    interval = bootstrap(scores)
    signature = sign(spec, sentences, system=system, model=systems.signature)
    translated = sum(document.pivot is not None for document in sentences.documents)
    result = {
        **scores.to_dict(),
        "interval": [interval.low, interval.high],
        "language": code,
        "labels": list(chosen),
        "system": system,
        "model": model,
        "translated": translated,
        "problems": [str(problem) for problem in sentences.problems],
        "signature": str(signature),
    }
    for line in _table(scores):
        say(line)
    say(f"{count:,} sentences, {translated:,} with a translation, {len(sentences.problems):,} bad lines")
    text = json.dumps(result, ensure_ascii=False, indent=2)
    if to_stdout:
        typer.echo(text)
        return
    if json_output is not None:
        write_file(json_output, text + "\n")
    typer.echo(f"{code} {system} F1 {scores.f1:.1f} [{interval.low:.1f}, {interval.high:.1f}] {signature}")


def choose_labels(wanted: str | None, known: tuple[str, ...], model: str) -> tuple[str, ...]:
    """The labels to score.

    :param wanted: Labels with commas between; ``None`` for all that the model knows.
    :param known: Labels of the model.
    :param model: Name of the model, for messages.
    :returns: Each label once, in the order given.
    :raises SchemaError: If none is named, or one that the model does not know.
    """
    from transfusion.errors import SchemaError

    if wanted is None:
        return known
    chosen = tuple(dict.fromkeys(label.strip() for label in wanted.split(",") if label.strip()))
    if not chosen:
        raise SchemaError(f"--labels {wanted!r} names no label; the model {model!r} knows {', '.join(known)}")
    unknown = [label for label in chosen if label not in known]
    if unknown:
        raise SchemaError(
            f"the model {model!r} does not know the label{'s' * (len(unknown) > 1)} "
            f"{', '.join(map(repr, unknown))}; it knows {', '.join(known)}"
        )
    return chosen


def _table(scores: Scores) -> list[str]:
    """Precision, recall and F1 of each label and of all together."""
    names = {**scores.per_label, "all": scores}
    width = max(map(len, names))
    lines = [f"{'':{width}}  precision  recall     F1  support"]
    lines += [
        f"{n:{width}}  {s.precision:9.1f}  {s.recall:6.1f}  {s.f1:5.1f}  {s.support:7,}" for n, s in names.items()
    ]
    return lines
