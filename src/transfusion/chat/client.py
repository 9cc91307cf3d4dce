"""A client of chat servers: many requests at a time, patience with busy servers, and a record of what was used.

Any server with OpenAI's ``/v1/chat/completions`` will do: OpenAI itself, vLLM, llama.cpp. What is asked and how answers
are read is the business of those who use this client; it never sees a document.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from transfusion.chat.failures import ChatError, Failure
from transfusion.chat.patience import Patience
from transfusion.chat.server import ChatServer, Prompt, Reply
from transfusion.chat.usage import Usage
from transfusion.errors import ConfigError

log = logging.getLogger(__name__)

# After so many requests in a row without an answer, for all the retries, the server is taken to be down.
_DOWN_AFTER = 2


class ChatClient:
    """Asks a model behind a chat server.

    :param model: Name of the model, as the server calls it.
    :param base_url: Address of the server, up to and with ``/v1``; what the environment variable ``OPENAI_BASE_URL``
        says, or OpenAI's own, when left out.
    :param api_key_env: Environment variable that holds the key. A server of one's own may need none.
    :param concurrency: Most requests at a time.
    :param patience: How long to wait and how often to ask again.
    :param temperature: 0 for the likeliest answer.
    :param max_tokens: Most tokens of an answer; the server's own limit when left out.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    :raises ConfigError: If a setting makes no sense.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 4,
        patience: Patience | None = None,
        temperature: float = 0.0,
        max_tokens: int | None = None,
    ) -> None:
        if not model:
            raise ConfigError("chat needs the name of a model, as its server calls it: chat:gpt-4o-mini")
        if concurrency < 1 or (max_tokens is not None and max_tokens < 1):
            raise ConfigError(f"chat: concurrency ({concurrency}) and max_tokens ({max_tokens}) must be at least 1")
        self.concurrency = concurrency
        self.patience = patience or Patience()
        self._server = ChatServer(
            model,
            base_url=base_url,
            api_key_env=api_key_env,
            timeout=self.patience.timeout,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        self._refused: frozenset[str] = frozenset()
        self._usage = Usage()
        self._unanswered_in_a_row = 0
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._usage

    def ask(self, prompts: Sequence[Prompt], /) -> list[Reply | ChatError]:
        """Ask many things, several at a time.

        A request that the server is too busy for is repeated. One that it refuses, or that it does not answer for all
        the repetitions, is a failure of that request alone as long as others are answered.

        :param prompts: What to ask.
        :returns: For each, in order, the answer, or why there is none.
        :raises ConfigError: If the key, the model or the address is wrong: every request would fail.
        :raises ChatError: If the server is down: two requests in a row had no answer for all the repetitions. From then
            on requests are not repeated, until one is answered.
        """
        self._server.connect()
        halt = threading.Event()
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="chat")
        try:
            return list(pool.map(lambda prompt: self._answer(prompt, halt), prompts))
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

    def _answer(self, prompt: Prompt, halt: threading.Event) -> Reply | ChatError:
        try:
            return self._persist(prompt, halt)
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

    def _persist(self, prompt: Prompt, halt: threading.Event) -> Reply:
        """Ask until there is an answer, or asking again would not help."""
        begun = time.monotonic()
        omitted = set(self._refused)
        failures: list[Failure] = []
        while not halt.is_set():
            outcome = self._server.attempt(prompt, omitted=omitted)
            self._count(Usage(requests=1, retries=int(bool(failures))))
            if isinstance(outcome, Reply):
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

    def _objections(self, prompt: Prompt, failure: Failure) -> set[str]:
        """The optional parts of a request that a server seems to object to.

        Reasoning models take no temperature, and older servers neither a schema nor the newer name of a limit. A server
        that does not say what it objects to is asked without the schema.
        """
        if failure.status not in (400, 422):
            return set()
        optional = self._server.optional(prompt).keys()
        named = {name for name in optional if name in failure.setting or name in failure.reason}
        return named or {name for name in optional if name == "response_format"}

    def _note_answer(self, reply: Reply, omitted: set[str]) -> None:
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
