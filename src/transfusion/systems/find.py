"""A model by its name: encoder, decoder or chat.

============================== ======================================================================================
``mini``, an encoder's folder   an encoder
``mini-decoder``                the decoder that ships with the package
a folder, a ``.gguf`` file      a decoder: a causal language model, or an adapter for one
``decoder:NAME``                the same, by its name on the hub or by its place
``completions:NAME``            a decoder behind a server for completions
``chat:NAME``                   a model behind a server for chat
============================== ======================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from transfusion import folders
from transfusion.encoder.folder import CONFIG
from transfusion.errors import ConfigError
from transfusion.schema.find import find_schema
from transfusion.schema.types import Schema
from transfusion.systems.base import Model
from transfusion.systems.card import ADAPTER, read_card
from transfusion.systems.encoder import EncoderSystems
from transfusion.translate.engines import read_settings

DEFAULT_SCHEMA = "masakhaner"
"""What a model is asked for that says nothing itself."""
KINDS = ("decoder", "completions", "chat")
"""What may stand before the colon of a name."""
ANNOTATOR = "annotator"
"""Setting of decoders and chat models: the name of another model, which annotates their pivots."""


def find_systems(
    model: str | Path,
    *,
    schema: str | Path | Schema | None = None,
    options: Mapping[str, str] | None = None,
    threads: int | None = None,
) -> Model:
    """Find a model; it is loaded when its stages are asked for.

    :param model: Its name or place, as the table above says.
    :param schema: What to extract: a schema, the name of one that ships with the package, or a file; when left out, the
        schema that the model's card names, and if there is none, ``masakhaner``.
    :param options: Settings by name. ``annotator`` names another model, which annotates pivots instead of this one.
    :param threads: Threads to compute with.
    :returns: The model.
    :raises ConfigError: If the model has no such setting.
    :raises ModelError: If there is no such model.
    :raises SchemaError: If there is no such schema, or the model finds something else.
    """
    name, options = str(model), dict(options or {})
    kind, rest = _kind(name)
    if isinstance(schema, str | Path):
        schema = find_schema(schema)
    if kind == "encoder":
        if options:
            raise ConfigError(f"the model {name!r} is an encoder and has no settings, so not {sorted(options)}")
        return EncoderSystems(rest, schema, threads=threads)
    if not rest:
        raise ConfigError(f"{name!r} names no model: {kind}:MODEL")
    schema = schema or find_schema(read_card(rest).schema or DEFAULT_SCHEMA)
    another = options.get(ANNOTATOR)
    annotator = None if another is None else find_systems(another, schema=schema, threads=threads)
    return _load_later(kind, name, rest, schema, options, annotator, threads)


def _load_later(
    kind: str,
    name: str,
    model: str,
    schema: Schema,
    options: Mapping[str, str],
    annotator: Model | None,
    threads: int | None,
) -> Model:
    """A decoder or chat model. What its loader takes as keyword-only arguments are its settings."""
    from transfusion.systems import load
    from transfusion.systems.decoder import DecoderSystems

    loaders: dict[str, Callable[..., Any]] = {
        "decoder": load.load_generator,
        "completions": load.load_completions,
        "chat": load.load_chat,
    }
    settings = read_settings(f"the model {name!r}", loaders[kind], options, besides=(ANNOTATOR,))
    if kind == "chat":
        return load.load_chat(name, model, schema, annotator, threads, **settings)
    if kind == "decoder":
        name = Path(model).name
        settings.setdefault("threads", threads)
    later = partial(loaders[kind], model, **settings)
    return DecoderSystems(name, later, schema, annotator=annotator, threads=threads)


def _kind(name: str) -> tuple[str, str]:
    """Architecture and what is left of the name."""
    prefix, colon, rest = name.partition(":")
    if colon and prefix in KINDS:
        return prefix, rest
    shipped = folders.BUILT_IN / name / ADAPTER
    if re.fullmatch(r"[\w-]+", name) and shipped.is_file():
        return "decoder", str(shipped.parent)
    return ("decoder" if name.endswith(".gguf") or _is_causal(Path(name)) else "encoder"), name


def _is_causal(folder: Path) -> bool:
    """Whether a folder holds a model of transformers, or an adapter; encoders have settings of their own."""
    try:
        if (folder / ADAPTER).is_file():
            return True
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and "model_type" in settings and "format" not in settings
