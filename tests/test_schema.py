"""A user says what to look for: as labels, as a file, or with the schema that ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transfusion.errors import SchemaError
from transfusion.schema import NEWS, EntityType, EventType, RelationType, Schema

MARKET = Schema(
    entities=(EntityType("CROP", "What is sold.", ("matooke", "maize")), EntityType("MARKET")),
    relations=(RelationType("SoldAt", "A crop is sold at a market.", head=("CROP",), tail=("MARKET",)),),
    events=(EventType("Sale", "Somebody sells something.", roles=("seller", "goods")),),
)


def test_news_knows_people_organisations_and_places() -> None:
    assert NEWS.labels == ("PER", "ORG", "LOC")
    assert all(entity.guideline and entity.examples for entity in NEWS.entities)


def test_a_list_of_labels_is_a_schema() -> None:
    assert Schema.from_labels(["CROP", "MARKET"]).labels == ("CROP", "MARKET")


@pytest.mark.parametrize("schema", [NEWS, MARKET, Schema.from_labels(["CROP"])])
def test_a_schema_survives_being_written_and_read(schema: Schema, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema.to_dict()), encoding="utf-8")
    assert Schema.read(path) == schema


def test_a_schema_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(
        """
        [[entities]]
        name = "CROP"
        guideline = "What is sold."
        examples = ["matooke", "maize"]
        [[entities]]
        name = "MARKET"
        [[relations]]
        name = "SoldAt"
        guideline = "A crop is sold at a market."
        head = ["CROP"]
        tail = ["MARKET"]
        [[events]]
        name = "Sale"
        guideline = "Somebody sells something."
        roles = ["seller", "goods"]
        """,
        encoding="utf-8",
    )
    assert Schema.read(path) == MARKET


def test_names_alone_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text('entities = ["PER", "LOC"]', encoding="utf-8")
    assert Schema.read(path) == Schema.from_labels(["PER", "LOC"])


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("", "non-empty"),
        ("BIG CITY", "write it as 'BIG_CITY'"),
        ("<PER>", "write it as 'PER'"),
        ("B-PER", "bare label"),
        ("O", "bare label"),
    ],
)
def test_a_label_that_cannot_be_one(label: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        Schema.from_labels(["LOC", label])


def test_a_label_stands_once() -> None:
    with pytest.raises(SchemaError, match="entity label 'PER' stands twice"):
        Schema.from_labels(["PER", "LOC", "PER"])
    with pytest.raises(SchemaError, match="role of Sale 'seller' stands twice"):
        EventType("Sale", roles=("seller", "seller"))


def test_an_unknown_label_is_answered_with_the_known_ones() -> None:
    NEWS.check_labels(["LOC", "PER"])
    with pytest.raises(SchemaError, match=r"unknown label 'PERS': did you mean PER\? The labels are PER, ORG, LOC"):
        NEWS.check_labels(["LOC", "PERS"])
    with pytest.raises(SchemaError, match="did you mean ORG"):
        NEWS.check_labels(["org"])
    with pytest.raises(SchemaError, match="unknown label 'DATE': The labels are"):
        NEWS.check_labels(["DATE"])


def test_a_relation_is_between_entities_of_the_schema() -> None:
    with pytest.raises(SchemaError, match="unknown label 'SHOP'"):
        Schema((EntityType("CROP"),), (RelationType("SoldAt", head=("CROP",), tail=("SHOP",)),))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("s.toml", b"entities = [", "not valid TOML"),
        ("s.json", b"{", "not valid JSON"),
        ("s.json", b"[" * 100_000, "not valid JSON"),
        ("s.json", b"[1]", "a schema is a table"),
        ("s.json", b"{}", "empty"),
        ("s.json", b'{"entities": "PER"}', "is a list"),
        ("s.json", b'{"entities": [1]}', "an item of 'entities'"),
        ("s.json", b'{"entities": [{"name": 1}]}', "is a string"),
        ("s.json", b'{"entities": [{"name": "PER", "examples": "Ann"}]}', "list of strings"),
        ("s.json", b'{"entities": [{"name": "PER", "guidline": "?"}]}', "unknown key 'guidline'"),
        ("s.json", b'{"labels": ["PER"]}', "unknown key 'labels'"),
        ("s.json", b'{"entities": ["\xff"]}', "not UTF-8"),
        ("s.yaml", b"entities: [PER]", "ends in .toml or .json"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        Schema.read(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"gone\.toml: cannot be read"):
        Schema.read(tmp_path / "gone.toml")
