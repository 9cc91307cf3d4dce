"""JSON lines: one object a line."""

from __future__ import annotations

import json
import re
from typing import Any

from transfusion.document import AnnotatedText, Document
from transfusion.errors import LanguageError
from transfusion.formats.clean import without_surrogates
from transfusion.language import get_language

DEFAULT_PIVOT = "eng"
"""Language of a translation that does not say which one it is in."""

# Some programs end a line at these; inside a JSON string an escape means the same.
_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")


class LineProblem(ValueError):
    """What is wrong with a line; the reader adds file and number."""


def render(document: Document) -> str:
    """One line for one document, line end included; see :meth:`Document.to_dict <transfusion.Document.to_dict>`."""
    return to_line(without_surrogates(document).to_dict())


def to_line(record: dict[str, Any]) -> str:
    """A JSON object as a line that no program takes for several, line end included.

    :param record: The object; its strings hold no surrogates.
    :returns: The line.
    """
    line = json.dumps(record, ensure_ascii=False)
    return _LINE_BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n"


def parse_object(line: str) -> dict[str, Any]:
    """The JSON object of a line.

    :param line: The line.
    :returns: The object.
    :raises LineProblem: If the line holds anything else.
    """
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise LineProblem(f"not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError):
        raise LineProblem("not JSON that can be read: nested too deeply, or a number too long") from None
    if not isinstance(record, dict):
        raise LineProblem(f"a JSON object is needed here, not {_kind(record)}")
    return record


def parse_input(line: str, *, default_id: str, language: str | None) -> Document:
    """A document from a line with ``text`` and, if given, ``id``, ``language`` and ``translation``.

    A translation is a string, which then is English, or ``{"text", "language"}`` and, for a caller who has annotated it
    already, ``entities``, ``relations`` and ``events``.  Other fields are left out.

    :param line: The line.
    :param default_id: Id of a document that brings none.
    :param language: ISO 639-3 code of a document that does not say its language.
    :returns: The document.
    :raises LineProblem: If a field is missing or cannot be used.
    """
    record = parse_object(line)
    if "text" not in record:
        raise LineProblem(f"no field 'text'; the fields here are {', '.join(map(repr, record)) or 'none'}")
    text = _string(record, "text")
    name = record.get("id")
    if name is None:
        name = default_id
    elif isinstance(name, bool) or not isinstance(name, (str, int)):
        raise LineProblem(f"'id' must be a string or a whole number, not {_kind(name)}")
    if record.get("language") is not None:
        language = language_code(_string(record, "language"))
    if language is None:
        raise LineProblem("no field 'language', and no language was given for lines without one (--language)")
    document = Document(str(name), AnnotatedText(text, language), _translation(record.get("translation")))
    return without_surrogates(document)


def parse_result(line: str) -> Document:
    """Read back a line that :func:`render` wrote.

    :param line: The line.
    :returns: The document.
    :raises LineProblem: If the line is not such a line, or the ``text`` of a span is not what stands at its offsets.
    """
    record = parse_object(line)
    for side in (record, record.get("pivot") or {}):
        _check_mentions(side)
    try:
        return without_surrogates(Document.from_dict(record))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        missing = isinstance(error, KeyError)
        raise LineProblem(f"not a result: {f'no field {error}' if missing else error}") from None


def language_code(code: str) -> str:
    """ISO 639-3 code of a language.

    :param code: Any code of the language.
    :returns: The code.
    :raises LineProblem: If nobody knows the code.
    """
    try:
        return get_language(code).iso639_3
    except LanguageError as error:
        raise LineProblem(str(error)) from None


def _translation(value: Any) -> AnnotatedText | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise LineProblem(f"'translation' must be a string or an object with 'text' and 'language', not {_kind(value)}")
    if "text" not in value:
        raise LineProblem("no field 'text' in 'translation'")
    text = _string(value, "text")
    language = DEFAULT_PIVOT if value.get("language") is None else language_code(_string(value, "language"))
    _check_mentions(value)
    try:
        record = {"id": "", "text": "", "language": "", "pivot": {**value, "language": language}}
        pivot = Document.from_dict(record).pivot
    except (KeyError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        raise LineProblem(f"'translation': {f'no field {error}' if missing else error}") from None
    # An empty translation tells no more than none.
    return pivot if text.strip() else None


def _check_mentions(side: Any) -> None:
    """Make sure that every span of one side of a document is one, and stands where it says."""
    if not isinstance(side, dict):
        return
    text = side.get("text")
    for entity in _objects(side, "entities"):
        _check_label(entity, "an entity")
        _check_span(entity, text, "an entity")
    for relation in _objects(side, "relations"):
        _check_label(relation, "a relation")
        for end in ("head", "tail"):
            _check_span(relation.get(end), text, f"the {end} of a relation")
            _check_label(relation[end], f"the {end} of a relation")
    for event in _objects(side, "events"):
        _check_label(event, "an event")
        _check_span(event.get("trigger"), text, "the trigger of an event")
        for argument in _objects(event, "arguments"):
            if not isinstance(argument.get("role"), str):
                raise LineProblem(f"an argument needs a role, not {argument.get('role')!r}")
            _check_span(argument, text, "an argument")


def _objects(record: dict[str, Any], field: str) -> list[dict[str, Any]]:
    values = record.get(field)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise LineProblem(f"{field!r} must be a list of objects")
    return values


def _check_label(record: dict[str, Any], what: str) -> None:
    if not isinstance(record.get("label"), str):
        raise LineProblem(f"{what} needs a label, not {record.get('label')!r}")


def _check_span(span: Any, text: Any, what: str) -> None:
    if not isinstance(span, dict):
        raise LineProblem(f"{what} must be an object with 'start' and 'end', not {_kind(span)}")
    start, end = span.get("start"), span.get("end")
    if not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, end)):
        raise LineProblem(f"{what} needs whole numbers as start and end, not {start!r} and {end!r}")
    mention = span.get("text")
    if isinstance(mention, str) and isinstance(text, str) and text[start:end] != mention:
        which = what if what.startswith("the") else f"the {what.split()[-1]}"
        raise LineProblem(
            f"{which} {mention!r} does not stand at {start}–{end}, where the text has {text[start:end]!r}"
        )


def _string(record: dict[str, Any], field: str) -> str:
    value = record[field]
    if not isinstance(value, str):
        raise LineProblem(f"{field!r} must be a string, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    """What a JSON value is, in JSON's words."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
