"""What was wrong with an answer: a stable name to count by and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProblemCode = Literal[
    "truncated",
    "unclosed-list",
    "missing-list",
    "duplicate-list",
    "unknown-list",
    "outside-list",
    "syntax",
    "junk",
    "too-long",
    "unknown-class",
    "missing-field",
    "extra-field",
    "duplicate-field",
    "positional",
    "wrong-type",
    "nested",
    "single-string",
    "bad-string",
    "empty-string",
    "hallucinated",
    "surplus",
    "duplicate",
    "self-relation",
]
"""What can be wrong with an answer.

About the whole of it: ``truncated`` (an item breaks off where the answer ends), ``unclosed-list``, ``missing-list``,
``duplicate-list``, ``unknown-list`` (one that was not asked for), ``outside-list`` (items between or after the lists),
``syntax`` (an item that is no call), ``junk`` (anything else), ``too-long`` (so is an item with hundreds of values).

About an item: ``unknown-class``, ``missing-field``, ``extra-field``, ``duplicate-field``, ``positional`` (values
without names of fields, which were taken in order), ``wrong-type``, ``nested`` (a wrong type with brackets),
``single-string`` (taken as a list of one), ``bad-string`` (a literal that is none, or of a kind that no prompt shows),
``empty-string``.

About the text: ``hallucinated`` (a string that the text does not hold), ``surplus`` (more items than mentions),
``duplicate`` (what another item says already), ``self-relation`` (of a mention with itself).
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with an answer.

    :param code: Stable, short name that summaries count by.
    :param message: The sentence for people: what, where, and what became of it.
    """

    code: ProblemCode
    message: str


def shown(text: str) -> str:
    """A string as a message quotes it: printable, on one line, not long.

    :param text: Any string.
    :returns: Its ``repr``, of its beginning if it is long.
    """
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
