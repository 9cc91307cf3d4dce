"""Projection scored on gold: what counts, and what became of every entity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.corpora.columns import read_gold
from transfusion.corpora.parallel_gold import ParallelGold, counterparts, read_parallel_gold
from transfusion.document import AnnotatedText, Entity
from transfusion.errors import InputError
from transfusion.evaluate.projection import OUTCOMES, describe, project_gold, score_projections, to_markdown
from transfusion.project.base import Projection

TEXT = "abcdefghijklmnopqrst"


def entities(*spans: tuple[int, int, str]) -> tuple[Entity, ...]:
    return tuple(Entity(*span) for span in spans)


def gold(annotated: Sequence[Entity], other: Sequence[Entity]) -> ParallelGold:
    return ParallelGold(
        (AnnotatedText(TEXT, "eng", tuple(annotated)),), (AnnotatedText(TEXT, "deu", tuple(other)),), ()
    )


@pytest.mark.parametrize(
    ("outcome", "home", "other"),
    [
        ("right", (0, 3, "PER"), (0, 3, "PER")),
        ("boundary", (0, 3, "PER"), (2, 5, "PER")),
        ("label", (0, 3, "PER"), (0, 3, "LOC")),
        ("place", (0, 3, "PER"), (5, 8, "PER")),
        ("lost", None, (0, 3, "PER")),
        ("annotated-only", (0, 3, "PER"), None),
        ("annotated-only-lost", None, None),
    ],
)
def test_what_becomes_of_an_entity(
    outcome: str, home: tuple[int, int, str] | None, other: tuple[int, int, str] | None
) -> None:
    entity = Entity(7, 9, "PER")
    pair = gold([entity], entities(other) if other else ())
    carried = ((entity, Entity(*home)),) if home else ()
    found = score_projections(pair, [Projection(carried, () if home else (entity,))], resamples=10)
    assert [case.outcome for case in found.cases] == [outcome]
    assert found.cases[0].entity == entity


def test_an_entity_of_the_other_language_that_nothing_reaches() -> None:
    pair = gold([], entities((0, 3, "PER")))
    found = score_projections(pair, [Projection((), ())], resamples=10)
    assert found.outcomes["other-only"] == 1
    assert describe(found.cases[0], pair) == "nothing → nothing; gold has PER “abc”"


def test_a_boundary_is_that_of_the_same_label_if_there_is_one() -> None:
    entity = Entity(0, 6, "PER")
    pair = gold([entity], entities((0, 2, "LOC"), (4, 6, "PER")))
    found = score_projections(pair, [Projection(((entity, entity),), ())], resamples=10)
    assert found.cases[0].outcome == "boundary"
    assert describe(found.cases[0], pair) == "PER “abcdef” → PER “abcdef”; gold has PER “ef”"
    assert [case.outcome for case in found.cases] == ["boundary"]


def test_the_ceiling_is_what_both_sides_share() -> None:
    pair = gold(entities((0, 1, "PER"), (2, 3, "LOC")), entities((0, 1, "PER"), (4, 5, "PER"), (2, 3, "LOC")))
    found = score_projections(pair, [Projection((), pair.annotated[0].entities)], resamples=10)
    assert found.ceiling == pytest.approx(100 * 2 * 2 / (2 + 3))
    assert found.scores.f1 == 0


SPANS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["PER", "LOC"])), max_size=5, unique_by=lambda s: s[0])


@given(SPANS, SPANS, st.lists(st.booleans(), min_size=5, max_size=5), st.integers(-1, 1))
def test_every_entity_of_either_side_is_in_one_box(
    ours: list[tuple[int, str]], theirs: list[tuple[int, str]], lost: list[bool], shift: int
) -> None:
    annotated = [Entity(3 * place, 3 * place + 2, label) for place, label in ours]
    other = [Entity(3 * place, 3 * place + 2, label) for place, label in theirs]
    homes = [
        (e, Entity(max(0, e.start + shift), e.end, e.label))
        for e, gone in zip(annotated, lost, strict=False)
        if not gone
    ]
    left = [e for e, gone in zip(annotated, lost, strict=False) if gone]
    found = score_projections(gold(annotated, other), [Projection(tuple(homes), tuple(left))], resamples=2)
    assert sorted(c.entity.start for c in found.cases if c.entity) == sorted(e.start for e in annotated)
    assert found.outcomes["right"] == found.scores.correct
    assert set(found.outcomes) == set(OUTCOMES)
    assert found.scores.recall <= 100 * found.ceiling / max(200 - found.ceiling, 1) + 1e-9


class Verbatim:
    """Carries every span to the same offsets, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[AnnotatedText] = []

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        self.shown += others
        return [Projection(tuple((e, e) for e in text.entities), ()) for text in annotated]


def test_the_method_does_not_see_the_gold_of_the_other_language() -> None:
    one = gold(entities((0, 3, "PER")), entities((0, 3, "PER")))
    many = ParallelGold(one.annotated * 70, one.others * 70, ())
    projector, told = Verbatim(), []
    projections = project_gold(projector, many, lambda: told.append(1))
    assert (len(projections), len(told), len(projector.shown)) == (70, 70, 70)
    assert not any(text.entities for text in projector.shown)
    found = score_projections(many, projections, resamples=10)
    assert (found.scores.f1, found.interval.low, found.interval.high, found.ceiling) == (100, 100, 100, 100)
    assert found.to_dict()["outcomes"]["right"] == 70
    table = to_markdown({"verbatim": {"deu": found}})
    assert "| deu | verbatim | 100.0 | 100.0 | 100.0 [100.0, 100.0] | 100.0 |" in table
    assert "| deu | verbatim | 70 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in table


ENGLISH = "# text = Is it hot today\n1\tIs\tw\tO\n2\tit\tw\tO\n3\thot\tw\tB-attribute\n4\ttoday\tw\tB-datetime\n\n"
ITALIAN = """# id = 1
# text-en = Is it hot today
# text = Fa caldo oggi
1\tFa\tw\tO
2\tcaldo\tw\tB-attribute
3\toggi\tw\tB-datetime

"""


def test_sentences_are_paired_by_the_english_that_the_file_gives(tmp_path: Path) -> None:
    other = ENGLISH.replace("hot", "cold")
    (tmp_path / "en.conll").write_text(other + ENGLISH, encoding="utf-8")
    (tmp_path / "it.conll").write_text(ITALIAN + ITALIAN, encoding="utf-8")
    found = read_parallel_gold(tmp_path / "en.conll", tmp_path / "it.conll", language="ita")
    assert [(a.text, b.text) for a, b in zip(found.annotated, found.others, strict=True)] == [
        ("Is it hot today", "Fa caldo oggi")
    ]
    assert [str(problem) for problem in found.problems] == [
        f"{tmp_path / 'it.conll'}: 1 sentences have no counterpart in {tmp_path / 'en.conll'}; left out"
    ]
    only = read_parallel_gold(tmp_path / "en.conll", tmp_path / "it.conll", language="ita", labels={"datetime"})
    assert [entity.label for entity in only.others[0].entities] == ["datetime"]


def test_files_that_nothing_pairs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Ruto B-PER\nleft O\n", encoding="utf-8")
    (tmp_path / "two.txt").write_text("Ruto B-PER\naliondoka O\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"two\.txt: nothing here says which sentence translates which of"):
        read_parallel_gold(tmp_path / "one.txt", tmp_path / "two.txt", language="swa")
    with pytest.raises(InputError, match=r"absent\.txt: cannot be read"):
        read_parallel_gold(tmp_path / "absent.txt", tmp_path / "two.txt", language="swa")


@pytest.mark.parametrize(
    ("language", "english", "translation"),
    [
        ("de", "Obama special assistant Kori Schulman", "Obamas Sonderberaterin Kori Schulman"),
        ("zh", "Obama special assistant Kori Schulman", "奧巴馬的特別助理科瑞·舒爾曼"),
        ("zh", "Pugh has received treatment", "Pugh女士已經在劍橋的Papworth和Addenbrooke醫院"),
    ],
)
def test_pud_sentences_stand_beside_their_translations(
    shared_data: Path, language: str, english: str, translation: str
) -> None:
    folder = shared_data / "uner"
    one = read_gold(folder / "en_pud-ud-test.iob2", language="eng")
    two = read_gold(folder / f"{language}_pud-ud-test.iob2", language=language)
    found = [
        d.source.text
        for c, d in zip(counterparts(one, two), two.documents, strict=True)
        if c and english in c.source.text
    ]
    assert any(translation in text for text in found), found


def test_xsid_files_are_paired_whole(shared_data: Path) -> None:
    folder = shared_data / "xsid"
    for language, count in (("ja", 150), ("it", 300)):
        found = read_parallel_gold(folder / "en.valid.conll", folder / f"{language}.valid.conll", language=language)
        assert (len(found.annotated), len(found.others)) == (count, count)
        assert not [problem for problem in found.problems if "counterpart" in str(problem)]
