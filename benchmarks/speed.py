"""Documents per second of a model in fusion, against the same weights run by transformers in PyTorch fp32.

Both read the same documents in the same batches through the same code; only the network differs: ONNX Runtime's, as
exported, or a ``transformers.BertModel`` rebuilt from the ``network.safetensors`` of the training run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from corpus import masakhaner, without_entities
from transfusion import Document, Pipeline
from transfusion.annotate.base import AnnotatePivot
from transfusion.annotate.encoder import EncoderAnnotator
from transfusion.encoder.model import EncoderModel
from transfusion.fuse.base import FuseSource
from transfusion.fuse.encoder import EncoderFuser
from transfusion.train.base import read_base
from transfusion.train.encoder import load_network
from transfusion.train.network import EncoderNetwork, from_base


class TorchSession:
    """A PyTorch network behind the one method of an ONNX Runtime session that inference calls."""

    def __init__(self, network: EncoderNetwork) -> None:
        self.network = network.eval()

    @torch.inference_mode()
    def run(self, names: Sequence[str], feed: dict[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        """Label a batch.

        :param names: Outputs asked for; fusion asks for ``logits`` alone.
        :param feed: The inputs by name.
        :returns: The logits. *Shape:* ``(batch, length, labels)``.
        """
        assert list(names) == ["logits"]
        tensors = {name: torch.from_numpy(array) for name, array in feed.items()}
        return [self.network(**tensors)["logits"].numpy()]


def fusion(encoder: EncoderModel) -> Pipeline:
    """The stages of the system ``fusion`` round a model."""
    return Pipeline([AnnotatePivot(EncoderAnnotator(encoder)), FuseSource(EncoderFuser(encoder))])


def in_pytorch(model: str, weights: Path, threads: int) -> EncoderModel:
    """The model with its network run by PyTorch.

    :param model: The exported model, for its vocabulary, embeddings and labels.
    :param weights: Folder with the ``network.safetensors`` that it was exported from.
    :param threads: Threads to compute with.
    :returns: The model.
    """
    torch.set_num_threads(threads)
    encoder = EncoderModel.load(model, threads=1)
    network = from_base(read_base(), encoder.config.labels)
    load_network(network, weights)
    network.body.set_attn_implementation("sdpa")  # what transformers itself would choose for inference
    encoder._session = TorchSession(network)
    return encoder


def seconds(pipeline: Pipeline, documents: Sequence[Document]) -> tuple[float, list[Document]]:
    """Time one pass over the documents."""
    begun = time.perf_counter()
    done = list(pipeline.stream(documents))
    return time.perf_counter() - begun, done


def spans(document: Document) -> list[tuple[int, int, str]]:
    """The entities of a source without their scores."""
    return [(entity.start, entity.end, entity.label) for entity in document.source.entities]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini", help="name or folder of the exported model (default: mini)")
    parser.add_argument("--weights", type=Path, required=True, help="folder with its network.safetensors")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with masakhaner2/")
    parser.add_argument("--language", default="lug", help="language of MasakhaNER 2.0 with human translations")
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()

    gold = masakhaner(options.data, options.language, "test", translated=True, limit=options.documents)
    documents = without_entities(gold)
    engines = {
        "ONNX Runtime": fusion(EncoderModel.load(options.model, threads=options.threads)),
        "PyTorch fp32": fusion(in_pytorch(options.model, options.weights, options.threads)),
    }
    results = {name: seconds(engine, documents)[1] for name, engine in engines.items()}  # warms both up
    equal = sum(spans(a) == spans(b) for a, b in zip(*results.values(), strict=True))
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for repetition in range(options.repetitions):
        # Interleaved, and each first in turn, so that a busy machine slows both alike.
        for name in list(engines)[:: 1 if repetition % 2 else -1]:
            taken[name].append(seconds(engines[name], documents)[0])
    for name, times in taken.items():
        print(f"{name}: {len(documents) / statistics.median(times):.1f} documents per second (median)")
    ratios = [slow / fast for fast, slow in zip(taken["ONNX Runtime"], taken["PyTorch fp32"], strict=True)]
    print(
        f"times as fast: median {statistics.median(ratios):.2f}, min {min(ratios):.2f}, max {max(ratios):.2f} "
        f"({options.repetitions} repetitions, {len(documents)} documents, {options.threads} threads)"
    )
    print(f"{equal} of {len(documents)} documents get the same entities from both")


if __name__ == "__main__":
    main()
