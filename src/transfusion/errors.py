"""The tree of errors.

::

    TransfusionError
    ├── InputError            something the caller gave: a file, a line, an option
    │   ├── FormatError       a line of a file that cannot be read (carries file and line)
    │   ├── LanguageError     a language code that nobody knows
    │   ├── SchemaError       a label or a schema that does not fit
    │   └── ConfigError       a configuration file with a wrong or missing setting
    ├── OutputError           a place that cannot be written
    ├── ModelError            a model folder that is missing, truncated or of another kind
    ├── TranslationError      translations that do not fit the texts
    ├── StageError            a stage that breaks its promise: a bug in it, not in the input
    └── MissingExtraError     an optional part that is not installed (says how to install it)

Every message says what was wrong, with the value, where, and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class TransfusionError(Exception):
    """The root of every error that this package raises on purpose."""


class InputError(TransfusionError):
    """Something the caller gave cannot be used."""


class FormatError(InputError):
    """One place of an input file cannot be read.

    :param problem: What is wrong, with the value.
    :param path: The file; ``-`` for standard input.
    :param line: Line number, from 1; ``None`` where the whole file is meant.
    """

    def __init__(self, problem: str, *, path: str | Path, line: int | None = None) -> None:
        place = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{place}: {problem}")
        self.problem = problem
        self.path = str(path)
        self.line = line


class LanguageError(InputError):
    """A language code that no table knows."""


class SchemaError(InputError):
    """A label or a label schema that does not fit."""


class ConfigError(InputError):
    """A configuration file with a wrong, unknown or missing setting."""


class OutputError(TransfusionError):
    """A place that results cannot be written to."""


class ModelError(TransfusionError):
    """A model that is missing, truncated or of another kind than asked for."""


class TranslationError(TransfusionError):
    """Translations that do not fit the texts they are for."""


class StageError(TransfusionError):
    """A stage that drops, adds, swaps or rewrites documents."""


class MissingExtraError(TransfusionError, ImportError):
    """An optional part is not installed.

    :param package: The import that failed.
    :param extra: The extra of this distribution that brings it.
    :param purpose: What the part is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: pip install 'transfusion-ie[{extra}]'"
        )
        self.package = package
        self.extra = extra
