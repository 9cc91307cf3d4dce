"""Methods of projection against gold: English gold entities carried to other languages, and there and back.

    python benchmarks/projection.py uner --data DATA [--translator apertium] [--constrained nllb:FOLDER]
    python benchmarks/projection.py xsid --data DATA [--split valid]
    python benchmarks/projection.py roundtrip --data DATA [--through hrv spa]

The first two print the tables of docs/projection.md for UNER PUD and xSID.  The third marks the entities of CoNLL-2003
development sentences, translates them with Apertium, translates that back with its entities marked anew, and looks the
pieces up in the original sentence: how many sentences keep all their marks each way, and the F1 of what comes home.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from transfusion.corpora.columns import read_gold
from transfusion.corpora.detokenise import detokenise
from transfusion.corpora.parallel_gold import ParallelGold, read_parallel_gold
from transfusion.encoder.model import EncoderModel
from transfusion.errors import LanguageError
from transfusion.evaluate.projection import ProjectionScores, project_gold, score_projections, to_markdown
from transfusion.evaluate.score import score
from transfusion.project.align import PHRASES, AlignProjector
from transfusion.project.base import Projector
from transfusion.project.marker import MarkedTranslation, MarkerProjector, MarkerSettings, translate_marked
from transfusion.project.marks import STYLES
from transfusion.translate.bind import bind
from transfusion.translate.engines import load_translator

PUD = {"de": "deu", "pt": "por", "ru": "rus", "zh": "zho"}
XSID = {
    "ar": "arb", "da": "dan", "de": "deu", "de-st": "bar", "id": "ind", "it": "ita",
    "ja": "jpn", "kk": "kaz", "nl": "nld", "tr": "tur", "zh": "zho",
}  # fmt: skip


def methods(options: argparse.Namespace, model: EncoderModel, language: str) -> Iterator[tuple[str, Projector]]:
    """The methods that can carry English spans to a language.

    :param options: What the command line says.
    :param model: The encoder.
    :param language: ISO 639-3 code.
    :yields: Names and methods.
    """
    yield "align, names", AlignProjector(model)
    yield "align, phrases", AlignProjector(model, PHRASES)
    if options.translator:
        translator = load_translator(options.translator)
        try:
            translator.translate(["a"], source="eng", target=language)
        except LanguageError as error:
            print(f"{language}: no marker: {error}", flush=True)
        else:
            for style in STYLES:
                yield f"marker, {style}", MarkerProjector(bind(translator, "eng", language), MarkerSettings(style))
    if options.constrained:
        from transfusion.project.constrained import ConstrainedProjector
        from transfusion.translate.scoring import SequenceScorer
        from transfusion.translate.seq2seq import Seq2SeqTranslator

        scorer = load_translator(options.constrained)
        assert isinstance(scorer, Seq2SeqTranslator), f"{options.constrained} has no network to score with"
        yield "constrained", ConstrainedProjector(SequenceScorer(scorer))


def read(options: argparse.Namespace, name: str, language: str) -> ParallelGold:
    """The gold of English and of one other language."""
    if options.what == "uner":
        folder, files = options.data / "uner", ("en_pud-ud-test.iob2", f"{name}_pud-ud-test.iob2")
    else:
        folder, files = options.data / "xsid", (f"en.{options.split}.conll", f"{name}.{options.split}.conll")
    gold = read_parallel_gold(folder / files[0], folder / files[1], language=language)
    last = options.limit or len(gold.annotated)
    return replace(gold, annotated=gold.annotated[:last], others=gold.others[:last])


def against_gold(options: argparse.Namespace) -> dict[str, Any]:
    """Score every method on every language; prints the tables."""
    results: dict[str, dict[str, ProjectionScores]] = {}
    model = EncoderModel.load(options.model)
    names = PUD if options.what == "uner" else XSID
    for name in options.languages or names:
        gold = read(options, name, names[name])
        for method, projector in methods(options, model, names[name]):
            found = score_projections(gold, project_gold(projector, gold))
            results.setdefault(method, {})[names[name]] = found
            print(f"{names[name]} {method}: F1 {found.scores.f1:.1f}", flush=True)
    print("\n" + to_markdown(results))
    return {method: {lang: found.to_dict() for lang, found in row.items()} for method, row in results.items()}


def round_trip(options: argparse.Namespace) -> dict[str, Any]:
    """Send marked sentences through a language and back; prints a table."""
    sentences = read_gold(options.data / "conll2003-en" / "dev.txt", language="eng").documents
    texts = [detokenise(document).source for document in sentences if document.source.entities]
    texts = texts[: options.limit or len(texts)]
    translator = load_translator(options.translator or "apertium")
    record: dict[str, Any] = {}
    print("| through | marks | all marks back, there | and back | faults | precision | recall | F1 |")
    print("|---|---|---:|---:|---|---:|---:|---:|")
    for language in options.through:
        there, back = bind(translator, "eng", language), bind(translator, language, "eng")
        for style in STYLES:
            settings = MarkerSettings(style)
            one = _present(translate_marked(texts, there, language=language, settings=settings))
            two = _present(translate_marked([found.text for found in one], back, language="eng", settings=settings))
            home = MarkerProjector(back, settings).project([found.text for found in one], texts)
            f1 = score([text.entities for text in texts], [projection.entities for projection in home])
            faults = Counter(found.fault for found in (*one, *two) if found.fault)
            survived = [100 * sum(found.survived for found in way) / len(texts) for way in (one, two)]
            record[f"{language} {style}"] = {"survived": survived, "faults": faults, **f1.to_dict()}
            told = ", ".join(f"{fault} {count}" for fault, count in faults.most_common()) or "none"
            print(
                f"| {language} | {style} | {survived[0]:.1f} % | {survived[1]:.1f} % | {told} "
                f"| {f1.precision:.1f} | {f1.recall:.1f} | {f1.f1:.1f} |",
                flush=True,
            )
    return record


def _present(found: list[MarkedTranslation | None]) -> list[MarkedTranslation]:
    present = [one for one in found if one is not None]
    assert len(present) == len(found), "the translator left sentences out"
    return present


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["uner", "xsid", "roundtrip"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data sets")
    parser.add_argument("--model", default="mini", help="name or folder of the encoder (default: mini)")
    parser.add_argument("--translator", help="engine of the marker method; without it there is no such row")
    parser.add_argument("--constrained", help="engine that scores for the constrained method: nllb, hf:MODEL, …")
    parser.add_argument("--split", default="test", choices=["valid", "test"], help="part of xSID")
    parser.add_argument("--languages", nargs="+", help="names of files, such as de zh; all by default")
    parser.add_argument("--through", nargs="+", default=["hrv", "spa"], help="languages of the round trip")
    parser.add_argument("--limit", type=int, default=0, help="the first so many sentences only; 0 for all")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    options = parser.parse_args()
    record = round_trip(options) if options.what == "roundtrip" else against_gold(options)
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
