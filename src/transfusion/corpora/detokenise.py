"""Natural text from a tokenised sentence, its entities moved along exactly.

MasakhaNER and CoNLL-2003 set a space round every punctuation mark; people do not write like that, and a model that has
only seen such text swallows full stops. Spaces are taken out here and nothing else changes. Which ones, was checked
against the natural text that MAFAND-MT holds of the same sentences.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

import regex

from transfusion.document import AnnotatedText, Argument, Document, Entity

_JOINS_LEFT = frozenset(".,;:!?…%‰°)]}»”’。、，．！？；：」』）】》։؟،؛।።፣፤፥") | {"...", "''"}
"""Tokens with no space before them."""

_JOINS_RIGHT = frozenset("([{«“„‘¿¡$€£₦#「『（【《") | {"``"}
"""Tokens with no space after them."""

_JOINS_BOTH = frozenset("-‐‑/_@")
"""Tokens inside of a compound."""

_STRAIGHT_QUOTES = frozenset(['"', '""""', "'", "＂"])
"""Quotes that look the same on both sides, so that they open and close by turns; four of them are one quote that a
table's export doubled twice."""

_CONTRACTION = regex.compile(r"['’](?:s|d|m|t|re|ve|ll|em)|n['’]t", regex.IGNORECASE)
_BEFORE_THOUSANDS = regex.compile(r"(?<!\d)\d{1,3}$")
_THOUSANDS = regex.compile(r"\d{3}(?!\d)")
_SPACELESS = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}"
    r"\p{Script=Myanmar}ー々〆。、，！？；：「」『』（）【】《》・]"
)


def detokenise(document: Document) -> Document:
    """Take the spaces out of a document's source text that nobody would have written.

    No character other than a space is removed, so every span still covers the same characters. The pivot is left as it
    is, for it comes from a translator and not from a tokeniser.

    :param document: A document whose source text has a space between all words and punctuation marks.
    :returns: The same document with natural source text, spans moved along.
    """
    source = document.source
    removed = sorted(_removable_spaces(source.text))
    if not removed:
        return document

    def moved(entity: Entity) -> Entity:
        return replace(
            entity,
            start=entity.start - bisect_left(removed, entity.start),
            end=entity.end - bisect_left(removed, entity.end),
        )

    gone = frozenset(removed)
    return replace(
        document,
        source=AnnotatedText(
            "".join(character for place, character in enumerate(source.text) if place not in gone),
            source.language,
            tuple(moved(entity) for entity in source.entities),
            tuple(replace(r, head=moved(r.head), tail=moved(r.tail)) for r in source.relations),
            tuple(
                replace(
                    event,
                    trigger=moved(event.trigger),
                    arguments=tuple(Argument(a.role, moved(a.entity)) for a in event.arguments),
                )
                for event in source.events
            ),
        ),
    )


def _removable_spaces(text: str) -> Iterator[int]:
    """Places of the single spaces between two tokens that belong together."""
    tokens = text.split(" ")
    open_quotes: set[str] = set()
    place = len(tokens[0])
    joins_next = _joins_next(tokens, 0, open_quotes)
    for index in range(1, len(tokens)):
        opened_before = tokens[index] in open_quotes
        if tokens[index - 1] and tokens[index] and (joins_next or _joins_last(tokens, index, opened_before)):
            yield place
        joins_next = _joins_next(tokens, index, open_quotes)
        place += 1 + len(tokens[index])


def _joins_last(tokens: Sequence[str], index: int, closes: bool) -> bool:
    """Whether a token stands without a space after the one before it."""
    last, token = tokens[index - 1], tokens[index]
    if token in _STRAIGHT_QUOTES:
        return closes
    return (
        token in _JOINS_LEFT
        or _CONTRACTION.fullmatch(token) is not None
        or (token in _JOINS_BOTH and _is_word(last) and index + 1 < len(tokens) and _is_word(tokens[index + 1]))
        or (_SPACELESS.match(last[-1]) is not None and _SPACELESS.match(token[0]) is not None)
    )


def _joins_next(tokens: Sequence[str], index: int, open_quotes: set[str]) -> bool:
    """Whether a token stands without a space before the next one; keeps book of open quotes."""
    token = tokens[index]
    if token in _STRAIGHT_QUOTES:
        open_quotes ^= {token}
        return token in open_quotes
    if token in _JOINS_RIGHT:
        return True
    if 0 < index < len(tokens) - 1:
        last, following = tokens[index - 1], tokens[index + 1]
        if token in _JOINS_BOTH:
            return _is_word(last) and _is_word(following)
        return _cuts_number(last, token, following)
    return False


def _is_word(token: str) -> bool:
    return any(character.isalnum() for character in token)


def _cuts_number(last: str, mark: str, following: str) -> bool:
    """Whether a mark stands inside of a number: ``3 . 5`` and ``1 , 000``, but not ``1959 , 1962``."""
    if mark == ",":
        return _BEFORE_THOUSANDS.search(last) is not None and _THOUSANDS.match(following) is not None
    return mark in {".", ":"} and last[-1:].isdigit() and following[:1].isdigit()
