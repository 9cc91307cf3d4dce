"""Carrying spans to a given translation by asking a translation model where it would put the marks.

Codec (Le, Chen, Ritter and Xu, *Constrained Decoding for Cross-lingual Label Projection*, ICLR 2024): the translation
is made from the text without marks, so marks cannot spoil it.  Then one span is marked in the text, and of all ways to
put the marks into the translation the one is taken that the model finds most probable as a translation of that.
:mod:`~transfusion.project.search` finds it.

Where this departs from the paper: instead of first choosing a few places for the opening mark, by how much the marks in
the text lower the probability of each word, the same observation bounds what a mark at a place can be worth
(:meth:`~transfusion.project.search.ScoredText.with_mark`), and the search is exact if it is asked to be.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Protocol

from transfusion.document import AnnotatedText, Entity, Note
from transfusion.encoder.units import split_units
from transfusion.errors import ConfigError, MissingExtraError, ModelError, TranslationError
from transfusion.project.base import Projection
from transfusion.project.search import Found, Home, MarkSearch, ScoredText, mark

SCORING_FAILED = "scoring-failed"
"""Code of the note on a pair whose spans are lost because the model could not score it."""

BUDGET_SPENT = "search-cut-short"
"""Code of the note on a pair of which a span went to the best place found before the budget ran out."""

# These say that the set-up is wrong, not the texts: every pair to come would fail in the same way.
_FATAL = (ConfigError, MissingExtraError, ModelError)

_IMPOSSIBLE = -1e4  # stands for minus infinity, which does not add up


class TargetScorer(Protocol):
    """A model that says how probable a translation is, token by token."""

    def token_log_probabilities(
        self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
    ) -> list[list[tuple[int, int, float]]]:
        """Score translations.

        :param sources: Texts.
        :param targets: A translation of each.
        :param source: ISO 639-3 code of the texts' language.
        :param target: ISO 639-3 code of the translations' language.
        :returns: For each pair ``(start, end, log-probability)`` of every token of the translation, given the text and
            the tokens before it, in order.  Start and end are code points of the translation; the token that ends a
            translation comes last and stands at its end.
        """
        ...


class FakeScorer:
    """A model for tests and examples: it translates word by word and is almost sure of itself.

    It expects the words of the text, and the marks among them, as a glossary translates them, and looks one word back:
    a word is probable (0.9, shared with its like) if it may follow the one before it, and improbable (0.00001) if not.

    :param glossary: Words of the source language in lower case, and their translations.
    """

    def __init__(self, glossary: Mapping[str, str]) -> None:
        self.glossary = dict(glossary)

    def token_log_probabilities(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        /,
        *,
        source: str,  # noqa: ARG002
        target: str,  # noqa: ARG002
    ) -> list[list[tuple[int, int, float]]]:
        """Score translations; see :class:`TargetScorer`."""
        return [self._score(text, translation) for text, translation in zip(sources, targets, strict=True)]

    def _score(self, text: str, translation: str) -> list[tuple[int, int, float]]:
        expected = ["", *(self.glossary.get(word.lower(), word) for word in re.findall(r"\w+|\S", text)), ""]
        follows, leads = Counter(pairwise(expected)), Counter(expected[:-1])
        tokens = [(match.start(), match.end(), match[0]) for match in re.finditer(r"\w+|\S", translation)]
        scored = []
        previous = ""
        for start, end, word in (*tokens, (len(translation), len(translation), "")):
            share = follows[previous, word] / leads[previous] if leads[previous] else 0.0
            scored.append((start, end, math.log(0.9 * share + 1e-5)))
            previous = word
        return scored


@dataclass(frozen=True, slots=True)
class ConstrainedSettings:
    """What decides where a span goes, and how hard that is looked for.

    :param marks: Pairs of opening and closing marks; the first pair that occurs in neither text is used, or the first
        of all if there is none such.
    :param threshold: Least score of a home, between 0 and 1; a span whose best home has less is lost.
    :param slack: See :class:`~transfusion.project.search.MarkSearch`; ``None`` makes the search exact.
    :param alternatives: How many homes to look for, so that spans which want the same one can make way.
    :param budget: How many marked translations to score for one span at most.
    :param batch_size: How many of them to score at once.
    """

    marks: tuple[tuple[str, str], ...] = (("[", "]"), ("{", "}"), ("<", ">"), ("⟦", "⟧"))
    threshold: float = 0.5
    slack: float | None = 2.0
    alternatives: int = 2
    budget: int = 128
    batch_size: int = 16


class ConstrainedProjector:
    """Carries spans to where a translation model would have put their marks.

    The score of a home says how much rather the model puts the marks there than leaves them out: with the
    log-probabilities m of the translation with marks and u of the one without, both given the marked text, it is
    1 / (1 + exp(u - m)), times the score of the span.

    A home begins with a word if its span does, ends with one if its span does, and contains at least one.

    :param scorer: The model.
    :param settings: What counts as a home, and how hard it is looked for.
    """

    def __init__(self, scorer: TargetScorer, settings: ConstrainedSettings | None = None) -> None:
        self.scorer = scorer
        self.settings = settings or ConstrainedSettings()

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        """Carry spans over; see :class:`~transfusion.project.base.Projector`.

        The spans of a pair that the model cannot score are lost, with a note; the other pairs are carried.
        """
        return [self._attempt(one, other) for one, other in zip(annotated, others, strict=True)]

    def _attempt(self, annotated: AnnotatedText, other: AnnotatedText) -> Projection:
        try:
            return self._project(annotated, other)
        except _FATAL:
            raise
        except Exception as error:  # whatever it is, it must not lose the other pairs
            reason = f"{type(self.scorer).__name__} could not score a translation: {type(error).__name__}: {error}"
            return Projection((), annotated.entities, (Note(SCORING_FAILED, reason, "warning"),))

    def _project(self, annotated: AnnotatedText, other: AnnotatedText) -> Projection:
        spans = list(dict.fromkeys((entity.start, entity.end) for entity in annotated.entities))
        openings, closings = _places(other.text)
        if not spans or not openings:
            return Projection((), annotated.entities)
        marks = self._marks(annotated.text + other.text)
        marked = [mark(annotated.text, start, end, marks) for start, end in spans]
        languages = annotated.language, other.language
        plain, *unmarked = self._score([annotated.text, *marked], [other.text] * (1 + len(marked)), languages)
        found: dict[tuple[int, int], Found] = {}
        wanted: list[_Wanted] = []
        for span, text, reference in zip(spans, marked, unmarked, strict=True):
            mention = annotated.text[slice(*span)]
            found[span] = MarkSearch(
                text=other.text,
                marks=marks,
                openings=[place for place, word in openings if word or not mention[0].isalnum()],
                closings=[place for place, word in closings if word or not mention[-1].isalnum()],
                score=partial(self._score_marked, text, languages),
                unmarked=reference,
                plain=plain,
                slack=self.settings.slack,
                keep=self.settings.alternatives,
                budget=self.settings.budget,
                batch_size=self.settings.batch_size,
            ).run()
            for home in found[span].homes:
                score = _logistic(home.log_probability - reference.log_probability)
                if score >= self.settings.threshold and any(c.isalnum() for c in other.text[home.start : home.end]):
                    wanted += [_Wanted(score, home, e) for e in annotated.entities if (e.start, e.end) == span]
        carried = _without_overlap(wanted)
        lost = tuple(entity for entity in annotated.entities if all(entity is not one for one, _ in carried))
        notes = tuple(_cut_short(annotated, span, result) for span, result in found.items() if not result.complete)
        return Projection(carried, lost, notes)

    def _marks(self, texts: str) -> tuple[str, str]:
        free = (pair for pair in self.settings.marks if not any(m.strip() in texts for m in pair))
        return next(free, self.settings.marks[0])

    def _score_marked(self, source: str, languages: tuple[str, str], targets: list[str]) -> list[ScoredText]:
        return self._score([source] * len(targets), targets, languages)

    def _score(self, sources: list[str], targets: list[str], languages: tuple[str, str]) -> list[ScoredText]:
        rows = self.scorer.token_log_probabilities(sources, targets, source=languages[0], target=languages[1])
        if len(rows) != len(targets):
            raise TranslationError(f"{len(rows)} scores came back for {len(targets)} translations")
        return [_scored(target, row) for target, row in zip(targets, rows, strict=True)]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A home that a span could have, and how sure it is of it."""

    score: float
    home: Home
    entity: Entity


def _scored(text: str, tokens: Sequence[tuple[int, int, float]]) -> ScoredText:
    if not tokens or any(math.isnan(logp) for *_, logp in tokens):
        raise TranslationError(f"no probabilities, or some that are no numbers, for {text!r:.80}")
    return ScoredText(text, [(start, end, min(0.0, max(_IMPOSSIBLE, logp))) for start, end, logp in tokens])


def _places(text: str) -> tuple[list[tuple[int, bool]], list[tuple[int, bool]]]:
    """Where marks may stand, opening and closing ones, and whether a word begins or ends there."""
    openings: list[tuple[int, bool]] = []
    closings: list[tuple[int, bool]] = []
    for unit in split_units(text):
        cuts = [unit.start, unit.end]
        if unit.divisible:
            # A mark between a letter and the sign that combines with it would make two of one.
            cuts[1:1] = [p for p in range(unit.start + 1, unit.end) if unicodedata.category(text[p])[0] != "M"]
        word = any(character.isalnum() for character in text[unit.start : unit.end])
        openings += [(cut, word) for cut in cuts[:-1]]
        closings += [(cut, word) for cut in cuts[1:]]
    return openings, closings


def _without_overlap(wanted: Sequence[_Wanted]) -> tuple[tuple[Entity, Entity], ...]:
    """Every span gets the home it is surest of, unless one that is surer of its own has taken part of it."""
    carried: list[tuple[Entity, Entity]] = []
    for one in sorted(wanted, key=lambda w: (-w.score, w.home.start, w.home.end)):
        housed = any(entity is one.entity for entity, _ in carried)
        if not housed and all(one.home.end <= other.start or other.end <= one.home.start for _, other in carried):
            score = one.entity.score * one.score
            home = replace(one.entity, start=one.home.start, end=one.home.end, score=score, match="aligned")
            carried.append((one.entity, home))
    return tuple(sorted(carried, key=lambda pair: pair[1].start))


def _logistic(value: float) -> float:
    """1 / (1 + exp(-value)), also where that would overflow."""
    return math.exp(min(0.0, value)) / (1 + math.exp(-abs(value)))


def _cut_short(annotated: AnnotatedText, span: tuple[int, int], found: Found) -> Note:
    mention = annotated.text[slice(*span)]
    return Note(
        BUDGET_SPENT,
        f"the search for a home of {mention!r:.80} ended after {found.scored} marked translations; "
        "a better one may exist",
    )
