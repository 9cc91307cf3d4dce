"""Constrained answers: nothing but calls of the schema's classes, nothing but strings that stand in the text."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from transfusion.decoder.base import AnswerList, Prompt, Token
from transfusion.decoder.grammar import gbnf_grammar, lark_grammar
from transfusion.decoder.ground import ground_items
from transfusion.decoder.items import Item
from transfusion.decoder.parse import parse_answer
from transfusion.decoder.render import Template, build_prompt, render_list
from transfusion.decoder.scores import item_score
from transfusion.decoder.substrings import escape, split_chunks
from transfusion.errors import MissingExtraError, ModelError
from transfusion.schema.classes import Base, ClassDefinition, ClassField

pytest.importorskip("llguidance")
pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_causal import tiny_tokenizer  # noqa: E402
from transfusion.decoder.constrain import GrammarConstraint, GrammarMatcher, load_constraint  # noqa: E402

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END = "<eos>"
PERSON = ClassDefinition("Person", "Entity", "People.")
SHIP = ClassDefinition("ShipOrFerry", "Entity", "", (ClassField("span"), ClassField("port")))
OWNED_BY = ClassDefinition("OwnedBy", "Relation", "", (ClassField("arg1"), ClassField("arg2")))
SINKING = ClassDefinition(
    "Sinking",
    "Event",
    "",
    (ClassField("mention"), ClassField("vessels", "List[str]"), ClassField("places", "List[str]")),
)
CLASSES = (PERSON, SHIP, OWNED_BY, SINKING)

SWAHILI = "Meli ya MV Bukoba ilizama karibu na bandari ya \"Mwanza\" — '21 Mei'."
ENGLISH = "The ship MV Bukoba sank near the port of Mwanza."

PIECES = (
    *("Ruto", "Museveni", "ng'ombe", "l'arachide", "MV Bukoba", "a", "é", "e\u0301", "21", "_x", "Ọ̀yọ́"),
    *('"', "'", '"""', "\\", "\\n", "\\'", "(", ")", "[", "]", ",", "),", "=", "#", "{}", "…", "—"),
    *("አዲስ", "።", "مُوسِفِني", "می\u200cخواهم", "שלום", "東京", "ウガンダ", "กรุงเทพฯ", "무세베니가", "नेपाल", "ကမ္ဘာ့"),
    *("😀", "👨\u200d👩\u200d👧", "🇺🇬🇰🇪", "İ", "ß", "\u200b", "\u00ad", "\x00", "\x7f", "\ud800"),
    *(" ", " ", " ", "  ", "\n", "\t", "\xa0", "\u3000", "\u2028", "\r\n"),
)
"""What texts are made of: words of many scripts, and whatever could upset a string, a call or a list."""

texts = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
schemas = st.lists(st.sampled_from(CLASSES), min_size=1, unique=True).map(tuple)


@pytest.fixture(scope="session", params=["bytes", "letters"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """A tokenizer learnt from a few prompts: of bytes, as GPT and Qwen have, or of letters, as Llama has."""
    if request.param == "letters":
        return tiny_tokenizer()
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    lists = [f"result = [{answer}" for answer in (gold_answer([ship()]), gold_answer([sinking()]), "]")]
    learner.train_from_iterator([*lists, SWAHILI, ENGLISH] * 3, trainer)
    fast: PreTrainedTokenizerFast = transformers.PreTrainedTokenizerFast(tokenizer_object=learner, eos_token=END)
    return fast


@pytest.fixture(scope="session")
def constraint(tokenizer: PreTrainedTokenizerFast) -> GrammarConstraint:
    """What holds a model with that tokenizer."""
    return GrammarConstraint(tokenizer)


def ship() -> Item:
    """A mention of a ship in the Swahili text."""
    return Item("ShipOrFerry", {"span": "MV Bukoba", "port": 'bandari ya "Mwanza"'})


def sinking(*vessels: str) -> Item:
    """The event of the Swahili text."""
    return Item("Sinking", {"mention": "ilizama", "vessels": vessels, "places": ('"Mwanza"',)})


def gold_answer(items: Sequence[Item]) -> str:
    """The list that a model is trained to write."""
    return render_list(items, CLASSES)


def one_list(text: str, classes: Sequence[ClassDefinition] = CLASSES) -> Prompt:
    """A prompt without translation."""
    return build_prompt("ner", classes, text)


def two_lists(text: str, pivot: str, classes: Sequence[ClassDefinition] = CLASSES) -> Prompt:
    """A prompt of TransFusion: first the translation is annotated, then the text."""
    return build_prompt("ner_tf", classes, text, pivot_text=pivot)


def allows(constraint: GrammarConstraint, prompt: Prompt, answer: str) -> bool:
    """Whether a model may write this answer; it is finished at its last character and nowhere before."""
    matcher = constraint(prompt)
    for token in tokens_of(constraint, answer):
        if matcher.finished() or not matcher.accept(token):
            return False
    return matcher.finished()


def tokens_of(constraint: GrammarConstraint, text: str) -> list[int]:
    """A text in the tokens of the model."""
    return constraint.tokenizer.tokenize_str(text)


def wander(constraint: GrammarConstraint, prompt: Prompt, random: Random) -> tuple[str, GrammarMatcher]:
    """What a model writes that has no idea: any token that is allowed."""
    matcher = constraint(prompt)
    written: list[int] = []
    while not matcher.finished():
        allowed = np.flatnonzero(matcher.mask())
        assert len(allowed), "a model is never left without a way on"
        token = int(random.choice(allowed))
        assert matcher.accept(token)
        written.append(token)
    return constraint.tokenizer.decode_bytes(written).decode(), matcher


def strings_of(item: Item) -> Iterator[str]:
    """All strings of an item."""
    for value in item.arguments.values():
        yield from (value,) if isinstance(value, str) else value


@settings(max_examples=60)
@given(text=texts, pivot=texts, classes=schemas, seed=st.integers(0, 2**32))
def test_whatever_a_model_writes_can_be_read_and_stands_in_the_text(
    constraint: GrammarConstraint, text: str, pivot: str, classes: tuple[ClassDefinition, ...], seed: int
) -> None:
    prompt = two_lists(text, pivot, classes)
    answer, matcher = wander(constraint, prompt, Random(seed))
    read = parse_answer(answer, ("result", "final_result"), classes)
    assert not read.problems
    for each, of in zip(("result", "final_result"), (pivot, text), strict=True):
        items = read.lists[each]
        assert items is not None
        for string in (string for item in items for string in strings_of(item)):
            assert string in of
            assert string == string.strip() != ""
        found = ground_items(items, classes, of, labels={})
        assert "hallucinated" not in {problem.code for problem in found.problems}
    # Nothing but the end of the text may follow.
    assert np.flatnonzero(matcher.mask()).tolist() == [constraint.tokenizer.eos_token]
    assert matcher.forced() == []


@st.composite
def annotated_texts(draw: st.DrawFn) -> tuple[str, list[Item]]:
    """A text and items whose mentions begin and end where a mention may."""
    text = draw(texts)
    chunks = split_chunks(text)
    beginnings = [number for number, chunk in enumerate(chunks) if chunk.begins]

    def mention() -> str:
        first = draw(st.sampled_from(beginnings))
        last = draw(st.integers(first, len(chunks) - 1))
        return "".join(chunk.text + chunk.gap for chunk in chunks[first:last]) + chunks[last].text

    items: list[Item] = []
    for one in draw(st.lists(st.sampled_from(CLASSES), max_size=5)) if beginnings else []:
        arguments = {
            field.name: tuple(mention() for _ in range(draw(st.integers(0, 4)))) if field.many else mention()
            for field in one.fields
        }
        if Item(one.name, arguments) not in items:  # no gold says the same thing over and over
            items.append(Item(one.name, arguments))
    return text, items


@settings(max_examples=100)
@given(source=annotated_texts(), pivot=annotated_texts())
def test_every_answer_that_a_model_is_trained_to_write_is_allowed(
    constraint: GrammarConstraint, source: tuple[str, list[Item]], pivot: tuple[str, list[Item]]
) -> None:
    prompt = two_lists(source[0], pivot[0])
    answer = f"{gold_answer(pivot[1])}{prompt.between[0]}[{gold_answer(source[1])}"
    assert allows(constraint, prompt, answer)


def test_long_lines_may_be_broken_as_black_breaks_them(constraint: GrammarConstraint) -> None:
    text = " ".join(f"jina{number}" for number in range(40))
    mentions = [" ".join(text.split()[first : first + 9]) for first in (0, 10, 20)]
    for items in (
        [Item("Person", {"span": text})],
        [Item("ShipOrFerry", {"span": mentions[0], "port": "jina1"})],
        [Item("OwnedBy", {"arg1": mentions[0], "arg2": mentions[1]})],
        [Item("Sinking", {"mention": "jina1", "vessels": tuple(mentions), "places": (mentions[0],)})],
        [Item("Sinking", {"mention": "jina1", "vessels": (text,), "places": ()})],
        [Item("Sinking", {"mention": "jina1", "vessels": ("jina2",), "places": ("jina3", "jina4")})],
    ):
        assert allows(constraint, one_list(text), gold_answer(items)), gold_answer(items)


@pytest.mark.parametrize("name", ["ner_swahili", "ner_empty_lists", "ner_no_translation", "re_given_entities"])
def test_answers_of_the_published_checkpoints_are_allowed(
    constraint: GrammarConstraint, shared_data: Path, name: str
) -> None:
    case: dict[str, Any] = json.loads((shared_data / "golden_prompts" / f"{name}.json").read_text(encoding="utf-8"))
    classes = [
        ClassDefinition(
            each["name"],
            base_of(each["base"]),
            each["guideline"],
            tuple(ClassField(field["name"], field["type"], field["comment"]) for field in each["fields"]),
        )
        for each in case["types"]
    ]
    template: Template = case["template"]
    items = [Item(each["type"], each["args"]) for each in case.get("given") or []]
    prompt = build_prompt(template, classes, case["text"], pivot_text=case.get("pivot_text"), given=items)
    assert case["expected"].startswith(prompt.text)
    assert allows(constraint, prompt, case["expected"][len(prompt.text) :].rstrip("\n"))


def base_of(name: str) -> Base:
    """The base that a case file names."""
    bases: dict[str, Base] = {"Entity": "Entity", "Value": "Value", "Relation": "Relation", "Event": "Event"}
    return bases[name]


@pytest.mark.parametrize(
    ("text", "mention", "allowed"),
    [
        ("Rais wa Kampala.", "Kampala", True),
        ("Rais wa Kampala.", "Rais wa Kampala.", True),
        ("Rais wa Kampala.", "Kamp", False),
        ("Rais wa Kampala.", "pala", False),
        ("Rais wa Kampala.", "Nairobi", False),
        ("Rais wa Kampala.", "kampala", False),
        ("Rais wa Kampala.", "Rais  wa", False),
        ("Rais wa Kampala.", "Rais Kampala", False),
        ("Rais wa Kampala.", "Rais ", False),
        ("Rais wa Kampala.", "", False),
        ("Prix de l'arachide", "arachide", True),
        ("Prix de l'arachide", "l'arachide", True),
        ("東京都に行く", "東京", True),
        ("東京都に行く", "京都", True),
        ("무세베니가 왔다", "무세베니", True),
        ("무세베니가 왔다", "베니", False),
        ("አዲስ አበባ።", "አዲስ አበባ", True),
        ("👨\u200d👩\u200d👧 😀", "👨\u200d👩\u200d👧", True),
        ("👨\u200d👩\u200d👧 😀", "👩", False),
        ("Addis\nAbaba", "Addis\nAbaba", True),
    ],
)
def test_mentions_are_whole_words_of_the_text(
    constraint: GrammarConstraint, text: str, mention: str, allowed: bool
) -> None:
    answer = gold_answer([Item("Person", {"span": mention})])
    assert allows(constraint, one_list(text), answer) is allowed


@pytest.mark.parametrize(
    "answer",
    [
        '\n    City(span="Bukoba"),\n]',
        '\n    Person(name="Bukoba"),\n]',
        "\n    Person(),\n]",
        '\n    Person("Bukoba"),\n]',
        '\n    OwnedBy(arg1="Bukoba"),\n]',
        '\n    OwnedBy(arg2="Bukoba", arg1="Meli"),\n]',
        '\n    Sinking(mention="ilizama", vessels="Bukoba", places=[]),\n]',
        '\n    Person(span=["Bukoba"]),\n]',
        '\n    Person(span="Bukoba")\n]',
        '\n    Person(span="Bukoba"),\n',
        '\n    Person(span="Bukoba"),\n]]',
        '\n    Person(span="bandari ya "Mwanza""),\n]',
        "\n]",
        "",
    ],
)
def test_nothing_but_whole_calls_of_the_classes_is_allowed(constraint: GrammarConstraint, answer: str) -> None:
    assert not allows(constraint, one_list(SWAHILI), answer)


def test_strings_of_the_two_lists_come_from_their_own_texts(constraint: GrammarConstraint) -> None:
    prompt = two_lists(SWAHILI, ENGLISH)
    ship_of = {"pivot": '\n    Person(span="ship"),\n]', "source": '\n    Person(span="Meli"),\n]'}
    between = f"{prompt.between[0]}["
    assert allows(constraint, prompt, ship_of["pivot"] + between + ship_of["source"])
    assert not allows(constraint, prompt, ship_of["source"] + between + ship_of["pivot"])
    assert not allows(constraint, prompt, "]\n\nfinal_result = []")
    assert not allows(constraint, prompt, "]")


@pytest.mark.parametrize("text", ["", " \n\t\xa0"])
def test_a_text_without_words_has_no_mentions(constraint: GrammarConstraint, text: str) -> None:
    matcher = constraint(one_list(text))
    assert constraint.tokenizer.decode_str(matcher.forced()) == "]"


def test_a_short_text_leaves_no_choice_of_layout(constraint: GrammarConstraint) -> None:
    matcher = constraint(one_list("Rais Ruto", [PERSON]))
    for token in tokens_of(constraint, "\n    "):
        assert matcher.accept(token)
    assert constraint.tokenizer.decode_str(matcher.forced()).startswith("Person")
    for token in tokens_of(constraint, "Person("):
        assert matcher.accept(token)
    assert not matcher.accept(tokens_of(constraint, "\n")[0])


@settings(max_examples=30)
@given(text=texts, pivot=texts, seed=st.integers(0, 2**32))
def test_what_is_taken_back_was_never_written(constraint: GrammarConstraint, text: str, pivot: str, seed: int) -> None:
    random = Random(seed)
    matcher = constraint(two_lists(text, pivot))
    masks = [matcher.mask()]
    for _ in range(100):
        if matcher.finished() or random.random() < 0.1:
            back = random.randrange(matcher.finished(), len(masks))
            matcher.rollback(back)
            del masks[len(masks) - back :]
            np.testing.assert_array_equal(matcher.mask(), masks[-1])
        assert matcher.accept(int(random.choice(np.flatnonzero(masks[-1]))))
        masks.append(matcher.mask())


def test_a_refused_token_changes_nothing(constraint: GrammarConstraint) -> None:
    matcher = constraint(one_list(SWAHILI))
    before = matcher.mask()
    refused = int(np.flatnonzero(~before)[0])
    assert not matcher.accept(refused)
    np.testing.assert_array_equal(matcher.mask(), before)
    with pytest.raises(ValueError, match="cannot take back 1 tokens of 0"):
        matcher.rollback(1)


def test_a_model_that_repeats_itself_is_led_to_the_end_of_the_list(constraint: GrammarConstraint) -> None:
    prompt = two_lists(SWAHILI, ENGLISH)
    loop = tokens_of(constraint, '\n    Person(span="ship"),\n    Person(span="MV Bukoba"),')
    matcher = constraint(prompt)
    accepted = 0
    while matcher.accept(loop[accepted % len(loop)]):
        accepted += 1
    assert accepted < 3 * len(loop)  # two items in their own right, and three too many
    assert constraint.tokenizer.decode_str(matcher.forced()).lstrip("\n").startswith("]\n\n# The annotation instances")
    # A model may look ahead, find out that it is in a loop, and come back from it.
    matcher.rollback(accepted - len(loop))
    for token in tokens_of(constraint, f'\n    Person(span="port"),\n]{prompt.between[0]}[]'):
        assert matcher.accept(token)
    assert matcher.finished()


def test_a_mention_that_stands_in_the_text_twice_may_be_named_twice(constraint: GrammarConstraint) -> None:
    names = ["Ruto", "Ruto", "Ruto", "Ruto", "Odinga", "Ruto"]
    items = [Item("Person", {"span": name}) for name in names]
    assert allows(constraint, one_list("Ruto, Ruto, Ruto na Odinga"), gold_answer(items))


def test_after_a_loop_in_the_pivot_the_source_is_still_annotated(constraint: GrammarConstraint) -> None:
    prompt = two_lists(SWAHILI, ENGLISH)
    looping = '\n    Person(span="ship"),' * 4 + "\n]"
    assert allows(constraint, prompt, f"{looping}{prompt.between[0]}[{gold_answer([ship(), sinking('MV Bukoba')])}")


def test_a_list_does_not_grow_without_end(constraint: GrammarConstraint) -> None:
    letters = "abcdefghijklmnop"
    text = " ".join(letters)
    spans = [text[first:last] for first in range(0, 31, 2) for last in range(first + 1, 32, 2)]
    items = [Item("Person", {"span": span}) for span in spans]
    most = 16 + len(letters)
    assert allows(constraint, one_list(text), gold_answer(items[:most]))
    assert not allows(constraint, one_list(text), gold_answer(items[: most + 1]))


def test_llama_cpp_is_given_the_same_grammar(constraint: GrammarConstraint) -> None:
    from llguidance import LLMatcher
    from llguidance.gbnf_to_lark import gbnf_to_lark

    text = 'Rais "Ruto" \\ wa\nKampala'
    prompt = one_list(text, [PERSON, SINKING])
    grammar = gbnf_grammar(prompt)
    assert grammar is not None
    answers = [wander(constraint, prompt, Random(seed))[0] for seed in range(10)]
    for answer, allowed in [*((answer, True) for answer in answers), ('\n    Person(span="Nairobi"),\n]', False)]:
        matcher = LLMatcher(constraint.tokenizer, gbnf_to_lark(grammar), log_level=0)
        assert not matcher.is_error()
        tokens = tokens_of(constraint, answer)
        assert (matcher.try_consume_tokens(tokens) == len(tokens)) is allowed
        assert matcher.is_accepting() is allowed


def test_llama_cpp_is_given_no_grammar_that_would_slow_it_down() -> None:
    assert gbnf_grammar(one_list("neno " * 1000)) is None
    assert "neno" in lark_grammar(one_list("neno " * 1000))


def test_a_long_text_can_be_constrained(constraint: GrammarConstraint) -> None:
    text = " ".join(f"neno{number}" for number in range(4000))
    answer = gold_answer([Item("Person", {"span": "neno3999"})])
    assert allows(constraint, one_list(text, [PERSON]), answer)


def test_a_tokenizer_that_llguidance_cannot_take(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError, match="llguidance cannot take the tokenizer object"):
        GrammarConstraint(object())
    with caplog.at_level(logging.WARNING):
        assert load_constraint(object()) is None
    assert "answers are not constrained" in caplog.text


def test_without_llguidance_the_extra_is_named(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtraError, match=r"transfusion-ie\[decoder\]"):
        load_constraint(tokenizer)


def test_a_model_may_know_more_tokens_than_its_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    wide = GrammarConstraint(tokenizer, len(tokenizer) + 77)
    assert wide(Prompt("result = [", (AnswerList("result", "Ruto"),))).mask().shape == (len(tokenizer) + 77,)


@given(text=st.text(), quote=st.sampled_from(['"', "'"]))
def test_escaped_text_is_a_python_string(text: str, quote: str) -> None:
    import ast

    body = escape(text, quote)
    assert ast.literal_eval(quote + body + quote) == text
    assert body.isprintable()


@given(text=texts)
def test_chunks_and_their_gaps_are_the_text(text: str) -> None:
    chunks = split_chunks(text)
    assert "".join(chunk.text + chunk.gap for chunk in chunks) == text.lstrip()
    assert not any(chunk.text.isspace() for chunk in chunks)
    assert all(chunk.gap.isspace() for chunk in chunks if chunk.gap)


def test_an_item_is_as_sure_as_all_its_tokens_together() -> None:
    halves = [Token(start, start + 2, float(np.log(0.5))) for start in range(0, 10, 2)]
    assert item_score(halves, 2, 6) == pytest.approx(0.25)
    assert item_score(halves, 3, 6) == pytest.approx(0.25)  # a token that reaches in counts
    assert item_score(halves, 0, 10) == pytest.approx(0.5**5)
    assert item_score(halves, 10, 12) is None
    assert item_score([], 0, 10) is None


def test_a_character_of_several_tokens_is_as_sure_as_they_are() -> None:
    # An emoji at 10, in four tokens; a backend shows it with the first of them, another with the last.
    first = [Token(7, 10, 0.0), Token(10, 11, -1.0), Token(11, 11, -2.0), Token(11, 11, -3.0), Token(11, 13, -0.5)]
    last = [Token(7, 10, 0.0), Token(10, 10, -1.0), Token(10, 10, -2.0), Token(10, 11, -3.0), Token(11, 13, -0.5)]
    assert item_score(first, 0, 13) == item_score(last, 0, 13) == pytest.approx(np.exp(-6.5))
    assert item_score(first, 10, 11) == item_score(last, 10, 11) == pytest.approx(np.exp(-6))
