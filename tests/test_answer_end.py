"""Where an answer ends, whatever stands in its strings and however it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.decoder.base import AnswerList
from transfusion.decoder.brackets import AnswerScanner, answer_end

ONE = (AnswerList("result", ""),)
TWO = (AnswerList("result", ""), AnswerList("final_result", ""))
BETWEEN = "\n\n\n# The model's annotations of the text ] [ above are listed here\nfinal_result = ["

items = st.lists(
    st.lists(st.text(max_size=8) | st.sampled_from(["]", "[Ruto]", "'", '"', "\\", "#", "\n]"])), max_size=3
)


def written(values: list[list[str]]) -> str:
    """A list of calls behind its opening bracket, as a model writes it."""
    lines = [f"\n    Attack(mention={''.join(value)!r}, place={value!r}),  # it's one" for value in values]
    return "".join(lines) + ("\n]" if lines else "]")


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ("]", "]"),
        ("]\n]", "]"),
        ('\n    PER(span="Ruto"),\n]\nfinal_result = [', '\n    PER(span="Ruto"),\n]'),
        ('\n    PER(span="[Ruto]"),\n]]', '\n    PER(span="[Ruto]"),\n]'),
        (
            '\n    PER(span="M\'Bala"),\n    PER(span=\'"Che"\'),\n]\n',
            '\n    PER(span="M\'Bala"),\n    PER(span=\'"Che"\'),\n]',
        ),
        (r"""PER(span='it\'s]'), PER(span="\\")] "]""", r"""PER(span='it\'s]'), PER(span="\\")]"""),
        (
            '\n    Attack(mention="hit", place=["Goma", "Bukavu"]),\n] ]',
            '\n    Attack(mention="hit", place=["Goma", "Bukavu"]),\n]',
        ),
        ("# it's a list\n] ", "# it's a list\n]"),
        (
            '\n    PER(span="Ruto),\n    PER(span="Museveni"),\n]"',
            '\n    PER(span="Ruto),\n    PER(span="Museveni"),\n]',
        ),
    ],
    ids=[
        "empty",
        "brackets behind it",
        "another list",
        "brackets in a mention",
        "quotes in mentions",
        "backslashes",
        "lists of a role",
        "a comment",
        "a quote forgotten",
    ],
)
def test_a_list_ends_at_its_own_bracket(answer: str, end: str) -> None:
    assert answer_end(answer, ONE) == len(end)


@pytest.mark.parametrize("answer", ["", "\n    PER(", 'PER(span="]")', "PER(roles=[]", "# ]"])
def test_a_list_that_is_cut_off_has_no_end(answer: str) -> None:
    assert answer_end(answer, ONE) is None


def test_the_second_list_is_waited_for_by_its_name() -> None:
    assert answer_end("]" + BETWEEN + "]", TWO) == len("]" + BETWEEN + "]")
    assert answer_end("]\nother = []\nmy_final_result = []", TWO) is None
    assert answer_end("]" + BETWEEN, TWO) is None


@given(items, items, st.text(max_size=10), st.data())
def test_it_is_found_in_any_pieces_and_whatever_follows(
    first: list[list[str]], second: list[list[str]], after: str, data: st.DataObject
) -> None:
    answer = written(first) + BETWEEN + written(second)
    whole = answer + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    scanner = AnswerScanner(TWO)
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        scanner.feed(whole[begin:end])
    assert scanner.end == len(answer)


@given(
    st.lists(st.sampled_from(["[", "]", "'", '"', "\\", "\n", "#", "a", "final_result", " = [", "result"])), st.data()
)
def test_pieces_make_no_difference_to_rubbish(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    scanner = AnswerScanner(TWO)
    scanner.feed(whole[:cut])
    assert scanner.feed(whole[cut:]) == answer_end(whole, TWO)
