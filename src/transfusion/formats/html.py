"""A web page of results: source and pivot side by side, entities coloured, in one file that loads nothing.

The text of the page is the text of the document: labels and scores are drawn by the style sheet, so the text content of
an element with ``data-side`` equals the text, code point for code point, and a copied passage holds no labels.  The one
exception is NUL, which no HTML can hold: ``␀`` stands for it in an element with ``data-codepoint="0"``.  Relations and
events stand below the text, a line each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from transfusion.document import AnnotatedText, Document, Entity, Note
from transfusion.errors import LanguageError
from transfusion.formats.clean import without_surrogates
from transfusion.language import get_language

_MARK = "<!-- documents -->"
_HUES = (214, 28, 152, 282, 338, 56, 186, 248, 96, 312)
"""Hues, in degrees, of the first labels; later ones follow by the golden angle, so that neighbours differ."""

_GOLDEN_ANGLE = 137.508
_FIRST_LABELS = ("PER", "ORG", "LOC")
"""Labels that look the same on every page, whichever comes first."""


class Page:
    """Builds the page as documents come; the legend, known at the end, is shown at the top by the style sheet."""

    def __init__(self) -> None:
        template = files("transfusion.formats").joinpath("page.html").read_text(encoding="utf-8")
        self._head, self._foot = template.split(_MARK)
        self._labels = list(_FIRST_LABELS)
        self._counts: dict[str, int] = {}
        self._documents = 0

    def begin(self) -> str:
        """Everything before the first document."""
        return self._head

    def render(self, document: Document, /) -> str:
        """One document as an article."""
        document = without_surrogates(document)
        self._documents += 1
        for entity in document.source.entities:
            self._counts[entity.label] = self._counts.get(entity.label, 0) + 1
        state = ' class="failed"' if document.failed else ""
        sides = self._side("source", document.source)
        sides += self._side("pivot", document.pivot) if document.pivot is not None else _NO_PIVOT
        notes = "".join(map(_note, document.notes))
        return (
            f'<article{state} data-id="{_attribute(document.id)}">\n<header>{_text(document.id)}</header>\n'
            f'<div class="sides">\n{sides}</div>\n' + (f"<ul>{notes}</ul>\n" if notes else "") + "</article>\n"
        )

    def end(self) -> str:
        """The legend and everything after the last document."""
        number = {label: index for index, label in enumerate(self._labels)}
        legend = "".join(
            f'<label style="--hue:{_hue(number[label])}"><input type="checkbox" id="l{number[label]}" checked>'
            f"<span>{_text(label)}</span> <small>{self._counts.get(label, 0):,}</small></label>"
            for label in sorted(self._labels, key=number.__getitem__)
            if label in self._counts
        )
        # A label that is switched off in the legend keeps its text and loses its colour.
        switches = "\n".join(
            f"body:has(#l{n}:not(:checked)) .l{n} {{ background: none; box-shadow: none; padding: 0; }}\n"
            f"body:has(#l{n}:not(:checked)) .l{n}::after {{ content: none; }}"
            for n in number.values()
        )
        total = sum(self._counts.values())
        return (
            self._foot.replace("<!-- legend -->", legend)
            .replace("<!-- documents counted -->", f"{self._documents:,} document{'s' * (self._documents != 1)}")
            .replace("<!-- entities counted -->", f"{total:,} entit{'y' if total == 1 else 'ies'}")
            .replace("/* switches */", switches)
        )

    def _side(self, side: str, annotated: AnnotatedText) -> str:
        nested, crossing = _nest(annotated.entities)
        text = self._marked(annotated.text, nested, 0, len(annotated.text))
        also = "".join(self._mark(entity, _text(annotated.mention(entity))) for entity in crossing)
        language = _attribute(annotated.language)
        return (
            f"<section><h2>{_text(_language_name(annotated.language))} <code>{_text(annotated.language)}</code></h2>"
            f'<p dir="auto" lang="{language}" data-side="{side}">{text}</p>'
            + (f'<p dir="auto" class="also" data-also="{side}">{also}</p>' if also else "")
            + _links(annotated)
            + "</section>\n"
        )

    def _marked(self, text: str, entities: Sequence[Entity], start: int, end: int) -> str:
        """A stretch of the text with an element round each entity; an entity may hold others."""
        parts: list[str] = []
        position = start
        waiting = deque(entities)
        while waiting:
            outer = waiting.popleft()
            inner: list[Entity] = []
            while waiting and waiting[0].start < outer.end:
                inner.append(waiting.popleft())
            parts.append(_text(text[position : outer.start]))
            parts.append(self._mark(outer, self._marked(text, inner, outer.start, outer.end)))
            position = outer.end
        return "".join(parts) + _text(text[position:end])

    def _mark(self, entity: Entity, inside: str) -> str:
        if entity.label not in self._labels:
            self._labels.append(entity.label)
        self._counts.setdefault(entity.label, 0)
        number = self._labels.index(entity.label)
        how = "" if entity.match == "exact" else f", {entity.match}"
        title = f"{entity.label}, score {entity.score:.2f}{how}, characters {entity.start}–{entity.end}"
        unsure = " unsure" if entity.score < 0.5 else ""
        return (
            f'<mark class="l{number}{unsure}" style="--hue:{_hue(number)}" data-label="{_attribute(entity.label)}" '
            f'data-start="{entity.start}" data-end="{entity.end}" data-score="{100 * entity.score:.0f}" '
            f'title="{_attribute(title)}">{inside}</mark>'
        )


def _links(annotated: AnnotatedText) -> str:
    """Relations and events, a line each."""
    lines = [
        (link.label, f"{_quoted(annotated, link.head)} → {_quoted(annotated, link.tail)}", link.spans)
        for link in annotated.relations
    ]
    for event in annotated.events:
        roles = (f" <i>{_text(each.role)}</i> {_quoted(annotated, each.entity)}" for each in event.arguments)
        lines.append((event.label, _quoted(annotated, event.trigger) + "".join(roles), event.spans))
    items = (
        f'<li title="characters {_attribute(", ".join(f"{span.start}–{span.end}" for span in spans))}">'
        f"<b>{_text(label)}</b> {line}</li>"
        for label, line, spans in lines
    )
    return f'<ul class="links">{"".join(items)}</ul>' if lines else ""


def _quoted(annotated: AnnotatedText, span: Entity) -> str:
    return f'<q dir="auto">{_text(annotated.mention(span))}</q>'


_NO_PIVOT = '<section class="none"><h2>no translation</h2></section>\n'


def _nest(entities: Sequence[Entity]) -> tuple[list[Entity], list[Entity]]:
    """Entities that lie beside or inside one another, outer ones first, and those that cross one of them."""
    nested: list[Entity] = []
    crossing: list[Entity] = []
    open_ends: list[int] = []
    for entity in sorted(entities, key=lambda e: (e.start, -e.end)):
        while open_ends and open_ends[-1] <= entity.start:
            open_ends.pop()
        if open_ends and open_ends[-1] < entity.end:
            crossing.append(entity)
        else:
            nested.append(entity)
            open_ends.append(entity.end)
    return nested, crossing


def _hue(number: int) -> int:
    return _HUES[number] if number < len(_HUES) else round(_GOLDEN_ANGLE * number) % 360


def _language_name(code: str) -> str:
    try:
        return get_language(code).name
    except LanguageError:
        return "unknown language"


def _note(note: Note) -> str:
    return f'<li class="{_attribute(note.severity)}"><b>{_text(note.code)}</b> {_text(note.message)}</li>'


def _text(text: str) -> str:
    # Browsers read a bare carriage return as a line feed, and drop NUL.
    return escape(text, quote=False).replace("\r", "&#13;").replace("\0", '<i data-codepoint="0">␀</i>')


def _attribute(text: str) -> str:
    return escape(text).replace("\r", "&#13;").replace("\n", "&#10;").replace("\0", "␀")
