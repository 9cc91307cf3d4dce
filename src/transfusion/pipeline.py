"""Stages in a row over a stream of documents: translate, annotate, fuse.

::

    documents ──▶ stage ──▶ stage ──▶ stage ──▶ the same documents, same order, none missing

A stage fills in a part of each document and never looks beyond the batch that it is given.  What it cannot process
travels on, with a note that says why: one bad document never ends a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload

from transfusion.chat.failures import ChatError
from transfusion.document import AnnotatedText, Document
from transfusion.errors import ConfigError, MissingExtraError, ModelError, StageError
from transfusion.language import get_language

if TYPE_CHECKING:
    from transfusion.schema.types import Schema
    from transfusion.systems.base import Model

DEFAULT_PIVOT = "eng"
SYSTEMS = ("fusion", "direct", "projection", "untagged")

# These say that the set-up is wrong, not the document.
_FATAL = (ConfigError, MissingExtraError, ModelError, StageError)


class Stage(Protocol):
    """A step of the way: same documents out as in, in the same order, none missing.

    A pipeline calls its stages once a batch, so a stage keeps no position between calls.  Caching and progress live
    inside a stage, never between stages.
    """

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        """The documents, each with what this stage adds."""
        ...


class Pipeline:
    """Stages in a row; itself a stage.

    :param stages: The steps, in order.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)

    @classmethod
    def load(
        cls,
        model: str | Path | Model = "mini",
        *,
        system: str = "fusion",
        schema: str | Path | Schema | None = None,
        model_options: Mapping[str, str] | None = None,
        translator: str | Stage | None = None,
        threads: int | None = None,
    ) -> Pipeline:
        """Build the stages of a system.

        ``fusion`` annotates the pivot and reads it beside the source; ``untagged`` reads the pivot without annotating
        it (the paper's ablation); ``projection`` annotates the pivot and carries its spans over; ``direct`` reads the
        source alone.

        :param model: An encoder, a decoder or a chat model: its name, its folder, or as
            :func:`~transfusion.systems.find.find_systems` gives it.
        :param system: One of :data:`SYSTEMS`.
        :param schema: What to extract, for a model that is shown guidelines: a schema, the name of one that ships with
            the package, or a file; what the model was trained on when left out.
        :param model_options: Settings of the model by name, such as ``base_url``.
        :param translator: A translation engine by name (``apertium``, ``nllb``, …), whose translations into English are
            kept in the cache; or a first stage that gives documents their pivots. None if they come with them. It sees
            batches, as every stage does, so a file of translations goes before the pipeline instead.
        :param threads: Threads to compute with; the cores that this process may use when left out.
        :returns: The pipeline.
        :raises ConfigError: If there is no such system, engine or setting.
        :raises ModelError: If there is no such model, or its files are damaged.
        :raises SchemaError: If there is no such schema, or the model finds something else.
        :raises MissingExtraError: If a package that model or engine need is not installed; the message names the extra.
        """
        if system not in SYSTEMS:
            raise ConfigError(f"no system {system!r}; there are {', '.join(SYSTEMS)}")
        # The models' runtime takes longer to import than all the rest: whoever only builds pipelines goes without.
        from transfusion.systems.find import find_systems

        if isinstance(model, str | Path):
            model = find_systems(model, schema=schema, options=model_options, threads=threads)
        first = [] if translator is None else [_translation(translator)]
        return cls([*first, *model.stages(system)])

    @overload
    def __call__(self, text: str, /, language: str, translation: str | AnnotatedText | None = None) -> Document: ...
    @overload
    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]: ...
    def __call__(
        self,
        given: str | Iterable[Document],
        /,
        language: str | None = None,
        translation: str | AnnotatedText | None = None,
    ) -> Document | Iterator[Document]:
        """Process one text, or, as any stage does, a stream of documents.

        :param given: A text, or documents.
        :param language: Language of the text, by any code that :func:`~transfusion.language.get_language` knows.
        :param translation: Translation of the text; a plain string is English.
        :returns: The annotated document, with id ``1``; or an iterator of documents.
        :raises TypeError: If a text comes without its language.
        :raises LanguageError: If nobody knows the language.
        """
        if not isinstance(given, str):
            return self.stream(given)
        if language is None:
            raise TypeError("a text needs its language, for example pipe(text, language='swa')")
        pivot = AnnotatedText(translation, DEFAULT_PIVOT) if isinstance(translation, str) else translation
        source = AnnotatedText(given, get_language(language).iso639_3)
        return next(self.stream([Document("1", source, pivot)]))

    def stream(self, documents: Iterable[Document], batch_size: int = 256) -> Iterator[Document]:
        """Process documents as they come; memory holds one batch, however long the stream.

        A stage that raises on a batch gets its documents again one by one.  The one that fails then travels on as it
        was before that stage, with a ``stage-failed`` note, and later stages leave it alone.

        :param documents: Any number of documents; read a batch at a time.
        :param batch_size: Documents a batch.
        :yields: The same documents, in the same order, none missing.
        :raises ValueError: If ``batch_size`` is less than 1.
        :raises StageError: If a stage drops, adds, swaps or rewrites documents.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        for batch in _batches(documents, batch_size):
            for stage in self.stages:
                batch = _run(stage, batch)
            yield from batch


def _translation(translator: str | Stage) -> Stage:
    if not isinstance(translator, str):
        return translator
    from transfusion.translate.cache import CachedTranslator, TranslationCache
    from transfusion.translate.engines import load_translator
    from transfusion.translate.stage import TranslateSource

    return TranslateSource(CachedTranslator(load_translator(translator), TranslationCache()), pivot=DEFAULT_PIVOT)


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Documents in batches; if reading them fails, those read before that still make a last one."""
    batch: list[Document] = []
    try:
        for document in documents:
            batch.append(document)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _run(stage: Stage, batch: list[Document]) -> list[Document]:
    """One stage over one batch; documents that failed before go past it."""
    results = iter(_attempt(stage, [document for document in batch if not document.failed]))
    return [document if document.failed else next(results) for document in batch]


def _attempt(stage: Stage, batch: list[Document]) -> list[Document]:
    try:
        # One more than went in is enough to see that a stage makes documents up, even if it never stops.
        results = list(islice(stage(batch), len(batch) + 1)) if batch else []
    except Exception as error:  # whatever it is, one document must not end the run
        if _ends_the_run(error):
            raise
        if len(batch) > 1:
            return [result for document in batch for result in _attempt(stage, [document])]
        reason = f"{_name(stage)} could not process this document: {type(error).__name__}: {error}"
        return [document.with_note("stage-failed", reason, "error") for document in batch]
    _check_promise(stage, batch, results)
    return results


def _ends_the_run(error: Exception) -> bool:
    """Whether every document to come would fail as well: the set-up is wrong, or a server has gone."""
    return isinstance(error, _FATAL) or (isinstance(error, ChatError) and error.kind == "server")


def _check_promise(stage: Stage, batch: Sequence[Document], results: Sequence[Document]) -> None:
    if len(results) != len(batch):
        count = f"more than {len(batch)}" if len(results) > len(batch) else str(len(results))
        raise StageError(f"the stage {_name(stage)} gave back {count} documents for {len(batch)}: this is a bug in it")
    for given, result in zip(batch, results, strict=True):
        if result.id != given.id:
            raise StageError(
                f"the stage {_name(stage)} gave back document {result.id!r} in the place of {given.id!r}: "
                "this is a bug in it"
            )
        if result.source.text != given.source.text:
            raise StageError(f"the stage {_name(stage)} changed the text of document {given.id!r}: this is a bug in it")


def _name(stage: Stage) -> str:
    return getattr(stage, "__name__", type(stage).__name__)
