"""Making rough examples as a configuration says, a file for each file of examples.

For example::

    model = "$RUNS/mini"             # annotates the new pivots
    translator = "apertium"
    output = "$RUNS/rough"

    [[part]]
    examples = "$RUNS/silver-2/*.jsonl"
    through = ["hrv", "cat", "spa"]  # English pivots go there and back
    limit = 1000                     # examples of each file; 0 for all
"""

from __future__ import annotations

import glob
import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from transfusion.annotate.encoder import EncoderAnnotator
from transfusion.corpora.columns import read_gold
from transfusion.encoder.model import EncoderModel
from transfusion.errors import ConfigError
from transfusion.language import get_language
from transfusion.project.align import AlignProjector
from transfusion.train.config import resolve
from transfusion.train.examples import Example, detokenised, read_examples, write_examples
from transfusion.train.rough import rough_sources, roughened
from transfusion.translate.cache import CachedTranslator, TranslationCache
from transfusion.translate.engines import load_translator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoughPart:
    """Examples that get rough pivots.

    :param examples: Files of examples, or columns of gold; a pattern such as ``silver/*.jsonl`` is fine.
    :param through: Languages that pivots go through and back.
    :param name: Folder inside the output, so that parts with files of one name do not meet.
    :param from_source: Whether the source is translated, and not the old pivot.
    :param as_source: Whether the translation becomes the source, for an annotator to learn from, and not the pivot.
    :param limit: Examples of each file, chosen by the seed; 0 for all.
    """

    examples: str
    through: tuple[str, ...] = ()
    name: str = "."
    from_source: bool = False
    as_source: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class RoughConfig:
    """Where rough examples come from and go to.

    :param model: Name or folder of the model that annotates the new pivots.
    :param translator: The translator, by name.
    :param output: Folder that gets a file for each file of examples.
    :param parts: The examples.
    :param options: Settings of the translator.
    :param seed: Seed of the choice.
    """

    model: str
    translator: str
    output: Path
    parts: tuple[RoughPart, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    seed: int = 13


def read_rough_config(path: Path) -> RoughConfig:
    """Read a configuration; paths inside it are relative to its folder.

    :param path: The TOML file.
    :returns: The configuration.
    :raises ConfigError: If the file cannot be read or a setting is unknown or missing.
    :raises LanguageError: If a language is unknown.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = tuple(_part(table, path) for table in settings.pop("part"))
        settings["output"] = resolve(settings["output"], path)
        if "/" in settings["model"] or "$" in settings["model"]:
            settings["model"] = str(resolve(settings["model"], path))
        settings["options"] = {name: str(value) for name, value in settings.pop("options", {}).items()}
        return RoughConfig(**settings, parts=parts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a configuration for rough examples ({error})") from error


def _part(table: Mapping[str, Any], path: Path) -> RoughPart:
    settings = dict(table)
    settings["through"] = tuple(get_language(code).iso639_3 for code in settings.get("through", ()))
    # The pattern is the caller's; brackets in the name of the configuration's folder are no part of it.
    settings["examples"] = str(resolve(settings["examples"], Path(glob.escape(str(path)))))
    return RoughPart(**settings)


def make_rough_files(config: RoughConfig, on_file: Callable[[Path, int], None] | None = None) -> dict[Path, int]:
    """Write a file of rough examples for each file of examples; files that are there already are kept.

    :param config: Where rough examples come from and go to.
    :param on_file: Told of each file as it is done, with the number of its examples.
    :returns: How many examples each file got, of those that were worked on.
    :raises ConfigError: If no file matches.
    :raises TranslationError: If the translator fails.
    """
    model = EncoderModel.load(config.model)
    annotator, projector = EncoderAnnotator(model), AlignProjector(model)
    made = {}
    with TranslationCache() as cache:
        translator = CachedTranslator(load_translator(config.translator, config.options), cache)
        for part in config.parts:
            paths = sorted(glob.glob(part.examples))
            if not paths:
                raise ConfigError(f"no file matches {part.examples}")
            for path in map(Path, paths):
                target = config.output / part.name / f"{path.stem}.jsonl"
                if target.exists():
                    log.info("%s is there already", target)
                    continue
                examples = _chosen(path, part.limit, config.seed)
                partial = target.with_suffix(".partial")
                if part.as_source:
                    rough = rough_sources(examples, translator, projector, through=part.through)
                else:
                    rough = roughened(
                        examples, translator, annotator, through=part.through, from_source=part.from_source
                    )
                made[target] = write_examples(partial, rough)
                partial.rename(target)
                if on_file is not None:
                    on_file(target, made[target])
    return made


def _chosen(path: Path, limit: int, seed: int) -> list[Example]:
    if path.suffix == ".jsonl":
        examples = list(read_examples(path))
    else:
        gold = read_gold(path, language="eng")
        for problem in gold.problems:
            log.warning("%s", problem)
        # Translators expect natural text.
        examples = [detokenised(Example(document)) for document in gold.documents]
    if limit and len(examples) > limit:
        return Random(seed).sample(examples, limit)
    return examples
