"""Scoring projection on gold: carry one language's gold entities over, and compare with the other language's own.

No method reaches 100. The annotators of two languages do not label the same things: a translation says "the British
government" where the original says "Britain", and a possessive belongs to the mention in one language and not in the
other. So every entity of either side is put into one of a few boxes by a rule, and two of the boxes are nobody's fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from transfusion.corpora.parallel_gold import ParallelGold
from transfusion.document import AnnotatedText, Entity
from transfusion.evaluate.score import Scores, score
from transfusion.evaluate.significance import Estimate, bootstrap
from transfusion.project.base import Projection, Projector

Outcome = Literal["right", "boundary", "label", "place", "lost", "annotated-only", "annotated-only-lost", "other-only"]
"""What became of an entity, by the first rule that applies.

A carried span that covers a gold entity of the other language is

- ``right``: offsets and label are those of the gold;
- ``boundary``: it shares characters with a gold entity of its label;
- ``label``: it shares characters with gold entities of other labels only: the annotators disagree.

Of what is left, each carried span and then each lost one goes with a gold entity of its label that no carried span
touches, as long as there are any:

- ``place``: it was carried to where nothing is, and should have gone elsewhere;
- ``lost``: it should have gone somewhere and found no home.

The rest has nothing to go with:

- ``annotated-only``: it was carried, and the gold of the other language has no such entity;
- ``annotated-only-lost``: the same, and it found no home: no harm done;
- ``other-only``: an entity of the other language that no carried span touches, and none is missing for.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

BATCH = 64

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class Case:
    """One entity and what became of it.

    :param outcome: What became of it.
    :param pair: Number of the pair of sentences, from 0.
    :param entity: The entity of the annotated text; ``None`` for ``other-only``.
    :param home: Where it was carried; ``None`` if it was not.
    :param gold: The gold entity of the other text that it was compared with, if any.
    """

    outcome: Outcome
    pair: int
    entity: Entity | None
    home: Entity | None
    gold: Entity | None


@dataclass(frozen=True, slots=True)
class ProjectionScores:
    """How well a method carries spans from one language to another.

    :param scores: Strict precision, recall and F1 of the carried spans against the other language's gold.
    :param interval: F1 with its 95 % interval, from the bootstrap over sentences.
    :param cases: Every entity of either side, in the order of the sentences.
    :param ceiling: F1 that an ideal method would reach: every span that has a counterpart goes exactly there, and the
        others go nowhere.
    """

    scores: Scores
    interval: Estimate
    cases: tuple[Case, ...]
    ceiling: float

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many entities each outcome has."""
        found = Counter(case.outcome for case in self.cases)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain data, with ``interval``, ``ceiling`` and ``outcomes``."""
        return {
            **self.scores.to_dict(),
            "interval": [self.interval.low, self.interval.high],
            "ceiling": self.ceiling,
            "outcomes": {str(outcome): count for outcome, count in self.outcomes.items()},
        }


def project_gold(
    projector: Projector, gold: ParallelGold, on_pair: Callable[[], None] | None = None
) -> list[Projection]:
    """Carry the gold entities of one language to the texts of the other.

    :param projector: The method.
    :param gold: The texts; the entities of ``others`` are not shown to the method.
    :param on_pair: Called after each pair of sentences.
    :returns: The projection of each pair.
    """
    projections: list[Projection] = []
    for first in range(0, len(gold.annotated), BATCH):
        blank = [other.with_entities(()) for other in gold.others[first : first + BATCH]]
        found = projector.project(gold.annotated[first : first + BATCH], blank)
        projections += found
        for _ in found:
            if on_pair is not None:
                on_pair()
    return projections


def score_projections(
    gold: ParallelGold, projections: Sequence[Projection], *, resamples: int = 1000, seed: int = 0
) -> ProjectionScores:
    """Compare carried spans with the other language's own gold.

    :param gold: The sentences.
    :param projections: What a method made of each.
    :param resamples: Resamples of the bootstrap.
    :param seed: Its seed.
    :returns: The scores, and what became of every entity.
    :raises ValueError: If there are more or fewer projections than sentences, or none.
    """
    expected = [other.entities for other in gold.others]
    scores = score(expected, [projection.entities for projection in projections])
    cases = tuple(
        case
        for number, (other, projection) in enumerate(zip(gold.others, projections, strict=True))
        for case in _cases(number, other, projection)
    )
    return ProjectionScores(scores, bootstrap(scores, resamples=resamples, seed=seed), cases, _ceiling(gold))


def to_markdown(results: Mapping[_Name, Mapping[str, ProjectionScores]]) -> str:
    """Two tables: precision, recall and F1, and what became of the entities.

    :param results: Scores by method and language; rows keep this order.
    :returns: Markdown.
    """
    languages = dict.fromkeys(language for by_language in results.values() for language in by_language)
    rows = [
        (language, method, by_language[language])
        for language in languages
        for method, by_language in results.items()
        if language in by_language
    ]
    lines = ["| | method | precision | recall | F1 | ceiling |", "|---|---|---:|---:|---:|---:|"]
    lines += [
        f"| {language} | {method} | {r.scores.precision:.1f} | {r.scores.recall:.1f} "
        f"| {r.interval.value:.1f} [{r.interval.low:.1f}, {r.interval.high:.1f}] | {r.ceiling:.1f} |"
        for language, method, r in rows
    ]
    lines += ["", "| | method | " + " | ".join(OUTCOMES) + " |", "|---|---|" + "---:|" * len(OUTCOMES)]
    lines += [
        f"| {language} | {method} | " + " | ".join(str(count) for count in r.outcomes.values()) + " |"
        for language, method, r in rows
    ]
    return "\n".join(lines) + "\n"


def describe(case: Case, gold: ParallelGold) -> str:
    """A case in a line of words, for a reader who looks for what goes wrong.

    :param case: The case.
    :param gold: The sentences it comes from.
    :returns: Label and mentions: in the annotated text, where it was carried, and in the other gold.
    """
    annotated, other = gold.annotated[case.pair], gold.others[case.pair]
    return f"{_shown(annotated, case.entity)} → {_shown(other, case.home)}; gold has {_shown(other, case.gold)}"


def _shown(text: AnnotatedText, entity: Entity | None) -> str:
    return "nothing" if entity is None else f"{entity.label} “{text.mention(entity)}”"


def _cases(number: int, other: AnnotatedText, projection: Projection) -> Iterator[Case]:
    untouched = [g for g in other.entities if not any(_overlap(g, home) for home in projection.entities)]
    strays: list[tuple[Entity, Entity | None]] = []
    for entity, home in projection.carried:
        near = [g for g in other.entities if _overlap(g, home)]
        same = [g for g in near if g.label == home.label]
        exact = next((g for g in same if (g.start, g.end) == (home.start, home.end)), None)
        if exact is not None:
            yield Case("right", number, entity, home, exact)
        elif near:
            yield Case("boundary" if same else "label", number, entity, home, (same or near)[0])
        else:
            strays.append((entity, home))
    strays += [(entity, None) for entity in projection.lost]
    for entity, stray in strays:
        counterpart = next((g for g in untouched if g.label == entity.label), None)
        carried = stray is not None
        if counterpart is not None:
            untouched.remove(counterpart)
            yield Case("place" if carried else "lost", number, entity, stray, counterpart)
        else:
            yield Case("annotated-only" if carried else "annotated-only-lost", number, entity, stray, None)
    for gold in untouched:
        yield Case("other-only", number, None, None, gold)


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _ceiling(gold: ParallelGold) -> float:
    """Recall of an ideal method, whose precision is 100, as F1: each label as often as both sides of a pair have it."""
    shared = support = 0
    for annotated, other in zip(gold.annotated, gold.others, strict=True):
        ours, theirs = (Counter(entity.label for entity in text.entities) for text in (annotated, other))
        shared += (ours & theirs).total()
        support += theirs.total()
    return 200 * shared / (shared + support) if support else 0.0
