"""From a Croatian newspaper to entities at exact offsets, with a real translator in the loop."""

from __future__ import annotations

import shutil

import pytest

from transfusion.document import AnnotatedText, Document
from transfusion.errors import LanguageError
from transfusion.pipeline import Pipeline
from transfusion.translate.engines import load_translator

TEXT = (
    "Predsjednik Srbije Aleksandar Vučić stigao je u Zagreb.\n"
    "\n"
    "Jučer se u Beogradu sastao s Angelom Merkel. Razgovarali su o Kosovu."
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    if shutil.which("apertium") is None:
        pytest.skip("needs Apertium: run scripts/apertium")
    try:
        load_translator("apertium").translate(["Zagreb"], source="hrv", target="eng")
    except LanguageError:
        pytest.skip("needs apertium-hbs-eng: run scripts/apertium")
    return Pipeline.load("mini", translator="apertium")


def test_people_and_places_of_an_article_are_found_where_they_stand(pipeline: Pipeline) -> None:
    document = pipeline(TEXT, language="hr")
    assert document.pivot is not None
    assert document.pivot.text.startswith("President Serbia")
    assert "\n\n" in document.pivot.text
    assert [TEXT[pair.start : pair.end].split()[0] for pair in document.sentences] == [
        "Predsjednik",
        "Jučer",
        "Razgovarali",
    ]
    mentions = {(document.source.mention(entity), entity.label) for entity in document.source.entities}
    assert {("Aleksandar Vučić", "PER"), ("Zagreb", "LOC"), ("Beogradu", "LOC"), ("Kosovu", "LOC")} <= mentions


def test_a_language_without_a_pair_is_labelled_directly_and_says_so(pipeline: Pipeline) -> None:
    (document,) = pipeline.stream([Document("1", AnnotatedText("Museveni yagenze e Kampala.", "lug"))])
    assert [note.code for note in document.notes] == ["untranslatable-language", "no-translation"]
    assert not document.failed
