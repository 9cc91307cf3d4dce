"""What a decoder wrote, read as data: whole items are kept, and everything else is named."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import fastest
from fuzz_answers import fuzz
from transfusion.decoder.items import Item
from transfusion.decoder.parse import MAX_LENGTH, Answer, parse_answer
from transfusion.schema.classes import ClassDefinition, ClassField

PERSON = ClassDefinition("Person", "Entity")
PORT = ClassDefinition("Port", "Entity")
OWNS = ClassDefinition("OwnedBy", "Relation", "", (ClassField("arg1"), ClassField("arg2")))
ROLES = (ClassField("attacker", "List[str]"), ClassField("place", "List[str]"))
ATTACK = ClassDefinition("Attack", "Event", "", (ClassField("mention"), *ROLES))
CLASSES = (PERSON, PORT, OWNS, ATTACK)
BOTH = ("result", "final_result")


def read(text: str, *lists: str) -> Answer:
    return parse_answer(text, lists or ("result",), CLASSES)


def spans(items: tuple[Item, ...] | None) -> list[str]:
    assert items is not None
    return [str(item.arguments.get("span", item.arguments.get("mention"))) for item in items]


def codes(answer: Answer) -> list[str]:
    return [problem.code for problem in answer.problems]


class TestAnswersOfThePublishedCheckpoint:
    def test_what_it_was_trained_to_write_is_read_back_whole(self, shared_data: Path) -> None:
        read_cases = 0
        for path in sorted((shared_data / "golden_prompts").glob("*.json")):
            case = json.loads(path.read_text(encoding="utf-8"))
            classes = [
                ClassDefinition(
                    kind["name"], kind["base"], "", tuple(ClassField(f["name"], f["type"]) for f in kind["fields"])
                )
                for kind in case["types"]
            ]
            _, opening, answer_text = case["expected"].partition("\nresult = [")
            assert opening
            wanted = {"result": case["annotations"]}
            if "final_result = [" in answer_text:
                wanted = {"result": case["pivot_annotations"], "final_result": case["annotations"]}
            answer = parse_answer(answer_text, list(wanted), classes)
            assert answer.problems == ()
            for name, items in wanted.items():
                found = answer.lists[name]
                assert found is not None
                assert [(item.type, dict(item.arguments)) for item in found] == [
                    (item["type"], item["args"]) for item in items
                ]
            read_cases += 1
        assert read_cases >= 4

    def test_items_know_where_they_stand_in_the_answer(self) -> None:
        text = '\n    Person(span="Ruto"),\n    Port(span="Mombasa"),\n]'
        items = read(text).lists["result"]
        assert items is not None
        assert [text[item.start : item.end] for item in items] == ['Person(span="Ruto")', 'Port(span="Mombasa")']

    def test_two_lists_are_kept_apart(self) -> None:
        answer = read(
            'Person(span="President Ruto")]\n\n# In text\nfinal_result = [Person(span="Rais Ruto")]\n',
            *BOTH,
        )
        assert spans(answer.lists["result"]) == ["President Ruto"]
        assert spans(answer.lists["final_result"]) == ["Rais Ruto"]
        assert answer.problems == ()

    def test_empty_lists_are_there_and_empty(self) -> None:
        assert read("]\n\nfinal_result = []\n", *BOTH) == Answer({"result": (), "final_result": ()})

    def test_without_annotating_the_pivot_only_the_last_list_is_asked_for(self) -> None:
        answer = read('Person(span="Ruto")]', "final_result")
        assert spans(answer.lists["final_result"]) == ["Ruto"]


class TestPivotAnnotationsNeverPassForSourceOnes:
    @pytest.mark.parametrize(
        "text",
        [
            'Person(span="Ruto"),\n]',
            'Person(span="Ruto"),\n]\n\n# final_result = [Person(span="Ruto")]',
            'Person(span="Ruto"),\n]\nPerson(span="Museveni"),\n',
            'Person(span="Ruto"), Person(span="x"',
            "Person(span=\"final_result = [\"), Person(span='Ruto')]",
            'Person(span="a"b" final_result = [ Person(span="Ruto")]',
            'Person(span="Ruto")]\nmy_final_result = [Person(span="Ruto")]',
            "",
        ],
    )
    def test_a_missing_list_is_none_whatever_the_other_holds(self, text: str) -> None:
        answer = read(text, *BOTH)
        assert answer.lists["final_result"] is None
        assert "missing-list" in codes(answer)

    def test_a_list_that_nobody_asked_for_does_not_fill_one_that_was(self) -> None:
        answer = read('\nresult = [\n    Person(span="President Ruto"),\n]\n', "final_result")
        assert answer.lists["final_result"] is None
        assert codes(answer) == ["unknown-list", "missing-list"]

    def test_a_list_that_is_not_closed_ends_where_the_next_begins(self) -> None:
        answer = read('\n    Person(span="President"),\nfinal_result = [\n    Person(span="Rais"),\n]', *BOTH)
        assert spans(answer.lists["result"]) == ["President"]
        assert spans(answer.lists["final_result"]) == ["Rais"]
        assert codes(answer) == ["unclosed-list"]

    def test_a_list_that_comes_twice_counts_once(self) -> None:
        answer = read(']\nfinal_result = [Person(span="Ruto")]\nfinal_result = [Person(span="Raila")]', *BOTH)
        assert spans(answer.lists["final_result"]) == ["Ruto"]
        assert codes(answer) == ["duplicate-list"]
        assert "1 items" in answer.problems[0].message


class TestChatModels:
    def test_prose_code_fences_and_the_opening_itself_may_stand_round_the_lists(self) -> None:
        text = (
            "Sure! Here's the list [as Python] (see below):\n```python\nresult = [\n    Person(span='Ruto'),\n]\n\n"
            "final_result: List[Entity] = [\n    Person(span='Ruto'),\n]\n```\nI hope it's useful."
        )
        answer = read(text, *BOTH)
        assert spans(answer.lists["result"]) == spans(answer.lists["final_result"]) == ["Ruto"]
        assert set(codes(answer)) == {"junk"}

    def test_drafts_among_the_thoughts_of_a_model_do_not_count(self) -> None:
        answer = read('<think>result = [Person(span="Raila")]</think>\nresult = [Person(span="Ruto")]')
        assert spans(answer.lists["result"]) == ["Ruto"]

    def test_a_refusal_is_no_list(self) -> None:
        answer = read("I'm sorry, I cannot help with that.")
        assert answer.lists["result"] is None
        assert codes(answer) == ["junk", "missing-list"]


class TestDamage:
    def test_of_an_answer_that_breaks_off_every_whole_item_is_kept(self) -> None:
        whole = '\n    Person(span="Ruto"),\n    Attack(mention="shambulio", attacker=["Al-Shabaab"], place=["Mo'
        answer = read(whole)
        assert spans(answer.lists["result"]) == ["Ruto"]
        assert codes(answer) == ["truncated", "unclosed-list"]

    @pytest.mark.parametrize(
        "damaged",
        [
            'Person(span="Ruto"\n',
            'Person(span="Ruto),\n',
            "Person(span='Ng'ang'a'),\n",
            'Person(span="Ruto"]),\n',
            "Person(span=),\n",
            "Person(span=(1, [2, {3}),\n",
            'Person(span="Ru" "to"),\n',
            'Person(span="Ruto), ',
            'Person(span="Ruto", ',
            'Attack(mention="x" attacker=["y"], place=["z"]),\n',
            "Person(span=Person(span=Person(span=\n",
            "@@ ??? ((\n",
        ],
    )
    def test_one_damaged_item_costs_no_other(self, damaged: str) -> None:
        answer = read(f'Person(span="Museveni"),\n{damaged}    Port(span="Mombasa"),\n]')
        items = answer.lists["result"]
        assert items is not None
        assert [item for item in spans(items) if item in ("Museveni", "Mombasa")] == ["Museveni", "Mombasa"]
        assert answer.problems

    def test_a_long_answer_is_read_to_a_limit_and_says_so(self) -> None:
        answer = read('Person(span="Ruto"),\n' * (MAX_LENGTH // 10))
        items = answer.lists["result"]
        assert items is not None
        assert len(items) == MAX_LENGTH // 21
        assert codes(answer) == ["truncated", "unclosed-list", "too-long"]

    @pytest.mark.parametrize(
        "piece",
        [
            *("(", "[", "]", "][", "'", "#", " ", "\\", "a,", "Foo(", "final_result = [\n", "Person(", "Person(a=1)"),
            *(
                "Person(span=",
                "Person(span=[",
                "Person(span='",
                'Person(span="""',
                "Person(span=(1,",
                "Person(span='a'),",
            ),
        ],
    )
    def test_a_model_in_a_loop_costs_no_time(self, piece: str) -> None:
        text = piece * (2 * MAX_LENGTH // len(piece))
        assert fastest(lambda: read(text, *BOTH)) < 0.05


class TestEverythingDroppedIsNamed:
    @pytest.mark.parametrize(
        ("item", "code"),
        [
            ("Dragon(span='Smaug')", "unknown-class"),
            ("Dragon(of=Dragon(span=['a', ('b',)]))", "unknown-class"),
            ("Person()", "missing-field"),
            ("Person(name='Ruto')", "extra-field"),
            ("OwnedBy(arg1='MV Bukoba')", "missing-field"),
            ("Person(span=7)", "wrong-type"),
            ("Person(span=None)", "wrong-type"),
            ("Person(span=Ruto)", "wrong-type"),
            ("Person(span=['Ruto'])", "wrong-type"),
            ("Person(span=Person(span='Ruto'))", "nested"),
            ("Person(span={'a': 1})", "nested"),
            ("Person(span=__import__('os').system('true'))", "nested"),
            ("Person(span=b'Ruto')", "bad-string"),
            ("Person(span=f'{Ruto}')", "bad-string"),
            (r"Person(span='\xzz')", "bad-string"),
            (r"Person(span='\U00110000')", "bad-string"),
            (r"Person(span='\N{NO SUCH CHARACTER}')", "bad-string"),
            ("Person(span='Ru' 'to')", "bad-string"),
            ("Person(span=' ')", "empty-string"),
        ],
    )
    def test_an_item_without_its_key_is_dropped(self, item: str, code: str) -> None:
        answer = read(f"Person(span='Museveni'), {item}, Port(span='Mombasa')]")
        assert spans(answer.lists["result"]) == ["Museveni", "Mombasa"]
        assert code in codes(answer)
        assert all("dropped" in problem.message for problem in answer.problems)

    @pytest.mark.parametrize(
        ("arguments", "kept", "found"),
        [
            ("'bomu', attacker=[], place=[]", {"mention": "bomu", "attacker": (), "place": ()}, ["positional"]),
            ("mention='bomu', place=['Wajir']", {"mention": "bomu", "place": ("Wajir",)}, ["missing-field"]),
            (
                "mention='bomu', attacker='Al-Shabaab', place=[]",
                {"mention": "bomu", "attacker": ("Al-Shabaab",), "place": ()},
                ["single-string"],
            ),
            (
                "mention='bomu', attacker=[], place=['Wajir', 7, Port(span='x'), '']",
                {"mention": "bomu", "attacker": (), "place": ("Wajir",)},
                ["wrong-type", "nested", "empty-string"],
            ),
            (
                "mention='bomu', attacker=[], place=[], when='leo', mention='b'",
                {"mention": "bomu", "attacker": (), "place": ()},
                ["extra-field", "duplicate-field"],
            ),
            ("mention='bomu', attacker=None, place=[]", {"mention": "bomu", "place": ()}, ["wrong-type"]),
        ],
    )
    def test_an_event_keeps_what_fits(self, arguments: str, kept: dict[str, object], found: list[str]) -> None:
        answer = read(f"Attack({arguments})]")
        items = answer.lists["result"]
        assert items is not None
        assert dict(items[0].arguments) == kept
        assert Counter(codes(answer)) == Counter(found)

    def test_items_outside_the_lists_are_counted(self) -> None:
        answer = read('Person(span="Ruto")]\nPerson(span="a"), Person(span="b")')
        assert spans(answer.lists["result"]) == ["Ruto"]
        assert codes(answer) == ["outside-list"]
        assert "2 items" in answer.problems[0].message

    def test_hundreds_of_values_in_one_item_are_a_loop(self) -> None:
        answer = read(f"Attack(mention='x', attacker=[{'1, ' * 5000}]), Person(span='Ruto')]")
        assert spans(answer.lists["result"]) == ["Ruto"]
        assert "too-long" in codes(answer)

    def test_an_answer_is_asked_for_something(self) -> None:
        with pytest.raises(ValueError, match="at least one list"):
            parse_answer("]", (), CLASSES)


class TestStrings:
    @given(st.text(st.characters() | st.sampled_from("'\"\\\n\r\0\x85\u2028\ud800"), min_size=1, max_size=30))
    def test_whatever_python_would_print_is_read_back(self, string: str) -> None:
        answer = read(f"Person(span={string!r}), Person(span='Ruto')]")
        assert spans(answer.lists["result"]) == ([string] if string.strip() else []) + ["Ruto"]

    @given(
        st.sampled_from(["", "r", "R", "u", "U"]),
        st.sampled_from(["'", '"', "'''", '"""']),
        st.lists(
            st.sampled_from(["a", "é", "'", '"', "\\", "\\'", '\\"', "\\n", "\n", "\\\n", "\\x41", "\\101", "\\u1200"])
            | st.sampled_from(["\\N{BULLET}", "\\7", "\\q", "\\0", "#", ")", "]", "\\u12", "\\N{", "\\U0001f600"]),
            max_size=6,
        ),
    )
    @pytest.mark.filterwarnings("ignore:invalid escape sequence")
    def test_a_literal_means_what_it_means_to_python(self, prefix: str, quote: str, parts: list[str]) -> None:
        literal = f"{prefix}{quote}{''.join(parts)}{quote}"
        try:
            wanted = ast.literal_eval(f"({literal})")
            one = len([node for node in ast.walk(ast.parse(f"({literal})")) if isinstance(node, ast.Constant)]) == 1
        except SyntaxError:
            return
        items = read(f"Person(span={literal})]").lists["result"]
        if isinstance(wanted, str) and wanted.strip() and one and items:
            assert spans(items) == [wanted]

    def test_mentions_in_any_script_and_quote(self) -> None:
        written = [
            "'አዲስ አበባ'",
            '"bandari ya \\"Mwanza\\""',
            "'''坎帕拉'''",
            "r'a\\b'",
            "'Ng\\'ang\\'a'",
            "'Abu\\u0301ja'",
        ]
        answer = read("".join(f"Person(span={literal}),\n" for literal in written) + "]")
        assert spans(answer.lists["result"]) == [
            "አዲስ አበባ",
            'bandari ya "Mwanza"',
            "坎帕拉",
            "a\\b",
            "Ng'ang'a",
            "Abu\u0301ja",
        ]
        assert answer.problems == ()


class TestAnyText:
    @given(st.text(max_size=300) | st.text("()[]{}\"'\\,=# \nabPersonresult_final", max_size=300))
    def test_anything_at_all_is_read_and_no_item_is_made_up(self, text: str) -> None:
        answer = read(text, *BOTH)
        assert set(answer.lists) == set(BOTH)
        for items in answer.lists.values():
            for item in items or ():
                assert text[item.start : item.end].startswith(item.type)
                assert text[item.end - 1] == ")"

    @given(st.lists(st.sampled_from(["Ruto", "O'Brien", 'MV "Bukoba"', "አዲስ አበባ", "a\nb"]), max_size=6), st.data())
    def test_a_cut_anywhere_keeps_the_items_before_it(self, names: list[str], data: st.DataObject) -> None:
        written = [f"Person(span={name!r})" for name in names]
        text = "\n    " + ",\n    ".join(written) + ",\n]\n"
        cut = data.draw(st.integers(0, len(text)))
        items = read(text[:cut]).lists["result"]
        assert spans(items or ()) == [
            name for index, name in enumerate(names) if len("\n    " + ",\n    ".join(written[: index + 1])) <= cut
        ]

    def test_damaged_answers_raise_nothing_run_nothing_and_take_no_time(self) -> None:
        outcome = fuzz(range(400), seed=2026)
        assert outcome.failures == []
        assert outcome.read == 400
        assert outcome.kept > 400
        assert outcome.grounded > 100
        assert {"truncated", "unknown-class", "missing-list", "hallucinated"} <= set(outcome.problems)
