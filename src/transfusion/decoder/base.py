"""The seam of generation: something that goes on writing where a prompt ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from transfusion.schema.classes import ClassDefinition


@dataclass(frozen=True, slots=True)
class AnswerList:
    """A list that an answer holds.

    :param name: Its name: ``result`` or ``final_result``.
    :param text: The text that its strings are copied from.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is given, and what its answer may hold.

    :param text: The whole prompt. It ends with the opening bracket of the first list of the answer.
    :param lists: The lists of the answer, in order; the prompt has opened the first.
    :param between: What stands between the closing bracket of a list and the opening one of the next, brackets left
        out: one string fewer than there are lists. A model writes it itself; a constraint holds it to it.
    :param classes: The classes that items of the answer may be of.
    """

    text: str
    lists: tuple[AnswerList, ...]
    between: tuple[str, ...] = ()
    classes: tuple[ClassDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer.

    :param start: Where its text begins in the answer, in code points.
    :param end: One past where it ends; the same as ``start`` for one that only completes a character.
    :param logprob: Natural logarithm of its probability, before any constraint.
    """

    start: int
    end: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer.

    :param text: What the model wrote after the prompt, up to and with the bracket that closes the last list; as far as
        it came if it did not get there.
    :param finished: Whether it closed the last list.
    :param tokens: Its tokens in order; empty if the backend does not tell probabilities.
    :param problem: Why there is no answer to this one prompt, for a note; empty if there is one.
    """

    text: str
    finished: bool
    tokens: tuple[Token, ...] = ()
    problem: str = ""


class Generator(Protocol):
    """A language model that answers prompts."""

    @property
    def signature(self) -> str:
        """Everything that decides its answers, in one line: model, weights, adapter, settings."""
        ...

    def generate(self, prompts: Sequence[Prompt], /) -> list[Generation]:
        """Answer prompts.

        :param prompts: The prompts.
        :returns: An answer to each, in order.
        :raises transfusion.errors.ModelError: If a prompt is longer than the model can read.
        """
        ...

    def count_tokens(self, text: str, /) -> int:
        """How many tokens a text is to the model, or a close guess where only a server knows."""
        ...

    @property
    def context(self) -> int:
        """Most tokens that prompt and answer may be together."""
        ...
