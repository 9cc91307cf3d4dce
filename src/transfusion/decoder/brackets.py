"""Where an answer ends: at the bracket that closes its last list. Found while the answer is still being written.

No stop string can say it: a bracket also closes the list of a role and stands in mentions; one on a line of its own
never comes where lists are empty; and what follows the last list is the model's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transfusion.decoder.base import AnswerList

# What changes the state inside a list. A comment holds what it likes, apostrophes too.
_MARK = re.compile(r"""[\[\]'"\\\n#]""")


class AnswerScanner:
    """Reads an answer piece by piece until its last list is closed.

    It counts square brackets outside strings and comments. A string ends with its line at the latest, as in Python, so
    that a quote which the model forgot spoils one line and not the whole answer. Between two lists it waits for the
    name of the next, whatever else the model writes.

    :param lists: The lists of the answer; the prompt has opened the first.
    """

    def __init__(self, lists: Sequence[AnswerList]) -> None:
        self.end: int | None = None
        """One past the bracket that closes the last list, in code points of the answer; ``None`` while it is open."""
        self._openings = [re.compile(rf"^[ \t]*{re.escape(each.name)}[ \t]*=[ \t]*\[", re.MULTILINE) for each in lists]
        self._next = 1
        self._depth = 1
        self._quote = ""
        self._escaped = False
        self._comment = False
        self._read = 0
        self._between = ""

    def feed(self, text: str) -> int | None:
        """Read on.

        :param text: What the model has written since.
        :returns: :attr:`end`.
        """
        position = 0
        while self.end is None and position < len(text):
            position = self._inside(text, position) if self._depth else self._beside(text, position)
        self._read += len(text)
        return self.end

    def _inside(self, text: str, position: int) -> int:
        """Read on inside a list, to its end or that of the text."""
        if self._escaped:
            self._escaped = False
            if text[position] != "\n":
                position += 1
        while found := _MARK.search(text, position):
            position = found.end()
            mark = found[0]
            if mark == "\n":
                self._quote, self._comment = "", False
            elif self._comment:
                continue
            elif self._quote:
                if mark == self._quote:
                    self._quote = ""
                elif mark == "\\":
                    self._escaped = True
                    return position
            elif mark in "'\"":
                self._quote = mark
            elif mark == "#":
                self._comment = True
            elif mark in "[]":
                self._depth += 1 if mark == "[" else -1
                if not self._depth:
                    if self._next == len(self._openings):
                        self.end = self._read + position
                    return position
        return len(text)

    def _beside(self, text: str, position: int) -> int:
        """Read on between two lists, to the opening bracket of the next or the end of the text."""
        before = len(self._between)
        self._between += text[position:]
        found = self._openings[self._next].search(self._between)
        if found is None:
            # The line that is being written is all that a later piece can complete.
            self._between = self._between[self._between.rfind("\n") + 1 :]
            return len(text)
        self._between = ""
        self._next += 1
        self._depth = 1
        return position + found.end() - before


def answer_end(text: str, lists: Sequence[AnswerList]) -> int | None:
    """Where a whole answer ends.

    :param text: What the model wrote after the prompt.
    :param lists: The lists of the answer; the prompt has opened the first.
    :returns: One past the closing bracket of the last list, in code points; ``None`` if it is not there.
    """
    return AnswerScanner(lists).feed(text)
