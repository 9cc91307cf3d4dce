"""What the network learns from: mistakes in pivots, examples on disk, silver labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.corpora.overlap import fingerprint
from transfusion.document import AnnotatedText, Document, Entity
from transfusion.encoder.model import EncoderModel
from transfusion.errors import FormatError
from transfusion.train.examples import Example, detokenised, read_examples, without_spaces, write_examples
from transfusion.train.noise import Noise, without_overlap
from transfusion.train.silver import Opinions, SilverCounts, SilverSettings, make_silver, settle

LABELS = ("LOC", "ORG", "PER")
PIVOT = AnnotatedText(
    "President William Ruto met Museveni in Kampala on Monday.",
    "eng",
    (Entity(10, 22, "PER"), Entity(27, 35, "PER"), Entity(39, 46, "LOC")),
)
RATES = st.floats(0, 1)
NOISE = st.builds(Noise, drop=RATES, retype=RATES, shift=RATES, invent=RATES, untag=RATES, scramble=RATES)


@st.composite
def annotated_texts(draw: st.DrawFn) -> AnnotatedText:
    text = draw(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(["Ruto", "我在", " ", "."])).map("".join)))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return AnnotatedText(text, "eng", tuple(Entity(*pair, draw(st.sampled_from(LABELS))) for pair in pairs))


@settings(deadline=None)
@given(pivot=annotated_texts(), others=st.lists(annotated_texts(), max_size=2), noise=NOISE, seed=st.integers())
def test_a_pivot_with_mistakes_is_still_a_pivot(
    pivot: AnnotatedText, others: list[AnnotatedText], noise: Noise, seed: int
) -> None:
    broken = noise.corrupt(pivot, others, LABELS, Random(seed))
    assert broken.text in (pivot.text, *(other.text for other in others))
    end = 0
    for entity in broken.entities:
        assert end <= entity.start < entity.end <= len(broken.text)
        assert entity.label in LABELS
        end = entity.end
    assert broken == noise.corrupt(pivot, others, LABELS, Random(seed))


def test_no_noise_changes_nothing() -> None:
    assert Noise().corrupt(PIVOT, [AnnotatedText("else", "eng")], LABELS, Random(1)) == PIVOT


def share(noise: Noise, made: Callable[[AnnotatedText], float]) -> float:
    random = Random(5)
    other = AnnotatedText("else", "eng")
    results = [noise.corrupt(PIVOT, [other], LABELS, random) for _ in range(3000)]
    return sum(made(result) for result in results) / len(results)


def test_mistakes_are_made_about_as_often_as_asked() -> None:
    spans = [(entity.start, entity.end) for entity in PIVOT.entities]
    kept = share(Noise(drop=0.2), lambda broken: len(broken.entities) / 3)
    assert kept == pytest.approx(0.8, abs=0.03)
    right = share(Noise(retype=0.15), lambda b: sum(e in PIVOT.entities for e in b.entities) / 3)
    assert right == pytest.approx(0.85, abs=0.03)
    still = share(Noise(shift=0.3), lambda b: sum((e.start, e.end) in spans for e in b.entities) / 3)
    assert still == pytest.approx(0.75, abs=0.06)  # a name of one word has no word to lose, so some stay as they are
    untagged = share(Noise(untag=0.1), lambda broken: not broken.entities)
    assert untagged == pytest.approx(0.1, abs=0.03)
    scrambled = share(Noise(scramble=0.25), lambda broken: broken.text == "else")
    assert scrambled == pytest.approx(0.25, abs=0.03)
    invented = share(Noise(invent=1), lambda b: any(e not in PIVOT.entities for e in b.entities))
    assert 0.3 < invented < 1


def test_a_shifted_span_ends_where_words_end() -> None:
    random = Random(2)
    for _ in range(200):
        for entity in Noise(shift=1).corrupt(PIVOT, [], LABELS, random).entities:
            assert PIVOT.mention(entity).strip() == PIVOT.mention(entity)
            assert not PIVOT.text[entity.start - 1].isalnum()
            assert not PIVOT.text[entity.end].isalnum()


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_is_a_probability(rate: float) -> None:
    with pytest.raises(ValueError, match="shift is a probability"):
        Noise(shift=rate)


def test_of_two_spans_that_overlap_the_first_stays() -> None:
    spans = [Entity(4, 9, "PER"), Entity(0, 5, "LOC"), Entity(0, 3, "ORG"), Entity(9, 12, "PER")]
    assert without_overlap(spans) == (Entity(0, 5, "LOC"), Entity(9, 12, "PER"))


TOKENISED = Example(
    Document(
        "1",
        AnnotatedText("Ruto , Museveni ' s guest .", "swa", (Entity(0, 4, "PER"), Entity(7, 15, "PER"))),
        AnnotatedText("Ruto.", "eng", (Entity(0, 4, "PER"),)),
    ),
    ((20, 25),),
)


def test_an_example_survives_being_stored(tmp_path: Path) -> None:
    examples = [TOKENISED, Example(Document("2", AnnotatedText("\u2028 \0 ዲ", "amh")))]
    assert write_examples(tmp_path / "new" / "train.jsonl", examples) == 2
    assert list(read_examples(tmp_path / "new" / "train.jsonl")) == examples


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"id": "1"}', '{"id": "1", "text": "a", "language": "b", "unsure": 3}']
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "train.jsonl"
    write_examples(path, [TOKENISED])
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"train\.jsonl:2"):
        list(read_examples(path))


@pytest.mark.parametrize("rewrite", [detokenised, without_spaces])
def test_rewriting_a_text_moves_its_spans_and_its_doubts(rewrite: object) -> None:
    assert callable(rewrite)
    example: Example = rewrite(TOKENISED)
    source = example.document.source
    assert len(source.text) < len(TOKENISED.document.source.text)
    assert [source.mention(entity) for entity in source.entities] == ["Ruto", "Museveni"]
    assert [source.text[start:end] for start, end in example.unsure] == ["guest"]
    assert example.document.pivot == TOKENISED.document.pivot


RUTO, KAMPALA = Entity(5, 9, "PER", 0.9), Entity(39, 46, "LOC", 0.9)
PAIR = Document(
    "7", AnnotatedText("Rais Ruto alikutana na Museveni mjini Kampala.", "swa"), AnnotatedText("x" * 60, "eng")
)
HOMES = {"ruto": Entity(1, 5, "PER"), "kampala": Entity(20, 27, "LOC")}


def opinions(
    carried: tuple[tuple[Entity, Entity], ...] = (),
    direct: tuple[Entity, ...] = (),
    fused: tuple[Entity, ...] | None = None,
    lost: tuple[Entity, ...] = (),
) -> Opinions:
    return Opinions((*(old for old, _ in carried), *lost), carried, lost, direct, fused)


def weak(entity: Entity) -> Entity:
    return Entity(entity.start, entity.end, entity.label, 0.6)


def test_what_two_readings_agree_on_is_a_label() -> None:
    silver = settle(PAIR, opinions(((HOMES["ruto"], weak(RUTO)),), (RUTO,)), SilverSettings())
    assert silver is not None
    assert [(e.start, e.end, e.label) for e in silver.pair.document.source.entities] == [(5, 9, "PER")]
    assert silver.pair.unsure == ()
    assert silver.pivot.document.source.entities == (HOMES["ruto"],)


def test_a_carried_span_that_is_sure_of_itself_needs_no_support() -> None:
    silver = settle(PAIR, opinions(((HOMES["ruto"], RUTO),)), SilverSettings())
    assert silver is not None
    assert len(silver.pair.document.source.entities) == 1


def test_what_only_one_reading_found_is_unsure() -> None:
    silver = settle(PAIR, opinions(((HOMES["ruto"], weak(RUTO)),), (KAMPALA,)), SilverSettings())
    assert silver is not None
    assert silver.pair.document.source.entities == ()
    assert silver.pair.unsure == ((5, 9), (39, 46))
    assert silver.pivot.document.source.entities == ()
    assert silver.pivot.unsure == ((1, 5),)


def test_a_weak_guess_of_the_direct_reading_alone_is_noise() -> None:
    guess = Entity(39, 46, "LOC", 0.3)
    silver = settle(PAIR, opinions((), (guess,)), SilverSettings())
    assert silver is not None
    assert silver.pair.unsure == ()


def test_rivals_over_one_stretch_are_unsure_together() -> None:
    rival = Entity(0, 9, "PER", 0.9)
    silver = settle(PAIR, opinions(((HOMES["ruto"], weak(RUTO)),), (rival,)), SilverSettings())
    assert silver is not None
    assert silver.pair.unsure == ((0, 9), (5, 9))


def test_a_pair_that_lost_a_span_is_dropped_unless_there_is_a_third_opinion() -> None:
    lost = (HOMES["kampala"],)
    assert settle(PAIR, opinions(lost=lost), SilverSettings()) is None
    silver = settle(PAIR, opinions(lost=lost, fused=()), SilverSettings(fused=True))
    assert silver is not None
    assert silver.pivot.unsure == ((20, 27),)


def test_of_three_opinions_two_decide() -> None:
    carried = ((HOMES["ruto"], weak(RUTO)), (HOMES["kampala"], KAMPALA))
    silver = settle(PAIR, opinions(carried, (RUTO,), (Entity(23, 31, "PER", 0.8),)), SilverSettings(fused=True))
    assert silver is not None
    assert [(e.start, e.end) for e in silver.pair.document.source.entities] == [(5, 9)]
    assert silver.pair.unsure == ((23, 31), (39, 46))


def test_a_pair_without_a_pivot_teaches_nothing() -> None:
    assert settle(Document("1", PAIR.source), opinions(), SilverSettings()) is None


def test_silver_leaves_out_what_is_held_out_or_too_long_and_counts_it(tiny_model: EncoderModel) -> None:
    def pair(number: int, source: str, pivot: str = "Ruto met Museveni.") -> Document:
        return Document(str(number), AnnotatedText(source, "swa"), AnnotatedText(pivot, "eng"))

    documents = [
        pair(1, "Rais Ruto na Museveni."),
        pair(2, "Sentensi ya  mtihani !"),
        pair(3, "Nyingine", "A test sentence"),
        pair(4, "ndefu " * 200),
        Document("5", AnnotatedText("peke yake", "swa")),
    ]
    held_out = {fingerprint("sentensi ya mtihani"), fingerprint("A test sentence.")}
    counts = SilverCounts()
    made = list(make_silver(tiny_model, documents, held_out, SilverSettings(fused=True), counts))
    assert [one.pair.document.id for one in made] == ["1"]
    assert (counts.read, counts.held_out, counts.too_long, counts.kept) == (4, 2, 1, 1)
    assert "held out 2" in str(counts)
