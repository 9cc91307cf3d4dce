"""Broken translations are told from good ones without a reference."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.corpora.mafand import Pair, read_pairs
from transfusion.errors import LanguageError
from transfusion.translate.loops import find_loop
from transfusion.translate.numbers import lost_numbers
from transfusion.translate.quality import Fault, find_faults

SWAHILI = "Rais William Ruto alikutana na Yoweri Museveni mjini Kampala siku ya Jumatatu kuzungumzia biashara."
ENGLISH = "President William Ruto met Yoweri Museveni in Kampala on Monday to talk about trade."


def codes(source: str, translation: str, *, source_language: str = "swa", target_language: str = "eng") -> list[str]:
    faults = find_faults(source, translation, source_language=source_language, target_language=target_language)
    return [fault.code for fault in faults]


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        (SWAHILI, ENGLISH, "eng"),
        (SWAHILI, "Le président William Ruto a rencontré Yoweri Museveni à Kampala lundi pour parler commerce.", "fra"),
        (SWAHILI, "Президент Уильям Руто встретился с Йовери Мусевени в Кампале в понедельник.", "rus"),
        (SWAHILI, "威廉·鲁托总统周一在坎帕拉会见了约韦里·穆塞韦尼，讨论贸易问题。", "zho"),
        (SWAHILI, "ウィリアム・ルト大統領は月曜日にカンパラでムセベニ大統領と会談した。", "jpn"),
        (SWAHILI, "ፕሬዝዳንት ዊልያም ሩቶ ሰኞ ዕለት በካምፓላ ከዮዌሪ ሙሴቬኒ ጋር ስለ ንግድ ተነጋገሩ።", "amh"),
        (SWAHILI, "ประธานาธิบดีวิลเลียม รูโต พบกับโยเวรี มูเซเวนี ที่กัมปาลาเมื่อวันจันทร์", "tha"),
        ("Ndiyo.", "Yes.", "eng"),
        ("Hapana, hapana!", "No, no!", "eng"),
        ("Kampala, Entebbe na Jinja", "Kampala, Entebbe and Jinja", "eng"),
        ("Yoweri Kaguta Museveni", "Yoweri Kaguta Museveni", "eng"),
        ("https://example.org/habari/2021 @mtumiaji #Uganda2021", "https://example.org/habari/2021", "eng"),
        ("2021-05-14", "2021-05-14", "eng"),
        ("...", "", "eng"),
    ],
)
def test_a_good_translation_has_no_faults(source: str, translation: str, language: str) -> None:
    assert codes(source, translation, target_language=language) == []


@pytest.mark.parametrize(
    "translation",
    [
        "Oluwaseun Adebayo Ogunlesi and Chukwuemeka Nwankwo told Ngozi Okonjo-Iweala of the plan.",
        "Nelson Chamisa, Emmerson Mnangagwa, Constantino Chiwenga and Tendai Biti were there.",
        "Mogadishu, Ouagadougou, Bujumbura, Antananarivo, Nouakchott.",
        "Muhammadu Buhari, Yemi Osinbajo, Aisha Buhari, Bukola Saraki, Yakubu Dogara",
    ],
)
def test_names_are_of_no_language(translation: str) -> None:
    source = "Hii ni habari ndefu kidogo kuhusu watu mashuhuri na miji yao huko barani Afrika."
    assert codes(source, translation) == []


@pytest.mark.parametrize("empty", ["", "  \n", ".", "… -", "\u200b"])
def test_nothing_for_something(empty: str) -> None:
    assert codes(SWAHILI, empty) == ["empty"]


@pytest.mark.parametrize(
    "tail",
    [
        " Kampala" * 6,
        " of the" * 5,
        " to talk about trade and" * 3,
        " in Kampala on Monday, and in Kampala on Tuesday," * 3,
        " hahahahahahahahahahahahahahahahaha",
        " и" * 30,
    ],
)
def test_a_loop_at_the_end(tail: str) -> None:
    assert "repetition" in codes(SWAHILI, ENGLISH + tail)


def test_a_loop_in_a_script_without_spaces() -> None:
    assert find_loop(SWAHILI, "威廉·鲁托总统在坎帕拉会见了" + "约韦里总统" * 5 + "。") == "约 韦 里 总 统"
    assert find_loop(SWAHILI, "威廉·鲁托总统周一在坎帕拉会见了约韦里·穆塞韦尼，讨论了两国之间的贸易问题。") is None


def test_a_loop_that_drifts_repeats_no_stretch_exactly() -> None:
    chance = random.Random(5)
    drifting = " ".join(chance.choice(("he said", "that he", "said that")) for _ in range(40))
    assert find_loop(SWAHILI, drifting) is not None


def test_a_source_may_repeat_itself() -> None:
    song = "Twende kazi, twende kazi, twende kazi, twende kazi"
    assert "repetition" not in codes(song, "Let's get to work, let's get to work, let's get to work, let's get to work")
    assert "repetition" in codes(song, "Let's get to work," * 40)


def test_what_was_cut_short_or_runs_on() -> None:
    assert codes(SWAHILI, ENGLISH[:17]) == ["length-ratio"]
    assert "length-ratio" in codes("Habari za asubuhi", ENGLISH)
    assert codes("威廉·鲁托总统周一在坎帕拉会见了约韦里·穆塞韦尼，讨论贸易问题。", ENGLISH, source_language="zho") == []


def test_a_copied_source() -> None:
    assert "copied" in codes(SWAHILI, SWAHILI)
    assert "copied" in codes(SWAHILI, SWAHILI.replace("Rais", "President").upper())


def test_a_copied_headline_is_no_list_of_names() -> None:
    headline = "Rais Ruto Akutana Na Museveni Mjini Kampala"
    assert codes(headline, headline) == ["copied"]
    names = "William Ruto, Yoweri Museveni, Salva Kiir, Abiy Ahmed"
    assert codes(names, names) == []


def test_pidgin_shares_its_words_with_english() -> None:
    pidgin = "Police don arrest two men for Enugu because dem carry gun enter market."
    english = "Police have arrested two men in Enugu because they carried a gun into the market."
    assert codes(pidgin, english, source_language="pcm") == []
    assert codes("Police arrest two men.", "Police arrest two men.", source_language="pcm") == []
    assert codes(pidgin, pidgin, source_language="pcm") == ["copied"]


@pytest.mark.parametrize(
    ("translation", "language"),
    [
        ("Le président a rencontré son homologue à Kampala lundi pour parler de commerce.", "fr"),
        ("Shugaban kasar ya gana da takwaransa a Kampala ranar Litinin domin tattauna kasuwanci.", "ha"),
        ("O presidente encontrou-se com o seu homólogo em Kampala na segunda-feira.", "pt"),
    ],
)
def test_the_wrong_language(translation: str, language: str) -> None:
    (fault,) = find_faults(SWAHILI, translation, source_language="swa", target_language="eng")
    assert fault == Fault("wrong-language", f"the translation is in {language!r}, not in 'eng'", True)


def test_a_language_that_the_model_does_not_know_is_not_judged() -> None:
    ewe = "Dukplɔla la do go kple ehati le Kampala le dzoɖagbe be woaƒo nu tso asitsatsa ŋu."
    assert codes(SWAHILI, ewe, target_language="ewe") == []


def test_close_languages_pass_for_one_another() -> None:
    bokmal = "Presidenten møtte sin kollega i Kampala på mandag for å snakke om handel mellom landene."
    assert codes(SWAHILI, bokmal, target_language="nno") == []
    assert codes(SWAHILI, bokmal, target_language="nob") == []


def test_the_wrong_script() -> None:
    cyrillic = "Президент Руто встретился с Мусевени в Кампале в понедельник, чтобы поговорить о торговле."
    assert "wrong-script" in codes(SWAHILI, cyrillic)
    assert "wrong-script" in codes(SWAHILI, ENGLISH[:40] + cyrillic[:40])
    assert "wrong-script" in codes(SWAHILI, ENGLISH, target_language="zho")
    assert codes(SWAHILI, "President Ruto (Руто) met Museveni in Kampala (Кампала) to talk about trade.") == []


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("Watu 45 walikufa", "45 people died"),
        ("Watu ٤٥ walikufa", "45 people died"),
        ("Dola 5,000,000", "5 million dollars"),
        ("Dola 2,5 milioni", "2.50 million dollars"),
        ("Watu 1 500 000", "1.500.000 people"),
        ("saa 10:30 tarehe 14/05/2021", "at 10.30 on 14 May 2021"),
        ("asilimia 37%", "37 percent"),
        ("wa 25", "the 25th"),
        ("watoto 2 na 12", "two and a dozen children"),
        ("ona https://t.co/9987", "see"),
        ("Hakuna", "There are 77 of them"),
    ],
)
def test_numbers_may_be_written_otherwise(source: str, translation: str) -> None:
    assert lost_numbers(source, translation) == []


def test_lost_numbers_are_named() -> None:
    source = "Mwaka 2019 watu 1,250 na watoto 37 walikufa kwa sababu ya mafuriko makubwa nchini."
    (fault,) = find_faults(
        source, "In 2019 many people and 37 children died in great floods in the country.", source_language="swa",
        target_language="eng",
    )  # fmt: skip
    assert fault == Fault("numbers-lost", "numbers of the source are missing: 1,250", False)


def test_severe_faults_come_first() -> None:
    faults = find_faults("Watu 1,250 walikufa mwaka 2019. " * 3, "people", source_language="swa", target_language="eng")
    assert [(fault.code, fault.severe) for fault in faults] == [("length-ratio", True), ("numbers-lost", False)]


def test_a_language_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(LanguageError, match="unknown language"):
        find_faults(SWAHILI, ENGLISH, source_language="swa", target_language="klingon")


LANGUAGES = st.sampled_from(["eng", "swa", "amh", "zho", "ewe", "rus", "arb", "jpn", "srp"])
PIECES = st.sampled_from(
    ["no ", "٤٥", "1,000 ", "😀", "\ud800", "Ké\u0301", "የ", "我", "@a", "www.", "\n", ".", "\0", "-7 "]
)


@settings(max_examples=60)
@given(st.text() | st.lists(PIECES).map("".join), st.text() | st.lists(PIECES).map("".join), LANGUAGES, LANGUAGES)
def test_any_two_texts_are_judged_the_same_way_twice(source: str, translation: str, first: str, second: str) -> None:
    faults = find_faults(source, translation, source_language=first, target_language=second)
    assert faults == find_faults(source, translation, source_language=first, target_language=second)
    assert len({fault.code for fault in faults}) == len(faults)
    assert [fault.severe for fault in faults] == sorted((fault.severe for fault in faults), reverse=True)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1), st.sampled_from("  \n.-"))
def test_only_an_empty_translation_is_empty(source: str, mark: str) -> None:
    says_something = any(character.isalpha() or character.isdecimal() for character in source)
    assert codes(source, mark) in ([["empty"]] if says_something and mark else [[], ["empty"]])


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "1,", "@", "a@", "www.", "neno ", "12 ", "我", "\u0301", "a b c ", "x y ", "1.", "Aa "],
)
def test_long_texts_take_time_in_step_with_their_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        begun = time.process_time()
        find_faults(text, text + "www.", source_language="swa", target_language="eng")
        return time.process_time() - begun

    seconds(20_000)
    assert seconds(200_000) < 3


def test_long_text_without_any_loop() -> None:
    chance = random.Random(3)
    words = ["".join(chance.choices("abdeghiklmnostuw", k=chance.randint(2, 9))) for _ in range(3000)]
    text = " ".join(chance.choice(words) for _ in range(32_000))
    begun = time.process_time()
    assert find_loop("", text) is None
    assert time.process_time() - begun < 2


def test_the_development_pairs_of_mafand(shared_data: Path) -> None:
    pairs: list[Pair] = []
    for name in ("en-lug", "en-yor", "fr-ewe"):
        pairs += random.Random(1).sample(read_pairs(shared_data / "mafand" / name / "dev.json").pairs, 150)

    def severe(pair: Pair, translation: str) -> bool:
        languages = {"source_language": pair.source_language, "target_language": pair.pivot_language}
        return any(fault.severe for fault in find_faults(pair.source, translation, **languages))

    long = [pair for pair in pairs if min(len(pair.source.split()), len(pair.pivot.split())) >= 5]
    assert sum(severe(pair, pair.pivot) for pair in pairs) <= 0.02 * len(pairs)
    assert sum(severe(pair, pair.pivot[: len(pair.pivot) // 5]) for pair in long) >= 0.9 * len(long)
    assert sum(severe(pair, pair.source) for pair in long) >= 0.98 * len(long)
    assert sum(severe(pair, pair.pivot + " and the" * 9) for pair in long) >= 0.98 * len(long)
