"""Stages in a row over a stream of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from transfusion.document import Document


class Stage(Protocol):
    """A step of the way: same documents out as in, in the same order, none missing.

    Batching, caching and progress live inside a stage, never between stages.
    """

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]: ...
