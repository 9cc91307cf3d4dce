"""An encoder at work: texts in, spans out, through ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from transfusion.document import AnnotatedText, Entity
from transfusion.encoder.decode import log_softmax, read_spans
from transfusion.encoder.folder import EncoderConfig, find_model, read_config, read_network, read_pieces
from transfusion.encoder.layout import EncoderInput, Layout, Slot, make_batch
from transfusion.encoder.table import EmbeddingTable
from transfusion.encoder.vocabulary import Vocabulary
from transfusion.encoder.windows import Window, cut_windows
from transfusion.errors import ModelError

BATCH_POSITIONS = 512
"""Positions in one batch, padding included: enough to keep a core busy, few enough to stay in its cache."""

_SLOWER = ["SkipLayerNormFusion"]
"""Optimisations that make it slower: the fused kernel is not vectorised on CPUs."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text to be labelled, alone or beside its annotated pivot."""

    source: AnnotatedText
    pivot: AnnotatedText | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the network's middle layers make of each stretch of a text, for word alignment.

    :param slots: The stretches.
    :param values: One vector each. *Shape:* ``(len(slots), hidden_size)``.
    """

    slots: tuple[Slot, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one pass over a text alone gives."""

    entities: tuple[Entity, ...]
    vectors: Vectors


class EncoderModel:
    """A token classifier that reads a text alone or beside its annotated pivot.

    :param config: The settings of the model.
    :param vocabulary: The word pieces.
    :param table: The frozen word embeddings.
    :param network: The ONNX network, as bytes.
    :param threads: Threads to compute with; the cores that this process may use when left out.
    :raises ModelError: If the network cannot be loaded.
    """

    def __init__(
        self,
        config: EncoderConfig,
        vocabulary: Vocabulary,
        table: EmbeddingTable,
        network: bytes,
        *,
        threads: int | None = None,
    ) -> None:
        self.config = config
        self.layout = Layout(vocabulary, config.labels)
        self.table = table
        self._threads = threads or available_cores()
        options = onnxruntime.SessionOptions()
        # One thread a batch and several batches at once: matrices this small gain little from being shared out.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Batches differ in shape, and an arena that keeps the largest of each would grow with the length of the run.
        options.enable_mem_pattern = False
        try:
            self._session = onnxruntime.InferenceSession(
                network, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
            )
        except Exception as error:  # the runtime raises its own, undocumented classes
            raise ModelError(f"the network of {config.name!r} cannot be loaded ({error})") from error
        self._check_shapes()

    def _check_shapes(self) -> None:
        """Parts of different models, put together by hand, would otherwise give nonsense without a word."""
        width = {one.name: one.shape[-1] for one in (*self._session.get_inputs(), *self._session.get_outputs())}
        expected = {"embeddings": self.table.hidden_size, "logits": 1 + 2 * len(self.config.labels)}
        for name, size in expected.items():
            if width.get(name) != size:
                raise ModelError(
                    f"the network of {self.config.name!r} has {width.get(name)} {name} at each position; its labels "
                    f"and word embeddings ask for {size}"
                )

    @classmethod
    def load(cls, model: str | Path = "mini", *, threads: int | None = None) -> EncoderModel:
        """Load a model by name or folder.

        :param model: ``mini``, or the folder of a model.
        :param threads: Threads to compute with; the cores that this process may use when left out.
        :returns: The model.
        :raises ModelError: If there is no such model, or its files are damaged.
        """
        folder = find_model(model)
        config = read_config(folder)
        vocabulary, table = read_pieces(folder)
        return cls(config, vocabulary, table, read_network(folder, config), threads=threads)

    def label(self, readings: Sequence[Reading]) -> list[tuple[Entity, ...]]:
        """Find the entities of the sources.

        A source, or a source with its pivot, that does not fit the window is read in several windows, cut at the ends
        of sentences.

        :param readings: Texts, alone or with their pivots; mixed as you like.
        :returns: For each reading the entities of its source, in reading order.
        :raises SchemaError: If a pivot has a label that the network does not know.
        """
        found: list[list[Entity]] = [[] for _ in readings]
        for window, one, (logits,) in self._run(self._windows(readings), ["logits"]):
            found[window.reading].extend(self._spans(window, one, logits))
        return [tuple(sorted(entities, key=lambda e: e.start)) for entities in found]

    def analyse(self, texts: Sequence[AnnotatedText]) -> list[Analysis]:
        """Find the entities of texts, each read alone, and what word alignment needs to know of them.

        :param texts: Texts; entities that they already have are not read.
        :returns: For each text its entities and the vectors of its stretches.
        """
        windows = self._windows([Reading(text) for text in texts])
        parts: list[list[tuple[int, Analysis]]] = [[] for _ in texts]
        for window, one, (logits, hidden) in self._run(windows, ["logits", "hidden"]):
            slots = [replace(s, start=s.start + window.offset, end=s.end + window.offset) for s in one.slots]
            vectors = Vectors(tuple(slots), _mean_of_slots(hidden[: len(one) - 1], one.slots))
            analysis = Analysis(tuple(self._spans(window, one, logits)), vectors)
            parts[window.reading].append((window.offset, analysis))
        return [self._join([part for _, part in sorted(found, key=lambda item: item[0])]) for found in parts]

    def _join(self, parts: Sequence[Analysis]) -> Analysis:
        """The analyses of a text's windows, in reading order, as that of the text."""
        none = np.zeros((0, self.table.hidden_size), np.float32)
        return Analysis(
            tuple(entity for part in parts for entity in part.entities),
            Vectors(
                tuple(slot for part in parts for slot in part.vectors.slots),
                np.concatenate([none, *(part.vectors.values for part in parts)]),
            ),
        )

    def _spans(self, window: Window, one: EncoderInput, logits: NDArray[np.float32]) -> Iterator[Entity]:
        scores = logits[[slot.position for slot in one.slots]]
        scores[:, 0] += self.config.outside_bias
        log_probabilities = log_softmax(scores)
        for entity in read_spans(one.slots, log_probabilities, self.config.labels):
            yield entity.shifted(window.offset)

    def _windows(self, readings: Sequence[Reading]) -> list[Window]:
        windows: list[Window] = []
        for index, reading in enumerate(readings):
            windows.extend(cut_windows(index, reading.source, reading.pivot, self.layout, self.config.window))
        return windows

    def _run(
        self, windows: Sequence[Window], names: Sequence[str]
    ) -> Iterator[tuple[Window, EncoderInput, tuple[NDArray[np.float32], ...]]]:
        """Run windows in batches of about one length; the named outputs of each, in an order of their own."""
        laid_out = [(window, self.layout.lay_out(window.source, window.pivot)) for window in windows]

        def run(batch: Sequence[tuple[Window, EncoderInput]]) -> list[NDArray[np.float32]]:
            arrays = make_batch([one for _, one in batch], self.table)
            feed = {"embeddings": arrays.embeddings, "kinds": arrays.kinds, "mask": arrays.mask}
            return list(self._session.run(list(names), feed))

        batches = _batches(laid_out)
        with ThreadPoolExecutor(self._threads) as pool:
            # A few at a time, so that the outputs of a very long text need not all be held at once.
            while group := list(islice(batches, 4 * self._threads)):
                for batch, outputs in zip(group, pool.map(run, group), strict=True):
                    for row, (window, one) in enumerate(batch):
                        yield window, one, tuple(output[row] for output in outputs)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mean_of_slots(hidden: NDArray[np.float32], slots: Sequence[Slot]) -> NDArray[np.float32]:
    """Means of the hidden states of each slot's pieces.

    :param hidden: Hidden states up to the end of the last slot. *Shape:* ``(positions, hidden_size)``.
    :param slots: Slots, each of which reaches up to the next.
    :returns: *Shape:* ``(len(slots), hidden_size)``.
    """
    begins = np.array([slot.position for slot in slots], np.int64)
    if not len(begins):
        return np.zeros((0, hidden.shape[1]), np.float32)
    sums: NDArray[np.float32] = np.add.reduceat(hidden, begins, axis=0)
    sums /= np.diff(begins, append=len(hidden))[:, None]
    return sums


def _batches(
    laid_out: Iterable[tuple[Window, EncoderInput]],
) -> Iterator[list[tuple[Window, EncoderInput]]]:
    batch: list[tuple[Window, EncoderInput]] = []
    for item in sorted(laid_out, key=lambda item: len(item[1])):
        if batch and (len(batch) + 1) * len(item[1]) > BATCH_POSITIONS:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
