"""Texts longer than the window: nothing is left out, everything fits, offsets hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.layout import Layout
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.encoder.windows import Window, cut_windows

WINDOW = 64
SENTENCE = "Rais Ruto alikutana na Museveni mjini Kampala. "
FRAGMENTS = (
    SENTENCE,
    "Kampala",
    " ",
    ", ",
    "\r\n",
    "我在乌干达的坎帕拉。",
    "กรุงเทพฯ",
    "ﷺ",
    "½ ",
    "x" * 90,
    "👨‍👩‍👧",
    "\0",
)
LONG_TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


@pytest.fixture(scope="module")
def layout(tiny_vocabulary: Vocabulary) -> Layout:
    return Layout(tiny_vocabulary, ("LOC", "ORG", "PER"))


def windows_of(layout: Layout, source: str, pivot: AnnotatedText | None = None) -> list[Window]:
    return list(cut_windows(5, AnnotatedText(source, "swa"), pivot, layout, WINDOW))


def check(layout: Layout, source: str, windows: list[Window]) -> None:
    end = 0
    for window in windows:
        assert window.reading == 5
        assert source[window.offset : window.offset + len(window.source)] == window.source
        assert not source[end : window.offset].strip()
        assert len(layout.lay_out(window.source, window.pivot)) <= WINDOW
        end = window.offset + len(window.source)
    assert not source[end:].strip()


@settings(deadline=None, max_examples=50)
@given(source=LONG_TEXTS)
def test_windows_fit_and_hold_the_whole_text(layout: Layout, source: str) -> None:
    check(layout, source, windows_of(layout, source))


@settings(deadline=None, max_examples=50)
@given(source=LONG_TEXTS, translation=LONG_TEXTS, spans=st.lists(st.tuples(st.integers(0, 500), st.integers(1, 9))))
def test_windows_with_a_pivot_fit_too(
    layout: Layout, source: str, translation: str, spans: list[tuple[int, int]]
) -> None:
    entities = tuple(Entity(s, min(s + n, len(translation)), "PER") for s, n in spans if s < len(translation))
    windows = windows_of(layout, source, AnnotatedText(translation, "eng", entities))
    check(layout, source, windows)
    for window in windows:
        assert window.pivot is not None
        assert window.pivot.text in translation


def test_a_short_text_is_one_window_with_all_of_its_pivot(layout: Layout) -> None:
    pivot = AnnotatedText("Ruto met Museveni", "eng", (Entity(0, 4, "PER"), Entity(9, 17, "PER")))
    assert windows_of(layout, "Ruto na Museveni", pivot) == [Window(5, 0, "Ruto na Museveni", pivot)]


def test_windows_end_where_sentences_end(layout: Layout) -> None:
    for window in windows_of(layout, SENTENCE * 9):
        assert window.source.startswith("Rais")
        assert window.source.endswith("Kampala.")


def numbered(words: str, count: int) -> str:
    return "".join(f"{words} {number}. " for number in range(100, 100 + count))


def test_each_window_has_the_part_of_the_pivot_that_translates_it(layout: Layout) -> None:
    source, translation = numbered("Ruto na", 30), numbered("Ruto in", 30)
    at = [translation.index(str(number)) for number in range(100, 130)]
    pivot = AnnotatedText(translation, "eng", tuple(Entity(start, start + 3, "LOC") for start in at))
    windows = windows_of(layout, source, pivot)
    assert len(windows) > 3
    for window in windows:
        assert window.pivot is not None
        assert {word for word in window.source.split() if word[0] == "1"} <= set(window.pivot.text.split())
        for entity in window.pivot.entities:
            assert window.pivot.mention(entity).isdigit()
    assert sum(len(window.pivot.entities) for window in windows if window.pivot) >= 30


def test_a_translation_three_times_as_long_leaves_no_sentence_without_its_own(layout: Layout) -> None:
    source, translation = numbered("a", 24), numbered("Museveni in the Kampala", 24)
    for window in windows_of(layout, source, AnnotatedText(translation, "eng")):
        assert window.pivot is not None
        assert {word for word in window.source.split() if word[0] == "1"} <= set(window.pivot.text.split())


def test_a_short_text_with_a_long_translation_is_still_one_window(layout: Layout) -> None:
    windows = windows_of(layout, "Ruto", AnnotatedText(SENTENCE * 20, "eng"))
    assert [window.source for window in windows] == ["Ruto"]
    assert windows[0].pivot is not None
    assert "Kampala" in windows[0].pivot.text


def test_characters_that_are_many_pieces_each_are_counted_as_such(layout: Layout) -> None:
    source = "ﷺ " * 20
    check(layout, source, windows_of(layout, source))


@pytest.mark.parametrize("line", ["x" * 300_000, "我在乌干达的坎帕拉" * 33_333, SENTENCE * 6_400, " " * 300_000])
def test_a_line_of_300_000_characters_is_cut_in_seconds(layout: Layout, line: str) -> None:
    begin = time.process_time()
    windows = list(cut_windows(5, AnnotatedText(line, "swa"), None, layout, 512))
    assert time.process_time() - begin < 20
    assert sum(len("".join(window.source.split())) for window in windows) == len("".join(line.split()))


def test_a_long_line_with_a_long_translation_takes_no_more_than_both(layout: Layout) -> None:
    line = SENTENCE * 2_000
    begin = time.process_time()
    windows = list(cut_windows(5, AnnotatedText(line, "swa"), AnnotatedText(line, "eng"), layout, 512))
    assert time.process_time() - begin < 10
    assert all(window.pivot is not None and window.source in window.pivot.text for window in windows)
