"""The systems of a chat model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transfusion.annotate.chat import ChatAnnotator
from transfusion.chat.usage import Estimate
from transfusion.document import Document
from transfusion.errors import ConfigError
from transfusion.fuse.base import FuseSource
from transfusion.fuse.chat import ChatDirect, ChatFuser, ChatTransFusion
from transfusion.fuse.projection import ProjectionFuser
from transfusion.prompting.model import ChatModel
from transfusion.systems.base import Model, annotated_by
from transfusion.systems.decoder import ALIGNER

if TYPE_CHECKING:
    from transfusion.pipeline import Stage


class ChatSystems:
    """A model that can only be reached by chat.

    :param name: What tables and messages call it.
    :param model: What asks it.
    :param steps: 1 to ask for the annotations of pivot and source in one request, 2 for one after the other.
    :param annotator: What annotates pivots instead of it.
    :param threads: Threads for aligning words.
    :raises ConfigError: If there are more or fewer steps.
    """

    def __init__(
        self,
        name: str,
        model: ChatModel,
        *,
        steps: int = 1,
        annotator: Model | None = None,
        threads: int | None = None,
    ) -> None:
        if steps not in (1, 2):
            raise ConfigError(f"{name}: steps is 1 or 2, not {steps}")
        self.name = name
        self.labels = model.schema.labels
        self._model = model
        self._steps = steps
        self._annotator = annotator
        self._threads = threads

    @property
    def signature(self) -> str:
        """The model, its settings, and a digest of everything that it is told."""
        return f"{self._model.signature} steps={self._steps}{annotated_by(self._annotator)}"

    def stages(self, system: str, /) -> list[Stage]:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.encoder.model import EncoderModel

        first = [self.annotation()] if self._annotates(system) else []
        if system == "projection":
            aligner = EncoderModel.load(ALIGNER, threads=self._threads)
            return [*first, FuseSource(ProjectionFuser(aligner, alone=self._fuser("direct")))]
        return [*first, FuseSource(self._fuser(system))]

    def annotation(self) -> Stage:
        """See :class:`~transfusion.systems.base.Model`."""
        return ChatAnnotator(self._model) if self._annotator is None else self._annotator.annotation()

    def estimate(self, system: str, documents: Iterable[Document], /) -> Estimate:
        """Reckon what a run would take, without asking the server.

        :param system: The system.
        :param documents: The documents; one without a pivot is taken to get one.
        :returns: Requests, tokens and, where prices are known, cost.
        """
        documents = list(documents)
        asks = self._annotates(system) and self._annotator is None
        steps = [ChatAnnotator(self._model).estimate(documents)] if asks else []
        if system != "projection":
            steps.append(self._fuser(system).estimate(documents))
        costs = [step.cost for step in steps if step.cost is not None]
        return Estimate(
            sum(step.requests for step in steps),
            sum(step.input_tokens for step in steps),
            sum(step.output_tokens for step in steps),
            sum(costs) if costs else None,
        )

    def _annotates(self, system: str) -> bool:
        """Whether the pivot is annotated in a step of its own."""
        apart = self._steps == 2 or self._annotator is not None
        return system == "projection" or (system == "fusion" and apart)

    def _fuser(self, system: str) -> ChatFuser | ChatTransFusion | ChatDirect:
        if system == "direct":
            return ChatDirect(self._model)
        if system == "fusion" and not self._annotates(system):
            return ChatTransFusion(self._model)
        return ChatFuser(self._model, annotated=system == "fusion")
