"""Where a string stands in a text: exactly, spelt otherwise, inside a longer word, or nearly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from unicodedata import normalize

import regex

from transfusion.decoder.boundaries import between_clusters, is_word_character, may_begin, may_end, word_around
from transfusion.decoder.folding import FoldedText, fold, normalised, without_case
from transfusion.decoder.near import near_stretches
from transfusion.document import Match

MATCHES: tuple[Match, ...] = ("exact", "case", "normalised", "variant", "inside", "near")
"""How a string can be found, best first."""

_MOST_SPELLINGS = 1000  # places of one string that are looked at, beyond those where it stands exactly
_LEAST_INSIDE = 4.0  # letters of an alphabet
_LEAST_SHARE, _LEAST_SHARE_IN_THE_MIDDLE = 0.5, 2 / 3

# A sign of a syllabary says what takes an alphabet two letters; Arabic and Hebrew write few vowels.
_SYLLABLE = regex.compile(r"[\p{Ethiopic}\p{Hangul}\p{Yi}\p{Canadian_Aboriginal}\p{Vai}\p{Cherokee}]")
_CONSONANT = regex.compile(r"[[\p{Arabic}\p{Hebrew}\p{Syriac}]&&\p{L}]", regex.VERSION1)


@dataclass(frozen=True, slots=True)
class Mention:
    """A place of a text that a string may mean.

    :param start: First code point.
    :param end: One past its last.
    :param match: How it was found.
    :param similarity: 1, or less for a near match.
    """

    start: int
    end: int
    match: Match
    similarity: float = 1.0


class MentionFinder:
    """Looks strings up in one text. What a string was found to mean is kept.

    :param text: The text.
    :param threshold: Least similarity of a near match, above 0; at 1 there are none.
    """

    def __init__(self, text: str, *, threshold: float) -> None:
        self.text = text
        self.threshold = threshold
        self._found: dict[str, tuple[list[Mention], Iterator[Mention]]] = {}

    def mentions(self, string: str) -> Iterator[Mention]:
        """The places that a string may mean, best first.

        Whole words come first: the very string, in reading order; then the same but for case; but for its Unicode
        normal form; but for accents, vowel points, spacing, quotation marks and dashes. Only where there is none of
        these, there are places inside longer words: at least half of the word, and the equivalent of four letters of an
        alphabet. Only where there are none of those either, there are similar stretches of whole words, most similar
        first. No place cuts a character (grapheme cluster) in two. A string of which nothing is left without accents,
        such as a lone tatweel, is found only as it is written.

        :param string: Any string.
        :yields: The places. They are looked for as they are asked for.
        """
        known, more = self._found.setdefault(string, ([], self._search(string)))
        index = 0
        while True:
            if index == len(known):
                known.extend(islice(more, 1))
                if index == len(known):
                    return
            yield known[index]
            index += 1

    def _search(self, string: str) -> Iterator[Mention]:
        wanted = string.strip()
        found = False
        for start in _occurrences(self.text, wanted):
            if self._is_mention(start, start + len(wanted)):
                found = True
                yield Mention(start, start + len(wanted), "exact" if wanted == string else "variant")
        others = self._spelt_otherwise(wanted)
        words = [mention for mention in others if mention.match != "inside"]
        found = found or bool(words)
        yield from sorted(words, key=lambda mention: (MATCHES.index(mention.match), mention.start))
        if not found:
            inside = [mention for mention in others if mention.match == "inside"]
            yield from inside or self._near(wanted)

    def _is_mention(self, start: int, end: int) -> bool:
        return may_begin(self.text, start) and may_end(self.text, end)

    @cached_property
    def _folded(self) -> FoldedText:
        return FoldedText(self.text)

    def _spelt_otherwise(self, wanted: str) -> list[Mention]:
        """Other spellings in reading order, and places inside longer words."""
        mentions: list[Mention] = []
        folded = fold(wanted)
        places = islice(_occurrences(self._folded.folded, folded), _MOST_SPELLINGS)
        for stretch in (self._folded.stretch(place, place + len(folded)) for place in places):
            if stretch is None or not all(between_clusters(self.text, place) for place in stretch):
                continue
            spelt = self.text[slice(*stretch)]
            if self._is_mention(*stretch):
                if spelt != wanted:
                    mentions.append(Mention(*stretch, _spelling(wanted, spelt)))
            elif len(spelt.split()) == len(wanted.split()) and _fills_word(self.text, *stretch):
                mentions.append(Mention(*stretch, "inside"))
        return mentions

    def _near(self, wanted: str) -> Iterator[Mention]:
        folded = fold(wanted)
        if not folded:
            return
        spans: set[tuple[int, int]] = set()
        for likeness in near_stretches(
            self._folded.folded,
            folded,
            threshold=self.threshold,
            begins=lambda at: self._near_begins(at, folded),
            ends=lambda at: self._near_ends(at, folded),
        ):
            stretch = self._folded.stretch(likeness.start, likeness.end)
            if stretch is not None and stretch not in spans:
                spans.add(stretch)
                yield Mention(*stretch, "near", likeness.similarity)

    def _near_begins(self, at: int, folded: str) -> bool:
        """Whether a near match may begin at a folded character: where a word does, or a mark if the string does."""
        rest = self._folded.stretch(at, len(self._folded.folded))
        fits = is_word_character(self._folded.folded[at]) or not is_word_character(folded[0])
        return fits and rest is not None and may_begin(self.text, rest[0])

    def _near_ends(self, at: int, folded: str) -> bool:
        beginning = self._folded.stretch(0, at) if at else None
        fits = is_word_character(self._folded.folded[at - 1]) or not is_word_character(folded[-1])
        return fits and beginning is not None and may_end(self.text, beginning[1])


def best_by_spelling(string: str, spellings: Sequence[str]) -> list[int]:
    """Which of several strings a string means.

    :param string: Any string.
    :param spellings: The strings.
    :returns: Indices of those that are spelt most like it: all the same, or the same but for case, and so on; none if
        all differ in more than :meth:`MentionFinder.mentions` calls a spelling.
    """
    wanted = string.strip()
    folded = fold(wanted)
    kinds = {
        index: MATCHES.index(_spelling(wanted, spelling))
        for index, spelling in enumerate(spellings)
        if wanted == spelling or (folded and fold(spelling) == folded)
    }
    return [index for index, kind in kinds.items() if kind == min(kinds.values())]


def _occurrences(text: str, string: str) -> Iterator[int]:
    place = text.find(string) if string else -1
    while place >= 0:
        yield place
        place = text.find(string, place + 1)


def _spelling(wanted: str, spelt: str) -> Match:
    """How a stretch that folds to the same differs from what was looked for."""
    if wanted == spelt:
        return "exact"
    in_normal_form = normalize("NFKC", wanted) == normalize("NFKC", spelt)
    if not in_normal_form and without_case(wanted) == without_case(spelt):
        return "case"
    return "normalised" if normalised(wanted) == normalised(spelt) else "variant"


def _fills_word(text: str, start: int, end: int) -> bool:
    """Whether a stretch is enough of the words that it begins and ends in."""
    spelt = text[start:end]
    signs, consonants = len(_SYLLABLE.findall(spelt)), len(_CONSONANT.findall(spelt))
    if sum(character.isalnum() for character in spelt) + signs + consonants / 3 < _LEAST_INSIDE:
        return False
    first, last = word_around(text, start, end)
    needed = _LEAST_SHARE if start == first or end == last else _LEAST_SHARE_IN_THE_MIDDLE
    return end - start >= needed * (last - first)
