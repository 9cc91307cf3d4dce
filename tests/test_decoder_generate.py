"""Answers of language models in this process: the same as by transformers' own greedy search, only sooner."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.decoder.base import AnswerList, Generation, Prompt
from transfusion.decoder.lookup import Acceptance, History
from transfusion.decoder.prefix import common_length, group_by_beginning, shared_length
from transfusion.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_causal import BETWEEN, KINDS, TEXTS, prompt, tiny_model, tiny_tokenizer  # noqa: E402
from transfusion.decoder.answer import Answer  # noqa: E402
from transfusion.decoder.generate import TransformersGenerator  # noqa: E402
from transfusion.decoder.keys import Fed, alike  # noqa: E402
from transfusion.decoder.packing import PackedLayers  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ANSWER = '\n    Person(span="Ruto"),\n    Location(span="Kampala"),\n]' + BETWEEN + '[\n    Person(span="Ruto"),\n]'


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@functools.cache
def model(kind: str) -> PreTrainedModel:
    return tiny_model(kind, len(tokenizer()))


@functools.cache
def taught() -> PreTrainedModel:
    """A Llama that has learnt one answer by heart, and writes it whatever the text is."""
    learner: Any = tiny_model("llama", len(tokenizer()), spread=0.1)
    prompts = [tokenizer()(prompt(*pair).text)["input_ids"] for pair in TEXTS]
    answer = tokenizer()(ANSWER + "\n", add_special_tokens=False)["input_ids"]
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1e-2)
    for _ in range(30):
        for ids in prompts:
            labels = torch.tensor([[-100] * len(ids) + answer])
            optimiser.zero_grad()
            learner(input_ids=torch.tensor([ids + answer]), labels=labels).loss.backward()
            optimiser.step()
    learnt: PreTrainedModel = learner.train(False)
    return learnt


def generator(network: PreTrainedModel, **settings: Any) -> TransformersGenerator:
    settings = {"max_new_tokens": 40, "constrained": False, **settings}
    return TransformersGenerator(network, tokenizer(), **settings)


def greedy(network: PreTrainedModel, prompts: Sequence[Prompt], most: int) -> list[list[int]]:
    """What transformers itself writes, prompt by prompt."""
    return [list(_greedy(network, one.text, most)) for one in prompts]


@functools.cache
def _greedy(network: Any, text: str, most: int) -> tuple[int, ...]:
    ids = torch.tensor([tokenizer()(text)["input_ids"]])
    with torch.inference_mode():
        made = network.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, do_sample=False)
    return tuple(made[0, ids.shape[1] :].tolist())


def up_to_the_end(one: Prompt, ids: Sequence[int]) -> tuple[str, int]:
    """The text of an answer up to its end, and how many tokens that is."""
    answer = Answer(tokenizer().backend_tokenizer, tokenizer()(one.text)["input_ids"], one.lists)
    for token in ids:
        if token == tokenizer().eos_token_id or answer.finished:
            break
        answer.add(token)
    answer.score([0.0] * len(answer.ids))
    return answer.generation().text, len(answer.ids)


def check_same(answers: Sequence[Generation], network: PreTrainedModel, prompts: Sequence[Prompt], most: int) -> None:
    expected = [up_to_the_end(*pair) for pair in zip(prompts, greedy(network, prompts, most), strict=True)]
    assert [(answer.text, len(answer.tokens)) for answer in answers] == expected


RAGGED = [prompt(*pair) for pair in TEXTS]
CASES = {
    "prompts of many lengths": RAGGED,
    "a single prompt": RAGGED[:1],
    "the same prompt three times, which leaves nothing of their own": [RAGGED[1]] * 3,
    "one prompt that begins with another": [RAGGED[0], Prompt(RAGGED[0].text + "\n", RAGGED[0].lists)],
    "prompts with nothing in common": [Prompt(text, (AnswerList("result", text),)) for text in ("a = [", "b c = [")],
    "guidelines of two schemas": [
        Prompt(head * 40 + one.text, one.lists, one.between) for head in ("span ", "Ruto ") for one in RAGGED[:2]
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_answers_are_those_of_plain_greedy_search(kind: str, case: str) -> None:
    prompts = CASES[case]
    for lookup in (False, True):
        # Room for about two rows, so that rows wait for one another.
        answers = generator(model(kind), lookup=lookup, batch_tokens=250).generate(prompts)
        check_same(answers, model(kind), prompts, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_wild_guesses_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Acceptance, "rate", lambda *_: 1.0)
    rejected = []
    record = Acceptance.record

    def recorded(self: Acceptance, matched: int, *, guessed: int, confirmed: int) -> None:
        rejected.append(guessed - confirmed)
        record(self, matched, guessed=guessed, confirmed=confirmed)

    monkeypatch.setattr(Acceptance, "record", recorded)
    answers = generator(model(kind)).generate(RAGGED)
    check_same(answers, model(kind), RAGGED, 40)
    assert sum(map(bool, rejected)) > 20


def test_an_answer_ends_with_the_bracket_of_its_last_list() -> None:
    answers = generator(taught(), max_new_tokens=200).generate(RAGGED)
    assert [(answer.text, answer.finished) for answer in answers] == [(ANSWER, True)] * len(RAGGED)
    short = generator(taught(), max_new_tokens=10).generate(RAGGED[:1])[0]
    assert not short.finished
    assert ANSWER.startswith(short.text)
    assert len(short.tokens) == 10


def test_guesses_save_most_of_the_passes() -> None:
    def passes(lookup: bool) -> int:
        made = generator(taught(), lookup=lookup, max_new_tokens=200)
        count = 0
        forward = made.model.base_model.forward

        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            return forward(*args, **kwargs)

        made.model.base_model.forward = counted
        try:
            made.generate(RAGGED[:1])
        finally:
            made.model.base_model.forward = forward
        return count

    assert passes(lookup=True) <= passes(lookup=False) / 2


def test_guidelines_are_read_once_for_a_run() -> None:
    made = generator(model("llama"), max_new_tokens=4, lookup=False)
    read: list[int] = []
    forward = made.model.base_model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        read.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    made.model.base_model.forward = counted
    try:
        made.generate(RAGGED[:2])
        first = sum(read)
        read.clear()
        made.generate(RAGGED[:2])
    finally:
        made.model.base_model.forward = forward
    shared = shared_length([tokenizer()(one.text)["input_ids"] for one in RAGGED[:2]])
    assert shared > 30
    assert sum(read) == first - shared


def test_tokens_cover_the_answer_and_their_probabilities_are_the_models() -> None:
    prompts = RAGGED[:2]
    for one, answer in zip(prompts, generator(taught(), max_new_tokens=200).generate(prompts), strict=True):
        assert answer.tokens[0].start == 0
        assert answer.tokens[-1].end == len(answer.text)
        assert all(a.end == b.start for a, b in zip(answer.tokens, answer.tokens[1:], strict=False))
        ids = tokenizer()(one.text)["input_ids"]
        (written,) = greedy(taught(), [one], len(answer.tokens))
        with torch.inference_mode():
            logps = taught()(torch.tensor([ids + written])).logits[0].log_softmax(-1)
        expected = [float(logps[len(ids) - 1 + place, token]) for place, token in enumerate(written)]
        assert [token.logprob for token in answer.tokens] == pytest.approx(expected, abs=1e-3)


def test_a_prompt_longer_than_the_context_is_an_error() -> None:
    made = generator(tiny_model("llama", len(tokenizer()), positions=64))
    assert made.context == 64
    with pytest.raises(ModelError, match=r"prompt 2 of 2 has \d+ tokens; the model reads 64"):
        made.generate([Prompt("a = [", (AnswerList("result", "a"),)), RAGGED[0]])


def test_the_answer_stops_where_the_context_does() -> None:
    small = tiny_model("llama", len(tokenizer()), positions=16)
    made = generator(small, max_new_tokens=100, constraint_for=lambda _: OnlyThis("Ruto " * 40))
    (answer,) = made.generate([Prompt("a = [", (AnswerList("result", "a"),))])
    assert len(answer.tokens) == 16 - made.count_tokens("a = [")
    assert not answer.finished


def test_no_prompts_no_answers() -> None:
    assert generator(model("llama")).generate([]) == []


def test_the_model_attends_in_its_own_way_again() -> None:
    ids = torch.tensor([tokenizer()(RAGGED[0].text)["input_ids"]])
    with torch.inference_mode():
        before = model("qwen2")(ids).logits
        generator(model("qwen2")).generate(RAGGED)
        assert torch.equal(model("qwen2")(ids).logits, before)


@pytest.mark.parametrize("spare", [0, 1 << 14])
def test_long_prompts_are_read_in_parts(spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfusion.decoder.generate._CHUNK", 7)
    monkeypatch.setattr("transfusion.decoder.keys._MOST_SCORES", {"cpu": 5000})
    monkeypatch.setattr("transfusion.decoder.keys._SPARE_SCORES", {"cpu": spare})
    for kind in KINDS:
        answers = generator(model(kind), max_new_tokens=12).generate(RAGGED)
        check_same(answers, model(kind), RAGGED, 12)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 130)), max_size=40), st.integers(0, 200))
def test_little_of_what_goes_through_attention_is_padding(rows: list[tuple[int, int]], shared: int) -> None:
    fed = [Fed(slot, place, count) for slot, (place, count) in enumerate(rows)]
    groups = list(alike(fed, shared, 4, "cpu"))
    assert [row for group in groups for row in group] == fed
    for group in groups:
        needed = sum(4 * row.count * (shared + row.place + row.count) for row in group)
        keys = shared + max(row.place + row.count for row in group)
        computed = 4 * len(group) * max(row.count for row in group) * keys
        assert len(group) == 1 or computed <= min(1 << 19, needed + (1 << 14))
    alone = [Fed(slot, 100, 1) for slot in range(40)]
    assert list(alike(alone, shared, 4, "cpu")) == [alone]  # what is alike stays together


@pytest.mark.parametrize(("dtype", "share"), [("bfloat16", 0.02), ("float32", 1e-5)])
def test_packed_weights_give_the_same_opinions(dtype: str, share: float) -> None:
    network = tiny_model("qwen2", len(tokenizer())).to(getattr(torch, dtype))
    ids = torch.tensor([tokenizer()(RAGGED[0].text)["input_ids"]])
    with torch.inference_mode():
        expected = network(ids).logits
        with PackedLayers(network).in_use():
            assert "forward" in vars(network.lm_head)
            packed = network(ids).logits
        assert torch.equal(network(ids).logits, expected)
    assert float((packed - expected).norm() / expected.norm()) < share


def test_a_model_of_another_kind_is_refused() -> None:
    other = tiny_model("llama", len(tokenizer()))
    other.config.layer_types = ["full_attention", "chunked_attention", "full_attention"]
    with pytest.raises(ModelError, match="chunked_attention"):
        generator(other)


class OnlyThis:
    """Holds an answer to one text, in any tokens that make it up."""

    def __init__(self, text: str) -> None:
        self.rest = [text]
        names = tokenizer().convert_ids_to_tokens(list(range(len(tokenizer()))))
        self.texts = [name.replace("▁", " ") for name in names]

    def mask(self) -> NDArray[np.bool_]:
        return np.array([bool(text) and self.rest[-1].startswith(text) for text in self.texts])

    def accept(self, token: int, /) -> bool:
        if not self.mask()[token]:
            return False
        self.rest.append(self.rest[-1][len(self.texts[token]) :])
        return True

    def forced(self) -> list[int]:
        allowed = np.flatnonzero(self.mask())
        return allowed.tolist() if len(allowed) == 1 else []

    def rollback(self, count: int, /) -> None:
        del self.rest[len(self.rest) - count :]

    def finished(self) -> bool:
        return not self.rest[-1]


@pytest.mark.parametrize("lookup", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_held_to_its_constraint(kind: str, lookup: bool) -> None:
    wanted = ANSWER.replace("\n", " ")
    made = generator(model(kind), lookup=lookup, max_new_tokens=300, constraint_for=lambda _: OnlyThis(wanted))
    for answer in made.generate(RAGGED[:2]):
        assert answer.text == wanted
        assert answer.tokens
        assert all(token.logprob <= 0 for token in answer.tokens)


def test_of_the_allowed_tokens_the_most_probable_is_chosen() -> None:
    made = generator(model("llama"), max_new_tokens=1, constraint_for=lambda _: OnlyThis("Person(span"))
    (answer,) = made.generate(RAGGED[:1])
    with torch.inference_mode():
        logits = model("llama")(torch.tensor([tokenizer()(RAGGED[0].text)["input_ids"]])).logits[0, -1]
    allowed = np.flatnonzero(OnlyThis("Person(span").mask()).tolist()
    assert len(allowed) > 1
    best = max(allowed, key=lambda token: float(logits[token]))
    assert answer.text == OnlyThis("").texts[best]
    assert answer.tokens[0].logprob == pytest.approx(float(logits.log_softmax(0)[best]), abs=1e-3)
    assert math.exp(answer.tokens[0].logprob) < 0.5  # it is what the model thinks of it, constraint or not


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(4, 545), max_size=40))
def test_spans_of_tokens_fit_the_text_whatever_is_written(ids: list[int]) -> None:
    answer = Answer(tokenizer().backend_tokenizer, tokenizer()(RAGGED[0].text)["input_ids"], RAGGED[0].lists)
    for token in ids:
        answer.add(token)
    answer.score([0.0] * len(ids))
    made = answer.generation()
    ends = [0, *(token.end for token in made.tokens)]
    assert [token.start for token in made.tokens] == ends[:-1]
    assert ends[-1] == len(made.text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="[]▁�"), max_size=30))
def test_characters_of_several_tokens_come_whole(text: str) -> None:
    ids = tokenizer()(text, add_special_tokens=False)["input_ids"]
    answer = Answer(tokenizer().backend_tokenizer, tokenizer()("result = [")["input_ids"], RAGGED[0].lists)
    for token in ids:
        answer.add(token)
    answer.score([0.0] * len(ids))
    assert answer.generation().text == text


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6))
def test_all_rows_share_their_beginning_and_keep_something(rows: list[list[int]]) -> None:
    shared = shared_length(rows)
    assert all(row[:shared] == rows[0][:shared] and len(row) > shared for row in rows)
    longer = {tuple(row[: shared + 1]) for row in rows}
    assert len(longer) > 1 or min(map(len, rows)) == shared + 1
    assert common_length(rows[0], rows[0]) == len(rows[0])


def test_rows_are_grouped_by_their_guidelines() -> None:
    one, other = [1] * 70, [2] * 70
    assert group_by_beginning([[*one, 3], [*other, 3], [9], [*one, 4], [*other, 5], [8]]) == [[0, 3], [1, 4], [2, 5]]
    assert group_by_beginning([]) == []


def test_a_guess_goes_on_as_the_longest_match_did() -> None:
    sure = Acceptance()
    history = History([[1, 2, 3, 4], [9, 2, 3, 5, 6], [1, 2, 3]])
    assert history.guess(sure, most=1, worth=0.0) == ([4], 3)
    assert history.guess(sure, most=9, worth=0.0)[0] == [4]  # one text does not go on in the next
    history.extend([5])
    assert history.guess(sure, most=9, worth=0.0)[0][:1] == [6]
    assert History([[1, 2]]).guess(sure, most=9, worth=0.0) == ([], 0)
    assert history.guess(sure, most=9, worth=1.1)[0] == []


def test_what_is_often_wrong_is_not_guessed_again() -> None:
    acceptance = Acceptance()
    before = acceptance.rate(2)
    for _ in range(20):
        acceptance.record(2, guessed=3, confirmed=0)
    assert acceptance.rate(2) < before / 3
    assert acceptance.rate(3) == Acceptance().rate(3)  # nobody knows whether the second would have been right
    for _ in range(20):
        acceptance.record(2, guessed=3, confirmed=2)
    assert acceptance.rate(3) > acceptance.rate(4)
