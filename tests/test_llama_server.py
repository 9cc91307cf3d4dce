"""Chat models behind a real server: llama.cpp with Gemma 3 270M, started and stopped here.

So small a model extracts little that is right. What is shown is that its answers are read, whatever they say: that
every span stands in its text, that the server holds the model to the form, and what becomes of what a real server
refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_server import LlamaServer, gemma, running
from transfusion.chat.client import ChatClient
from transfusion.chat.failures import ChatError
from transfusion.chat.patience import Patience
from transfusion.chat.record import CallRecord, RecordedClient
from transfusion.document import AnnotatedText, Document
from transfusion.fuse.base import FuseSource
from transfusion.fuse.chat import ChatDirect, ChatTransFusion
from transfusion.pipeline import Pipeline
from transfusion.prompting.model import ChatModel
from transfusion.schema.types import EntityType, Schema

pytest.importorskip("openai")

PLACES = Schema((EntityType("PER", "A person with a name."), EntityType("LOC", "A place with a name.")))
DOCUMENTS = [
    Document(
        "1",
        AnnotatedText("Rais Ruto alikutana na Museveni mjini Kampala.", "swa"),
        AnnotatedText("President Ruto met Museveni in Kampala.", "eng"),
    ),
    Document("2", AnnotatedText("Wote walifurahi sana.", "swa"), AnnotatedText("All were very happy.", "eng")),
]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    folder = tmp_path_factory.mktemp("gemma")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        with running(gemma(folder), folder / "log.txt") as server:
            yield server


def chat(
    llama: LlamaServer, record: Path | None = None, *, max_tokens: int = 32, max_characters: int = 8000
) -> ChatModel:
    # A busy machine may take a minute for what takes a second.
    patience = Patience(retries=0, timeout=600.0)
    client = ChatClient("gemma", base_url=llama.base_url, concurrency=2, patience=patience, max_tokens=max_tokens)
    recorded = RecordedClient(client, CallRecord(record) if record else None)
    return ChatModel(recorded, PLACES, max_characters=max_characters)


def test_the_model_is_held_to_the_form_and_its_answers_go_into_the_record(
    llama: LlamaServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = chat(llama, tmp_path / "calls.jsonl")
    read = ChatDirect(model).fuse(DOCUMENTS)
    assert not any(document.failed for document in read)
    assert "does not take" not in caplog.text
    for document in read:
        for entity in document.source.entities:
            assert document.source.mention(entity)
            assert entity.label in PLACES.labels
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert len(calls) == 2
    for call in calls:
        assert call["answer"].replace(" ", "").startswith('{"source":[')
        assert 100 < call["input_tokens"] < 1000
        assert 1 <= call["output_tokens"] <= 32
    assert model.usage.answers == 2

    again = chat(llama, tmp_path / "calls.jsonl")
    assert ChatDirect(again).fuse(DOCUMENTS) == read
    assert again.usage.requests == 0


def test_both_texts_are_annotated_in_one_answer(llama: LlamaServer, tmp_path: Path) -> None:
    model = chat(llama, tmp_path / "calls.jsonl", max_tokens=64)
    (fused,) = Pipeline([FuseSource(ChatTransFusion(model))])(DOCUMENTS[:1])
    call = json.loads((tmp_path / "calls.jsonl").read_text())
    assert call["answer"].replace(" ", "").startswith('{"translation":[')
    # It may run out of tokens before it gets to the source; then that is said, and nothing made up.
    assert fused.failed == ('"source"' not in call["answer"])
    assert fused.pivot is not None
    assert all(entity.label in PLACES.labels for entity in (*fused.pivot.entities, *fused.source.entities))


def test_a_document_longer_than_the_context_fails_alone(llama: LlamaServer) -> None:
    long = Document("long", AnnotatedText("Rais Ruto alikutana na Museveni mjini Kampala. " * 200, "swa"))
    read = ChatDirect(chat(llama, max_tokens=1, max_characters=100_000)).fuse([long, DOCUMENTS[1]])
    assert [note.severity for note in read[0].notes] == ["error"]
    assert "context" in read[0].notes[0].message
    assert "chat-failed" not in [note.code for note in read[1].notes if "HTTP" in note.message]


def test_a_server_that_was_stopped_is_down(llama: LlamaServer) -> None:
    llama.stop()
    with pytest.raises(ChatError, match="no connection"):
        ChatDirect(chat(llama)).fuse(DOCUMENTS)
