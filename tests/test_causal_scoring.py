"""A causal language model as a scorer: a tiny Llama with weights drawn by lot, and a vocabulary of its own."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from transfusion.document import AnnotatedText, Entity
from transfusion.errors import LanguageError, ModelError
from transfusion.project.constrained import ConstrainedProjector, ConstrainedSettings
from transfusion.project.search import mark
from transfusion.translate.causal_scoring import CausalScorer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ENGLISH, SWAHILI = "Ruto met him in Kampala", "Ruto alikutana naye Kampala"
SENTENCES = ["English: Ruto met Museveni.\n", "Swahili: Rais Ruto alikutana na Museveni mjini Kampala.\n", "[Ruto] [K]"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte pairs learnt from three lines, as Gemma cuts text: a space becomes part of the word after it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    names = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
    core = Tokenizer(models.BPE(unk_token=names["unk_token"]))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    core.decoder = decoders.Replace("▁", " ")
    letters = sorted({character for sentence in SENTENCES for character in sentence} | set("▁{}"))
    core.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=90, special_tokens=[*names.values()], initial_alphabet=letters)
    )
    core.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    tokenizer: PreTrainedTokenizerFast = transformers.PreTrainedTokenizerFast(tokenizer_object=core, **names)
    return tokenizer


@pytest.fixture(scope="module")
def scorer(tokenizer: PreTrainedTokenizerFast) -> CausalScorer:
    """Two layers, sixteen wide, and opinions strong enough to tell texts apart."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.6,
    )
    return CausalScorer(transformers.LlamaForCausalLM(config).train(False), tokenizer, batch_tokens=400)


def total(scorer: CausalScorer, source: str, target: str) -> float:
    (one,) = scorer.token_log_probabilities([source], [target], source="eng", target="swa")
    return math.fsum(logp for *_, logp in one)


def test_tokens_cover_the_translation_and_end_with_its_end(scorer: CausalScorer) -> None:
    text = "Rais [Ruto] alikutana"
    (tokens,) = scorer.token_log_probabilities(["Ruto met him"], [text], source="eng", target="swa")
    *words, end = tokens
    assert "".join(text[start:stop] for start, stop, _ in words).replace(" ", "") == text.replace(" ", "")
    assert all(0 <= one[0] <= one[1] <= other[1] for one, other in zip(tokens, tokens[1:], strict=False))
    assert end[:2] == (len(text), len(text))
    assert all(logp <= 0 for *_, logp in tokens)


def test_scores_are_the_probabilities_of_the_next_token(
    scorer: CausalScorer, tokenizer: PreTrainedTokenizerFast
) -> None:
    ids = tokenizer("English: Ruto met\nSwahili: Rais Ruto")["input_ids"] + tokenizer.encode("\n")[-1:]
    prompt = len(tokenizer("English: Ruto met\nSwahili:")["input_ids"])
    with torch.inference_mode():
        expected = [
            float(scorer.model(torch.tensor([ids[:index]])).logits[0, -1].log_softmax(0)[ids[index]])
            for index in range(prompt, len(ids))
        ]
    (tokens,) = scorer.token_log_probabilities(["Ruto met"], ["Rais Ruto"], source="eng", target="swa")
    assert [logp for *_, logp in tokens] == pytest.approx(expected, abs=1e-4)


def test_texts_score_alike_alone_and_in_company(scorer: CausalScorer) -> None:
    sources = ["Ruto met him"] * 3 + ["[Ruto] met him"] * 2 + ["Ruto met him"]
    targets = [SWAHILI, "Ruto", "[Ruto] alikutana naye", SWAHILI, "K" * 90, "Ruto [alikutana] naye"]
    together = scorer.token_log_probabilities(sources, targets, source="eng", target="swa")
    for source, target, tokens in zip(sources, targets, together, strict=True):
        assert math.fsum(logp for *_, logp in tokens) == pytest.approx(total(scorer, source, target), abs=1e-3)


def test_the_text_counts(scorer: CausalScorer) -> None:
    assert total(scorer, "Ruto met him", "Ruto") != pytest.approx(total(scorer, "[Ruto] met him", "Ruto"), abs=1e-3)


def test_empty_texts_and_line_breaks_have_scores_too(scorer: CausalScorer) -> None:
    empty, broken, spaced = scorer.token_log_probabilities(
        ["Ruto\nmet", "Ruto\nmet", "Ruto met"], ["", "Rais\nRuto", "Rais Ruto"], source="eng", target="swa"
    )
    assert [token[:2] for token in empty] == [(0, 0)]
    assert [token[:2] for token in broken] == [token[:2] for token in spaced]
    assert [logp for *_, logp in broken] == pytest.approx([logp for *_, logp in spaced], abs=1e-4)
    assert scorer.token_log_probabilities([], [], source="eng", target="swa") == []


def test_a_language_that_nobody_knows_is_an_error(scorer: CausalScorer) -> None:
    with pytest.raises(LanguageError, match="qqq"):
        scorer.token_log_probabilities(["a"], ["b"], source="eng", target="qqq")


def test_the_exact_search_finds_what_trying_everything_finds(scorer: CausalScorer) -> None:
    settings = ConstrainedSettings(slack=None, threshold=0.0, alternatives=1, budget=10_000)
    starts, ends = (0, 5, 15, 20), (4, 14, 19, 27)
    for start, end in ((0, 4), (9, 12), (16, 23)):
        text = AnnotatedText(ENGLISH, "eng", (Entity(start, end, "PER"),))
        (found,) = ConstrainedProjector(scorer, settings).project([text], [AnnotatedText(SWAHILI, "swa")])
        source = mark(ENGLISH, start, end, ("[", "]"))
        best = max(
            ((one, other) for one, other in product(starts, ends) if one < other),
            key=lambda span: total(scorer, source, mark(SWAHILI, span[0], span[1], ("[", "]"))),
        )
        assert [(home.start, home.end) for home in found.entities] == [best]


def test_a_model_comes_from_its_folder(scorer: CausalScorer, tmp_path: Path) -> None:
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)
    loaded = CausalScorer.load(tmp_path)
    assert total(loaded, ENGLISH, SWAHILI) == pytest.approx(total(scorer, ENGLISH, SWAHILI), rel=0.05)


def test_a_folder_without_a_model_is_an_error(scorer: CausalScorer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tokeniser"):
        CausalScorer.load(tmp_path)
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="weights"):
        CausalScorer.load(tmp_path)
