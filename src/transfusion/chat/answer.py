"""What a model wrote, read as data: JSON with code fences, prose or thoughts round it, whole or cut short."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_OPENING = re.compile(r"[\[{]")
# Prose is full of brackets that begin no JSON; a limit keeps an endless row of them from taking quadratic time.
_MAX_FALSE_STARTS = 200


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object in a text, an object before those inside it.

    Nothing is mended. Of an answer that was cut off in the middle of an array, its whole items are found; what stands
    inside a string is never taken for an object. Thoughts that a reasoning model wrote before ``</think>`` are passed
    over: they hold drafts.

    :param text: What the model wrote.
    :yields: The objects in the order in which they begin.
    """
    decoder = json.JSONDecoder()
    position = text.rfind("</think>") + 1
    false_starts = 0
    while (found := _OPENING.search(text, position)) and false_starts < _MAX_FALSE_STARTS:
        try:
            value, position = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            false_starts += 1
            position = found.end()
        else:
            yield from _objects(value)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
        if isinstance(value, dict | list):
            pending.extend(reversed(list(value.values() if isinstance(value, dict) else value)))
