"""A model may write anything: a million damaged answers, each read and looked up in its text.

No answer may raise, take more than 50 ms, or make Python import, compile, open or start anything. Run by ``make fuzz``;
a few hundred are part of the tests. The same seed makes the same answers, and a failure names the number of its answer.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from transfusion.decoder.ground import ground_items
from transfusion.decoder.parse import parse_answer
from transfusion.schema.classes import ClassDefinition, ClassField

LIMIT = 0.05
"""Seconds of processor time that an answer may take."""

LISTS = ("result", "final_result")
CLASSES = (
    ClassDefinition("Person", "Entity"),
    ClassDefinition("Place", "Entity"),
    ClassDefinition("JobTitle", "Value"),
    ClassDefinition("LivesIn", "Relation", "", (ClassField("arg1"), ClassField("arg2"))),
    ClassDefinition(
        "Meeting",
        "Event",
        "",
        (ClassField("mention"), ClassField("participant", "List[str]"), ClassField("place", "List[str]")),
    ),
)
_BETWEEN = "\n]\n\n# The annotation instances that take place in the text above are listed here\nfinal_result = [\n    "
_TEXTS = (
    (
        "Rais Ruto alikutana na Museveni mjini Kampala. Museveni anaishi 'Entebbe'.",
        "President Ruto met Museveni in Kampala.",
        ("Ruto", "Museveni", "Kampala", "'Entebbe'", "alikutana"),
    ),
    (
        "Ààrẹ Tinubu ṣe ìpàdé pẹ̀lú àwọn gómìnà ní Abújá.",
        "President Tinubu met the governors in Abuja.",
        ("Tinubu", "ìpàdé", "gómìnà", "Abuja", "Abu\u0301ja\u0301"),
    ),
    ("ጠቅላይ ሚኒስትሩ በአዲስ አበባ ተወያዩ።", "The prime minister met in Addis Ababa.", ("አዲስ አበባ", "ሚኒስትሩ", "ተወያዩ")),
    ("总统周一在坎帕拉会见了穆塞韦尼。", "The president met Museveni in Kampala.", ("坎帕拉", "穆塞韦尼", "会见")),
    ("التقى الرئيس في القاهرة بوفد من الخرطوم.", "The president met in Cairo.", ("الْقَاهِرَة", "الخرطوم", "التقى")),
    ('İstanbul\'da "👨‍👩‍👧" ile buluştu 🇹🇷.', "He met them in Istanbul.", ("istanbul", "👨‍👩‍👧", "🇹🇷", "buluştu")),
)
_MARKS = "()[]{}\"'\\,=#:\n\t `;.@*"
_HOSTILE = (
    "__import__('os').system('touch /tmp/owned')",
    "Person(span=__import__('os').system('echo owned'))",
    "eval(\"open('/etc/passwd').read()\")",
    "exec('import socket')",
    "*[print(x) for x in ().__class__.__bases__[0].__subclasses__()]",
    "lambda: 1",
    "f'{1+1}'",
    'b"Ruto"',
    "Person(span='''Ruto''')",
    'Person(span=r"\\u12")',
    "Person(**{'span': 'Ruto'})",
    "Person('Ruto')",
    "Person(name='Ruto')",
    "Dragon(span='Smaug')",
    "result = [",
    "final_result = [",
    "]\nfinal_result = [",
    "```python\n",
    "</think>",
    "Here's the list:",
    "Meeting(mention='x', place=[Place(span='Kampala')])",
    "\\N{BULLET}",
    "\\ud83d",
    "\\U00110000",
    "\\777",
    "'Ru' 'to'",
    "None",
    "1e999",
)
_OPENINGS = ("(", "[", "{", "Person(span=", "Person(", "[[", "Foo(a=[", "(((((", "Meeting(mention='x', place=[")
_JUNK = (
    "\u0000\u200d\u200b\u0301\u0651\ufe0f\ufeff\u202e\ud800\udfff\u1112\u1161\U0001f1fa\U0001f468ﷺßİı½𝔘あ\r\u2028\x85"
)
_FORBIDDEN = ("exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "marshal.", "pickle.")

_hooked = False
_watching = False
_events: list[str] = []


@dataclass
class Outcome:
    """What came of some answers.

    :param read: How many were read.
    :param slowest: Most seconds of processor time that one took.
    :param slowest_index: Its number.
    :param problems: How often each kind of problem was named.
    :param kept: How many items were kept.
    :param grounded: How many entities, relations and events they made.
    :param failures: What went wrong, one line each.
    """

    read: int = 0
    slowest: float = 0.0
    slowest_index: int = -1
    kept: int = 0
    grounded: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Count the answers of another run too."""
        if other.slowest > self.slowest:
            self.slowest, self.slowest_index = other.slowest, other.slowest_index
        self.read += other.read
        self.kept += other.kept
        self.grounded += other.grounded
        self.problems += other.problems
        self.failures += other.failures


def mutant(index: int, seed: int = 0) -> tuple[str, str]:
    """A text, and a damaged answer about it.

    :param index: Number of the answer.
    :param seed: Which million.
    :returns: The text and the answer; always the same for the same numbers.
    """
    lot = random.Random(f"{seed}:{index}")
    text, pivot, mentions = lot.choice(_TEXTS)
    items = [_item(lot, mentions) for _ in range(lot.randint(0, 8))]
    pivot_items = [_item(lot, pivot.split()) for _ in range(lot.randint(0, 8))]
    answer = _BETWEEN.join(",\n    ".join(each) for each in (pivot_items, items)) + ",\n]\n"
    for _ in range(lot.choice((1, 1, 2, 3, 5, 9))):
        answer = lot.choices(_MUTATIONS, _WEIGHTS)[0](answer, lot)
    return text, answer


def read_one(index: int, seed: int = 0) -> Outcome:
    """Read one damaged answer, and watch what happens.

    :param index: Number of the answer.
    :param seed: Which million.
    :returns: What came of it.
    """
    text, answer = mutant(index, seed)
    outcome = _read(text, answer, index)
    if outcome.slowest > LIMIT:  # once more: the machine may have had something else to do
        outcome = _read(text, answer, index)
        if outcome.slowest > LIMIT:
            outcome.failures.append(f"answer {index}: took {1000 * outcome.slowest:.0f} ms ({len(answer)} characters)")
    return outcome


def fuzz(indices: range, *, seed: int = 0, until: float = float("inf")) -> Outcome:
    """Read many damaged answers.

    :param indices: Their numbers.
    :param seed: Which million.
    :param until: When to stop, on the monotonic clock.
    :returns: What came of them.
    """
    _watch()
    total = Outcome()
    for index in indices:
        if time.monotonic() > until:
            break
        total.add(read_one(index, seed))
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Read as many answers as the command line says.

    :param arguments: The command line; that of the program if ``None``.
    :returns: 0 if all went well, 1 if not.
    """
    parser = argparse.ArgumentParser(description="Read damaged answers: none may raise, be slow, or run anything.")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many answers")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many seconds")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other answers")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    until = begun + options.seconds
    shares = [range(job, options.count, options.jobs) for job in range(options.jobs)]
    total = Outcome()
    if options.jobs == 1:
        total.add(fuzz(shares[0], seed=options.seed, until=until))
    else:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            for future in [pool.submit(fuzz, share, seed=options.seed, until=until) for share in shares]:
                total.add(future.result())
    lines = [
        f"{total.read} answers in {time.monotonic() - begun:.0f} s: {total.kept} items kept, {total.grounded} grounded",
        f"slowest: answer {total.slowest_index}, {1000 * total.slowest:.1f} ms of processor time",
        "problems: " + ", ".join(f"{code} {count}" for code, count in total.problems.most_common()),
        *(f"FAILED {failure}" for failure in total.failures[:20]),
        f"{len(total.failures)} failures",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if total.failures else 0


def _read(text: str, answer: str, index: int) -> Outcome:
    global _watching
    outcome = Outcome(read=1, slowest_index=index)
    _events.clear()
    begun = time.thread_time()
    _watching = True
    try:
        parsed = parse_answer(answer, LISTS, CLASSES)
        grounded = ground_items(parsed.lists["final_result"] or (), CLASSES, text, labels={})
    except Exception as error:
        outcome.failures.append(f"answer {index}: {type(error).__name__}: {error}")
        return outcome
    finally:
        _watching = False
        outcome.slowest = time.thread_time() - begun
    if _events:
        outcome.failures.append(f"answer {index}: Python was made to {', '.join(_events[:3])}")
    outcome.kept = sum(len(items or ()) for items in parsed.lists.values())
    outcome.grounded = len(grounded.entities) + len(grounded.relations) + len(grounded.events)
    outcome.problems.update(problem.code for problem in (*parsed.problems, *grounded.problems))
    return outcome


def _watch() -> None:
    """From now on, note what answers make Python do. What reading itself needs is loaded before."""
    global _hooked
    for index in range(20):
        _read(*mutant(index, -1), -1)
    if not _hooked:  # hooks stay for good
        sys.addaudithook(_note)
        _hooked = True


def _note(event: str, _arguments: tuple[object, ...]) -> None:
    if _watching and event.startswith(_FORBIDDEN):
        _events.append(event)


def _item(lot: random.Random, mentions: Sequence[str]) -> str:
    one, two, three = (repr(lot.choice(mentions)) for _ in range(3))
    return lot.choice(
        (
            f"Person(span={one})",
            f"Place(span={one})",
            f"JobTitle(span={one})",
            f"LivesIn(arg1={one}, arg2={two})",
            f"Meeting(mention={one}, participant=[{two}, {three}], place=[])",
        )
    )


def _stretch(answer: str, lot: random.Random, longest: int = 60) -> tuple[int, int]:
    start = lot.randint(0, len(answer))
    return start, min(len(answer), start + lot.randint(0, longest))


def _delete(answer: str, lot: random.Random) -> str:
    start, end = _stretch(answer, lot)
    return answer[:start] + answer[end:]


def _drop_mark(answer: str, lot: random.Random) -> str:
    places = [place for place, character in enumerate(answer) if character in _MARKS]
    place = lot.choice(places or [0])
    return answer[:place] + answer[place + 1 :]


def _insert_mark(answer: str, lot: random.Random) -> str:
    return _insert(answer, lot, "".join(lot.choices(_MARKS, k=lot.randint(1, 4))))


def _insert_junk(answer: str, lot: random.Random) -> str:
    return _insert(answer, lot, "".join(lot.choices(_JUNK, k=lot.randint(1, 20))))


def _insert_hostile(answer: str, lot: random.Random) -> str:
    return _insert(answer, lot, lot.choice(_HOSTILE))


def _insert(answer: str, lot: random.Random, what: str) -> str:
    place = lot.randint(0, len(answer))
    return answer[:place] + what + answer[place:]


def _swap(answer: str, lot: random.Random) -> str:
    (one, two), (three, four) = sorted((_stretch(answer, lot), _stretch(answer, lot)))
    three, four = max(two, three), max(two, four)
    return answer[:one] + answer[three:four] + answer[two:three] + answer[one:two] + answer[four:]


def _double(answer: str, lot: random.Random) -> str:
    start, end = _stretch(answer, lot, 300)
    times = lot.choice((1, 1, 2, 30)) if len(answer) < 20_000 else 1
    return answer[:end] + answer[start:end] * times + answer[end:]


def _cut(answer: str, lot: random.Random) -> str:
    return answer[: lot.randint(0, len(answer))]


def _nest(answer: str, lot: random.Random) -> str:
    opening = lot.choice(
        ("(", "[", "{", "Person(span=", "Person(", "[[", "Foo(a=[", "(((((", "Meeting(mention='x', place=[")
    )
    return _insert(answer, lot, opening * lot.choice((3, 40, 2000)))


def _stretch_string(answer: str, lot: random.Random) -> str:
    filling = lot.choice(("a", "Ruto ", "\\n", "\\", "ab\u0301", "አ", "'", '"', " ", "#", "\n", "a,", "\U0001f1fa"))
    return _insert(answer, lot, filling * lot.choice((50, 1000, 20_000)))


_MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    _delete,
    _drop_mark,
    _insert_mark,
    _insert_junk,
    _insert_hostile,
    _swap,
    _double,
    _cut,
    _nest,
    _stretch_string,
)
_WEIGHTS = (10, 10, 10, 6, 10, 8, 6, 4, 1, 1)

if __name__ == "__main__":
    sys.exit(main())
