"""Documents that must not drift from the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from transfusion.corpora import CORPORA
from transfusion.formats import read_documents
from transfusion.language import get_language

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_on_the_command_line_says_what_the_commands_say() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    # In a process of its own: the script is no part of the package, and none of the tests' imports are its.
    code = "import write_cli; print(write_cli.render(), end='')"
    now = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], cwd=ROOT / "docs", capture_output=True, check=True
    ).stdout.decode("utf-8")
    assert written == now, "docs/cli.md is out of date: run make docs"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("*/*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_example_texts_come_in_many_languages_each_with_its_translation() -> None:
    documents = list(read_documents(ROOT / "examples" / "texts.jsonl"))
    assert len({document.source.language for document in documents}) >= 8
    assert len({document.id for document in documents}) == len(documents)
    for document in documents:
        assert document.pivot is not None
        assert document.pivot.language in {"eng", "fra"}
        assert get_language(document.source.language).iso639_3 == document.source.language


def test_the_readme_names_every_corpus() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for name in CORPORA), json.dumps(sorted(CORPORA))
