"""Training examples: a source with its labels, perhaps a pivot with what was found there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from transfusion.corpora.detokenise import detokenise
from transfusion.document import Document, Entity
from transfusion.errors import FormatError


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from.

    :param document: Source and pivot with their entities; those of the source are what is to be learnt.
    :param unsure: Stretches of the source, as (start, end), whose label nobody is sure of: they carry no loss.
    """

    document: Document
    unsure: tuple[tuple[int, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The example as plain data: a document's JSON line and the key ``unsure``."""
        return {**self.document.to_dict(), "unsure": [list(stretch) for stretch in self.unsure]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Example:
        """Read back what :meth:`to_dict` wrote."""
        return cls(Document.from_dict(record), tuple((start, end) for start, end in record.get("unsure", ())))


def without_spaces(example: Example) -> Example:
    """The example as a script without spaces would write its source.

    No training text is in such a script; this is how the network learns that a name may begin in the middle of a run.
    """
    source = example.document.source
    kept = [not character.isspace() for character in source.text]
    moved = [0, *accumulate(kept)]
    text = "".join(character for character in source.text if not character.isspace())
    entities = tuple(replace(e, start=moved[e.start], end=moved[e.end]) for e in source.entities)
    unsure = tuple((moved[start], moved[end]) for start, end in example.unsure)
    return Example(replace(example.document, source=replace(source, text=text, entities=entities)), unsure)


def detokenised(example: Example) -> Example:
    """The example with its source as natural text; see :func:`~transfusion.corpora.detokenise.detokenise`."""
    source = example.document.source
    unsure = tuple(Entity(start, end, "unsure") for start, end in example.unsure)
    natural = detokenise(replace(example.document, source=replace(source, entities=(*source.entities, *unsure))))
    entities, unsure = natural.source.entities[: len(source.entities)], natural.source.entities[len(source.entities) :]
    document = replace(natural, source=replace(natural.source, entities=entities))
    return Example(document, tuple((stretch.start, stretch.end) for stretch in unsure))


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write examples as JSON lines.

    :param path: The file.
    :param examples: The examples.
    :returns: How many were written.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(example.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_examples(path: Path) -> Iterator[Example]:
    """Read examples from JSON lines.

    :param path: The file.
    :yields: The examples.
    :raises FormatError: If a line is not an example; training data is made by this package, so none is skipped.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield Example.from_dict(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise FormatError(f"not a training example ({error!r})", path=path, line=number) from error
