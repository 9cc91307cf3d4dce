"""The systems of an encoder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from transfusion.encoder.folder import find_model, read_config
from transfusion.errors import SchemaError
from transfusion.schema.types import Schema

if TYPE_CHECKING:
    from transfusion.encoder.model import EncoderModel
    from transfusion.pipeline import Stage


class EncoderSystems:
    """A token classifier by name or folder.

    :param model: Name of a model that ships with the package, or the folder of one.
    :param schema: What the caller thinks that it finds; ``None`` for no opinion.
    :param threads: Threads to compute with.
    :raises ModelError: If there is no such model.
    :raises SchemaError: If the schema has other labels than the model.
    """

    def __init__(self, model: str | Path, schema: Schema | None = None, *, threads: int | None = None) -> None:
        self.folder = find_model(model)
        self.name = Path(model).name
        self.labels = read_config(self.folder).labels
        self._threads = threads
        if schema is not None and (set(schema.labels) != set(self.labels) or schema.relations or schema.events):
            raise SchemaError(
                f"the model {str(model)!r} is an encoder and finds what it was trained on: {', '.join(self.labels)}. "
                "Leave the schema out, or give a decoder"
            )

    @property
    def signature(self) -> str:
        """Name and hash of the folder."""
        from transfusion.evaluate.signature import name_and_hash

        return name_and_hash(self.folder, name=self.name)

    def stages(self, system: str, /) -> list[Stage]:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.fuse.base import FuseSource
        from transfusion.fuse.encoder import DirectLabeller, EncoderFuser
        from transfusion.fuse.projection import ProjectionFuser

        if system == "direct":
            return [FuseSource(DirectLabeller(self._encoder))]
        if system == "untagged":
            return [FuseSource(EncoderFuser(self._encoder))]
        fuser = ProjectionFuser(self._encoder) if system == "projection" else EncoderFuser(self._encoder)
        return [self.annotation(), FuseSource(fuser)]

    def annotation(self) -> Stage:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.annotate.base import AnnotatePivot
        from transfusion.annotate.encoder import EncoderAnnotator

        return AnnotatePivot(EncoderAnnotator(self._encoder))

    @cached_property
    def _encoder(self) -> EncoderModel:
        from transfusion.encoder.model import EncoderModel

        return EncoderModel.load(self.folder, threads=self._threads)
