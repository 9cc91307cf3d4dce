"""A completions server to test decoders against: it streams what a table says, in the dialect of vLLM or llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from http_server import Request, Response, ScriptedServer, fails, tells
from transfusion.chat.patience import Patience
from transfusion.decoder.base import AnswerList, Prompt
from transfusion.decoder.completions import CompletionsGenerator
from transfusion.schema.classes import ClassDefinition

GUIDELINES = "# The following lines describe the task definition\n" + "".join(
    f'@dataclass\nclass {name}(Entity):\n    """{guideline}"""\n\n    span: str\n\n\n'
    for name, guideline in (("PER", "People called by name."), ("LOC", "Places with a name."))
)
CLASSES = (ClassDefinition("PER", "Entity", "People called by name."), ClassDefinition("LOC", "Entity", "Places."))
BETWEEN = "\n\n\n# The annotation instances that take place in the text above are listed here\nfinal_result = "
SWAHILI = "Rais Ruto alikutana na Museveni mjini Kampala."
ENGLISH = "President Ruto met Museveni in Kampala."
ANSWER = f"""
    PER(span="Ruto"),
    PER(span="Museveni"),
    LOC(span="Kampala"),
]{BETWEEN}[
    PER(span="Rais Ruto"),
    LOC(span="Kampala"),
]"""
GOES_ON = ANSWER + "\n\n\n# This is the text to analyze\ntext = " + "blah ] " * 500
"""What a model writes that nobody stops."""


def prompt(text: str = SWAHILI, english: str = ENGLISH, *, classes: tuple[ClassDefinition, ...] = CLASSES) -> Prompt:
    """A prompt for a text and its translation, in brief."""
    shown = f"{GUIDELINES}text = {text!r}\n\neng_text = {english!r}\n\nresult = ["
    return Prompt(shown, (AnswerList("result", english), AnswerList("final_result", text)), (BETWEEN,), classes)


@dataclass(frozen=True)
class CompletionRequest(Request):
    """A request for a completion."""

    @property
    def prompt(self) -> str:
        return str(self.body["prompt"])


def event(text: str, *, logprobs: Any = None, finish: str | None = None) -> bytes:
    """A piece of an answer, as a server sends it."""
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish}
    return data({"id": "cmpl-1", "object": "text_completion", "model": "tiny", "choices": [choice]})


def data(content: Any) -> bytes:
    """An event of a stream."""
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def pieces_of(text: str, size: int = 5) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def streams(text: str | Sequence[str], *, finish: str | None = "stop", pause: float = 0.0) -> Response:
    """An answer in pieces, with the probabilities of its tokens as OpenAI and vLLM write them: a token a piece."""
    pieces = pieces_of(text) if isinstance(text, str) else text
    events, offset = [], 0
    for number, piece in enumerate(pieces):
        told = {"tokens": [piece], "token_logprobs": [-number / 10], "text_offset": [offset], "top_logprobs": [{}]}
        events.append(event(piece, logprobs=told))
        offset += len(piece)
    end = [event("", finish=finish), DONE] if finish else []
    return Response(headers={"Content-Type": "text/event-stream"}, chunks=(*events, *end), pause=pause)


def streams_bytes(chunks: Iterable[bytes]) -> Response:
    """A stream in exactly these chunks."""
    return Response(headers={"Content-Type": "text/event-stream"}, chunks=tuple(chunks), pause=0.002)


def answers(text: str) -> Callable[[object], Response]:
    return lambda _: streams(text)


def cards(kind: str, **more: Any) -> Callable[[object], Response]:
    return lambda _: tells({"object": "list", "data": [{"id": "tiny", "owned_by": kind, **more}]})


class CompletionsServer(ScriptedServer[CompletionRequest]):
    """The server; its usual behaviour is to give the annotations of the Swahili text."""

    def __init__(self) -> None:
        super().__init__("completions", CompletionRequest, answers(ANSWER))
        self.counted: list[str] = []
        """The texts whose tokens were counted."""

    def like_vllm(self, version: str = "0.14.0", context: int = 8192) -> CompletionsServer:
        """Tell what vLLM tells; a token is a character."""
        self.pages["/v1/models"] = cards("vllm", max_model_len=context)
        self.pages["/version"] = lambda _: tells({"version": version})
        self.pages["/tokenize"] = lambda r: tells({"count": len(self._count(r.body["prompt"])), "max_model_len": 8192})
        return self

    def like_llama_cpp(self, context: int = 8192) -> CompletionsServer:
        """Tell what llama.cpp tells; a token is a character."""
        self.pages["/v1/models"] = cards("llamacpp", meta={"n_ctx_train": 32768})
        self.pages["/props"] = lambda _: tells({"default_generation_settings": {"n_ctx": context}, "total_slots": 4})
        self.pages["/tokenize"] = lambda r: tells({"tokens": [ord(c) for c in self._count(r.body["content"])]})
        return self

    def _count(self, text: str) -> str:
        self.counted.append(text)
        return text


def refuses(setting: str, message: str = "not supported") -> Callable[[CompletionRequest], Response]:
    """A server that does not take a setting."""
    return lambda r: fails(400, message)(r) if setting in r.body else streams(ANSWER)


def generator(server: ScriptedServer[Any], **settings: Any) -> CompletionsGenerator:
    """A decoder at the server that does not wait long before it asks again."""
    patience: dict[str, Any] = {"first_wait": 0.001, "longest_wait": 1.0, "timeout": 10.0}
    patience |= {name: settings.pop(name) for name in ("retries", "timeout", "longest_wait") if name in settings}
    return CompletionsGenerator("tiny", base_url=server.base_url, patience=Patience(**patience), **settings)
