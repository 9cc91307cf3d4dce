"""Translation engines by name: ``apertium``, ``nllb:facebook/nllb-200-distilled-600M``, ``chat:gpt-4o-mini``.

An engine is imported only when it is asked for, so that a missing part of one is no trouble to the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

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
    settings = read_settings(f"the translation engine {engine!r}", kind, options or {})
    first = next(iter(inspect.signature(kind).parameters.values()), None)
    if not model and first is not None and first.default is first.empty:
        raise ConfigError(f"the translation engine {engine!r} needs a model: {engine}:MODEL")
    translator: Translator = kind(model, **settings) if model else kind(**settings)
    return translator


def read_settings(
    what: str, kind: Callable[..., Any], options: Mapping[str, str], *, besides: Collection[str] = ()
) -> dict[str, Any]:
    """Settings by name, for the keyword-only parameters of a class or function.

    :param what: What messages call it.
    :param kind: The class or function. Its parameters that are no text, number or truth value cannot be set.
    :param options: Values by name, as strings from a command line or a file.
    :param besides: Settings that the caller reads itself; they are left out.
    :returns: The values, each of the type that its parameter has.
    :raises ConfigError: If there is no such setting, or a value is not of its type.
    """
    hints = get_type_hints(getattr(kind, "__init__") if isinstance(kind, type) else kind)  # noqa: B009
    parameters = inspect.signature(kind).parameters.values()
    known = {p.name: types for p in parameters if p.kind is p.KEYWORD_ONLY and (types := _types(hints[p.name]))}
    if unknown := sorted(options.keys() - known.keys() - set(besides)):
        raise ConfigError(f"{what} has no settings {unknown}; it has {sorted({*known, *besides})}")
    return {name: _value(f"{what}: {name}", text, known[name]) for name, text in options.items() if name in known}


def _types(hint: Any) -> tuple[Any, ...]:
    """The types that a value may have which comes as text."""
    if get_origin(hint) is Literal:
        return (str,)
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for each in get_args(hint) for kind in _types(each))
    return (hint,) if hint in (bool, int, float, str) else ()


def _value(place: str, text: str, kinds: Sequence[Any]) -> Any:
    try:
        if bool in kinds:
            return _FLAGS[text.lower()]
        return next(kind for kind in (int, float, str) if kind in kinds)(text)
    except (KeyError, ValueError) as error:
        words = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"{place} must be {words}, not {text!r}") from error
