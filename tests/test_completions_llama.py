"""Decoders behind llama.cpp's own server: a tiny model with weights drawn by lot, and Gemma 3 270M.

Neither extracts anything of use. What is shown is that the server takes what it is asked, is held to the grammar, is
believed about its tokens, and stops where it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from completions_server import ENGLISH, SWAHILI, prompt
from llama_server import CONTEXT, LlamaServer, gemma, running
from tiny_gguf import write_tiny_gguf
from transfusion.chat.patience import Patience
from transfusion.decoder.base import Generation, Prompt
from transfusion.decoder.completions import CompletionsGenerator
from transfusion.decoder.parse import parse_answer
from transfusion.errors import ModelError

pytest.importorskip("openai")

AMHARIC = "አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት።"


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    if find_spec("xllamacpp") is None:
        pytest.skip("needs the package xllamacpp: pip install --group dev")
    folder = tmp_path_factory.mktemp("tiny")
    with running(write_tiny_gguf(folder / "tiny.gguf"), folder / "log.txt") as server:
        yield server


def generator(server: LlamaServer, **settings: Any) -> CompletionsGenerator:
    # A busy machine may take a minute for what takes a second.
    patience = Patience(retries=0, timeout=600.0)
    return CompletionsGenerator("any", base_url=server.base_url, concurrency=2, patience=patience, **settings)


def check(asked: Prompt, answer: Generation) -> None:
    """Nothing in an answer but items whose strings stand in their texts, and a token for every character."""
    parsed = parse_answer(answer.text, [each.name for each in asked.lists], asked.classes)
    assert not answer.finished or not parsed.problems
    for answers in asked.lists:
        assert all(str(item.arguments["span"]) in answers.text for item in parsed.lists[answers.name] or ())
    assert "".join(answer.text[token.start : token.end] for token in answer.tokens) == answer.text
    assert all(token.logprob <= 0 for token in answer.tokens)


def test_the_server_is_held_to_the_grammar(tiny: LlamaServer, caplog: pytest.LogCaptureFixture) -> None:
    prompts = [prompt(), prompt(AMHARIC, "Addis Ababa is the capital of Ethiopia."), prompt('Meli ya "MV Bukoba".')]
    found = generator(tiny).generate(prompts)
    for asked, answer in zip(prompts, found, strict=True):
        assert answer.finished
        check(asked, answer)
    assert not caplog.records
    (again,) = generator(tiny).generate(prompts[:1])
    assert again.text == found[0].text


def test_a_model_that_writes_as_it_likes_is_stopped_in_time(tiny: LlamaServer) -> None:
    (answer,) = generator(tiny, guided="off", max_tokens=40).generate([prompt(AMHARIC)])
    assert not answer.finished
    assert 20 <= len(answer.tokens) <= 40
    assert "".join(answer.text[token.start : token.end] for token in answer.tokens) == answer.text


def test_the_server_is_asked_for_its_context_and_counts(tiny: LlamaServer) -> None:
    decoder = generator(tiny)
    assert decoder.context == CONTEXT
    begin = len(["<s>", "▁"])
    assert decoder.count_tokens("Ruto") == begin + len("Ruto")
    assert decoder.count_tokens("አዲስ") == begin + len("አዲስ".encode())
    with pytest.raises(ModelError, match=f"no room for an answer in a context of {CONTEXT}"):
        decoder.generate([prompt(SWAHILI * 50)])


def test_a_real_model_answers(tmp_path: Path) -> None:
    with running(gemma(tmp_path), tmp_path / "log.txt") as server:
        decoder = generator(server, max_tokens=64)
        assert 5 <= decoder.count_tokens(ENGLISH) <= 15
        (answer,) = decoder.generate([prompt()])
        assert answer.text.startswith("\n    ")
        check(prompt(), answer)
