"""One table of systems and languages: as Markdown, as plain data for JSON, and as a web page in a single file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from transfusion.evaluate.score import Scores
from transfusion.evaluate.significance import Comparison, Estimate, bootstrap, paired_bootstrap

_DASH = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One system on one language.

    :param f1: F1 with its interval, 0 to 100.
    :param support: Gold entities of the test set.
    :param documents: Documents of the test set.
    :param signature: What made the number.
    """

    f1: Estimate
    support: int
    documents: int
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Results ready to show.

    :param title: What the table is about.
    :param systems: Columns, from left to right.
    :param languages: Rows, from top to bottom.
    :param cells: A cell for each (system, language) that was measured.
    :param mean_over: Languages that every system was measured on, and that the means are over.
    :param means: Mean of each system over ``mean_over``; empty where the systems share no language.
    :param comparisons: For pairs of systems, the test of their means over ``mean_over``.
    """

    title: str
    systems: tuple[str, ...]
    languages: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    mean_over: tuple[str, ...] = ()
    means: Mapping[str, Estimate] | None = None
    comparisons: Mapping[tuple[str, str], Comparison] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, fit for JSON."""
        return {
            "title": self.title,
            "systems": list(self.systems),
            "languages": list(self.languages),
            "results": [
                {
                    "system": system,
                    "language": language,
                    **_estimate_to_dict(cell.f1),
                    "support": cell.support,
                    "documents": cell.documents,
                    "signature": cell.signature,
                }
                for language in self.languages
                for system in self.systems
                if (cell := self.cells.get((system, language))) is not None
            ],
            "mean_over": list(self.mean_over),
            "means": {system: _estimate_to_dict(mean) for system, mean in (self.means or {}).items()},
            "comparisons": [{"a": a, "b": b, **test.to_dict()} for (a, b), test in (self.comparisons or {}).items()],
        }

    def to_markdown(self) -> str:
        """The table as Markdown, the best system of each row in bold."""
        lines = [
            f"# {_plain(self.title)}",
            "",
            _markdown_row(["", *self.systems]),
            _markdown_row(["---"] + ["---:"] * len(self.systems)),
        ]
        lines += [_markdown_row([name, *(_markdown_estimates(row))]) for name, row in self._rows()]
        if tests := self._comparison_lines():
            lines += ["", *(f"- {_plain(line)}" for line in tests)]
        if signatures := self._signatures():
            lines += ["", *(f"- `{_plain(signature)}`" for signature in signatures)]
        return "\n".join([*lines, ""])

    def to_html(self) -> str:
        """The report as one web page that loads nothing from elsewhere; every name in it is escaped."""
        head = "".join(f'<th scope="col">{escape(system)}</th>' for system in self.systems)
        body = "\n".join(
            f"<tr{' class=mean' if position >= len(self.languages) else ''}>"
            f'<th scope="row">{escape(name)}</th>{_html_cells(row)}</tr>'
            for position, (name, row) in enumerate(self._rows())
        )
        signatures = _html_list(self._signatures(), lambda text: f"<code>{escape(text)}</code>")
        page = Template(files("transfusion.evaluate").joinpath("report.html").read_text(encoding="utf-8"))
        return page.substitute(
            title=escape(self.title),
            head=head,
            body=body,
            tests=_html_list(self._comparison_lines(), escape),
            signatures=f"<details><summary>Signatures</summary>{signatures}</details>" if signatures else "",
        )

    def _rows(self) -> list[tuple[str, list[Estimate | None]]]:
        """Name and estimates of each row, the means last."""
        rows: list[tuple[str, list[Estimate | None]]] = []
        for language in self.languages:
            found = [self.cells.get((system, language)) for system in self.systems]
            rows.append((language, [None if cell is None else cell.f1 for cell in found]))
        if self.means:
            name = "mean" if len(self.mean_over) == len(self.languages) else f"mean of {', '.join(self.mean_over)}"
            rows.append((name, [self.means.get(system) for system in self.systems]))
        return rows

    def _comparison_lines(self) -> list[str]:
        return [
            f"{a} − {b}: {test.difference.value:+.1f} [{test.difference.low:+.1f}, {test.difference.high:+.1f}] F1, "
            f"p {_p_value(test)}, {a} better in {100 * test.probability_a_better:.1f} % of {test.resamples} resamples"
            for (a, b), test in (self.comparisons or {}).items()
        ]

    def _signatures(self) -> list[str]:
        cells = (self.cells.get((system, language)) for language in self.languages for system in self.systems)
        return [cell.signature for cell in cells if cell is not None and cell.signature]


def build_report(
    title: str,
    results: Mapping[str, Mapping[str, Scores]],
    *,
    signatures: Mapping[tuple[str, str], str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Put results together, with means, intervals and tests.

    Means and tests are over the languages that every system was measured on, so that they compare like with like; a
    system without any result is left out of that.

    :param title: What the table is about.
    :param results: Scores by system and language; rows and columns keep this order.
    :param signatures: What made each number, by system and language.
    :param pairs: Systems to test against each other; by default the first against each of the others.
    :param resamples: Resamples of the bootstrap.
    :param seed: Seed of the bootstrap.
    :returns: The report.
    :raises KeyError: If a pair names a system that has no results.
    :raises ValueError: If a pair was not scored on the same documents.
    """
    languages = tuple(dict.fromkeys(language for by_language in results.values() for language in by_language))
    measured = [system for system, by_language in results.items() if by_language]
    shared = tuple(language for language in languages if all(language in results[system] for system in measured))
    common = {system: {language: results[system][language] for language in shared} for system in measured}
    if pairs is None:
        pairs = [(measured[0], other) for other in measured[1:]] if measured else []
    return Report(
        title,
        tuple(results),
        languages,
        {
            (system, language): Cell(
                bootstrap(scores, resamples=resamples, seed=seed),
                scores.support,
                scores.documents,
                (signatures or {}).get((system, language), ""),
            )
            for system, by_language in results.items()
            for language, scores in by_language.items()
        },
        shared,
        {system: bootstrap(common[system], resamples=resamples, seed=seed) for system in measured} if shared else {},
        {(a, b): paired_bootstrap(common[a], common[b], resamples=resamples, seed=seed) for a, b in pairs}
        if shared
        else {},
    )


def _best(row: Sequence[Estimate | None]) -> str | None:
    """The highest number of a row as it is shown, if there is something to compare it with."""
    values = [estimate.value for estimate in row if estimate is not None]
    return f"{max(values):.1f}" if len(values) > 1 else None


def _p_value(test: Comparison) -> str:
    return "< 0.001" if test.p_value < 0.001 else f"= {test.p_value:.3f}"


def _estimate_to_dict(estimate: Estimate) -> dict[str, float]:
    return {"f1": estimate.value, "low": estimate.low, "high": estimate.high}


def _plain(text: str) -> str:
    """A name that cannot break a line of Markdown or a code span."""
    return " ".join(text.split()).replace("`", "'")


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _markdown_estimates(row: Sequence[Estimate | None]) -> list[str]:
    best = _best(row)
    shown = []
    for estimate in row:
        if estimate is None:
            shown.append(_DASH)
            continue
        value = f"{estimate.value:.1f}"
        interval = f"[{estimate.low:.1f}, {estimate.high:.1f}]"
        shown.append(f"**{value}** {interval}" if value == best else f"{value} {interval}")
    return shown


def _html_cells(row: Sequence[Estimate | None]) -> str:
    best = _best(row)
    cells = []
    for estimate in row:
        if estimate is None:
            cells.append(f'<td class="none">{_DASH}</td>')
            continue
        value = f"{estimate.value:.1f}"
        cells.append(
            f'<td{" class=best" if value == best else ""} style="--f1:{estimate.value:.1f}"><b>{value}</b>'
            f"<small>{estimate.low:.1f} {_DASH} {estimate.high:.1f}</small></td>"
        )
    return "".join(cells)


def _html_list(lines: Sequence[str], markup: Callable[[str], str]) -> str:
    return "<ul>" + "".join(f"<li>{markup(line)}</li>" for line in lines) + "</ul>" if lines else ""
