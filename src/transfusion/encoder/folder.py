"""The folder that a trained encoder lives in.

===================== =================================================================================================
``config.json``       format version, name, labels, window, and how the weights were made
``network.onnx``      the transformer and its labelling layer: everything that training changes
``pieces.safetensors`` vocabulary and frozen 4-bit word embeddings: what all encoders from one base share
``README.md``         the model card
===================== =================================================================================================
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from transfusion import folders
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.errors import ModelError

CONFIG, NETWORK, PIECES, CARD = "config.json", "network.onnx", "pieces.safetensors", "README.md"
FORMAT = 1
SHORTEST_WINDOW = 32
"""Positions below which source and pivot no longer find room beside one another."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What inference must know of an encoder besides its weights.

    :param name: Name of the model.
    :param labels: Entity labels in the order of the network.
    :param window: Most positions that the network can read at once.
    :param tag_threshold: Score from which a span of the pivot is tagged where the source is read beside it.
    :param outside_bias: Added to the score of *outside*; above 0 finds fewer spans, and surer ones.
    :param description: One line for people.
    :param licence: Under what terms the weights may be used.
    :param languages: ISO 639-3 codes that training saw, gold or silver.
    :param trained_on: Data sets that the weights saw.
    :param network_sha256: Hash of ``network.onnx``; a truncated file is told by it.
    """

    name: str
    labels: tuple[str, ...]
    window: int = 512
    tag_threshold: float = 0.0
    outside_bias: float = 0.0
    description: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    network_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can be named on the command line.

    :param name: Its name.
    :param path: Its folder.
    :param size_bytes: All of its files together.
    :param config: Its settings.
    """

    name: str
    path: Path
    size_bytes: int
    config: EncoderConfig


def find_model(model: str | Path) -> Path:
    """The folder of a model.

    :param model: The name of a model that ships with the package, or a folder.
    :returns: The folder.
    :raises ModelError: If there is neither.
    """
    built_in = {path.parent.name: path.parent for path in folders.BUILT_IN.glob(f"*/{CONFIG}")}
    if str(model) in built_in:
        return built_in[str(model)]
    folder = Path(model)
    try:
        if str(model) and folder.is_dir():
            if not (folder / CONFIG).is_file():
                raise ModelError(f"{folder}: not a model folder, it has no {CONFIG}")
            return folder
    except OSError as error:
        raise ModelError(f"no model {str(model)!r}: {error.strerror}") from error
    known = ", ".join(sorted(built_in)) or "none"
    raise ModelError(f"no model {str(model)!r}: neither a folder nor a model of this package ({known})")


def available_models() -> list[ModelInfo]:
    """The models that ship with the package, by name."""
    models = []
    for path in sorted(folders.BUILT_IN.glob(f"*/{CONFIG}")):
        size = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
        models.append(ModelInfo(path.parent.name, path.parent, size, read_config(path.parent)))
    return models


def read_config(folder: Path) -> EncoderConfig:
    """Read the settings of a model.

    :param folder: The folder of the model.
    :returns: Its settings.
    :raises ModelError: If the file is damaged or of another format version.
    """
    path = folder / CONFIG
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = record.pop("format")
        if version != FORMAT:
            raise ModelError(f"{path}: format {version}, and this version of transfusion reads format {FORMAT}")
        known = {field.name for field in fields(EncoderConfig)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in known}
        config = EncoderConfig(**values)
        _check_types(config.labels, config.window, (config.tag_threshold, config.outside_bias))
        return config
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not the settings of an encoder ({error})") from error


def _check_types(labels: Any, window: Any, numbers: tuple[Any, ...]) -> None:
    if not isinstance(labels, tuple) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"labels must be a list of names, not {labels!r}")
    if not isinstance(window, int) or window < SHORTEST_WINDOW:
        raise ValueError(f"window must be a number of at least {SHORTEST_WINDOW}, not {window!r}")
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError(f"tag_threshold and outside_bias must be numbers, not {numbers}")


def write_config(folder: Path, config: EncoderConfig) -> None:
    """Write the settings of a model."""
    text = json.dumps({"format": FORMAT, **asdict(config)}, indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_network(folder: Path, config: EncoderConfig) -> bytes:
    """Read the network, checked against the hash in the settings.

    :param folder: The folder of the model.
    :param config: Its settings.
    :returns: The ONNX network.
    :raises ModelError: If the file is missing, truncated or changed.
    """
    path = folder / NETWORK
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if config.network_sha256 and hashlib.sha256(data).hexdigest() != config.network_sha256:
        raise ModelError(f"{path}: {len(data)} bytes that do not match the hash in {CONFIG}: truncated or changed")
    return data


def read_pieces(folder: Path) -> tuple[Vocabulary, EmbeddingTable]:
    """Read the vocabulary, and map the word embeddings into memory.

    :param folder: The folder of the model.
    :returns: The vocabulary, and the embeddings of its pieces.
    :raises ModelError: If the file is missing or damaged.
    """
    path = folder / PIECES
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in ("pieces", "scores", "normalisation")}
        vocabulary, table = Vocabulary.from_arrays(arrays), EmbeddingTable(_map_tensor(path, "embeddings"))
        if not len(vocabulary) == len(vocabulary.scores) <= len(table):
            counts = f"{len(vocabulary)} pieces, {len(vocabulary.scores)} scores, {len(table)} embeddings"
            raise ValueError(f"{counts} do not belong together")
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: missing or damaged ({error})") from error
    return vocabulary, table


def write_pieces(folder: Path, vocabulary: Vocabulary, table: EmbeddingTable) -> None:
    """Write vocabulary and word embeddings."""
    save_file({**vocabulary.to_arrays(), "embeddings": np.ascontiguousarray(table.blocks)}, folder / PIECES)


def _map_tensor(path: Path, name: str) -> NDArray[np.uint8]:
    """One uint8 tensor of a safetensors file as a memory map.

    The library's own reader copies the tensor; of these 50 MB a run needs a few thousand rows.
    """
    with path.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_length))[name]
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if entry["dtype"] != "U8" or int(np.prod(shape)) != end - begin:
        raise ValueError(f"tensor {name} is not what its header says")
    return np.memmap(path, np.uint8, "r", 8 + header_length + begin, shape)
