"""Making silver examples of all languages of MAFAND-MT, a file a language, as a configuration says.

For example::

    model = "$RUNS/english"          # folder that a training wrote
    pairs = "$DATA/mafand"           # MAFAND-MT
    held_out = "$DATA"               # whose dev and test sentences must not be trained on
    output = "$RUNS/silver"
    limit = 2500                     # pairs a language; 0 for all
    fused = false                    # true from the second round on
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from transfusion.corpora.mafand import Pair, find_pair_files, read_pairs
from transfusion.corpora.overlap import held_out_fingerprints
from transfusion.encoder.model import EncoderModel
from transfusion.errors import ConfigError
from transfusion.train.config import resolve
from transfusion.train.examples import write_examples
from transfusion.train.silver import SilverCounts, SilverSettings, make_silver

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SilverConfig:
    """Where silver examples come from and go to.

    :param model: Folder of the model whose opinions are asked.
    :param pairs: Folder of MAFAND-MT.
    :param held_out: Folder of the corpora whose dev and test sentences are left out.
    :param output: Folder that gets ``<language>.jsonl`` for each language, the pairs, and ``pivots/<language>.jsonl``,
        their pivots by themselves.
    :param limit: Pairs a language, chosen by the seed; 0 for all.
    :param skip: Languages that are held out altogether.
    :param fused: Whether the model has learnt to read pivots.
    :param seed: Seed of the choice.
    """

    model: Path
    pairs: Path
    held_out: Path
    output: Path
    limit: int = 0
    skip: tuple[str, ...] = ()
    fused: bool = False
    seed: int = 13


def read_silver_config(path: Path) -> SilverConfig:
    """Read a configuration; paths inside it are relative to its folder.

    :param path: The TOML file.
    :returns: The configuration.
    :raises ConfigError: If the file cannot be read or a setting is unknown or missing.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        settings["skip"] = tuple(settings.get("skip", ()))
        for name in ("model", "pairs", "held_out", "output"):
            settings[name] = resolve(settings[name], path)
        return SilverConfig(**settings)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a configuration for silver examples ({error})") from error


def make_silver_files(config: SilverConfig) -> dict[str, SilverCounts]:
    """Write a file of silver examples for each language; files that are there already are kept.

    :param config: Where silver examples come from and go to.
    :returns: What became of the pairs of each language that was worked on.
    :raises ConfigError: If there are no training pairs.
    """
    files = [path for path in find_pair_files(config.pairs, "train") if _language(path) not in config.skip]
    if not files:
        raise ConfigError(f"{config.pairs}: no training pairs of MAFAND-MT")
    model = EncoderModel.load(config.model)
    held_out = held_out_fingerprints(config.held_out)
    settings = SilverSettings(fused=config.fused)
    made = {}
    for path in files:
        target = config.output / f"{_language(path)}.jsonl"
        if target.exists():
            log.info("%s is there already", target)
            continue
        documents = [pair.to_document() for pair in _choose(read_pairs(path).pairs, config)]
        counts = SilverCounts()
        silver = list(make_silver(model, documents, held_out, settings, counts))
        write_examples(config.output / "pivots" / target.name, (one.pivot for one in silver))
        partial = target.with_suffix(".partial")
        write_examples(partial, (one.pair for one in silver))
        partial.rename(target)
        log.info("%s: %s", target, counts)
        made[_language(path)] = counts
    if made:
        report = {language: vars(counts) for language, counts in made.items()}
        (config.output / "counts.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return made


def _language(path: Path) -> str:
    return path.parent.name.partition("-")[2]


def _choose(pairs: Sequence[Pair], config: SilverConfig) -> Sequence[Pair]:
    if not config.limit or len(pairs) <= config.limit:
        return pairs
    return Random(config.seed).sample(list(pairs), config.limit)
