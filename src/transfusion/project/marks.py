"""Marks round the spans of a text, and what is left of them after a translator has had the text.

Three styles, as in EasyProject (Chen, Jiang, Ritter and Xu, *Frustratingly Easy Label Projection for Cross-lingual
Transfer*, Findings of ACL 2023): ``[Berlin]``, ``<a>Berlin</a>`` and ``[1]Berlin[/1]``.  The first is the least
trouble to a translator and does not say which span is which; the others do.  Tags are letters, not labels: a translator
would translate ``<PER>``, and a label such as ``weather/attribute`` makes no tag.

Translators change brackets for those of another script, put spaces inside, double or drop marks, forget the slash of a
closing one and translate names of tags.  Reading takes what can still be told apart and names the first fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import regex

Style = Literal["brackets", "tags", "indexed"]
STYLES: tuple[Style, ...] = get_args(Style)

Fault = Literal["unmarkable", "missing-mark", "extra-mark", "moved-mark", "empty-piece"]
"""What can be wrong with the marks of a translation.

``unmarkable``: a span was not marked at all, for it overlaps another or the text is full of such marks itself;
``missing-mark``, ``extra-mark``: fewer or more marks than there were; ``moved-mark``: marks cross, or what stands
between them is not what they were put round; ``empty-piece``: nothing stands between them.
"""

_BRACKETS = tuple(zip("[［【〔⟦{｛(（", "]］】〕⟧}｝)）", strict=True))
_QUOTE_BRACKETS = (("「", "」"), ("『", "』"))
_ANGLES = (("<", ">"), ("&lt;", "&gt;"), ("＜", "＞"), ("‹", "›"), ("〈", "〉"), ("《", "》"))
_QUOTES = regex.compile(r"[\p{Pi}\p{Pf}\"„‚]")
_DETACHED = frozenset(".,;:!?)…。，、；：！？）")
"""Marks of punctuation that a translator sets apart from the word before them when a mark comes between."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What stood between two marks.

    :param start: First code point, in the text without marks.
    :param end: One past the last.
    :param span: Which of the marked spans it is, counted from 0; ``None`` where the marks do not say.
    """

    start: int
    end: int
    span: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A translation without its marks.

    :param text: The translation, the spaces that the marks left behind mended.
    :param pieces: What stood between marks, in reading order.
    :param fault: The first thing that is wrong with the marks; ``None`` if all are back, once each and in pairs.
    """

    text: str
    pieces: tuple[Piece, ...]
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark in a translation."""

    start: int
    end: int
    closes: bool
    span: int | None


def markable_style(text: str, wanted: Style) -> Style | None:
    """The style to mark a text with: the one wanted, unless the text itself holds what would be read as marks.

    :param text: The text, without marks.
    :param wanted: The style to use if possible.
    :returns: That style or else the first that is free; ``None`` if none is.
    """
    return next((style for style in (wanted, *STYLES) if not _own_marks(style).search(text)), None)


def write_marks(text: str, spans: Sequence[tuple[int, int]], style: Style) -> str:
    """Put marks round spans.

    :param text: The text.
    :param spans: Start and end of each span, in reading order.
    :param style: The marks to use.
    :returns: The text with marks.
    :raises ValueError: If spans overlap or are out of order.
    """
    parts = []
    done = 0
    for number, (start, end) in enumerate(spans):
        if start < done:
            raise ValueError(f"spans to mark must stand in reading order and not overlap: {start} comes before {done}")
        opening, closing = _marks_of(number, style)
        parts += [text[done:start], opening, text[start:end], closing]
        done = end
    return "".join([*parts, text[done:]])


def read_marks(translation: str, style: Style, count: int, original: str) -> Reading:
    """Take the marks out of a translation.

    Brackets of another kind are read as marks only where the translation makes sense with them, and the original has
    none of that kind itself.

    :param translation: What a translator made of a text with marks.
    :param style: The marks that it had.
    :param count: How many spans were marked.
    :param original: The text that was marked, before it was.
    :returns: The translation without marks, and what stood between them.
    """
    own = _reading(translation, _find(translation, style, _own_marks(style), count), count)
    if own.fault is None or not (kinds := _other_kinds(style, original)):
        return own
    changed = _reading(translation, _find(translation, style, _pattern(style, kinds), count), count)
    return own if changed.fault else changed


def _marks_of(number: int, style: Style) -> tuple[str, str]:
    if style == "brackets":
        return "[", "]"
    if style == "indexed":
        return f"[{number + 1}]", f"[/{number + 1}]"
    return f"<{_letters(number)}>", f"</{_letters(number)}>"


def _letters(number: int) -> str:
    """Names of tags: a … z, aa, ab, …"""
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + chr(ord("a") + last)


def _number(name: str) -> int:
    """The span that a tag of this name stands for, if it is one of ours."""
    number = 0
    for letter in name:
        number = 26 * number + ord(letter) - ord("a") + 1
    return number - 1


def _other_kinds(style: Style, original: str) -> tuple[tuple[str, str], ...]:
    """Our kind of brackets, and those that a translator may have put in their place."""
    kinds = _ANGLES if style == "tags" else _BRACKETS
    if style != "tags" and not _QUOTES.search(original):
        # For quotation marks of the original a translator may write these and not mean our marks.
        kinds = (*kinds, *_QUOTE_BRACKETS)
    return tuple(kind for kind in kinds if kind[0] not in original and kind[1] not in original)


def _own_marks(style: Style) -> regex.Pattern[str]:
    return _pattern(style, (("<", ">") if style == "tags" else ("[", "]"),))


@lru_cache(maxsize=64)
def _pattern(style: Style, kinds: tuple[tuple[str, str], ...]) -> regex.Pattern[str]:
    """Marks made with these kinds of brackets; a doubled bracket is one mark."""
    opening = "(?:" + "|".join(regex.escape(kind[0]) for kind in kinds) + ")"
    closing = "(?:" + "|".join(regex.escape(kind[1]) for kind in kinds) + ")"
    if style == "brackets":
        return regex.compile(rf"{opening}(?:\s*+{opening})*+|(?P<slash>{closing}(?:\s*+{closing})*+)")
    name = r"\d{1,4}" if style == "indexed" else r"\p{L}{1,12}"
    return regex.compile(rf"{opening}\s*+(?:(?P<slash>[/／\\])\s*+)?(?P<name>{name})\s*+{closing}")


def _find(translation: str, style: Style, pattern: regex.Pattern[str], count: int) -> list[_Mark]:
    marks = []
    for found in pattern.finditer(translation):
        span = None
        if style == "indexed":
            span = int(found["name"]) - 1
        elif style == "tags" and (name := found["name"].lower()).isascii():
            span = _number(name)
        if span is not None and not 0 <= span < count:
            span = None
        marks.append(_Mark(*found.span(), found["slash"] is not None, span))
    return marks


def _reading(translation: str, marks: Sequence[_Mark], count: int) -> Reading:
    pairs, fault = _pairs(marks)
    text, places = _without_marks(translation, marks)
    pieces = tuple(
        Piece(places[opening], places[closing], span)
        for opening, closing, span in pairs
        if places[opening] < places[closing]
    )
    named = [span for _, _, span in pairs if span is not None]
    if fault is None and len(pairs) < count:
        fault = "missing-mark"
    if fault is None and (len(pairs) > count or len(set(named)) < len(named)):
        fault = "extra-mark"
    if fault is None and len(pieces) < len(pairs):
        fault = "empty-piece"
    return Reading(text, pieces, fault)


def _pairs(marks: Sequence[_Mark]) -> tuple[list[tuple[int, int, int | None]], Fault | None]:
    """Which mark closes which, as their numbers and the span that they stand for."""
    pairs: list[tuple[int, int, int | None]] = []
    fault: Fault | None = None
    opened: int | None = None
    for number, mark in enumerate(marks):
        before = None if opened is None else marks[opened].span
        # A second mark of one name closes even if its slash is gone.
        if not mark.closes and (opened is None or mark.span is None or mark.span != before):
            if opened is not None:
                fault = fault or "missing-mark"
            opened = number
            continue
        if opened is None:
            fault = fault or "missing-mark"
        elif before is not None and mark.span is not None and before != mark.span:
            fault = fault or "moved-mark"
        else:
            pairs.append((opened, number, mark.span if before is None else before))
        opened = None
    return pairs, fault if opened is None else fault or "missing-mark"


def _without_marks(translation: str, marks: Sequence[_Mark]) -> tuple[str, list[int]]:
    """The text without marks, and where each of them stood in it.

    Spaces inside of marks go; those outside stay, except before punctuation that only a mark had set apart.
    """
    if not marks:
        return translation.strip(), []
    text = translation[: marks[0].start].lstrip()
    places = []
    ends = [mark.start for mark in marks[1:]] + [len(translation)]
    for mark, end in zip(marks, ends, strict=True):
        following = translation[mark.end : end]
        bare = following.lstrip()
        spaced = len(bare) < len(following)
        if mark.closes:
            inner = text != text.rstrip()
            text = text.rstrip()
            places.append(len(text))
            if bare[:1] in _DETACHED:
                following = bare
            elif spaced:
                following = following[0] + bare
            elif inner and bare[:1].isalnum():
                following = " " + bare
        else:
            if spaced and text[-1:].isalnum():
                text += " "
            places.append(len(text))
            following = bare
        text += following
    return text.rstrip(), places
