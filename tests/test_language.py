"""A user writes whatever code their data uses; the same language comes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transfusion.errors import LanguageError
from transfusion.language import Language, get_language

FLORES_TABLE = Path(__file__).parents[1] / "src" / "transfusion" / "data" / "flores200.tsv"

# MasakhaNER 2.0's names for its languages, and what FLORES-200 calls them.
MASAKHANER = {
    "bam": "bam_Latn",
    "bbj": None,
    "ewe": "ewe_Latn",
    "fon": "fon_Latn",
    "hau": "hau_Latn",
    "ibo": "ibo_Latn",
    "kin": "kin_Latn",
    "lug": "lug_Latn",
    "mos": "mos_Latn",
    "nya": "nya_Latn",
    "pcm": None,
    "sna": "sna_Latn",
    "swa": "swh_Latn",
    "twi": "twi_Latn",
    "xho": "xho_Latn",
    "yor": "yor_Latn",
    "zul": "zul_Latn",
}


@pytest.mark.parametrize("code", ["lug", "lg", "LUG", "lug_Latn", "lug-latn", "LUG_LATN", "lg-Latn", " lug "])
def test_every_code_of_luganda_gives_luganda(code: str) -> None:
    assert get_language(code) == Language("lug", "lg", "lug_Latn", "Latn", "Luganda", "lg")


@pytest.mark.parametrize(("code", "flores"), MASAKHANER.items())
def test_the_codes_of_masakhaner_survive(code: str, flores: str | None) -> None:
    language = get_language(code)
    assert language.iso639_3 == code
    assert language.flores == flores


@pytest.mark.parametrize(("code", "iso639_3"), [("swa", "swa"), ("sw", "swa"), ("swh", "swh"), ("swh_Latn", "swh")])
def test_swahili_keeps_its_code_and_finds_its_flores_sense(code: str, iso639_3: str) -> None:
    language = get_language(code)
    assert (language.iso639_3, language.iso639_1, language.flores) == (iso639_3, "sw", "swh_Latn")


def test_congo_swahili_is_a_language_of_its_own() -> None:
    assert (get_language("swc").iso639_3, get_language("swc").flores) == ("swc", None)


@pytest.mark.parametrize(
    ("code", "flores", "bcp47"),
    [
        ("zh", "zho_Hans", "zh"),
        ("zh-Hant", "zho_Hant", "zh-Hant"),
        ("zho_Hant", "zho_Hant", "zh-Hant"),
        ("zh-TW", "zho_Hant", "zh-TW"),
        ("zh-yue", "yue_Hant", "yue"),
        ("pt-BR", "por_Latn", "pt-BR"),
        ("ko-KR", "kor_Hang", "ko-KR"),
        ("ara", "arb_Arab", "ar"),
        ("tgl", "tgl_Latn", "tl"),
        ("prs", "prs_Arab", "prs"),
        ("sat_Olck", "sat_Beng", "sat-Olck"),
    ],
)
def test_scripts_territories_and_groups(code: str, flores: str, bcp47: str) -> None:
    language = get_language(code)
    assert (language.flores, language.bcp47) == (flores, bcp47)


def test_a_script_that_flores_lacks_has_no_flores_code() -> None:
    assert get_language("sr-Cyrl").flores == "srp_Cyrl"
    assert get_language("sr-Latn").flores is None


@pytest.mark.parametrize(
    ("bibliographic", "iso639_3"), [("ger", "deu"), ("chi", "zho"), ("fre", "fra"), ("wel", "cym")]
)
def test_library_codes_are_understood(bibliographic: str, iso639_3: str) -> None:
    assert get_language(bibliographic).iso639_3 == iso639_3


def test_languages_outside_flores_have_names_too() -> None:
    assert get_language("pcm").name == "Nigerian Pidgin"
    assert get_language("bbj").name.startswith("Ghom")
    assert get_language("aab").script is None, "nobody told us how Alumu-Tesu is written"


def test_every_flores_code_leads_to_itself() -> None:
    codes = [line.split("\t")[0] for line in FLORES_TABLE.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert len(set(codes)) == 204
    for code in codes:
        language = get_language(code)
        assert language.flores == code
        assert language.iso639_3 == code[:3]
        assert get_language(language.bcp47).flores == code


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("Luganda", "lug (Luganda)"),
        ("Swahilli", "swa (Swahili)"),
        ("Ghomala", "bbj (Ghom"),
        ("english", "eng (English)"),
        ("lxg", "lug (Luganda)"),
        ("lug_Latin", "lug (Luganda)"),
    ],
)
def test_an_unknown_code_is_answered_with_near_ones(wrong: str, hint: str) -> None:
    with pytest.raises(LanguageError) as caught:
        get_language(wrong)
    assert repr(wrong) in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize("wrong", ["", " ", "xx", "qqq", "und", "mul", "bnt", "x-private", "中文", "\0", "a" * 10_000])
def test_what_is_nobodys_language_is_an_error(wrong: str) -> None:
    with pytest.raises(LanguageError) as caught:
        get_language(wrong)
    assert len(str(caught.value)) < 300


def test_importing_the_module_reads_no_table() -> None:
    code = "import sys, transfusion.language; print([m for m in sys.modules if m.startswith('langcodes')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
