"""Results written and read back: the mention stays the mention in every format, over any Unicode."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transfusion.corpora.columns import read_gold
from transfusion.document import AnnotatedText, Document, Entity, Note
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
    entities = []
    if text:
        for _ in range(draw(st.integers(0, 4))):
            start = draw(st.integers(0, len(text) - 1))
            end = draw(st.integers(start + 1, len(text)))
            score = draw(st.integers(0, 100)) / 100
            entities.append(Entity(start, end, draw(labels), score, draw(st.sampled_from(["exact", "aligned"]))))
    return AnnotatedText(text, "swa").with_entities(tuple(entities))


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
