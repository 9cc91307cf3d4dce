"""Long texts are read sentence by sentence, and every character keeps its place."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from transfusion.segment import Piece, split_sentences, split_windows

# What real texts throw at offsets: combining marks, emoji families and flags, right-to-left, NUL, line ends, half a
# surrogate pair, scripts without spaces, and many sentence marks.
AWKWARD = [
    *"aB1 .!?…,;:\"'”»()،؟。！？，।။၊។።፧",
    *"\r\n\t\0\x1c\x1f\x85\u2028\u00a0\u3000\ufeff\ud800\u0301\u200d\u200c\ufe0f",
    *"中文กัမြלאعرف",
    *["\r\n", "👩‍👩‍👧", "👍🏽", "🇺🇬", "ẹ́", "क्ष", "각", "Dr.", "Y. K.", " and ", "U.S."],
]
texts = st.lists(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=60).map("".join)


def read(text: str, pieces: list[Piece]) -> list[str]:
    return [text[start:end] for start, end in pieces]


def assert_nothing_is_lost(text: str, pieces: list[Piece]) -> None:
    """Pieces stand in order, apart from one another, and leave out white space alone."""
    assert all(before.end <= after.start for before, after in pairwise(pieces))
    between = [0, *(edge for piece in pieces for edge in piece), len(text)]
    gaps = [text[start:end] for start, end in zip(between[::2], between[1::2], strict=True)]
    assert not "".join(gaps).strip()
    assert all(piece == piece.strip() and piece for piece in read(text, pieces))


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "lug",
            [
                "Omukulembeze wa Uganda Y. K. Museveni yagambye.",
                "Prof. Balam talina kye yagamba.",
            ],
        ),
        ("swa", ["Dkt. Ouma alisema.", "“Bw. Kamau alikataa!”", "Kwa nini?"]),
        (
            "hau",
            [
                "Ya ce Naira 2.5 biliyan.",
                "Sun je www.bbc.com a 2019.",
                "Sai suka dawo.",
            ],
        ),
        ("yor", ["Ó rí ọ.", "Ẹ wá."]),
        (
            "eng",
            [
                "The U.S. Army vs. a Mr. Smith (yes).",
                "'Really?' he asked.",
                "Then . . .",
                "Over.",
            ],
        ),
        ("amh", ["ሰላም ነው።", "እንዴት ነህ፧", "ደህና።"]),
        ("hin", ["मैं गया।", "तुम?", "हाँ।"]),
        ("urd", ["وہ گیا۔", "کیا؟", "ہاں"]),
    ],
)
def test_sentences_of_spaced_scripts(language: str, sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert read(text, split_sentences(text, language)) == sentences


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("zho", ["《你好。》", "他说。", "她说：“走吧。”", "然后走了!", "来了."]),
        ("jpn", ["行った。", "「本当？」", "はい！"]),
        ("mya", ["မြန်မာ၊ နိုင်ငံ။", "ကောင်း။"]),
        ("khm", ["ខ្ញុំទៅ។", "គាត់មក។"]),
        ("bod", ["བོད་ཡིག།", "ཡིན།"]),
    ],
)
def test_sentences_of_scripts_without_spaces(language: str, sentences: list[str]) -> None:
    text = "".join(sentences)
    assert read(text, split_sentences(text, language)) == sentences


def test_thai_abbreviations_end_nothing() -> None:
    assert read("กรุงเทพฯ เมืองหลวง", split_sentences("กรุงเทพฯ เมืองหลวง", "tha")) == ["กรุงเทพฯ เมืองหลวง"]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\n\n", "\u2028", "\u2029", "\x85", " \n\t"])
def test_line_breaks_end_sentences(line_break: str) -> None:
    text = f"Amawulire{line_break}Abantu bagenda"
    assert read(text, split_sentences(text, "lug")) == ["Amawulire", "Abantu bagenda"]


def test_twelfth_of_november() -> None:
    text = "Am 12. November kam er. Im Jahr 2019. Dann ging er."
    assert len(split_sentences(text, "deu")) == 3
    assert len(split_sentences("A ranar 12. Sai ya tafi.", "hau")) == 2


def test_numbers_of_a_list_stay_with_their_items() -> None:
    text = "1. Kampala\n2. Mbarara. Oli otya?"
    assert read(text, split_sentences(text, "lug")) == [
        "1. Kampala",
        "2. Mbarara.",
        "Oli otya?",
    ]


@pytest.mark.parametrize("text", ["", " ", "\r\n\t\u3000", "\x1f"])
def test_white_space_has_no_sentences(text: str) -> None:
    assert split_sentences(text, "lug") == []
    assert split_windows(text, "lug", fits=lambda piece: True) == []


@given(texts, st.sampled_from(["lug", "deu", "zho"]))
def test_every_character_is_in_one_sentence(text: str, language: str) -> None:
    assert_nothing_is_lost(text, split_sentences(text, language))


@given(texts, st.integers(1, 70))
def test_every_character_is_in_one_window_and_windows_fit(text: str, limit: int) -> None:
    windows = split_windows(text, "lug", fits=lambda piece: len(piece) <= limit)
    assert_nothing_is_lost(text, windows)
    assert all(len(window) <= limit for window in read(text, windows))


@given(texts, st.integers(3, 40))
def test_windows_fit_when_length_is_in_bytes(text: str, limit: int) -> None:
    windows = split_windows(
        text,
        "lug",
        fits=lambda piece: len(piece.encode("utf-8", "surrogatepass")) <= limit,
    )
    assert_nothing_is_lost(text, windows)
    assert all(len(w.encode("utf-8", "surrogatepass")) <= limit or len(w) == 1 for w in read(text, windows))


@given(texts)
def test_no_cut_through_a_character_as_readers_see_it(text: str) -> None:
    boundaries = {0, *(found.end() for found in regex.finditer(r"\X", text))}
    longest = max((len(cluster) for cluster in regex.findall(r"\X", text)), default=1)
    windows = split_windows(text, "lug", fits=lambda piece: len(piece) <= longest)
    for before, after in pairwise(windows):
        assert before.end < after.start or before.end in boundaries


@given(texts)
def test_a_text_that_fits_is_one_window(text: str) -> None:
    windows = split_windows(text, "lug", fits=lambda piece: True)
    assert read(text, windows) == ([text.strip()] if text.strip() else [])


@pytest.mark.parametrize("limit", [31, 60, 400])
def test_windows_are_cut_between_sentences(limit: int) -> None:
    text = "Nnabagereka yagenda. Kabaka yasigala. Abantu baakomawo nga bakooye. " * 20
    windows = split_windows(text, "lug", fits=lambda piece: len(piece) <= limit)
    assert all(window.endswith(".") for window in read(text, windows))
    for before, after in pairwise(windows):
        next_sentence = text.index(".", after.start) + 1
        assert next_sentence - before.start > limit, "one more sentence would have fitted"


def test_a_long_sentence_is_cut_after_commas_then_between_words() -> None:
    text = "Kampala, Entebbe, Jinja, Mbarara ne Gulu byonna bibuga"
    fifteen = read(text, split_windows(text, "lug", fits=lambda piece: len(piece) <= 17))
    assert fifteen == [
        "Kampala, Entebbe,",
        "Jinja,",
        "Mbarara ne Gulu",
        "byonna bibuga",
    ]


def test_emoji_families_stay_together() -> None:
    family = "👩‍👩‍👧"
    windows = split_windows(family * 10, "lug", fits=lambda piece: len(piece) <= 12)
    assert set(read(family * 10, windows)) == {family * 2}


@pytest.mark.parametrize(
    "text",
    [
        "Abantu bagenda e Kampala leero nga bali. " * 12_500,
        "abantu " * 70_000,
        "中" * 170_000,
        "🇺" * 60_000,
        "a" + "\u0301" * 250_000,
        "." * 500_000,
        ".)" + ")" * 500_000,
        "。" * 100_000 + "\u0301",
        ("x" * 30_000 + ". " + "Bagenda. " * 50) * 16,
    ],
    ids=[
        "sentences",
        "words",
        "chinese",
        "flags",
        "accents",
        "dots",
        "brackets",
        "full stops",
        "mixed",
    ],
)
def test_the_time_for_one_long_line_grows_with_its_length(text: str) -> None:
    measured = 0

    def fits(piece: str) -> bool:
        nonlocal measured
        measured += len(piece)
        return len(piece) <= 1000

    began = time.process_time()
    windows = split_windows(text, "lug", fits=fits)
    assert time.process_time() - began < 5  # squared, it would be minutes
    assert measured < 4 * len(text)
    assert all(end - start <= 1000 for start, end in windows)
    assert len(windows) < 2.2 * len(text) / 1000
