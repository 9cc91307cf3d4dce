"""What holding a decoder's answers to a grammar costs in speed and gains in F1, and what its scores are worth.

The same model reads the same sentences twice, held to the grammar of each prompt and free.  Told for both: sentences
per second, strict F1, what was wrong with the answers, by kind, and the expected calibration error of the scores of
entities, before and after temperature scaling.  The temperature is fitted on the even sentences, and both errors are
those of the odd ones. ::

    python benchmarks/decoder_constraint.py --model FOLDER --adapter FOLDER --language lug --limit 100
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus import masakhaner, without_entities
from transfusion.decoder.causal import load_causal
from transfusion.decoder.constrain import GrammarConstraint
from transfusion.decoder.generate import TransformersGenerator
from transfusion.decoder.model import DecoderModel
from transfusion.decoder.render import build_prompt
from transfusion.document import Document, Entity
from transfusion.evaluate.calibration import fit_temperature, measure_reliability, scale_scores
from transfusion.evaluate.score import score
from transfusion.fuse.decoder import DecoderDirect, DecoderFuser
from transfusion.schema.classes import entity_classes
from transfusion.schema.find import find_schema
from transfusion.schema.types import Schema


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one way of generating.

    :param name: The way.
    :param sentences_per_second: Speed, loading left out.
    :param f1: Strict micro-F1 on the source, 0 to 100.
    :param precision: Precision, 0 to 100.
    :param recall: Recall, 0 to 100.
    :param entities: Entities found.
    :param notes: Notes on sentences, by code: what could not be read, what does not stand in the text, what broke off.
    :param ece: Expected calibration error of the odd sentences' scores.
    :param temperature: Fitted on the even sentences.
    :param ece_scaled: The error after scaling.
    """

    name: str
    sentences_per_second: float
    f1: float
    precision: float
    recall: float
    entities: int
    notes: dict[str, int]
    ece: float
    temperature: float
    ece_scaled: float


def measure(name: str, model: DecoderModel, gold: Sequence[Document], blank: Sequence[Document], direct: bool) -> Row:
    """Let a decoder read the sentences, and compare with the gold entities."""
    fuser = DecoderDirect(model) if direct else DecoderFuser(model)
    fuser.fuse(blank[:1])  # what is made once for a run is made here
    begun = time.perf_counter()
    found = fuser.fuse(blank)
    seconds = time.perf_counter() - begun
    labels = model.schema.labels
    scores = score([d.source.entities for d in gold], [d.source.entities for d in found], labels=labels)
    halves: tuple[list[tuple[float, bool]], list[tuple[float, bool]]] = ([], [])
    for number, (expected, document) in enumerate(zip(gold, found, strict=True)):
        right = set(map(_key, expected.source.entities))
        halves[number % 2].extend((entity.score, _key(entity) in right) for entity in document.source.entities)
    (even, even_right), (odd, odd_right) = (([s for s, _ in half], [r for _, r in half]) for half in halves)
    temperature = fit_temperature(even, even_right)
    return Row(
        name=name,
        sentences_per_second=len(blank) / seconds,
        f1=scores.f1,
        precision=scores.precision,
        recall=scores.recall,
        entities=scores.predicted,
        notes=dict(Counter(note.code for document in found for note in document.notes).most_common()),
        ece=measure_reliability(odd, odd_right).error,
        temperature=temperature,
        ece_scaled=measure_reliability(scale_scores(odd, temperature), odd_right).error,
    )


def _key(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.label


def time_grammars(constraint: GrammarConstraint, schema: Schema, blank: Sequence[Document]) -> float:
    """Milliseconds that the matcher of a prompt takes to make, on average."""
    classes = entity_classes(schema)
    prompts = [
        build_prompt("ner", classes, document.source.text)
        if document.pivot is None
        else build_prompt("ner_tf", classes, document.source.text, pivot_text=document.pivot.text)
        for document in blank
    ]
    begun = time.perf_counter()
    for prompt in prompts:
        constraint(prompt)
    return 1000 * (time.perf_counter() - begun) / len(prompts)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder, GGUF file or name of the base model")
    parser.add_argument("--adapter", help="folder of the adapter")
    parser.add_argument("--device", help="cpu or cuda; a GPU where there is one")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--language", default="lug", help="language of MasakhaNER 2.0")
    parser.add_argument("--schema", default="masakhaner", help="name or file of the schema")
    parser.add_argument("--direct", action="store_true", help="read the sentences without their translations")
    parser.add_argument("--limit", type=int, default=100, help="read only so many sentences; 0 for all")
    parser.add_argument("--json", type=Path, help="also write the results here")
    options = parser.parse_args()

    gold = masakhaner(options.data, options.language, "dev", translated=not options.direct, limit=options.limit)
    blank = without_entities(gold)
    causal = load_causal(options.model, adapter=options.adapter, device=options.device)
    vocabulary: int = causal.model.config.get_text_config().vocab_size
    schema = find_schema(options.schema)
    begun = time.perf_counter()
    constraint = GrammarConstraint(causal.tokenizer, vocabulary)
    seconds = time.perf_counter() - begun
    rows = []
    for name, constrained in (("constrained", constraint), ("free", None)):
        generator = TransformersGenerator(
            causal.model,
            causal.tokenizer,
            name=causal.name,
            constrained=constrained is not None,
            constraint_for=constrained,
        )
        model = DecoderModel(generator, schema)
        rows.append(measure(name, model, gold.documents, blank, options.direct))
    milliseconds = time_grammars(constraint, schema, blank)
    print(f"{causal.name}: {len(blank)} sentences of MasakhaNER 2.0 {options.language} dev")
    print(f"the vocabulary is read in {seconds:.1f} s, the grammar of a prompt made in {milliseconds:.1f} ms")
    for row in rows:
        print(
            f"{row.name:11}  {row.sentences_per_second:6.2f} sentences/s  F1 {row.f1:5.2f}  "
            f"(P {row.precision:5.2f}, R {row.recall:5.2f}, {row.entities} entities)  "
            f"ECE {row.ece:.3f}, at temperature {row.temperature:.2f} {row.ece_scaled:.3f}  notes {row.notes}"
        )
    print(
        f"constrained: {rows[0].f1 - rows[1].f1:+.2f} F1 at "
        f"{rows[0].sentences_per_second / rows[1].sentences_per_second:.2f} times the speed"
    )
    if options.json:
        record: dict[str, Any] = {
            "model": causal.name,
            "language": options.language,
            "sentences": len(blank),
            "vocabulary_seconds": seconds,
            "grammar_milliseconds": milliseconds,
            "rows": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
