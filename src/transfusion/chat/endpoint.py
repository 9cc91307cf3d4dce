"""A model behind a server that speaks OpenAI's protocol: its address, its key, and bytes that come from it in time."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from transfusion.chat.failures import Failure, failure_of
from transfusion.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from openai import OpenAI

_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_SHOWN = 300  # characters of a reason


class Unanswered(Exception):
    """A request that broke; caught where the request is made, so that nothing but its failure goes further.

    :param failure: What went wrong; the key is not in it.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Endpoint:
    """A model behind a server.

    The key is read from the environment when the first request is made, and goes nowhere but into requests.

    :param model: Name of the model, as the server calls it.
    :param base_url: Address of the server, up to and with ``/v1``; what the environment variable ``OPENAI_BASE_URL``
        says, or OpenAI's own, when left out.
    :param api_key_env: Environment variable that holds the key.
    :param timeout: Seconds for one answer.
    :param what: What the model is, for messages: ``chat model``.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    :raises ConfigError: If the address is none.
    """

    def __init__(self, model: str, *, base_url: str | None, api_key_env: str, timeout: float, what: str) -> None:
        if find_spec("openai") is None:
            raise MissingExtraError("openai", extra="chat", purpose=f"a {what}")
        self.model = model
        self.base_url = _address(base_url or os.environ.get("OPENAI_BASE_URL"))
        self.api_key_env = api_key_env
        self.timeout = timeout
        self._what = what

    def __str__(self) -> str:
        return f"{self._what} {self.model!r} at {self.base_url or 'the address of OpenAI'}"

    def connect(self) -> None:
        """Make ready for requests, which otherwise the first one does.

        :raises ConfigError: If there is no key, or what there is cannot be one.
        """
        _ = self.client

    def receive(self, resource: Any, request: dict[str, Any]) -> Generator[bytes, None, None]:
        """Ask once. Closing the iterator closes the connection, which tells the server to stop writing.

        :param resource: What to ask of: ``client.chat.completions`` or its like.
        :param request: What to ask, as keywords of the ``create`` of the resource.
        :yields: The body of the answer as it arrives.
        :raises Unanswered: If the server answers with an error, or not in time, or too much, or the connection breaks.
        """
        from openai import OpenAIError

        deadline = time.monotonic() + self.timeout
        received = 0
        failure: Failure | None = None
        try:
            # The timeout of the client is one for each read: a server that sends a blank now and then never meets it.
            with resource.with_streaming_response.create(**request) as response:
                for chunk in response.iter_bytes():
                    received += len(chunk)
                    if time.monotonic() > deadline:
                        failure = Failure("server", "no answer in time", again=True)
                        break
                    if received > _MAX_ANSWER_BYTES:
                        failure = Failure("request", f"an answer of more than {_MAX_ANSWER_BYTES:,} bytes", again=False)
                        break
                    yield chunk
        except OpenAIError as error:
            failure = self.presentable(failure_of(error))
        except Exception as error:  # the client leaves the errors of its transport, whichever that is, as they are here
            failure = Failure("server", f"the connection broke ({type(error).__name__})", again=True)
        if failure is not None:
            raise Unanswered(failure)

    def models(self) -> list[str] | Failure:
        """The models that the server has, sorted by name, or why they cannot be told."""
        from openai import OpenAIError

        try:
            return sorted(model.id for model in self.client.models.list())
        except OpenAIError as error:
            return self.presentable(failure_of(error))
        except (ValueError, TypeError, AttributeError):
            return Failure("server", "no list of models", again=False)

    def presentable(self, failure: Failure) -> Failure:
        """The failure, shortened, and without the key, which some servers repeat to those who get it wrong."""
        reason = " ".join(failure.reason.split())
        if key := self._key():
            reason = reason.replace(key, "[key]")
        return replace(failure, reason=reason if len(reason) <= _SHOWN else reason[:_SHOWN] + "…")

    @cached_property
    def client(self) -> OpenAI:
        """The client of the package ``openai``; it repeats nothing by itself."""
        from openai import OpenAI

        key = self._key()
        if not key and self.base_url is None:
            raise ConfigError(
                f"{self}: the environment variable {self.api_key_env} holds no key; "
                "set it, or give base_url for a server of your own"
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError(f"{self}: what the environment variable {self.api_key_env} holds cannot be a key")
        # Servers of one's own need no key, but the client wants one.
        return OpenAI(api_key=key or "none", base_url=self.base_url, max_retries=0, timeout=self.timeout)

    def _key(self) -> str:
        return os.environ.get(self.api_key_env, "").strip()


def encodable(text: str) -> str:
    """The text; where it holds half of a surrogate pair, which no request can carry, with a question mark instead."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _address(url: str | None) -> str | None:
    """The address of a server, checked; a key or a password in it would end up in messages."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        usable, parts = False, None
    if parts is not None and (parts.username or parts.password or parts.query):
        raise ConfigError("chat: base_url must hold no user, password or query; a key goes into the environment")
    if not usable:
        raise ConfigError(f"chat: base_url must be like http://localhost:8000/v1, not {url!r}")
    return url.rstrip("/")
