"""A client of chat servers.

Any server with OpenAI's ``/v1/chat/completions`` will do: OpenAI itself, vLLM, llama.cpp. What is asked and how answers
are read is the business of those who use this client; it never sees a document.
"""

from __future__ import annotations

from transfusion.chat.patience import Patience
from transfusion.chat.requests import Requests
from transfusion.chat.server import ChatServer, Prompt, Reply
from transfusion.errors import ConfigError


class ChatClient(Requests[Prompt, Reply]):
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
        patience = patience or Patience()
        server = ChatServer(
            model,
            base_url=base_url,
            api_key_env=api_key_env,
            timeout=patience.timeout,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        super().__init__(server, concurrency=concurrency, patience=patience)
        self._settings = f"{model} temperature={temperature:g}" + (f" max_tokens={max_tokens}" if max_tokens else "")

    @property
    def signature(self) -> str:
        """The model, by its name alone, and its settings: not the address of the server."""
        return self._settings
