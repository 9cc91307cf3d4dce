"""A schema stays the same however it is written: Python classes, TOML, JSON, a list of labels."""

from __future__ import annotations

import ast
import keyword
import tomllib
from unicodedata import normalize

from hypothesis import example, given
from hypothesis import strategies as st

from transfusion.schema import EntityType, EventType, RelationType, Schema
from transfusion.schema.classes import (
    ClassDefinition,
    class_labels,
    classes_of,
    event_classes,
    role_labels,
    schema_of,
    trigger_classes,
)
from transfusion.schema.files import python_schema, schema_to_json, schema_to_python, schema_to_toml
from transfusion.schema.literals import docstring
from transfusion.schema.names import class_name_for, field_name_for, is_class_name
from transfusion.schema.source import read_classes
from transfusion.schema.syntax import string_of
from transfusion.schema.writing import write_classes

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LABELS = st.one_of(
    st.sampled_from(
        [*keyword.kwlist, "Entity", "Event", "7up", "PER", "PER_2", "place_name", "per:title", "%", "ﬁeld"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters="<>"), min_size=1),
).filter(lambda label: label != "O" and not label.startswith(("B-", "I-")) and not any(map(str.isspace, label)))
EXAMPLES = st.lists(WORDS, max_size=3).map(tuple)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A schema of any labels, guidelines in any script, with quotes, breaks and backslashes."""

    def labels(at_most: int) -> list[str]:
        return draw(st.lists(LABELS, unique=True, max_size=at_most))

    entities = tuple(EntityType(label, draw(WORDS), draw(EXAMPLES), value=draw(st.booleans())) for label in labels(4))
    known = [entity.name for entity in entities]
    sides = st.lists(st.sampled_from(known), max_size=2).map(tuple) if known else st.just(())
    relations = tuple(
        RelationType(label, draw(WORDS), draw(sides), draw(sides), "", draw(WORDS), draw(WORDS)) for label in labels(3)
    )
    events = []
    for label in labels(3):
        roles = tuple(labels(4))
        meanings = tuple(draw(WORDS) for _ in roles)
        events.append(EventType(label, draw(WORDS), roles, "", meanings if any(meanings) else (), draw(EXAMPLES)))
    return Schema(entities, relations, tuple(events))


@given(schemas())
def test_classes_hold_all_that_a_schema_holds(schema: Schema) -> None:
    classes = classes_of(schema)
    assert classes_of(schema_of(classes)) == classes
    assert list(class_labels(classes).values()) == [kind.name for kind in schema.types]
    for definition, event in zip(event_classes(schema), schema.events, strict=True):
        assert tuple(role_labels(definition).values()) == event.roles


@given(st.text(st.sampled_from("a \n\t\x0b\x0c\x1c\x85\u2028\u3000\"\\'\r"), max_size=12))
@example("0\n\x85")  # a line of nothing but a blank that is no space
@example('"""')
def test_a_docstring_is_read_as_it_was_written(text: str) -> None:
    written = ast.parse(f"class A:\n    {docstring(text)}\n    x: str\n").body[0]
    assert isinstance(written, ast.ClassDef)
    assert string_of(written.body[0]) == text


@given(schemas())
def test_classes_survive_being_written_and_read(schema: Schema) -> None:
    classes = classes_of(schema)
    text = write_classes(classes)
    assert read_classes(text) == classes
    assert write_classes(read_classes(text)) == text


@given(schemas())
def test_python_leaves_labels_guidelines_examples_and_roles_alone(schema: Schema) -> None:
    if not classes_of(schema):
        return
    found = python_schema(schema_to_python(schema))
    assert found.labels == schema.labels
    assert [entity.guideline for entity in found.entities] == [entity.guideline for entity in schema.entities]
    assert [entity.examples for entity in found.entities] == [entity.examples for entity in schema.entities]
    assert [event.roles for event in found.events] == [event.roles for event in schema.events]
    assert [event.role_guidelines for event in found.events] == [event.role_guidelines for event in schema.events]
    assert [relation.head for relation in found.relations] == [relation.head for relation in schema.relations]


@given(schemas())
def test_toml_and_json_leave_everything_alone(schema: Schema) -> None:
    if not classes_of(schema):
        return
    assert Schema.from_dict(tomllib.loads(schema_to_toml(schema))) == schema
    assert Schema.from_dict(ast.literal_eval(repr(schema.to_dict()))) == schema
    assert schema_to_json(schema).endswith("}\n")


@given(st.lists(LABELS, unique=True, min_size=1, max_size=6))
def test_a_list_of_labels_becomes_classes_and_labels_again(labels: list[str]) -> None:
    schema = python_schema(schema_to_python(Schema.from_labels(labels)))
    assert schema.labels == tuple(labels)
    assert not any(entity.guideline or entity.examples for entity in schema.entities)


@given(LABELS)
def test_every_label_has_a_name_in_python(label: str) -> None:
    name = class_name_for(label)
    assert is_class_name(name)
    assert normalize("NFKC", name) == name
    assert class_name_for(label) == name
    field = field_name_for(label)
    assert field.isidentifier()
    assert not keyword.iskeyword(field)
    (node,) = ast.parse(f"class {name}(Entity):\n    {field}: str\n").body
    assert isinstance(node, ast.ClassDef)
    assert node.name == name


def test_triggers_are_asked_for_without_roles() -> None:
    sale = EventType("Sale", "Somebody sells something.", ("seller",), examples=("sold",))
    (definition,) = trigger_classes(Schema((), events=(sale,)))
    assert [field.name for field in definition.fields] == ["mention"]
    assert definition.fields[0].comment == 'Such as: "sold"'


def test_a_guideline_of_several_lines_is_written_on_several_lines() -> None:
    schema = Schema((EntityType("Vessel", 'Names of ships.\n\nWith the prefix "MV".'),))
    assert schema_to_python(schema).splitlines()[3:] == [
        "@dataclass",
        "class Vessel(Entity):",
        '    """Names of ships.',
        "",
        '    With the prefix "MV".',
        '    """',
        "",
        "    span: str",
    ]
    assert python_schema(schema_to_python(schema)) == schema


def test_a_guideline_with_backslashes_keeps_them() -> None:
    guideline = "Paths such as C:\\new,\nand nothing else."
    assert read_classes(write_classes([ClassDefinition("Path", "Entity", guideline)]))[0].guideline == guideline


def test_a_comment_keeps_the_spaces_round_it() -> None:
    relation = RelationType("SoldAt", head_comment=" the crop ", tail_comment="# the market")
    assert python_schema(schema_to_python(Schema((), (relation,)))).relations == (relation,)


def test_a_class_name_that_was_given_is_kept_and_avoided() -> None:
    schema = Schema((EntityType("person"), EntityType("PER", class_name="Person")))
    classes = classes_of(schema)
    assert [definition.name for definition in classes] == ["Person_2", "Person"]
    assert classes[1] == ClassDefinition("Person", "Entity", label="PER")
