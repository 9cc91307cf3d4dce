"""Long text -> sentences and windows with exact offsets.

Offsets count code points of the text as given. A piece of text is annotated on its own, and its entities go back into
the whole text with ``entity.shifted(piece.start)``.

The rules are our own and few. The library ``sentencex`` was tried first: on ordinary Unicode (an initial after U+2028)
its Rust code panics, and it refuses lone surrogates; one document would end the run.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import regex

# Titles stand before the name in the same sentence. English, French, Portuguese, Swahili, Hausa.
_TITLE = re.compile(
    "Adv|Alh|Amb|Bi|Bw|Capt|Col|Cpl|Dk|Dkt|Dr|Dra|Drs|Eng|Fr|Gen|Gov|Hon|Insp|Jr|Lt|Maj|Mgr|Mh|Mhe|Mlle|Mme|Mr|Mrs|Ms|"
    "Mt|Mwl|No|Nos|Pr|Prof|Rep|Rev|Sen|Sgt|Sr|Sra|St|Sta|Ste|vs"
)
# Languages (ISO 639-3) that write "the 12th" as "12.".
_ORDINAL_DOT = re.compile(
    "bos|ces|dan|deu|ekk|est|eus|fao|fin|hrv|hun|isl|lav|lit|ltz|lvs|mkd|nno|nob|nor|pol|slk|slv|srp|swe|tur"
)

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
# Not before a combining character or a joiner: it makes one character with what it follows.
_WHOLE = r"(?![\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}])"
_CLOSERS = rf"""[\p{{Pe}}\p{{Pf}}"']*+{_WHOLE}"""

_MARKS = r"[[\p{STerm}།༎]--[.!?၊]]"
_CLAUSE_MARKS = r"[\p{Terminal_Punctuation}--[.!?,;:]]"

# Ends of sentences: line breaks; marks that mean nothing else (。 । ። ؟ །); and . ! ? …, which count before a space or
# a script without spaces only. Myanmar ၊ is a comma, whatever its Unicode property. Thai ฯ abbreviates (กรุงเทพฯ): it
# ends nothing. A row of marks is entered at its first mark only, or a row of n marks would take n * n steps.
_SENTENCE_END = regex.compile(
    rf"""
      (?P<line>[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]++)
    | (?P<mark>(?<!{_MARKS}){_MARKS}++[.!?…]*+){_CLOSERS}
    | (?P<plain>(?<![.!?…])[.!?…]++){_CLOSERS}(?=\s{_WHOLE}|\Z|{_UNSPACED})
    """,
    regex.VERBOSE | regex.VERSION1,
)
_CLAUSE_END = regex.compile(
    rf"(?<!{_CLAUSE_MARKS}){_CLAUSE_MARKS}++{_CLOSERS}|(?<![.!?,;:…])[.!?,;:…]++{_CLOSERS}(?=\s{_WHOLE})",
    regex.VERSION1,
)
_UNSPACED_CHARACTER = regex.compile(_UNSPACED)
_NEXT_WORD = regex.compile(r"""[\s\p{Ps}\p{Pi}\p{Pf}\p{Pd}"'`¿¡]*+(.)""", regex.DOTALL)
_LETTER = regex.compile(r"\p{L}\p{M}*+")
_GRAPHEME = regex.compile(r"\X")
_WORD = re.compile(r"\S+")


class Piece(NamedTuple):
    """A stretch of a text: ``text[piece.start:piece.end]``, without white space at its ends.

    :param start: First code point.
    :param end: One past the last code point.
    """

    start: int
    end: int


def split_sentences(text: str, language: str) -> list[Piece]:
    """Cut a text into sentences.

    Every character that is not white space is in exactly one sentence. Line breaks end sentences. Where it is not clear
    whether a sentence ends (after an initial, a title, before a small letter), it does not.

    :param text: Any text.
    :param language: ISO 639-3 code; it decides whether ``12.`` is an ordinal.
    :returns: The sentences in reading order; none for a text of white space.
    """
    return list(_sentences(text, language))


def split_windows(text: str, language: str, *, fits: Callable[[str], bool]) -> list[Piece]:
    """Cut a text into pieces that each fit, at ends of sentences where possible.

    Consecutive sentences share a window as long as they fit. A sentence that does not fit alone is cut after a comma or
    the like, between words, between characters as readers see them (grapheme clusters) or, last, between code points.
    Every character that is not white space is in exactly one window. The time taken is near linear in the length of the
    text: ``fits`` never sees more than a few times what fits. A window of more than 32 units may hold one part in
    32 less than would fit, which saves most of the calls.

    :param text: Any text.
    :param language: ISO 639-3 code, as for :func:`split_sentences`.
    :param fits: Whether a string is short enough. What holds for a string must hold for its beginnings.
    :returns: The windows in reading order. Each fits, except that a single code point is a window even if it does not.
    """
    return list(_Packer(text, fits).pack(_sentences(text, language), _FINER))


def _sentences(text: str, language: str) -> Iterator[Piece]:
    start = 0
    for found in _SENTENCE_END.finditer(text):
        if found.lastgroup != "plain" or _ends_sentence(text, start, found, language):
            yield from _trimmed(text, start, found.end())
            start = found.end()
    yield from _trimmed(text, start, len(text))


def _ends_sentence(text: str, start: int, found: regex.Match[str], language: str) -> bool:
    """Whether one of ``. ! ? …`` in a sentence that began at ``start`` is its end."""
    following = text[found.end() : found.end() + 1]
    if following and not following.isspace():
        return _UNSPACED_CHARACTER.match(text[found.start() - 1 : found.start()]) is not None
    ahead = _NEXT_WORD.match(text, found.end())
    if ahead is not None and (ahead[1].islower() or ahead[1] in ".!?…"):
        return False
    if found["plain"] != ".":
        return True
    words = text[max(start, found.start() - 24) : found.start()].split()
    word = words[-1].lstrip("\"'([{“‘«¿¡") if words else ""
    if _TITLE.fullmatch(word):
        return False
    if word.isdecimal():
        is_list_number = len(word) <= 3 and len(words) == 1 and found.start() - start <= 24
        return not (is_list_number or (len(word) <= 2 and _ORDINAL_DOT.fullmatch(language)))
    # J. | Y.K. | U.S. | a.m. are short for something; a small letter alone is a word of many languages.
    parts = word.split(".")
    return not (all(_LETTER.fullmatch(part) for part in parts) and (len(parts) > 1 or word[0].isupper()))


def _clauses(text: str, piece: Piece) -> Iterator[Piece]:
    start = piece.start
    for found in _CLAUSE_END.finditer(text, piece.start, piece.end):
        yield from _trimmed(text, start, found.end())
        start = found.end()
    yield from _trimmed(text, start, piece.end)


def _words(text: str, piece: Piece) -> Iterator[Piece]:
    return (Piece(*found.span()) for found in _WORD.finditer(text, piece.start, piece.end))


def split_graphemes(text: str, piece: Piece) -> Iterator[Piece]:
    """Cut a piece of a text into characters as readers see them (grapheme clusters).

    :param text: The text.
    :param piece: The piece; it begins where a cluster begins.
    :yields: The clusters in reading order. One of more than 64 code points may be cut.
    """
    # In strides, since \X takes quadratic time over a long row of flags. A cluster longer than a stride may be cut.
    start = piece.start
    while start < piece.end:
        stride = text[start : min(start + 64, piece.end)]
        found = [Piece(start + match.start(), start + match.end()) for match in _GRAPHEME.finditer(stride)]
        if len(found) > 1 and start + len(stride) < piece.end:
            found.pop()
        yield from found
        start = found[-1].end


def _code_points(_text: str, piece: Piece) -> Iterator[Piece]:
    return (Piece(start, start + 1) for start in range(piece.start, piece.end))


_FINER = (_clauses, _words, split_graphemes, _code_points)


def _trimmed(text: str, start: int, end: int) -> Iterator[Piece]:
    """The stretch without white space at its ends; nothing if nothing is left."""
    stretch = text[start:end]
    if kept := stretch.strip():
        start += len(stretch) - len(stretch.lstrip())
        yield Piece(start, start + len(kept))


class _Packer:
    """Joins consecutive pieces into windows that fit."""

    def __init__(self, text: str, fits: Callable[[str], bool]) -> None:
        self.text = text
        self.fits = fits
        self.usual = 0  # length of the last window: a good guess for the next

    def pack(
        self,
        pieces: Iterator[Piece],
        finer: Sequence[Callable[[str, Piece], Iterator[Piece]]],
    ) -> Iterator[Piece]:
        """Windows of ``pieces``; a piece that does not fit alone is cut by the first of ``finer`` and packed anew."""
        ahead: list[Piece] = list(islice(pieces, 1))
        while ahead:
            count = self._longest(ahead, pieces)
            if count:
                window = Piece(ahead[0].start, ahead[count - 1].end)
                self.usual = window.end - window.start
                yield window
            elif finer:
                yield from self.pack(finer[0](self.text, ahead[0]), finer[1:])
            else:
                yield ahead[0]
            del ahead[: count or 1]
            if not ahead:
                ahead.extend(islice(pieces, 1))

    def _longest(self, ahead: list[Piece], pieces: Iterator[Piece]) -> int:
        """How many pieces from ``ahead[0]`` on fit together; reads ``pieces`` into ``ahead`` as far as needed."""
        goal = ahead[0].start + self.usual
        while ahead[-1].end <= goal and (more := list(islice(pieces, 64))):
            ahead.extend(more)
        guess = max(1, bisect_right(ahead, goal, key=lambda piece: piece.end))
        step = 1 + guess // 32
        if self._fit(ahead, guess):
            enough, too_many = guess, guess + step
            while True:
                ahead.extend(islice(pieces, max(0, too_many - len(ahead))))
                if too_many > len(ahead):
                    too_many = len(ahead) + 1
                    if enough == len(ahead) or self._fit(ahead, len(ahead)):
                        return len(ahead)
                    too_many = len(ahead)
                    break
                if not self._fit(ahead, too_many):
                    break
                step *= 2
                enough, too_many = too_many, too_many + step
        else:
            enough, too_many = max(0, guess - step), guess
            while enough and not self._fit(ahead, enough):
                step *= 2
                enough, too_many = max(0, enough - step), enough
        while too_many - enough > 1 + enough // 32:
            middle = (enough + too_many) // 2
            if self._fit(ahead, middle):
                enough = middle
            else:
                too_many = middle
        return enough

    def _fit(self, ahead: list[Piece], count: int) -> bool:
        start, end = ahead[0].start, ahead[count - 1].end
        # What begins with something too long is too long: a line of megabytes is never measured as a whole.
        size = max(1024, 4 * self.usual)
        while size < end - start:
            if not self.fits(self.text[start : start + size]):
                return False
            size *= 4
        return self.fits(self.text[start:end])
