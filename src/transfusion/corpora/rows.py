"""Lines of a column file, read into sentences: the part that every column format has in common.

A sentence is a block of lines between blank lines: comments (``# key = value``) and one row a word. What the columns
mean is told from the rows, not from the name of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

ColumnFormat = Literal["two-column", "uner", "xsid"]

TAG = re.compile(r"O|[BI]-\S+")
"""A well-formed IOB tag."""

_COMMENT = re.compile(r"#\s+([^=:]+?)\s*[=:]\s?(.*)")
_NUMBER = re.compile(r"\d+")
_CONTRACTED = re.compile(r"\d+[-.]\d+")
_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One line that holds a word.

    :param line: Line number in the file, from 1.
    :param cells: The columns, at least one.
    :param tabbed: Whether the line holds a tab.
    """

    line: int
    cells: tuple[str, ...]
    tabbed: bool


@dataclass(slots=True)
class Block:
    """The lines between two blank lines.

    :param line: Line number of the first one, from 1.
    :param comments: Values of the ``# key = value`` lines.
    :param rows: The words.
    """

    line: int
    comments: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """What the file calls this sentence, if it says."""
        return self.comments.get("sent_id") or self.comments.get("id") or None

    @property
    def text(self) -> str | None:
        """The natural text, if the file gives it."""
        return self.comments.get("text", "").strip(" \t") or None


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column holds what.

    :param format: The kind of file.
    :param width: Columns of a whole row.
    :param word: Column of the word.
    :param tag: Column of the tag; ``None`` in a file of words alone.
    """

    format: ColumnFormat
    width: int
    word: int
    tag: int | None

    def word_of(self, row: Row) -> str:
        """The word of a row; empty where the row is too short to hold one."""
        return row.cells[self.word] if self.word < len(row.cells) else ""

    def tag_of(self, row: Row) -> str | None:
        """The tag of a row: its own column, or else the last one; ``None`` where neither holds a tag."""
        if self.tag is None:
            return "O"
        candidates = [row.cells[self.tag]] if len(row.cells) == self.width else []
        if len(row.cells) > self.word + 1:
            candidates.append(row.cells[-1])
        return next((cell for cell in candidates if TAG.fullmatch(cell)), None)


def read_blocks(lines: Iterable[tuple[int, str]]) -> Iterator[Block]:
    """Sentences from numbered lines; never more than one of them in memory.

    ``-DOCSTART-`` lines of CoNLL-2003 end a sentence and are left out; so are the lines of CoNLL-U that only announce a
    contraction (``3-4``) or stand for an unwritten word (``3.1``).

    :param lines: Line numbers and lines, without line ends.
    :returns: Blocks that hold at least one row, or a ``# text`` without any.
    :yields: Blocks, in the order of the file.
    """
    block: Block | None = None
    for number, line in lines:
        if not line.strip(" \t\r") or line.startswith("-DOCSTART-"):
            if block is not None and (block.rows or block.text):
                yield block
            block = None
            continue
        if block is None:
            block = Block(number)
        _read_line(block, number, line.rstrip("\r"))
    if block is not None and (block.rows or block.text):
        yield block


def _read_line(block: Block, number: int, line: str) -> None:
    tabbed = "\t" in line
    cells = tuple(line.split("\t") if tabbed else _BLANKS.split(line.strip(" ")))
    if line.startswith("#") and (comment := _COMMENT.fullmatch(line)) and not TAG.fullmatch(comment[2]):
        block.comments.setdefault(comment[1].lower(), comment[2])
    elif not (tabbed and _CONTRACTED.fullmatch(cells[0])):
        block.rows.append(Row(number, cells, tabbed))


def detect_layout(blocks: Sequence[Block]) -> Layout:
    """Tell the format from the rows: numbered words with tabs are UNER (five columns) or xSID (four).

    A stray line does not mislead it, for the most common width and kind decide.

    :param blocks: Some sentences of the file, at least one of them with a row.
    :returns: The layout of the whole file.
    """
    rows = [row for block in blocks for row in block.rows]
    numbered = sum(row.tabbed and bool(_NUMBER.fullmatch(row.cells[0])) for row in rows)
    # Of two widths that are equally common, the larger: a row can lose columns more easily than it wins them.
    width = max(Counter(len(row.cells) for row in rows).items(), key=lambda item: (item[1], item[0]))[0]
    if 2 * numbered > len(rows) and width >= 3:
        if width == 4:
            return Layout("xsid", width, word=1, tag=3)
        return Layout("uner", width, word=1, tag=2)
    return Layout("two-column", width, word=0, tag=width - 1 if width > 1 else None)
