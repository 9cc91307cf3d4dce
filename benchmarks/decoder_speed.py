"""How much faster than the plain loop does a decoder answer, and is the answer the same?

    python benchmarks/decoder_speed.py --data DATA [--adapter FOLDER] [--documents 200] [--sample 40] [--dtype float32]

The plain loop is what research code does: prompts padded on the left, in the order of the input, eight at a time, and
``generate`` of transformers with 512 new tokens. It reads the first ``--sample`` documents, all if left out. The texts
are sentences of MasakhaNER 2.0 with their human translations.

Both write greedily, so with ``--dtype float32`` the answers have to be the same up to the bracket that closes the last
list, or to the 512th token: the script ends with 1 if they are not. In bfloat16 two tokens are often equally probable
but for rounding, and how the work is cut decides between them; there the share of equal answers is printed.

``--growth`` goes on with other numbers of documents and longer guidelines.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from corpus import masakhaner
from transfusion.decoder.base import Prompt
from transfusion.decoder.brackets import answer_end
from transfusion.decoder.causal import PACKAGED, CausalModel, load_causal
from transfusion.decoder.generate import TransformersGenerator
from transfusion.decoder.render import build_prompt
from transfusion.schema.classes import entity_classes
from transfusion.schema.find import find_schema

LANGUAGES = ("lug", "pcm", "twi")
PLAIN_BATCH = 8
NEW_TOKENS = 512
GROWTH_SCHEMAS = ("masakhaner", "multinerd", "ontonotes5")


def read_texts(data: Path, count: int) -> list[tuple[str, str]]:
    """Sentences and their English translations, the languages in turn."""
    by_language = [masakhaner(data, language, "test", translated=True, natural=True) for language in LANGUAGES]
    turns = zip(*(gold.documents for gold in by_language), strict=False)
    documents = [document for turn in turns for document in turn][:count]
    if len(documents) < count:
        sys.exit(f"{data}: only {len(documents)} sentences with translations; ask for fewer with --documents")
    return [(document.source.text, document.pivot.text) for document in documents if document.pivot is not None]


def prompts_of(texts: Sequence[tuple[str, str]], schema: str) -> list[Prompt]:
    """TransFusion prompts for texts and their translations."""
    classes = entity_classes(find_schema(schema))
    return [build_prompt("ner_tf", classes, text, pivot_text=pivot) for text, pivot in texts]


def plain_answers(loaded: CausalModel, prompts: Sequence[Prompt]) -> list[str]:
    """What the plain loop writes, up to the bracket that closes the last list."""
    tokenizer: Any = loaded.tokenizer
    model: Any = loaded.model
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    answers = []
    for start in range(0, len(prompts), PLAIN_BATCH):
        batch = prompts[start : start + PLAIN_BATCH]
        inputs = tokenizer([prompt.text for prompt in batch], return_tensors="pt", padding=True).to(model.device)
        with torch.inference_mode():
            ids = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        written = tokenizer.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        answers += [text[: answer_end(text, prompt.lists)] for text, prompt in zip(written, batch, strict=True)]
        print(f"plain: {len(answers)} of {len(prompts)}", file=sys.stderr, flush=True)
    return answers


def measure(loaded: CausalModel, prompts: Sequence[Prompt], sample: int, *, constrained: bool) -> dict[str, Any]:
    """Speed of both ways, and how many answers are the same."""
    generator = TransformersGenerator(
        loaded.model, loaded.tokenizer, name=loaded.name, max_new_tokens=NEW_TOKENS, constrained=constrained
    )
    begun = time.perf_counter()
    answers = generator.generate(prompts)
    fast = time.perf_counter() - begun
    begun = time.perf_counter()
    plain = plain_answers(loaded, prompts[:sample])
    slow = time.perf_counter() - begun
    same = sum(answer.text.rstrip() == other.rstrip() for answer, other in zip(answers, plain, strict=False))
    return {
        "model": generator.signature,
        "documents": len(prompts),
        "prompt_tokens": sum(generator.count_tokens(prompt.text) for prompt in prompts) / len(prompts),
        "answer_tokens": sum(len(answer.tokens) for answer in answers) / len(answers),
        "finished": sum(answer.finished for answer in answers) / len(answers),
        "documents_per_second": len(prompts) / fast,
        "sample": len(plain),
        "plain_documents_per_second": len(plain) / slow,
        "ratio": (len(prompts) / fast) / (len(plain) / slow),
        "same": same,
    }


def row_of(schema: str, result: dict[str, Any]) -> str:
    """A line of the table."""
    return (
        f"| {schema} | {result['documents']} | {result['prompt_tokens']:.0f} | {result['answer_tokens']:.0f} "
        f"| {result['documents_per_second']:.3f} | {result['plain_documents_per_second']:.3f} | {result['ratio']:.1f} "
        f"| {result['same']} of {result['sample']} |"
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=PACKAGED, help=f"folder, name on the hub or GGUF file (default: {PACKAGED})")
    parser.add_argument("--adapter", help="folder with a LoRA adapter")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--sample", type=int, help="documents for the plain loop; all if left out")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="by default what the machine is fast with")
    parser.add_argument("--constrained", action="store_true", help="hold our answers to the grammar, to see its cost")
    parser.add_argument(
        "--growth", action="store_true", help="other numbers of documents and longer guidelines as well"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()

    texts = read_texts(options.data, options.documents)
    loaded = load_causal(options.model, adapter=options.adapter, dtype=options.dtype)
    sample = options.sample or options.documents
    runs = [("masakhaner", options.documents)]
    if options.growth:
        runs += [("masakhaner", count) for count in (options.documents // 20, options.documents // 4) if count]
        runs += [(schema, options.documents // 4 or 1) for schema in GROWTH_SCHEMAS[1:]]
    print("| schema | documents | tokens: prompt | answer | documents/s | plain loop | ratio | same answer |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    results = []
    for schema, count in runs:
        prompts = prompts_of(texts[:count], schema)
        result = measure(loaded, prompts, min(sample, count), constrained=options.constrained)
        results.append({"schema": schema, **result})
        print(row_of(schema, result), flush=True)
    print(f"\n{results[0]['model']}; {torch.get_num_threads()} threads, {loaded.model.device}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    different = any(result["same"] < result["sample"] for result in results)
    if different and options.dtype == "float32" and not options.constrained:
        sys.exit("answers differ from those of the plain loop")


if __name__ == "__main__":
    main()
