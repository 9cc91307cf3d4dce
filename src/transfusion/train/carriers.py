"""Translating annotated text together with its annotations, for training data: one carrier a method of projection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfusion.document import AnnotatedText
from transfusion.project.base import Projection, Projector
from transfusion.project.marker import MarkerSettings, translate_marked
from transfusion.train.mixture import Carried
from transfusion.translate.base import Translator
from transfusion.translate.bind import bind


class ProjectingCarrier:
    """Translates the plain text, then finds each span in the translation.

    :param translator: What translates.
    :param projector: What carries the spans.
    :param method: Name of the projector, for provenance.
    """

    def __init__(self, translator: Translator, projector: Projector, *, method: str) -> None:
        self.translator = translator
        self.projector = projector
        self.method = method

    @property
    def signature(self) -> str:
        """Method and translator."""
        return f"{self.method}+{self.translator.signature}"

    def carry(self, texts: Sequence[AnnotatedText], /, *, target: str) -> list[Carried | None]:
        """Translate texts and carry their spans over; see :class:`~transfusion.train.mixture.Carrier`."""
        translations = bind(self.translator, texts[0].language, target)([text.text for text in texts])
        arrived = [index for index, translation in enumerate(translations) if translation and translation.strip()]
        others = [AnnotatedText(translations[index] or "", target) for index in arrived]
        projections = self.projector.project([texts[index] for index in arrived], others)
        results: list[Carried | None] = [None] * len(texts)
        for index, other, projection in zip(arrived, others, projections, strict=True):
            results[index] = _carried(other, projection)
        return results


class MarkingCarrier:
    """Translates the text with its spans marked (EasyProject).

    :param translator: What translates.
    :param settings: How spans are marked and known again.
    """

    def __init__(self, translator: Translator, settings: MarkerSettings | None = None) -> None:
        self.translator = translator
        self.settings = settings or MarkerSettings()

    @property
    def signature(self) -> str:
        """Method, style of the marks and translator."""
        return f"marker-{self.settings.style}+{self.translator.signature}"

    def carry(self, texts: Sequence[AnnotatedText], /, *, target: str) -> list[Carried | None]:
        """Translate texts and carry their spans over; see :class:`~transfusion.train.mixture.Carrier`."""
        translate = bind(self.translator, texts[0].language, target)
        return [
            None if made is None else _carried(made.text, Projection(made.carried, made.lost))
            for made in translate_marked(texts, translate, language=target, settings=self.settings)
        ]


def _carried(other: AnnotatedText, projection: Projection) -> Carried:
    # The spans are what is to be learnt: how they were found is no part of it.
    spans = tuple(replace(entity, score=1.0, match="exact") for entity in projection.entities)
    return Carried(other.with_entities(spans), projection)
