"""Gold entities from column files, and texts from them for prediction.

Three formats, told apart by what the file holds:

- two columns, ``word TAG`` (MasakhaNER, CoNLL-2003; columns between the two are left out);
- Universal NER ``.iob2``: ``# text = …``, then id, word, tag, ``-``, annotator;
- xSID ``.conll``: ``# text = …``, then id, word, intent, tag.

Without ``# text`` the text is the words with one space between them. Tags are IOB2, and ill-formed ones are read as
the CoNLL-2000 scorer ``conlleval`` reads them: an ``I-`` tag that continues nothing begins an entity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfusion.corpora.rows import TAG, Block, ColumnFormat, Layout, Row, detect_layout, read_blocks
from transfusion.corpora.words import Span, locate_words
from transfusion.document import AnnotatedText, Document, Entity, Note
from transfusion.errors import FormatError

_MIN_TAGGED = 0.5
"""Of the rows, the part that must end in a tag for a file to count as a gold file."""

_SHOWN = 80
"""Characters of a line that a message quotes."""


@dataclass(frozen=True, slots=True)
class GoldFile:
    """Sentences with gold entities.

    :param path: Where they come from.
    :param format: Format that the content showed.
    :param documents: One a sentence, in the order of the file.
    :param problems: Lines that could not be read as they stand; the rest of the file was read all the same.
    :param originals: The English original of each sentence, where the file gives it (``# text-en`` of xSID).
    """

    path: Path
    format: ColumnFormat
    documents: tuple[Document, ...]
    problems: tuple[FormatError, ...]
    originals: tuple[str | None, ...]

    @property
    def label_counts(self) -> dict[str, int]:
        """Entities of each label, in the order of the labels' names."""
        return dict(sorted(Counter(e.label for d in self.documents for e in d.source.entities).items()))


def read_gold(path: str | Path, *, language: str, labels: Collection[str] | None = None) -> GoldFile:
    """Read a file of sentences with gold entities.

    :param path: Two columns, UNER or xSID.
    :param language: ISO 639-3 code of the sentences.
    :param labels: Labels to keep; entities of all others become plain text. ``None`` keeps all.
    :returns: Its sentences, and the lines that could not be read.
    :raises FormatError: If the file is empty, not UTF-8 or in none of the formats.
    :raises OSError: If the file cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as stream:
        blocks = list(read_blocks(numbered_lines(stream, path=path)))
    rows = [row for block in blocks for row in block.rows]
    if not rows:
        raise FormatError("no sentences in this file; expected `word TAG` lines", path=path)
    layout = detect_layout(blocks)
    tagged = 0 if layout.tag is None else sum(layout.tag_of(row) is not None for row in rows)
    if tagged < _MIN_TAGGED * len(rows):
        raise FormatError(
            f"not a gold file: {tagged} of {len(rows)} lines hold an IOB tag such as O or B-PER; expected "
            "two columns (`word TAG`), UNER .iob2 or xSID .conll",
            path=path,
            line=rows[0].line,
        )
    problems: list[FormatError] = []
    documents: list[Document] = []
    originals: list[str | None] = []
    for block in blocks:
        words, tags = _words_and_tags(block, layout, path=path, problems=problems)
        if words:
            name = block.name or f"{path.stem}-{len(documents) + 1}"
            documents.append(_document(name, block.text, words, tags, language=language, labels=labels))
            originals.append(block.comments.get("text-en"))
        else:
            problems.append(FormatError("a sentence without words", path=path, line=block.line))
    return GoldFile(path, layout.format, tuple(documents), tuple(problems), tuple(originals))


def iter_conll_texts(
    source: str | Path | Iterable[bytes],
    *,
    name: str | Path = "-",
    on_problem: Callable[[FormatError], None] | None = None,
) -> Iterator[str]:
    """Texts of a column file, for prediction: tags may be there or not, and a single column of words will do.

    Memory holds one sentence at a time, however long the file.

    :param source: A path, or lines as bytes (an open binary file, standard input).
    :param name: What to call lines that come from no path in messages.
    :param on_problem: Told of each line that is not UTF-8 (left out) or looks like running text (its first word is
        kept); without it, such a line ends the reading.
    :yields: The ``# text`` of each sentence, or its words with one space between them.
    :raises FormatError: If a line cannot be read and nobody listens to problems.
    :raises OSError: If the file cannot be opened.
    """
    if isinstance(source, (str, Path)):
        with Path(source).open("rb") as stream:
            yield from _conll_texts(stream, source, on_problem)
    else:
        yield from _conll_texts(source, name, on_problem)


def _conll_texts(
    source: Iterable[bytes], name: str | Path, on_problem: Callable[[FormatError], None] | None
) -> Iterator[str]:
    blocks = read_blocks(numbered_lines(source, path=name, on_problem=on_problem))
    layout: Layout | None = None
    waiting: list[Block] = []
    for block in blocks:
        waiting.append(block)
        if layout is None and block.rows:
            layout = detect_layout([block])
        if layout is not None:
            for ready in waiting:
                _report_running_text(ready, layout, path=name, on_problem=on_problem)
                words = [word for row in ready.rows if (word := layout.word_of(row).strip())]
                if text := ready.text or " ".join(words):
                    yield text
            waiting.clear()
    yield from (block.text for block in waiting if block.text)


def _report_running_text(
    block: Block, layout: Layout, *, path: str | Path, on_problem: Callable[[FormatError], None] | None
) -> None:
    """Notice a text that was given as a column file: three or more words in a line and no tag at its end."""
    if layout.format != "two-column":
        return
    for row in block.rows:
        if len(row.cells) > 2 and not TAG.fullmatch(row.cells[-1]):
            problem = FormatError(
                f"{len(row.cells)} columns and no IOB tag in {_shown(row)}; is this plain text rather than CoNLL?",
                path=path,
                line=row.line,
            )
            if on_problem is None:
                raise problem
            on_problem(problem)


def numbered_lines(
    lines: Iterable[bytes], *, path: str | Path, on_problem: Callable[[FormatError], None] | None = None
) -> Iterator[tuple[int, str]]:
    """Decode lines and count them from 1, a byte order mark left out.

    Lines end at a line feed alone: text may hold other characters that Python's ``splitlines`` would break at.

    :param lines: Lines as an open binary file gives them.
    :param path: Name of the file for messages.
    :param on_problem: Told of each line that is not UTF-8, which is then left out.
    :returns: Line numbers and lines without line ends.
    :yields: Line numbers, from 1, and lines.
    :raises FormatError: If a line is not UTF-8 and nobody listens to problems.
    """
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            problem = FormatError(
                f"not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}; convert the file to UTF-8",
                path=path,
                line=number,
            )
            if on_problem is None:
                raise problem from error
            on_problem(problem)
            continue
        yield number, text.rstrip("\r\n")


def entity_runs(tags: Iterable[str]) -> list[tuple[int, int, str]]:
    """Read IOB tags as runs of words, ill-formed tags as ``conlleval`` does.

    :param tags: A tag for each word.
    :returns: First word, last word and label of each entity, in reading order.
    """
    runs: list[tuple[int, int, str]] = []
    open_label: str | None = None
    for index, tag in enumerate(tags):
        prefix, _, label = tag.partition("-")
        if not label:
            open_label = None
        elif prefix == "I" and label == open_label:
            runs[-1] = (runs[-1][0], index, label)
        else:
            runs.append((index, index, label))
            open_label = label
    return runs


def _words_and_tags(
    block: Block, layout: Layout, *, path: Path, problems: list[FormatError]
) -> tuple[list[str], list[str]]:
    words: list[str] = []
    tags: list[str] = []
    for row in block.rows:
        word, tag = layout.word_of(row), layout.tag_of(row)
        if not word.strip():
            # The Chinese files of xSID hold empty words outside of entities: nothing is lost with those.
            if tag == "O":
                continue
            problems.append(FormatError(f"no word in {_shown(row)}", path=path, line=row.line))
            continue
        if tag is None:
            problems.append(FormatError(f"no IOB tag in {_shown(row)}; read as O", path=path, line=row.line))
        elif len(row.cells) != layout.width:
            problems.append(
                FormatError(
                    f"{len(row.cells)} columns instead of {layout.width} in {_shown(row)}; read as {word!r} "
                    f"with tag {tag}",
                    path=path,
                    line=row.line,
                )
            )
        words.append(word)
        tags.append(tag or "O")
    return words, tags


def _document(
    name: str,
    text: str | None,
    words: Sequence[str],
    tags: Sequence[str],
    *,
    language: str,
    labels: Collection[str] | None,
) -> Document:
    runs = [run for run in entity_runs(tags) if labels is None or run[2] in labels]
    notes: tuple[Note, ...] = ()
    found: list[Span | None] = [None] * len(words)
    if text is not None:
        found = locate_words(text, words)
        lost = [words[i] for first, last, _ in runs for i in {first, last} if found[i] is None]
        if lost:
            message = f"the text does not hold {lost[0]!r} as the columns have it; its words are used instead"
            notes = (Note("text-not-aligned", message, "warning"),)
            text = None
    if text is None:
        text = " ".join(words)
        found = list(_joined_spans(words))
    entities = []
    for first, last, label in runs:
        start, end = found[first], found[last]
        if start is not None and end is not None:
            entities.append(Entity(start[0], end[1], label))
    return Document(name, AnnotatedText(text, language, tuple(entities)), notes=notes)


def _joined_spans(words: Iterable[str]) -> Iterator[Span]:
    position = 0
    for word in words:
        yield position, position + len(word)
        position += len(word) + 1


def _shown(row: Row) -> str:
    """A row for a message, cut where it is long."""
    line = " ".join(row.cells)
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "…")
