"""Any sequence-to-sequence checkpoint: each family told the languages its own way, by whichever backend knows it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfusion.errors import ConfigError, LanguageError, ModelError
from transfusion.translate.convert import UnknownArchitectureError
from transfusion.translate.engines import load_translator
from transfusion.translate.hf import HfTranslator

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
for package in ("ctranslate2", "filelock", "sentencepiece"):
    pytest.importorskip(package)

from tiny_seq2seq import SENTENCES, tiny_m2m100, tiny_marian, tiny_mbart50, tiny_nllb, tiny_t5  # noqa: E402

EXACT: dict[str, Any] = {"compute_type": "float32", "beam_size": 1, "threads": 1}

Build = Callable[[Path], Path]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path / "cache"))


def opus_to_several(folder: Path) -> Path:
    return tiny_marian(folder, source="zls", target="mul", tags=(">>eng<<", ">>fra<<"))


def madlad(folder: Path) -> Path:
    return tiny_t5(folder, scaled=False, tags=("<2en>", "<2sw>"))


def tokens(translator: HfTranslator, source: str, target: str) -> tuple[list[str], list[str], list[str]]:
    """The tags by name: before a source, after it, before a target."""
    tags, pieces = translator.tags(source, target), translator.network.pieces
    before, after, first = ([pieces.token(i) for i in ids] for ids in (tags.before, tags.after, tags.target))
    return before, after, first


@pytest.mark.parametrize(
    ("build", "source", "tags"),
    [
        (tiny_nllb, "swa", (["swh_Latn"], ["</s>"], ["eng_Latn"])),
        (tiny_m2m100, "swa", (["__sw__"], ["</s>"], ["__en__"])),
        (tiny_mbart50, "swa", (["sw_KE"], ["</s>"], ["en_XX"])),
        (tiny_marian, "swa", ([], ["</s>"], [])),
        (opus_to_several, "hrv", ([">>eng<<"], ["</s>"], [])),
        (madlad, "swa", (["<2en>"], ["</s>"], [])),
        (tiny_t5, "swa", ([], ["</s>"], [])),
    ],
    ids=["nllb", "m2m-100", "mbart-50", "marian", "marian to several", "madlad-400", "t5"],
)
class TestFamilies:
    def test_the_languages_are_told_as_the_family_wants_it(
        self, build: Build, source: str, tags: tuple[list[str], ...], tmp_path: Path
    ) -> None:
        translator = HfTranslator(str(build(tmp_path / "model")), backend="transformers", **EXACT)
        assert tokens(translator, source, "eng") == tags

    def test_both_backends_write_the_same(
        self, build: Build, source: str, tags: tuple[list[str], ...], tmp_path: Path
    ) -> None:
        there = str(build(tmp_path / "model"))
        one, other = (HfTranslator(there, backend=backend, **EXACT) for backend in ("ctranslate2", "transformers"))
        assert tokens(one, source, "eng") == tags
        found = [one.translate(SENTENCES[:4], source=source, target="eng")]
        found.append(other.translate(SENTENCES[:4], source=source, target="eng"))
        assert found[0] == found[1]
        assert len({translation.text for translation in found[0] if translation}) > 1
        assert one.signature != other.signature


def test_a_source_is_cut_as_transformers_cuts_it(tmp_path: Path) -> None:
    for number, (build, settings, source) in enumerate(
        [(tiny_m2m100, {"src_lang": "sw"}, "swa"), (tiny_marian, {}, "swa"), (tiny_t5, {}, "swa")]
    ):
        there = str(build(tmp_path / str(number)))
        translator = HfTranslator(there, **EXACT)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            theirs = transformers.AutoTokenizer.from_pretrained(there, **settings)
        tags = translator.tags(source, "eng")
        for sentence in SENTENCES:
            ours = [*tags.before, *translator.network.pieces.encode(sentence), *tags.after]
            assert ours == theirs(sentence)["input_ids"]


@pytest.mark.parametrize(
    "build",
    [
        lambda folder: tiny_nllb(folder, mixture=True),
        lambda folder: tiny_t5(folder, kind="longt5"),
        lambda folder: tiny_marian(folder, separate=True),
    ],
    ids=["mixture of experts", "longt5", "a vocabulary for each side"],
)
def test_what_ctranslate2_does_not_know_is_run_by_transformers(build: Build, tmp_path: Path) -> None:
    there = str(build(tmp_path / "model"))
    with pytest.raises(UnknownArchitectureError):
        HfTranslator(there, backend="ctranslate2", **EXACT)
    translator = HfTranslator(there, beam_size=2, threads=1)
    assert translator.network.backend.compute_type == "float32"
    texts = ["Rais Ruto", "watu 45", "Museveni"]
    alone = [translator.translate([text], source="swa", target="eng")[0] for text in texts]
    assert translator.translate(texts, source="swa", target="eng") == alone
    assert not (tmp_path / "cache" / "ctranslate2").is_dir() or not any(
        path.is_dir() for path in (tmp_path / "cache" / "ctranslate2").iterdir()
    )


def test_quotes_at_the_head_of_a_mail_are_no_tags(tmp_path: Path) -> None:
    translator = HfTranslator(str(opus_to_several(tmp_path / "model")), **EXACT)
    pieces = translator.network.pieces
    assert pieces.decode(pieces.encode(">>Rais Ruto<< alikutana")).endswith("alikutana")
    assert len(pieces.encode(">>Rais Ruto<< alikutana")) > len(pieces.encode("alikutana")) + 2
    assert pieces.known(">>eng<<") not in pieces.encode(">>eng<< Rais")


@pytest.mark.parametrize(
    ("build", "source", "target", "says"),
    [
        (tiny_marian, "deu", "eng", "translates from Swahili.*, not from German"),
        (tiny_marian, "swa", "deu", "translates into English, not into German"),
        (opus_to_several, "hrv", "deu", "does not know German"),
        (madlad, "swa", "deu", "does not know German .*<2de>"),
        (tiny_m2m100, "lua", "eng", "does not know Luba"),
        (tiny_mbart50, "lug", "eng", "does not know Ganda|does not know Luganda"),
    ],
)
def test_a_language_that_a_checkpoint_lacks_is_named(
    build: Build, source: str, target: str, says: str, tmp_path: Path
) -> None:
    translator = HfTranslator(str(build(tmp_path / "model")), backend="transformers", **EXACT)
    with pytest.raises(LanguageError, match=says):
        translator.translate(["Habari."], source=source, target=target)


def test_members_of_the_group_that_a_checkpoint_names_are_taken(tmp_path: Path) -> None:
    translator = HfTranslator(str(tiny_marian(tmp_path / "model", source="sh")), backend="transformers", **EXACT)
    assert translator.tags("hrv", "eng") == translator.tags("srp", "eng")
    with pytest.raises(LanguageError):
        translator.tags("slv", "eng")


def test_a_text_prefix_names_the_languages(tmp_path: Path) -> None:
    there = str(tiny_t5(tmp_path / "model"))
    plain = HfTranslator(there, **EXACT)
    told = HfTranslator(there, text_prefix="translate {source} to {target}:", **EXACT)
    before = told.tags("fra", "eng").before
    assert list(before) == told.network.pieces.encode("translate French to English:")
    assert plain.signature != told.signature
    one, other = (engine.translate(SENTENCES, source="fra", target="eng") for engine in (plain, told))
    assert one != other


class TestRefusals:
    def test_a_prefix_must_leave_room_for_texts(self, tmp_path: Path) -> None:
        there = str(tiny_t5(tmp_path / "model"))
        translator = HfTranslator(there, backend="transformers", text_prefix="translate this: ", max_length=16, **EXACT)
        with pytest.raises(ConfigError, match=r"what goes before each text takes .* of the 16 pieces"):
            translator.translate(["Rais"], source="swa", target="eng")

    def test_int8_needs_ctranslate2(self, tmp_path: Path) -> None:
        there = str(tiny_t5(tmp_path / "model", kind="longt5"))
        with pytest.raises(ConfigError, match="'int8' is not for networks run by transformers"):
            HfTranslator(there, compute_type="int8", threads=1)

    def test_there_are_two_backends(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no backend 'fairseq'; there are auto, ctranslate2, transformers"):
            load_translator(f"hf:{tmp_path}", {"backend": "fairseq"})

    def test_a_model_that_only_goes_on_writing_is_none(self, tmp_path: Path) -> None:
        there = tmp_path / "gpt"
        tiny_marian(there)
        transformers.GPT2Config(n_layer=1).save_pretrained(str(there))
        for backend in ("auto", "ctranslate2", "transformers"):
            with pytest.raises(ModelError, match="does not read one text and write another"):
                HfTranslator(str(there), backend=backend, threads=1)

    def test_transformers_reads_no_converted_weights(self, tmp_path: Path) -> None:
        there = tmp_path / "made"
        there.mkdir()
        (there / "model.bin").write_bytes(b"CTranslate2's own")
        with pytest.raises(ModelError, match="reads weights of Hugging Face"):
            HfTranslator(str(there), backend="transformers", threads=1)
