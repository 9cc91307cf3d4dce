"""Results written and read back: the mention stays the mention in every format, over any Unicode."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transfusion.corpora.columns import read_gold
from transfusion.document import AnnotatedText, Argument, Document, Entity, Event, Note, Relation
from transfusion.errors import FormatError, OutputError
from transfusion.formats import Output, read_results
from transfusion.formats.clean import SURROGATES, without_surrogates
from transfusion.formats.write import OutputFormat

AWKWARD = "aB .,'-#\t\n\r\0\x0b\x1c\x1f\x85\xa0\u0301\u200b\u200d\u2028\u2029\u202e\ufeff\ufffe😀👩אבשلا中文ไท<>&\"\\O"
texts = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=30)
labels = st.sampled_from(["PER", "LOC", "weather/attribute", "two words", "a:b", "<b>", 'x"y', "\0\r\n"])


@st.composite
def annotated(draw: st.DrawFn) -> AnnotatedText:
    text = draw(texts)
    if not text:
        return AnnotatedText(text, "swa")
    scores = st.integers(0, 100).map(lambda percent: percent / 100)

    @st.composite
    def spans(draw: st.DrawFn) -> Entity:
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        return Entity(start, end, draw(labels), draw(scores), draw(st.sampled_from(["exact", "aligned"])))

    relations = st.builds(Relation, labels, spans(), spans(), scores)
    arguments = st.lists(st.builds(Argument, labels, spans()), max_size=2).map(tuple)
    events = st.builds(Event, labels, spans(), arguments, scores)
    return AnnotatedText(
        text,
        "swa",
        relations=tuple(draw(st.lists(relations, max_size=2))),
        events=tuple(draw(st.lists(events, max_size=2))),
    ).with_entities(tuple(draw(st.lists(spans(), max_size=4))))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    notes = st.builds(Note, st.just("long-line"), texts, st.sampled_from(["info", "warning"]))
    return Document(
        draw(texts),
        draw(annotated()),
        draw(st.none() | annotated()),
        tuple(draw(st.lists(notes, max_size=2))),
    )


def write(path: Path, format: OutputFormat, *found: Document) -> Path:
    with Output(path, format) as output:
        for document in found:
            output.write(document)
    return path


def spans(text: AnnotatedText) -> list[tuple[int, int, str]]:
    return sorted((e.start, e.end, e.label) for e in text.entities)


def without_surrogate_note(document: Document) -> Document:
    return Document(
        document.id, document.source, document.pivot, tuple(n for n in document.notes if n.code != SURROGATES)
    )


any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@any_folder
@given(found=st.lists(documents(), max_size=3))
def test_json_lines_give_every_document_back_as_it_was(tmp_path: Path, found: list[Document]) -> None:
    path = write(tmp_path / "out.jsonl", "jsonl", *found)
    assert list(read_results(path)) == [without_surrogates(document) for document in found]
    # Whatever a program takes for the end of a line: there is one line a document.
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(found)


@any_folder
@given(found=st.lists(documents(), max_size=3))
def test_columns_give_text_offsets_labels_and_notes_back(tmp_path: Path, found: list[Document]) -> None:
    back = list(read_results(write(tmp_path / "out.conll", "conll", *found)))
    expected = [without_surrogates(document) for document in found]
    assert [(d.id, d.source.text, d.source.language, d.notes) for d in back] == [
        (d.id, d.source.text, d.source.language, d.notes) for d in expected
    ]
    assert [spans(d.source) for d in back] == [spans(d.source) for d in expected]
    assert [(d.source.relations, d.source.events) for d in back] == [
        (d.source.relations, d.source.events) for d in expected
    ]


class Reader(HTMLParser):
    """Text content of each side, and of each mark in it, as a browser would give them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sides: list[dict[str, Any]] = []
        self._open: list[tuple[str, dict[str, Any] | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        target: dict[str, Any] | None = None
        if "data-side" in values or "data-also" in values:
            target = {"side": values.get("data-side"), "text": "", "marks": []}
            self.sides.append(target)
        elif tag == "mark":
            target = {"start": int(values["data-start"] or 0), "end": int(values["data-end"] or 0), "text": ""}
            self.sides[-1]["marks"].append(target)
        elif "data-codepoint" in values:
            self._add(chr(int(values["data-codepoint"] or 0)))
            target = {"instead": True}
        if tag not in ("meta", "input"):
            self._open.append((tag, target))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1] and "instead" in self._open[-1][1]):
            self._add(data)

    def _add(self, data: str) -> None:
        for _, target in self._open:
            if target is not None and "text" in target:
                target["text"] += data


@any_folder
@given(document=documents())
def test_the_page_holds_each_text_and_each_mention_and_nothing_else(tmp_path: Path, document: Document) -> None:
    reader = Reader()
    reader.feed(write(tmp_path / "out.html", "html", document).read_bytes().decode("utf-8"))
    reader.close()
    clean = without_surrogates(document)
    expected = [text for text in (clean.source, clean.pivot) if text is not None]
    assert [side["text"] for side in reader.sides if side["side"]] == [text.text for text in expected]
    sides = iter(reader.sides)
    marks: list[list[dict[str, Any]]] = []
    for side in sides:
        if side["side"]:
            marks.append(side["marks"])
        else:
            marks[-1].extend(side["marks"])
    for text, found in zip(expected, marks, strict=True):
        assert sorted((m["start"], m["end"]) for m in found) == sorted((e.start, e.end) for e in text.entities)
        assert all(mark["text"] == text.text[mark["start"] : mark["end"]] for mark in found)


RUTO = Document(
    "7",
    AnnotatedText("Rais Ruto, Kampala 2020.", "swa", (Entity(5, 9, "PER", 0.98), Entity(11, 18, "LOC"))),
)


def test_columns_are_words_as_people_split_them(tmp_path: Path) -> None:
    lines = write(tmp_path / "out.conll", "conll", RUTO).read_text(encoding="utf-8")
    assert lines == (
        "# id = 7\n# language = swa\n# text = Rais Ruto, Kampala 2020.\n"
        "Rais O\nRuto B-PER\n, O\nKampala B-LOC\n2020 O\n. O\n\n"
    )


def test_columns_can_be_scored_as_gold(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path / "out.conll", "conll", RUTO), language="swa")
    assert not gold.problems
    assert [d.source.text for d in gold.documents] == [RUTO.source.text]
    assert spans(gold.documents[0].source) == spans(RUTO.source)


def test_a_word_is_cut_where_an_entity_ends(tmp_path: Path) -> None:
    chinese = Document("1", AnnotatedText("我在北京市工作", "zho", (Entity(2, 4, "LOC"), Entity(4, 5, "LOC"))))
    [back] = read_results(write(tmp_path / "out.conll", "conll", chinese))
    assert [back.source.mention(entity) for entity in back.source.entities] == ["北京", "市"]


def test_half_an_emoji_is_replaced_and_noted(tmp_path: Path) -> None:
    broken = Document("1", AnnotatedText("Ruto \ud83d alifika", "swa", (Entity(0, 4, "PER"),)))
    [back] = read_results(write(tmp_path / "out.jsonl", "jsonl", broken))
    assert back.source.text == "Ruto \ufffd alifika"
    assert [note.code for note in back.notes] == [SURROGATES]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": "1"}', "no field 'text'"),
        (
            '{"id": "1", "text": "ab", "language": "swa", "entities": [{"start": 0, "end": 9, "label": "PER"}]}',
            "past the end",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "entities": [{"start": "0", "end": 1, "label": "PER"}]}',
            "whole",
        ),
        (
            '{"id": "1", "text": "ab", "language": "", "entities": [{"start": 0, "end": 1, "label": "", "text": "b"}]}',
            "'b' does not stand at 0–1",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "relations": [{"label": "R", "head": {"start": 0, "end": 1, '
            '"label": "A"}, "tail": null}]}',
            "the tail of a relation must be an object with 'start' and 'end', not null",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "relations": [{"label": "R", "head": {"start": 0, "end": 1, '
            '"label": "A"}, "tail": {"start": 1, "end": 2, "text": "b"}}]}',
            "the tail of a relation needs a label, not None",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "events": [{"label": "E", "trigger": {"start": 0, "end": 1, '
            '"text": "b"}}]}',
            "the trigger of an event 'b' does not stand at 0–1, where the text has 'a'",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "events": [{"label": "E", "trigger": {"start": 0, "end": 1}, '
            '"arguments": [{"role": "place", "start": 1, "end": 3}]}]}',
            "past the end",
        ),
        (
            '{"id": "1", "text": "ab", "language": "swa", "events": [{"label": "E", "trigger": {"start": 0, "end": 1}, '
            '"arguments": [{"start": 1, "end": 2}]}]}',
            "an argument needs a role, not None",
        ),
        ('{"id": "1", "text": "ab", "language": "swa", "events": {}}', "'events' must be a list of objects"),
    ],
)
def test_a_result_that_does_not_fit_its_text_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(FormatError, match=rf"out.jsonl:2: .*{complaint}"):
        list(read_results(path))


def test_the_page_is_safe_and_complete_for_many_documents(tmp_path: Path) -> None:
    attack = Document(
        '"><script>alert(1)</script>',
        AnnotatedText("<script>alert(2)</script>", "arb", (Entity(0, 8, '"><img src=x>'),)),
        notes=(Note("<b>", "<script>", "warning"),),
    )
    page = write(tmp_path / "out.html", "html", *[attack] * 300).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<article") == 300
    assert "300 documents" in page
    assert "300 entities" in page
    assert 'dir="auto"' in page
    assert "http" not in page
    assert page.rstrip().endswith("</html>")


SHIP = AnnotatedText("MV Bukoba ilizama karibu na Mwanza.", "swa")
VESSEL, PORT, SANK = Entity(0, 9, "Vessel"), Entity(28, 34, "Port", 0.8, "grounded"), Entity(10, 17, "Sinking")
SINKING = replace(
    SHIP.with_entities((VESSEL, PORT)),
    relations=(Relation("Near", VESSEL, PORT, 0.5),),
    events=(Event("Sinking", SANK, (Argument("place", PORT),), 0.7),),
)


def test_relations_and_events_say_where_each_of_their_parts_stands(tmp_path: Path) -> None:
    line = write(tmp_path / "out.jsonl", "jsonl", Document("1", SINKING)).read_text(encoding="utf-8")
    record = json.loads(line)
    [relation], [event] = record["relations"], record["events"]
    assert (relation["label"], relation["score"]) == ("Near", 0.5)
    assert relation["head"] == {
        "start": 0,
        "end": 9,
        "label": "Vessel",
        "text": "MV Bukoba",
        "score": 1.0,
        "match": "exact",
    }
    assert (event["trigger"]["text"], event["trigger"]["match"]) == ("ilizama", "exact")
    assert event["arguments"] == [
        {"role": "place", "start": 28, "end": 34, "label": "Port", "text": "Mwanza", "score": 0.8, "match": "grounded"}
    ]
    assert "relations" not in Document("1", SHIP).to_dict()


def test_a_line_that_a_person_wrote_needs_no_more_than_offsets_and_names(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(
        '{"id": "1", "text": "Meli ilizama", "language": "swa", "events": [{"label": "Sinking", '
        '"trigger": {"start": 5, "end": 12}, "arguments": [{"role": "vessel", "start": 0, "end": 4}]}]}\n'
    )
    [document] = read_results(path)
    vessel = Argument("vessel", Entity(0, 4, "vessel"))
    assert document.source.events == (Event("Sinking", Entity(5, 12, "Sinking"), (vessel,)),)


def test_the_page_lists_relations_and_events_below_the_text(tmp_path: Path) -> None:
    page = write(tmp_path / "out.html", "html", Document("1", SINKING)).read_text(encoding="utf-8")
    assert '<b>Near</b> <q dir="auto">MV Bukoba</q> → <q dir="auto">Mwanza</q></li>' in page
    assert '<b>Sinking</b> <q dir="auto">ilizama</q> <i>place</i> <q dir="auto">Mwanza</q></li>' in page


@given(text=annotated(), data=st.data())
def test_parts_of_a_text_put_together_are_the_text(text: AnnotatedText, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text.text)), max_size=3)))
    edges = [0, *cuts, len(text.text)]
    parts = [(start, text.part(start, end)) for start, end in itertools.pairwise(edges)]
    whole = text.with_parts(parts)

    def kept(*found: Entity) -> bool:
        return any(start <= min(e.start for e in found) and max(e.end for e in found) <= end for start, end in inside)

    inside = list(itertools.pairwise(edges))
    assert whole.text == text.text
    assert "".join(part.text for _, part in parts) == text.text
    assert sorted(map(str, whole.entities)) == sorted(str(e) for e in text.entities if kept(e))
    assert sorted(map(str, whole.relations)) == sorted(str(r) for r in text.relations if kept(*r.spans))
    assert sorted(map(str, whole.events)) == sorted(str(e) for e in text.events if kept(*e.spans))
    for start, part in parts:
        assert [part.mention(e) for e in part.entities] == [text.mention(e.shifted(start)) for e in part.entities]


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    output = Output(path, "jsonl")
    output.write(RUTO)
    assert list(read_results(path)) != []
    output.__exit__(RuntimeError, RuntimeError(), None)
    assert list(read_results(path)) != []


def test_a_page_whose_run_dies_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    output = Output(path, "html")
    output.write(RUTO)
    output.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_an_older_result_stays_until_there_is_a_new_one(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl", "jsonl", RUTO, RUTO)
    Output(path, "jsonl").__exit__(RuntimeError, RuntimeError(), None)
    assert len(list(read_results(path))) == 2
    write(path, "jsonl", RUTO)
    assert len(list(read_results(path))) == 1


def test_places_that_cannot_be_written_are_known_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="this is a folder"):
        Output(tmp_path)
    with pytest.raises(OutputError, match="there is no folder"):
        Output(tmp_path / "absent" / "out.jsonl")
    source = tmp_path / "in.jsonl"
    source.write_text("{}")
    with pytest.raises(OutputError, match="the file that is being read"):
        Output(source, source=source)
    if Path("/dev/full").exists():
        with pytest.raises(OutputError, match="No space left"), Output("/dev/full") as output:
            output.write(RUTO)
