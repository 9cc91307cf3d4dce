"""How probable a translation is, piece by piece: the same from both backends, at exact places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transfusion.errors import TranslationError
from transfusion.translate.hf import HfTranslator
from transfusion.translate.nllb import NllbTranslator
from transfusion.translate.scoring import SequenceScorer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
for package in ("ctranslate2", "filelock", "sentencepiece"):
    pytest.importorskip(package)

from tiny_seq2seq import (  # noqa: E402
    POSITIONS,
    SENTENCES,
    tiny_m2m100,
    tiny_marian,
    tiny_mbart50,
    tiny_nllb,
    tiny_t5,
)

REVERSED = SENTENCES[::-1]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFUSION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny NLLB as the hub has it."""
    return tiny_nllb(tmp_path_factory.mktemp("nllb") / "tiny")


@pytest.fixture(scope="module")
def scorer(folder: Path) -> SequenceScorer:
    """Its scores through CTranslate2, exact, in small batches."""
    return SequenceScorer(NllbTranslator(str(folder), compute_type="float32", threads=1), batch_tokens=60)


def covered(row: list[tuple[int, int, float]]) -> set[int]:
    """The code points that some piece stands for."""
    assert [start for start, *_ in row] == sorted(start for start, *_ in row)
    return {place for start, end, _ in row for place in range(start, end)}


def test_pieces_stand_where_they_say(scorer: SequenceScorer) -> None:
    target = "  The president  met Museveni ½"
    (row,) = scorer.token_log_probabilities(["Rais"], [target], source="swa", target="eng")
    assert covered(row) == {place for place, character in enumerate(target) if not character.isspace()}
    assert [target[start:end] for start, end, _ in row if end - start > 1][-1] in "Museveni"
    assert row[-1][:2] == (len(target), len(target))
    assert all(score < 0 for *_, score in row)


def test_a_probability_is_that_of_the_network_given_what_stands_before(scorer: SequenceScorer, folder: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder), src_lang="swh_Latn", tgt_lang="eng_Latn")
    network = transformers.M2M100ForConditionalGeneration.from_pretrained(str(folder)).eval()
    rows = scorer.token_log_probabilities(SENTENCES, REVERSED, source="swa", target="eng")
    for source, target, row in zip(SENTENCES, REVERSED, rows, strict=True):
        inputs = theirs(source, text_target=target, return_tensors="pt")
        with torch.inference_mode():
            scores = network(**inputs).logits[0].log_softmax(-1)
        labels = inputs["labels"][0].unsqueeze(1)
        # The tag of the language is given, not scored.
        assert [score for *_, score in row] == pytest.approx(scores.gather(1, labels).squeeze(1).tolist()[1:], abs=1e-4)


@pytest.mark.parametrize(
    "build",
    [
        tiny_nllb,
        tiny_m2m100,
        tiny_marian,
        tiny_mbart50,
        tiny_t5,
        lambda folder: tiny_t5(folder, scaled=False),
        lambda folder: tiny_t5(folder, kind="mt5"),
        lambda folder: tiny_t5(folder, scaled=False, tags=("<2en>", "<2sw>")),
    ],
    ids=["nllb", "m2m-100", "marian", "mbart-50", "t5", "t5 of the second release", "mt5", "madlad-400"],
)
def test_both_backends_agree(build: Callable[[Path], Path], tmp_path: Path) -> None:
    there = str(build(tmp_path / "model"))
    one, other = (
        SequenceScorer(HfTranslator(there, backend=backend, compute_type="float32", threads=1)).token_log_probabilities(
            SENTENCES, REVERSED, source="swa", target="eng"
        )
        for backend in ("ctranslate2", "transformers")
    )
    for target, ours, theirs in zip(REVERSED, one, other, strict=True):
        assert [place for *place, _ in ours] == [place for *place, _ in theirs]
        assert [score for *_, score in ours] == pytest.approx([score for *_, score in theirs], abs=1e-4)
        assert covered(ours) == {place for place, character in enumerate(target) if not character.isspace()}


def test_the_end_of_an_empty_translation_is_scored_too(scorer: SequenceScorer) -> None:
    (row,) = scorer.token_log_probabilities(["Rais"], [""], source="swa", target="eng")
    assert [place[:2] for place in row] == [(0, 0)]


def test_no_pairs_no_scores(scorer: SequenceScorer) -> None:
    assert scorer.token_log_probabilities([], [], source="swa", target="eng") == []


def test_what_the_network_cannot_read_at_once_is_an_error(scorer: SequenceScorer) -> None:
    with pytest.raises(TranslationError, match=rf"pair 1 has .* pieces; the network reads {POSITIONS}"):
        scorer.token_log_probabilities(["Rais", "Rais"], ["The", "The " * 200], source="swa", target="eng")
