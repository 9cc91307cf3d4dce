"""What several test files share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import regex

from transfusion.document import Document, Entity
from transfusion.pipeline import Pipeline


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data beside the checkout; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the public data sets in {folder}")
    return folder


def label_capitalised_words(documents: Iterable[Document], /) -> Iterator[Document]:
    """A stage that labels words with a capital: what a reader who knows no word of the language would guess."""
    for document in documents:
        if "BOOM" in document.source.text:
            raise RuntimeError("cannot read this")
        spans = tuple(Entity(*m.span(), "PER", 0.9) for m in regex.finditer(r"\b\p{Lu}\p{L}+", document.source.text))
        yield replace(document, source=document.source.with_entities(spans))


@pytest.fixture
def capitalised_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every system of every model finds capitalised words, so that a test needs no weights."""
    monkeypatch.setattr(Pipeline, "load", lambda *_, **__: Pipeline([label_capitalised_words]))
