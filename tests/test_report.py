"""One table of systems and languages, and the signature under every number in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from transfusion.document import Entity
from transfusion.errors import InputError
from transfusion.evaluate.report import Report, build_report
from transfusion.evaluate.score import Scores, score
from transfusion.evaluate.signature import Signature, name_and_hash


def system(right: int, *, documents: int = 100) -> Scores:
    gold = [[Entity(0, 4, "PER")]] * documents
    return score(gold, [[Entity(0, 4 if n < right else 5, "PER")] for n in range(documents)])


@pytest.fixture
def report() -> Report:
    return build_report(
        "MasakhaNER 2.0, test",
        {
            "fusion": {"lug": system(82), "twi": system(72)},
            "direct": {"lug": system(69), "twi": system(48), "hau": system(59)},
        },
        signatures={("fusion", "lug"): "f1:strict-micro|lang:lug"},
    )


def test_the_table_has_a_dash_for_what_was_not_measured_and_means_of_what_both_have(report: Report) -> None:
    lines = report.to_markdown().splitlines()
    assert lines[2] == "|  | fusion | direct |"
    assert lines[4].startswith("| lug | **82.0** [")
    assert lines[6].startswith("| hau | – | 59.0 [")
    assert lines[7].startswith("| mean of lug, twi | **77.0** [")
    assert "| 58.5 [" in lines[7]
    assert lines[9].startswith("- fusion − direct: +18.5 [")
    assert "p < 0.001" in lines[9]
    assert lines[-1] == "- `f1:strict-micro|lang:lug`"


def test_the_report_is_plain_data_for_json(report: Report) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    assert data["systems"] == ["fusion", "direct"]
    assert [(r["system"], r["language"]) for r in data["results"]][-1] == ("direct", "hau")
    assert len(data["results"]) == 5
    assert data["results"][0]["f1"] == pytest.approx(82)
    assert data["results"][0]["support"] == 100
    assert data["mean_over"] == ["lug", "twi"]
    assert data["means"]["fusion"]["f1"] == pytest.approx(77)
    assert data["comparisons"][0]["difference"]["value"] == pytest.approx(18.5)


class Tags(HTMLParser):
    """Collects what a browser would run or load, and checks that what opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_every_name() -> None:
    evil = '<script>alert(1)</script>$title|`"&'
    page = build_report(
        evil, {evil: {evil: system(82)}, "direct": {evil: system(69)}}, signatures={(evil, evil): evil}
    ).to_html()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert tags.loads == []
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;$title|`&quot;&amp;") >= 4


def test_names_cannot_break_the_markdown_table() -> None:
    text = build_report("a\nb", {"x|y\nz": {"l|g": system(50)}}).to_markdown()
    assert "# a b" in text
    assert "|  | x\\|y z |" in text
    assert "| l\\|g | 50.0 [" in text


def test_systems_without_a_language_in_common_have_no_mean_and_a_planned_system_spoils_none() -> None:
    apart = build_report("t", {"a": {"lug": system(1)}, "b": {"twi": system(2)}})
    assert (apart.mean_over, apart.means, apart.comparisons) == ((), {}, {})
    planned = build_report("t", {"a": {"lug": system(1)}, "later": {}})
    assert planned.mean_over == ("lug",)
    assert planned.to_markdown().count("–") == 2
    assert build_report("t", {}).to_markdown().startswith("# t")


def test_a_signature_reads_like_sacrebleus(tmp_path: Path) -> None:
    gold = tmp_path / "test.txt"
    gold.write_bytes(b"Kampala B-LOC\n")
    signature = Signature(
        labels=("PER", "LOC", "ORG"),
        language="lug",
        system="fusion",
        model="mini@1f0c2a7d",
        gold=name_and_hash(gold),
        documents=1412,
        version="0.1.0",
        translations="a|b.jsonl@77aa77aa",
    )
    assert str(signature) == (
        "f1:strict-micro|labels:LOC+ORG+PER|lang:lug|system:fusion|model:mini@1f0c2a7d|"
        "translations:a_b.jsonl@77aa77aa|gold:test.txt@bcff8b61|n:1412|v:0.1.0"
    )
    assert signature.to_dict()["n"] == "1412"
    assert "seed" not in signature.to_dict()


def test_a_hash_follows_the_content_and_the_names_of_a_folder(tmp_path: Path) -> None:
    model = tmp_path / "mini"
    model.mkdir()
    (model / "model.onnx").write_bytes(b"weights")
    before = name_and_hash(model)
    (model / ".lock").write_bytes(b"")
    assert name_and_hash(model) == before
    (model / "model.onnx").write_bytes(b"Weights")
    assert name_and_hash(model) != before
    assert name_and_hash(model, name="base").startswith("base@")
    with pytest.raises(InputError, match=r"absent.*cannot be read"):
        name_and_hash(tmp_path / "absent")
