"""What chat models write, read as data, and how many tokens a text has."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.chat.answer import json_objects
from transfusion.chat.tokens import estimate_tokens, estimate_translation_tokens

COUNTED = [
    ("Rais Ruto alikutana na Museveni mjini Kampala siku ya Jumatatu.", "swa", 17),
    ("President Ruto met Museveni in Kampala on Monday to discuss trade.", "eng", 14),
    ("ጠቅላይ ሚኒስትሩ በአዲስ አበባ ከፕሬዚዳንቱ ጋር ተወያዩ።", "amh", 66),
    ("Президент встретился с делегацией в Кампале в понедельник.", "rus", 16),
    ("总统周一在坎帕拉会见了代表团,讨论贸易问题。", "zho", 19),
    ("Ààrẹ orílẹ̀-èdè Nàìjíríà ṣe ìpàdé pẹ̀lú àwọn gómìnà ní Abuja.", "yor", 36),
    ("Predsjednik se u ponedjeljak sastao s izaslanstvom u Zagrebu.", "hrv", 21),
]
"""Sentences and their tokens as GPT-4o's tokeniser (``o200k_base``) counts them."""


class TestReadingWhatAModelWrote:
    items = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )

    @given(st.text(max_size=200) | st.text('[]{}",:0123 \\', max_size=200))
    def test_anything_at_all_is_read_without_an_error(self, text: str) -> None:
        assert all(isinstance(found, dict) for found in json_objects(text))

    @given(
        st.dictionaries(st.text(max_size=8), items, max_size=4),
        st.text('abc ]}":`\n', max_size=30),
        st.text(max_size=30),
    )
    def test_an_object_is_found_in_any_prose(self, value: dict[str, Any], before: str, after: str) -> None:
        assert next(json_objects(f"{before}{json.dumps(value)}{after}")) == value

    @settings(max_examples=30)
    @given(st.integers(0, 200))
    def test_a_cut_leaves_whole_items_in_order(self, length: int) -> None:
        texts = ['He said "{no}".', "[x]", '\\"}]}', "ü"]
        whole = json.dumps({"translations": [{"id": n, "translation": t} for n, t in enumerate(texts)]})
        found = [item["translation"] for item in json_objects(whole[: len(whole) - length]) if "id" in item]
        assert found == texts[: len(found)]

    def test_brackets_without_end_take_no_time(self) -> None:
        begun = time.monotonic()
        assert list(json_objects('[{"a":' * 200_000)) == []
        assert time.monotonic() - begun < 20


class TestTokensOfAText:
    @pytest.mark.parametrize(("text", "language", "tokens"), COUNTED)
    def test_tokens_are_near_what_a_tokeniser_counts(self, text: str, language: str, tokens: int) -> None:
        assert estimate_tokens(text, language) == pytest.approx(tokens, rel=0.35)

    def test_a_translation_is_foreseen_by_script(self) -> None:
        chinese, english = "总统在坎帕拉会见了代表团。", "The president met the delegation in Kampala."
        assert estimate_translation_tokens(chinese, "eng") == pytest.approx(estimate_tokens(english, "eng"), rel=0.4)
        assert estimate_translation_tokens(english, "zho") == pytest.approx(estimate_tokens(chinese), rel=0.4)
        assert estimate_translation_tokens(english, "swa") > estimate_translation_tokens(english, "eng")
