"""Units: nothing of a text is lost, and names can begin and end where people would say they do."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from transfusion.encoder.units import split_units

FRAGMENTS = (
    "Kampala",
    "Ghana's",
    "l'Afrique",
    "ng'ombe",
    "e\u0301\u0323",
    "\u0301",
    "👨‍👩‍👧",
    "🇺🇬",
    "❤️",
    "שָׁלוֹם",
    "العربية",
    "\u202e",
    "\0",
    "\r\n",
    "\u2028",
    "我在坎帕拉",
    "東京タワー",
    "กรุงเทพฯ",
    "ឯកឧត្តម",
    "ရန်ကုန်",
    "አዲስ፡አበባ።",
    "ﷺ",
    ".",
    "…",
    "-",
    "'",
    "’s",
    " ",
    "\u00a0",
    "\u3000",
    "\ud800",
)
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


def units_of(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in split_units(text)]


@given(text=TEXTS, spaceless=st.booleans())
@example(text="a\x1cb\x85c", spaceless=False)
def test_every_character_that_is_no_space_is_in_exactly_one_unit_in_order(text: str, spaceless: bool) -> None:
    units = split_units(text, spaceless=spaceless)
    covered = [place for unit in units for place in range(unit.start, unit.end)]
    assert covered == [match.start() for match in regex.finditer(r"\S", text)]
    assert all(unit.start < unit.end for unit in units)


@given(text=TEXTS)
def test_a_unit_knows_whether_a_space_stands_before_it(text: str) -> None:
    for unit in split_units(text):
        assert unit.spaced == (unit.start == 0 or regex.match(r"\s", text[unit.start - 1]) is not None)


@given(text=TEXTS)
def test_a_mark_that_ends_a_sentence_is_never_part_of_a_word(text: str) -> None:
    for unit in units_of(text):
        assert len(unit) == 1 or not set(unit) & set('.!?,;:…。።؟()"“”')


@given(text=TEXTS)
def test_offsets_do_not_depend_on_what_stands_before(text: str) -> None:
    before = "Rais Ruto. "
    shifted = [(unit.start + len(before), unit.end + len(before)) for unit in split_units(text)]
    assert [(unit.start, unit.end) for unit in split_units(before + text)][3:] == shifted


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Rais Ruto alikutana na Museveni.", ["Rais", "Ruto", "alikutana", "na", "Museveni", "."]),
        ("Ghana's", ["Ghana", "'s"]),
        ("Ghana’s president", ["Ghana", "’s", "president"]),
        ("GHANA'S", ["GHANA", "'S"]),
        ("the boss' car", ["the", "boss", "'", "car"]),
        ("l'Afrique", ["l'", "Afrique"]),
        ("L’Union d'Afrique", ["L’", "Union", "d'", "Afrique"]),
        ("jusqu'alors qu'Alpha", ["jusqu'", "alors", "qu'", "Alpha"]),
        ("jusqu'à", ["jusqu'à"]),
        ("ng'ombe", ["ng'ombe"]),
        ("n'Awka", ["n'Awka"]),
        ("Ng'ang'a", ["Ng'ang'a"]),
        ("Kaməlûm ʼnshuɔ", ["Kaməlûm", "ʼnshuɔ"]),
        ("'Kampala'", ["'", "Kampala", "'"]),
        ("Guinea-Bissau", ["Guinea", "-", "Bissau"]),
        ("U.S.", ["U", ".", "S", "."]),
        ("12.5%", ["12", ".", "5", "%"]),
        ("@tf_ie #Uganda2021", ["@", "tf_ie", "#", "Uganda2021"]),
        ("አዲስ አበባ።", ["አዲስ", "አበባ", "።"]),
        ("我在坎帕拉。", ["我在坎帕拉", "。"]),
        ("去Kampala了", ["去", "Kampala", "了"]),
        ("อยู่ที่กรุงเทพฯ", ["อยู่ที่กรุงเทพฯ"]),
        ("", []),
        (" \r\n\t", []),
    ],
)
def test_words_marks_and_runs(text: str, units: list[str]) -> None:
    assert units_of(text) == units


@pytest.mark.parametrize("text", ["我在坎帕拉", "กรุงเทพฯ", "ရန်ကုန်", "ភ្នំពេញ", "東京タワー"])
def test_scripts_without_spaces_are_divisible(text: str) -> None:
    assert [unit.divisible for unit in split_units(text)] == [True]


def test_words_of_any_script_are_divisible_where_spaces_are_not_to_be_trusted() -> None:
    text = "KampalaUganda, 我"
    assert [unit.divisible for unit in split_units(text)] == [False, False, True]
    assert [unit.divisible for unit in split_units(text, spaceless=True)] == [True, False, True]


def test_a_long_row_of_anything_takes_linear_time() -> None:
    for character in ("a", "'", "a'", "我", "\u0301", ".", "s'"):
        assert split_units(character * 20_000)
