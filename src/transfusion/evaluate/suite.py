"""Suites: systems × languages, described in a file and scored in one run.

A suite is a TOML file; its paths are relative to it, and ``$NAME`` in them stands for an environment variable::

    title = "MasakhaNER 2.0, test sentences with a human translation"
    labels = ["LOC", "ORG", "PER"]
    model = "mini"
    systems = ["fusion", "direct", "projection"]
    translated_only = true

    [[system]]                     # a system with a model of its own
    name = "English only"
    system = "direct"
    model = "$RUNS/english"

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfusion.encoder.folder import find_model, read_config
from transfusion.errors import ConfigError, InputError, SchemaError
from transfusion.evaluate.report import Report, build_report
from transfusion.evaluate.run import GoldDocuments, GoldSet, load_gold, run_system, sign
from transfusion.evaluate.score import Scores
from transfusion.pipeline import SYSTEMS, Pipeline

_SUITE_KEYS = {"title", "labels", "model", "systems", "system", "set", "pairs", "translated_only", "natural"}
_SYSTEM_KEYS = {"name", "system", "model"}
_SET_KEYS = {"languages", "gold", "translations", "name", "translator", "options"}


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """A column of the table.

    :param name: What the column is called.
    :param system: One of the package's systems.
    :param model: Name or folder of its model.
    """

    name: str
    system: str
    model: str


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


def run_suite(suite: Suite, on_start: Callable[[str, str, int], Callable[[], None]] | None = None) -> Report:
    """Score every system on every set.

    A system that reads translations is left out where a set has none.

    :param suite: What to score.
    :param on_start: Called with system, set and number of sentences before each cell; gives what is called after each
        sentence.
    :returns: The table, with intervals and tests.
    :raises InputError: If a file of a set is missing; the message names the set.
    :raises SchemaError: If a model does not know a label that is to be scored.
    """
    _check_labels(suite)
    golds = {name: _load(name, gold) for name, gold in suite.sets.items()}
    results: dict[str, dict[str, Scores]] = {}
    signatures: dict[tuple[str, str], str] = {}
    for spec in suite.systems:
        pipeline = Pipeline.load(spec.model, system=spec.system)
        for name, gold in suite.sets.items():
            if not gold.translated and spec.system != "direct":
                continue
            count = len(golds[name].documents)
            step = on_start(spec.name, name, count) if on_start is not None else None
            results.setdefault(spec.name, {})[name] = run_system(pipeline, golds[name], gold.labels, step)
            folder = find_model(spec.model)
            name_of_model = Path(spec.model).name
            signature = sign(gold, golds[name], system=spec.system, model_name=name_of_model, model_folder=folder)
            signatures[spec.name, name] = str(signature)
    return build_report(suite.title, results, signatures=signatures, pairs=suite.pairs)


def _check_labels(suite: Suite) -> None:
    wanted = {label for gold in suite.sets.values() for label in gold.labels}
    for spec in suite.systems:
        known = read_config(find_model(spec.model)).labels
        if unknown := sorted(wanted - set(known)):
            raise SchemaError(f"the model {spec.model!r} does not know the labels {unknown}; it knows {sorted(known)}")


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
        specs.append(SystemSpec(table.get("name", system), system, _model(table.get("model", model), path)))
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
    """The name of a model as it stands; a folder, told by a slash or a variable, relative to the suite."""
    expanded = _expand(value, path)
    return str(path.parent / expanded) if "/" in expanded or expanded != value else value


def _expand(value: str, path: Path) -> str:
    expanded = os.path.expandvars(value)
    if "$" in expanded:
        raise ConfigError(f"{path}: {value!r} names an environment variable that is not set")
    return expanded
