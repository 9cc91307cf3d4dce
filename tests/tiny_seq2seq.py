"""Translation models in the shape of the published ones, a thousandth of their size, their weights drawn by lot.

Each is a folder as the hub has it, with a SentencePiece vocabulary trained on a few sentences. What they write means
nothing, and is always the same.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Literal

import sentencepiece
import torch
import transformers

torch.set_num_threads(1)  # the networks are too small to share out

SENTENCES = (
    "Rais Ruto alikutana na Museveni mjini Kampala siku ya Jumatatu.",
    "The president met the minister in Nairobi, and they spoke for an hour.",
    "Le ministre est arrivé à Dakar hier soir avec trois conseillers.",
    "Predsjednik Hrvatske sastao se s premijerom u Zagrebu.",
    "Pulezidenti yasisinkanye Museveni e Kampala.",
    "Who was at the meeting? Nobody knows: the doors were closed.",
    "Mkutano ulifanyika Arusha mwaka 2019; watu 45 walihudhuria.",
)
FLORES = ("eng_Latn", "swh_Latn", "fra_Latn", "hrv_Latn", "lug_Latn", "arb_Arab")
POSITIONS = 96
_SHAPE: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": POSITIONS,
    "dropout": 0.0,
    "init_std": 0.4,
}


def tiny_nllb(folder: Path, *, seed: int = 1, tokenizer: bool = True, mixture: bool = False) -> Path:
    """An NLLB-200 of six languages.

    :param folder: Where to put it.
    :param seed: What the weights are drawn from.
    :param tokenizer: Whether the tokenizer is beside the weights.
    :param mixture: A mixture of experts, as the largest NLLB is; CTranslate2 knows no such network.
    :returns: The folder.
    """
    pieces = train_pieces(folder, "sentencepiece.bpe.model", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    own = transformers.NllbTokenizer.from_pretrained(str(folder), extra_special_tokens=list(FLORES))
    pieces.unlink()
    ids: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
    torch.manual_seed(seed)
    if mixture:
        experts: dict[str, Any] = {
            "num_experts": 2,
            "encoder_sparse_step": 1,
            "decoder_sparse_step": 2,
            "router_dtype": "float32",
        }
        config = transformers.NllbMoeConfig(vocab_size=len(own), **_SHAPE, **ids, **experts)
        _save(transformers.NllbMoeForConditionalGeneration(config), folder)
    else:
        plain = transformers.M2M100Config(vocab_size=len(own), **_SHAPE, **ids)
        _save(transformers.M2M100ForConditionalGeneration(plain), folder)
    if tokenizer:
        own.save_pretrained(str(folder))
    return folder


def tiny_m2m100(folder: Path) -> Path:
    """An M2M-100 with its hundred languages."""
    pieces = train_pieces(folder, "sentencepiece.bpe.model", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    _write_vocabulary(folder, ["<s>", "<pad>", "</s>", "<unk>", *_names(pieces)[3:]])
    own = transformers.M2M100Tokenizer.from_pretrained(str(folder))
    own.save_pretrained(str(folder))
    torch.manual_seed(2)
    config = transformers.M2M100Config(
        vocab_size=own.encoder_size + len(own.lang_code_to_id) + own.num_madeup_words,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        **_SHAPE,
    )
    return _save(transformers.M2M100ForConditionalGeneration(config), folder)


def tiny_marian(
    folder: Path, *, source: str = "sw", target: str = "en", tags: tuple[str, ...] = (), separate: bool = False
) -> Path:
    """An OPUS-MT model.

    :param folder: Where to put it.
    :param source: What it says it translates from.
    :param target: What it says it translates into.
    :param tags: The tags of its target languages, if it has several.
    :param separate: Whether each side has a vocabulary of its own.
    :returns: The folder.
    """
    source_pieces, target_pieces = (
        train_pieces(folder, name, model_type="unigram", unk_id=1, eos_id=0, bos_id=-1, pad_id=-1)
        for name in ("source.spm", "target.spm")
    )
    tokens = ["</s>", "<unk>", *_names(source_pieces)[2:], *tags, "<pad>"]
    _write_vocabulary(folder, tokens)
    if separate:
        _write_vocabulary(folder, ["</s>", "<unk>", *_names(target_pieces)[:1:-1], "<pad>"], name="target_vocab.json")
    settings: dict[str, Any] = {"source_lang": source, "target_lang": target, "separate_vocabs": separate}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        own = transformers.MarianTokenizer.from_pretrained(str(folder), **settings)
        own.save_pretrained(str(folder))
    torch.manual_seed(3)
    pad = len(tokens) - 1
    config = transformers.MarianConfig(
        vocab_size=len(tokens),
        share_encoder_decoder_embeddings=not separate,
        tie_word_embeddings=True,
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        forced_eos_token_id=0,
        **_SHAPE,
    )
    network = transformers.MarianMTModel(config)
    network.generation_config.bad_words_ids = [[pad]]
    return _save(network, folder)


def tiny_t5(
    folder: Path, *, scaled: bool = True, tags: tuple[str, ...] = (), kind: Literal["t5", "mt5", "longt5"] = "t5"
) -> Path:
    """A T5, or with tags of target languages a MADLAD-400.

    :param folder: Where to put it.
    :param scaled: Whether its outputs are scaled: those of the first T5 are, those of MADLAD-400 are not.
    :param tags: ``<2en>`` and the like.
    :param kind: Which of the family; CTranslate2 does not know LongT5.
    :returns: The folder.
    """
    train_pieces(
        folder,
        "spiece.model",
        model_type="unigram",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols=list(tags),
    )
    own = transformers.T5Tokenizer.from_pretrained(str(folder), extra_ids=0)
    own.save_pretrained(str(folder))
    torch.manual_seed(4)
    shape: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    shape |= {"vocab_size": len(own), "decoder_start_token_id": 0, "initializer_factor": 1.0}
    if kind == "longt5":
        return _save(transformers.LongT5ForConditionalGeneration(transformers.LongT5Config(**shape)), folder)
    if kind == "mt5":
        return _save(transformers.MT5ForConditionalGeneration(transformers.MT5Config(**shape)), folder)
    shape["tie_word_embeddings"] = scaled  # what the files of both releases call it
    config = transformers.T5Config(**shape)
    return _save(transformers.T5ForConditionalGeneration(config), folder)


def tiny_mbart50(folder: Path) -> Path:
    """An mBART-50."""
    train_pieces(folder, "sentencepiece.bpe.model", model_type="unigram", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    own = transformers.MBart50Tokenizer.from_pretrained(str(folder))
    own.save_pretrained(str(folder))
    torch.manual_seed(5)
    config = transformers.MBartConfig(
        vocab_size=len(own),
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        **_SHAPE,
    )
    return _save(transformers.MBartForConditionalGeneration(config), folder)


def train_pieces(folder: Path, name: str, *, model_type: str = "bpe", **settings: Any) -> Path:
    """Train a SentencePiece model on the sentences.

    :param folder: Where to put it; made if it is missing.
    :param name: Name of the file.
    :param model_type: ``bpe`` or ``unigram``.
    :param settings: Numbers of the special tokens.
    :returns: The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 4),
            model_writer=stream,
            model_type=model_type,
            vocab_size=180,
            hard_vocab_limit=False,
            num_threads=1,
            minloglevel=2,
            **settings,
        )
    return folder / name


def _names(path: Path) -> list[str]:
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [model.id_to_piece(number) for number in range(model.get_piece_size())]


def _write_vocabulary(folder: Path, tokens: list[str], name: str = "vocab.json") -> None:
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / name).write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")


def _save(network: Any, folder: Path) -> Path:
    bars: Any = transformers.utils.logging
    bars.disable_progress_bar()
    network.eval().save_pretrained(str(folder))
    return folder
