"""Where an answer ends: at the bracket that closes its last list."""

from __future__ import annotations


class ListScanner:
    """Reads an answer piece by piece and notices when its last list closes.

    The prompt has opened the first list.  Brackets count where Python would count them: not in strings, not in comments.
    A string ends with its line even if nothing closes it, so that one lost quote does not hide all brackets after it.

    :param lists: How many lists the answer holds.
    """

    def __init__(self, lists: int) -> None:
        self._open_lists = lists
        self._depth = 1
        self._quote = ""
        self._escaped = False
        self._comment = False
        self._read = 0

    def feed(self, piece: str) -> int | None:
        """Read on.

        :param piece: The next part of the answer.
        :returns: Where the answer ends, one past the closing bracket of its last list, in code points from the
            beginning of the answer; ``None`` if it goes on.
        """
        for character in piece:
            self._read += 1
            if character == "\n":
                self._quote, self._escaped, self._comment = "", False, False
            elif self._comment:
                continue
            elif self._quote:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == self._quote:
                    self._quote = ""
            elif character in "\"'":
                self._quote = character
            elif character == "#":
                self._comment = True
            elif character == "[":
                self._depth += 1
            elif character == "]" and self._depth:
                self._depth -= 1
                self._open_lists -= not self._depth
                if not self._open_lists:
                    return self._read
        return None
