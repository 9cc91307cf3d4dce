"""Carrying spans to where a translation model would have put their marks."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.document import AnnotatedText, Entity
from transfusion.errors import MissingExtraError, TranslationError
from transfusion.project.base import Projection
from transfusion.project.constrained import (
    BUDGET_SPENT,
    SCORING_FAILED,
    ConstrainedProjector,
    ConstrainedSettings,
    FakeScorer,
    TargetScorer,
)
from transfusion.project.search import Found, Home, MarkSearch, ScoredText, mark

SWAHILI = FakeScorer({"president": "rais", "met": "alikutana", "in": "mjini", "yesterday": "jana", "river": "mto"})


def annotated(text: str, *mentions: str) -> AnnotatedText:
    """An English text with mentions written as ``PER:Ruto``."""
    entities = []
    for one in mentions:
        label, _, mention = one.partition(":")
        start = text.index(mention)
        entities.append(Entity(start, start + len(mention), label, 0.8))
    return AnnotatedText(text, "eng", tuple(entities))


def carry(
    english: str,
    other: str,
    *mentions: str,
    scorer: TargetScorer = SWAHILI,
    settings: ConstrainedSettings | None = None,
) -> tuple[list[tuple[str, str]], list[str]]:
    """What was carried, as (label, mention), and what was lost."""
    text = annotated(english, *mentions)
    (found,) = ConstrainedProjector(scorer, settings).project([text], [AnnotatedText(other, "swa")])
    check(text, other, found)
    return [(e.label, other[e.start : e.end]) for e in found.entities], [text.mention(e) for e in found.lost]


def check(text: AnnotatedText, other: str, found: Projection) -> None:
    end = 0
    for old, home in found.carried:
        assert end <= home.start < home.end <= len(other)
        assert (home.label, home.match) == (old.label, "aligned")
        assert 0 < home.score <= old.score
        assert other[home.start : home.end].strip() == other[home.start : home.end]
        end = home.end
    assert Counter((*(old for old, _ in found.carried), *found.lost)) == Counter(text.entities)


@pytest.mark.parametrize("slack", [2.0, None])
def test_spans_go_where_the_model_would_have_put_their_marks(slack: float | None) -> None:
    found = carry(
        "President William Ruto met Museveni in Kampala.",
        "Rais William Ruto alikutana Museveni mjini Kampala.",
        "PER:William Ruto",
        "PER:Museveni",
        "LOC:Kampala",
        settings=ConstrainedSettings(slack=slack),
    )
    assert found == ([("PER", "William Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")], [])


def test_a_translated_name_is_found_too() -> None:
    assert carry("Yesterday in River", "jana mjini mto", "LOC:River") == ([("LOC", "mto")], [])


def test_a_span_that_was_left_out_of_the_translation_is_lost() -> None:
    assert carry("Ruto met Museveni in Kampala", "Ruto alikutana Museveni jana", "LOC:Kampala") == ([], ["Kampala"])


def test_a_home_holds_no_punctuation_at_its_ends() -> None:
    found = carry("Ruto, Museveni", "Ruto, Museveni", "PER:Ruto", "PER:Museveni")
    assert found == ([("PER", "Ruto"), ("PER", "Museveni")], [])


def test_a_span_that_ends_in_a_full_stop_may_keep_it() -> None:
    assert carry("in U.S. yesterday", "mjini U.S. jana", "LOC:U.S.") == ([("LOC", "U.S.")], [])


def test_scripts_without_spaces_are_cut_anywhere_between_characters() -> None:
    scorer = CharacterScorer()
    text = annotated("He is in 坎帕拉 now", "LOC:坎帕拉")
    settings = ConstrainedSettings(threshold=0.0)
    (found,) = ConstrainedProjector(scorer, settings).project([text], [AnnotatedText("他在坎帕拉市。", "zho")])
    assert [(e.start, e.end) for e in found.entities] == [(2, 5)]


def test_a_mark_never_separates_a_letter_from_its_vowel_sign() -> None:
    texts: list[str] = []

    class Watching(FakeScorer):
        def token_log_probabilities(
            self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
        ) -> list[list[tuple[int, int, float]]]:
            texts.extend(targets)
            return super().token_log_probabilities(sources, targets, source=source, target=target)

    carry("in Bangkok", "ที่กรุงเทพ", "LOC:Bangkok", scorer=Watching({}), settings=ConstrainedSettings(slack=None))
    assert len(texts) > 20
    assert not [text for text in texts if any(m + s in text for m in "[]" for s in "ีุ่")]


def test_marks_are_such_as_the_texts_do_not_contain() -> None:
    seen: list[str] = []

    class Watching(FakeScorer):
        def token_log_probabilities(
            self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
        ) -> list[list[tuple[int, int, float]]]:
            seen.extend(sources)
            return super().token_log_probabilities(sources, targets, source=source, target=target)

    assert carry("Ruto [met] Museveni", "Ruto [alikutana] Museveni", "PER:Ruto", scorer=Watching(SWAHILI.glossary))
    assert "{Ruto} [met] Museveni" in seen


def test_of_two_spans_that_want_one_home_the_surer_gets_it_and_the_other_makes_way() -> None:
    found, lost = carry(
        "Ruto met Ruto", "Ruto alikutana Ruto", "PER:Ruto", settings=ConstrainedSettings(alternatives=3)
    )
    assert (found, lost) == ([("PER", "Ruto")], [])
    text = AnnotatedText("Ruto met Ruto", "eng", (Entity(0, 4, "PER"), Entity(9, 13, "PER")))
    (both,) = ConstrainedProjector(SWAHILI).project([text], [AnnotatedText("Ruto alikutana Ruto", "swa")])
    assert [(old.start, home.start) for old, home in both.carried] == [(0, 0), (9, 15)]


def test_two_labels_of_one_mention_cannot_share_a_home() -> None:
    text = AnnotatedText("met Ruto", "eng", (Entity(4, 8, "PER"), Entity(4, 8, "ORG")))
    (found,) = ConstrainedProjector(SWAHILI).project([text], [AnnotatedText("alikutana Ruto", "swa")])
    assert len(found.carried) == len(found.lost) == 1


@pytest.mark.parametrize("other", ["", "  "])
def test_nothing_can_be_carried_to_an_empty_text(other: str) -> None:
    assert carry("Ruto met Museveni", other, "PER:Ruto") == ([], ["Ruto"])


def test_a_text_without_entities_is_not_scored() -> None:
    assert carry("Ruto met Museveni", "Ruto alikutana Museveni", scorer=Broken(RuntimeError("never asked"))) == ([], [])


def test_a_span_of_punctuation_goes_to_no_place_without_a_word() -> None:
    assert carry("Ruto - Museveni", "Ruto - Museveni", "PER:-", settings=ConstrainedSettings(threshold=0.0))[0] != [
        ("PER", "-")
    ]


class CharacterScorer:
    """Reads character by character, and expects after each what follows it in the text."""

    def token_log_probabilities(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        /,
        *,
        source: str,  # noqa: ARG002
        target: str,  # noqa: ARG002
    ) -> list[list[tuple[int, int, float]]]:
        return [
            [
                *((i, i + 1, math.log(0.6 if i and other[i - 1 : i + 1] in text else 0.01)) for i in range(len(other))),
                (len(other), len(other), math.log(0.5)),
            ]
            for text, other in zip(sources, targets, strict=True)
        ]


class Broken:
    """A model that fails on texts which say so."""

    def __init__(
        self, error: Exception | None = None, answer: list[list[tuple[int, int, float]]] | None = None
    ) -> None:
        self.error = error
        self.answer = answer

    def token_log_probabilities(
        self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
    ) -> list[list[tuple[int, int, float]]]:
        if "BOOM" not in sources[0]:
            return SWAHILI.token_log_probabilities(sources, targets, source=source, target=target)
        if self.error:
            raise self.error
        assert self.answer is not None
        return self.answer


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        (Broken(TranslationError("the server does not answer")), "the server does not answer"),
        (Broken(IndexError("out of range")), "IndexError: out of range"),
        (Broken(answer=[]), "0 scores came back for 2"),
        (Broken(answer=[[], []]), "no probabilities"),
        (Broken(answer=[[(0, 4, math.nan)]] * 2), "no numbers"),
    ],
)
def test_a_pair_that_cannot_be_scored_loses_its_own_spans_alone(scorer: Broken, reason: str) -> None:
    texts = [annotated(f"{name} met Museveni", f"PER:{name}") for name in ("Ruto", "BOOM", "Odinga")]
    others = [AnnotatedText(f"{name} alikutana Museveni", "swa") for name in ("Ruto", "BOOM", "Odinga")]
    good, bad, last = ConstrainedProjector(scorer).project(texts, others)
    assert [len(one.carried) for one in (good, bad, last)] == [1, 0, 1]
    assert bad.lost == texts[1].entities
    assert [(note.code, note.severity) for note in bad.notes] == [(SCORING_FAILED, "warning")]
    assert reason in bad.notes[0].message
    assert good.notes == last.notes == ()


def test_a_part_that_is_not_installed_is_told_at_once() -> None:
    scorer = Broken(MissingExtraError("torch", extra="hf", purpose="scoring"))
    with pytest.raises(MissingExtraError):
        carry("BOOM met Museveni", "BOOM alikutana Museveni", "PER:BOOM", scorer=scorer)


def test_a_token_that_the_model_calls_impossible_is_no_trouble() -> None:
    class Certain(FakeScorer):
        def token_log_probabilities(
            self, sources: Sequence[str], targets: Sequence[str], /, *, source: str, target: str
        ) -> list[list[tuple[int, int, float]]]:
            scored = super().token_log_probabilities(sources, targets, source=source, target=target)
            return [[(s, e, 0.0 if p > -5 else -math.inf) for s, e, p in one] for one in scored]

    found = carry("Ruto met Museveni", "Ruto alikutana Museveni", "PER:Museveni", scorer=Certain(SWAHILI.glossary))
    assert found == ([("PER", "Museveni")], [])


def test_a_budget_that_runs_out_is_told_and_the_best_so_far_is_taken() -> None:
    text = annotated("Ruto met Museveni in Kampala yesterday", "LOC:Kampala")
    other = AnnotatedText("Ruto alikutana Museveni mjini Kampala jana", "swa")

    def project(budget: int) -> Projection:
        settings = ConstrainedSettings(slack=None, budget=budget, batch_size=2)
        return ConstrainedProjector(SWAHILI, settings).project([text], [other])[0]

    enough, little = project(1000), project(3)
    assert enough.notes == ()
    assert [other.mention(e) for e in enough.entities] == ["Kampala"]
    assert [note.code for note in little.notes] == [BUDGET_SPENT]
    assert "'Kampala' ended after 3 marked" in little.notes[0].message


def test_the_score_says_how_much_rather_the_marks_are_there_than_not() -> None:
    text, other = annotated("met Ruto", "PER:Ruto"), AnnotatedText("alikutana Ruto", "swa")
    (found,) = ConstrainedProjector(SWAHILI).project([text], [other])
    scored = SWAHILI.token_log_probabilities(
        ["met [Ruto]"] * 2, ["alikutana [Ruto]", "alikutana Ruto"], source="eng", target="swa"
    )
    marked, unmarked = (math.exp(sum(logp for *_, logp in one)) for one in scored)
    assert found.entities[0].score == pytest.approx(0.8 * marked / (marked + unmarked))


# Exactness: a model with any opinions whatever, as long as its probabilities add up to 1.

PIECES = (*"abc []", "ab", "ca", "[a", "[ab", "b]", "a]", "]c", "</s>")


class RandomScorer:
    """A model with opinions drawn by lot, with a vocabulary in which letters and marks may share a piece.

    :param seed: Of the lot.
    :param habit: A text whose pairs of pieces it likes.
    :param liking: How much.
    :param whim: How much the lot counts.
    """

    def __init__(self, seed: int, habit: str, liking: float, whim: float = 2.0) -> None:
        self.seed = seed
        self.whim = whim
        self.pairs = set(pairwise(["", *cut(habit), "</s>"]))
        self.liking = liking
        self.calls = 0

    def __call__(self, texts: Sequence[str]) -> list[ScoredText]:
        self.calls += len(texts)
        return [ScoredText(text, self.tokens(text)) for text in texts]

    def tokens(self, text: str) -> list[tuple[int, int, float]]:
        scored = []
        start = 0
        history = [""]
        for piece in cut(text):
            scored.append((start, start + len(piece), self.log_probability(history, piece)))
            start += len(piece)
            history.append(piece)
        return [*scored, (len(text), len(text), self.log_probability(history, "</s>"))]

    def log_probability(self, history: list[str], piece: str) -> float:
        digest = hashlib.blake2b(repr((self.seed, history)).encode(), digest_size=len(PIECES)).digest()
        values = [
            self.whim * byte / 255 + self.liking * ((history[-1], other) in self.pairs)
            for byte, other in zip(digest, PIECES, strict=True)
        ]
        return values[PIECES.index(piece)] - math.log(sum(map(math.exp, values)))


def cut(text: str) -> Iterator[str]:
    """Pieces of a text, always the longest that fits: a mark changes how the letters before it are cut."""
    while text:
        piece = max((p for p in PIECES if text.startswith(p)), key=len)
        yield piece
        text = text[len(piece) :]


def exhaustive(text: str, openings: Sequence[int], closings: Sequence[int], score: RandomScorer) -> list[Home]:
    """All homes, the most probable first, by scoring every one of them."""
    spans = [(start, end) for start, end in product(openings, closings) if start < end]
    texts = score([mark(text, start, end, ("[", "]")) for start, end in spans])
    homes = [Home(*span, one.log_probability) for span, one in zip(spans, texts, strict=True)]
    return sorted(homes, key=lambda home: (-home.log_probability, home.start, home.end))


def search(
    text: str,
    openings: Sequence[int],
    closings: Sequence[int],
    score: Callable[[list[str]], list[ScoredText]],
    *,
    slack: float | None = None,
    keep: int = 1,
    budget: int = 10_000,
) -> Found:
    reference = score([text])[0]
    return MarkSearch(
        text, ("[", "]"), openings, closings, score, reference, reference, slack, keep, budget, batch_size=4
    ).run()


@settings(max_examples=200)
@given(
    text=st.text("abc  ", min_size=6, max_size=16),
    seed=st.integers(0, 10_000),
    liking=st.sampled_from([0.0, 8.0]),
    whim=st.sampled_from([2.0, 12.0, 30.0]),
    keep=st.integers(1, 3),
    data=st.data(),
)
def test_the_exact_search_finds_what_trying_everything_finds(
    text: str, seed: int, liking: float, whim: float, keep: int, data: st.DataObject
) -> None:
    places = st.sets(st.integers(0, len(text)), min_size=1, max_size=8).map(sorted)
    openings, closings = data.draw(places), data.draw(places)
    habit = mark(text, data.draw(st.sampled_from(openings)), data.draw(st.sampled_from(closings)), ("[", "]"))
    score = RandomScorer(seed, habit, liking, whim)
    expected = exhaustive(text, openings, closings, score)[:keep]
    found = search(text, openings, closings, score, keep=keep)
    assert found.complete
    assert [home.log_probability for home in found.homes] == pytest.approx(
        [home.log_probability for home in expected], abs=2e-3
    )


@given(
    text=st.text("abc  ", min_size=2, max_size=12),
    seed=st.integers(0, 10_000),
    liking=st.sampled_from([0.0, 8.0]),
    data=st.data(),
)
def test_no_mark_is_worth_more_than_its_bound(text: str, seed: int, liking: float, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    both = mark(text, start, end, ("[", "]"))
    # A model that would have written just this: then the bounds are all but reached.
    unmarked, opened, marked = RandomScorer(seed, both, liking)([text, text[:start] + "[" + text[start:], both])
    assert marked.log_probability <= unmarked.with_mark(start, certain=True) + 1e-9
    assert marked.log_probability <= opened.with_mark(end + 1, certain=True) + 1e-9


def test_bounds_spare_most_of_the_work_where_the_model_is_sure() -> None:
    text = "Rais Ruto alikutana Museveni mjini Kampala jana asubuhi wakati wa mkutano"
    starts, ends = zip(*(match.span() for match in re.finditer(r"\S+", text)), strict=True)
    scorer = FakeScorer({})
    count = 0

    def score(texts: list[str]) -> list[ScoredText]:
        nonlocal count
        count += len(texts)
        source = text.replace("Kampala", "[Kampala]")
        rows = scorer.token_log_probabilities([source] * len(texts), texts, source="swa", target="swa")
        return [ScoredText(one, row) for one, row in zip(texts, rows, strict=True)]

    found = search(text, starts, ends, score)
    assert [text[home.start : home.end] for home in found.homes] == ["Kampala"]
    assert found.complete
    assert count < len(starts) * (len(starts) + 1) / 4


@given(
    words=st.lists(st.sampled_from(["Ruto", "Kampala", "mzee", ".", "na", "我在", "กรุงเทพ"]), max_size=7),
    others=st.lists(st.sampled_from(["Ruto", "Kampala", "mzee", ".", "[na]", "我在", "กรุงเทพ"]), max_size=7),
    data=st.data(),
)
def test_every_span_is_carried_or_lost_and_none_twice(words: list[str], others: list[str], data: st.DataObject) -> None:
    text, other = " ".join(words), " ".join(others)
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = zip(edges[::2], edges[1::2], strict=False)
    annotated = AnnotatedText(text, "eng", tuple(Entity(start, end, "PER") for start, end in spans))
    projector = ConstrainedProjector(FakeScorer({}), ConstrainedSettings(threshold=0.0, budget=20))
    (found,) = projector.project([annotated], [AnnotatedText(other, "swa")])
    check(annotated, other, found)
