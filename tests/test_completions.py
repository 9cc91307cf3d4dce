"""A decoder behind a server: where its answers end, how sure it is of them, and servers in trouble."""

from __future__ import annotations

import json
import logging
import math
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from completions_server import (
    ANSWER,
    BETWEEN,
    DONE,
    ENGLISH,
    GOES_ON,
    GUIDELINES,
    SWAHILI,
    CompletionsServer,
    data,
    event,
    generator,
    pieces_of,
    prompt,
    refuses,
    streams,
    streams_bytes,
)
from http_server import Response, fails, tells
from transfusion.chat.failures import ChatError
from transfusion.chat.patience import Patience
from transfusion.decoder.base import AnswerList, Generation, Prompt, Token
from transfusion.decoder.completions import CompletionsGenerator
from transfusion.decoder.grammar import gbnf_grammar
from transfusion.errors import ConfigError, MissingExtraError, ModelError

pytest.importorskip("openai")

KEY = "sk-5ecret-0f-n0b0dy-e15e"
EMPTY = f"]{BETWEEN}[]"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[CompletionsServer]:
    with CompletionsServer().running() as server:
        yield server


def only(generations: Sequence[Generation]) -> Generation:
    (generation,) = generations
    return generation


def ask(server: CompletionsServer, **settings: Any) -> Generation:
    return only(generator(server, **settings).generate([prompt()]))


class TestAnswers:
    def test_a_prompt_is_sent_as_it_is_and_answered_greedily(self, server: CompletionsServer) -> None:
        assert ask(server, max_tokens=300).text == ANSWER
        body = server.requests[0].body
        assert body["prompt"] == prompt().text
        assert (body["model"], body["temperature"], body["max_tokens"], body["stream"]) == ("tiny", 0.0, 300, True)
        assert "stop" not in body

    @pytest.mark.parametrize("answer", [ANSWER, EMPTY, ANSWER.replace("Ruto", "[Ruto]]")])
    def test_an_answer_ends_at_the_bracket_of_its_last_list(self, server: CompletionsServer, answer: str) -> None:
        server.usual = lambda _: streams(answer + "]\n]\n\n\n# This is the text to analyze\nresult = []")
        generation = ask(server)
        assert (generation.text, generation.finished, generation.problem) == (answer, True, "")

    def test_a_server_is_not_left_writing(self, server: CompletionsServer) -> None:
        server.usual = lambda _: streams(GOES_ON, pause=0.005)
        begun = time.monotonic()
        assert ask(server).text == ANSWER
        assert time.monotonic() - begun < len(pieces_of(GOES_ON)) * 0.005
        deadline = time.monotonic() + 10
        while not server.hung_up and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.hung_up == 1

    def test_an_answer_that_is_too_long_is_kept_as_far_as_it_came(self, server: CompletionsServer) -> None:
        server.usual = lambda _: streams(ANSWER[:50], finish="length")
        generation = ask(server)
        assert (generation.text, generation.finished, generation.problem) == (ANSWER[:50], False, "")

    def test_the_end_may_be_told_by_the_stream_alone(self, server: CompletionsServer) -> None:
        server.usual = lambda _: streams_bytes([event("\n    PER("), DONE])
        assert ask(server).text == "\n    PER("

    def test_characters_are_put_together_from_the_bytes_of_several_chunks(self, server: CompletionsServer) -> None:
        answer = '\n    PER(span="አዲስ አበባ 🙂 ɛɔ"),\n]' + BETWEEN + "[]"
        stream = b": a comment\r\nevent: completion\r\n" + b"".join(map(event, pieces_of(answer, 3))) + DONE
        server.usual = lambda _: streams_bytes(stream[start : start + 7] for start in range(0, len(stream), 7))
        assert ask(server).text == answer

    def test_a_server_that_does_not_stream_is_understood(self, server: CompletionsServer) -> None:
        whole = {"choices": [{"text": GOES_ON, "finish_reason": "length"}], "usage": None}
        server.usual = lambda _: Response(json.dumps(whole, indent=2).encode())
        assert (ask(server).text, ask(server).tokens) == (ANSWER, ())

    def test_what_was_used_is_counted_where_a_server_says_it(self, server: CompletionsServer) -> None:
        used = {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 99}}
        server.usual = lambda _: streams_bytes([data(used), event("]"), DONE])
        decoder = generator(server)
        decoder.generate([prompt()])
        assert (decoder.usage.input_tokens, decoder.usage.output_tokens, decoder.usage.unmetered) == (90, 9, 0)

    def test_many_prompts_come_back_in_order_and_the_longest_is_asked_first(self, server: CompletionsServer) -> None:
        server.usual = lambda r: streams(f"\n    PER(span={str(r.prompt.count('ħ'))!r}),\n]{BETWEEN}[]")
        prompts = [prompt("ħ" * n) for n in (3, 30, 1, 20)]
        found = generator(server, concurrency=1).generate(prompts)
        assert [generation.text[15] for generation in found] == ["3", "3", "1", "2"]
        assert [request.prompt.count("ħ") for request in server.requests] == [30, 20, 3, 1]

    def test_prompts_of_a_schema_stay_together(self, server: CompletionsServer) -> None:
        people, places = prompt().classes
        prompts = [prompt("ħ" * n, classes=(one,)) for n, one in ((1, people), (2, places), (3, people), (4, places))]
        generator(server, concurrency=1, guided="off").generate(prompts)
        assert [request.prompt.count("ħ") for request in server.requests] == [3, 1, 4, 2]

    def test_so_many_requests_at_a_time_and_no_more(self, server: CompletionsServer) -> None:
        server.usual = lambda _: Response(streams(ANSWER).body, chunks=streams(ANSWER).chunks, delay=0.03)
        generator(server, concurrency=3).generate([prompt(str(n)) for n in range(12)])
        assert server.busiest == 3

    def test_no_prompts_no_requests(self, server: CompletionsServer) -> None:
        assert generator(server).generate([]) == []

    def test_half_a_surrogate_pair_is_asked_about_as_a_question_mark(self, server: CompletionsServer) -> None:
        broken = Prompt("text = '\ud83d' result = [", (AnswerList("result", "\ud83d"),))
        assert only(generator(server).generate([broken])).text == ANSWER[: ANSWER.index("]") + 1]
        assert server.requests[0].prompt == "text = '?' result = ["


class TestProbabilities:
    def test_tokens_of_vllm_stand_where_their_text_is(self, server: CompletionsServer) -> None:
        generation = ask(server.like_vllm())
        assert "".join(generation.text[token.start : token.end] for token in generation.tokens) == ANSWER
        assert generation.tokens[2] == Token(10, 15, -0.2)
        assert server.requests[0].body["logprobs"] == 1

    def test_what_stands_behind_the_end_is_left_out(self, server: CompletionsServer) -> None:
        server.usual = lambda _: streams([f"]{BETWEEN}[", "]\n\n", "\n", "# The"])
        generation = ask(server)
        assert generation.tokens == (Token(0, len(EMPTY) - 1, -0.0), Token(len(EMPTY) - 1, len(EMPTY), -0.1))

    def test_a_character_of_several_tokens_belongs_to_the_first_as_llama_cpp_tells_their_bytes(
        self, server: CompletionsServer
    ) -> None:
        told = [
            {"token": '"', "bytes": [0x22], "logprob": -0.1, "top_logprobs": []},
            {"token": "�", "bytes": [0xE1, 0x8A], "logprob": -0.2, "top_logprobs": []},
            {"token": "�", "bytes": [0xA0, 0xE1], "logprob": -0.3, "top_logprobs": []},
            {"token": "�", "bytes": [0x8B, 0xB2], "logprob": -0.4, "top_logprobs": []},
            {"token": '"]', "bytes": [0x22, 0x5D], "logprob": -0.5, "top_logprobs": []},
        ]
        server.usual = lambda _: streams_bytes([event('"አዲ"]', logprobs={"content": told}), DONE])
        one = Prompt("result = [", (AnswerList("result", "አዲ"),))
        assert only(generator(server).generate([one])).tokens == (
            Token(0, 1, -0.1),
            Token(1, 2, -0.2),
            Token(2, 3, -0.3),
            Token(3, 3, -0.4),
            Token(3, 5, -0.5),
        )

    @pytest.mark.parametrize("middle", [["", "", "አ"], ["�", "�", "�"], ["token_id:7", "token_id:8", "token_id:9"]])
    def test_tokens_round_one_that_is_told_badly_stay_in_place(
        self, server: CompletionsServer, middle: list[str]
    ) -> None:
        told = {"tokens": ["PER", *middle, "]"], "token_logprobs": [-1, -2, -3, -4, -5]}
        server.usual = lambda _: streams_bytes([event("PERአ]", logprobs=told), DONE])
        tokens = only(generator(server).generate([Prompt("[", (AnswerList("result", ""),))])).tokens
        assert (tokens[0], tokens[-1]) == (Token(0, 3, -1.0), Token(4, 5, -5.0))
        assert sum(token.end - token.start for token in tokens[1:-1]) == 1
        assert all(a.end == b.start for a, b in zip(tokens, tokens[1:], strict=False))

    @pytest.mark.parametrize(
        "logprobs",
        [
            None,
            [],
            "no",
            {},
            {"tokens": None, "token_logprobs": None},
            {"tokens": ["\n"], "token_logprobs": [None]},
            {"content": None},
            {"content": [None, {"token": 3, "bytes": ["a"], "logprob": "high"}]},
        ],
    )
    def test_a_server_that_tells_none_or_nonsense_still_answers(self, server: CompletionsServer, logprobs: Any) -> None:
        server.usual = lambda _: streams_bytes([event(ANSWER, logprobs=logprobs), DONE])
        assert ask(server) == Generation(ANSWER, finished=True)

    def test_a_server_that_refuses_to_tell_is_asked_without(
        self, server: CompletionsServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.usual = refuses("logprobs", "logprobs are not enabled")
        assert ask(server).text == ANSWER
        assert "does not take logprobs and is asked without" in caplog.text
        assert "grammar" in server.requests[-1].body


class TestGrammars:
    @pytest.mark.parametrize(
        ("kind", "name", "more"),
        [
            (lambda server: server, "grammar", {}),
            (lambda server: server.like_llama_cpp(), "grammar", {"cache_prompt": True, "repeat_penalty": 1.0}),
            (lambda server: server.like_vllm(), "structured_outputs", {"repetition_penalty": 1.0}),
            (lambda server: server.like_vllm("0.10.2"), "guided_grammar", {"repetition_penalty": 1.0}),
            (lambda server: server.like_vllm("dev"), "structured_outputs", {"repetition_penalty": 1.0}),
        ],
        ids=["unknown", "llama.cpp", "vLLM", "old vLLM", "vLLM of unknown age"],
    )
    def test_each_kind_of_server_is_held_to_a_grammar_in_its_own_way(
        self, server: CompletionsServer, kind: Any, name: str, more: dict[str, Any]
    ) -> None:
        assert ask(kind(server)).finished
        usual = {"model", "prompt", "max_tokens", "temperature", "stream", "logprobs"}
        grammar = gbnf_grammar(prompt())
        expected = {"grammar": grammar} if name == "structured_outputs" else grammar
        assert {k: v for k, v in server.requests[0].body.items() if k not in usual} == {name: expected, **more}

    def test_one_may_be_chosen_or_none(self, server: CompletionsServer) -> None:
        ask(server.like_llama_cpp(), guided="guided_grammar")
        assert server.requests[-1].body["guided_grammar"].startswith("root ::=")
        ask(server, guided="off")
        generator(server).generate([prompt(classes=())])
        assert not [body for r in server.requests[1:] for body in r.body if "gram" in body or "structured" in body]

    def test_a_text_that_is_too_long_for_one_is_asked_about_without(self, server: CompletionsServer) -> None:
        long = prompt("neno " * 500)
        assert gbnf_grammar(long) is None
        generator(server).generate([long])
        assert "grammar" not in server.requests[0].body

    @pytest.mark.parametrize("message", ["failed to parse grammar", "Invalid request", "unknown field"])
    def test_a_server_that_refuses_one_is_asked_without_and_that_is_told_once(
        self, server: CompletionsServer, message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.usual = refuses("grammar", message)
        decoder = generator(server, concurrency=2)
        for _ in range(2):
            assert all(answer.text == ANSWER for answer in decoder.generate([prompt(), prompt("Kampala")]))
        assert caplog.text.count("does not take grammar and is asked without") == 1
        assert len(server.requests) <= 6

    def test_it_may_be_refused_in_the_middle_of_a_stream(self, server: CompletionsServer) -> None:
        refused = {"error": {"code": 400, "message": "grammar: too many rules", "type": "invalid_request_error"}}
        server.usual = lambda r: streams_bytes([data(refused)]) if "grammar" in r.body else streams(ANSWER)
        assert ask(server).text == ANSWER


class TestLengths:
    def test_the_context_is_what_the_server_says(self, server: CompletionsServer) -> None:
        assert generator(server.like_vllm(context=2048)).context == 2048
        assert generator(server.like_llama_cpp(context=1024)).context == 1024
        assert generator(server, context=512).context == 512

    def test_a_server_that_does_not_say_has_a_usual_one(
        self, server: CompletionsServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        decoder = generator(server)
        assert (decoder.context, decoder.context) == (4096, 4096)
        assert caplog.text.count("does not tell its context") == 1

    def test_tokens_are_counted_by_the_server_or_guessed(self, server: CompletionsServer) -> None:
        assert 5 <= generator(server).count_tokens(ENGLISH) <= 15
        assert generator(server.like_vllm()).count_tokens(SWAHILI) == len(SWAHILI)
        assert generator(server.like_llama_cpp()).count_tokens("አዲስ አበባ") == 7

    def test_a_prompt_without_room_for_an_answer_is_an_error_before_anything_is_asked(
        self, server: CompletionsServer
    ) -> None:
        decoder = generator(server.like_vllm(context=len(prompt().text) + 60))
        with pytest.raises(ModelError, match=r"text 'Kampala ni mji.* has \d+ tokens, which leaves no room .* of \d+;"):
            decoder.generate([prompt(), prompt(SWAHILI, "Kampala ni mji. " * 20)])
        assert not server.requests

    def test_an_answer_has_no_more_tokens_than_there_is_room_for(self, server: CompletionsServer) -> None:
        ask(server.like_llama_cpp(context=len(prompt().text) + 60))
        ask(server.like_llama_cpp())
        assert [request.body["max_tokens"] for request in server.requests] == [60, 512]

    def test_the_guidelines_are_counted_once(self, server: CompletionsServer) -> None:
        generator(server.like_vllm()).generate([prompt(f"neno {n}") for n in range(20)])
        (counted,) = server.counted
        assert counted.startswith(GUIDELINES)
        assert counted.endswith("text = 'neno ")

    @pytest.mark.parametrize("page", [b"<html>", b"[]", b"{}", b'{"data": [3]}', b'{"data": null}'])
    def test_pages_of_rubbish_tell_nothing(self, server: CompletionsServer, page: bytes) -> None:
        for address in ("/v1/models", "/props", "/tokenize"):
            server.pages[address] = lambda _: Response(page)
        decoder = generator(server)
        assert decoder.context == 4096
        assert decoder.count_tokens("Kampala") == math.ceil(0.3 * 7)


class TestServersInTrouble:
    def test_a_busy_server_is_waited_for_as_long_as_it_asks(self, server: CompletionsServer) -> None:
        server.script.append(fails(429, "slow down", retry_after=0.3))
        begun = time.monotonic()
        assert ask(server).text == ANSWER
        assert time.monotonic() - begun >= 0.3

    @pytest.mark.parametrize(
        "broken",
        [
            fails(500, "out of memory"),
            lambda _: Response(b"<html>"),
            lambda _: Response(b""),
            lambda _: tells({"choices": "none"}),
            lambda _: tells({"choices": [{"text": 3}]}),
            lambda _: tells([]),
            lambda _: streams_bytes([event("\n    PER"), b'data: {"choices": [{"te\n\n']),
            lambda _: streams_bytes([event("\n    PER"), b"data: [] \n\n"]),
            lambda _: streams_bytes([event("\n    PER"), data({"error": {"code": 500, "message": "CUDA"}})]),
            lambda _: streams_bytes([event("\n    PER"), data({"error": "overloaded"})]),
            lambda _: streams(ANSWER[:60], finish=None),
            lambda _: Response(event(ANSWER[:60]), headers={"Content-Length": "5000"}),
            lambda _: streams_bytes([b"data: " + b"[" * 100_000 + b"\n\n"]),
        ],
        ids=[
            "500", "HTML", "nothing", "no choices", "no text", "a list", "half an event", "an odd event", "an error",
            "an odd error", "closed in the middle", "cut off", "nested",
        ],
    )  # fmt: skip
    def test_what_breaks_once_is_asked_again_and_never_pieced_together(
        self, server: CompletionsServer, broken: Any
    ) -> None:
        server.script.append(broken)
        decoder = generator(server)
        assert only(decoder.generate([prompt()])).text == ANSWER
        assert (decoder.usage.requests, decoder.usage.retries) == (2, 1)

    def test_rubbish_for_one_prompt_is_a_problem_of_that_prompt(self, server: CompletionsServer) -> None:
        server.usual = lambda r: Response(b"<html>oops") if "sumu" in r.prompt else streams(ANSWER)
        good, bad, also_good = generator(server, retries=1).generate([prompt(), prompt("sumu"), prompt("Kampala")])
        assert (good.text, also_good.text, good.problem) == (ANSWER, ANSWER, "")
        assert (bad.text, bad.finished, bad.tokens) == ("", False, ())
        assert "2 times not a completion: <html>oops" in bad.problem
        assert bad.problem.startswith(f"completions model 'tiny' at {server.base_url}: no answer after 2 attempts")

    def test_rubbish_for_all_prompts_ends_no_run(self, server: CompletionsServer) -> None:
        server.usual = lambda _: Response(b"garbage")
        found = generator(server, retries=0, concurrency=2).generate([prompt()] * 5)
        assert ["not a completion: garbage" in generation.problem for generation in found] == [True] * 5

    def test_a_prompt_that_the_server_refuses_is_a_problem_of_that_prompt(self, server: CompletionsServer) -> None:
        server.usual = lambda r: fails(400, "bad words")(r) if "sumu" in r.prompt else streams(ANSWER)
        bad, good = generator(server).generate([prompt("sumu"), prompt()])
        assert (good.text, "HTTP 400 (bad words)" in bad.problem) == (ANSWER, True)

    def test_a_server_that_stays_broken_ends_the_run(self, server: CompletionsServer) -> None:
        server.usual = fails(500, "out of memory")
        with pytest.raises(ChatError, match=r"no answer after 2 attempts .*: 2 times HTTP 500 \(out of memory\)"):
            generator(server, retries=1, concurrency=1).generate([prompt()] * 20)
        assert len(server.requests) == 4

    def test_a_slow_server_is_given_up_in_time(self, server: CompletionsServer) -> None:
        server.script.append(lambda _: streams(GOES_ON.replace("]", ""), pause=0.05))
        decoder = generator(server, timeout=1.0)
        assert only(decoder.generate([prompt()])).text == ANSWER
        assert decoder.usage.retries == 1

    def test_nobody_listens(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
            decoder = CompletionsGenerator("tiny", base_url=address, patience=Patience(retries=0))
            with pytest.raises(ChatError, match=r"completions model 'tiny' at .*: no connection \(.*refused"):
                decoder.generate([prompt()])

    def test_a_server_that_is_loading_is_in_trouble_and_not_without_a_context(self, server: CompletionsServer) -> None:
        server.pages["/v1/models"] = fails(503, "Loading model", retry_after=0.01)
        decoder = generator(server)
        with pytest.raises(ChatError, match="Loading model"):
            _ = decoder.context
        server.like_llama_cpp(context=777)
        assert decoder.context == 777

    def test_an_unknown_model_is_told_which_there_are(self, server: CompletionsServer) -> None:
        server.usual = fails(404, "no such model")
        server.models = ["gollie-7b-tf"]
        with pytest.raises(ConfigError, match=r"no such model.*the server has gollie-7b-tf"):
            generator(server).generate([prompt()])

    def test_the_key_goes_to_the_server_and_nowhere_else(
        self, server: CompletionsServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("MY_KEY", KEY)
        caplog.set_level(logging.DEBUG, "transfusion")
        echo = f"bad key {KEY}"
        server.usual = lambda _: Response(echo.encode())
        decoder = generator(server, api_key_env="MY_KEY", retries=1)
        told = [only(decoder.generate([prompt()])).problem, decoder.signature]
        server.usual = lambda _: streams_bytes([data({"error": {"code": 400, "message": echo}})])
        told.append(only(decoder.generate([prompt()])).problem)
        assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
        assert "bad key [key]" in told[0]
        assert not [text for text in (*told, caplog.text) if KEY in text]


class TestSettings:
    def test_the_signature_says_what_decides_an_answer(self, server: CompletionsServer) -> None:
        decoder = generator(server, max_tokens=99, guided="off")
        assert decoder.signature == "completions:tiny max_tokens=99 guided=off"

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"model": ""}, "name of a model"),
            ({"concurrency": 0}, r"concurrency \(0\)"),
            ({"max_tokens": 0}, r"max_tokens \(0\)"),
            ({"context": -1}, r"context \(-1\)"),
            ({"guided": "maybe"}, "guided is one of auto, grammar, .* not 'maybe'"),
            ({"base_url": "localhost"}, "base_url must be like"),
        ],
    )
    def test_what_makes_no_sense_is_an_error(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            CompletionsGenerator(**{"model": "tiny", "base_url": "http://localhost:1/v1", **settings})

    def test_the_extra_is_named_where_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transfusion.chat.endpoint.find_spec", lambda _: None)
        with pytest.raises(MissingExtraError, match=r"a completions model needs .*'openai'.*transfusion-ie\[chat\]"):
            CompletionsGenerator("tiny")
