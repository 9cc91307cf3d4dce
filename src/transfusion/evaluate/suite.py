"""Suites: systems × languages, described in a file and scored in one run.

A suite is a TOML file; its paths are relative to it, and ``$NAME`` in them stands for an environment variable::

    title = "MasakhaNER 2.0, test sentences with a human translation"
    labels = ["LOC", "ORG", "PER"]
    model = "mini"
    systems = ["fusion", "direct", "projection"]
    translated_only = true
    sample = 200                   # sentences a set, drawn by "seed"; all of them when left out

    [[system]]                     # a system with a model of its own
    name = "English only"
    system = "direct"
    model = "$RUNS/english"

    [[system]]                     # a decoder, what it is asked for, and its settings
    name = "GoLLIE-TF"
    system = "fusion"
    model = "decoder:$MODELS/gollie-7b-tf"
    schema = "masakhaner"
    model_options = {dtype = "bfloat16"}

    [[set]]
    languages = ["lug", "twi"]     # {language} below stands for each of them
    gold = "$DATA/masakhaner2/{language}/test.txt"
    translations = "$DATA/masakhaner2/{language}/test.translations.jsonl"

    [[set]]
    languages = ["hr"]
    gold = "$DATA/uner/hr_set-ud-test.iob2"
    translator = "apertium"        # an engine, for sentences without a translation
    options = {}                   # its settings
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transfusion.errors import ConfigError, InputError, SchemaError
from transfusion.evaluate.report import Report, build_report
from transfusion.evaluate.run import GoldDocuments, GoldSet, load_gold, run_system, sign
from transfusion.evaluate.score import Scores
from transfusion.pipeline import SYSTEMS, Pipeline
from transfusion.systems.base import Model
from transfusion.systems.find import KINDS, find_systems

_SUITE_KEYS = {
    "title",
    "labels",
    "model",
    "systems",
    "system",
    "set",
    "pairs",
    "translated_only",
    "natural",
    "sample",
    "seed",
}
_SYSTEM_KEYS = {"name", "system", "model", "schema", "model_options"}
_SET_KEYS = {"languages", "gold", "translations", "name", "translator", "options"}

OnStart = Callable[[str, str, int], Callable[[], None]]
"""Called with system, set and number of sentences; gives what is called after each sentence."""


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """A column of the table.

    :param name: What the column is called.
    :param system: One of the package's systems.
    :param model: Name or folder of its model.
    :param schema: What a decoder or chat model is asked for; what its card names if it is ``None``.
    :param model_options: Settings of the model.
    """

    name: str
    system: str
    model: str
    schema: str | None = None
    model_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything that a suite file says.

    :param title: What the table is about.
    :param systems: Its columns.
    :param sets: Its rows: a name, usually the language, and the gold set.
    :param pairs: Columns that are tested against each other; the first against each other one if there are none.
    """

    title: str
    systems: tuple[SystemSpec, ...]
    sets: dict[str, GoldSet]
    pairs: tuple[tuple[str, str], ...] | None


def read_suite(path: Path) -> Suite:
    """Read a suite.

    :param path: The TOML file.
    :returns: What it says.
    :raises ConfigError: If the file cannot be read, or a setting is unknown, missing or makes no sense.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    _check_keys(settings, _SUITE_KEYS, f"{path}")
    systems = _systems(settings, path)
    names = [system.name for system in systems]
    pairs = settings.get("pairs")
    if pairs is not None and not all(len(pair) == 2 and set(pair) <= set(names) for pair in pairs):
        raise ConfigError(f"{path}: every entry of 'pairs' names two of the systems {names}")
    return Suite(
        settings.get("title", path.stem),
        systems,
        _sets(settings, path),
        None if pairs is None else tuple((first, second) for first, second in pairs),
    )


def run_suite(suite: Suite, on_start: OnStart | None = None) -> Report:
    """Score every system on every set.

    A system that reads translations is left out where a set has none.

    :param suite: What to score.
    :param on_start: Called before each cell of the table.
    :returns: The table, with intervals and tests.
    :raises InputError: If a file of a set is missing; the message names the set.
    :raises SchemaError: If a model does not know a label that is to be scored.
    """
    models = _models(suite)
    golds = {name: _load(name, gold) for name, gold in suite.sets.items()}
    results: dict[str, dict[str, Scores]] = {}
    signatures: dict[tuple[str, str], str] = {}
    for spec in suite.systems:
        # A model that no later system needs is let go before the next one is loaded: two decoders may not fit.
        for name, (scores, signature) in _run_on_sets(spec, models.pop(spec.name), suite.sets, golds, on_start).items():
            results.setdefault(spec.name, {})[name] = scores
            signatures[spec.name, name] = signature
    return build_report(suite.title, results, signatures=signatures, pairs=suite.pairs)


def _run_on_sets(
    spec: SystemSpec,
    model: Model,
    sets: Mapping[str, GoldSet],
    golds: Mapping[str, GoldDocuments],
    on_start: OnStart | None,
) -> dict[str, tuple[Scores, str]]:
    """Scores of one system and their signatures, by set."""
    pipeline = Pipeline.load(model, system=spec.system)
    results = {}
    for name, gold in sets.items():
        if not gold.translated and spec.system != "direct":
            continue
        count = len(golds[name].documents)
        step = on_start(spec.name, name, count) if on_start is not None else None
        scores = run_system(pipeline, golds[name], gold.labels, step)
        signature = sign(gold, golds[name], system=spec.system, model=model.signature)
        results[name] = scores, str(signature)
    return results


def _models(suite: Suite) -> dict[str, Model]:
    """The model of each system, all of them checked before the first is loaded; systems of one model share it."""
    wanted = {label for gold in suite.sets.values() for label in gold.labels}
    found: dict[tuple[object, ...], Model] = {}
    models = {}
    for spec in suite.systems:
        key = (spec.model, spec.schema, *sorted(spec.model_options.items()))
        if key not in found:
            found[key] = find_systems(spec.model, schema=spec.schema, options=spec.model_options)
        models[spec.name] = model = found[key]
        if unknown := sorted(wanted - set(model.labels)):
            known = sorted(model.labels)
            raise SchemaError(f"the model {spec.model!r} does not know the labels {unknown}; it knows {known}")
    return models


def _load(name: str, gold: GoldSet) -> GoldDocuments:
    try:
        return load_gold(gold)
    except InputError as error:
        raise InputError(f"set {name!r}: {error}") from error


def _systems(settings: dict[str, Any], path: Path) -> tuple[SystemSpec, ...]:
    model = settings.get("model", "mini")
    specs = [SystemSpec(name, name, _model(model, path)) for name in settings.get("systems", ())]
    for table in settings.get("system", ()):
        _check_keys(table, _SYSTEM_KEYS, f"{path}: [[system]]")
        system = table.get("system", table.get("name"))
        schema, options = table.get("schema"), table.get("model_options", {})
        specs.append(
            SystemSpec(
                table.get("name", system),
                system,
                _model(table.get("model", model), path),
                None if schema is None else _schema(schema, path),
                {name: _option(str(value), path) for name, value in options.items()},
            )
        )
    unknown = sorted({str(spec.system) for spec in specs} - set(SYSTEMS))
    if unknown:
        raise ConfigError(f"{path}: no systems {unknown}; there are {', '.join(SYSTEMS)}")
    names = [spec.name for spec in specs]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"{path}: needs at least one system, and each by a name of its own, not {names}")
    return tuple(specs)


def _sets(settings: dict[str, Any], path: Path) -> dict[str, GoldSet]:
    sets: dict[str, GoldSet] = {}
    for table in settings.get("set", ()):
        _check_keys(table, _SET_KEYS, f"{path}: [[set]]")
        if "gold" not in table or not table.get("languages"):
            raise ConfigError(f"{path}: every [[set]] needs 'gold' and 'languages'")
        for language in table["languages"]:
            name = table.get("name", "{language}").format(language=language)
            if name in sets:
                raise ConfigError(f"{path}: two sets are called {name!r}; give one a 'name'")
            translations = table.get("translations")
            sets[name] = GoldSet(
                gold=_path(table["gold"], language, path),
                language=language,
                labels=tuple(settings.get("labels", ("LOC", "ORG", "PER"))),
                translations=None if translations is None else _path(translations, language, path),
                translated_only=bool(settings.get("translated_only", False)),
                natural=bool(settings.get("natural", False)),
                translator=table.get("translator"),
                options={name: str(value) for name, value in table.get("options", {}).items()},
                sample=int(settings.get("sample", 0)),
                seed=int(settings.get("seed", 13)),
            )
    if not sets:
        raise ConfigError(f"{path}: needs at least one [[set]]")
    return sets


def _check_keys(table: dict[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ConfigError(f"{place}: unknown settings {unknown}; known are {sorted(known)}")


def _path(value: str, language: str, path: Path) -> Path:
    return path.parent / _expand(value.replace("{language}", language), path)


def _model(value: str, path: Path) -> str:
    """The name of a model as it stands; a place, told by a slash or a variable, relative to the suite."""
    expanded = _expand(value, path)
    kind, colon, name = expanded.partition(":")
    if colon and kind in KINDS:
        # Names on a hub and at a server may have slashes, too.
        place = path.parent / name
        return f"{kind}:{place}" if kind == "decoder" and place.exists() else expanded
    return str(path.parent / expanded) if "/" in expanded or expanded != value else value


def _schema(value: str, path: Path) -> str:
    """The name of a schema; a file is looked for beside the suite."""
    place = path.parent / _expand(value, path)
    return str(place) if place.is_file() else value


def _option(value: str, path: Path) -> str:
    """A setting of a model as it stands; what names a file or folder beside the suite is a place."""
    expanded = _expand(value, path)
    return str(path.parent / expanded) if "/" in expanded and (path.parent / expanded).exists() else expanded


def _expand(value: str, path: Path) -> str:
    expanded = os.path.expandvars(value)
    if "$" in expanded:
        raise ConfigError(f"{path}: {value!r} names an environment variable that is not set")
    return expanded
