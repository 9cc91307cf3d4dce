"""Carrying spans by marking them in the text before it is translated.

EasyProject (Chen, Jiang, Ritter and Xu, *Frustratingly Easy Label Projection for Cross-lingual Transfer*, Findings of
ACL 2023): put marks round the spans, translate, read the marks back.  Brackets do not say which span they were put
round, so each span is translated alone too, and goes with the piece that is most like that.  The same comparison tells
for every style of marks whether a mark has moved.

:func:`translate_marked` makes a new annotated text, which is what training data are made of.  :class:`MarkerProjector`
carries spans to a translation that is there already: it looks there for what stood between the marks in its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from transfusion.document import AnnotatedText, Entity, Match
from transfusion.project.base import Projection
from transfusion.project.marks import Fault, Piece, Reading, Style, markable_style, read_marks, write_marks
from transfusion.project.similarity import phrase_similarity
from transfusion.project.windows import Window, WindowFinder

Translate = Callable[[Sequence[str]], Sequence[str | None]]
"""Translates texts in one direction; ``None`` for those that it has no translation for."""


@dataclass(frozen=True, slots=True)
class MarkerSettings:
    """How spans are marked and known again; chosen on development sentences of CoNLL-2003, there and back.

    :param style: The marks; a text that is full of such marks itself gets others.
    :param threshold: How like its translation alone a piece must be, 0 to 1, to count as a span's own.
    """

    style: Style = "brackets"
    threshold: float = 0.6


@dataclass(frozen=True, slots=True)
class MarkedTranslation:
    """A translation with the spans that came through.

    :param text: The translation without marks, and the spans in it.
    :param carried: Each span that came through, with its place in the translation, in the order of the places.
    :param lost: Spans that did not.
    :param fault: The first thing that is wrong with the marks; ``None`` if nothing is.
    """

    text: AnnotatedText
    carried: tuple[tuple[Entity, Entity], ...]
    lost: tuple[Entity, ...]
    fault: Fault | None

    @property
    def survived(self) -> bool:
        """Whether every mark is back, once, round what it was put round."""
        return self.fault is None


def translate_marked(
    annotated: Sequence[AnnotatedText], translate: Translate, *, language: str, settings: MarkerSettings | None = None
) -> list[MarkedTranslation | None]:
    """Translate texts together with their entities.

    Of entities that overlap, the longest is marked; the others are lost, and the fault is ``unmarkable``.  A span whose
    marks are gone is looked for in the translation by what it is called alone, and is carried if it is found; the marks
    have not survived then all the same.

    :param annotated: Texts and their entities.
    :param translate: The translator.
    :param language: ISO 639-3 code of the language that it translates into.
    :param settings: How spans are marked and known again.
    :returns: A translation for each text, in order; ``None`` where the translator has none.
    """
    settings = settings or MarkerSettings()
    marked = [_marked(text, _outermost(text), settings.style) for text in annotated]
    return [
        None if run.reading is None else _carried_with_marks(run, run.reading, language, settings.threshold)
        for run in _translated(marked, translate)
    ]


class MarkerProjector:
    """Carries spans to given translations by way of a marked translation of one's own.

    :param translate: A translator between the languages of the texts.
    :param settings: How spans are marked and known again.
    """

    def __init__(self, translate: Translate, settings: MarkerSettings | None = None) -> None:
        self.translate = translate
        self.settings = settings or MarkerSettings()

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        """Carry spans over; see :class:`~transfusion.project.base.Projector`.

        Entities that overlap are marked in copies of the text.  Their homes do not overlap all the same.
        """
        owners = []
        marked = []
        for number, text in enumerate(annotated):
            for layer in _layers(text.entities):
                owners.append(number)
                marked.append(_marked(text, layer, self.settings.style))
        wanted: list[list[_Wanted]] = [[] for _ in annotated]
        for number, run in zip(owners, _translated(marked, self.translate), strict=True):
            wanted[number] += _what_to_look_for(run, self.settings.threshold)
        return [
            _look_up(spans, other.text, self.settings.threshold) for spans, other in zip(wanted, others, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Marked:
    """A text and which of its entities are marked in it.

    :param text: The text.
    :param entities: Entities that are marked, in reading order.
    :param style: Their marks; ``None`` if the text allows none, and then none of them is.
    """

    text: AnnotatedText
    entities: tuple[Entity, ...]
    style: Style | None

    @property
    def written(self) -> str:
        """The text with its marks."""
        if self.style is None:
            return self.text.text
        return write_marks(self.text.text, [(entity.start, entity.end) for entity in self.entities], self.style)


@dataclass(frozen=True, slots=True)
class _Run:
    """A marked text after translation.

    :param marked: What was translated.
    :param reading: Its translation, without the marks; ``None`` if there is no translation.
    :param alone: For each marked entity, what it is called: in its own text, and translated alone.
    """

    marked: _Marked
    reading: Reading | None
    alone: tuple[tuple[str, ...], ...]

    def likeness(self, number: int, string: str) -> float:
        """How like a string is to what one of the entities is called."""
        return max(phrase_similarity(string, name) for name in self.alone[number])


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A span to look up in a text.

    :param entity: The span.
    :param names: What it may be called there.
    :param near: Where it should be, 0 for the beginning of the text and 1 for its end.
    """

    entity: Entity
    names: tuple[str, ...]
    near: float


def _outermost(text: AnnotatedText) -> tuple[Entity, ...]:
    """Entities that do not overlap: of those that do, the longest."""
    return next(iter(_layers(text.entities)), ())


def _layers(entities: Sequence[Entity]) -> list[tuple[Entity, ...]]:
    """Entities in groups without overlaps, in reading order; long ones come first."""
    layers: list[list[Entity]] = []
    for entity in sorted(entities, key=lambda entity: (entity.start - entity.end, entity.start)):
        clear = (layer for layer in layers if all(entity.end <= e.start or e.end <= entity.start for e in layer))
        layer = next(clear, None)
        if layer is None:
            layers.append(layer := [])
        layer.append(entity)
    return [tuple(sorted(layer, key=lambda entity: entity.start)) for layer in layers]


def _marked(text: AnnotatedText, entities: tuple[Entity, ...], style: Style) -> _Marked:
    return _Marked(text, entities, markable_style(text.text, style))


def _translated(marked: Sequence[_Marked], translate: Translate) -> Iterator[_Run]:
    """Translate marked texts, and each of their entities alone, in one call."""
    mentions = [[one.text.mention(entity) for entity in one.entities] for one in marked]
    written = [one.written for one in marked]
    strings = list(
        dict.fromkeys(string for string in (*written, *(m for ms in mentions for m in ms)) if string.strip())
    )
    translations = dict(zip(strings, translate(strings), strict=True)) if strings else {}
    for one, own, names in zip(marked, written, mentions, strict=True):
        translation = translations.get(own)
        reading = None
        if translation is not None:
            count = 0 if one.style is None else len(one.entities)
            reading = read_marks(translation, one.style or "brackets", count, one.text.text)
        alone = tuple(tuple(n for n in (name, translations.get(name)) if n) for name in names)
        yield _Run(one, reading, alone)


def _own_pieces(run: _Run, threshold: float) -> tuple[dict[int, tuple[Piece, float]], Fault | None]:
    """Piece and likeness by number of the entity that the piece belongs to, and what is wrong with the marks."""
    reading, entities = run.reading, run.marked.entities
    if reading is None or not entities:
        return {}, None
    if run.marked.style is None:
        return {}, "unmarkable"
    ranked = []
    for order, piece in enumerate(reading.pieces):
        string = reading.text[piece.start : piece.end]
        for number in range(len(entities)) if piece.span is None else (piece.span,):
            likeness = run.likeness(number, string)
            # A piece that says whose it is comes first; of equals, the one that stands where the entity stood.
            ranked.append((piece.span is None, -likeness, abs(order - number), order, number))
    own: dict[int, tuple[Piece, float]] = {}
    used: set[int] = set()
    complete = len(reading.pieces) == len(entities)
    for nameless, minus_likeness, _, order, number in sorted(ranked):
        # The last piece belongs to the last entity, whatever it looks like.
        last = complete and len(used) == len(entities) - 1
        if number in own or order in used or (nameless and -minus_likeness < threshold and not last):
            continue
        own[number] = (reading.pieces[order], -minus_likeness)
        used.add(order)
    fault = reading.fault
    if fault is None and (len(own) < len(entities) or any(likeness < threshold for _, likeness in own.values())):
        fault = "moved-mark"
    return own, fault


def _carried_with_marks(run: _Run, reading: Reading, language: str, threshold: float) -> MarkedTranslation:
    own, fault = _own_pieces(run, threshold)
    homes: list[tuple[Entity, Entity]] = []
    for number, (piece, likeness) in own.items():
        entity = run.marked.entities[number]
        start, end = _trimmed(reading.text, piece, run.marked.text.mention(entity))
        homes.append((entity, _home(entity, start, end, likeness, "aligned")))
    rest = [
        _Wanted(entity, run.alone[number], entity.start / len(run.marked.text.text))
        for number, entity in enumerate(run.marked.entities)
        if number not in own
    ]
    found = _look_up(rest, reading.text, threshold, taken=[home for _, home in homes])
    carried = tuple(sorted((*homes, *found.carried), key=lambda pair: pair[1].start))
    unmarked = tuple(entity for entity in run.marked.text.entities if entity not in run.marked.entities)
    text = AnnotatedText(reading.text, language).with_entities(tuple(home for _, home in carried))
    return MarkedTranslation(text, carried, (*unmarked, *found.lost), "unmarkable" if unmarked else fault)


def _what_to_look_for(run: _Run, threshold: float) -> Iterator[_Wanted]:
    own, _ = _own_pieces(run, threshold)
    for number, entity in enumerate(run.marked.entities):
        names, near = run.alone[number], entity.start / len(run.marked.text.text)
        if run.reading is not None and number in own:
            piece, _ = own[number]
            start, end = _trimmed(run.reading.text, piece, run.marked.text.mention(entity))
            names, near = (run.reading.text[start:end], *names), start / len(run.reading.text)
        yield _Wanted(entity, names, near)


def _look_up(spans: Sequence[_Wanted], text: str, threshold: float, taken: Sequence[Entity] = ()) -> Projection:
    """Find spans in a text by what they are called; of two that want the same place, the one more like it gets it."""
    finder = WindowFinder(text)
    blocked = [(home.start, home.end) for home in taken]

    def find(wanted: _Wanted) -> Window | None:
        return finder.find(wanted.names, near=wanted.near, least=threshold, taken=blocked)

    homes: list[tuple[Entity, Entity]] = []
    lost: list[Entity] = []
    waiting = [(wanted, find(wanted)) for wanted in spans]
    while waiting:
        wanted, best = max(waiting, key=lambda pair: -1.0 if pair[1] is None else pair[1].likeness)
        waiting.remove((wanted, best))
        if best is None:
            lost.append(wanted.entity)
            continue
        blocked.append((best.start, best.end))
        homes.append((wanted.entity, _home(wanted.entity, best.start, best.end, best.likeness, "similar")))
        waiting = [
            (other, find(other) if window and window.start < best.end and best.start < window.end else window)
            for other, window in waiting
        ]
    homes.sort(key=lambda pair: pair[1].start)
    return Projection(tuple(homes), tuple(lost))


def _home(entity: Entity, start: int, end: int, likeness: float, match: Match) -> Entity:
    score = entity.score * (0.5 + min(likeness, 1.0) / 2)
    return replace(entity, start=start, end=end, score=score, match=match)


def _trimmed(text: str, piece: Piece, mention: str) -> tuple[int, int]:
    """The piece without a full stop or comma that a translator drew inside of the marks."""
    end = piece.end
    while end - piece.start > 1 and text[end - 1] in ".,;:!?。，、" and not mention.endswith(text[end - 1]):
        end -= 1
    while text[end - 1].isspace():
        end -= 1
    return piece.start, end
