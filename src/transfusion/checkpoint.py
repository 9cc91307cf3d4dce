"""Where the weights of a model of others are: a folder, or the cache of the Hugging Face hub.

Weights are read from safetensors. Checkpoints that were published as ``pytorch_model.bin`` alone (NLLB-200 among them)
are read with PyTorch's ``weights_only`` reader, which makes tensors and plain containers and runs nothing that the file
says; it is the only road on which a ``.bin`` is read here. Code that comes with a checkpoint is never run.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from transfusion.errors import MissingExtraError, ModelError

log = logging.getLogger(__name__)

CONVERTED_WEIGHTS = "model.bin"
"""What CTranslate2 calls its file of weights."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_TOKENIZER_FILES = ("tokenizer.json", "*.model", "*.spm", "vocab*.json", "vocab.txt", "merges.txt", "*vocab.json")
_METADATA = ["*.json", "*.model", "*.spm", "*.txt"]
_SAFETENSORS, _PICKLED = "*.safetensors", "pytorch_model*.bin"


def find_checkpoint(model: str) -> Path:
    """Find a model's folder; what the hub's cache lacks is fetched, unless ``HF_HUB_OFFLINE`` is set.

    :param model: A folder, or a name on the hub such as ``facebook/nllb-200-distilled-600M``.
    :returns: A folder with weights, of Hugging Face or converted.
    :raises ModelError: If there is no such model here and none can be fetched, or the folder holds no weights.
    :raises MissingExtraError: If the name is the hub's and ``huggingface_hub`` is not installed.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (is_converted(folder) or weight_files(folder)):
            raise ModelError(
                f"{folder}: no weights: neither {CONVERTED_WEIGHTS} (CTranslate2) nor {_SAFETENSORS} (Hugging Face)"
            )
        return folder
    # What is in the cache is used as it is: a run that has its weights asks nobody.
    cached = _snapshot(model, fetch=False)
    if cached is not None and (is_converted(cached) or weight_files(cached)):
        return cached
    for weights in ([_SAFETENSORS], [_PICKLED, CONVERTED_WEIGHTS]):
        fetched = _snapshot(model, fetch=True, patterns=[*_METADATA, *weights])
        if fetched is not None and (is_converted(fetched) or weight_files(fetched)):
            return fetched
    raise ModelError(f"{model} has no weights on the hub that can be read: neither {_SAFETENSORS} nor {_PICKLED}")


def find_tokenizer(model: str) -> Path:
    """Find the folder of a model's tokenizer; its weights are not needed.

    :param model: A folder or a name on the hub.
    :returns: A folder with the files of a tokenizer.
    :raises ModelError: If there is none.
    :raises MissingExtraError: If the name is the hub's and ``huggingface_hub`` is not installed.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        cached = _snapshot(model, fetch=False)
        if cached is None or not tokenizer_files(cached):
            cached = _snapshot(model, fetch=True, patterns=_METADATA)
        folder = cached or folder
    if not tokenizer_files(folder):
        raise ModelError(
            f"{folder}: no tokenizer in this folder; name the checkpoint that the model was made from with the option "
            "tokenizer, for example tokenizer=facebook/nllb-200-distilled-600M"
        )
    return folder


def is_converted(folder: Path) -> bool:
    """Whether a folder holds weights of CTranslate2."""
    return (folder / CONVERTED_WEIGHTS).is_file()


def weight_files(folder: Path) -> list[Path]:
    """The Hugging Face weights in a folder: safetensors where there are any, and only else ``pytorch_model*.bin``."""
    return sorted(folder.glob(_SAFETENSORS)) or sorted(folder.glob(_PICKLED))


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that decide how text is cut into pieces."""
    return sorted({path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern) if _is_vocabulary(path)})


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint that reads one text and writes another.

    :param folder: Folder with Hugging Face weights.
    :returns: The fields.
    :raises ModelError: If the file cannot be read or is of another kind of model.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not the configuration of a checkpoint: {error}") from error
    if not (isinstance(config, dict) and config.get("is_encoder_decoder")):
        raise ModelError(f"{path}: this model does not read one text and write another: is_encoder_decoder is not true")
    return config


def fingerprint(files: Sequence[Path]) -> str:
    """A hash of what stands in files; names and places of the files do not count.

    :param files: The files, in an order that does not vary.
    :returns: 16 hexadecimal digits.
    """
    total = sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:16]


def read_network(kind: Any, folder: Path, **settings: Any) -> Any:
    """Load a network of transformers and make sure that all of it came from the file.

    :param kind: A model class of transformers.
    :param folder: Folder with Hugging Face weights.
    :param **settings: What else ``from_pretrained`` is told.
    :returns: The network, ready for inference.
    :raises ModelError: If the weights are damaged, incomplete, or hold anything but tensors.
    """
    files = weight_files(folder)
    try:
        with _no_bars():
            network, report = kind.from_pretrained(
                str(folder),
                use_safetensors=bool(files) and files[0].suffix == ".safetensors",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
                **settings,
            )
    # What transformers, safetensors and PyTorch raise over a damaged file has no common root.
    except (OSError, ValueError, RuntimeError, KeyError, EOFError, UnpicklingError, _safetensor_error()) as error:
        raise ModelError(f"{folder}: the weights cannot be read: {_first_line(error)}") from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelError(f"{folder}: {len(missing)} tensors are missing from the weights, {missing[0]} among them")
    return network.eval()


def _is_vocabulary(path: Path) -> bool:
    # CTranslate2's own list of words beside its weights is no tokenizer.
    return path.is_file() and not path.name.startswith(("shared_vocabulary", "source_vocab", "target_vocabulary"))


def _snapshot(model: str, *, fetch: bool, patterns: list[str] | None = None) -> Path | None:
    """The folder of a name on the hub; ``None`` if it is not in the cache and nothing is to be fetched."""
    if not _HUB_NAME.fullmatch(model):
        raise ModelError(f"no model {model!r}: it is neither a folder nor a name such as owner/model on the hub")
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", extra="nllb", purpose=f"finding the model {model}") from error
    offline = bool(constants.HF_HUB_OFFLINE)
    try:
        if fetch and not offline:
            log.info("fetching %s from the hub", model)
        return Path(snapshot_download(model, local_files_only=offline or not fetch, allow_patterns=patterns))
    except (OSError, ValueError, RuntimeError) as error:
        if not fetch:
            return None
        reason = "HF_HUB_OFFLINE is set" if offline else _first_line(error)
        raise ModelError(
            f"the model {model} is not in the hub's cache ({constants.HF_HUB_CACHE}) and cannot be fetched: {reason}. "
            f"Fetch it where there is a network (hf download {model}) and bring the cache, or give a folder"
        ) from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers from drawing progress bars into other people's."""
    from transformers.utils import logging

    switches: Any = logging
    shown = switches.is_progress_bar_enabled()
    switches.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            switches.enable_progress_bar()


def _safetensor_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
