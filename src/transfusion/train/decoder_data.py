"""From training data to batches of tokens for a decoder: which prompts an epoch has, and what of them is learnt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Literal

from transfusion.decoder.items import Item
from transfusion.decoder.render import build_prompt, render_example, render_list
from transfusion.document import AnnotatedText, Document
from transfusion.errors import ConfigError
from transfusion.schema.classes import ClassDefinition
from transfusion.train.batches import read_source, times
from transfusion.train.decoder_config import FORMS, DecoderSource, DecoderTrainingConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

IGNORED = -100

Form = Literal["plain", "pivot", "fused", "corrected", "unannotated"]


@dataclass(frozen=True, slots=True)
class Use:
    """A document and the form of prompt that shows it."""

    document: Document
    form: Form


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """A prompt and its answer as tokens.

    :param ids: All tokens.
    :param learnt: From which token on the loss counts.
    """

    ids: tuple[int, ...]
    learnt: int


def uses(config: DecoderTrainingConfig, labels: Sequence[str]) -> list[Use]:
    """Everything that a training shows, in no particular order.

    :param config: The configuration.
    :param labels: Entity labels of the schema; entities of other labels are not annotations.
    :returns: Documents and forms.
    :raises ConfigError: If there are none.
    """
    random = Random(config.seed)
    found: list[Use] = []
    for source in config.data:
        examples = list(read_source(source, labels, random))
        for _ in range(config.epochs):
            for example in examples:
                # A stretch that nobody is sure of would be taught as text without a name.
                if not example.unsure:
                    found += _uses(example.document, source, labels, random)
        log.info("%s: %d examples", source.path, len(examples))
    if not found:
        raise ConfigError("the configuration's data holds no example")
    return found


def _uses(document: Document, source: DecoderSource, labels: Sequence[str], random: Random) -> Iterator[Use]:
    for _ in range(times(source.plain, random)):
        yield Use(document, "plain")
    if document.pivot is None or not document.pivot.text.strip():
        return
    forms: tuple[Form, ...] = ("pivot", "fused", "unannotated")
    for form in forms:
        for _ in range(times(getattr(source, form), random)):
            yield Use(document, form)
    for _ in range(times(source.corrected, random)):
        mistaken = source.noise.corrupt(document.pivot, (), labels, random)
        yield Use(replace(document, pivot=mistaken), "corrected")


def make_batches(found: Sequence[Use], size: int, random: Random) -> list[list[Use]]:
    """Batches of uses of one form and about one length, in random order.

    :param found: All uses.
    :param size: Uses in one batch.
    :param random: Source of randomness.
    :returns: The batches.
    """
    shuffled = random.sample(list(found), len(found))
    batches = []
    for form in FORMS:
        alike = sorted((use for use in shuffled if use.form == form), key=_length)
        batches += [alike[start : start + size] for start in range(0, len(alike), size)]
    random.shuffle(batches)
    return batches


def _length(use: Use) -> int:
    source, pivot = use.document.source.text, use.document.pivot
    return (use.form != "pivot") * len(source) + (len(pivot.text) if pivot and use.form != "plain" else 0)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns batches of uses into tokens.

    :param tokenizer: The model's tokeniser.
    :param classes: The schema.
    :param names: Class name of each label.
    :param config: Noise, and the longest sequence.
    """

    tokenizer: PreTrainedTokenizerBase
    classes: tuple[ClassDefinition, ...]
    names: Mapping[str, str]
    config: DecoderTrainingConfig

    def encode(self, batch: Sequence[Use], random: Random) -> list[TokenSequence]:
        """The sequences of a batch; all of them show the same classes.

        :param batch: The uses.
        :param random: Source of the noise.
        :returns: The sequences; those that are too long are missing.
        """
        classes, renamed = self._noisy(random)
        sequences = [self._sequence(use, classes, renamed) for use in batch]
        return [sequence for sequence in sequences if len(sequence.ids) <= self.config.longest]

    def _noisy(self, random: Random) -> tuple[list[ClassDefinition], dict[str, str]]:
        """Classes as one batch shows them, and the names that labels go by there."""
        config = self.config
        classes = [one for one in self.classes if random.random() >= config.guideline_dropout]
        classes = classes or [random.choice(self.classes)]
        if random.random() < config.shuffle:
            random.shuffle(classes)
        hidden = [one.name for one in classes if random.random() < config.label_noise]
        aliases = {name: f"LABEL_{number}" for number, name in enumerate(hidden, 1)}
        shown = [replace(one, name=aliases.get(one.name, one.name)) for one in classes]
        kept = {one.name for one in classes}
        renamed = {label: aliases.get(name, name) for label, name in self.names.items() if name in kept}
        return shown, renamed

    def _sequence(self, use: Use, classes: Sequence[ClassDefinition], names: Mapping[str, str]) -> TokenSequence:
        prompt, answer, learnt = _texts(use, classes, names)
        asked = self.tokenizer(prompt, return_offsets_mapping=True)
        ids, offsets = list(asked["input_ids"]), list(asked["offset_mapping"])
        if ids[-1] == self.tokenizer.eos_token_id:  # some tokenisers end every text
            ids, offsets = ids[:-1], offsets[:-1]
        # The prompt is cut here at inference, so a piece must not reach over the cut: `[]` is one in many vocabularies.
        answered = self.tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
        ids += answered["input_ids"]
        offsets += [(start + len(prompt), end + len(prompt)) for start, end in answered["offset_mapping"]]
        first = next(place for place, (start, _) in enumerate(offsets) if place and start >= learnt)
        return TokenSequence((*ids, self.tokenizer.eos_token_id), first)


def _texts(use: Use, classes: Sequence[ClassDefinition], names: Mapping[str, str]) -> tuple[str, str, int]:
    """Prompt and answer of a use, and where in the two the loss begins: after the instruction to fuse, if not later."""
    document = use.document
    source, pivot = document.source, document.pivot
    if use.form in ("plain", "pivot"):
        text = source if use.form == "plain" or pivot is None else pivot
        whole = render_example("ner", classes, text.text, entity_items(text, names))
        prompt = build_prompt("ner", classes, text.text).text
        return prompt, whole[len(prompt) :], len(prompt)
    assert pivot is not None
    items, pivot_items = entity_items(source, names), entity_items(pivot, names)
    asked = build_prompt("ner_tf", classes, source.text, pivot_text=pivot.text, annotate=use.form != "unannotated")
    whole = render_example("ner_tf", classes, source.text, items, pivot_text=pivot.text, pivot_items=pivot_items)
    learnt = whole.index(_INSTRUCTED) + len(_INSTRUCTED)
    if use.form == "fused":
        return asked.text, whole[len(asked.text) :], learnt
    if use.form == "corrected":
        pivot_list = len(asked.text) + len(render_list(pivot_items, classes))
        return asked.text, whole[len(asked.text) :], pivot_list
    alone = render_example("ner", classes, source.text, items)
    answer = alone[len(build_prompt("ner", classes, source.text).text) :]
    return asked.text, answer, learnt


_INSTRUCTED = "# (2) generate annotation for text\n\n"


def entity_items(text: AnnotatedText, names: Mapping[str, str]) -> list[Item]:
    """The entities of a text as items, in reading order.

    :param text: The text.
    :param names: Class name of each label; entities of other labels are left out.
    :returns: The items.
    """
    return [Item(names[e.label], {"span": text.mention(e)}) for e in text.entities if e.label in names]


def common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with."""
    shortest = min(map(len, rows))
    columns = zip(*rows, strict=False)
    return next((place for place, column in enumerate(columns) if len(set(column)) > 1), shortest)
