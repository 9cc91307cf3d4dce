"""Making a mixture as a configuration says, part by part.

For example::

    output = "$RUNS/mixture"         # folder; mixture.jsonl and summary.json are in it at the end
    translator = "apertium"          # or nllb:facebook/nllb-200-3.3B, ...
    method = "align"                 # how spans are carried: align, marker or constrained
    languages = ["hrv", "cat", "spa"]
    translated = 8                   # examples for each task and language
    seed = 13

    [[task]]
    name = "conll2003"
    path = "$DATA/conll2003-en/train.txt"
    language = "eng"
    english = 5000                   # examples as they are
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from transfusion.corpora.columns import read_gold
from transfusion.corpora.detokenise import detokenise
from transfusion.document import Document
from transfusion.encoder.model import EncoderModel
from transfusion.errors import ConfigError, FormatError, LanguageError
from transfusion.formats.results import read_results
from transfusion.language import get_language
from transfusion.project.align import PHRASES, AlignProjector
from transfusion.project.base import Projector
from transfusion.project.constrained import ConstrainedProjector
from transfusion.train.carriers import MarkingCarrier, ProjectingCarrier
from transfusion.train.config import resolve
from transfusion.train.mixture import Carrier, MixtureCounts, Task, english_records, translated_records
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.engines import load_translator
from transfusion.translate.scoring import SequenceScorer
from transfusion.translate.seq2seq import Seq2SeqTranslator

log = logging.getLogger(__name__)

METHODS = ("align", "marker", "constrained")


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Where a task comes from.

    :param name: Name of the task.
    :param path: Columns of gold, or JSON lines as ``transfusion extract`` writes them.
    :param language: Language of its texts.
    :param labels: Labels to keep; all if there are none.
    :param english: Examples that go in as they are; all of them when left out.
    :param translated: Examples for each target language; the mixture's number when left out.
    :param natural: Whether tokenised sentences are turned into natural text first: translators expect that.
    """

    name: str
    path: Path
    language: str = "eng"
    labels: tuple[str, ...] = ()
    english: int | None = None
    translated: int | None = None
    natural: bool = True


@dataclass(frozen=True, slots=True)
class MixtureConfig:
    """Everything that decides what is in a mixture.

    :param output: Folder of the parts, ``mixture.jsonl`` and ``summary.json``.
    :param translator: The translator, by name.
    :param tasks: The tasks.
    :param languages: Target languages.
    :param method: How spans are carried, one of :data:`METHODS`.
    :param model: Encoder that aligns words.
    :param phrases: Whether spans are phrases of ordinary words, such as slots, and not names; for ``align``.
    :param options: Settings of the translator.
    :param translated: Examples for each task and language; the paper has 8.
    :param seed: Seed of every choice.
    """

    output: Path
    translator: str
    tasks: tuple[TaskConfig, ...]
    languages: tuple[str, ...]
    method: str = "align"
    model: str = "mini"
    phrases: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    translated: int = 8
    seed: int = 13


@dataclass(slots=True)
class PartResult:
    """What one part of a mixture came to.

    :param task: The task.
    :param language: ISO 639-3 code.
    :param records: Records in it.
    :param counts: What became of the candidates; ``None`` for English as it is.
    """

    task: str
    language: str
    records: int
    counts: MixtureCounts | None = None
    problem: str = ""


def read_mixture_config(path: Path) -> MixtureConfig:
    """Read a configuration; paths inside it are relative to its folder.

    :param path: The TOML file.
    :returns: The configuration.
    :raises ConfigError: If the file cannot be read, or a setting is unknown, missing or makes no sense.
    :raises LanguageError: If a language is unknown.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        tasks = tuple(_task(table, path) for table in settings.pop("task"))
        settings["output"] = resolve(settings["output"], path)
        settings["languages"] = tuple(get_language(code).iso639_3 for code in settings["languages"])
        if "model" in settings and ("/" in settings["model"] or "$" in settings["model"]):
            settings["model"] = str(resolve(settings["model"], path))
        settings["options"] = {name: str(value) for name, value in settings.pop("options", {}).items()}
        config = MixtureConfig(**settings, tasks=tasks)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a configuration for a mixture ({error})") from error
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: every [[task]] needs a name of its own, not {names}")
    if config.method not in METHODS:
        raise ConfigError(f"{path}: no method {config.method!r}; there are {', '.join(METHODS)}")
    return config


def _task(table: Mapping[str, Any], path: Path) -> TaskConfig:
    settings = dict(table)
    return TaskConfig(
        **{
            **settings,
            "path": resolve(settings["path"], path),
            "language": get_language(settings.get("language", "eng")).iso639_3,
            "labels": tuple(settings.get("labels", ())),
        }
    )


def make_mixture(config: MixtureConfig, on_part: Callable[[PartResult], None] | None = None) -> list[PartResult]:
    """Make a mixture, or go on with one that was interrupted: parts that are there already are kept.

    A language that the translator does not know is a part with no records and a problem; the rest goes on.

    :param config: What goes in.
    :param on_part: Told of each part as it is done.
    :returns: The parts, in order.
    :raises ConfigError: If the parts that are there were made with other settings, or the method needs another engine.
    :raises FormatError: If a corpus cannot be read.
    :raises TranslationError: If the translator fails; the parts made so far stay.
    """
    parts = config.output / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    _check_settings(config)
    results: list[PartResult] = []
    with TranslationCache() as cache:
        carrier = _carrier(config, cache)
        for task_config in config.tasks:
            task = _read_task(task_config, config)
            for language in (task_config.language, *config.languages):
                result = _make_part(parts / f"{task.name}.{language}.jsonl", task, language, carrier, config)
                results.append(result)
                if on_part is not None:
                    on_part(result)
    _join(config, results)
    return results


def _make_part(path: Path, task: Task, language: str, carrier: Carrier, config: MixtureConfig) -> PartResult:
    report = path.with_suffix(".counts.json")
    result = PartResult(task.name, language, 0)
    as_it_is = language == task.documents[0].source.language
    if not as_it_is:
        result.counts = MixtureCounts()
    if path.exists() and report.exists():
        record = json.loads(report.read_text(encoding="utf-8"))
        result.records, result.problem = record["records"], record["problem"]
        result.counts = None if record["counts"] is None else MixtureCounts.from_dict(record["counts"])
        return result
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        try:
            records = (
                english_records(task, config.seed)
                if result.counts is None
                else translated_records(task, language, carrier, config.seed, result.counts)
            )
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                result.records += 1
        except LanguageError as error:
            result.problem = str(error)
            log.warning("%s: %s", language, error)
    partial.rename(path)
    report.write_text(json.dumps(_plain(result), ensure_ascii=False) + "\n", encoding="utf-8")
    return result


def _join(config: MixtureConfig, results: Iterable[PartResult]) -> None:
    whole = config.output / "mixture.jsonl"
    partial = whole.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        for result in results:
            file.write((config.output / "parts" / f"{result.task}.{result.language}.jsonl").read_text(encoding="utf-8"))
    partial.rename(whole)
    summary = json.dumps([_plain(result) for result in results], ensure_ascii=False, indent=2)
    (config.output / "summary.json").write_text(summary + "\n", encoding="utf-8")


def _plain(result: PartResult) -> dict[str, Any]:
    return {**asdict(result), "counts": None if result.counts is None else result.counts.to_dict()}


def _check_settings(config: MixtureConfig) -> None:
    """Parts of one configuration must not be mixed with those of another."""
    record = json.dumps(
        {name: value for name, value in asdict(config).items() if name != "output"}, default=str, sort_keys=True
    )
    path = config.output / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != record + "\n":
        raise ConfigError(f"{config.output}: holds parts of a mixture with other settings; name another output")
    path.write_text(record + "\n", encoding="utf-8")


def _read_task(task: TaskConfig, config: MixtureConfig) -> Task:
    documents = tuple(_documents(task))
    if not documents:
        raise FormatError("no sentence to make examples from", path=task.path)
    if task.natural:
        documents = tuple(detokenise(document) for document in documents)
    english = len(documents) if task.english is None else task.english
    return Task(task.name, documents, english, config.translated if task.translated is None else task.translated)


def _documents(task: TaskConfig) -> Iterable[Document]:
    if task.path.suffix == ".jsonl":
        documents: Iterable[Document] = read_results(task.path, on_problem=lambda problem: log.warning("%s", problem))
    else:
        try:
            gold = read_gold(task.path, language=task.language, labels=task.labels or None)
        except OSError as error:
            raise ConfigError(f"{task.path}: cannot be read ({error.strerror})") from error
        for problem in gold.problems:
            log.warning("%s", problem)
        documents = gold.documents
    for document in documents:
        kept = tuple(e for e in document.source.entities if not task.labels or e.label in task.labels)
        yield replace(document, source=document.source.with_entities(kept), pivot=None, sentences=())


def _carrier(config: MixtureConfig, cache: TranslationCache) -> Carrier:
    engine = load_translator(config.translator, config.options)
    translator = CachedTranslator(engine, cache)
    if config.method == "marker":
        return MarkingCarrier(translator)
    projector: Projector
    if config.method == "constrained":
        if not isinstance(engine, Seq2SeqTranslator):
            raise ConfigError(
                f"constrained projection needs an engine that can score: nllb or hf, not {config.translator}"
            )
        projector = ConstrainedProjector(SequenceScorer(engine))
    else:
        projector = AlignProjector(EncoderModel.load(config.model), PHRASES if config.phrases else None)
    return ProjectingCarrier(translator, projector, method=config.method)
