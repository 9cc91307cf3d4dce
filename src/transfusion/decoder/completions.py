"""A decoder behind a server for completions: vLLM, llama.cpp, or any other with OpenAI's ``/v1/completions``.

The guidelines stand first in every prompt, so a server that keeps what it has read (vLLM its prefix cache, llama.cpp
its ``cache_prompt``) reads them once for a run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from transfusion.chat.failures import ChatError
from transfusion.chat.patience import Patience
from transfusion.chat.requests import Requests
from transfusion.chat.tokens import estimate_tokens
from transfusion.chat.usage import Usage
from transfusion.decoder.base import Generation, Prompt
from transfusion.decoder.completion_server import Completion, CompletionServer, Question
from transfusion.decoder.grammar import gbnf_grammar
from transfusion.errors import ConfigError, ModelError

log = logging.getLogger(__name__)

Guided = Literal["auto", "grammar", "guided_grammar", "structured_outputs", "off"]
"""How a server is held to a grammar: by the setting of this name, by the one that its kind has, or not at all."""

_CONTEXT = 4096  # of a server that does not tell
# A text in two parts may take some tokens more than its parts, where the cut goes through a word.
_SEAM_TOKENS = 16


class CompletionsGenerator:
    """Has a server go on writing where prompts end: the likeliest token each time, held to the answers that a prompt
    allows where the server can do that.

    :param model: Name of the model, as the server calls it. The signature knows a model by this name alone, not by the
        address of the server: give different weights different names.
    :param base_url: Address of the server, up to and with ``/v1``; what the environment variable ``OPENAI_BASE_URL``
        says, or OpenAI's own, when left out.
    :param api_key_env: Environment variable that holds the key. A server of one's own may need none.
    :param concurrency: Most requests at a time. llama.cpp works at as many as it has slots (``--parallel``).
    :param max_tokens: Most tokens of an answer.
    :param context: Most tokens that prompt and answer may be together; what the server says, or 4096, when left out.
    :param guided: How the server is held to a grammar. One that refuses is asked without.
    :param patience: How long to wait and how often to ask again; ten minutes an answer when left out, since a server
        without a GPU reads a long prompt for minutes.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    :raises ConfigError: If a setting makes no sense.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        max_tokens: int = 512,
        context: int | None = None,
        guided: Guided = "auto",
        patience: Patience | None = None,
    ) -> None:
        if not model:
            raise ConfigError("completions need the name of a model, as its server calls it")
        if min(concurrency, max_tokens, context or 1) < 1:
            raise ConfigError(
                f"completions: concurrency ({concurrency}), max_tokens ({max_tokens}) and context ({context}) must be "
                "at least 1"
            )
        if guided not in get_args(Guided):
            raise ConfigError(f"completions: guided is one of {', '.join(get_args(Guided))}, not {guided!r}")
        patience = patience or Patience(timeout=600.0)
        self._server = CompletionServer(model, base_url=base_url, api_key_env=api_key_env, timeout=patience.timeout)
        self._requests: Requests[Question, Completion] = Requests(
            self._server, concurrency=concurrency, patience=patience
        )
        self._max_tokens = max_tokens
        self._context = context
        self._guided = guided

    @property
    def signature(self) -> str:
        """The model, as the server calls it, and the settings."""
        return f"completions:{self._server.model} max_tokens={self._max_tokens} guided={self._guided}"

    @property
    def usage(self) -> Usage:
        """What was used so far. Answers that are cut off where they end do not say their tokens."""
        return self._requests.usage

    @property
    def context(self) -> int:
        """Most tokens that prompt and answer may be together.

        :raises ChatError: If it was not given, and the server is in trouble.
        """
        if self._context is None:
            self._context = self._server.context
        if self._context is None:
            self._context = _CONTEXT
            log.warning("%s does not tell its context, which is taken to be %d tokens", self._server, _CONTEXT)
        return self._context

    def count_tokens(self, text: str, /) -> int:
        """How many tokens a text is: by the server's own count, or a guess where it has none.

        :param text: Any text.
        :returns: The number.
        :raises ChatError: If the server is in trouble.
        """
        count = self._server.count_tokens(text)
        return math.ceil(estimate_tokens(text)) if count is None else count

    def generate(self, prompts: Sequence[Prompt], /) -> list[Generation]:
        """Answers from the server; see :meth:`transfusion.decoder.base.Generator.generate`.

        The longest prompts are asked first, one schema after the other, so that requests that run together share what
        the server has read.

        :param prompts: The prompts.
        :returns: An answer to each, in order. One that the server refuses, or answers with rubbish however often it is
            asked, is empty and says so in ``problem``.
        :raises ModelError: If a prompt is longer than the model can read; nothing has been asked then.
        :raises ConfigError: If the key, the model or the address is wrong.
        :raises ChatError: If the server is down.
        """
        if not prompts:
            return []
        rooms = self._rooms(prompts)
        schemas = {
            classes: number for number, classes in enumerate(dict.fromkeys(prompt.classes for prompt in prompts))
        }
        order = sorted(range(len(prompts)), key=lambda n: (schemas[prompts[n].classes], -len(prompts[n].text)))
        questions = [Question(prompts[n].text, prompts[n].lists, rooms[n], self._settings(prompts[n])) for n in order]
        answers = dict(zip(order, self._requests.ask(questions), strict=True))
        return [_generation(answers[n]) for n in range(len(prompts))]

    def _rooms(self, prompts: Sequence[Prompt]) -> list[int]:
        """Most tokens for each answer.

        No tokeniser makes more tokens of a text than it has bytes, so that most texts need no count of their own: that
        of what they share, and the bytes of the rest, show that they fit.
        """
        shared = _shared_length([prompt.text for prompt in prompts])
        tokens_shared = self.count_tokens(prompts[0].text[:shared])
        rooms = []
        for prompt in prompts:
            tokens = tokens_shared + len(prompt.text[shared:].encode("utf-8", "replace")) + _SEAM_TOKENS
            if tokens + self._max_tokens > self.context:
                tokens = self.count_tokens(prompt.text)
            if tokens >= self.context:
                raise ModelError(
                    f"{self._server}: the prompt for the text {prompt.lists[0].text[:60]!r} has {tokens} tokens, which "
                    f"leaves no room for an answer in a context of {self.context}; "
                    "put fewer classes or less text into it, or have the server read more"
                )
            rooms.append(min(self._max_tokens, self.context - tokens))
        return rooms

    def _settings(self, prompt: Prompt) -> Mapping[str, Any]:
        """The optional parts of a request."""
        settings = self._server.settings
        if self._guided == "off" or not prompt.classes:
            return settings
        grammar = gbnf_grammar(prompt)
        if grammar is None:
            log.info(
                "%s is asked without a grammar for a text of %d characters", self._server, len(prompt.lists[0].text)
            )
            return settings
        name = self._server.grammar_setting if self._guided == "auto" else self._guided
        # vLLM takes llama.cpp's dialect as it is. One that looks like Lark it rewrites, and changes strings in it.
        return {**settings, name: {"grammar": grammar} if name == "structured_outputs" else grammar}


def _shared_length(texts: Sequence[str]) -> int:
    """How many characters all texts begin with."""
    first, last = min(texts), max(texts)  # between these two, all others agree with what they share
    return next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _generation(answer: Completion | ChatError) -> Generation:
    if isinstance(answer, ChatError):
        return Generation("", finished=False, problem=str(answer))
    return Generation(answer.text, answer.finished, answer.tokens)
