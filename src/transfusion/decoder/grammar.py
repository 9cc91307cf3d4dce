"""The answers that a prompt allows, as a grammar.

An answer is the rest of the prompt's lists: calls of the schema's classes, each with exactly its fields in order, whose
strings are stretches of the list's text.  What such a grammar accepts can be read without a mistake, and every string
in it stands in the text.

The layout is black's.  An item is written on one line, or broken over several in one of the ways in which black breaks
a call; where no item of a class can be too long for a line, only the first is allowed, so that the rest is decided by
the class's name.

A stretch is a walk along the chunks of the text (:mod:`~transfusion.decoder.substrings`) from any of them: one rule a
chunk, which goes on to the next or ends.  Where the text has double quotes, a stretch may also stand between single
ones, as black leaves it if it holds more double than single quotes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache

from transfusion.decoder.base import AnswerList, Prompt
from transfusion.decoder.style import WIDTH
from transfusion.decoder.substrings import Chunk, escape, split_chunks
from transfusion.schema.classes import ClassDefinition

_ITEM_START = "\n    "
LIST_END = "\n]"

_NEWLINE = "\n"
_CLOSE = "\n    ),"
_BREAK = "\n        "
_LIST_BREAK = "\n            "
_FEWEST_ITEMS = 16
# llama.cpp holds every chunk at which a stretch may begin as a parse of its own, and slows down with their number.
_GBNF_CHUNKS = 400


def lark_grammar(prompt: Prompt) -> str:
    """The answers to a prompt, in the Lark dialect of llguidance.

    Servers that carry llguidance (vLLM, SGLang, llama.cpp built with it) take it as it is.

    :param prompt: The prompt; it has opened the first list.
    :returns: The grammar. It ends an answer at the bracket that closes the last list.
    """
    return "%llguidance {}\n" + _grammar(prompt, "start: ", ": ", first=0, written=None)


def closing_grammar(prompt: Prompt, index: int, written: str) -> str:
    """The rest of an answer whose list number ``index`` takes no more items.

    :param prompt: The prompt.
    :param index: The list, from 0.
    :param written: What stands behind its last item already; the list's end begins with it.
    :returns: The grammar, in the dialect of :func:`lark_grammar`.
    """
    return "%llguidance {}\n" + _grammar(prompt, "start: ", ": ", first=index, written=written)


def gbnf_grammar(prompt: Prompt) -> str | None:
    """The answers to a prompt, in the GBNF of llama.cpp.

    :param prompt: The prompt; it has opened the first list.
    :returns: The grammar; ``None`` where the texts have more chunks than llama.cpp walks along in good time.
    """
    if sum(len(split_chunks(each.text)) for each in prompt.lists) > _GBNF_CHUNKS:
        return None
    return _grammar(prompt, "root ::= ", " ::= ", first=0, written=None)


def _grammar(prompt: Prompt, start: str, becomes: str, *, first: int, written: str | None) -> str:
    ends = ["]" + between + "[" for between in prompt.between] + ["]"]
    sequence: list[str] = []
    rules: list[tuple[str, str]] = []
    # An item without fields says nothing.
    classes = tuple(one for one in prompt.classes if one.fields)
    for index in range(first, len(prompt.lists)):
        if index == first and written is not None:
            sequence.append(_literal((_NEWLINE + ends[index])[len(written) :]))
        else:
            sequence.append(f"l{index}")
            rules += _list_rules(index, prompt.lists[index], ends[index], classes)
    lines = [start + " ".join(sequence)] + [name + becomes + body for name, body in rules]
    return "\n".join(lines) + "\n"


def _list_rules(
    index: int, answers: AnswerList, end: str, classes: tuple[ClassDefinition, ...]
) -> Iterator[tuple[str, str]]:
    """The rules of a list and its items, and of the strings in them."""
    chunks = split_chunks(answers.text)
    if not (chunks and classes):
        yield f"l{index}", _literal(end)
        return
    most = _FEWEST_ITEMS + len(chunks)
    item = f"({_literal(_ITEM_START)} i{index}){{1,{most}}}"
    yield f"l{index}", f"{_literal(end)} | {item} {_literal(_NEWLINE + end)}"
    yield f"i{index}", " | ".join(f"i{index}c{number}" for number in range(len(classes)))
    longest = len(escape(answers.text, '"')) + 2
    for number, one in enumerate(classes):
        yield from _class_rules(f"i{index}c{number}", one, f"S{index}", f"f{index}", longest > _room(one))
    # A field's list may be long however short the text.
    if any(field.many for one in classes for field in one.fields):
        string, end, broken_end = f"S{index}", _literal(_BREAK + "]"), _literal("," + _BREAK + "]")
        rest, broken_rest = (f"({_literal(comma)} {string})" for comma in (", ", "," + _LIST_BREAK))
        yield f"f{index}", f'"[]" | "[" {string} {rest}{{0,{most}}} "]"'
        opening = _literal("[" + _LIST_BREAK)
        yield f"f{index}b", f"{opening} {string} ({end} | {broken_rest}{{1,{most}}} {broken_end})"
    yield from _string_rules(index, chunks)


def _room(one: ClassDefinition) -> int:
    """How long the strings of an item may be, all alike, for the item to fit on a line whatever they are."""
    if any(field.many for field in one.fields):
        return 0
    fixed = len(f"    {one.name}(),") + sum(len(f"{field.name}=, ") for field in one.fields)
    return (WIDTH - fixed) // len(one.fields)


@lru_cache(maxsize=4096)
def _class_rules(
    name: str, one: ClassDefinition, string: str, strings: str, breakable: bool
) -> tuple[tuple[str, str], ...]:
    """The rules of a call.

    :param name: Name for the rule.
    :param one: The class.
    :param string: The rule of a string.
    :param strings: The rule of a list of strings on one line; with ``b`` behind, of one that is broken over several.
    :param breakable: Whether an item may be too long for a line.
    :returns: Names and bodies.
    """

    def fields(comma: str, value: Callable[[bool], str]) -> str:
        parts = []
        for position, field in enumerate(one.fields):
            parts.append(f"{_literal((comma if position else '') + field.name + '=')} {value(field.many)}")
        return " ".join(parts)

    together = fields(", ", lambda many: strings if many else string)
    opening = _literal(one.name + "(")
    if not breakable:
        return ((name, f"{opening} {together} {_literal('),')}"),)
    broken = f"{name}t {_literal(_CLOSE)}"
    if len(one.fields) > 1 or one.fields[0].many:
        apart = fields("," + _BREAK, lambda many: f"({strings} | {strings}b)" if many else string)
        # black puts a comma behind the last of several fields, not behind the only one.
        last = "," + _CLOSE if len(one.fields) > 1 else _CLOSE
        broken += f" | {apart} {_literal(last)}"
    return (
        (name, f"{opening} ({name}t {_literal('),')} | {_literal(_BREAK)} ({broken}))"),
        (f"{name}t", together),
    )


def _string_rules(index: int, chunks: list[Chunk]) -> Iterator[tuple[str, str]]:
    """The rules of a string in double quotes and, if there are such quotes in the text, in single ones."""
    ways = {f"D{index}": '"'}
    if any('"' in chunk.text for chunk in chunks):
        ways[f"Q{index}"] = "'"
    yield f"S{index}", " | ".join(f"{_literal(quote)} {name} {_literal(quote)}" for name, quote in ways.items())
    for name, quote in ways.items():
        # llguidance compiles a rule when it first meets its name, recursively: from the first chunk on it would go as
        # deep as the text is long, and overflow the stack.
        beginnings = [number for number, chunk in enumerate(chunks) if chunk.begins]
        yield name, " | ".join(f"{name}T{number}" for number in reversed(beginnings))
        for number, chunk in enumerate(chunks):
            body = _literal(escape(chunk.text, quote))
            if number + 1 < len(chunks):
                gap = f"{_literal(escape(chunk.gap, quote))} " if chunk.gap else ""
                body += f" ({gap}{name}T{number + 1})?"
            yield f"{name}T{number}", body


def _literal(text: str) -> str:
    """A string as Lark and GBNF write it alike."""
    return json.dumps(text, ensure_ascii=False)
