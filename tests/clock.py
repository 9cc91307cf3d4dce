"""How long something takes on a machine that does other things as well."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 10


def fastest(action: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of processor time of the fastest of some tries: neighbours slow a thread down, none speeds it up."""
    seconds = []
    for _ in range(tries):
        begun = time.thread_time()
        action()
        seconds.append(time.thread_time() - begun)
    return min(seconds)
