"""A server to test against: real HTTP on the loopback interface, and a script of what goes wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Self, TypeVar


@dataclass(frozen=True)
class Response:
    """What the server sends.

    :param body: The body, or its beginning.
    :param status: HTTP status.
    :param headers: Headers beside the usual ones.
    :param delay: Seconds before anything is sent.
    :param drip: Seconds between blanks that go before the body; none are sent if 0.
    :param chunks: What follows the body, sent piece by piece.
    :param pause: Seconds before each of these pieces.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    chunks: tuple[bytes, ...] = ()
    pause: float = 0.0


def tells(content: Any) -> Response:
    """A page of JSON."""
    return Response(json.dumps(content).encode())


def fails(status: int, message: str = "", **more: Any) -> Callable[[object], Response]:
    """An error of the server, written as OpenAI writes it."""
    retry_after = more.pop("retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return lambda _: Response(body, status=status, headers=headers)


@dataclass(frozen=True)
class Request:
    """A request that the server got; the names of its headers are in lower case."""

    body: dict[str, Any]
    headers: dict[str, str]


R = TypeVar("R", bound=Request)


class ScriptedServer(Generic[R]):
    """The server. At its main page it follows its script, one step a request, and then its usual behaviour.

    :param page: The main page, below ``/v1``.
    :param request: What its requests are.
    :param usual: Its usual behaviour.
    """

    def __init__(self, page: str, request: type[R], usual: Callable[[R], Response]) -> None:
        self.script: deque[Callable[[R], Response]] = deque()
        self.usual = usual
        self.models = ["tiny"]
        self.requests: list[R] = []
        self.busiest = 0
        self.hung_up = 0
        """How often a client closed the connection before all was sent."""
        self.pages: dict[str, Callable[[Request], Response]] = {}
        """Other pages, and what they answer."""
        self.stopping = threading.Event()
        self._main = (page, request)
        self._active = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def respond(self, request: R) -> Response:
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

    def listed(self) -> Response:
        """The page of models."""
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in self.models]
        return tells({"object": "list", "data": models})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self
        page, request_type = self._main

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if self.path == f"/v1/{page}":
                    self.send(server.respond(request_type(body, headers)))
                else:
                    self.look_up(Request(body, headers))

            def do_GET(self) -> None:
                if self.path == "/v1/models" and self.path not in server.pages:
                    self.send(server.listed())
                else:
                    self.look_up(Request({}, {}))

            def look_up(self, request: Request) -> None:
                found = server.pages.get(self.path)
                self.send(found(request) if found else Response(b"no such page", status=404))

            def send(self, response: Response) -> None:
                try:
                    self.send_response(response.status)
                    self.send_header("Content-Type", "application/json")
                    for name, value in response.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    while response.drip and not server.stopping.is_set():
                        self.write(b" ")
                        time.sleep(response.drip)
                    self.write(response.body)
                    for chunk in response.chunks:
                        server.stopping.wait(response.pause)
                        self.write(chunk)
                except ConnectionError:  # the client lost patience or has read enough, as some tests want it to
                    with server._lock:
                        server.hung_up += 1

            def write(self, data: bytes) -> None:
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                """Nothing: tests look at what the server got."""

        return Handler
