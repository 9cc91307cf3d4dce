"""A record of what a chat model was asked and what it answered: a run that stopped goes on, and asks nothing twice.

One JSON object a line: ``key``, ``model``, ``system``, ``user``, ``answer``, ``input_tokens``, ``output_tokens`` and
``time``. A line is written as soon as its answer is there, in one piece, so a kill loses at most what was on its way.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from transfusion.chat.client import ChatClient
from transfusion.chat.failures import ChatError
from transfusion.chat.server import Prompt, Reply
from transfusion.chat.usage import Usage
from transfusion.errors import FormatError, OutputError

log = logging.getLogger(__name__)


class _Place(NamedTuple):
    """Where a line stands in the file, in bytes."""

    start: int
    length: int


class CallRecord:
    """Answers by model, settings and prompt, in a file. Threads may share one, and processes its file.

    Memory holds where each answer stands, not the answer.

    :param path: The file; it is made, with its folder, when there is a first answer to keep.
    :raises FormatError: If the file is something else, which nothing should be added to.
    :raises OutputError: If it cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._writable = True
        # Half a line that a kill left behind must not run into the next.
        self._torn = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b"):  # to know before any money is spent
                pass
            self._load()
        except OSError as error:
            raise OutputError(f"{self.path}: no record can be kept here: {error.strerror or error}") from error

    def __len__(self) -> int:
        return len(self._places)

    def find(self, signature: str, prompt: Prompt) -> Reply | None:
        """Look an answer up.

        :param signature: The model and its settings.
        :param prompt: What it would be asked.
        :returns: What it answered; ``None`` if it was not asked yet.
        """
        place = self._places.get(_key(signature, prompt))
        if place is None:
            return None
        try:
            with self.path.open("rb") as stream:
                stream.seek(place.start)
                call = _parse(stream.read(place.length))
        except OSError:
            return None
        return None if call is None else call[1]

    def keep(self, signature: str, prompt: Prompt, reply: Reply) -> None:
        """Write an answer down. Where that fails, a warning says so once, and nothing more is kept.

        :param signature: The model and its settings.
        :param prompt: What it was asked.
        :param reply: What it answered.
        """
        key = _key(signature, prompt)
        call = {
            "key": key,
            "model": signature,
            "system": prompt.system,
            "user": prompt.user,
            "answer": reply.text,
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # Half of a surrogate pair stays what it is as an escape, which UTF-8 has no room for.
        line = json.dumps(call).encode() + b"\n"
        with self._lock:
            if not self._writable:
                return
            try:
                end = self._append(b"\n" + line if self._torn else line)
            except OSError as error:
                self._writable = False
                log.warning("%s: answers cannot be kept here (%s); going on without", self.path, error)
            else:
                self._torn = False
                self._places[key] = _Place(end - len(line), len(line))

    def _append(self, content: bytes) -> int:
        """Add to the end of the file, in one write if the system takes it at once; says where the file ends then."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            while content:
                content = content[os.write(file, content) :]
            return os.lseek(file, 0, os.SEEK_CUR)
        finally:
            os.close(file)

    def _load(self) -> None:
        torn: list[int] = []
        position = 0
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                call = _parse(line)
                if call is not None and line.endswith(b"\n"):
                    self._places[call[0]] = _Place(position, len(line))
                elif line.strip():
                    torn.append(number)
                position += len(line)
                self._torn = not line.endswith(b"\n")
        if torn and not self._places:
            raise FormatError(
                "not a record of calls, so none is added to it; give another file", path=self.path, line=torn[0]
            )
        if torn:
            lines = ", ".join(map(str, torn[:5])) + ("…" if len(torn) > 5 else "")
            log.warning("%s: %s broken off by a kill, dropped: line %s", self.path, _calls(len(torn)), lines)


class RecordedClient:
    """A chat client that asks nothing twice.

    :param client: The client.
    :param record: What was answered before, and where answers are kept; ``None`` to keep nothing.
    """

    def __init__(self, client: ChatClient, record: CallRecord | None = None) -> None:
        self.client = client
        self.record = record
        self.replayed = 0
        """Answers so far that stood in the record."""

    @property
    def signature(self) -> str:
        """That of the client: where an answer was kept does not change it."""
        return self.client.signature

    @property
    def usage(self) -> Usage:
        """What was used so far; answers from the record are free."""
        return self.client.usage

    def knows(self, prompt: Prompt) -> bool:
        """Whether an answer stands in the record."""
        return self.record is not None and self.record.find(self.signature, prompt) is not None

    def ask(self, prompts: Sequence[Prompt], /) -> list[Reply | ChatError]:
        """Ask what is not in the record; see :meth:`transfusion.chat.requests.Requests.ask`.

        :param prompts: What to ask.
        :returns: For each, in order, the answer, or why there is none.
        :raises ConfigError: If the key, the model or the address is wrong, and something has to be asked.
        :raises ChatError: If the server is down. Answers that came before that are kept.
        """
        record = self.record
        if record is None:
            return self.client.ask(prompts)
        signature = self.signature
        outcomes: dict[int, Reply | ChatError] = {}
        waiting: dict[str, list[int]] = {}
        for number, prompt in enumerate(prompts):
            known = record.find(signature, prompt)
            if known is None:
                waiting.setdefault(_key(signature, prompt), []).append(number)
            else:
                self.replayed += 1
                outcomes[number] = known
        if waiting:
            asked = [prompts[numbers[0]] for numbers in waiting.values()]
            replies = self.client.ask(asked, on_reply=partial(record.keep, signature))
            for numbers, reply in zip(waiting.values(), replies, strict=True):
                outcomes |= dict.fromkeys(numbers, reply)
        return [outcomes[number] for number in range(len(prompts))]


def _key(signature: str, prompt: Prompt) -> str:
    # The schema says what the server holds the model to, in an order that the model sees.
    asked = json.dumps([signature, prompt.system, prompt.user, prompt.schema])
    return blake2b(asked.encode(), digest_size=16).hexdigest()


def _parse(line: bytes) -> tuple[str, Reply] | None:
    """The key and the answer of a line; ``None`` if it is none of ours."""
    try:
        call = json.loads(line)
        key, answer, tokens = call["key"], call["answer"], (call["input_tokens"], call["output_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    strings = isinstance(key, str) and isinstance(answer, str)
    numbers = all(count is None or isinstance(count, int) for count in tokens)
    return (key, Reply(answer, *tokens)) if strings and numbers else None


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
