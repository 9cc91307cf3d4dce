"""What users import from the package, and what it costs them."""

from __future__ import annotations

import inspect
import subprocess
import sys

import transfusion
from transfusion import errors


def test_public_names_are_sorted_and_complete() -> None:
    from_submodules = {
        name for name, value in vars(transfusion).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(transfusion.__all__) == from_submodules | {"__version__"}
    assert transfusion.__all__ == sorted(transfusion.__all__, key=_as_linters_sort)


def _as_linters_sort(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_every_error_can_be_caught_by_its_public_name() -> None:
    tree = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.TransfusionError)
    }
    assert tree <= set(transfusion.__all__)


def test_importing_the_package_loads_no_model_runtime() -> None:
    heavy = ("numpy", "onnxruntime", "tokenizers", "rich", "typer", "torch", "transformers")
    probe = f"import sys, transfusion; print([name for name in {heavy!r} if name in sys.modules])"
    # A new process: this one has imported what other tests need.
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
