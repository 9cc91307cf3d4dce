"""Tiny causal language models of the kinds that people use, with weights drawn by lot, and a tokeniser learnt here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from transfusion.decoder.base import AnswerList, Prompt
from transfusion.schema.classes import ClassDefinition

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

KINDS = ("llama", "gemma3", "qwen2")
CLASSES = (ClassDefinition("Person", "Entity", "People."), ClassDefinition("Location", "Entity", "Places."))
GUIDELINES = (
    "# The following lines describe the task definition\n"
    '@dataclass\nclass Person(Entity):\n    """People."""\n\n    span: str\n\n\n'
    '@dataclass\nclass Location(Entity):\n    """Places."""\n\n    span: str\n\n\n'
)
HEADING = "# The annotation instances that take place in the text above are listed here\n"
BETWEEN = f"\n\n{HEADING}final_result = "
TEXTS = (
    ("Rais Ruto alikutana na Museveni mjini Kampala.", "President Ruto met Museveni in Kampala."),
    ("Kampala.", "Kampala."),
    ("Ruto 😀 alikutana na Ruto, Ẹ̀kọ́, አዲስ አበባ, mjini Kampala na Nairobi na Mwanza jana.", "Ruto met Ruto."),
    ("Meli ya MV Bukoba ilizama karibu na bandari ya \"Mwanza\" — '21 Mei'.", "The ship MV Bukoba sank near Mwanza."),
)


def prompt(text: str, translation: str) -> Prompt:
    """A prompt in the form of TransFusion."""
    whole = (
        f"{GUIDELINES}# This is the text to analyze\ntext = {json.dumps(text, ensure_ascii=False)}\n\n"
        f"# This is the English translation of the text\neng_text = {json.dumps(translation)}\n\n{HEADING}result = ["
    )
    return Prompt(whole, (AnswerList("result", translation), AnswerList("final_result", text)), (BETWEEN,), CLASSES)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte pairs learnt from a few prompts, with bytes for what they lack, as Llama and Gemma cut text."""
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    core = Tokenizer(models.BPE(unk_token=names["unk_token"], byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    items = '    Person(span="Ruto"),\n    Location(span="Kampala"),\n]' + BETWEEN
    lines = [prompt(*pair).text + "\n" + items for pair in TEXTS[:2]] * 3
    letters = sorted({character for line in lines for character in line} | {"▁"})
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    core.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=640, special_tokens=[*names.values(), *bytes_], initial_alphabet=letters)
    )
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    # Bytes are in the vocabulary, and not special: they are text.
    state: dict[str, Any] = json.loads(core.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in bytes_]
    kind: Any = transformers.PreTrainedTokenizerFast
    tokenizer: PreTrainedTokenizerFast = kind(tokenizer_object=Tokenizer.from_str(json.dumps(state)), **names)
    return tokenizer


def tiny_model(
    kind: str, vocabulary: int, *, seed: int = 5, window: int = 24, positions: int = 1024, spread: float = 0.4
) -> PreTrainedModel:
    """Two or three layers, opinions strong enough to tell tokens apart, and a window much shorter than prompts."""
    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": positions,
        "initializer_range": spread,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    model: Any
    if kind in ("gemma3", "gemma3, capped"):
        layers = ["sliding_attention", "full_attention", "sliding_attention"]
        config = transformers.Gemma3TextConfig(
            **shape, head_dim=8, query_pre_attn_scalar=8, sliding_window=window, layer_types=layers
        )
        config.final_logit_softcapping = 3.0 if kind.endswith("capped") else None
        model = transformers.Gemma3ForCausalLM(config)
    elif kind == "qwen2":
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**{**shape, "tie_word_embeddings": True}))
    else:
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    ready: PreTrainedModel = model.train(False)
    return ready
