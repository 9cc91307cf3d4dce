"""Weights of Hugging Face to weights of CTranslate2, once.

A folder of converted weights holds what CTranslate2 reads, the tokenizer in ``tokenizer/``, and ``transfusion.json``
with what CTranslate2's own configuration does not say. It appears under its name only when it is complete.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfusion.checkpoint import (
    fingerprint,
    read_config,
    read_network,
    tokenizer_files,
    weight_files,
)
from transfusion.errors import ConfigError, MissingExtraError, ModelError, OutputError
from transfusion.folders import cache_folder

if TYPE_CHECKING:
    from ctranslate2.converters import TransformersConverter

log = logging.getLogger(__name__)

COMPUTE_TYPES = (
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
)
"""Number formats of CTranslate2: of the matrices, and after an underscore of the rest."""

TOKENIZER = "tokenizer"
_CARD = "transfusion.json"
_FORMAT = 1


class UnknownArchitectureError(ModelError):
    """A network that CTranslate2 does not know."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is worth knowing of converted weights.

    :param architecture: Model type, as transformers names it.
    :param quantization: Number format of the weights.
    :param positions: Most tokens that the network can read at once; ``None`` if it has no such limit.
    :param weights: Fingerprint of the weights that were converted.
    """

    architecture: str
    quantization: str
    positions: int | None
    weights: str


def read_card(folder: Path) -> Card | None:
    """What is known of converted weights; ``None`` if somebody else converted them.

    :param folder: A folder with converted weights.
    :returns: The card.
    :raises ModelError: If it is damaged.
    """
    path = folder / _CARD
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields.pop("format")
        return Card(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{path}: not the card of converted weights ({error}); convert them anew") from error


def converted(source: Path, *, quantization: str, tokenizer: Path) -> Path:
    """The converted form of weights, made the first time and kept in the cache folder.

    Processes that ask at the same time wait for the one that converts. Weights that were changed are converted anew.

    :param source: Folder with Hugging Face weights.
    :param quantization: One of :data:`COMPUTE_TYPES`.
    :param tokenizer: Folder of the tokenizer that the weights were trained with.
    :returns: The folder with the converted weights.
    :raises UnknownArchitectureError: If CTranslate2 does not know this kind of network.
    :raises ModelError: If the weights cannot be read.
    :raises OutputError: If the cache folder cannot be written.
    :raises MissingExtraError: If a package that converting needs is not installed.
    """
    folder = cache_folder() / "ctranslate2" / _key(source, tokenizer, quantization)
    if not folder.is_dir():
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingExtraError("filelock", extra="nllb", purpose="converting a model") from error
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.with_suffix(".lock"))
            with lock:
                if not folder.is_dir():
                    log.info("converting %s to %s, once", source, quantization)
                    convert(source, folder, quantization=quantization, tokenizer=tokenizer)
        except OSError as error:
            raise OutputError(f"{folder.parent}: cannot be written: {error.strerror or error}") from error
    return folder


def convert(
    source: Path,
    output: Path,
    *,
    quantization: str = "int8",
    tokenizer: Path,
    on_step: Callable[[str], None] = log.debug,
) -> Card:
    """Convert weights into a new folder.

    :param source: Folder with Hugging Face weights.
    :param output: The folder to make.
    :param quantization: One of :data:`COMPUTE_TYPES`.
    :param tokenizer: Folder of the tokenizer that the weights were trained with.
    :param on_step: Told what is being done.
    :returns: What is now known of the converted weights.
    :raises ConfigError: If there is no such number format.
    :raises UnknownArchitectureError: If CTranslate2 does not know this kind of network.
    :raises ModelError: If the weights cannot be read, or the tokenizer is another model's.
    :raises OutputError: If the folder exists or cannot be written.
    :raises MissingExtraError: If a package that converting needs is not installed.
    """
    if quantization not in COMPUTE_TYPES:
        raise ConfigError(f"no number format {quantization!r}; there are {', '.join(COMPUTE_TYPES)}")
    if output.exists():
        raise OutputError(f"{output}: exists already; name a new folder, or remove this one")
    read_config(source)
    converter = _converter(source, tokenizer)
    partial = output.with_name(output.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        output.parent.mkdir(parents=True, exist_ok=True)
        on_step(f"reading {source} and converting it to {quantization}")
        _run(converter, partial, quantization, source)
        on_step("writing the tokenizer and the card")
        converter.tokenizer.save_pretrained(str(partial / TOKENIZER))
        config = converter.config
        card = Card(
            architecture=config.model_type,
            quantization=quantization,
            positions=getattr(config, "max_position_embeddings", None),
            weights=fingerprint(weight_files(source)),
        )
        fields = {"format": _FORMAT, **asdict(card)}
        (partial / _CARD).write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        partial.rename(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return card


def _run(converter: TransformersConverter, output: Path, quantization: str, source: Path) -> None:
    try:
        converter.convert(str(output), quantization=quantization)
    # CTranslate2 has one kind of ValueError for everything; a network with parts that it lacks is a KeyError or worse.
    except (ValueError, KeyError, NotImplementedError, AttributeError) as error:
        raise UnknownArchitectureError(f"{source}: CTranslate2 cannot convert this network: {error}") from error


def _converter(source: Path, tokenizer_folder: Path) -> Any:
    try:
        import torch  # noqa: F401  (CTranslate2 goes on without, and fails later)
    except ImportError as error:
        raise MissingExtraError("torch", extra="hf", purpose="converting a model") from error
    try:
        from ctranslate2.converters import TransformersConverter
    except ImportError as error:
        raise MissingExtraError("ctranslate2", extra="nllb", purpose="converting a model") from error
    from transfusion.translate.pieces import all_tokens, load_tokenizer

    class Converter(TransformersConverter):  # type: ignore[misc]
        """CTranslate2's own, reading weights and tokenizer the way this package does."""

        config: Any
        tokenizer: Any

        def load_model(self, model_class: Any, model_name_or_path: str, **settings: Any) -> Any:
            network = read_network(model_class, Path(model_name_or_path), **settings)
            self.config = network.config
            # Since transformers 5 every T5 says that its embeddings are tied, which CTranslate2 takes to mean that the
            # outputs are scaled: MADLAD-400 and mT5 would come out with nearly flat probabilities.
            if network.config.model_type in ("t5", "mt5"):
                network.config.tie_word_embeddings = getattr(network.config, "scale_decoder_outputs", False)
            # It is in the files of the published mBART, but no more in the files that transformers writes.
            if network.config.model_type == "mbart":
                network.config.normalize_before = True
            return network

        def load_tokenizer(self, _tokenizer_class: Any, _model_name_or_path: str, **_settings: Any) -> Any:
            self.tokenizer = load_tokenizer(tokenizer_folder)
            if len(self.tokenizer) > self.config.vocab_size:
                raise ModelError(
                    f"{tokenizer_folder}: {len(self.tokenizer):,} tokens, but the model in {source} has "
                    f"{self.config.vocab_size:,}: this is the tokenizer of another model"
                )
            if getattr(self.tokenizer, "separate_vocabs", False):
                raise UnknownArchitectureError(
                    f"{source}: source and target have vocabularies of their own, and CTranslate2 would mix them up"
                )
            # CTranslate2 goes by it to tell mBART-50 from mBART; transformers does not write it any more.
            self.config.tokenizer_class = type(self.tokenizer).__name__
            if self.config.model_type == "mbart" and self.tokenizer.bos_token is None:
                self.tokenizer.bos_token = self.tokenizer.cls_token  # mBART-50 never reads it; CTranslate2 wants one
            # The tags of M2M-100 are tokens too.
            tokens = all_tokens(self.tokenizer)
            self.tokenizer.get_vocab = lambda: tokens
            return self.tokenizer

    return Converter(str(source))


def _key(source: Path, tokenizer: Path, quantization: str) -> str:
    """A name that changes with the files. It goes by their sizes and times: hashing gigabytes takes long."""
    files = [*weight_files(source), source / "config.json", *tokenizer_files(tokenizer)]
    lines = [f"{_FORMAT} {quantization}"]
    for path in (path.resolve() for path in files if path.exists()):
        state = path.stat()
        lines.append(f"{path} {state.st_size} {state.st_mtime_ns}")
    return sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:24]
