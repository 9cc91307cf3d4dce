"""One request to a chat server, and what came of it: an answer or a failure, never an exception of the transport."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request.

    :param system: What the model is to do.
    :param user: What it is to do it with.
    :param schema: JSON schema of the answer, with a name of letters, digits and ``_`` under ``title``. Servers that
        cannot hold a model to a schema are asked without, so the prompt has to say what an answer looks like.
    """

    system: str
    user: str
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    :param text: What the model wrote; it may be empty.
    :param input_tokens: Tokens that the server says it read; ``None`` if it does not say.
    :param output_tokens: Tokens that it says it wrote; ``None`` if it does not say.
    """

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class ChatServer:
    """A model behind a server with OpenAI's ``/v1/chat/completions``.

    The key is read from the environment when the first request is made, and goes nowhere but into requests.

    :param model: Name of the model, as the server calls it.
    :param base_url: Address of the server, up to and with ``/v1``; what the environment variable ``OPENAI_BASE_URL``
        says, or OpenAI's own, when left out.
    :param api_key_env: Environment variable that holds the key.
    :param timeout: Seconds for one answer.
    :param temperature: 0 for the likeliest answer.
    :param max_tokens: Most tokens of an answer; the server's own limit when left out.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    :raises ConfigError: If the address is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None,
        api_key_env: str,
        timeout: float,
        temperature: float,
        max_tokens: int | None,
    ) -> None:
        if find_spec("openai") is None:
            raise MissingExtraError("openai", extra="chat", purpose="a chat model")
        self.model = model
        self.base_url = _address(base_url or os.environ.get("OPENAI_BASE_URL"))
        self.api_key_env = api_key_env
        self.timeout = timeout
        self._settings: dict[str, Any] = {"temperature": temperature}
        if max_tokens is not None:
            self._settings["max_completion_tokens"] = max_tokens

    def __str__(self) -> str:
        return f"chat model {self.model!r} at {self.base_url or 'the address of OpenAI'}"

    def connect(self) -> None:
        """Make ready for requests, which otherwise the first one does.

        :raises ConfigError: If there is no key, or what there is cannot be one.
        """
        _ = self._client

    def attempt(self, prompt: Prompt, *, omitted: Collection[str] = ()) -> Reply | Failure:
        """Ask once.

        :param prompt: What to ask.
        :param omitted: Optional parts to leave out, of :meth:`optional`.
        :returns: The answer, or why there is none; the key is not in it.
        """
        from openai import OpenAIError

        deadline = time.monotonic() + self.timeout
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": _encodable(prompt.user)}]
        optional = {name: value for name, value in self.optional(prompt).items() if name not in omitted}
        request: Any = {"model": self.model, "messages": messages, **optional}
        body = bytearray()
        try:
            # The timeout of the client is one for each read: a server that sends a blank now and then never meets it.
            with self._client.chat.completions.with_streaming_response.create(**request) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline:
                        return Failure("server", "no answer in time", again=True)
                    if len(body) > _MAX_ANSWER_BYTES:
                        return Failure("request", f"an answer of more than {_MAX_ANSWER_BYTES:,} bytes", again=False)
        except OpenAIError as error:
            return self._presentable(failure_of(error))
        except Exception as error:  # the client leaves the errors of its transport, whichever that is, as they are here
            return Failure("server", f"the connection broke ({type(error).__name__})", again=True)
        outcome = _read(bytes(body))
        return self._presentable(outcome) if isinstance(outcome, Failure) else outcome

    def optional(self, prompt: Prompt) -> dict[str, Any]:
        """The parts of a request that it can go without, by name; not every model or server takes each of them."""
        if prompt.schema is None:
            return self._settings
        schema = {"name": prompt.schema["title"], "schema": prompt.schema, "strict": True}
        return {**self._settings, "response_format": {"type": "json_schema", "json_schema": schema}}

    def models(self) -> list[str] | Failure:
        """The models that the server has, sorted by name, or why they cannot be told."""
        from openai import OpenAIError

        try:
            return sorted(model.id for model in self._client.models.list())
        except OpenAIError as error:
            return self._presentable(failure_of(error))
        except (ValueError, TypeError, AttributeError):
            return Failure("server", "no list of models", again=False)

    def _presentable(self, failure: Failure) -> Failure:
        """The failure, shortened, and without the key, which some servers repeat to those who get it wrong."""
        reason = " ".join(failure.reason.split())
        if key := self._key():
            reason = reason.replace(key, "[key]")
        return replace(failure, reason=reason if len(reason) <= _SHOWN else reason[:_SHOWN] + "…")

    @cached_property
    def _client(self) -> OpenAI:
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


def _read(body: bytes) -> Reply | Failure:
    try:
        completion = json.loads(body)
        text = completion["choices"][0]["message"].get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        said = body.decode("utf-8", "replace").strip()
        return Failure("server", f"not a chat completion: {said or 'nothing at all'}", again=True)
    usage = completion.get("usage")
    read, written = (
        usage.get(f"{kind}_tokens") if isinstance(usage, dict) else None for kind in ("prompt", "completion")
    )
    if not (isinstance(read, int) and isinstance(written, int)):
        read = written = None
    return Reply(text if isinstance(text, str) else "", read, written)


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


def _encodable(text: str) -> str:
    """The text; where it holds half of a surrogate pair, which no request can carry, with a question mark instead."""
    return text.encode("utf-8", "replace").decode("utf-8")
