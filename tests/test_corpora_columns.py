"""Gold files come in three formats, and their words must land on exact offsets of the natural text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.corpora.columns import GoldFile, entity_runs, iter_conll_texts, read_gold
from transfusion.corpora.words import locate_words
from transfusion.errors import FormatError

MASAKHANER = """Rais O
Ruto B-PER
alikutana O
na O
Museveni B-PER
mjini O
Kampala B-LOC
Jumatatu B-DATE
. O

Benki B-ORG
ya I-ORG
Dunia I-ORG
. O
"""

UNER = """# newdoc id = n01001
# sent_id = n01001-0001
# text = „Wir fahren nach Den Haag“, sagte Anna.
1\t„\tO\t-\t-
2\tWir\tO\t-\t-
3\tfahren\tO\t-\t-
4\tnach\tO\t-\t-
5\tDen\tB-LOC\t-\tstefan
6\tHaag\tI-LOC\t-\tstefan
7\t“\tO\t-\t-
8\t,\tO\t-\t-
9\tsagte\tO\t-\t-
10\tAnna\tB-PER\t-\tstefan
11\t.\tO\t-\t-
"""

XSID = """# id = 2
# text-en = Do I need a sweater?
# text = 我需要毛衣吗？
# intent = weather/find
1\t我\tweather/find\tO
2\t需要\tweather/find\tO
3\t毛衣\tweather/find\tB-weather/attribute
4\t吗？\tweather/find\tO
"""


def write(folder: Path, content: str | bytes, name: str = "gold.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def mentions(gold: GoldFile) -> list[list[tuple[str, str]]]:
    return [[(d.source.mention(e), e.label) for e in d.source.entities] for d in gold.documents]


def test_masakhaner_sentences_are_their_words_with_a_space_between(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, MASAKHANER, "test.txt"), language="swa")
    assert gold.format == "two-column"
    assert [d.id for d in gold.documents] == ["test-1", "test-2"]
    assert gold.documents[0].source.text == "Rais Ruto alikutana na Museveni mjini Kampala Jumatatu ."
    assert gold.documents[0].source.language == "swa"
    assert mentions(gold) == [
        [("Ruto", "PER"), ("Museveni", "PER"), ("Kampala", "LOC"), ("Jumatatu", "DATE")],
        [("Benki ya Dunia", "ORG")],
    ]
    assert gold.label_counts == {"DATE": 1, "LOC": 1, "ORG": 1, "PER": 2}
    assert gold.problems == ()


def test_dates_become_plain_text_when_only_names_are_scored(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, MASAKHANER), language="swa", labels=["PER", "ORG", "LOC"])
    assert gold.label_counts == {"LOC": 1, "ORG": 1, "PER": 2}
    assert gold.documents[0].source.text.endswith("Jumatatu .")


def test_tabs_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    plain = read_gold(write(tmp_path, MASAKHANER), language="swa")
    disguised = "\ufeff" + MASAKHANER.replace(" ", "\t").replace("\n", "\r\n")
    assert read_gold(write(tmp_path, disguised), language="swa").documents == plain.documents


def test_universal_ner_keeps_the_natural_text_and_its_names(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, UNER), language="deu")
    (document,) = gold.documents
    assert gold.format == "uner"
    assert document.id == "n01001-0001"
    assert document.source.text == "„Wir fahren nach Den Haag“, sagte Anna."
    assert mentions(gold) == [[("Den Haag", "LOC"), ("Anna", "PER")]]
    assert document.notes == ()


def test_xsid_keeps_slot_names_with_a_slash_in_a_script_without_spaces(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, XSID), language="zho")
    assert gold.format == "xsid"
    assert gold.documents[0].id == "2"
    assert gold.documents[0].source.text == "我需要毛衣吗？"
    assert mentions(gold) == [[("毛衣", "weather/attribute")]]


def test_other_quotes_and_decomposed_letters_in_the_text_do_not_lose_a_name(tmp_path: Path) -> None:
    # The text has a curly quote where the column has a straight one, and é as two code points.
    content = '# text = “Jose\u0301” lives\n1\t"\tO\t-\t-\n2\tJosé\tB-PER\t-\tx\n3\t"\tO\t-\t-\n4\tlives\tO\t-\t-\n'
    gold = read_gold(write(tmp_path, content), language="eng")
    assert gold.documents[0].source.text == "“Jose\u0301” lives"
    assert mentions(gold) == [[("Jose\u0301", "PER")]]


def test_a_name_that_the_text_does_not_hold_falls_back_to_the_words_with_a_note(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, UNER.replace("sagte Anna.", "sagte sie.")), language="deu")
    (document,) = gold.documents
    assert document.source.text == "„ Wir fahren nach Den Haag “ , sagte Anna ."
    assert mentions(gold) == [[("Den Haag", "LOC"), ("Anna", "PER")]]
    assert [(note.code, note.severity) for note in document.notes] == [("text-not-aligned", "warning")]
    assert "'Anna'" in document.notes[0].message


@pytest.mark.parametrize(
    ("tags", "runs"),
    [
        ("O I-PER I-PER O", [(1, 2, "PER")]),
        ("B-PER I-LOC", [(0, 0, "PER"), (1, 1, "LOC")]),
        ("B-PER B-PER I-PER", [(0, 0, "PER"), (1, 2, "PER")]),
        ("I-PER O I-PER", [(0, 0, "PER"), (2, 2, "PER")]),
    ],
)
def test_ill_formed_tags_are_read_as_conlleval_reads_them(tags: str, runs: list[tuple[int, int, str]]) -> None:
    assert entity_runs(tags.split()) == runs


def test_bad_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    content = "Ruto B-PER\nsaid\nfrom xx Kampala B-LOC\nhello there\n. O\n\nKigali B-LOC\n. O\n\nLome B-LOC\n. O\n"
    path = write(tmp_path, content)
    gold = read_gold(path, language="swa")
    assert [problem.line for problem in gold.problems] == [2, 3, 4]
    assert str(gold.problems[0]) == f"{path}:2: no IOB tag in 'said'; read as O"
    assert "4 columns instead of 2" in str(gold.problems[1])
    assert gold.documents[0].source.text == "Ruto said from hello ."
    assert mentions(gold) == [[("Ruto", "PER"), ("from", "LOC")], [("Kigali", "LOC")], [("Lome", "LOC")]]


def test_a_hash_sign_is_a_word_and_not_a_comment_when_it_has_a_tag(tmp_path: Path) -> None:
    gold = read_gold(write(tmp_path, "# O\nFreeAmade B-PER\n"), language="eng")
    assert gold.documents[0].source.text == "# FreeAmade"


def test_the_original_conll_2003_columns_are_read(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n"
    gold = read_gold(write(tmp_path, content), language="eng")
    assert mentions(gold) == [[("EU", "ORG")]]
    assert gold.problems == ()


@pytest.mark.parametrize("content", [b"", b"\n\n \n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FormatError, match="no sentences"):
        read_gold(write(tmp_path, content), language="swa")


@pytest.mark.parametrize("content", ["Rais Ruto alikutana na Museveni.\nMjini Kampala.\n", '{"text": "x"}\n', "a\nb\n"])
def test_a_file_in_no_gold_format_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(FormatError, match="not a gold file"):
        read_gold(write(tmp_path, content), language="swa")


def test_bytes_that_are_not_utf8_are_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"gold.txt:2: not UTF-8: byte 0xe9 at column 4"):
        read_gold(write(tmp_path, b"Ruto B-PER\nCaf\xe9 O\n"), language="swa")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (MASAKHANER, ["Rais Ruto alikutana na Museveni mjini Kampala Jumatatu .", "Benki ya Dunia ."]),
        (UNER, ["„Wir fahren nach Den Haag“, sagte Anna."]),
        (XSID, ["我需要毛衣吗？"]),
        ("Rais\nRuto\n\n\nKampala\n", ["Rais Ruto", "Kampala"]),
        ("# text = no words here\n\nRais\n", ["no words here", "Rais"]),
        ("", []),
    ],
)
def test_texts_for_prediction_need_no_tags(tmp_path: Path, content: str, texts: list[str]) -> None:
    assert list(iter_conll_texts(write(tmp_path, content))) == texts
    assert list(iter_conll_texts(content.encode().splitlines(keepends=True))) == texts


def test_texts_are_streamed_one_sentence_at_a_time() -> None:
    read: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(1_000_000):
            read.append(number)
            yield b"\n" if number % 3 == 2 else b"word O\n"

    texts = iter_conll_texts(lines())
    assert [next(texts), next(texts)] == ["word word", "word word"]
    assert len(read) == 6


def test_plain_text_given_as_columns_is_noticed_and_named_briefly() -> None:
    problems: list[FormatError] = []
    line = b"Rais Ruto alikutana " * 100_000
    assert list(iter_conll_texts([line], on_problem=problems.append)) == ["Rais"]
    assert "is this plain text rather than CoNLL?" in str(problems[0])
    assert len(str(problems[0])) < 200
    with pytest.raises(FormatError):
        list(iter_conll_texts([line]))


def test_a_line_that_is_not_utf8_is_reported_and_the_stream_goes_on() -> None:
    problems: list[FormatError] = []
    texts = list(iter_conll_texts([b"Rais O\n", b"Caf\xe9 O\n", b"Ruto O\n"], on_problem=problems.append))
    assert texts == ["Rais Ruto"]
    assert [str(problem) for problem in problems] == [
        "-:2: not UTF-8: byte 0xe9 at column 4; convert the file to UTF-8"
    ]
    with pytest.raises(FormatError):
        list(iter_conll_texts([b"Caf\xe9 O\n"]))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=5),
            st.sampled_from(["", " ", "  ", "\u00a0"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_word_is_found_where_it_was_put(pieces: list[tuple[str, str]]) -> None:
    text, places = "", []
    for word, space in pieces:
        places.append((len(text), len(text) + len(word)))
        text += word + space
    assert locate_words(text, [word for word, _ in pieces]) == places


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=5), max_size=6))
def test_words_that_the_text_may_not_hold_are_found_in_order_or_not_at_all(text: str, words: list[str]) -> None:
    spans = locate_words(text, words)
    assert len(spans) == len(words)
    found = [span for span in spans if span is not None]
    assert found == sorted(found)
    assert all(0 <= start < end <= len(text) for start, end in found)


def test_the_real_files_are_read_whole(shared_data: Path) -> None:
    for pattern, count in (("masakhaner2/*/*.txt", 34), ("conll2003-en/*.txt", 3), ("uner/*", 10), ("xsid/*", 24)):
        paths = sorted(shared_data.glob(pattern))
        assert len(paths) == count
        for path in paths[:: max(1, count // 6)]:
            gold = read_gold(path, language="und")
            assert gold.problems == ()
            assert not any(document.notes for document in gold.documents)
            assert sum(1 for _ in iter_conll_texts(path)) == len(gold.documents)


def test_the_four_languages_of_pud_share_their_sentences(shared_data: Path) -> None:
    counts = {
        language: len(read_gold(shared_data / f"uner/{language}_pud-ud-test.iob2", language=language).documents)
        for language in ("de", "en", "pt", "ru", "zh")
    }
    assert set(counts.values()) == {1000}
