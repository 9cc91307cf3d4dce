"""The seam between a pipeline and the models that carry its stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from transfusion.chat.usage import Estimate
from transfusion.document import Document

if TYPE_CHECKING:
    from transfusion.pipeline import Stage


class Model(Protocol):
    """A model that was named, and is loaded when its stages or its answers are asked for."""

    @property
    def name(self) -> str:
        """What tables and messages call it."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels that it can find."""
        ...

    @property
    def signature(self) -> str:
        """Everything that decides what it finds, for scores to carry."""
        ...

    def stages(self, system: str, /) -> list[Stage]:
        """The stages of a system, from pivots on.

        :param system: The system.
        :returns: The stages.
        :raises ModelError: If its files are missing or damaged.
        :raises MissingExtraError: If a package that it needs is not installed; the message names the extra.
        """
        ...

    def annotation(self) -> Stage:
        """The stage that annotates pivots alone, for another model to read; it raises what :meth:`stages` raises."""
        ...


def annotated_by(annotator: Model | None) -> str:
    """What the signature of a model says of another one that annotates its pivots."""
    return "" if annotator is None else f" annotator=({annotator.signature})"


@runtime_checkable
class Estimating(Protocol):
    """A model that is paid for by use."""

    def estimate(self, system: str, documents: Iterable[Document], /) -> Estimate:
        """Reckon what a run would take, without asking anyone."""
        ...
