"""A newspaper article in Luganda on its way into English, sentence by sentence, whatever the engine does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Document, Entity
from transfusion.errors import LanguageError, TranslationError
from transfusion.fuse.sentences import by_sentence
from transfusion.pipeline import Pipeline
from transfusion.translate.base import FakeTranslator, Translated, Translator
from transfusion.translate.stage import FAILED, LEFT_OUT, SUSPECT, UNKNOWN_LANGUAGE, Policy, TranslateSource

GLOSSARY = {
    "museveni": "Museveni",
    "yagenze": "went",
    "e": "to",
    "gulu": "Gulu",
    "enkuba": "rain",
    "yatonnye": "fell",
    "mu": "in",
    "kampala": "Kampala",
}
ARTICLE = "Museveni yagenze e Gulu. Enkuba yatonnye mu Kampala.\n\nYagenze mu Kampala!"


class Engine(FakeTranslator):
    """A glossary with a temper: it fails on some words, is silent on others and says others over and over."""

    def __init__(self, careful: Translator | None = None) -> None:
        super().__init__(GLOSSARY)
        self.other = careful

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        translations = super().translate(texts, source=source, target=target)
        if any("BOOM" in text for text in texts):
            raise TranslationError("the engine died")
        return [
            None
            if "SILENT" in text
            else Translated("to be or to be or " * 30, target)
            if "LOOP" in text
            else translation
            for text, translation in zip(texts, translations, strict=True)
        ]

    def careful(self) -> Translator | None:  # type: ignore[override]
        return self.other


def article(text: str = ARTICLE, language: str = "lug") -> Document:
    return Document("1", AnnotatedText(text, language))


def translated(text: str, engine: Translator | None = None, policy: Policy = "retry") -> Document:
    return next(TranslateSource(engine or Engine(), policy=policy)([article(text)]))


def codes(document: Document) -> list[str]:
    return [note.code for note in document.notes]


def sides(document: Document) -> list[tuple[str, str]]:
    assert document.pivot is not None
    return [
        (document.source.text[pair.start : pair.end], document.pivot.text[pair.pivot_start : pair.pivot_end])
        for pair in document.sentences
    ]


def test_every_sentence_of_an_article_stands_beside_its_translation() -> None:
    document = translated(ARTICLE)
    assert sides(document) == [
        ("Museveni yagenze e Gulu.", "Museveni went to Gulu."),
        ("Enkuba yatonnye mu Kampala.", "rain fell in Kampala."),
        ("Yagenze mu Kampala!", "went in Kampala!"),
    ]
    assert document.pivot == AnnotatedText("Museveni went to Gulu. rain fell in Kampala.\n\nwent in Kampala!", "eng")
    assert document.notes == ()


def test_a_sentence_that_stands_twice_is_translated_once() -> None:
    engine = Engine()
    translated("Museveni yagenze e Gulu. Museveni yagenze e Gulu.", engine)
    assert engine.calls == [("Museveni yagenze e Gulu.",)]


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_nothing_is_asked_where_nothing_is_written(text: str) -> None:
    engine = Engine()
    assert translated(text, engine) == article(text)
    assert engine.calls == []


def test_a_document_with_a_pivot_or_in_the_pivot_language_is_left_alone() -> None:
    engine = Engine()
    documents = [
        Document("1", AnnotatedText("Museveni yagenze.", "lug"), AnnotatedText("Museveni left.", "eng")),
        Document("2", AnnotatedText("Museveni left.", "eng")),
    ]
    assert list(TranslateSource(engine)(documents)) == documents
    assert engine.calls == []


def test_one_sentence_that_kills_the_engine_takes_no_other_with_it() -> None:
    document = translated("Museveni yagenze. BOOM. Enkuba yatonnye mu Kampala. Yagenze e Gulu.")
    assert [pivot for _, pivot in sides(document)] == ["Museveni went.", "", "rain fell in Kampala.", "went to Gulu."]
    assert codes(document) == [FAILED]
    assert "1 of 4 sentences" in document.notes[0].message


def test_an_engine_that_stays_dead_is_not_asked_for_every_sentence() -> None:
    class Dead(Engine):
        def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
            super().translate(texts, source=source, target=target)
            raise TranslationError("nobody answers")

    engine = Dead()
    stage = TranslateSource(engine)
    text = " ".join(f"Enkuba {number} yatonnye." for number in range(200))
    first = next(stage([article(text)]))
    assert first.pivot is None
    assert codes(first) == [FAILED]
    asked = len(engine.calls)
    assert asked < 20
    next(stage([article(text)]))
    assert len(engine.calls) == asked + 1, "one question is enough to see that it is still dead"


def test_an_engine_that_comes_back_to_life_is_used_again() -> None:
    class Flickering(Engine):
        alive = False

        def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
            if not self.alive:
                raise TranslationError("nobody answers")
            return super().translate(texts, source=source, target=target)

    engine = Flickering()
    stage = TranslateSource(engine)
    assert next(stage([article()])).pivot is None
    engine.alive = True
    assert next(stage([article()])).pivot is not None


def test_an_engine_that_gives_back_fewer_texts_does_not_shift_them() -> None:
    class Forgetful(Engine):
        def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
            return super().translate(texts, source=source, target=target)[: max(1, len(texts) - 1)]

    document = translated(ARTICLE, Forgetful())
    assert [pivot for _, pivot in sides(document)] == [
        "Museveni went to Gulu.",
        "rain fell in Kampala.",
        "went in Kampala!",
    ]


def test_a_language_that_the_engine_does_not_know_leaves_the_others_alone() -> None:
    engine = FakeTranslator(GLOSSARY, languages=["lug"])
    documents = [Document("1", AnnotatedText("Kagame na Ruto.", "kin")), article()]
    first, second = TranslateSource(engine)(documents)
    assert first.pivot is None
    assert codes(first) == [UNKNOWN_LANGUAGE]
    assert second.pivot is not None
    with pytest.raises(LanguageError, match="kin"):
        engine.translate(["Kagame."], source="kin", target="eng")


def test_a_broken_translation_is_asked_for_again_with_care() -> None:
    document = translated(
        "Museveni yagenze. LOOP mu Kampala enkuba yatonnye.", Engine(careful=FakeTranslator(GLOSSARY))
    )
    assert [pivot for _, pivot in sides(document)] == ["Museveni went.", "LOOP in Kampala rain fell."]
    assert document.notes == ()


def test_a_translation_that_stays_broken_is_left_out_and_said_so() -> None:
    document = translated("Museveni yagenze. LOOP mu Kampala enkuba yatonnye.", Engine(careful=Engine()))
    assert [pivot for _, pivot in sides(document)] == ["Museveni went.", ""]
    assert codes(document) == [LEFT_OUT]
    assert "1 of 2 sentences" in document.notes[0].message
    assert "repetition" in document.notes[0].message


def test_a_broken_translation_is_used_if_the_caller_wants_it() -> None:
    document = translated("Museveni yagenze. LOOP mu Kampala enkuba yatonnye.", policy="keep")
    assert sides(document)[1][1].startswith("to be or")
    assert codes(document) == [SUSPECT]


def test_a_text_of_200_000_characters_without_a_full_stop_is_translated_in_pieces() -> None:
    text = "enkuba yatonnye mu kampala " * 7_500
    document = translated(text)
    assert document.pivot is not None
    assert document.pivot.text.split() == ["rain", "fell", "in", "Kampala"] * 7_500
    assert max(pair.end - pair.start for pair in document.sentences) <= 1000


MARKS = ("।", "؟", "。", "᠃", ".", "!", "\n", "\n\n", " • ")


@given(
    st.lists(
        st.tuples(
            st.text("abcdeƙɛŋ ልምद語ع😀é", min_size=1, max_size=12),
            st.sampled_from(MARKS),
            st.sampled_from(["", " ", "\t"]),
        ),
        max_size=8,
    ),
    st.sampled_from(["lug", "hin", "arb", "zho", "khk", "amh"]),
)
def test_sentences_cover_both_texts_in_order(parts: list[tuple[str, str, str]], language: str) -> None:
    text = "".join("".join(part) for part in parts)
    document = next(TranslateSource(FakeTranslator(), policy="keep")([article(text, language)]))
    end = pivot_end = 0
    for pair in document.sentences:
        assert not text[end : pair.start].strip(), "what stands between sentences is white space"
        assert document.pivot is not None
        assert not document.pivot.text[pivot_end : pair.pivot_start].strip()
        # The engine leaves unknown words as they are, so both sides hold the same words.
        ours, theirs = text[pair.start : pair.end], document.pivot.text[pair.pivot_start : pair.pivot_end]
        assert ours.split() == theirs.split()
        end, pivot_end = pair.end, pair.pivot_end
    assert not text[end:].strip()


def test_fused_entities_of_every_sentence_come_back_at_offsets_of_the_article() -> None:
    def label_capitals(documents: Sequence[Document]) -> list[Document]:
        results = []
        for document in documents:
            assert document.pivot is not None
            assert "\n" not in document.source.text, "a fuser sees one sentence at a time"
            start = next(i for i, c in enumerate(document.source.text) if c.isupper())
            end = document.source.text.index(" ", start)
            results.append(
                Document(document.id, document.source.with_entities((Entity(start, end, "PER"),)), document.pivot)
            )
        return results

    article_translated = translated(ARTICLE)
    (fused,) = by_sentence([article_translated], label_capitals)
    assert [fused.source.mention(entity) for entity in fused.source.entities] == ["Museveni", "Enkuba", "Yagenze"]
    assert fused.pivot == article_translated.pivot


def test_a_pipeline_translates_through_the_engine_it_is_given() -> None:
    document = Pipeline([TranslateSource(Engine())])("Museveni yagenze e Gulu.", language="lg")
    assert document.pivot is not None
    assert document.pivot.text == "Museveni went to Gulu."
