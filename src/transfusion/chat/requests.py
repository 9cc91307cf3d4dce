"""Many requests at a time, patience with busy servers, and a record of what was used.

What is asked, and of which server, is the business of those who use this: chat models and decoders alike.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from transfusion.chat.failures import ChatError, Failure
from transfusion.chat.patience import Patience
from transfusion.chat.server import Reply
from transfusion.chat.usage import Usage
from transfusion.errors import ConfigError

log = logging.getLogger(__name__)

# After so many requests in a row without an answer, for all the retries, the server is taken to be down.
_DOWN_AFTER = 2

P = TypeVar("P")
R = TypeVar("R", bound=Reply)
_Asked = TypeVar("_Asked", contravariant=True)
_Answered = TypeVar("_Answered", bound=Reply, covariant=True)


class Server(Protocol[_Asked, _Answered]):
    """Something that can be asked. As text, it says what and where it is."""

    api_key_env: str
    """Environment variable that holds the key."""

    @property
    def doubted(self) -> Collection[str]:
        """The optional parts of a request to leave out first where a server does not say what it objects to."""
        ...

    def connect(self) -> None:
        """Make ready for requests.

        :raises ConfigError: If there is no key, or what there is cannot be one.
        """
        ...

    def attempt(self, prompt: _Asked, /, *, omitted: Collection[str] = ()) -> _Answered | Failure:
        """Ask once, without some optional parts; never raises for what a server does."""
        ...

    def optional(self, prompt: _Asked, /) -> Mapping[str, Any]:
        """The parts of a request that it can go without, by name."""
        ...

    def models(self) -> list[str] | Failure:
        """The models that the server has, sorted by name, or why they cannot be told."""
        ...


class Requests(Generic[P, R]):
    """Asks a server.

    :param server: The server.
    :param concurrency: Most requests at a time.
    :param patience: How long to wait and how often to ask again.
    """

    def __init__(self, server: Server[P, R], *, concurrency: int, patience: Patience) -> None:
        self.concurrency = concurrency
        self.patience = patience
        self._server = server
        self._refused: frozenset[str] = frozenset()
        self._usage = Usage()
        self._unanswered_in_a_row = 0
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._usage

    def ask(self, prompts: Sequence[P], /, *, on_reply: Callable[[P, R], None] | None = None) -> list[R | ChatError]:
        """Ask many things, several at a time.

        A request that the server is too busy for is repeated. One that it refuses, or that it does not answer for all
        the repetitions, is a failure of that request alone as long as others are answered.

        :param prompts: What to ask.
        :param on_reply: Called with every answer as soon as it is there, from the thread that asked for it.
        :returns: For each, in order, the answer, or why there is none.
        :raises ConfigError: If the key, the model or the address is wrong: every request would fail.
        :raises ChatError: If the server is down: two requests in a row had no answer for all the repetitions. From then
            on requests are not repeated, until one is answered.
        """
        self._server.connect()
        halt = threading.Event()
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="requests")
        try:
            return list(pool.map(lambda prompt: self._answer(prompt, halt, on_reply), prompts))
        finally:
            halt.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def models(self) -> list[str]:
        """The models that the server has.

        :returns: Their names, sorted.
        :raises ConfigError: If the key or the address is wrong.
        :raises ChatError: If the server does not answer.
        """
        models = self._server.models()
        if isinstance(models, Failure):
            raise self._error(models, models.reason)
        return models

    def _answer(self, prompt: P, halt: threading.Event, on_reply: Callable[[P, R], None] | None) -> R | ChatError:
        try:
            reply = self._persist(prompt, halt)
            if on_reply is not None:
                on_reply(prompt, reply)
            return reply
        except ConfigError:
            halt.set()
            raise
        except ChatError as error:
            if error.kind == "server" and not halt.is_set():
                with self._lock:
                    self._unanswered_in_a_row += 1
                if self._is_down():
                    halt.set()
                    raise
            return error

    def _persist(self, prompt: P, halt: threading.Event) -> R:
        """Ask until there is an answer, or asking again would not help."""
        begun = time.monotonic()
        omitted = set(self._refused)
        failures: list[Failure] = []
        while not halt.is_set():
            outcome = self._server.attempt(prompt, omitted=omitted)
            self._count(Usage(requests=1, retries=int(bool(failures))))
            if not isinstance(outcome, Failure):
                self._note_answer(outcome, omitted)
                return outcome
            if objections := self._objections(prompt, outcome) - omitted:
                omitted |= objections
                continue
            failures.append(outcome)
            if not outcome.again or len(failures) > self.patience.retries or self._is_down():
                break
            if outcome.retry_after > self.patience.longest_wait:
                break
            wait = self.patience.wait(len(failures), outcome.retry_after)
            log.info("%s: %s; asking again in %.1f s", self._server, outcome.reason, wait)
            halt.wait(wait)
        if not failures:
            raise ChatError(f"{self._server}: not asked, since other requests failed", kind="server")
        raise self._error(failures[-1], self._account(failures, time.monotonic() - begun))

    def _account(self, failures: Sequence[Failure], seconds: float) -> str:
        """What was tried, for a message."""
        reasons = Counter(failure.reason for failure in failures)
        tried = "; ".join(reason if count == 1 else f"{count} times {reason}" for reason, count in reasons.items())
        attempts = "1 attempt" if len(failures) == 1 else f"{len(failures)} attempts"
        account = f"no answer after {attempts} in {seconds:.1f} s: {tried}"
        wanted = failures[-1].retry_after
        if wanted > self.patience.longest_wait:
            account += f"; it asks to wait {wanted:.0f} s, and longest_wait is {self.patience.longest_wait:.0f}"
        return account

    def _objections(self, prompt: P, failure: Failure) -> set[str]:
        """The optional parts of a request that a server seems to object to.

        Reasoning models take no temperature, and older servers neither a schema nor the newer name of a limit. A server
        that does not say what it objects to is asked without the parts that are doubted most.
        """
        if failure.status not in (400, 422):
            return set()
        optional = self._server.optional(prompt).keys()
        named = {name for name in optional if name in failure.setting or name in failure.reason}
        return named or {name for name in optional if name in self._server.doubted}

    def _note_answer(self, reply: R, omitted: set[str]) -> None:
        read, written = reply.input_tokens, reply.output_tokens
        self._count(Usage(0, 0, 1, read or 0, written or 0, unmetered=int(read is None)))
        with self._lock:
            self._unanswered_in_a_row = 0
            new = sorted(omitted - self._refused)
            self._refused = self._refused.union(omitted)
        if new:
            log.warning("%s does not take %s and is asked without", self._server, ", ".join(new))

    def _count(self, usage: Usage) -> None:
        with self._lock:
            self._usage += usage

    def _is_down(self) -> bool:
        return self._unanswered_in_a_row >= _DOWN_AFTER

    def _error(self, failure: Failure, tried: str) -> ChatError | ConfigError:
        message = f"{self._server}: {tried}"
        if failure.kind != "setup":
            return ChatError(message, kind=failure.kind)
        if failure.status != 404:
            whose = f"the key in the environment variable {self._server.api_key_env}"
            return ConfigError(f"{message}. Check {whose}, and that it may use this model")
        models = self._server.models()
        known = f"the server has {', '.join(models[:10])}" if isinstance(models, list) and models else "it ends in /v1"
        return ConfigError(f"{message}. Check the name of the model and the address: {known}")
