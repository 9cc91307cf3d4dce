"""The seam between a pipeline and the models that carry its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from transfusion.errors import ConfigError

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

        :raises ConfigError: If the model cannot carry that system.
        :raises ModelError: If its files are missing or damaged.
        :raises MissingExtraError: If a package that it needs is not installed; the message names the extra.
        """
        ...


def no_system(model: str, system: str, known: tuple[str, ...]) -> ConfigError:
    """What to raise for a system that a model cannot carry.

    :param model: Name of the model.
    :param system: The system.
    :param known: Those that it can carry.
    :returns: The error.
    """
    return ConfigError(f"the model {model!r} has no system {system!r}; it has {', '.join(known)}")
