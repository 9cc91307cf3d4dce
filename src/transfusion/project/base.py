"""The seam of projection: carrying the spans of one text to its translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from transfusion.document import AnnotatedText, Entity, Note

LOST_SPAN = "lost-span"
"""Code of the note on a span that found no home in the other text."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Spans that were carried over.

    :param carried: Each span of the annotated text that found a home, with that home; in the order of the homes. The
        score of a home is its span's times how sure the method is of the home.
    :param lost: Spans of the annotated text that found no home.
    :param notes: What a reader of the results should know about this pair of texts.
    """

    carried: tuple[tuple[Entity, Entity], ...]
    lost: tuple[Entity, ...]
    notes: tuple[Note, ...] = ()

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The homes alone: entities of the other text."""
        return tuple(home for _, home in self.carried)


class Projector(Protocol):
    """Carries spans between texts that translate each other."""

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        """Carry spans over.

        :param annotated: Texts whose entities are known.
        :param others: The translation of each; entities that it has are not looked at.
        :returns: For each pair the spans that found a home in the other text, and those that did not.
        """
        ...
