"""Breaking the pivot on purpose, so that the network learns when not to believe it.

Silver labels are made from the very tags that the network reads beside the text; a network that only ever sees the two
agree learns to copy.  At inference the tags are a model's, with a model's mistakes: spans overlooked, of the wrong
type, with a word too many or too few, or not there at all; and a translation can be of another sentence altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from random import Random

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.units import split_units
from transfusion.translate.damage import KINDS, damaged


@dataclass(frozen=True, slots=True)
class Noise:
    """How often each mistake is made, as probabilities.

    :param drop: A span is left out.
    :param retype: A span gets another label.
    :param shift: A span gains or loses a word at one end.
    :param invent: A pivot gets a span that nobody found.
    :param untag: A pivot loses all of its tags.
    :param scramble: A pivot is replaced by that of another example.
    :param damage: A pivot's words are damaged, a tenth to a half of them; its tags go with their words.
    """

    drop: float = 0.0
    retype: float = 0.0
    shift: float = 0.0
    invent: float = 0.0
    untag: float = 0.0
    scramble: float = 0.0
    damage: float = 0.0

    def __post_init__(self) -> None:
        for mistake in fields(self):
            rate = getattr(self, mistake.name)
            if not 0 <= rate <= 1:
                raise ValueError(f"{mistake.name} is a probability between 0 and 1, not {rate}")

    def corrupt(
        self, pivot: AnnotatedText, others: Sequence[AnnotatedText], labels: Sequence[str], random: Random
    ) -> AnnotatedText:
        """A pivot with mistakes.

        :param pivot: The pivot as it was annotated.
        :param others: Pivots of other examples, for scrambling.
        :param labels: Labels to choose wrong types from.
        :param random: Where chance comes from.
        :returns: The pivot, with or without mistakes.
        """
        if others and random.random() < self.scramble:
            pivot = random.choice(others)
        if self.damage and others and random.random() < self.damage:
            strangers = random.choice(others).text.split() or ["…"]
            pivot = damaged(pivot, random.choice(KINDS), random.uniform(0.1, 0.5), random, strangers)
        if random.random() < self.untag:
            return pivot.with_entities(())
        words = [(unit.start, unit.end) for unit in split_units(pivot.text)]
        kept = [
            self._mistake(entity, words, labels, random) for entity in pivot.entities if random.random() >= self.drop
        ]
        if words and random.random() < self.invent:
            first = random.randrange(len(words))
            last = min(first + random.choice((0, 0, 1, 2)), len(words) - 1)
            kept.append(Entity(words[first][0], words[last][1], random.choice(labels)))
        return pivot.with_entities(without_overlap(kept))

    def _mistake(
        self, entity: Entity, words: Sequence[tuple[int, int]], labels: Sequence[str], random: Random
    ) -> Entity:
        if len(labels) > 1 and random.random() < self.retype:
            entity = replace(entity, label=random.choice([label for label in labels if label != entity.label]))
        inside = [index for index, (start, end) in enumerate(words) if start < entity.end and end > entity.start]
        if inside and random.random() < self.shift:
            first, last = inside[0], inside[-1]
            first, last = random.choice([(first - 1, last), (first + 1, last), (first, last - 1), (first, last + 1)])
            if 0 <= first <= last < len(words):
                entity = replace(entity, start=words[first][0], end=words[last][1])
        return entity


def without_overlap(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """Entities in reading order; of two that overlap, the one that begins first."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (e.start, -e.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
    return tuple(kept)
