"""What a job costs: before it is begun (:class:`Estimate`) and as it goes on (:class:`Usage`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prices:
    """What a server charges, in whatever currency it bills.

    :param input: For a million tokens that it reads; ``None`` if not known.
    :param output: For a million tokens that it writes; ``None`` if not known.
    """

    input: float | None = None
    output: float | None = None

    def cost(self, input_tokens: float, output_tokens: float) -> float | None:
        """The price of so many tokens; ``None`` unless both prices are known."""
        if self.input is None or self.output is None:
            return None
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would take, reckoned without asking the server.

    :param requests: Requests, if every answer is complete.
    :param input_tokens: Tokens that the server would read, about.
    :param output_tokens: Tokens that it would write, about; the thoughts of a reasoning model are not among them.
    :param cost: What that costs, in the currency of the prices; ``None`` without prices.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used so far.

    :param requests: Requests sent, with those sent again.
    :param retries: How many of them were sent again.
    :param answers: Requests that brought an answer.
    :param input_tokens: Tokens that the server says it read.
    :param output_tokens: Tokens that it says it wrote.
    :param unmetered: Answers that did not say their tokens, which are then missing from both sums.
    """

    requests: int = 0
    retries: int = 0
    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unmetered: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.retries + other.retries,
            self.answers + other.answers,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.unmetered + other.unmetered,
        )
