"""The schemas of published data sets, found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfusion.errors import SchemaError
from transfusion.schema import NEWS, Schema, find_schema, schema_names
from transfusion.schema.classes import ClassDefinition, ClassField, classes_of, entity_classes
from transfusion.schema.files import python_schema, schema_to_python
from transfusion.schema.find import find_built_in
from transfusion.schema.mend import advice, mends

# Entities, relations, events, as the papers count them.
SIZES = {
    "ace2005": (7 + 6, 6, 33),
    "ace2005-fine": (7 + 6, 18, 33),
    "conll2003": (3, 0, 0),
    "conll2003-misc": (4, 0, 0),
    "masakhaner": (3, 0, 0),
    "masakhaner-date": (4, 0, 0),
    "massive": (55, 0, 0),
    "multiconer2": (33, 0, 0),
    "multinerd": (15, 0, 0),
    "multitacred": (17, 41, 0),
    "multito": (16, 0, 0),
    "ontonotes5": (18, 0, 0),
    "rams": (0, 0, 139),
    "redfm": (11, 32, 0),
    "uner": (3, 0, 0),
    "wnut17": (6, 0, 0),
    "xsid": (41, 0, 0),
}


def test_every_data_set_of_the_paper_has_its_schema() -> None:
    assert set(schema_names()) == set(SIZES)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_built_in_schema_is_whole(name: str) -> None:
    schema = find_schema(name)
    assert (len(schema.entities), len(schema.relations), len(schema.events)) == SIZES[name]
    assert mends(schema) == ()
    assert advice(schema) == ()
    assert python_schema(schema_to_python(schema)) == schema
    assert Schema.from_dict(schema.to_dict()) == schema
    assert find_built_in(name).source
    for definition in classes_of(schema):
        assert "\n" not in definition.guideline
        assert all(field.comment for field in definition.fields if field.many), definition.name


@pytest.mark.parametrize("name", ["masakhaner", "conll2003", "uner"])
def test_news_is_said_in_the_words_that_models_were_trained_on(name: str) -> None:
    def entity(name: str, label: str, guideline: str, examples: str) -> ClassDefinition:
        return ClassDefinition(name, "Entity", guideline, (ClassField("span", comment=f"Such as: {examples}"),), label)

    assert entity_classes(find_schema(name)) == (
        entity(
            "Person",
            "PER",
            "People called by name: given names, family names, nicknames, initials. "
            "Titles and offices such as president or Dr. stay outside.",
            '"Yoweri Museveni", "Winnie Byanyima"',
        ),
        entity(
            "Organization",
            "ORG",
            "Groups with a name of their own: companies, parties, ministries, schools, clubs, armies, newspapers, "
            "international bodies.",
            '"Makerere University", "African Union"',
        ),
        entity(
            "Location",
            "LOC",
            "Places with a name: countries, regions, cities, villages, streets, rivers, lakes, mountains, landmarks.",
            '"Kampala", "Lake Victoria"',
        ),
    )


def test_the_slots_of_xsid_are_those_of_its_files(shared_data: Path) -> None:
    found = {
        line.rsplit("\t", 1)[1].strip()[2:]
        for path in sorted((shared_data / "xsid").glob("*.conll"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "\t" in line and not line.startswith("#") and not line.rstrip().endswith("\tO")
    }
    assert found
    assert found <= set(find_schema("xsid").labels)


def test_the_labels_of_masakhaner_are_those_of_its_files(shared_data: Path) -> None:
    found = {
        tag[2:]
        for path in sorted((shared_data / "masakhaner2").glob("*/test.txt"))
        for tag in (line.split()[-1] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        if tag.startswith(("B-", "I-"))
    }
    assert found == set(find_schema("masakhaner-date").labels)


def test_a_name_that_is_none_is_answered_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no schema 'masakaner': did you mean masakhaner or masakhaner-date"):
        find_schema("masakaner")
    with pytest.raises(SchemaError, match=r"gone\.toml: cannot be read"):
        find_schema(tmp_path / "gone.toml")
    (tmp_path / "schema.yaml").write_text("PER\n")
    with pytest.raises(SchemaError, match=r"ends in \.toml or \.json"):
        find_schema(tmp_path / "schema.yaml")


def test_names_are_found_in_any_case_and_files_by_their_path(tmp_path: Path) -> None:
    assert find_schema("MasakhaNER") == NEWS
    (tmp_path / "mine.txt").write_text("CROP\n\nMARKET\n")
    assert find_schema(tmp_path / "mine.txt") == Schema.from_labels(["CROP", "MARKET"])
    (tmp_path / "mine.json").write_text('["CROP", "MARKET"]')
    assert find_schema(tmp_path / "mine.json") == Schema.from_labels(["CROP", "MARKET"])
