"""Strings that a decoder wrote, found in the text: offsets are exact, and what is not there is named."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from functools import partial

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from clock import fastest
from transfusion.decoder.folding import fold
from transfusion.decoder.ground import Grounded, ground_items
from transfusion.decoder.items import Argument, Item
from transfusion.decoder.near import edit_distance
from transfusion.document import AnnotatedText, Entity, Event, Relation
from transfusion.schema.classes import ClassDefinition, ClassField

CLASSES = (
    ClassDefinition("Person", "Entity"),
    ClassDefinition("Place", "Entity"),
    ClassDefinition("JobTitle", "Value"),
    ClassDefinition("LivesIn", "Relation", "", (ClassField("arg1"), ClassField("arg2"))),
    ClassDefinition("BornIn", "Relation", "", (ClassField("arg1"), ClassField("arg2")), tail=("LOC",)),
    ClassDefinition(
        "Meeting",
        "Event",
        "",
        (ClassField("mention"), ClassField("who", "List[str]"), ClassField("where", "List[str]")),
    ),
)
LABELS = {"Person": "PER", "Place": "LOC", "LivesIn": "lives-in"}


def item(kind: str, **arguments: Argument) -> Item:
    return Item(kind, arguments)


def persons(*strings: str) -> list[Item]:
    return [item("Person", span=string) for string in strings]


def places(*strings: str) -> list[Item]:
    return [item("Place", span=string) for string in strings]


def ground(text: str, items: list[Item], **options: object) -> Grounded:
    return ground_items(items, CLASSES, text, labels=LABELS, **options)  # type: ignore[arg-type]


def found(text: str, grounded: Grounded) -> list[tuple[str, str, str]]:
    return [(text[entity.start : entity.end], entity.label, entity.match) for entity in grounded.entities]


def codes(grounded: Grounded) -> list[str]:
    return [problem.code for problem in grounded.problems]


class TestStoriesOfManyScripts:
    @pytest.mark.parametrize(
        ("text", "written", "stands", "match"),
        [
            ("Rais Ruto alikutana na Museveni mjini Kampala.", "Museveni", "Museveni", "exact"),
            ("Wakazi wa KAMPALA wanalalamika.", "Kampala", "KAMPALA", "case"),
            ("Ààrẹ orílẹ̀-èdè Nàìjíríà ni Tinubu.", unicodedata.normalize("NFD", "Nàìjíríà"), "Nàìjíríà", "normalised"),
            (unicodedata.normalize("NFD", "Ìlú Ọ̀yọ́ tóbi."), "Ọ̀yọ́", unicodedata.normalize("NFD", "Ọ̀yọ́"), "normalised"),
            ("Ààrẹ orílẹ̀-èdè Nàìjíríà ni Tinubu.", "Naijiria", "Nàìjíríà", "variant"),
            ("ጠቅላይ ሚኒስትሩ በአዲስ አበባ ተወያዩ።", "ተወያዩ", "ተወያዩ", "exact"),
            ("ጠቅላይ ሚኒስትሩ በኢትዮጵያ ተወያዩ።", "ኢትዮጵያ", "ኢትዮጵያ", "inside"),
            ("总统周一在坎帕拉会见了穆塞韦尼。", "坎帕拉", "坎帕拉", "exact"),
            ("大統領はカンパラで会談した。", "カンパラ", "カンパラ", "exact"),
            ("นายกรัฐมนตรีเดินทางไปกรุงเทพฯวันนี้", "กรุงเทพฯ", "กรุงเทพฯ", "exact"),
            ("대통령이 서울에서 만났다.", "서울", "서울", "exact"),
            ("التقى الرئيس في القاهرة.", "الْقَاهِرَة", "القاهرة", "variant"),
            ("التقى الرئيس في الْقَاهِرَةِ.", "القاهرة", "الْقَاهِرَةِ", "variant"),
            ("وصل إلى والخرطوم أمس.", "الخرطوم", "الخرطوم", "inside"),
            ("بلد مصرـــ كبير", "مصر", "مصرـــ", "variant"),
            ("ﻣﺼﺮ بلد كبير", "مصر", "ﻣﺼﺮ", "normalised"),
            ("Dün İstanbul'a gitti.", "İstanbul", "İstanbul", "exact"),
            ("Dün İstanbul'a gitti.", "istanbul", "İstanbul", "case"),
            ("Dün ISPARTA'ya gitti.", "Isparta", "ISPARTA", "case"),
            ("Die Straße nach Gießen.", "GIESSEN", "Gießen", "case"),
            ("The oﬃce of Griﬃn closed.", "Griffin", "Griﬃn", "normalised"),
            ("Addis  \n Ababa ni mji.", "Addis Ababa", "Addis  \n Ababa", "variant"),
            ("Jean - Pierre aliondoka.", "Jean-Pierre", "Jean - Pierre", "variant"),
            ("Bandari ya “Mwanza” – leo", '"Mwanza" - leo', "“Mwanza” – leo", "variant"),
            ("Ng’ang’a aliondoka.", "Ng'ang'a", "Ng’ang’a", "variant"),
            ("Kam\u00adpala\u200b ni mji.", "Kampala", "Kam\u00adpala", "normalised"),
            ("Alikuwa Ankaradaki dün.", "Ankara", "Ankara", "inside"),
            ("Rais Yoweri Musevenni.", "Yoweri Museveni", "Yoweri Musevenni", "near"),
            ("Kampala ni mji.", "Kampala.", "Kampala", "near"),
            ("राष्ट्रपति कंपाला गए।", "कंपाला", "कंपाला", "exact"),
            ("Familia 👨‍👩‍👧 ilifika 🇺🇬.", "🇺🇬", "🇺🇬", "exact"),
        ],
    )
    def test_a_name_is_found_as_the_text_spells_it(self, text: str, written: str, stands: str, match: str) -> None:
        assert found(text, ground(text, places(written))) == [(stands, "LOC", match)]

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("Annual report", "Ann"),
            ("Mkutano discovered", "over"),
            ("Cafe\u0301 Mané", "Cafe\u0300s"),
            ("한국", "하"),
            ("👨‍👩‍👧", "👩"),
            ("🇰🇪🇺🇬", "🇪🇺"),
            ("क्षत्रिय", "क"),
            ("ﷺ", "الله"),
            ("Kampala", "Nairobi"),
            ("Kampala", " "),
            ("", "Kampala"),
        ],
    )
    def test_parts_of_words_and_of_characters_are_no_mentions(self, text: str, written: str) -> None:
        grounded = ground(text, persons(written))
        assert grounded.entities == ()
        assert codes(grounded) == ["hallucinated"]
        assert repr(written) in grounded.problems[0].message

    def test_an_accent_is_part_of_its_letter(self) -> None:
        text = "Nilimwona Jose\u0301 na Jose."
        grounded = ground(text, persons("Jose"))
        assert [(entity.start, entity.end) for entity in grounded.entities] == [(19, 23)]

    def test_better_spellings_are_taken_first_and_worse_ones_after_them(self) -> None:
        text = "KAMPALA, Kampala, kampala, Kàmpala"
        for count, expected in ((1, ["Kampala"]), (2, ["KAMPALA", "Kampala"]), (4, text.split(", "))):
            grounded = ground(text, places(*["Kampala"] * count))
            assert [mention for mention, _, _ in found(text, grounded)] == expected

    def test_inside_a_word_only_what_stands_nowhere_else(self) -> None:
        text = "Kenyan Kenya"
        grounded = ground(text, places("Kenya", "Kenya"))
        assert [(entity.start, entity.end) for entity in grounded.entities] == [(7, 12)]
        assert codes(grounded) == ["surplus"]


class TestEveryItemHasItsOwnPlace:
    def test_mentions_of_one_string_are_given_out_in_reading_order(self) -> None:
        text = "Ruto alisema. Ruto aliondoka. Ruto alirudi."
        grounded = ground(text, persons("Ruto", "Ruto"), scores={0: 0.9, 1: 0.6})
        assert [(entity.start, entity.score) for entity in grounded.entities] == [(0, 0.9), (14, 0.6)]

    def test_more_items_than_mentions_are_surplus(self) -> None:
        grounded = ground("Ruto alisema. Ruto aliondoka.", persons("Ruto", "Ruto", "Ruto"))
        assert len(grounded.entities) == 2
        assert codes(grounded) == ["surplus"]
        assert "2 times" in grounded.problems[0].message

    def test_a_name_does_not_settle_in_a_longer_one(self) -> None:
        text = "Kampala City ni timu ya Kampala."
        grounded = ground(text, places("Kampala", "Kampala City"))
        assert [mention for mention, _, _ in found(text, grounded)] == ["Kampala City", "Kampala"]
        assert [entity.start for entity in grounded.entities] == [0, 24]

    def test_nested_mentions_of_other_labels_stand_side_by_side(self) -> None:
        text = "Chuo Kikuu cha Nairobi"
        grounded = ground(text, [*persons("Chuo Kikuu cha Nairobi"), *places("Nairobi")])
        assert [label for _, label, _ in found(text, grounded)] == ["PER", "LOC"]

    def test_two_spellings_of_one_mention_are_one_entity(self) -> None:
        text = "Museveni alifika."
        grounded = ground(text, persons("Musevenni", "Museveni", "MUSEVENI"))
        assert found(text, grounded) == [("Museveni", "PER", "exact")]
        assert codes(grounded) == ["duplicate", "duplicate"]

    def test_a_near_match_takes_its_similarity_off_the_score(self) -> None:
        grounded = ground("Rais Museveni.", persons("Musevenni"), scores={0: 0.9})
        assert grounded.entities[0].score == pytest.approx(0.9 * 8 / 9)
        assert ground("Rais Museveni.", persons("Musevenni"), threshold=0.95).entities == ()
        assert codes(ground("Rais Museveni.", persons("Musevenni"), threshold=1)) == ["hallucinated"]

    def test_values_are_entities_and_unknown_classes_are_named(self) -> None:
        grounded = ground("Rais Ruto", [item("JobTitle", span="Rais"), item("Dragon", span="Ruto"), item("Person")])
        assert found("Rais Ruto", grounded) == [("Rais", "JobTitle", "exact")]
        assert codes(grounded) == ["unknown-class", "missing-field"]

    @pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
    def test_a_threshold_is_a_share(self, threshold: float) -> None:
        with pytest.raises(ValueError, match="threshold"):
            ground("Ruto", persons("Ruto"), threshold=threshold)


class TestRelations:
    text = "Ruto na Uhuru walikutana. Ruto anaishi Eldoret, Uhuru anaishi Gatundu."

    def test_arguments_are_the_entities_that_are_known_and_closest_together(self) -> None:
        items = [*persons("Ruto", "Uhuru", "Ruto"), item("LivesIn", arg1="Ruto", arg2="Eldoret")]
        grounded = ground(self.text, items, scores={3: 0.7})
        assert grounded.relations == (Relation("lives-in", Entity(26, 30, "PER"), Entity(39, 46, "arg2", 0.7), 0.7),)
        assert grounded.relations[0].head in grounded.entities

    def test_given_entities_are_preferred_to_other_places(self) -> None:
        given = [Entity(0, 4, "PER"), Entity(39, 46, "LOC")]
        grounded = ground(self.text, [item("LivesIn", arg1="RUTO", arg2="Eldoret")], given=given)
        assert grounded.relations == (Relation("lives-in", given[0], given[1]),)
        assert grounded.entities == ()

    def test_an_argument_gets_the_label_that_the_schema_wants(self) -> None:
        grounded = ground(self.text, [item("BornIn", arg1="Ruto", arg2="Eldoret")])
        assert [grounded.relations[0].head.label, grounded.relations[0].tail.label] == ["arg1", "LOC"]

    @pytest.mark.parametrize(
        ("relations", "kept", "code"),
        [
            ([("Raila", "Eldoret")], 0, "hallucinated"),
            ([("Eldoret", "Eldoret")], 0, "self-relation"),
            ([("Eldoret", "Gatundu"), ("Eldoret", "Gatundu")], 1, "duplicate"),
        ],
    )
    def test_what_says_nothing_new_is_named(self, relations: list[tuple[str, str]], kept: int, code: str) -> None:
        grounded = ground(self.text, [item("LivesIn", arg1=head, arg2=tail) for head, tail in relations])
        assert len(grounded.relations) == kept
        assert codes(grounded) == [code]


class TestEvents:
    text = "Ruto alikutana na Museveni mjini Kampala. Uhuru alikutana na Kagame mjini Kigali, nje ya Kampala."

    def test_an_event_has_its_trigger_and_its_arguments_in_reading_order(self) -> None:
        meeting = item("Meeting", mention="alikutana", who=("Museveni", "Ruto"), where=("Kampala",))
        grounded = ground(self.text, [meeting])
        event = grounded.events[0]
        text = AnnotatedText(self.text, "swa")
        assert text.mention(event.trigger) == "alikutana"
        assert [(argument.role, argument.entity.start) for argument in event.arguments] == [
            ("who", 0),
            ("who", 18),
            ("where", 33),
        ]
        assert grounded.problems == ()

    def test_arguments_are_those_closest_to_the_trigger(self) -> None:
        meetings = [
            item("Meeting", mention="alikutana", who=(), where=("Kampala",)),
            item("Meeting", mention="alikutana", who=("Uhuru",), where=("Kampala", "Kampala")),
        ]
        starts = [[a.entity.start for a in event.arguments] for event in ground(self.text, meetings).events]
        assert starts == [[33], [33, 42, 89]]

    def test_a_given_trigger_is_the_trigger(self) -> None:
        second = Entity(48, 57, "Meeting")
        grounded = ground(self.text, [item("Meeting", mention="alikutana", who=("Kagame",), where=())], given=[second])
        assert grounded.events == (
            Event("Meeting", second, tuple(arguments for arguments in grounded.events[0].arguments)),
        )

    def test_what_the_text_lacks_is_dropped_alone(self) -> None:
        meetings = [
            item("Meeting", mention="alikutana", who=("Raila", "Ruto", "Ruto"), where=()),
            item("Meeting", mention="aliruka", who=("Ruto",), where=()),
        ]
        grounded = ground(self.text, meetings)
        assert [len(event.arguments) for event in grounded.events] == [1]
        assert sorted(codes(grounded)) == ["duplicate", "hallucinated", "hallucinated"]


SCRIPTS = (
    "abc ABC éñß-'’.,ﬁ",
    "İIıi Şşğ",
    "ẹọṣ\u0300\u0301\u0323 àá",
    "አዲስአበባ።፣ ",
    "总统坎帕拉東京あカン、。",
    "กรุงเทพำ็่ มាន",
    "القاهرة\u064b\u0650\u0651ـﻣﺼﷺ ",
    "한국서울ᄒ\u1161\u11ab ",
    "क्षत्रि\u093eय\u094d ",
    "👨‍👩‍👧🇺🇬🇰🇪👍🏿\ufe0f\u200d",
    "\0\r\n\t\u2028\u00ad\ud800\u0301",
)
SPELLINGS = (
    str.upper,
    str.lower,
    partial(unicodedata.normalize, "NFC"),
    partial(unicodedata.normalize, "NFD"),
    partial(unicodedata.normalize, "NFKC"),
    partial(unicodedata.normalize, "NFKD"),
)
any_text = st.one_of(
    st.text(max_size=60),
    *(st.text(alphabet, max_size=40) for alphabet in SCRIPTS),
    st.text("".join(SCRIPTS), max_size=60),
)


def clusters(text: str) -> set[int]:
    """Where characters as readers see them begin and end."""
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


def check(text: str, grounded: Grounded) -> None:
    arguments = [a.entity for event in grounded.events for a in (*event.arguments,)]
    linked = [entity for relation in grounded.relations for entity in (relation.head, relation.tail)]
    triggers = [event.trigger for event in grounded.events]
    for entity in (*grounded.entities, *arguments, *linked, *triggers):
        assert 0 <= entity.start < entity.end <= len(text)
        assert {entity.start, entity.end} <= clusters(text)
        characters = regex.findall(r"\X", text[entity.start : entity.end])
        assert characters[0].strip()
        assert characters[-1].strip()
        assert 0 < entity.score <= 1
    spans = [(entity.start, entity.end, entity.label) for entity in grounded.entities]
    assert spans == sorted(set(spans))


class TestAnyTextAndAnyString:
    @given(any_text, st.lists(any_text, max_size=4), st.data())
    def test_offsets_are_exact_and_no_character_is_cut(
        self, text: str, strings: list[str], data: st.DataObject
    ) -> None:
        for _ in range(3):
            start = data.draw(st.integers(0, len(text)))
            strings.append(text[start : data.draw(st.integers(start, len(text)))])
        items = [*persons(*strings), *places(*strings[::-1], strings[-1])]
        items.append(item("LivesIn", arg1=strings[-1], arg2=strings[-2]))
        items.append(item("Meeting", mention=strings[-1], who=tuple(strings), where=()))
        grounded = ground(text, items, threshold=data.draw(st.sampled_from([0.3, 0.85, 1.0])))
        check(text, grounded)
        assert len(grounded.entities) + len(grounded.problems) >= len(items) - 2
        for entity in grounded.entities:
            if entity.match == "exact":
                assert text[entity.start : entity.end] in strings
        assert ground(text, items) == ground(text, items)

    @given(any_text, st.data())
    def test_words_of_the_text_are_found_where_they_stand(self, text: str, data: st.DataObject) -> None:
        words = list(regex.finditer(r"(?<!\S)\S+(?!\S)", text))
        assume(words)
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, len(words) - 1))
        start, end = words[first].start(), words[last].end()
        assume({start, end} <= clusters(text) and text[start:end].strip() == text[start:end])
        (entity,) = ground(text, persons(text[start:end])).entities
        assert text[entity.start : entity.end] == text[start:end]
        assert entity.match == "exact"

    @given(any_text, st.sampled_from(SPELLINGS), st.data())
    def test_other_spellings_of_words_are_found_too(
        self, text: str, spelt: Callable[[str], str], data: st.DataObject
    ) -> None:
        # What is nothing but a tatweel and accents has no other spelling that could be told from nothing.
        words = [word for word in regex.findall(r"(?<!\S)\p{L}[\p{L}\p{M}]*(?!\S)", text) if fold(word)]
        assume(words)
        word = data.draw(st.sampled_from(words))
        grounded = ground(text, persons(spelt(word)))
        check(text, grounded)
        assert grounded.entities

    @given(st.text("abç", max_size=9), st.text("abç", max_size=9), st.integers(0, 9))
    def test_edits_are_counted(self, one: str, other: str, most: int) -> None:
        rows = [list(range(len(other) + 1))]
        for index, character in enumerate(one, 1):
            row = [index]
            for column, letter in enumerate(other, 1):
                row.append(min(rows[-1][column] + 1, row[-1] + 1, rows[-1][column - 1] + (character != letter)))
            rows.append(row)
        assert min(edit_distance(one, other, most), most + 1) == min(rows[-1][-1], most + 1)

    @given(st.text("abcdefgh", min_size=8, max_size=20), st.integers(0, 19), st.sampled_from(["", "x", "xa"]), any_text)
    def test_one_wrong_letter_is_near(self, name: str, place: int, instead: str, rest: str) -> None:
        assume(place < len(name))
        damaged = name[:place] + instead[:1] + name[place + 1 :]
        text = f"{rest} {name} {rest}"
        assume(damaged not in text and name not in rest)
        grounded = ground(text, persons(damaged))
        check(text, grounded)
        near = [mention for mention, _, match in found(text, grounded) if match == "near"]
        # A neighbour that begins or ends with a letter of what is looked for may make a longer stretch more similar.
        alike = set(fold(rest)) & set(damaged)
        assert any(match != "near" for _, _, match in found(text, grounded)) or (
            len(near) == 1 and name in near[0] if alike else near == [name]
        )


class TestLongTexts:
    def test_a_megabyte_and_five_hundred_items_take_a_second(self) -> None:
        words = [f"w{number:x}q" for number in range(20_000)]
        text = " ".join(words[(7919 * number) % len(words)] for number in range(180_000))
        tokens = text.split()
        strings = [" ".join(tokens[place : place + 2]) for place in range(0, 100_000, 200)]
        strings[::10] = [string.upper() for string in strings[::10]]
        strings[5::50] = [f"{string[:3]}z{string[4:]}" for string in strings[5::50]]
        assert len(text) > 1_000_000
        assert len(ground(text, persons(*strings)).entities) >= 490
        assert fastest(lambda: ground(text, persons(*strings)), tries=5) < 1

    @pytest.mark.parametrize(
        "text", ["🇺🇬" * 5000, "a\u0301" * 9000, "क्ष" * 5000, "क्" * 5000, "👨‍👩‍👧" * 3000, "a" * 30_000, "\u200d" * 9000]
    )
    def test_endless_rows_of_one_character_take_no_time(self, text: str) -> None:
        begun = time.thread_time()
        grounded = ground(text, persons(*[text[start : start + 9] for start in range(0, 200, 7)]))
        assert time.thread_time() - begun < 5
        places = clusters(text)
        assert all({entity.start, entity.end} <= places for entity in grounded.entities)
