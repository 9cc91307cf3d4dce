"""``transfusion doctor``: what is installed, what is usable, what is missing and how to get it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import typer

from transfusion.cli.terminal import BAD_INPUT, fails_clearly

DISTRIBUTION = "transfusion-ie"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    :param state: ``ok``; ``missing`` for something optional; ``broken`` for something that every run needs.
    :param what: What was looked at.
    :param detail: Version, size, or what to do.
    """

    state: str
    what: str
    detail: str


@fails_clearly
def doctor() -> None:
    """Say what is installed, what is usable, what is missing and how to get it.

    The exit code is 1 if something that every run needs is broken.
    """
    findings = list(examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.state:7}  {finding.what:{width}}  {finding.detail}".rstrip())
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(BAD_INPUT)


def examine() -> Iterator[Finding]:
    """Everything that is worth a line, the core first."""
    from transfusion import __version__

    yield Finding("ok", "transfusion", __version__)
    yield Finding("ok", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("ok", "cores", f"{_cores()} usable")
    yield from _packages()
    yield from _runtime()
    yield from _models()
    yield from _translation()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _packages() -> Iterator[Finding]:
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding("missing", DISTRIBUTION, "not installed, runs from a folder of sources: pip install .")
        return
    for requirement in sorted(requirements, key=lambda text: ("extra ==" in text, text)):
        match = _REQUIREMENT.match(requirement)
        assert match is not None
        name, extra = match.groups()
        what = name if extra is None else f"{name} [{extra}]"
        try:
            yield Finding("ok", what, metadata.version(name))
        except metadata.PackageNotFoundError:
            install = f"{DISTRIBUTION}[{extra}]" if extra else name
            yield Finding("missing" if extra else "broken", what, f"pip install '{install}'")


def _runtime() -> Iterator[Finding]:
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding(
            "broken", "ONNX Runtime", f"cannot be imported ({error}): pip install --force-reinstall onnxruntime"
        )
        return
    yield Finding("ok", "ONNX Runtime providers", ", ".join(onnxruntime.get_available_providers()))


def _models() -> Iterator[Finding]:
    from transfusion.encoder.folder import available_models
    from transfusion.errors import TransfusionError
    from transfusion.pipeline import Pipeline

    try:
        found = available_models()
    except TransfusionError as error:
        yield Finding("broken", "models", str(error))
        return
    if not found:
        yield Finding(
            "broken", "models", f"none ship with this installation: pip install --force-reinstall {DISTRIBUTION}"
        )
    for info in found:
        what = f"model {info.name}"
        try:
            document = Pipeline.load(info.name)("Rais Ruto alikutana na Museveni mjini Kampala.", language="swa")
        except (TransfusionError, ImportError) as error:
            yield Finding("broken", what, str(error))
            continue
        if document.failed:
            yield Finding("broken", what, document.notes[-1].message)
        else:
            yield Finding("ok", what, f"{info.size_bytes / 1e6:.0f} MB; {', '.join(info.config.labels)}")


def _translation() -> Iterator[Finding]:
    from transfusion.errors import TransfusionError
    from transfusion.translate.apertium_modes import InstalledModes
    from transfusion.translate.cache import TranslationCache

    try:
        modes = InstalledModes().by_name
        yield Finding("ok", "Apertium", f"{len(modes)} modes, such as {', '.join(sorted(modes)[:3])}")
    except TransfusionError as error:
        yield Finding("missing", "Apertium", str(error))
    try:
        with TranslationCache() as cache:
            info = cache.info()
            yield Finding("ok", "translation cache", f"{info.entries:,} translations in {cache.path}")
    except TransfusionError as error:
        yield Finding("missing", "translation cache", str(error))
