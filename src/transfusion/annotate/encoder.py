"""Annotating with the encoder: the network reads the text alone."""

from __future__ import annotations

from collections.abc import Sequence

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.model import EncoderModel, Reading


class EncoderAnnotator:
    """Labels texts by themselves.

    :param model: The encoder.
    """

    def __init__(self, model: EncoderModel) -> None:
        self.model = model

    def annotate(self, texts: Sequence[AnnotatedText], /) -> list[tuple[Entity, ...]]:
        """Entities of each text, in reading order."""
        return self.model.label([Reading(text) for text in texts])
