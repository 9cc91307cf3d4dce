"""Texts that are too long for one request, in parts: cut where sentences end, each part beside its translation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from transfusion.decoder.fit import Part, Reading, parts
from transfusion.document import SentencePair
from transfusion.errors import ModelError


def cut(reading: Reading, sentences: Sequence[SentencePair], most: int) -> list[Part]:
    """Cut a text, if it has to be.

    :param reading: The text, and its translation if it has one.
    :param sentences: Which sentence became which, in order; where that is not known, what stands at about the same
        share of both texts goes together.
    :param most: Most characters of a part and its translation together.
    :returns: The parts in reading order; the whole text if it is not too long.
    """

    def fits(part: Reading) -> bool:
        return len(part.source.text) + len(part.pivot.text if part.pivot else "") <= most

    if fits(reading):
        return [Part(0, 0, reading)]
    stretches = _stretches(reading, sentences, most) if sentences else [Part(0, 0, reading)]
    return [
        Part(stretch.start + part.start, stretch.pivot_start + part.pivot_start, part.reading)
        for stretch in stretches
        for part in _smaller(stretch.reading, fits)
    ]


def _smaller(reading: Reading, fits: Callable[[Reading], bool]) -> list[Part]:
    try:
        return parts(reading, fits)
    except ModelError:
        # A short text with an endless translation: whether that is too much is for the server to say.
        return [Part(0, 0, reading)]


def _stretches(reading: Reading, sentences: Sequence[SentencePair], most: int) -> Iterator[Part]:
    """Neighbouring sentences that fit together, with their translations."""
    stretch = sentences[0]
    for pair in sentences[1:]:
        longer = SentencePair(stretch.start, pair.end, stretch.pivot_start, pair.pivot_end)
        pivot_length = longer.pivot_end - longer.pivot_start if reading.pivot else 0
        if longer.end - longer.start + pivot_length <= most:
            stretch = longer
        else:
            yield _part(reading, stretch)
            stretch = pair
    yield _part(reading, stretch)


def _part(reading: Reading, pair: SentencePair) -> Part:
    source, pivot = reading.source.part(pair.start, pair.end), None
    if reading.pivot is not None and pair.pivot_start < pair.pivot_end:
        pivot = reading.pivot.part(pair.pivot_start, pair.pivot_end)
    return Part(pair.start, pair.pivot_start, replace(reading, source=source, pivot=pivot, notes=()))
