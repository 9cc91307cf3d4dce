"""Items → entities, relations and events with exact offsets: where in the text do the strings of an answer stand?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from transfusion.decoder.choice import Places, gap, nearest_pair
from transfusion.decoder.folding import fold
from transfusion.decoder.items import Item
from transfusion.decoder.mentions import MATCHES, Mention, MentionFinder, best_by_spelling
from transfusion.decoder.problems import Problem, ProblemCode, shown
from transfusion.document import Argument, Entity, Event, Relation
from transfusion.schema.classes import KEY_FIELDS, ClassDefinition

# Places of one string that an argument may mean.
_MOST_PLACES = 64


@dataclass(frozen=True, slots=True)
class Grounded:
    """What the items of an answer say about a text.

    :param entities: In reading order.
    :param relations: In the order of the items.
    :param events: In the order of the items.
    :param problems: What has no place in the text, or no place of its own.
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()


def ground_items(
    items: Sequence[Item],
    classes: Sequence[ClassDefinition],
    text: str,
    *,
    labels: Mapping[str, str],
    threshold: float = 0.85,
    scores: Mapping[int, float] | None = None,
    given: Sequence[Entity] = (),
) -> Grounded:
    """Find the strings of items in a text.

    Entities: :meth:`MentionFinder.mentions` says where a string may stand. Items with the same string get those places
    in reading order, each place once a label. Strings that the text holds choose first, longer ones before others, and
    a shorter one takes a place outside of them if it can, so *Kampala* does not settle in *Kampala City*. A place
    inside another entity remains as a last choice.

    Relations: an argument is an entity of ``given`` or of the items if one is spelt like it; of several pairs of
    places, the closest together is meant. Events: the trigger is a given one if one is spelt like it, or else found as
    entities are; of several places of an argument, the closest to the trigger is meant. An argument that is no known
    entity gets as its label what the schema says it must be, if that is one label, or else its field or role.

    An item whose key string is not in the text is dropped and named, and so is an argument of an event.

    :param items: What an answer says.
    :param classes: The classes that items may be of; items of others are dropped and named.
    :param text: The text. Offsets count its code points, and no span cuts a character (grapheme cluster) in two.
    :param labels: The label of each class; a class that is missing is its own label.
    :param threshold: Least similarity of a near match: one minus the share of letters that differ.
    :param scores: Probability of an item, by its index; 1 where there is none. A near match takes its similarity off.
    :param given: Entities and triggers of this text that the prompt named.
    :returns: What was found.
    :raises ValueError: If the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold of a similarity is above 0 and at most 1, not {threshold}")
    finder = MentionFinder(text, threshold=threshold)
    return _Grounder(items, classes, finder, labels, scores or {}, given).ground()


class _Grounder:
    """Grounds the items of one answer."""

    def __init__(
        self,
        items: Sequence[Item],
        classes: Sequence[ClassDefinition],
        finder: MentionFinder,
        labels: Mapping[str, str],
        scores: Mapping[int, float],
        given: Sequence[Entity],
    ) -> None:
        self.items = items
        self.classes = {definition.name: definition for definition in classes}
        self.finder = finder
        self.labels = labels
        self.scores = scores
        self.given = tuple(given)
        self.known: dict[str, list[Entity]] = {}  # given entities and those of the items, by how they are spelt, folded
        self.places: dict[str, Places] = {}
        self.triggers: set[Entity] = set()
        self.problems: list[tuple[int, Problem]] = []

    def ground(self) -> Grounded:
        by_base: dict[str, list[tuple[int, Item]]] = {"Entity": [], "Relation": [], "Event": []}
        for index, item in enumerate(self.items):
            definition = self.classes.get(item.type)
            if definition is None:
                self._problem(index, "unknown-class", f"{shown(item.type)} is no class of the schema")
            elif all(isinstance(item.arguments.get(name), str) for name in KEY_FIELDS[definition.base]):
                by_base["Entity" if definition.base == "Value" else definition.base].append((index, item))
            else:
                self._problem(index, "missing-field", f"{item.type} lacks {' or '.join(KEY_FIELDS[definition.base])}")
        entities = self._entities(by_base["Entity"], "span")
        for entity in dict.fromkeys((*self.given, *entities.values())):
            self.known.setdefault(fold(self._spelt(entity)), []).append(entity)
        relations = self._relations(by_base["Relation"])
        events = self._events(by_base["Event"])
        return Grounded(
            tuple(sorted(entities.values(), key=lambda entity: (entity.start, entity.end, entity.label))),
            tuple(relations),
            tuple(events),
            tuple(problem for _, problem in sorted(self.problems, key=lambda found: found[0])),
        )

    def _problem(self, index: int, code: ProblemCode, message: str) -> None:
        self.problems.append((index, Problem(code, message)))

    def _label(self, item: Item) -> str:
        return self.labels.get(item.type, item.type)

    def _entity(self, mention: Mention, label: str, score: float) -> Entity:
        return Entity(mention.start, mention.end, label, score * mention.similarity, mention.match)

    def _entities(self, items: Iterable[tuple[int, Item]], field: str) -> dict[int, Entity]:
        """The entity or trigger that each item is, by index; in the order of the items."""
        found: dict[int, Entity] = {}
        for index, item in sorted(items, key=lambda each: self._turn(_string(each[1], field))):
            string, label = _string(item, field), self._label(item)
            places = self.places.setdefault(label, Places(self.finder))
            mention = places.take(string)
            if mention is not None:
                found[index] = self._entity(mention, label, self.scores.get(index, 1.0))
            elif next(self.finder.mentions(string), None) is None:
                self._problem(index, "hallucinated", f"{item.type}: the text does not hold {shown(string)}")
            elif count := places.count(string):
                self._problem(index, "surplus", f"{item.type}: {shown(string)} is in the text {count} times, not more")
            else:
                self._problem(index, "duplicate", f"{item.type}: {shown(string)} is what another item says")
        return dict(sorted(found.items()))

    def _turn(self, string: str) -> tuple[bool, int, int]:
        """When a string chooses its place: after those that the text holds, after longer ones, after better matches."""
        best = next(self.finder.mentions(string), None)
        kind = MATCHES.index(best.match) if best else 0
        return kind > MATCHES.index("variant"), -len(fold(string)), kind

    def _relations(self, items: Iterable[tuple[int, Item]]) -> Iterator[Relation]:
        said: dict[str, set[tuple[tuple[int, int], tuple[int, int]]]] = {}
        for index, item in items:
            label, score = self._label(item), self.scores.get(index, 1.0)
            definition = self.classes[item.type]
            heads, tails = (
                self._arguments(index, f"{item.type}: {field}", _string(item, field), _only(kinds) or field)
                for field, kinds in (("arg1", definition.head), ("arg2", definition.tail))
            )
            if not heads or not tails:
                continue
            taken = said.setdefault(label, set())
            pair = nearest_pair(heads, tails, taken)
            if pair is not None:
                taken.add((_span(pair[0]), _span(pair[1])))
                yield Relation(label, *pair, score)
            elif len({_span(place) for place in (*heads, *tails)}) == 1:
                self._problem(index, "self-relation", f"{item.type}: both arguments are {shown(_string(item, 'arg1'))}")
            else:
                self._problem(index, "duplicate", f"{item.type}: another item says the same")

    def _events(self, items: Iterable[tuple[int, Item]]) -> Iterator[Event]:
        items = list(items)
        triggers = {index: self._given_trigger(item) for index, item in items}
        known = {index: trigger for index, trigger in triggers.items() if trigger is not None}
        found = known | self._entities(((index, item) for index, item in items if index not in known), "mention")
        for index, item in items:
            if index in found:
                score = self.scores.get(index, 1.0)
                arguments = list(self._event_arguments(index, item, found[index]))
                arguments.sort(key=lambda argument: (*_span(argument.entity), argument.role))
                yield Event(self._label(item), found[index], tuple(arguments), score)

    def _given_trigger(self, item: Item) -> Entity | None:
        """The next of the given triggers of this class that are spelt like the mention."""
        label = self._label(item)
        left = [each for each in self.given if each.label == label and each not in self.triggers]
        best = best_by_spelling(_string(item, "mention"), [self._spelt(each) for each in left])
        if not best:
            return None
        trigger = min((left[index] for index in best), key=_span)
        self.triggers.add(trigger)
        self.places.setdefault(label, Places(self.finder)).claim(trigger.start, trigger.end)
        return trigger

    def _event_arguments(self, index: int, item: Item, trigger: Entity) -> Iterator[Argument]:
        for field in self.classes[item.type].fields:
            value = item.arguments.get(field.name, ())
            if field.name in KEY_FIELDS["Event"]:
                continue
            role = field.label or field.name
            filled: set[tuple[int, int]] = set()
            for string in (value,) if isinstance(value, str) else value:
                places = self._arguments(index, f"{item.type}: {role}", string, role)
                free = [place for place in places if _span(place) not in filled]
                if free:
                    entity = min(free, key=lambda place: (gap(place, trigger), place.start))
                    filled.add(_span(entity))
                    yield Argument(role, entity)
                elif places:
                    self._problem(index, "duplicate", f"{item.type}: {role} {shown(string)} is there already")

    def _arguments(self, index: int, what: str, string: str, label: str) -> list[Entity]:
        """The entities that an argument may mean; if there are none, that is a problem."""
        score = self.scores.get(index, 1.0)
        places = self._known_as(string) or [
            self._entity(mention, label, score) for mention in islice(self.finder.mentions(string), _MOST_PLACES)
        ]
        if not places:
            self._problem(index, "hallucinated", f"{what}: the text does not hold {shown(string)}")
        return places

    def _known_as(self, string: str) -> list[Entity]:
        """The known entities that are spelt like a string."""
        alike = self.known.get(fold(string.strip()), [])
        return [alike[index] for index in best_by_spelling(string, [self._spelt(entity) for entity in alike])]

    def _spelt(self, entity: Entity) -> str:
        return self.finder.text[entity.start : entity.end]


def _string(item: Item, field: str) -> str:
    value = item.arguments[field]
    assert isinstance(value, str)  # made sure of before
    return value


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end


def _only(labels: Sequence[str]) -> str | None:
    return labels[0] if len(labels) == 1 else None
