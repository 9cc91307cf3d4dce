"""Small questions to a syntax tree: what is this annotation, this value, this string?"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from inspect import cleandoc

Constant = str | tuple[str, ...] | Mapping[str, str]
"""What a setting of a class can hold."""


def string_of(node: ast.stmt) -> str | None:
    """The string that a statement is, if it is one and nothing else.

    :param node: The statement.
    :returns: The string; one over several lines without the indent of its lines, one on a line as it stands.
    """
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value if node.lineno == node.end_lineno else cleandoc(node.value.value)
    return None


def last_name(node: ast.expr) -> str | None:
    """The name that an expression is, ``dataclass`` of ``dataclasses.dataclass``; ``None`` if it is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def is_class_var(node: ast.expr) -> bool:
    """Whether an annotation is ``ClassVar`` or ``ClassVar[...]``."""
    return last_name(node.value if isinstance(node, ast.Subscript) else node) == "ClassVar"


def field_type(node: ast.expr) -> str | None:
    """The type that a field can have, of its annotation.

    :param node: The annotation.
    :returns: ``str`` or ``List[str]``; optional ones are the same; ``None`` for any other type.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_none(node.right):
        return field_type(node.left)
    if isinstance(node, ast.Subscript):
        outer = last_name(node.value)
        if outer == "Optional":
            return field_type(node.slice)
        return "List[str]" if outer in ("List", "list") and last_name(node.slice) == "str" else None
    return "str" if isinstance(node, ast.Name) and node.id == "str" else None


def constant_of(node: ast.expr | None) -> Constant | None:
    """The value of an expression that is a string, or a list, tuple or dict of strings; else ``None``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Tuple | ast.List):
        return _strings(node.elts)
    if isinstance(node, ast.Dict):
        keys, values = _strings(node.keys), _strings(node.values)
        return None if keys is None or values is None else dict(zip(keys, values, strict=True))
    return None


def is_empty(node: ast.expr) -> bool:
    """Whether a value says that a field may be left out: ``None``, ``""`` or ``[]``."""
    return _is_none(node) or constant_of(node) in ("", ())


def is_nothing(node: ast.stmt) -> bool:
    """Whether a statement is ``pass`` or ``...``."""
    is_ellipsis = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
    return isinstance(node, ast.Pass) or is_ellipsis


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _strings(nodes: list[ast.expr] | list[ast.expr | None]) -> tuple[str, ...] | None:
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return tuple(strings) if len(strings) == len(nodes) else None
