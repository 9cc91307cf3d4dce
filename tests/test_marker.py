"""Marks round spans: written, sent through a translator that ill-treats them, and read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.errors import TranslationError
from transfusion.project.marker import MarkedTranslation, MarkerProjector, MarkerSettings, translate_marked
from transfusion.project.marks import STYLES, Style, markable_style, read_marks, write_marks
from transfusion.project.windows import WindowFinder
from transfusion.translate.base import FakeTranslator, Translated
from transfusion.translate.bind import bind

SWAHILI = FakeTranslator(
    {
        "president": "rais",
        "met": "alikutana na",
        "in": "mjini",
        "london": "Londoni",
        "germany": "Ujerumani",
        "river": "mto",
    }
)
swahili = bind(SWAHILI, "eng", "swa")


def labelled(text: str, *mentions: str) -> AnnotatedText:
    """A text with entities written as ``PER:Ruto``; of several equal mentions the next one is meant."""
    entities: list[Entity] = []
    for one in mentions:
        label, _, mention = one.partition(":")
        start = text.index(mention, next((e.end for e in reversed(entities) if text[e.start : e.end] == mention), 0))
        entities.append(Entity(start, start + len(mention), label, 0.8))
    return AnnotatedText(text, "eng", tuple(entities))


def spans(text: AnnotatedText) -> list[tuple[str, str]]:
    return [(entity.label, text.mention(entity)) for entity in text.entities]


def says(*translations: str, **alone: str) -> Callable[[Sequence[str]], list[str | None]]:
    """A translator that answers marked texts in turn with what it is told to, and words alone from a glossary."""
    answers = iter(translations)

    def translate(texts: Sequence[str]) -> list[str | None]:
        return [alone.get(text, text) if text.isalpha() else next(answers) for text in texts]

    return translate


def one(text: AnnotatedText, translate: Callable[[Sequence[str]], list[str | None]], style: Style) -> MarkedTranslation:
    found = translate_marked([text], translate, language="swa", settings=MarkerSettings(style))[0]
    assert found is not None
    return found


@pytest.mark.parametrize("style", STYLES)
def test_spans_travel_with_their_text(style: Style) -> None:
    text = labelled("President Ruto met Museveni in London.", "PER:Ruto", "PER:Museveni", "LOC:London")
    found = one(text, swahili, style)
    assert found.text.text == "rais Ruto alikutana na Museveni mjini Londoni."
    assert spans(found.text) == [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Londoni")]
    assert [(text.mention(span), found.text.mention(home)) for span, home in found.carried] == [
        ("Ruto", "Ruto"),
        ("Museveni", "Museveni"),
        ("London", "Londoni"),
    ]
    assert found.survived
    assert found.lost == ()
    assert found.text.language == "swa"


def test_marks_are_written_in_three_styles() -> None:
    text = "Ruto met Raila"
    written = [write_marks(text, [(0, 4), (9, 14)], style) for style in STYLES]
    assert written == ["[Ruto] met [Raila]", "<a>Ruto</a> met <b>Raila</b>", "[1]Ruto[/1] met [2]Raila[/2]"]


def test_spans_that_cross_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not overlap: 3 comes before 4"):
        write_marks("Ruto met Raila", [(0, 4), (3, 8)], "brackets")


def test_brackets_find_their_label_though_the_order_changed() -> None:
    text = labelled("Ruto left Germany", "PER:Ruto", "LOC:Germany")
    found = one(text, says("[Ujerumani] iliachwa na [Ruto]", Germany="Ujerumani"), "brackets")
    assert spans(found.text) == [("LOC", "Ujerumani"), ("PER", "Ruto")]
    assert found.survived


# What translators do to marks that can still be read: style, what comes back, what is made of it.
ILL_TREATED: dict[str, tuple[Style, str, str]] = {
    "spaces inside": ("brackets", "[ Ruto ] aliondoka [ Ujerumani ] .", "Ruto aliondoka Ujerumani."),
    "no spaces outside": ("brackets", "[ Ruto ]aliondoka[ Ujerumani ].", "Ruto aliondoka Ujerumani."),
    "full width": ("brackets", "［Ruto］ aliondoka ［Ujerumani］.", "Ruto aliondoka Ujerumani."),
    "parentheses": ("brackets", "（Ruto） aliondoka (Ujerumani).", "Ruto aliondoka Ujerumani."),
    "quotes of another script": ("brackets", "「Ruto」 aliondoka 『Ujerumani』.", "Ruto aliondoka Ujerumani."),
    "doubled": ("brackets", "[[Ruto]] aliondoka [Ujerumani]].", "Ruto aliondoka Ujerumani."),
    "a full stop drawn inside": ("brackets", "[Ruto] aliondoka [Ujerumani.]", "Ruto aliondoka Ujerumani."),
    "capitals": ("tags", "<A>Ruto</A> aliondoka <B>Ujerumani</b>.", "Ruto aliondoka Ujerumani."),
    "spaces inside of tags": ("tags", "< a > Ruto < / a > aliondoka <b> Ujerumani </ b>.", "Ruto aliondoka Ujerumani."),
    "escaped": ("tags", "&lt;a&gt;Ruto&lt;/a&gt; aliondoka &lt;b&gt;Ujerumani&lt;/b&gt;.", "Ruto aliondoka Ujerumani."),
    "a translated tag": ("tags", "<un>Ruto</un> aliondoka <b>Ujerumani</b>.", "Ruto aliondoka Ujerumani."),
    "one tag of two translated": ("tags", "<un>Ruto</a> aliondoka <b>Ujerumani</b>.", "Ruto aliondoka Ujerumani."),
    "a slash lost": ("tags", "<a>Ruto<a> aliondoka <b>Ujerumani</b>.", "Ruto aliondoka Ujerumani."),
    "another order": ("indexed", "[2]Ujerumani[/2] iliachwa na [1]Ruto[/1].", "Ujerumani iliachwa na Ruto."),
    "other numbers": ("indexed", "【１】Ruto【／１】 aliondoka 【２】Ujerumani【／２】.", "Ruto aliondoka Ujerumani."),
    "closed by its number": ("indexed", "[1]Ruto[1] aliondoka [ 2 ]Ujerumani[/ 2].", "Ruto aliondoka Ujerumani."),
}


@pytest.mark.parametrize(("style", "answer", "text"), ILL_TREATED.values(), ids=ILL_TREATED.keys())
def test_marks_are_read_whatever_became_of_them(style: Style, answer: str, text: str) -> None:
    found = one(labelled("Ruto left Germany.", "PER:Ruto", "LOC:Germany"), says(answer, Germany="Ujerumani"), style)
    assert found.text.text == text
    assert sorted(spans(found.text)) == [("LOC", "Ujerumani"), ("PER", "Ruto")]
    assert found.survived


# What cannot be mended: style, what comes back, the fault, the spans that are carried all the same.
SPOILT: dict[str, tuple[Style, str, str, list[str]]] = {
    "no marks": ("brackets", "Ruto aliondoka Ujerumani.", "missing-mark", ["Ruto", "Ujerumani"]),
    "nothing like it": ("brackets", "Aliondoka.", "missing-mark", []),
    "one closing mark gone": ("brackets", "[Ruto aliondoka [Ujerumani].", "missing-mark", ["Ruto", "Ujerumani"]),
    "a closing tag gone": ("tags", "<a>Ruto aliondoka <b>Ujerumani</b>.", "missing-mark", ["Ruto", "Ujerumani"]),
    "one mark more": ("brackets", "[Ruto] [Ruto] aliondoka [Ujerumani].", "extra-mark", ["Ruto", "Ujerumani"]),
    "a number twice": ("indexed", "[1]Ruto[/1] [1]Ruto[/1] [2]Ujerumani[/2].", "extra-mark", ["Ruto", "Ujerumani"]),
    "marks that cross": ("tags", "<a>Ruto</b> aliondoka <b>Ujerumani</b>.", "moved-mark", ["Ruto", "Ujerumani"]),
    "round another word": (
        "indexed",
        "Ruto [1]aliondoka[/1] [2]Ujerumani[/2].",
        "moved-mark",
        ["aliondoka", "Ujerumani"],
    ),
    "round nothing": ("indexed", "[1] [/1]Ruto aliondoka [2]Ujerumani[/2].", "empty-piece", ["Ruto", "Ujerumani"]),
}


@pytest.mark.parametrize(("style", "answer", "fault", "carried"), SPOILT.values(), ids=SPOILT.keys())
def test_spoilt_marks_are_told_and_leave_nothing_behind(
    style: Style, answer: str, fault: str, carried: list[str]
) -> None:
    text = labelled("Ruto left Germany.", "PER:Ruto", "LOC:Germany")
    found = one(text, says(answer, Germany="Ujerumani"), style)
    assert found.fault == fault
    assert not found.survived
    assert [mention for _, mention in spans(found.text)] == carried
    assert len(found.carried) + len(found.lost) == 2
    assert not set("[]<>") & set(found.text.text)


def test_of_nested_spans_the_longest_is_marked_and_the_other_reported() -> None:
    text = labelled("University of London opened", "ORG:University of London", "LOC:London")
    found = one(text, swahili, "brackets")
    assert spans(found.text) == [("ORG", "University of Londoni")]
    assert [text.mention(span) for span in found.lost] == ["London"]
    assert found.fault == "unmarkable"


@pytest.mark.parametrize(
    ("text", "wanted", "style"),
    [
        ("Ruto [sic] left", "brackets", "tags"),
        ("see [3] and <b>that</b>", "tags", None),
        ("see [3] there", "indexed", "tags"),
        ("see <b>that</b>", "tags", "brackets"),
        ("5 < 7 > 3", "tags", "tags"),
    ],
)
def test_a_text_with_marks_of_its_own_gets_others(text: str, wanted: Style, style: Style | None) -> None:
    assert markable_style(text, wanted) == style


def test_brackets_of_the_text_itself_stay() -> None:
    found = one(labelled("Ruto [sic] met (today) Raila", "PER:Ruto", "PER:Raila"), swahili, "brackets")
    assert found.text.text == "Ruto [sic] alikutana na (today) Raila"
    assert spans(found.text) == [("PER", "Ruto"), ("PER", "Raila")]
    assert found.survived


def test_parentheses_of_the_text_are_not_taken_for_brackets_that_changed() -> None:
    text = labelled("Ruto (today) left", "PER:Ruto")
    found = one(text, says("Ruto (leo) aliondoka"), "brackets")
    assert found.text.text == "Ruto (leo) aliondoka"
    assert found.fault == "missing-mark"


def test_a_text_that_allows_no_marks_is_translated_without_and_searched() -> None:
    text = labelled("[1] <b>Ruto</b> met Raila", "PER:Ruto", "PER:Raila")
    found = one(text, says("[1] <b>Ruto</b> na Raila"), "brackets")
    assert found.text.text == "[1] <b>Ruto</b> na Raila"
    assert spans(found.text) == [("PER", "Ruto"), ("PER", "Raila")]
    assert found.fault == "unmarkable"


def test_a_text_without_translation_or_entities() -> None:
    texts = [labelled("Ruto left", "PER:Ruto"), AnnotatedText("nobody left", "eng"), AnnotatedText(" ", "eng")]

    def translate(strings: Sequence[str]) -> list[str | None]:
        assert all(string.strip() for string in strings)
        return [None if "Ruto" in string else "hakuna" for string in strings]

    lost, empty, blank = translate_marked(texts, translate, language="swa")
    assert lost is None
    assert blank is None
    assert empty == MarkedTranslation(AnnotatedText("hakuna", "swa"), (), (), None)


@given(
    st.text(st.sampled_from("ab c.,é我[]<>/1"), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 6)), max_size=4),
    st.sampled_from(STYLES),
)
def test_a_translator_that_changes_nothing_brings_every_span_home(
    text: str, drawn: list[tuple[int, int]], style: Style
) -> None:
    found: list[tuple[int, int]] = []
    for start, length in sorted(drawn):
        end = min(start + length, len(text))
        piece = text[start:end]
        if start < end and piece == piece.strip() and (not found or found[-1][1] < start):
            found.append((start, end))
    free = markable_style(text, style)
    if free is None:
        return
    reading = read_marks(write_marks(text, found, free), free, len(found), text)
    assert reading.fault is None
    assert [reading.text[p.start : p.end] for p in reading.pieces] == [text[a:b] for a, b in found]
    assert "".join(reading.text.split()) == "".join(text.split())


@given(st.text(st.sampled_from("[]<>/ab12 .（）&lt;gt"), max_size=60), st.integers(0, 4), st.sampled_from(STYLES))
def test_nothing_that_a_translator_gives_back_breaks_the_reading(answer: str, count: int, style: Style) -> None:
    reading = read_marks(answer, style, count, "Ruto left")
    end = 0
    for piece in reading.pieces:
        assert end <= piece.start < piece.end <= len(reading.text)
        assert reading.text[piece.start : piece.end] == reading.text[piece.start : piece.end].strip()
        end = piece.end
    if reading.fault is None:
        assert len(reading.pieces) == count


@pytest.mark.parametrize("style", STYLES)
def test_a_translator_that_repeats_itself_without_end_takes_no_time(style: Style) -> None:
    begun = time.process_time()
    for answer in ("[" + " " * 200_000, "< / " * 50_000, "[1] " * 50_000):
        read_marks(answer, style, 2, "Ruto left")
    assert time.process_time() - begun < 5


def project(annotated: AnnotatedText, other: str, style: Style = "brackets") -> tuple[list[tuple[str, str]], list[str]]:
    projection = MarkerProjector(swahili, MarkerSettings(style)).project([annotated], [AnnotatedText(other, "swa")])[0]
    return (
        [(home.label, other[home.start : home.end]) for home in projection.entities],
        [annotated.mention(span) for span in projection.lost],
    )


@pytest.mark.parametrize("style", STYLES)
def test_spans_are_carried_to_a_translation_that_someone_else_made(style: Style) -> None:
    text = labelled("President Ruto met Museveni in London.", "PER:Ruto", "PER:Museveni", "LOC:London")
    other = "Jijini Londoni, Rais Rutto na mwenzake Museveni walikutana."
    assert project(text, other, style) == ([("LOC", "Londoni"), ("PER", "Rutto"), ("PER", "Museveni")], [])


def test_equal_names_go_to_different_places_in_order() -> None:
    text = labelled("Ruto met Ruto", "PER:Ruto", "ORG:Ruto")
    assert project(text, "Ruto alikutana na Ruto") == ([("PER", "Ruto"), ("ORG", "Ruto")], [])
    assert project(text, "Ruto alikutana")[0] == [("PER", "Ruto")]


def test_nested_spans_go_where_they_do_not_overlap() -> None:
    text = labelled("University of London opened in London", "ORG:University of London", "LOC:London")
    found, lost = project(text, "University of Londoni ilifunguliwa mjini Londoni")
    assert found == [("ORG", "University of Londoni"), ("LOC", "Londoni")]
    assert lost == []


def test_a_span_that_the_translation_does_not_have_is_lost() -> None:
    assert project(labelled("Ruto left Germany", "PER:Ruto", "LOC:Germany"), "aliondoka") == ([], ["Ruto", "Germany"])
    assert project(labelled("Ruto left", "PER:Ruto"), "") == ([], ["Ruto"])


def test_a_home_says_how_like_it_is() -> None:
    annotated, other = labelled("Ruto left", "PER:Ruto"), AnnotatedText("Rutoh aliondoka", "swa")
    same, near = MarkerProjector(swahili).project([annotated] * 2, [annotated, other])
    assert [(home.score, home.match) for home in same.entities] == [(0.8, "similar")]
    assert 0.4 < near.entities[0].score < 0.8


def test_a_name_keeps_its_full_stop() -> None:
    assert project(labelled("The U.S. left", "LOC:U.S."), "Nchi (U.S.) iliondoka")[0] == [("LOC", "U.S.")]


def test_a_name_is_found_in_a_script_without_spaces() -> None:
    finder = WindowFinder("我在冰島嗎")
    assert finder.find(["冰島"], near=0, least=0.5) == (2, 4, 1.0)
    assert finder.find(["冰島"], near=0, least=0.7, taken=[(3, 4)]) is None


def test_a_translator_that_loses_texts_is_an_error() -> None:
    class Forgetful(FakeTranslator):
        def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
            return super().translate(texts, source=source, target=target)[:-1]

    with pytest.raises(TranslationError, match="gave 1 translations for 2 texts"):
        translate_marked([labelled("Ruto left", "PER:Ruto")], bind(Forgetful(), "eng", "swa"), language="swa")


def test_empty_texts_are_not_sent_to_a_translator() -> None:
    translator = FakeTranslator({"river": "mto"})
    assert bind(translator, "eng", "swa")(["river", "", " "]) == ["mto", None, None]
    assert translator.calls == [("river",)]
    assert bind(translator, "eng", "swa")([]) == []
    assert len(translator.calls) == 1
