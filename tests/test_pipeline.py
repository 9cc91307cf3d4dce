"""Stages in a row: what goes in comes out, whatever one document or one stage does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Document, Entity
from transfusion.errors import LanguageError, ModelError, StageError
from transfusion.pipeline import Pipeline


class CapitalisedWords:
    """Labels every word that begins with a capital: what a reader who knows no word of the language would guess."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, documents: Iterable[Document], /) -> Iterator[Document]:
        batch = list(documents)
        self.batches.append(len(batch))
        for document in batch:
            if "BOOM" in document.source.text:
                raise RuntimeError("cannot read this")
            spans = tuple(Entity(*m.span(), "PER") for m in regex.finditer(r"\b\p{Lu}\p{L}+", document.source.text))
            yield replace(document, source=document.source.with_entities(spans))


def document(name: str, text: str = "Ruto alikutana na Museveni") -> Document:
    return Document(name, AnnotatedText(text, "swa"))


def test_one_text_is_annotated_at_exact_offsets() -> None:
    result = Pipeline([CapitalisedWords()])("jana Ruto alifika", language="sw", translation="Ruto came yesterday")
    assert [result.source.mention(entity) for entity in result.source.entities] == ["Ruto"]
    assert result.source.language == "swa"
    assert result.pivot == AnnotatedText("Ruto came yesterday", "eng")


def test_a_translation_in_another_pivot_language_is_kept_as_it_is() -> None:
    pivot = AnnotatedText("Ruto est arrivé", "fra")
    assert Pipeline([])("Ruto yafika", language="lug", translation=pivot).pivot == pivot


def test_a_text_needs_a_language_that_exists() -> None:
    with pytest.raises(TypeError, match="language='swa'"):
        Pipeline([])("Ruto")  # type: ignore[arg-type]
    with pytest.raises(LanguageError, match="swahilli"):
        Pipeline([])("Ruto", language="swahilli")


@settings(deadline=None)
@given(count=st.integers(0, 40), batch_size=st.integers(1, 16), bad=st.sets(st.integers(0, 39)))
def test_order_is_kept_and_none_is_missing_whatever_fails(count: int, batch_size: int, bad: set[int]) -> None:
    documents = [document(str(n), "BOOM" if n in bad else "Ruto") for n in range(count)]
    results = list(Pipeline([CapitalisedWords(), CapitalisedWords()]).stream(documents, batch_size))
    assert [result.id for result in results] == [d.id for d in documents]
    assert [result.failed for result in results] == [n in bad for n in range(count)]
    assert all(len(result.source.entities) == (not result.failed) for result in results)


def test_a_failed_document_travels_on_as_given_and_is_tried_no_further() -> None:
    second = CapitalisedWords()
    [good, bad] = Pipeline([CapitalisedWords(), second]).stream([document("1"), document("2", "BOOM")])
    assert not good.failed
    assert len(good.source.entities) == 2
    assert bad.source == AnnotatedText("BOOM", "swa")
    [note] = bad.notes
    assert (note.code, note.severity) == ("stage-failed", "error")
    assert note.message == "CapitalisedWords could not process this document: RuntimeError: cannot read this"
    assert second.batches == [1]


def test_a_damaged_model_ends_the_run_at_once() -> None:
    def stage(_: Iterable[Document], /) -> Iterator[Document]:
        raise ModelError("network.onnx is truncated")

    with pytest.raises(ModelError, match="truncated"):
        list(Pipeline([stage]).stream([document("1"), document("2")]))


def drops(documents: Iterable[Document], /) -> Iterator[Document]:
    return iter(list(documents)[1:])


def doubles(documents: Iterable[Document], /) -> Iterator[Document]:
    for one in documents:
        while True:
            yield one


def swaps(documents: Iterable[Document], /) -> Iterator[Document]:
    return reversed(list(documents))


def rewrites(documents: Iterable[Document], /) -> Iterator[Document]:
    for one in documents:
        yield replace(one, source=AnnotatedText(one.source.text.lower(), "swa"))


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        (drops, "drops gave back 1 documents for 2"),
        (doubles, "doubles gave back more than 2 documents for 2"),
        (swaps, "swaps gave back document '2' in the place of '1'"),
        (rewrites, "rewrites changed the text of document '1'"),
    ],
)
def test_a_stage_that_breaks_its_promise_is_named(stage: object, complaint: str) -> None:
    with pytest.raises(StageError, match=complaint):
        list(Pipeline([stage]).stream([document("1"), document("2")]))  # type: ignore[list-item]


def test_a_pipeline_is_a_stage_of_another_one() -> None:
    inner = Pipeline([CapitalisedWords()])
    [result] = Pipeline([inner]).stream([document("1")])
    assert len(result.source.entities) == 2


def test_documents_are_read_a_batch_at_a_time() -> None:
    read = 0

    def endless() -> Iterator[Document]:
        nonlocal read
        while True:
            read += 1
            yield document(str(read))

    stream = Pipeline([CapitalisedWords()]).stream(endless(), batch_size=8)
    assert next(stream).id == "1"
    assert read == 8


def test_memory_stays_flat_over_a_long_stream() -> None:
    tracemalloc.start()
    stream = Pipeline([CapitalisedWords()]).stream(document(str(n)) for n in range(10_000))
    assert sum(1 for _ in stream) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Ten thousand documents at once would take some ten megabytes.
    assert peak < 500_000


def test_a_batch_holds_at_least_one_document() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        list(Pipeline([]).stream([], batch_size=0))


def test_documents_read_before_the_input_fails_are_not_lost() -> None:
    def cut_off() -> Iterator[Document]:
        yield from (document(str(number)) for number in range(5))
        raise OSError("the disk is gone")

    stream = Pipeline([CapitalisedWords()]).stream(cut_off(), batch_size=4)
    assert [next(stream).id for _ in range(5)] == ["0", "1", "2", "3", "4"]
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
