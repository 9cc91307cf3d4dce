"""One request to a server for completions, and what the server tells about itself.

An answer is read while it is being written, and the connection closed at the bracket that closes its last list: vLLM
and llama.cpp both stop writing then. Nothing else stops them there: no stop string can
(:mod:`transfusion.decoder.brackets` says why), and a request a list would cost a round trip more for each list and an
end that is not seen before it is passed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from transfusion.chat.endpoint import Endpoint, Unanswered, encodable
from transfusion.chat.failures import ChatError, Failure, failure_of
from transfusion.chat.server import Reply
from transfusion.decoder.base import AnswerList, Token
from transfusion.decoder.brackets import AnswerScanner
from transfusion.decoder.logprobs import place_tokens, read_pieces

_LOOK_UP_RETRIES = 2
# Statuses of a server in trouble; all others mean that it does not offer what was asked for.
_TROUBLE = (None, 408, 429, 500, 502, 503, 504)
_GRAMMARS = ("grammar", "guided_grammar", "structured_outputs")


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    :param text: The prompt.
    :param lists: The lists of the answer.
    :param max_tokens: Most tokens of the answer.
    :param optional: Parts of the request that it can go without, by name.
    """

    text: str
    lists: tuple[AnswerList, ...]
    max_tokens: int
    optional: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion(Reply):
    """An answer.

    :param finished: Whether its last list is closed; ``text`` ends there.
    :param tokens: Its tokens; none if the server does not tell them.
    """

    finished: bool = False
    tokens: tuple[Token, ...] = ()


class CompletionServer(Endpoint):
    """A model behind a server with OpenAI's ``/v1/completions``.

    :param model: Name of the model, as the server calls it.
    :param base_url: Address of the server, up to and with ``/v1``.
    :param api_key_env: Environment variable that holds the key.
    :param timeout: Seconds for one answer.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    :raises ConfigError: If the address is none.
    """

    doubted = _GRAMMARS

    def __init__(self, model: str, *, base_url: str | None, api_key_env: str, timeout: float) -> None:
        super().__init__(model, base_url=base_url, api_key_env=api_key_env, timeout=timeout, what="completions model")
        self._tokenises = True

    def attempt(self, prompt: Question, /, *, omitted: Collection[str] = ()) -> Completion | Failure:
        """Ask once.

        :param prompt: What to ask.
        :param omitted: Optional parts to leave out, of :meth:`optional`.
        :returns: The answer, or why there is none; the key is not in it.
        """
        request = {
            "model": self.model,
            "prompt": encodable(prompt.text),
            "max_tokens": prompt.max_tokens,
            "temperature": 0.0,
            "stream": True,
            "extra_body": {name: value for name, value in prompt.optional.items() if name not in omitted},
        }
        try:
            with closing(self.receive(self.client.completions, request)) as body:
                outcome = _read(body, AnswerScanner(prompt.lists))
        except Unanswered as unanswered:
            return unanswered.failure
        return self.presentable(outcome) if isinstance(outcome, Failure) else outcome

    def optional(self, prompt: Question, /) -> Mapping[str, Any]:
        """The parts of a request that it can go without, by name."""
        return prompt.optional

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What this kind of server is asked for besides: nothing that makes an answer other than greedy, and its cache.

        Both kinds may have a penalty for repetition as their default, or take one from the files of a model; a decoder
        repeats its prompt by trade.
        """
        if self._kind == "llamacpp":
            return {"logprobs": 1, "cache_prompt": True, "repeat_penalty": 1.0}
        if self._kind == "vllm":
            return {"logprobs": 1, "repetition_penalty": 1.0}
        return {"logprobs": 1}

    @cached_property
    def grammar_setting(self) -> str:
        """What the server calls a grammar: ``grammar`` (llama.cpp), ``structured_outputs`` (vLLM) or ``guided_grammar``
        (vLLM before 0.11). A server of unknown kind is taken for a relative of llama.cpp.
        """
        if self._kind != "vllm":
            return "grammar"
        version = self._look_up("get", f"{self._root}/version")
        found = re.match(r"(\d+)\.(\d+)", str(version.get("version"))) if isinstance(version, dict) else None
        return "guided_grammar" if found and (int(found[1]), int(found[2])) < (0, 11) else "structured_outputs"

    @cached_property
    def context(self) -> int | None:
        """Most tokens of prompt and answer together; ``None`` if the server does not tell.

        :returns: The number.
        :raises ChatError: If the server is in trouble.
        """
        if isinstance(length := self._card.get("max_model_len"), int):
            return length
        properties = self._look_up("get", f"{self._root}/props")
        try:
            length = properties["default_generation_settings"]["n_ctx"]
        except (TypeError, KeyError, IndexError):
            return None
        return length if isinstance(length, int) and length > 0 else None

    def count_tokens(self, text: str) -> int | None:
        """How many tokens a text is, with those that begin every prompt; ``None`` if the server does not tell.

        :param text: The text.
        :returns: The number.
        :raises ChatError: If the server is in trouble.
        """
        if not self._tokenises:
            return None
        text = encodable(text)
        # vLLM wants a model and a prompt, llama.cpp a content; each passes over what it does not know.
        asked = {"model": self.model, "prompt": text, "content": text, "add_special": True}
        answer = self._look_up("post", f"{self._root}/tokenize", asked)
        if isinstance(answer, dict):
            if isinstance(count := answer.get("count"), int):
                return count
            if isinstance(tokens := answer.get("tokens"), list):
                return len(tokens)
        self._tokenises = False
        return None

    @property
    def _root(self) -> str:
        """Where a server keeps what OpenAI's protocol does not know."""
        return str(self.client.base_url).rstrip("/").removesuffix("/v1")

    @cached_property
    def _card(self) -> Mapping[str, Any]:
        """What the server tells about the model."""
        answer = self._look_up("get", "/models")
        models = answer.get("data") if isinstance(answer, dict) else None
        cards = [card for card in models if isinstance(card, dict)] if isinstance(models, list) else []
        named = [card for card in cards if card.get("id") == self.model]
        return (named or cards or [{}])[0]

    @property
    def _kind(self) -> str:
        return str(self._card.get("owned_by", "")).lower()

    def _look_up(self, method: str, address: str, body: object = None) -> Any:
        """What the server has at an address; ``None`` if nothing of use."""
        from openai import OpenAIError

        client = self.client.with_options(max_retries=_LOOK_UP_RETRIES)
        try:
            if method == "post":
                return client.post(address, cast_to=object, body=body)
            return client.get(address, cast_to=object)
        except OpenAIError as error:
            failure = self.presentable(failure_of(error))
        except ValueError:  # not JSON
            return None
        if failure.status in _TROUBLE:
            raise ChatError(f"{self}: {failure.reason}", kind="server")
        return None


def _read(body: Iterable[bytes], scanner: AnswerScanner) -> Completion | Failure:
    """Put an answer together, as far as it is wanted."""
    text = ""
    tokens: list[Token] = []
    usage: Any = None
    over = False
    for event in _events(body):
        if event is None:
            over = True
            break
        if isinstance(event, Failure):
            return event
        usage = event.get("usage") or usage
        if not event["choices"]:  # only what was used, as some servers tell it last
            continue
        choice = event["choices"][0]
        piece = choice.get("text") or ""
        tokens += place_tokens(read_pieces(choice.get("logprobs")), piece, len(text))
        text += piece
        over = over or choice.get("finish_reason") is not None
        if scanner.feed(piece) is not None:
            break
    end = scanner.end
    if end is None and not over:
        return Failure("server", "the answer breaks off", again=True)
    text = text[:end]
    kept = tuple(
        Token(token.start, min(token.end, len(text)), token.logprob) for token in tokens if token.start < len(text)
    )
    read, written = (
        usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")
    )
    if not (isinstance(read, int) and isinstance(written, int)):
        read = written = None
    return Completion(text, read, written, end is not None, kept)


def _events(body: Iterable[bytes]) -> Iterator[dict[str, Any] | Failure | None]:
    """The completions that a stream holds, each a piece of the answer; ``None`` where the server says that it is over.

    A server that does not stream answers with one completion. What is no completion is a failure of this request, not
    of the server: the next may fare better.
    """
    plain = bytearray()
    streams = False
    for line in _lines(body):
        name, colon, data = line.partition(b":")
        if colon and name == b"data":
            streams = True
            yield None if data.strip() == b"[DONE]" else _completion(data)
        elif colon and name in (b"", b"event", b"id", b"retry"):
            streams = True
        else:
            plain += line
    if not streams:
        yield _completion(bytes(plain))


def _lines(body: Iterable[bytes]) -> Iterator[bytes]:
    # Characters are split between chunks, but no character has a newline among its bytes.
    pending = bytearray()
    for chunk in body:
        seen = len(pending)
        pending += chunk
        while (cut := pending.find(b"\n", seen)) >= 0:
            yield bytes(pending[:cut])
            del pending[: cut + 1]
            seen = 0
    yield bytes(pending)


def _completion(data: bytes) -> dict[str, Any] | Failure:
    event: dict[str, Any] = {}
    try:
        event = json.loads(data)
        if "error" in event and "choices" not in event:
            return _told(event["error"])
        usable = all(isinstance(choice.get("text") or "", str) for choice in event["choices"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        usable = False
    if not usable:
        said = data.decode("utf-8", "replace").strip()
        return Failure("request", f"not a completion: {said or 'nothing at all'}", again=True)
    return event


def _told(error: Any) -> Failure:
    """An error that comes in the middle of a stream, when the status has long been sent."""
    details = error if isinstance(error, dict) else {"message": error}
    status = details.get("code") if isinstance(details.get("code"), int) else None
    refused = status is not None and 400 <= status < 500 and status not in (408, 409, 429)
    reason = f"error {status or ''} in the middle of the answer ({details.get('message')})"
    return Failure("request" if refused else "server", reason, again=not refused, status=status)
