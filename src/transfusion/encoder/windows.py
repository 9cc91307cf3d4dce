"""Texts that are longer than the network's window."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transfusion.document import AnnotatedText
from transfusion.encoder.layout import Layout
from transfusion.segment import Piece, split_windows

SOURCE_SHARE = (0.2, 0.6)
"""Least and most of the window that the source may take when a pivot has to fit beside it."""
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
    if _fit_together(source.text, pivot, layout, room):
        yield Window(reading, 0, source.text, pivot)
        return
    source_room = room if pivot is None else _source_room(source.text, pivot.text, layout, room)
    spans = split_windows(source.text, source.language, fits=lambda text: _fits(text, layout, source_room))
    if pivot is None:
        for start, end in spans:
            yield Window(reading, start, source.text[start:end], None)
        return
    quarter = (room - source_room) // 4
    sentences = split_windows(pivot.text, pivot.language, fits=lambda text: _fits(text, layout, quarter))
    scale = len(pivot.text) / max(1, len(source.text))
    for start, end in spans:
        text = source.text[start:end]
        margin = MARGIN * (end - start)
        stretch = ((start - margin) * scale, (end + margin) * scale)
        part = _part(pivot, sentences, stretch, layout, room - layout.source_length(text))
        yield Window(reading, start, text, part)


def _fit_together(source: str, pivot: AnnotatedText | None, layout: Layout, room: int) -> bool:
    if not _fits(source, layout, room):
        return False
    if pivot is None:
        return True
    return _fits(pivot.text, layout, room) and layout.source_length(source) + layout.pivot_length(pivot) <= room


def _fits(text: str, layout: Layout, room: int) -> bool:
    """Whether a text takes no more than so many positions; one that surely takes more is not measured."""
    return len(text) <= 20 * room and layout.source_length(text) <= room


def _source_room(source: str, pivot: str, layout: Layout, room: int) -> int:
    """Positions for the source, so that its translation, with the margins, takes the others."""
    densities = [layout.source_length(text[: 20 * room]) / max(1, len(text[: 20 * room])) for text in (source, pivot)]
    ratio = densities[1] * len(pivot) / max(1.0, densities[0] * len(source))
    least, most = SOURCE_SHARE
    return int(room * min(most, max(least, 1 / (1 + ratio * (1 + 2 * MARGIN)))))


def _part(
    pivot: AnnotatedText, sentences: Sequence[Piece], stretch: tuple[float, float], layout: Layout, room: int
) -> AnnotatedText:
    """The sentences of the pivot in a stretch of it: from its middle outwards, as many as there is room for."""
    first, last = stretch
    inside = sentences[
        bisect_right(sentences, first, key=lambda piece: piece.end) : bisect_left(
            sentences, last, key=lambda piece: piece.start
        )
    ]
    part = _cut(pivot, 0, 0)
    start, end = len(pivot.text), 0
    for piece in sorted(inside, key=lambda piece: abs(piece.start + piece.end - first - last)):
        start, end = min(start, piece.start), max(end, piece.end)
        larger = _cut(pivot, start, end)
        if layout.pivot_length(larger) > room:
            break
        part = larger
    return part


def _cut(annotated: AnnotatedText, start: int, end: int) -> AnnotatedText:
    inside = [entity.shifted(-start) for entity in annotated.entities if start <= entity.start and entity.end <= end]
    return AnnotatedText(annotated.text[start:end], annotated.language, tuple(inside))
