"""A chat server to test translation against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from http_server import Request, Response, ScriptedServer
from transfusion.translate.base import Translator
from transfusion.translate.chat import ChatTranslator

SWAHILI = ["Rais Ruto alikutana na Museveni.", "Mkutano ulifanyika Kampala.", "Wote walifurahi sana."]
ENGLISH = [text.upper() for text in SWAHILI]
"""What the server makes of them."""

Sentences = list[dict[str, Any]]
"""What a translator asks for: ``{"id", "text"}`` each."""


@dataclass(frozen=True)
class ChatRequest(Request):
    """A request for a chat completion."""

    @property
    def system(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def sentences(self) -> Sentences:
        return list(json.loads(self.body["messages"][1]["content"])["sentences"])

    @property
    def texts(self) -> list[str]:
        return [sentence["text"] for sentence in self.sentences]


def says(text: str | None, *, usage: Any = "right", **more: Any) -> Response:
    """An answer of the model."""
    message = {"role": "assistant", "content": text}
    completion: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120} if usage == "right" else usage,
    }
    return Response(json.dumps(completion).encode(), **more)


def translations(sentences: Sentences) -> list[dict[str, Any]]:
    """What a perfect model would answer: every text in capitals, under its own number."""
    return [{"id": sentence["id"], "translation": sentence["text"].upper()} for sentence in sentences]


def shouting(request: ChatRequest, *, usage: Any = "right") -> Response:
    """The usual behaviour: the translation of a text is the text in capitals."""
    return says(json.dumps({"translations": translations(request.sentences)}, ensure_ascii=False), usage=usage)


class ChatServer(ScriptedServer[ChatRequest]):
    """The server; its usual behaviour is to shout."""

    def __init__(self) -> None:
        super().__init__("chat/completions", ChatRequest, shouting)


def translator(server: ChatServer, **settings: Any) -> ChatTranslator:
    """A translator that asks the server and does not wait long before it asks again."""
    quick: dict[str, Any] = {"first_wait": 0.001, "longest_wait": 1.0, "timeout": 10.0, **settings}
    return ChatTranslator("tiny", base_url=server.base_url, **quick)


def translate(chat: Translator, texts: list[str]) -> list[str | None]:
    """The translations of Swahili sentences, without their language."""
    return [result.text if result else None for result in chat.translate(texts, source="swa", target="eng")]
