"""A model's answer → items. Read as syntax, in one pass, never run.

Whatever the answer looks like, every whole item in it is kept and everything else is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transfusion.decoder.calls import LITERAL_START, NAME, read_call, skip_call
from transfusion.decoder.fields import check_call
from transfusion.decoder.items import Item
from transfusion.decoder.literals import Damage, literal_end
from transfusion.decoder.problems import Problem, ProblemCode, shown
from transfusion.schema.classes import ClassDefinition

MAX_LENGTH = 32_000
"""Longest answer that is read to its end, in code points: some 8,000 tokens, more than any list needs."""

# How much of a text may be read a second time, in code points, to find whole items inside of damaged ones.
_SECOND_LOOKS = 10_000

_OPENING = rf"(?P<list>{NAME})\s*+(?::\s*+\w++(?:\[\w*+\])?+\s*+)?+=\s*+\["
_STEP = re.compile(
    rf"""
      (?P<gap>(?:[\s,]++|\#[^\n]*+|```[\w+-]*+)++)
    | (?P<opening>{_OPENING})
    | (?P<call>(?P<name>{NAME})\s*+\()
    | (?P<quote>(?<!\w){LITERAL_START})
    | (?P<bracket>[\[\]])
    | (?P<junk>\w++|[^\w\s,\#`\[\]"']++|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAUSIBLE = re.compile(rf"\b(?:(?P<name>{NAME})\s*+\(|{_OPENING})")
_BEFORE_OPENING = 80  # how far to look back for the beginning of its line; farther in is no list of ours
_CODE_FENCES = re.compile(r"```[\w+-]*+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer holds.

    :param lists: The items of each list that was asked for, in order; ``None`` for a list that never came. A list that
        came and is empty is ``()``.
    :param problems: What was dropped, mended or missing.
    """

    lists: Mapping[str, tuple[Item, ...] | None]
    problems: tuple[Problem, ...] = ()


def parse_answer(text: str, prompt_lists: Sequence[str], classes: Sequence[ClassDefinition]) -> Answer:
    """Read what a model wrote.

    The answer goes on where the prompt ended, inside the first list; or it writes that list's opening again, with prose
    and code fences round it, as chat models do. Thoughts before ``</think>`` are passed over. After damage, reading
    goes on at the next call of a known class. The time taken is linear in the length of the text.

    :param text: What the model wrote.
    :param prompt_lists: Names of the lists that were asked for, in order. The prompt has opened the first.
    :param classes: The classes that items may be of.
    :returns: The items of each list. Items of one list never count for another: without ``final_result``, that is
        ``None``, whatever ``result`` holds. ``Item.start`` and ``Item.end`` count code points of ``text``.
    :raises ValueError: If no list is asked for.
    """
    if not prompt_lists:
        raise ValueError("an answer needs the name of at least one list")
    return _Reader(text, prompt_lists, classes).read()


@dataclass(slots=True)
class _Frame:
    """A list that is being read.

    :param name: Its name; empty for what stands outside all lists.
    :param wanted: Whether its items are kept.
    :param implied: Whether the prompt opened it.
    :param items: Its items so far.
    :param dropped: How many calls of known classes in it could not be kept.
    :param depth: Brackets that were opened inside it and are no list.
    :param junk: Whether it holds anything that is neither an item nor space.
    """

    name: str
    wanted: bool
    implied: bool = False
    items: list[Item] = field(default_factory=list)
    dropped: int = 0
    depth: int = 0
    junk: bool = False


class _Reader:
    """Reads one answer from left to right."""

    def __init__(self, text: str, prompt_lists: Sequence[str], classes: Sequence[ClassDefinition]) -> None:
        self.text = text
        self.start = text.rfind("</think>", 0, MAX_LENGTH) + len("</think>") if "</think>" in text[:MAX_LENGTH] else 0
        self.end = min(len(text), MAX_LENGTH)
        self.classes = {definition.name: definition for definition in classes}
        self.field_names = {field.name for definition in classes for field in definition.fields}
        self.lists: dict[str, list[Item] | None] = dict.fromkeys(prompt_lists)
        self.problems: list[Problem] = []
        self.frame = _Frame(prompt_lists[0], wanted=True, implied=True)
        self.prose_list = ""  # a list that the prompt opened, and that a bracket in prose seemed to close
        self.junk: tuple[int, int] | None = None
        self.closed_at = -1
        self.second_looks = _SECOND_LOOKS

    def read(self) -> Answer:
        position = self.start
        while position < self.end:
            position = self._step(position)
        self._name_junk()
        self._leave(closed=False)
        if len(self.text) > self.end:
            self._problem("too-long", f"the answer has {len(self.text)} characters; {self.end} were read")
        for name, items in self.lists.items():
            if items is None:
                self._problem("missing-list", f"the answer has no list {name!r}")
        lists = {name: None if items is None else tuple(items) for name, items in self.lists.items()}
        return Answer(lists, tuple(self.problems))

    def _problem(self, code: ProblemCode, message: str) -> None:
        self.problems.append(Problem(code, message))

    def _step(self, position: int) -> int:
        """Read one thing, and say where the next begins."""
        found = _STEP.match(self.text, position, self.end)
        assert found is not None  # one of the alternatives takes any character
        kind = found.lastgroup
        if kind == "gap":
            return found.end()
        if kind == "opening" and self._opens_list(found["list"], position):
            self._name_junk()
            self._enter(found["list"], position)
            return found.end()
        if kind == "call" and found["name"] in self.classes:
            self._name_junk()
            return self._read_item(self.classes[found["name"]], position, found.end())
        if kind == "call" and self.frame.name and found.end() - position == len(found["name"]) + 1:
            return self._pass_over(found["name"], position, found.end())
        if kind == "bracket" and self.frame.name:
            if found[0] == "[":
                self.frame.depth += 1
            elif self.frame.depth:
                self.frame.depth -= 1
            elif not self.text.startswith(")", found.end()):  # that would be the rest of a damaged item
                self._name_junk()
                self._leave(closed=True)
                self.closed_at = found.end()
                return found.end()
        stop = found.end()
        if kind in ("opening", "call"):
            stop = position + len(found["list"] or found["name"])
        if kind == "quote" and self.frame.name:  # brackets inside a string are no brackets
            try:
                stop = literal_end(self.text, position, self.end)
            except Damage:
                stop = found.end()
        self.frame.junk = True
        self.junk = (position if self.junk is None else self.junk[0], stop)
        return stop

    def _name_junk(self) -> None:
        if self.junk is not None:
            start, end = self.junk
            self._problem("junk", f"{end - start} characters that are no item: {shown(self.text[start:end])}")
            self.junk = None

    def _opens_list(self, name: str, position: int) -> bool:
        """Whether ``name = [`` opens a list, and is no argument of a damaged call and no words of the text.

        A list that was asked for begins a line, or stands right behind the end of another; in prose before the first
        item it stands anywhere. Any other list begins a line.
        """
        begins_line = position == self.start or self.text[position - 1] == "\n"
        if name in self.field_names:
            return begins_line and name in self.lists
        before = self.text[max(self.start, position - _BEFORE_OPENING) : position].rstrip(" \t")
        begins_line = begins_line or before.endswith("\n")
        if name not in self.lists:
            return begins_line
        in_prose = self.frame.implied and not self.frame.items and not self.frame.dropped
        behind_list = self.closed_at >= 0 and not self.text[self.closed_at : position].strip(" \t,;")
        return begins_line or in_prose or behind_list

    def _enter(self, name: str, position: int) -> None:
        """A list is opened."""
        if self.frame.implied and self.frame.name == name and not self.frame.items:
            # The model writes the opening anew. What stands before it was never in the list.
            self.problems.clear()
            before = _CODE_FENCES.sub("", self.text[self.start : position]).strip()
            if before:
                self._problem("junk", f"{len(before)} characters before the list {name!r}: {shown(before)}")
            self.frame = _Frame(name, wanted=True)
            return
        self._leave(closed=False)
        if name == self.prose_list:
            self.lists[name] = None
        self.frame = _Frame(name, wanted=name in self.lists and self.lists[name] is None)

    def _leave(self, *, closed: bool) -> None:
        """A list ends, or what stood outside the lists."""
        frame, self.frame = self.frame, _Frame("", wanted=False)
        count = len(frame.items) + frame.dropped
        if not frame.name:
            if count:
                self._problem("outside-list", f"{count} items outside any list were dropped")
        elif frame.wanted:
            if closed or count or not frame.implied:
                self.lists[frame.name] = frame.items
                if not closed:
                    self._problem("unclosed-list", f"the list {frame.name!r} is not closed")
            if frame.implied and frame.junk and not count:
                self.prose_list = frame.name
        elif frame.name in self.lists:
            self._problem("duplicate-list", f"the list {frame.name!r} came again; its {count} items were dropped")
        else:
            self._problem("unknown-list", f"nobody asked for a list {frame.name!r}; its {count} items were dropped")

    def _read_item(self, definition: ClassDefinition, start: int, opened: int) -> int:
        """Read a call of a known class."""
        place = f"{definition.name} at {start}"
        try:
            call = read_call(self.text, opened, self.end, self.classes)
        except Damage as damage:
            self.frame.dropped += 1
            self._problem(damage.code, f"{place}: {damage.message}; the item was dropped")
            return self._resume(opened, damage.reach)
        arguments, problems = check_call(call.values, definition)
        if self.frame.wanted:
            self.problems.extend(Problem(problem.code, f"{place}: {problem.message}") for problem in problems)
        if arguments is None:
            self.frame.dropped += 1
        else:
            self.frame.items.append(Item(definition.name, arguments, start, call.end))
        return call.end

    def _pass_over(self, name: str, start: int, opened: int) -> int:
        """Pass over a call of a class that nobody asked for, and what is nested in it."""
        self.frame.junk = True
        try:
            end = skip_call(self.text, opened, self.end)
        except Damage as damage:
            self.junk = (start if self.junk is None else self.junk[0], opened)
            return self._resume(opened, damage.reach)
        self._name_junk()
        if self.frame.wanted:
            self._problem("unknown-class", f"{shown(name)} at {start} is no class of the schema; the item was dropped")
        return end

    def _resume(self, opened: int, reach: int) -> int:
        """Where to read on after damage: at the first plausible item or list in it, or else behind it."""
        self.second_looks -= reach - opened
        if self.second_looks >= 0:
            for found in _PLAUSIBLE.finditer(self.text, opened, min(reach + 1, self.end)):
                if found["name"] in self.classes or (found["list"] and self._opens_list(found["list"], found.start())):
                    return found.start()
        return max(reach, opened)
