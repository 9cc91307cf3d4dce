"""Training data from annotated English: a researcher makes the mixture of the paper with a translator of her own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transfusion.annotate.base import Annotator
from transfusion.cli import app
from transfusion.document import AnnotatedText, Document, Entity
from transfusion.errors import ConfigError, TranslationError
from transfusion.project.base import Projection, Projector
from transfusion.train.examples import Example, read_examples
from transfusion.train.mixture_files import MixtureConfig, TaskConfig, make_mixture, read_mixture_config
from transfusion.train.rough import rough_sources, roughened
from transfusion.translate.base import FakeTranslator, Translated

GLOSSARY = {
    "the": "el",
    "president": "presidente",
    "met": "encontró",
    "in": "en",
    "rain": "lluvia",
    "fell": "cayó",
    "farmers": "granjeros",
    "visited": "visitó",
    "yesterday": "ayer",
}


CATALAN = {
    "the": "el",
    "president": "president",
    "met": "va trobar",
    "in": "a",
    "rain": "pluja",
    "fell": "va caure",
    "farmers": "pagesos",
    "visited": "va visitar",
    "yesterday": "ahir",
}


class Engine(FakeTranslator):
    """English to Spanish and Catalan by glossary; it loses the marks of one name, and may be switched off."""

    def __init__(self) -> None:
        super().__init__(GLOSSARY)
        self.left = 1_000_000

    @property
    def signature(self) -> str:
        return "glossaries"

    def translate(self, texts: Sequence[str], /, *, source: str, target: str) -> list[Translated | None]:
        if target == "lug":
            self.languages = frozenset({"no such"})
        self.glossary = CATALAN if target == "cat" else GLOSSARY
        self.left -= len(texts)
        if self.left < 0:
            raise TranslationError("switched off")
        found = super().translate(texts, source=source, target=target)
        return [
            Translated(one.text.replace("[ Okello ]", "").replace("[Okello]", "").replace("Okello", ""), target)
            for one in found
            if one is not None
        ]


NAMES = ("Museveni", "Ruto", "Kagame", "Okello", "Samia", "Tinubu")


def corpus(path: Path) -> Path:
    sentences = []
    for name in NAMES:
        sentences.append(
            [("The", "O"), ("president", "O"), (name, "B-PER"), ("met", "O"), ("farmers", "O"), (".", "O")]
        )
        sentences.append([("Rain", "O"), ("fell", "O"), ("in", "O"), (name[::-1].title(), "B-LOC"), ("yesterday", "O")])
    sentences += [[("Rain", "O"), ("fell", "O"), ("yesterday", "O"), (str(number), "O")] for number in range(6)]
    lines = ["\n".join(f"{word} {tag}" for word, tag in sentence) + "\n" for sentence in sentences]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("TRANSFUSION_CACHE", str(tmp_path / "cache"))
    engine = Engine()
    monkeypatch.setattr("transfusion.train.mixture_files.load_translator", lambda *_: engine)
    return engine


def config(folder: Path, name: str = "mixture", **changes: object) -> MixtureConfig:
    settings: dict[str, object] = {
        "output": folder / name,
        "translator": "glossary",
        "tasks": (TaskConfig("ner", corpus(folder / "train.txt"), english=5, natural=False),),
        "languages": ("spa", "cat"),
        "method": "marker",
        "translated": 4,
    }
    return MixtureConfig(**{**settings, **changes})  # type: ignore[arg-type]


def records(folder: Path) -> list[Example]:
    return list(read_examples(folder / "mixture.jsonl"))


def test_a_record_holds_both_texts_with_both_annotations_and_where_it_comes_from(tmp_path: Path) -> None:
    make_mixture(config(tmp_path))
    examples = records(tmp_path / "mixture")
    english, translated = examples[:5], examples[5:]
    assert all(example.document.pivot is None and example.document.source.language == "eng" for example in english)
    assert [example.document.source.language for example in translated] == ["spa"] * 4 + ["cat"] * 4
    for example in translated:
        pivot = example.document.pivot
        assert pivot is not None
        assert pivot.language == "eng"
        ours = [(e.label, example.document.source.mention(e)) for e in example.document.source.entities]
        assert ours == [(e.label, pivot.mention(e)) for e in pivot.entities], "names are not translated"
    raw = [json.loads(line) for line in (tmp_path / "mixture" / "mixture.jsonl").read_text().splitlines()]
    assert {record["task"] for record in raw} == {"ner"}
    assert raw[-1]["provenance"]["carrier"].startswith("marker-brackets+glossaries")
    assert raw[-1]["provenance"]["checks"] == ["every-span", "no-severe-fault"]
    assert raw[-1]["provenance"]["from"].startswith("train-")


def test_a_mixture_made_twice_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    make_mixture(config(tmp_path, "one"))
    make_mixture(config(tmp_path, "two"))
    one, two = (tmp_path / name / "mixture.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert make_mixture(config(tmp_path, "three", seed=14))
    assert one.read_bytes() != (tmp_path / "three" / "mixture.jsonl").read_bytes()


def test_one_more_language_changes_nothing_in_the_others(tmp_path: Path) -> None:
    make_mixture(config(tmp_path, "two", languages=("spa", "cat")))
    make_mixture(config(tmp_path, "one", languages=("cat",)))
    parts = [(tmp_path / name / "parts" / "ner.cat.jsonl").read_bytes() for name in ("one", "two")]
    assert parts[0] == parts[1]


def test_records_with_a_lost_span_are_dropped_and_counted(tmp_path: Path) -> None:
    results = make_mixture(config(tmp_path, translated=100))
    counts = results[1].counts
    assert counts is not None
    # The engine forgets Okello; every other sentence arrives.
    assert (counts.tried, counts.kept, counts.lost_span + counts.faulty) == (18, 17, 1)
    assert "Okello" not in (tmp_path / "mixture" / "parts" / "ner.spa.jsonl").read_text(encoding="utf-8").split()


def test_a_mixture_that_was_interrupted_goes_on_with_the_next_part(tmp_path: Path, engine: Engine) -> None:
    engine.left = 40
    with pytest.raises(TranslationError):
        make_mixture(config(tmp_path, translated=8))
    assert not (tmp_path / "mixture" / "mixture.jsonl").exists()
    assert (tmp_path / "mixture" / "parts" / "ner.spa.jsonl").exists()
    engine.left = 1_000_000
    engine.calls.clear()
    make_mixture(config(tmp_path, translated=8))
    interrupted = (tmp_path / "mixture" / "mixture.jsonl").read_bytes()
    make_mixture(config(tmp_path, "whole", translated=8))
    assert interrupted == (tmp_path / "whole" / "mixture.jsonl").read_bytes()


def test_parts_of_another_configuration_are_not_mixed_in(tmp_path: Path) -> None:
    make_mixture(config(tmp_path))
    with pytest.raises(ConfigError, match="other settings"):
        make_mixture(config(tmp_path, seed=99))


def test_the_command_shows_a_table_and_names_a_language_that_the_engine_does_not_know(tmp_path: Path) -> None:
    corpus(tmp_path / "train.txt")
    file = tmp_path / "mixture.toml"
    file.write_text(
        'output = "out"\ntranslator = "glossary"\nmethod = "marker"\nlanguages = ["es", "lug"]\ntranslated = 3\n'
        '[[task]]\nname = "ner"\npath = "train.txt"\nlabels = ["PER"]\nenglish = 2\n',
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["mixture", str(file)])
    assert result.exit_code == 1
    assert "the glossary knows no 'eng'" in result.stdout
    rows = [line.split()[:3] for line in result.stdout.splitlines()[1:]]
    assert rows == [["ner", "eng", "2"], ["ner", "spa", "3"], ["ner", "lug", "0"]]
    assert "5 examples" in result.stderr
    assert {e.label for one in records(tmp_path / "out") for e in one.document.source.entities} == {"PER"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("method = 'magic'", "no method 'magic'"),
        ("languages = ['klingon!']", "klingon!"),
        ("colour = 'red'", "colour"),
        ("[[task]]\nname = 'ner'\npath = 'x'", "name of its own"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(tmp_path: Path, change: str, message: str) -> None:
    base = {"output": "'o'", "translator": "'t'", "languages": "['es']"}
    key = change.split(" =")[0]
    lines = [change, *(f"{name} = {value}" for name, value in base.items() if name != key)]
    if change.startswith("["):
        lines = [*lines[1:], change]
    file = tmp_path / "mixture.toml"
    file.write_text("\n".join(lines) + "\n[[task]]\nname = 'ner'\npath = 'train.txt'\n", encoding="utf-8")
    with pytest.raises(Exception, match=message):
        read_mixture_config(file)


class NamesFirst(Annotator):
    """Labels the first capitalised word that is not the first of all."""

    def annotate(self, texts: Sequence[AnnotatedText], /) -> list[tuple[Entity, ...]]:
        found: list[tuple[Entity, ...]] = []
        for text in texts:
            name = next((word for word in text.text.split()[1:] if word[0].isupper()), None)
            start = text.text.index(name) if name else 0
            found.append((Entity(start, start + len(name), "PER"),) if name else ())
        return found


BACK = FakeTranslator({**GLOSSARY, **{other: f"{word}ish" for word, other in GLOSSARY.items()}})


def test_rough_pivots_go_there_and_back_and_are_annotated_anew() -> None:
    pivot = AnnotatedText("The president Museveni met farmers", "eng", (Entity(0, 3, "LOC"),))
    example = Example(Document("1", AnnotatedText("Pulezidenti Museveni", "lug", (Entity(12, 20, "PER"),)), pivot))
    (rough,) = roughened([example], BACK, NamesFirst(), through=["spa"])
    assert rough.document.source == example.document.source, "what is to be learnt stays"
    assert rough.document.pivot is not None
    assert rough.document.pivot.text == "theish presidentish Museveni metish farmersish"
    assert [rough.document.pivot.mention(e) for e in rough.document.pivot.entities] == ["Museveni"]


class SameWords(Projector):
    """Finds a span where the other text has its first word."""

    def project(self, annotated: Sequence[AnnotatedText], others: Sequence[AnnotatedText], /) -> list[Projection]:
        found = []
        for text, other in zip(annotated, others, strict=True):
            homes, lost = [], []
            for entity in text.entities:
                start = other.text.find(text.mention(entity))
                if start < 0:
                    lost.append(entity)
                else:
                    homes.append(
                        (entity, Entity(start, start + entity.end - entity.start, entity.label, 0.5, "aligned"))
                    )
            found.append(Projection(tuple(homes), tuple(lost)))
        return found


def test_rough_english_is_something_to_learn_to_annotate() -> None:
    texts = [
        AnnotatedText("The president Museveni met farmers", "eng", (Entity(14, 22, "PER"),)),
        AnnotatedText("Rain fell in Rain", "eng", (Entity(13, 17, "LOC"),)),
    ]
    unsure = Example(Document("3", AnnotatedText("Museveni met Ruto", "eng")), ((0, 8),))
    examples = [*(Example(Document(str(number), text)) for number, text in enumerate(texts, 1)), unsure]
    (rough,) = rough_sources(examples, BACK, SameWords(), through=["spa"])
    assert rough.document.id == "1-rough"
    assert rough.document.source == AnnotatedText(
        "theish presidentish Museveni metish farmersish", "eng", (Entity(20, 28, "PER"),)
    )
    with pytest.raises(ConfigError, match="through"):
        list(rough_sources(examples, BACK, SameWords(), through=[]))


def test_a_source_that_the_engine_knows_is_translated_itself() -> None:
    source = AnnotatedText("el presidente Macron", "fra", (Entity(14, 20, "PER"),))
    examples = [Example(Document("1", source)), Example(Document("2", source, AnnotatedText("Macron", "eng")))]
    roughs = list(roughened(examples, BACK, NamesFirst(), through=["spa"], from_source=True))
    assert [one.document.pivot.text for one in roughs if one.document.pivot] == ["theish presidentish Macron"] * 2
