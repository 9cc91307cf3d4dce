"""A chat server to test against: real HTTP on the loopback interface, and a script of what goes wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from transfusion.translate.base import Translator
from transfusion.translate.chat import ChatTranslator

SWAHILI = ["Rais Ruto alikutana na Museveni.", "Mkutano ulifanyika Kampala.", "Wote walifurahi sana."]
ENGLISH = [text.upper() for text in SWAHILI]
"""What the server makes of them."""

Sentences = list[dict[str, Any]]
"""What a translator asks for: ``{"id", "text"}`` each."""


@dataclass(frozen=True)
class Response:
    """What the server sends.

    :param body: The body.
    :param status: HTTP status.
    :param headers: Headers beside the usual ones.
    :param delay: Seconds before anything is sent.
    :param drip: Seconds between blanks that go before the body; none are sent if 0.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0


Behaviour = Callable[["ChatRequest"], Response]


@dataclass(frozen=True)
class ChatRequest:
    """A request that the server got; the names of its headers are in lower case."""

    body: dict[str, Any]
    headers: dict[str, str]

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


def fails(status: int, message: str = "", **more: Any) -> Behaviour:
    """An error of the server, written as OpenAI writes it."""
    retry_after = more.pop("retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return lambda _: Response(body, status=status, headers=headers)


def translations(sentences: Sentences) -> list[dict[str, Any]]:
    """What a perfect model would answer: every text in capitals, under its own number."""
    return [{"id": sentence["id"], "translation": sentence["text"].upper()} for sentence in sentences]


def shouting(request: ChatRequest, *, usage: Any = "right") -> Response:
    """The usual behaviour: the translation of a text is the text in capitals."""
    return says(json.dumps({"translations": translations(request.sentences)}, ensure_ascii=False), usage=usage)


class ChatServer:
    """The server. It follows its script, one step a request, and then its usual behaviour."""

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.usual: Behaviour = shouting
        self.models = ["tiny"]
        self.requests: list[ChatRequest] = []
        self.busiest = 0
        self.stopping = threading.Event()
        self._active = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator[ChatServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def respond(self, request: ChatRequest) -> Response:
        with self._lock:
            self.requests.append(request)
            self._active += 1
            self.busiest = max(self.busiest, self._active)
            behaviour = self.script.popleft() if self.script else self.usual
        try:
            response = behaviour(request)
            self.stopping.wait(response.delay)
            return response
        finally:
            with self._lock:
                self._active -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/chat/completions":
                    self.send(Response(b"no such page", status=404))
                else:
                    self.send(
                        server.respond(ChatRequest(body, {name.lower(): value for name, value in self.headers.items()}))
                    )

            def do_GET(self) -> None:
                listed = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in server.models]
                self.send(Response(json.dumps({"object": "list", "data": listed}).encode()))

            def send(self, response: Response) -> None:
                try:
                    self.send_response(response.status)
                    self.send_header("Content-Type", "application/json")
                    for name, value in response.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    while response.drip and not server.stopping.is_set():
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(response.drip)
                    self.wfile.write(response.body)
                except ConnectionError:
                    pass  # the client lost patience, as some tests want it to

            def log_message(self, *_: object) -> None:
                """Nothing: tests look at what the server got."""

        return Handler


def translator(server: ChatServer, **settings: Any) -> ChatTranslator:
    """A translator that asks the server and does not wait long before it asks again."""
    quick: dict[str, Any] = {"first_wait": 0.001, "longest_wait": 1.0, "timeout": 10.0, **settings}
    return ChatTranslator("tiny", base_url=server.base_url, **quick)


def translate(chat: Translator, texts: list[str]) -> list[str | None]:
    """The translations of Swahili sentences, without their language."""
    return [result.text if result else None for result in chat.translate(texts, source="swa", target="eng")]
