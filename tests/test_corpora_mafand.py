"""Parallel news for training, and the sentences in it that must not be trained on."""

from __future__ import annotations

import importlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.corpora import CORPORA
from transfusion.corpora.mafand import find_pair_files, read_pairs
from transfusion.corpora.overlap import fingerprint, held_out_fingerprints
from transfusion.errors import FormatError, InputError


def line(**sides: str) -> str:
    return json.dumps({"translation": sides}, ensure_ascii=False) + "\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_pairs_know_their_languages(tmp_path: Path) -> None:
    path = write(tmp_path / "fr-ewe/train.json", line(fr=" Lomé est belle. ", ewe="Lome nya kpɔ."))
    (pair,) = read_pairs(path).pairs
    assert (pair.id, pair.source_language, pair.pivot_language) == ("fr-ewe-train-1", "ewe", "fra")
    assert (pair.source, pair.pivot) == ("Lome nya kpɔ.", "Lomé est belle.")
    document = pair.to_document()
    assert document.pivot is not None
    assert (document.source.language, document.pivot.text) == ("ewe", "Lomé est belle.")


def test_empty_and_broken_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "en-lug/dev.json",
        line(en="One.", lug="Emu.")
        + "\n"
        + line(en="Two.", lug=" ")
        + "{broken\n"
        + '["not", "an", "object"]\n'
        + line(en="Three.", swa="Tatu.")
        + line(en="Four.", lug="Nnya."),
    )
    held = read_pairs(path)
    assert [pair.id for pair in held.pairs] == ["en-lug-dev-1", "en-lug-dev-7"]
    assert held.empty == 2
    assert [problem.line for problem in held.problems] == [4, 5, 6]
    assert str(held.problems[2]) == f"{path}:6: no text for 'en' and 'lug'; the line has ['en', 'swa']"


def test_a_folder_that_names_no_languages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="<pivot>-<language>"):
        read_pairs(write(tmp_path / "lug/train.json", ""))


def test_a_fingerprint_forgets_tokens_quotes_case_and_tone_marks() -> None:
    natural = "“Ààrẹ Buhari,” ló sọ: 12%."
    tokenised = '" ààrẹ Buhari , " ló sọ : 12 % .'
    assert fingerprint(natural) == fingerprint(tokenised) == "aarebuharilosọ12".replace("ọ", "o")
    assert fingerprint("北京、上海。") == "北京上海"
    assert fingerprint("-- !") == ""


@given(st.text())
def test_a_fingerprint_is_the_same_for_both_normal_forms_of_letters(text: str) -> None:
    letters = "".join(c for c in text if c.isalpha() and unicodedata.category(c) in ("Ll", "Lu"))
    assert fingerprint(unicodedata.normalize("NFC", letters)) == fingerprint(unicodedata.normalize("NFD", letters))


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1),
    st.sampled_from([" ", " . ", ""]),
)
def test_a_fingerprint_does_not_see_tokenisation(words: list[str], between: str) -> None:
    assert fingerprint(between.join(words)) == "".join(fingerprint(word) for word in words)


def test_every_dev_and_test_sentence_is_held_out_and_training_files_are_not(tmp_path: Path) -> None:
    write(tmp_path / "masakhaner2/lug/dev.txt", "Musaazi B-PER\nazze O\n. O\n")
    write(tmp_path / "masakhaner2/lug/test.txt", "Kampala B-LOC\n")
    write(tmp_path / "masakhaner2/lug/test.translations.jsonl", '{"text": "The capital", "language": "eng"}\nnull\n')
    write(tmp_path / "conll2003-en/test.txt", "EU B-ORG\nrejects O\n")
    write(tmp_path / "mafand/en-lug/train.json", line(en="Trained on", lug="Okutendeka"))
    write(tmp_path / "mafand/en-lug/test.json", line(en="Held out", lug="Kuumibwa"))
    write(tmp_path / "uner/de_pud-ud-test.iob2", "# text = In Wien!\n1\tIn\tO\t-\t-\n2\tWien\tB-LOC\t-\t-\n")
    write(tmp_path / "xsid/de.valid.conll", "# text-en = hello\n# text = hallo\n1\thallo\tgreet\tO\n")
    assert held_out_fingerprints(tmp_path) == {
        "musaaziazze",
        "kampala",
        "thecapital",
        "eurejects",
        "heldout",
        "kuumibwa",
        "inwien",
        "hello",
        "hallo",
    }


def test_holding_nothing_out_is_an_error_and_so_is_a_broken_translation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dev or test files"):
        held_out_fingerprints(tmp_path)
    write(tmp_path / "masakhaner2/lug/dev.translations.jsonl", 'null\n"text"\n')
    with pytest.raises(FormatError, match=r"dev.translations.jsonl:2: neither"):
        held_out_fingerprints(tmp_path)


def test_every_corpus_names_a_reader_that_exists() -> None:
    assert list(CORPORA) == sorted(CORPORA)
    for corpus in CORPORA.values():
        module, _, function = corpus.reader.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_real_pairs_are_read_whole(shared_data: Path) -> None:
    paths = find_pair_files(shared_data / "mafand", "train")
    assert len(paths) == 12
    held = read_pairs(shared_data / "mafand/en-lug/train.json")
    assert (len(held.pairs), held.empty, held.problems) == (4075, 0, ())
