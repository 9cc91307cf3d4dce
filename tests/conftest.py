"""What several test files share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import settings

from transfusion.document import Document, Entity
from transfusion.encoder.folder import EncoderConfig
from transfusion.encoder.model import EncoderModel
from transfusion.encoder.table import BLOCK, BLOCK_BYTES, EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.pipeline import Pipeline
from transfusion.train.base import BaseEncoder

# A busy machine is no reason to fail: time limits are for tests about time. And what a change is judged by is the same
# examples every time; `make explore` looks for new ones.
settings.register_profile("patient", deadline=None, derandomize=True)
settings.register_profile("exploring", deadline=None, max_examples=500)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data beside the checkout; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the public data sets in {folder}")
    return folder


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the translation cache of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFUSION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def label_capitalised_words(documents: Iterable[Document], /) -> Iterator[Document]:
    """A stage that labels words with a capital: what a reader who knows no word of the language would guess."""
    for document in documents:
        if "BOOM" in document.source.text:
            raise RuntimeError("cannot read this")
        spans = tuple(Entity(*m.span(), "PER", 0.9) for m in regex.finditer(r"\b\p{Lu}\p{L}+", document.source.text))
        yield replace(document, source=document.source.with_entities(spans))


@pytest.fixture
def capitalised_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every system of every model finds capitalised words, so that a test needs no weights."""
    monkeypatch.setattr(Pipeline, "load", lambda *_, **__: Pipeline([label_capitalised_words]))


ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "ɛɔŋàèéò.,!?;:'’-()\"",
    "我在乌干达的坎帕拉東京กรุงเทพฯเมือง",
    "አዲስአበባነው።العربيةשלום",
)
"""Characters that are pieces of the tiny vocabulary; all others are unknown to it."""
WORDS = "▁Kam pala ▁Museveni ▁Ru to ▁in ▁the ▁mjini ▁<PER> ▁< ▁</ > PER LOC ORG 干达 กรุง ing ▁a ▁k"


@pytest.fixture(scope="session")
def tiny_vocabulary() -> Vocabulary:
    """A few hundred pieces of several scripts, with made-up log probabilities."""
    characters = dict.fromkeys(character for alphabet in ALPHABETS for character in alphabet)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *characters, *WORDS.split()]
    scores = np.random.default_rng(7).uniform(-12, -4, len(pieces)).astype(np.float32)
    return Vocabulary(pieces, scores, {"\0": "", "\u00ad": "", "Ａ": "A", "½": "1⁄2", "ﷺ": "صلى الله عليه وسلم"})


@pytest.fixture(scope="session")
def tiny_base(tiny_vocabulary: Vocabulary) -> BaseEncoder:
    """A base encoder in the shape of the real one, a thousandth of its size, its weights drawn by lot."""
    random = np.random.default_rng(11)
    width, layers, inner, positions = 32, 6, 48, 160
    pieces = tuple(zip(tiny_vocabulary.pieces, map(float, tiny_vocabulary.scores), strict=True))
    blocks = random.integers(0, 256, (len(pieces), width // BLOCK, BLOCK_BYTES), np.uint8)
    blocks[..., :2] = np.frombuffer(np.float16(0.05).tobytes(), np.uint8)
    shapes = {"emb.pos": (positions, width), "emb.type": (2, width), "emb.ln.w": (width,), "emb.ln.b": (width,)}
    for layer in range(layers):
        for name in ("q", "k", "v", "ao"):
            shapes |= {f"l{layer}.{name}.w": (width, width), f"l{layer}.{name}.b": (width,)}
        shapes |= {f"l{layer}.fi.w": (inner, width), f"l{layer}.fi.b": (inner,)}
        shapes |= {f"l{layer}.fo.w": (width, inner), f"l{layer}.fo.b": (width,)}
        shapes |= {f"l{layer}.{name}": (width,) for name in ("aln.w", "aln.b", "oln.w", "oln.b")}
    tensors = {name: random.normal(0, 0.1, shape).astype(np.float32).ravel() for name, shape in shapes.items()}
    for name in tensors:
        if name.endswith("ln.w"):
            tensors[name] = np.ones(width, np.float32)
    return BaseEncoder(
        hidden_size=width,
        layers=layers,
        heads=2,
        intermediate_size=inner,
        max_positions=positions,
        layer_norm_eps=1e-12,
        pieces=pieces,
        normalisation=dict(tiny_vocabulary.normalisation),
        word_blocks=blocks,
        tensors=tensors,
    )


@pytest.fixture(scope="session")
def tiny_folder(tiny_base: BaseEncoder, tiny_vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that has learnt nothing: it labels at random, and always the same."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    with warnings.catch_warnings():  # both exporters warn of what they will do in years to come
        warnings.simplefilter("ignore")
        from transfusion.train.export import export
        from transfusion.train.network import from_base

        torch.manual_seed(3)
        folder = tmp_path_factory.mktemp("models") / "tiny"
        config = EncoderConfig("tiny", ("LOC", "ORG", "PER"), window=128)
        network = from_base(tiny_base, config.labels)
        export(network, tiny_vocabulary, EmbeddingTable(tiny_base.word_blocks), config, folder, quantise=False)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> EncoderModel:
    """The tiny model at work."""
    return EncoderModel.load(tiny_folder, threads=2)
