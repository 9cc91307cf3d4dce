"""The systems of a decoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from transfusion.decoder.base import Generator
from transfusion.schema.types import Schema
from transfusion.systems.base import Model, annotated_by

if TYPE_CHECKING:
    from transfusion.decoder.model import DecoderModel
    from transfusion.pipeline import Stage

ALIGNER = "mini"
"""The encoder whose middle layers align words for ``projection``: a decoder only writes."""


class DecoderSystems:
    """A language model that is shown guidelines.

    :param name: What tables and messages call it.
    :param load: Loads what answers prompts.
    :param schema: What to extract.
    :param annotator: What annotates pivots instead of it.
    :param threads: Threads for aligning words.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Generator],
        schema: Schema,
        *,
        annotator: Model | None = None,
        threads: int | None = None,
    ) -> None:
        self.name = name
        self.labels = schema.labels
        self._load = load
        self._schema = schema
        self._annotator = annotator
        self._threads = threads

    @property
    def signature(self) -> str:
        """That of the generator, which is loaded for it, a digest of the schema, and the annotator."""
        return self._model.signature + annotated_by(self._annotator)

    def stages(self, system: str, /) -> list[Stage]:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.encoder.model import EncoderModel
        from transfusion.fuse.base import FuseSource
        from transfusion.fuse.decoder import DecoderDirect, DecoderFuser
        from transfusion.fuse.projection import ProjectionFuser

        if system == "direct":
            return [FuseSource(DecoderDirect(self._model))]
        if system == "projection":
            aligner = EncoderModel.load(ALIGNER, threads=self._threads)
            fuser = ProjectionFuser(aligner, alone=DecoderDirect(self._model))
            return [self.annotation(), FuseSource(fuser)]
        # Without an annotator of its own, fusion is one pass that writes both lists.
        first = [self.annotation()] if system == "fusion" and self._annotator is not None else []
        return [*first, FuseSource(DecoderFuser(self._model, annotate=system == "fusion"))]

    def annotation(self) -> Stage:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.annotate.decoder import DecoderAnnotator

        return DecoderAnnotator(self._model) if self._annotator is None else self._annotator.annotation()

    @cached_property
    def _model(self) -> DecoderModel:
        from transfusion.decoder.model import DecoderModel

        return DecoderModel(self._load(), self._schema)
