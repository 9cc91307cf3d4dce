"""Chat servers in trouble: what is tried again, what is given up, and what becomes of the key."""

from __future__ import annotations

import email.utils
import logging
import socket
import time
import traceback
from collections.abc import Iterator

import pytest

from chat_server import ENGLISH, SWAHILI, ChatServer, shouting, translate, translator
from http_server import Response, fails
from transfusion.chat.patience import Patience
from transfusion.chat.usage import Usage
from transfusion.errors import ConfigError, TranslationError
from transfusion.translate.chat import ChatTranslator

pytest.importorskip("openai")


KEY = "sk-5ecret-0f-n0b0dy-e15e"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer().running() as server:
        yield server


class TestServersInTrouble:
    def test_a_busy_server_is_waited_for_as_long_as_it_asks(self, server: ChatServer) -> None:
        server.script.append(fails(429, "slow down", retry_after=0.3))
        chat = translator(server)
        begun = time.monotonic()
        assert translate(chat, SWAHILI) == ENGLISH
        assert time.monotonic() - begun >= 0.3
        assert chat.usage == Usage(requests=2, retries=1, answers=1, input_tokens=100, output_tokens=20)

    def test_a_date_to_come_back_at_is_understood(self, server: ChatServer) -> None:
        server.script.append(fails(503, retry_after=email.utils.formatdate(time.time() + 7200, usegmt=True)))
        with pytest.raises(TranslationError, match=r"asks to wait 7[12]\d\d s, and longest_wait is 1$"):
            translate(translator(server), SWAHILI)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("retry_after", ["soon", "-5", "nan", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 99 Foo"])
    def test_an_odd_or_past_retry_after_is_no_trouble(self, server: ChatServer, retry_after: str) -> None:
        server.script.append(fails(429, retry_after=retry_after))
        assert translate(translator(server), SWAHILI) == ENGLISH

    def test_a_server_that_comes_back_is_asked_again(self, server: ChatServer) -> None:
        server.script.extend(
            [fails(500), fails(502), lambda _: Response(b"<html>"), lambda _: Response(b"{}"), fails(408)]
        )
        chat = translator(server)
        assert translate(chat, SWAHILI) == ENGLISH
        assert (chat.usage.requests, chat.usage.retries) == (6, 5)

    def test_a_server_that_stays_broken_is_an_error_that_says_what_was_tried(self, server: ChatServer) -> None:
        server.usual = fails(500, "out of memory")
        chat = translator(server, retries=2, batch_size=1, concurrency=1)
        with pytest.raises(TranslationError) as raised:
            translate(chat, SWAHILI * 50)
        assert str(raised.value).startswith(f"chat model 'tiny' at {server.base_url}: no answer after ")
        assert len(server.requests) == 6  # two sentences, three attempts each, and it is taken to be down
        assert "3 attempts" in str(raised.value)
        assert "HTTP 500 (out of memory)" in str(raised.value)

    def test_a_server_that_was_down_is_used_again_once_it_answers(self, server: ChatServer) -> None:
        chat = translator(server, retries=1)
        server.usual = fails(500)
        for _ in range(3):
            with pytest.raises(TranslationError):
                translate(chat, SWAHILI)
        server.usual = shouting
        assert translate(chat, SWAHILI) == ENGLISH
        server.script.append(fails(500))
        assert translate(chat, SWAHILI) == ENGLISH

    def test_one_batch_that_breaks_the_server_costs_no_other_sentence(self, server: ChatServer) -> None:
        server.usual = lambda r: fails(500)(r) if "sumu" in r.texts else shouting(r)
        results = translate(
            translator(server, retries=1, batch_size=2, concurrency=1), ["a", "b", "sumu", "c", "d", "e"]
        )
        assert results == ["A", "B", None, "C", "D", "E"]

    def test_a_sentence_that_the_server_refuses_is_none_and_told(
        self, server: ChatServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.usual = lambda r: fails(400, "content filter")(r) if "mbaya" in r.texts else shouting(r)
        assert translate(translator(server, batch_size=2), ["a", "mbaya", "b", "c"]) == ["A", None, "B", "C"]
        assert "HTTP 400 (content filter)" in caplog.text
        assert "mbaya" not in caplog.text

    def test_a_server_that_refuses_everything_is_an_error(self, server: ChatServer) -> None:
        server.usual = fails(400, "no chat template")
        with pytest.raises(TranslationError, match="no chat template"):
            translate(translator(server, batch_size=1), SWAHILI)

    def test_a_server_that_hangs_is_given_up_in_time(self, server: ChatServer) -> None:
        server.usual = lambda r: Response(shouting(r).body, delay=60.0)
        begun = time.monotonic()
        with pytest.raises(TranslationError, match=r"2 attempts in .*: 2 times no answer in time"):
            translate(translator(server, timeout=0.2, retries=1), SWAHILI)
        assert time.monotonic() - begun < 20

    def test_a_server_that_only_drips_is_given_up_in_time(self, server: ChatServer) -> None:
        server.script.append(lambda r: Response(shouting(r).body, drip=0.02))
        chat = translator(server, timeout=1.0)
        assert translate(chat, SWAHILI) == ENGLISH
        assert chat.usage.retries >= 1

    def test_a_connection_that_breaks_in_the_middle_is_tried_again(self, server: ChatServer) -> None:
        server.script.append(lambda r: Response(shouting(r).body[:50], headers={"Content-Length": "1000"}))
        assert translate(translator(server), SWAHILI) == ENGLISH

    def test_nobody_listens(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
            chat = ChatTranslator("tiny", base_url=address, retries=1, first_wait=0.001)
            with pytest.raises(TranslationError, match=r"2 attempts .*: 2 times no connection \(.*refused"):
                translate(chat, SWAHILI)

    def test_an_account_without_credit_is_not_asked_again(self, server: ChatServer) -> None:
        server.usual = fails(429, "You exceeded your current quota", code="insufficient_quota")
        with pytest.raises(TranslationError, match=r"1 attempt .* exceeded your current quota"):
            translate(translator(server), SWAHILI)
        assert len(server.requests) == 1

    def test_waits_grow_to_a_limit_and_differ(self) -> None:
        patience = Patience(first_wait=1.0, longest_wait=10.0)
        for repetition, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (5000, 10)):
            waits = {patience.wait(repetition) for _ in range(50)}
            assert len(waits) > 1
            assert all(longest / 2 <= wait <= longest for wait in waits)
        assert patience.wait(1, retry_after=7.0) >= 7.0


class TestWhatServersDoNotTake:
    def test_an_answer_is_asked_for_by_schema(self, server: ChatServer) -> None:
        translate(translator(server), SWAHILI)
        body = server.requests[0].body
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["translations"]
        assert (body["model"], body["temperature"]) == ("tiny", 0.0)
        assert "max_completion_tokens" not in body

    @pytest.mark.parametrize(
        ("refused", "message"),
        [
            ("response_format", "Unsupported request"),
            ("temperature", "Unsupported value: 'temperature' does not support 0"),
            ("max_completion_tokens", "unknown field max_completion_tokens"),
        ],
    )
    def test_a_server_without_a_setting_is_asked_without_it_from_then_on(
        self, server: ChatServer, refused: str, message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.usual = lambda r: fails(400, message)(r) if refused in r.body else shouting(r)
        chat = translator(server, batch_size=1, concurrency=3, max_tokens=500)
        assert translate(chat, SWAHILI) == ENGLISH
        before = len(server.requests)
        assert translate(chat, SWAHILI) == ENGLISH
        assert len(server.requests) == before + 3
        assert caplog.text.count(f"does not take {refused} and is asked without") == 1

    def test_one_refused_sentence_does_not_cost_the_others_their_schema(self, server: ChatServer) -> None:
        server.usual = lambda r: fails(400, "too long")(r) if "refu" in r.texts else shouting(r)
        chat = translator(server, batch_size=1, concurrency=1)
        assert translate(chat, ["refu", "a"]) == [None, "A"]
        assert "response_format" in server.requests[-1].body


class TestKeys:
    def test_the_key_goes_to_the_server_and_nowhere_else(
        self,
        server: ChatServer,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """The server repeats the key in everything it says."""
        monkeypatch.setenv("MY_KEY", f"{KEY}\n")
        caplog.set_level(logging.DEBUG)
        echo = f"{'x' * 285} bad key {KEY} {KEY}"
        server.script.extend([fails(500, echo), lambda _: Response(KEY.encode()), lambda _: Response(echo.encode())])
        chat = translator(server, api_key_env="MY_KEY", retries=3)
        assert translate(chat, SWAHILI) == ENGLISH
        assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
        told = [repr(chat), str(chat), repr(vars(chat)), repr(vars(chat.client)), chat.signature, repr(chat.usage)]
        for status in (400, 401, 403, 404, 429, 500):
            server.usual = fails(status, echo, param=KEY, code=KEY)
            with pytest.raises((TranslationError, ConfigError)) as raised:
                translate(translator(server, api_key_env="MY_KEY", retries=1), SWAHILI)
            error = raised.value
            told += [
                "".join(traceback.format_exception(error)),
                repr(error),
                repr(error.__context__),
                repr(error.__cause__),
            ]
        told += [caplog.text, *capfd.readouterr(), *(repr(vars(record)) for record in caplog.records)]
        assert "asking again" in caplog.text
        assert not [text for text in told if KEY in text or KEY[:12] in text]

    def test_a_refused_key_fails_at_once_and_names_its_variable(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MY_KEY", KEY)
        server.usual = fails(401, "invalid key")
        with pytest.raises(ConfigError, match=r"HTTP 401 \(invalid key\)\. Check the key .* variable MY_KEY"):
            translate(translator(server, api_key_env="MY_KEY", batch_size=1, concurrency=1), SWAHILI * 20)
        assert len(server.requests) == 1

    def test_an_unknown_model_is_told_which_there_are(self, server: ChatServer) -> None:
        server.usual = fails(404, "no such model")
        server.models = ["qwen3-4b", "gemma-3"]
        with pytest.raises(ConfigError, match=r"no such model.*the server has gemma-3, qwen3-4b"):
            translate(translator(server), SWAHILI)
        assert translator(server).client.models() == ["gemma-3", "qwen3-4b"]

    def test_an_address_without_its_end_is_told(self, server: ChatServer) -> None:
        chat = ChatTranslator("tiny", base_url=server.base_url.removesuffix("/v1"), retries=0)
        with pytest.raises(ConfigError, match=r"HTTP 404 .*Check the name of the model and the address"):
            translate(chat, SWAHILI)

    def test_openai_itself_needs_a_key(self) -> None:
        with pytest.raises(ConfigError, match="the environment variable OPENAI_API_KEY holds no key"):
            translate(ChatTranslator("gpt-4o-mini"), SWAHILI)

    @pytest.mark.parametrize("key", ["sk-clé", "sk-a b", "sk-a\nb"])
    def test_what_cannot_be_a_key_is_told_without_showing_it(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        monkeypatch.setenv("MY_KEY", key)
        with pytest.raises(ConfigError, match="MY_KEY holds cannot be a key") as raised:
            translate(translator(server, api_key_env="MY_KEY"), SWAHILI)
        assert key not in str(raised.value)

    def test_a_server_of_ones_own_is_found_by_the_usual_variable(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert translate(ChatTranslator("tiny"), SWAHILI) == ENGLISH
