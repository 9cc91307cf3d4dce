"""Tokens per second and peak memory of NLLB-200-distilled-600M: CTranslate2 int8 against transformers fp32 and bf16.

The network has the published shape and weights drawn by lot: speed does not depend on what they are. All read the same
sentences of the same lengths in the same batches and write the same number of tokens. Each engine is a process of its
own; they take turns, so that a busy machine slows all alike, and only what is measured side by side is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transfusion.translate.convert import converted
from transfusion.translate.hf import HfTranslator

ENGINES = {
    "CTranslate2 int8": ("ctranslate2", "int8"),
    "transformers fp32": ("transformers", "float32"),
    "transformers bf16": ("transformers", "bfloat16"),
}
BASELINE = "transformers fp32"
VOCABULARY = 256_206
LANGUAGES = ["swh_Latn", "eng_Latn"]


class Pass(NamedTuple):
    """One pass over the sentences.

    :param seconds: How long it took.
    :param cpu_seconds: How long cores were at work for it: what others do on the machine hardly counts.
    :param peak_bytes: Most memory of the process so far.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Engine:
    """An engine in a process of its own.

    :param name: One of :data:`ENGINES`.
    :param arguments: The arguments of this run.
    """

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.passes: list[Pass] = []
        command = [sys.executable, __file__, *arguments, "--engine", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.wait()  # until the weights are loaded and one pass has warmed it up

    def wait(self) -> Pass:
        """The result of the pass under way."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"an engine ended with exit code {self._process.wait()}")
        return Pass(**json.loads(line))

    def run(self) -> None:
        """Make a pass."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self.passes.append(self.wait())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def build(folder: Path) -> None:
    """Write a network in the shape of NLLB-200-distilled-600M and a vocabulary of its size, and convert it.

    :param folder: Where to put them.
    """
    import torch
    import transformers

    ordinary = VOCABULARY - 4 - len(LANGUAGES) - 1
    names = ["<s>", "<pad>", "</s>", "<unk>", *(f"▁{number}" for number in range(ordinary)), "<mask>"]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer: Any = transformers.NllbTokenizer
    tokenizer(vocab=vocabulary, extra_special_tokens=LANGUAGES).save_pretrained(str(folder))
    config = transformers.M2M100Config(
        vocab_size=VOCABULARY,
        d_model=1024,
        encoder_layers=12,
        decoder_layers=12,
        encoder_attention_heads=16,
        decoder_attention_heads=16,
        encoder_ffn_dim=4096,
        decoder_ffn_dim=4096,
        max_position_embeddings=1024,
        scale_embedding=True,
        decoder_start_token_id=2,
    )
    torch.manual_seed(0)
    network: Any = transformers.M2M100ForConditionalGeneration(config)
    with torch.no_grad():
        network.get_input_embeddings().weight[2] = 0  # no translation comes to an end before its time
    network.save_pretrained(str(folder))
    del network
    converted(folder, quantization="int8", tokenizer=folder)


def serve(options: argparse.Namespace) -> None:
    """Be one engine: a pass for each line of standard input, a line of JSON for each pass.

    :param options: What to run, on what.
    """
    backend, compute_type = ENGINES[options.engine]
    translator = HfTranslator(
        str(options.folder), backend=backend, compute_type=compute_type, beam_size=options.beam, threads=options.threads
    )
    tags = translator.tags("swh", "eng")
    random = np.random.default_rng(0)
    lengths = random.integers(options.length // 2, options.length * 3 // 2, options.sentences)
    sources = [[*tags.before, *random.integers(4, VOCABULARY - 4, n).tolist(), *tags.after] for n in sorted(lengths)]
    batches = [sources[start : start + options.batch] for start in range(0, len(sources), options.batch)]
    limit = len(tags.target) + options.output_length
    while True:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            for found in translator.network.backend.generate(batch, tags.target, limit, translator.decoding):
                assert len(found.ids) == options.output_length, "a translation of another length"
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - begun_cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(Pass(seconds, cpu_seconds, peak)._asdict()), flush=True)
        if not sys.stdin.readline():
            return


def compare(options: argparse.Namespace, arguments: list[str]) -> None:
    """Run all engines side by side and print the table.

    :param options: The options of this run.
    :param arguments: The arguments that they came from.
    """
    engines = {name: Engine(name, arguments) for name in ENGINES}
    for repetition in range(options.repetitions):
        for name in list(engines)[:: -1 if repetition % 2 else 1]:
            engines[name].run()
    tokens = options.sentences * options.output_length
    base = engines[BASELINE].passes
    print(f"{'':18}  {'tokens/s':>8}  {'times as fast':>20}  {'less CPU time':>20}  {'peak memory':>11}")
    for name, engine in engines.items():
        engine.close()
        pairs = list(zip(engine.passes, base, strict=True))
        faster = _spread([slow.seconds / fast.seconds for fast, slow in pairs])
        cheaper = _spread([slow.cpu_seconds / fast.cpu_seconds for fast, slow in pairs])
        speed = tokens / statistics.median(one.seconds for one in engine.passes)
        peak = max(one.peak_bytes for one in engine.passes) / 1e9
        print(f"{name:18}  {speed:8.1f}  {faster:>20}  {cheaper:>20}  {peak:8.2f} GB")
    print(
        f"{options.sentences} sentences of about {options.length} tokens to {options.output_length} tokens, batches of "
        f"{options.batch}, beam {options.beam}, {options.threads} threads, {options.repetitions} repetitions"
    )


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=8)
    parser.add_argument("--length", type=int, default=24, help="tokens of a source, give or take half")
    parser.add_argument("--output-length", type=int, default=32, help="tokens of a translation")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="where to keep the network (5 GB) for another run")
    parser.add_argument("--engine", choices=[*ENGINES, "build"], help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.engine == "build":
        build(options.folder)
    elif options.engine:
        serve(options)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or Path(temporary) / "nllb"
            os.environ["TRANSFUSION_CACHE"] = str(folder / "converted")
            arguments = [*sys.argv[1:], "--folder", str(folder)]
            if not (folder / "model.safetensors").is_file():
                # Elsewhere, so that the memory that it takes is not this process's to the end.
                subprocess.run([sys.executable, __file__, *arguments, "--engine", "build"], check=True)
            compare(options, arguments)


if __name__ == "__main__":
    main()
