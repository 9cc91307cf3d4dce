"""A mixture whose spans are placed by the translation network itself (Codec)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
for package in ("ctranslate2", "filelock", "sentencepiece"):
    pytest.importorskip(package)

from tiny_seq2seq import tiny_nllb  # noqa: E402
from transfusion.errors import ConfigError  # noqa: E402
from transfusion.train.mixture_files import MixtureConfig, TaskConfig, make_mixture  # noqa: E402


@pytest.fixture
def config(tmp_path: Path) -> MixtureConfig:
    corpus = tmp_path / "train.txt"
    corpus.write_text("Museveni B-PER\nmet O\nRuto B-PER\n\nRain O\nfell O\nin O\nKampala B-LOC\n", encoding="utf-8")
    return MixtureConfig(
        output=tmp_path / "mixture",
        translator=f"nllb:{tiny_nllb(tmp_path / 'nllb')}",
        tasks=(TaskConfig("ner", corpus, english=2),),
        languages=("swa",),
        method="constrained",
        options={"compute_type": "float32", "beam_size": "1", "threads": "1", "max_length": "24"},
        translated=2,
    )


def test_every_candidate_of_an_untrained_network_is_kept_or_counted(config: MixtureConfig) -> None:
    english, swahili = make_mixture(config)
    assert english.records == 2
    counts = swahili.counts
    assert counts is not None
    # What such a network writes is noise; none of it may get lost on the way.
    assert counts.tried == 2
    assert counts.kept + counts.untranslated + counts.lost_span + counts.faulty == 2
    assert swahili.problem == ""


def test_an_engine_that_cannot_score_is_refused_before_any_work(config: MixtureConfig) -> None:
    with pytest.raises(ConfigError, match="nllb or hf, not chat:x"):
        make_mixture(replace(config, translator="chat:x", options={"base_url": "http://127.0.0.1:9/v1"}))
