"""One Apertium mode at work: its programs in a row, started once, asked again and again.

Every program of a mode empties its pipe at a NUL (Apertium's "null flush"), so that a text that ends with one comes out
at the other end without anything having to stop.  What stands between texts and that stream is here too:

- Characters that mean something to the programs travel as private ones.  Escaping them, as Apertium's own filters do,
  is not enough: ``^`` at the end of a text makes cg-proc crash, however it is escaped.
- Behind each text stands a formatting mark with its number, ``[#17]``, and an answer is what stands before that mark.
  So an answer can never pass for that of another text, whatever becomes of a NUL.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from transfusion.errors import ModelError, TranslationError

_PRIVATE = 0xF0000  # U+F0000 and on, the supplementary private use area, stand for U+0000 and on
_KEPT = chr(_PRIVATE + 0x80)  # stands before a private character that the text itself holds
_SPECIAL = re.compile(rf'["#$*+@/<>\[\]\\^{{}}~|\x00-\x1f\x7f\ud800-\udfff{chr(_PRIVATE)}-{_KEPT}]')
_ESCAPED = re.compile(rf"\\(.)|{_KEPT}(.)|([{chr(_PRIVATE)}-{chr(_PRIVATE + 0x7F)}])", re.DOTALL)
# In front of a word: not in the dictionary, no translation, no such form.
_UNKNOWN = re.compile(r"(?<!\\)[*@#]+(?=\w)")
_NUMBER = re.compile(rb"\[#(\d+)\]")
# A full stop at the end makes rules see a whole sentence, and some programs keep back the last word without it.
_ENDED = re.compile(r"[.!?…]\s*\Z")

_ADDED = re.compile(r"\. ?\Z")
_FORGOT = b"new ambiguity class"
_PIPE = 65536  # bytes that go through a pipe at once


class _DiedError(Exception):
    """The programs stopped before they had answered, or answered out of turn."""


class ModeProcess:
    """A mode, running from its first text on until it is closed, or nobody holds it any more, or Python ends.

    Texts and answers pass at the same time, so no pipe fills up, however long they are. If a program dies, all are
    started once more with the texts that are left.

    :param name: Name of the mode, for messages.
    :param steps: A list of arguments for each program, in order.
    :param timeout: Seconds without a byte in or out after which the programs are taken to hang.
    :param unknown_marks: Whether the marks that Apertium puts in front of unknown words stay.
    :param independent: Whether an answer must not depend on the texts before, whatever that takes.
    """

    def __init__(
        self,
        name: str,
        steps: Sequence[Sequence[str]],
        *,
        timeout: float = 120.0,
        unknown_marks: bool = False,
        independent: bool = True,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.unknown_marks = unknown_marks
        # A tagger with a hidden Markov model forgets for good, once it has met a word of a kind that it was not trained
        # on, which kinds an unknown word may be: what it says of a text then depends on the texts before. With -d it
        # tells, and is started anew.
        self._forgetful = independent and any(map(_is_markov_tagger, steps))
        self._steps = [[step[0], "-d", *step[1:]] if _is_markov_tagger(step) else list(step) for step in steps]
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translate texts; from several threads, one call after the other.

        :param texts: Any texts.
        :returns: A translation for each, in order.
        :raises TranslationError: If the programs died twice at the same text, or hang.
        :raises ModelError: If one of the programs cannot be started.
        """
        sent = [(_shielded(text), not _ENDED.search(text)) for text in texts]
        answers: list[str] = []
        stumbled: int | None = None
        with self._lock:
            while len(answers) < len(texts):
                # One at a time where a text may spoil the next: only then is it known which one did.
                ahead = sent[len(answers) : len(answers) + 1 if self._forgetful else None]
                try:
                    self._exchange([text + "." * added for text, added in ahead], answers)
                except _DiedError as problem:
                    self.close()
                    if stumbled == len(answers):
                        raise TranslationError(f"Apertium's mode {self.name} died twice: {problem}") from None
                    stumbled = len(answers)
                except BaseException:  # what is still in the pipes would answer the next call
                    self.close()
                    raise
        return [self._finished(answer, added) for answer, (_, added) in zip(answers, sent, strict=True)]

    def close(self) -> None:
        """End the programs; the next text starts them again."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _exchange(self, texts: Sequence[str], answers: list[str]) -> None:
        """Pass texts through the programs and append their answers."""
        if self._running is None:
            self._running = _Running(self._steps, self.name)
        running = self._running
        outgoing = memoryview("".join(f"{text}[#{number}]\0" for number, text in enumerate(texts)).encode())
        incoming = bytearray()
        expected = 0
        with selectors.DefaultSelector() as selector:
            selector.register(running.inlet, selectors.EVENT_WRITE)
            selector.register(running.outlet, selectors.EVENT_READ)
            while expected < len(texts):
                ready = {key.fd for key, _ in selector.select(self.timeout)}
                if not ready:
                    seconds = f"{self.timeout:g} seconds"
                    raise TranslationError(
                        f"Apertium's mode {self.name} gave no answer in {seconds}{running.last_words()}"
                    )
                if running.inlet in ready:
                    outgoing = outgoing[_write(running.inlet, outgoing) :]
                    if not outgoing:
                        selector.unregister(running.inlet)
                if running.outlet in ready:
                    received = os.read(running.outlet, _PIPE)
                    if not received:
                        raise running.death()
                    incoming += received
                    while found := _NUMBER.search(incoming):
                        if int(found[1]) != expected:
                            raise _DiedError(f"it answered text {int(found[1])} when text {expected} was due")
                        answers.append(incoming[: found.start()].decode(errors="replace"))
                        del incoming[: found.end()]
                        expected += 1
        if _FORGOT in running.said() and self._forgetful:
            self.close()

    def _finished(self, answer: str, added: bool) -> str:
        """An answer as text: without the added full stop, the marks of unknown words and the private characters."""
        answer = answer.replace("\0", "")
        if added:
            answer = _ADDED.sub("", answer)
        if not self.unknown_marks:
            answer = _UNKNOWN.sub("", answer)
        return _ESCAPED.sub(lambda found: found[1] or found[2] or chr(ord(found[3]) - _PRIVATE), answer)


class _Running:
    """Started programs, each reading what the one before it writes.

    :param steps: Their arguments, in order.
    :param name: What they are together.
    :raises ModelError: If one cannot be started.
    """

    def __init__(self, steps: Sequence[Sequence[str]], name: str) -> None:
        log: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        row: list[subprocess.Popen[bytes]] = []
        # However the holder ends, the programs do not outlive it.
        self.stop = weakref.finalize(self, _end, row, log)
        self._row, self._log = row, log
        self._programs = [Path(step[0]).name for step in steps]
        for step in steps:
            before = row[-1].stdout if row else None
            try:
                process = subprocess.Popen(  # noqa: S603
                    step,
                    bufsize=0,
                    stdin=before or subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, "LC_ALL": "C.UTF-8"},
                    process_group=0,  # Ctrl-C is for us, who then end them
                )
            except OSError as error:
                self.stop()
                raise ModelError(f"Apertium's mode {name} needs the program {step[0]!r}: {error}") from error
            if before is not None:
                before.close()
            row.append(process)
        assert row[0].stdin is not None
        assert row[-1].stdout is not None
        self.inlet = row[0].stdin.fileno()
        self.outlet = row[-1].stdout.fileno()
        os.set_blocking(self.inlet, False)

    def said(self) -> bytes:
        """What the programs have said on standard error since they were last asked; at most the last of it."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - _PIPE))
        words = self._log.read()
        self._log.seek(0)
        self._log.truncate()
        return words

    def last_words(self) -> str:
        """The end of what they said, for a message; nothing if they said nothing."""
        words = self.said().decode(errors="replace").strip()
        return f"; it said: {words[-500:]}" if words else ""

    def death(self) -> _DiedError:
        """Which of them died, and of what."""
        deadline = time.monotonic() + 1
        while True:
            codes = [(process.poll() or 0, program) for process, program in zip(self._row, self._programs, strict=True)]
            # Those before a dead one die of its closed pipe, those behind it see an end of file.
            for code, program in sorted(
                (each for each in codes if each[0]), key=lambda each: each[0] == -signal.SIGPIPE
            ):
                how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
                return _DiedError(f"{program} ended with {how}{self.last_words()}")
            if time.monotonic() > deadline:
                return _DiedError(f"it ended without an answer{self.last_words()}")
            time.sleep(0.01)


def _end(row: list[subprocess.Popen[bytes]], log: BinaryIO) -> None:
    for process in row:
        process.kill()
    for process in row:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()
    log.close()


def _write(descriptor: int, outgoing: memoryview) -> int:
    """How much of it went out; all of it where nobody reads any more, for then the other end tells why."""
    try:
        return os.write(descriptor, outgoing[:_PIPE])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(outgoing)


def _is_markov_tagger(step: Sequence[str]) -> bool:
    """Whether a program is ``apertium-tagger`` with a hidden Markov model, which other options would replace."""
    options = "".join(option for option in step[1:] if option.startswith("-"))
    return Path(step[0]).name == "apertium-tagger" and not set("xu") & set(options)


def _shielded(text: str) -> str:
    def private(found: re.Match[str]) -> str:
        code = ord(found[0])
        if code >= _PRIVATE:
            return _KEPT + found[0]
        return chr(_PRIVATE + code) if code < 0x80 else "\N{REPLACEMENT CHARACTER}"

    return _SPECIAL.sub(private, text)
