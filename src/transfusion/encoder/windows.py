"""Texts that are longer than the network's window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transfusion.document import AnnotatedText
from transfusion.encoder.layout import Layout
from transfusion.segment import split_windows

SOURCE_SHARE = 0.45
"""Part of the window that the source may take when a pivot has to fit beside it."""
MARGIN = 0.15
"""How much further a window's part of the pivot reaches to either side, in parts of its own length: translations of
the sentences before and after it vary in length."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text that the network can read at once, with the part of the pivot that belongs to it.

    :param reading: Which text it is a part of.
    :param offset: Where in that text it begins.
    :param source: The part of the text.
    :param pivot: The part of the pivot.
    """

    reading: int
    offset: int
    source: str
    pivot: AnnotatedText | None


def cut_windows(
    reading: int, source: AnnotatedText, pivot: AnnotatedText | None, layout: Layout, window: int
) -> Iterator[Window]:
    """Cut one text into windows, at the ends of sentences where that is possible.

    :param reading: Number that the windows carry.
    :param source: The text.
    :param pivot: Its annotated translation, if it is to be read with one.
    :param layout: How texts are laid out.
    :param window: Most positions that the network can read.
    """
    room = window - 3
    if _surely_fits(source.text, pivot, room) or _length(source, pivot, layout) <= room:
        yield Window(reading, 0, source.text, pivot)
        return
    source_room = room if pivot is None else int(room * SOURCE_SHARE)
    spans = split_windows(source.text, source.language, fits=lambda text: _fits(text, layout, source_room))
    for span in spans:
        part = None if pivot is None else _part(pivot, span.start, span.end, len(source.text), layout, room, source_room)
        yield Window(reading, span.start, source.text[span.start : span.end], part)


def _surely_fits(source: str, pivot: AnnotatedText | None, room: int) -> bool:
    """Whether a short text can be let through uncounted: a character makes three pieces at the very most."""
    length = len(source) + (len(pivot.text) + len(pivot.entities) if pivot is not None else 0)
    return 3 * length <= room


def _length(source: AnnotatedText, pivot: AnnotatedText | None, layout: Layout) -> int:
    return layout.source_length(source.text) + (0 if pivot is None else layout.pivot_length(pivot))


def _fits(text: str, layout: Layout, room: int) -> bool:
    return len(text) <= 20 * room and layout.source_length(text) <= room


def _part(
    pivot: AnnotatedText, start: int, end: int, length: int, layout: Layout, room: int, source_room: int
) -> AnnotatedText:
    """The sentences of the pivot that stand about where the window stands in the source."""
    margin = MARGIN * (end - start)
    begin_share, end_share = (start - margin) / length, (end + margin) / length
    pivot_room = room - source_room
    first, last = begin_share * len(pivot.text), end_share * len(pivot.text)
    spans = [
        span
        for span in split_windows(pivot.text, pivot.language, fits=lambda text: _fits(text, layout, pivot_room // 4))
        if span.end > first and span.start < last
    ]
    middle = (first + last) / 2
    while spans:
        part = _cut(pivot, spans[0].start, spans[-1].end)
        if layout.pivot_length(part) <= pivot_room:
            return part
        # Leave out whichever end is further from where the window's own translation should be.
        if middle - spans[0].end > spans[-1].start - middle:
            spans = spans[1:]
        else:
            spans = spans[:-1]
    return _cut(pivot, 0, 0)


def _cut(annotated: AnnotatedText, start: int, end: int) -> AnnotatedText:
    inside = [entity.shifted(-start) for entity in annotated.entities if start <= entity.start and entity.end <= end]
    return AnnotatedText(annotated.text[start:end], annotated.language, tuple(inside))
