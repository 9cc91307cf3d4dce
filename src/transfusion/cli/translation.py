"""What the commands that translate share: their options, and a translator from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transfusion.cli.terminal import named_values, say
from transfusion.errors import ConfigError

if TYPE_CHECKING:
    from transfusion.translate.stage import TranslateSource

Engine = Annotated[
    str | None,
    typer.Option(
        "--translator",
        help="Engine that translates the texts, and perhaps its model: apertium, nllb, nllb:FOLDER, hf:MODEL, "
        "chat:MODEL; or parallel:FILE, the same as --translations FILE.",
    ),
]
EngineOptions = Annotated[
    list[str] | None,
    typer.Option("--translator-option", metavar="NAME=VALUE", help="A setting of the engine; may be given again."),
]
Pivot = Annotated[str, typer.Option(help="Language to translate into.")]
Suspect = Annotated[
    Literal["retry", "direct", "keep"],
    typer.Option(
        help="What becomes of translations that look broken: retry with careful settings and else do without; do "
        "without (direct); or keep them."
    ),
]
Cache = Annotated[bool, typer.Option("--cache/--no-cache", help="Whether to use translations that were made before.")]


def parallel_file(translations: str | None, translator: str | None) -> tuple[str | None, str | None]:
    """The file of translations and the engine, where ``parallel:FILE`` is another way to name the file.

    :param translations: What ``--translations`` says.
    :param translator: What ``--translator`` says.
    :returns: The file and the engine, of which one is ``None`` at least.
    :raises ConfigError: If there are both.
    """
    if translator is not None and translator.startswith("parallel:"):
        if translations is not None:
            raise ConfigError("two files of translations: --translations and --translator parallel:…; give one")
        return translator.partition(":")[2], None
    if translations is not None and translator is not None:
        raise ConfigError("--translations and --translator exclude each other: the file has the translations")
    return translations, translator


@contextmanager
def translation_stage(
    name: str, options: Sequence[str] | None, *, pivot: str, suspect: Literal["retry", "direct", "keep"], cache: bool
) -> Iterator[TranslateSource]:
    """A first stage, with a cache round its engine; says at the end how often that was of use.

    :param name: The engine, and perhaps its model.
    :param options: Settings as ``NAME=VALUE``.
    :param pivot: Language to translate into, by any code.
    :param suspect: What becomes of translations that look broken.
    :param cache: Whether translations that were made before are used.
    :yields: The stage.
    :raises ConfigError: If an option has no ``=``, or the engine knows no such option.
    :raises LanguageError: If nobody knows the pivot.
    """
    from transfusion.language import get_language
    from transfusion.translate.cache import CachedTranslator, TranslationCache
    from transfusion.translate.engines import load_translator
    from transfusion.translate.stage import TranslateSource

    code = get_language(pivot).iso639_3
    translator = load_translator(name, engine_options(options))
    if not cache:
        yield TranslateSource(translator, pivot=code, policy=suspect)
        return
    with TranslationCache() as kept:
        cached = CachedTranslator(translator, kept)
        yield TranslateSource(cached, pivot=code, policy=suspect)
        say(f"translations: {cached.misses:,} made by {name}, {cached.hits:,} from the cache")


def engine_options(options: Sequence[str] | None) -> dict[str, str]:
    """Settings by name.

    :param options: Settings as ``NAME=VALUE``.
    :returns: Their values, as strings.
    :raises ConfigError: If one has no ``=``.
    """
    return named_values(options, "--translator-option")
