"""From an answer to what it says about its texts: parsed, scored, grounded, and its problems named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transfusion.decoder.base import Generation, Prompt
from transfusion.decoder.ground import Grounded, ground_items
from transfusion.decoder.parse import parse_answer
from transfusion.decoder.problems import Problem
from transfusion.decoder.scores import item_score
from transfusion.document import Entity, Note, Severity
from transfusion.schema.classes import class_labels

NO_ANSWER = "no-answer"
"""Code of the note on a document that the model gave no answer for."""
TRUNCATED = "answer-truncated"
"""Code of the note on a document for which the model did not come to the end of its answer."""

# What an answer lost by these is unknown, and may be much.
_GRAVE = {"missing-list", "too-long", "truncated", "unclosed-list"}
# How an answer ends is said once, and not once for each list that it did not come to.
_CUT_SHORT = {"truncated", "unclosed-list"}


@dataclass(frozen=True, slots=True)
class Findings:
    """What an answer says.

    :param source: About the source.
    :param pivot: About the pivot; ``None`` if the prompt did not ask about it, or no answer came.
    :param notes: What was dropped, mended or missing.
    """

    source: Grounded
    pivot: Grounded | None
    notes: tuple[Note, ...]


def read_answer(prompt: Prompt, generation: Generation, given: Sequence[Entity] = ()) -> Findings:
    """Read the answer to a prompt.

    :param prompt: The prompt. Its last list is about the source, one before it about the pivot.
    :param generation: The answer.
    :param given: Entities and triggers of the source that the prompt named.
    :returns: What it says, with offsets in the texts of the prompt.
    """
    if generation.problem:
        return Findings(
            Grounded(), None, (Note(NO_ANSWER, f"the model gave no answer: {generation.problem}", "error"),)
        )
    answer = parse_answer(generation.text, [each.name for each in prompt.lists], prompt.classes)
    labels = class_labels(prompt.classes)
    notes: list[Note] = []
    if not generation.finished:
        message = f"the model stopped before the end of its answer, after {len(generation.text)} characters"
        notes.append(Note(TRUNCATED, message, "warning"))
    notes += [_note(each) for each in answer.problems if generation.finished or each.code not in _CUT_SHORT]
    grounded: list[Grounded] = []
    for each in prompt.lists:
        items = answer.lists[each.name] or ()
        scores = {
            number: score
            for number, item in enumerate(items)
            if (score := item_score(generation.tokens, item.start, item.end)) is not None
        }
        about_source = each is prompt.lists[-1]
        found = ground_items(
            items, prompt.classes, each.text, labels=labels, scores=scores, given=given if about_source else ()
        )
        notes += [_note(problem, "" if about_source else " (in the translation)") for problem in found.problems]
        grounded.append(found)
    return Findings(grounded[-1], grounded[0] if len(grounded) > 1 else None, tuple(notes))


def _note(problem: Problem, where: str = "") -> Note:
    severity: Severity = "warning" if problem.code in _GRAVE else "info"
    return Note(problem.code, problem.message + where, severity)
