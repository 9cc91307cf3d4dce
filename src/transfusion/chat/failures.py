"""Why a chat server gave no answer, and whether asking again can help."""

from __future__ import annotations

import email.utils
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from transfusion.errors import TransfusionError

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAIError

Kind = Literal["setup", "request", "server"]
"""Where the trouble lies: in the key, the model or the address (every request will fail), in this one request, or in
the server at this time (asking again may help)."""


class ChatError(TransfusionError):
    """A request without an answer.

    :param message: What was tried and what came back; never the key.
    :param kind: ``request`` if the server refuses this one request, ``server`` if nothing came from it.
    """

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed.

    :param kind: Where the trouble lies.
    :param reason: What happened, in few words: ``HTTP 500 (out of memory)``.
    :param again: Whether asking again may help.
    :param retry_after: Seconds that the server asks to wait first.
    :param status: HTTP status; ``None`` if there was no answer at all.
    :param setting: The part of the request that the server objects to, where it names one.
    """

    kind: Kind
    reason: str
    again: bool
    retry_after: float = 0.0
    status: int | None = None
    setting: str = ""


def failure_of(error: OpenAIError) -> Failure:
    """What an error of the client means.

    :param error: The error.
    :returns: The failure. It holds what the server said, which may be anything and of any length.
    """
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return Failure("server", "no answer in time", again=True)
    if isinstance(error, APIConnectionError):
        return Failure("server", f"no connection ({error.__cause__ or error})", again=True)
    if not isinstance(error, APIStatusError):
        return Failure("server", str(error), again=False)
    kind: Kind = "server"
    if error.status_code in (401, 403, 404):
        kind = "setup"
    elif error.status_code < 500 and error.status_code not in (408, 409, 429):
        kind = "request"
    return Failure(
        kind,
        f"HTTP {error.status_code} ({_said(error)})",
        # An account without credit answers 429 too, and no waiting helps.
        again=kind == "server" and error.code != "insufficient_quota",
        retry_after=_retry_after(error.response.headers.get("retry-after")),
        status=error.status_code,
        setting=error.param or "",
    )


def _said(error: APIStatusError) -> str:
    """What the server says: its message, where it writes one as OpenAI does, or the body as it is."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body.get("detail") or json.dumps(body, ensure_ascii=False))
    return str(body or "it says nothing")


def _retry_after(header: str | None) -> float:
    """Seconds of a ``Retry-After`` header, which holds seconds or a date; 0 without one that can be read."""
    if header is None:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
