"""Schemas written as Python classes: read as syntax, never run, with every problem shown where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfusion.errors import SchemaError
from transfusion.schema import EventType, RelationType, Schema
from transfusion.schema.classes import (
    ClassDefinition,
    ClassField,
    class_labels,
    entity_classes,
    event_classes,
    role_labels,
)
from transfusion.schema.source import read_classes

MARKET = '''
"""What is traded at the markets of Kampala."""
from dataclasses import dataclass
from typing import ClassVar, List, Optional

from guidelines import Entity, Event, Relation


@dataclass
class Crop(Entity):
    """What is grown for sale,
    whole or ground.
    """

    label: ClassVar[str] = "CROP"

    span: str  # Such as: "matooke", "maize"


class Market(Entity):
    span: str


# What goes where.
@dataclass(frozen=True)
class SoldAt(Relation):
    head: ClassVar[tuple[str, ...]] = ("CROP",)
    tail: ClassVar = ["Market"]
    arg1: str  # the crop
    arg2: str


@dataclass
class Sale(Event):
    "Somebody sells something."

    mention: str  # the verb
    seller: List[str]  # who sells,
    # alone or with others
    goods: Optional[list[str]] = None
    """what is sold"""
    time_of_day: list[str] | None
    roles: ClassVar[dict[str, str]] = {"time_of_day": "time-of-day"}


class Auction(Sale):
    """A sale to whoever offers most."""

    bidder: List[str]
'''


def test_classes_are_read_with_comments_and_labels() -> None:
    crop, market, sold_at, sale, auction = read_classes(MARKET)
    comment = 'Such as: "matooke", "maize"'
    guideline = "What is grown for sale,\nwhole or ground."
    assert crop == ClassDefinition("Crop", "Entity", guideline, (ClassField("span", comment=comment),), label="CROP")
    assert market == ClassDefinition("Market", "Entity")
    assert (sold_at.head, sold_at.tail) == (("CROP",), ("Market",))
    assert sale.fields == (
        ClassField("mention", comment="the verb"),
        ClassField("seller", "List[str]", "who sells, alone or with others"),
        ClassField("goods", "List[str]", "what is sold"),
        ClassField("time_of_day", "List[str]", None, "time-of-day"),
    )
    assert auction.base == "Event"
    assert auction.fields == (*sale.fields, ClassField("bidder", "List[str]"))
    assert class_labels([crop, market]) == {"Crop": "CROP", "Market": "Market"}
    assert role_labels(sale) == {"seller": "seller", "goods": "goods", "time_of_day": "time-of-day"}


def test_a_comment_over_the_next_class_is_not_of_the_field_before_it() -> None:
    text = (
        "class Crop(Entity):\n    span: str  # Such as:\n    # maize\n# Where crops are sold.\n"
        "class Market(Entity):\n    span: str\n\n    # far away\n"
    )
    crop, market = read_classes(text)
    assert crop.fields[0].comment == "Such as: maize"
    assert market.fields[0].comment is None


def test_a_file_of_classes_is_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "market.py"
    path.write_text(MARKET, encoding="utf-8")
    schema = Schema.read(path)
    assert schema.labels == ("CROP", "Market")
    assert schema.entities[0].examples == ("matooke", "maize")
    assert schema.relations == (RelationType("SoldAt", "", ("CROP",), ("Market",), head_comment="the crop"),)
    assert schema.events[0].roles == ("seller", "goods", "time-of-day")
    assert schema.events[0].role_guidelines == ("who sells, alone or with others", "what is sold", "")
    assert schema.events[0].comment == "the verb"


def test_nothing_in_a_schema_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    path = tmp_path / "trap.py"
    path.write_text(f"import os\nopen({str(trap)!r}, 'w')\nclass A(Entity):\n    span: str\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"trap\.py:2: a schema holds classes"):
        Schema.read(path)
    assert not trap.exists()


def test_a_problem_is_shown_with_its_line_and_a_caret() -> None:
    with pytest.raises(SchemaError) as caught:
        read_classes("class Crop(Entity):\n    span: int\n\n\nclass Matooké(Entty):\n    span: str\n", path="market.py")
    assert str(caught.value) == (
        "market.py:2: the field span is of type str or List[str], or Optional of these\n"
        "        span: int\n"
        "              ^^^\n"
        "market.py:5: unknown base: did you mean Entity? A class is built on Entity, Value, Relation, Event, "
        "or a class above it\n"
        "    class Matooké(Entty):\n"
        "                  ^^^^^"
    )


def test_a_syntax_error_is_shown_with_its_line_and_a_caret() -> None:
    with pytest.raises(SchemaError) as caught:
        read_classes("class Crop(Entity)\n    span: str\n", path="market.py")
    assert str(caught.value).splitlines() == [
        "market.py:1: not valid Python: expected ':'",
        "    class Crop(Entity)",
        "                      ^",
    ]


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("class class(Entity):\n    span: str", 1, "not valid Python"),
        ("class None(Entity):\n    span: str", 1, "not valid Python"),
        (
            "class A(Entity):\n    span: str\nclass A(Entity):\n    span: str",
            3,
            "the class A stands twice, first in line 1",
        ),
        ("class Entity(Entity):\n    span: str", 1, "no class of a schema is called Entity"),
        ("class A:\n    span: str", 1, "the class A is built on one of Entity, Value, Relation, Event"),
        ("class A(Entity, Value):\n    span: str", 1, "built on one of"),
        ("class A(Template):\n    span: str", 1, "unknown base"),
        ("class A(B):\n    span: str\nclass B(Entity):\n    span: str", 1, "unknown base"),
        ("class A(Entity, metaclass=M):\n    span: str", 1, "no more than what it is"),
        ("@final\nclass A(Entity):\n    span: str", 1, "no decorator but @dataclass"),
        ("class A(Entity):\n    pass", 1, "the class A lacks span, which an Entity has"),
        ("class A(Relation):\n    arg2: str", 1, "the class A lacks arg1, which a Relation has"),
        ("class A(Event):\n    place: List[str]", 1, "the class A lacks mention"),
        ("class A(Entity):\n    span: str\n    place: str", 3, "an Entity has span and no field place"),
        (
            "class A(Relation):\n    arg1: str\n    arg2: str\n    span: str",
            4,
            "a Relation has arg1 and arg2 and no field",
        ),
        ("class A(Entity):\n    span: List[str]", 2, "the field span of an Entity is of type str"),
        ("class A(Entity):\n    span: str\n    span: str", 3, "span stands twice in A"),
        ("class A(Event):\n    mention: str\n    when: Dict[str, str]", 3, "the field when is of type str or List"),
        ("class A(Event):\n    mention: str\n    when: List[int]", 3, "the field when is of type str or List"),
        ("class A(Entity):\n    span: str = input()", 2, "the field span has no value"),
        ("class A(Entity):\n    span: str\n    def f(self): ...", 3, "holds a docstring and fields"),
        ("class A(Entity):\n    span: str\n    label: ClassVar[str] = 3", 3, "label is a string"),
        ("class A(Entity):\n    span: str\n    label: ClassVar[str]", 3, "label is a string"),
        ("class A(Entity):\n    span: str\n    label: ClassVar[str] = 'B-A'", 3, "looks like an IOB2 tag"),
        (
            "class A(Entity):\n    span: str\n    lable: ClassVar[str] = 'a'",
            3,
            "unknown ClassVar lable: did you mean label",
        ),
        ("class A(Entity):\n    span: str\n    head: ClassVar = ('A',)", 3, "head is for a class on Relation"),
        ("class A(Relation):\n    arg1: str\n    arg2: str\n    head: ClassVar = 'A'", 4, "head is a tuple of strings"),
        (
            "class A(Event):\n    mention: str\n    roles: ClassVar = {'x': 'y'}",
            3,
            "roles names the field x, and A has none",
        ),
        ("class A(Entity):\n    span: str\nprint(A)", 3, "nothing that would have to be run"),
        ("if True:\n    class A(Entity):\n        span: str", 1, "nothing that would have to be run"),
        ("class A(Entity):\n    span: str\n\0", None, "not valid Python"),
        ("(" * 100_000, 1, "not valid Python"),
        ("-" * 100_000 + "1", None, ""),
        ("# " + "x" * 1_000 + "\nclass " + "A" * 5_000, 2, "not valid Python"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, place: int | None, complaint: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_classes(text, path="s.py")
    message = str(caught.value)
    assert complaint in message
    assert message.startswith(f"s.py:{place}: " if place else "s.py:")
    assert max(map(len, message.splitlines())) < 400


def test_one_broken_class_does_not_hide_the_problems_of_others() -> None:
    text = "class A(Entity):\n    span: int\nclass B(A):\n    pass\nclass C(Entity):\n    arg1: str\n"
    with pytest.raises(SchemaError) as caught:
        read_classes(text, path="s.py")
    lines = [line.split(": ")[0] for line in str(caught.value).splitlines() if line.startswith("s.py")]
    assert lines == ["s.py:2", "s.py:5", "s.py:6"]  # B is built on what was complained about already


def test_many_problems_are_counted() -> None:
    with pytest.raises(SchemaError, match=r"s\.py: 80 more problems$"):
        read_classes("x = 1\n" * 100, path="s.py")


def test_labels_that_stand_twice_and_empty_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text("class A(Entity):\n    span: str\nclass B(Entity):\n    span: str\n    label: ClassVar = 'A'\n")
    with pytest.raises(SchemaError, match=r"s\.py: entity label 'A' stands twice"):
        Schema.read(path)
    path.write_text("import typing\n")
    with pytest.raises(SchemaError, match=r"s\.py: the schema is empty"):
        Schema.read(path)


def test_windows_line_ends_tabs_and_escapes() -> None:
    text = 'class A(Entity):\r\n\tr"""a \\d, a \\\\"""\r\n\tspan: str  # ten %\r\n'
    assert read_classes(text) == (
        ClassDefinition("A", "Entity", "a \\d, a \\\\", (ClassField("span", comment="ten %"),)),
    )
    assert read_classes('class A(Entity):\n    """a \\d"""\n    span: str\n')[0].guideline == "a \\d"


def test_the_classes_of_a_schema_have_names_that_python_allows() -> None:
    labels = ["class", "None", "7up", "Event", "%", "place_name", "placeName", "place/name", "ቦታ"]
    schema = Schema(
        Schema.from_labels(labels).entities,
        events=(EventType("Sale", roles=("from", "time-of-day", "time_of_day", "mention", "2nd")),),
    )
    names = [definition.name for definition in entity_classes(schema)]
    assert names == ["Class", "None_", "Label7up", "Event_", "Label", "PlaceName", "PlaceName_2", "PlaceName_3", "ቦታ"]
    (sale,) = event_classes(schema)
    assert [field.name for field in sale.fields] == [
        "mention",
        "from_",
        "time_of_day_2",
        "time_of_day",
        "mention_2",
        "role_2nd",
    ]
    assert list(role_labels(sale).values()) == list(schema.events[0].roles)
