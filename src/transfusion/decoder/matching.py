"""The seam of constrained generation: something that knows which tokens an answer may go on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfusion.decoder.base import Prompt


class Matcher(Protocol):
    """Follows one answer, token by token, and says what may come next."""

    def mask(self) -> NDArray[np.bool_]:
        """The tokens that may come next. *Shape:* ``(vocabulary,)``, or shorter if the last ones never may."""
        ...

    def accept(self, token: int, /) -> bool:
        """Go on with a token.

        :param token: Its number.
        :returns: Whether it may come next; if not, nothing has changed.
        """
        ...

    def forced(self) -> list[int]:
        """The tokens that must come next because nothing else may; empty where there is a choice."""
        ...

    def rollback(self, count: int, /) -> None:
        """Take the tokens back that were accepted last.

        :param count: How many.
        """
        ...

    def finished(self) -> bool:
        """Whether the answer is complete, so that nothing may come next."""
        ...


ConstraintSource: TypeAlias = Callable[[Prompt], Matcher | None]
"""Gives the matcher of a prompt's answer; ``None`` where the answer is free."""
