"""Translation engines by name: ``apertium``, ``nllb:facebook/nllb-200-distilled-600M``, ``chat:gpt-4o-mini``.

An engine is imported only when it is asked for, so that a missing part of one is no trouble to the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_args, get_type_hints

from transfusion.errors import ConfigError
from transfusion.translate.base import Translator

ENGINES: Mapping[str, str] = {
    "apertium": "transfusion.translate.apertium:ApertiumTranslator",
    "chat": "transfusion.translate.chat:ChatTranslator",
    "hf": "transfusion.translate.hf:HfTranslator",
    "nllb": "transfusion.translate.nllb:NllbTranslator",
}
"""Engines and where they are. The first argument of each class is the model, what follows the colon of a name."""

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def load_translator(name: str, options: Mapping[str, str] | None = None) -> Translator:
    """Make a translator.

    :param name: An engine, and perhaps a colon and its model: a hub's name, a folder, a language chain.
    :param options: Settings of the engine by name, as strings from a command line or a file: ``{"beam_size": "5"}``.
    :returns: The translator.
    :raises ConfigError: If there is no such engine, or it has no such setting.
    :raises MissingExtraError: If a package that the engine needs is not installed; the message names the extra.
    :raises ModelError: If the engine's model or program is missing or damaged.
    """
    engine, _, model = name.partition(":")
    if engine not in ENGINES:
        raise ConfigError(f"no translation engine {engine!r}; there are {', '.join(sorted(ENGINES))}")
    module, _, attribute = ENGINES[engine].partition(":")
    kind = getattr(import_module(module), attribute)
    settings = _settings(engine, kind, options or {})
    first = next(iter(inspect.signature(kind).parameters.values()), None)
    if not model and first is not None and first.default is first.empty:
        raise ConfigError(f"the translation engine {engine!r} needs a model: {engine}:MODEL")
    translator: Translator = kind(model, **settings) if model else kind(**settings)
    return translator


def _settings(engine: str, kind: type, options: Mapping[str, str]) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown := sorted(options.keys() - set(known)):
        raise ConfigError(f"the translation engine {engine!r} has no settings {unknown}; it has {sorted(known)}")
    hints = get_type_hints(getattr(kind, "__init__"))  # noqa: B009
    return {name: _value(f"{engine}: {name}", text, hints[name]) for name, text in options.items()}


def _value(place: str, text: str, hint: Any) -> Any:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    try:
        if bool in kinds:
            return _FLAGS[text.lower()]
        return next(kind for kind in (int, float, str) if kind in kinds)(text)
    except (KeyError, ValueError, StopIteration) as error:
        words = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        raise ConfigError(f"{place} must be {words}, not {text!r}") from error
