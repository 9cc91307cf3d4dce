"""How long to wait for a server, and how often to ask again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from transfusion.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    :param retries: Repetitions of a request.
    :param timeout: Seconds for one answer.
    :param first_wait: Seconds before the first repetition; each one after that waits twice as long.
    :param longest_wait: Most seconds before a repetition. A server that asks for more is given up.
    :raises ConfigError: If a number makes no sense.
    """

    retries: int = 5
    timeout: float = 120.0
    first_wait: float = 1.0
    longest_wait: float = 120.0

    def __post_init__(self) -> None:
        if self.retries < 0 or self.timeout <= 0 or not 0 <= self.first_wait <= self.longest_wait:
            raise ConfigError(
                "chat: retries must not be negative, timeout must be more than 0, and first_wait between 0 and "
                f"longest_wait; they are {self.retries}, {self.timeout}, {self.first_wait} and {self.longest_wait}"
            )

    def wait(self, repetition: int, retry_after: float = 0.0) -> float:
        """Seconds before a repetition, in part drawn by lot, so that threads do not all come back at once.

        :param repetition: 1 for the first.
        :param retry_after: Seconds that the server asks for; the wait is never shorter.
        :returns: The seconds.
        """
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** min(repetition - 1, 30))
        return max(backoff * random.uniform(0.5, 1.0), retry_after * random.uniform(1.0, 1.1))
