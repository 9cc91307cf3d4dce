"""One request to a chat server, and what came of it: an answer or a failure, never an exception of the transport."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from transfusion.chat.endpoint import Endpoint, Unanswered, encodable
from transfusion.chat.failures import Failure


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


class ChatServer(Endpoint):
    """A model behind a server with OpenAI's ``/v1/chat/completions``.

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

    doubted = ("response_format",)

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
        super().__init__(model, base_url=base_url, api_key_env=api_key_env, timeout=timeout, what="chat model")
        self._settings: dict[str, Any] = {"temperature": temperature}
        if max_tokens is not None:
            self._settings["max_completion_tokens"] = max_tokens

    def attempt(self, prompt: Prompt, /, *, omitted: Collection[str] = ()) -> Reply | Failure:
        """Ask once.

        :param prompt: What to ask.
        :param omitted: Optional parts to leave out, of :meth:`optional`.
        :returns: The answer, or why there is none; the key is not in it.
        """
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": encodable(prompt.user)}]
        optional = {name: value for name, value in self.optional(prompt).items() if name not in omitted}
        request = {"model": self.model, "messages": messages, **optional}
        try:
            outcome = _read(b"".join(self.receive(self.client.chat.completions, request)))
        except Unanswered as unanswered:
            return unanswered.failure
        return self.presentable(outcome) if isinstance(outcome, Failure) else outcome

    def optional(self, prompt: Prompt, /) -> dict[str, Any]:
        """The parts of a request that it can go without, by name; not every model or server takes each of them."""
        if prompt.schema is None:
            return self._settings
        schema = {"name": prompt.schema["title"], "schema": prompt.schema, "strict": True}
        return {**self._settings, "response_format": {"type": "json_schema", "json_schema": schema}}


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
