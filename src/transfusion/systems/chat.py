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
from transfusion.systems.decoder import ALIGNER

if TYPE_CHECKING:
    from transfusion.pipeline import Stage


class ChatSystems:
    """A model that can only be reached by chat.

    :param name: What tables and messages call it.
    :param model: What asks it.
    :param steps: 1 to ask for the annotations of pivot and source in one request, 2 for one after the other.
    :param threads: Threads for aligning words.
    :raises ConfigError: If there are more or fewer steps.
    """

    def __init__(self, name: str, model: ChatModel, *, steps: int = 1, threads: int | None = None) -> None:
        if steps not in (1, 2):
            raise ConfigError(f"{name}: steps is 1 or 2, not {steps}")
        self.name = name
        self.labels = model.schema.labels
        self._model = model
        self._steps = steps
        self._threads = threads

    @property
    def signature(self) -> str:
        """The model, its settings, and a digest of everything that it is told."""
        return f"{self._model.signature} steps={self._steps}"

    def stages(self, system: str, /) -> list[Stage]:
        """See :class:`~transfusion.systems.base.Model`."""
        from transfusion.encoder.model import EncoderModel

        first: list[Stage] = [ChatAnnotator(self._model)] if self._annotates(system) else []
        if system == "projection":
            aligner = EncoderModel.load(ALIGNER, threads=self._threads)
            return [*first, FuseSource(ProjectionFuser(aligner, alone=self._fuser("direct")))]
        return [*first, FuseSource(self._fuser(system))]

    def estimate(self, system: str, documents: Iterable[Document], /) -> Estimate:
        """Reckon what a run would take, without asking the server.

        :param system: The system.
        :param documents: The documents; one without a pivot is taken to get one.
        :returns: Requests, tokens and, where prices are known, cost.
        """
        documents = list(documents)
        steps = [ChatAnnotator(self._model).estimate(documents)] if self._annotates(system) else []
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
        """Whether the pivot has a request of its own."""
        return system == "projection" or (system == "fusion" and self._steps == 2)

    def _fuser(self, system: str) -> ChatFuser | ChatTransFusion | ChatDirect:
        if system == "direct":
            return ChatDirect(self._model)
        if system == "fusion" and self._steps == 1:
            return ChatTransFusion(self._model)
        return ChatFuser(self._model, annotated=system == "fusion")
