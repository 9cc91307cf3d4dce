"""What all commands share: messages and progress on stderr, options, and errors as one clear line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, ParamSpec, Self, TypeVar

import typer

from transfusion.errors import ConfigError, OutputError, TransfusionError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

P = ParamSpec("P")
R = TypeVar("R")

BAD_INPUT, FATAL, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141
"""Exit codes: something could not be read and the rest went on; nothing could be done; Ctrl-C; nobody reads on."""

_SECONDS_BETWEEN_LINES = 10.0

System = Annotated[str, typer.Option(help="fusion, direct, projection, or untagged (fusion without pivot entities).")]
Encoder = Annotated[str, typer.Option(help="Name of an encoder of this package, or the folder of one.")]
ModelName = Annotated[
    str,
    typer.Option(
        help="An encoder: mini, or its folder. A decoder: mini-decoder, its folder, a .gguf file, decoder:NAME, or "
        "completions:NAME at a server. A chat model: chat:NAME."
    ),
]
SchemaName = Annotated[
    str | None,
    typer.Option(
        "--schema",
        help="What to extract, for decoders and chat models: a schema of this package, or a .py, .toml, .json or .txt "
        "file; by default what the model's card names, or else masakhaner.",
    ),
]
ModelOptions = Annotated[
    list[str] | None,
    typer.Option("--model-option", metavar="NAME=VALUE", help="A setting of the model; may be given again."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads to compute with; by default one for each core at hand.")
]


def fails_clearly(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors that a command is known to end with into one line on stderr and an exit code.

    :param command: The function of a command.
    :returns: The same command.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TransfusionError as error:
            say(f"error: {error}")
            raise typer.Exit(FATAL) from None
        except KeyboardInterrupt:
            say("stopped; what was written stays")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Python would complain once more when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CLOSED_PIPE) from None

    return run


def say(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    line = " ".join(message.splitlines())
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stderr.flush()


def named_values(options: Sequence[str] | None, flag: str) -> dict[str, str]:
    """Settings by name.

    :param options: Settings as ``NAME=VALUE``.
    :param flag: The option that they were given by, for messages.
    :returns: Their values, as strings.
    :raises ConfigError: If one has no ``=``.
    """
    settings = {}
    for option in options or ():
        key, sign, value = option.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"{flag} needs NAME=VALUE, not {option!r}")
        settings[key.strip().replace("-", "_")] = value.strip()
    return settings


def write_file(path: Path, content: str) -> None:
    """Write a whole file.

    :param path: The file.
    :param content: What to write.
    :raises OutputError: If it cannot be written.
    """
    try:
        path.write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_writable(path: Path | None) -> None:
    """Make sure that a file can be written before any work is done; what stands in it stays.

    :param path: The file; ``None`` is let through.
    :raises OutputError: If it cannot be written.
    """
    if path is None:
        return
    try:
        path.open("ab").close()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


class Progressing:
    """A progress bar on a terminal; elsewhere a line now and then.

    :param what: What is counted, in the plural.
    :param total: How many there will be, if that is known.
    """

    def __init__(self, what: str, total: int | None = None) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._begun = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._progress, self._task = _bar(self.what, self.total)
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def set_total(self, total: int) -> None:
        """Say how many there will be."""
        self.total = total
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def advance(self) -> None:
        """Count one more."""
        self.done += 1
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
            return
        now = time.monotonic()
        if now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            of = "" if self.total is None else f" of {self.total:,}"
            say(f"{self.done:,}{of} {self.what}, {self.done / (now - self._begun):,.0f} a second")

    def say(self, message: str) -> None:
        """A line that stays above the bar."""
        if self._progress is None:
            say(message)
        else:
            self._progress.console.print(
                " ".join(message.splitlines()), markup=False, highlight=False, soft_wrap=True, emoji=False
            )


def _bar(what: str, total: int | None) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # Results may go to the same terminal, and are not for the bar to touch.
        redirect_stdout=False,
    )
    return progress, progress.add_task(what, total=total)
