"""Quality signs on MAFAND: how many broken translations they find, and how many good ones they suspect.

    python benchmarks/quality_signs.py --data ../shared/data --split test --show 40

Every pair, African language to English or French, counts as clean, though MAFAND has misaligned ones: ``--show`` prints
false alarms to look at. Then each is broken in each of the ways below, drawn by seed, where both sides have five words
or more. A breakage is found when a severe sign is given; deleted numbers when ``numbers-lost`` is.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from transfusion.corpora.columns import read_gold
from transfusion.corpora.mafand import Pair, find_pair_files, read_pairs
from transfusion.corpora.parallel_gold import counterparts
from transfusion.translate.quality import Fault, find_faults

LATIN = "abvgdezijklmnoprstufhcyqwx"
CYRILLIC_LETTERS = "абвгдезийклмнопрстуфхцыкўх"
CYRILLIC = str.maketrans(LATIN + LATIN.upper(), CYRILLIC_LETTERS + CYRILLIC_LETTERS.upper())
PUD_LANGUAGES = {"de": "deu", "pt": "por", "ru": "rus", "zh": "zho"}
ENOUGH_WORDS = 5

Corruption = Callable[[Pair, random.Random], str]


def looped(pair: Pair, chance: random.Random) -> str:
    """The translation up to some word, and then its last one to four words over and over."""
    words = pair.pivot.split()
    kept = words[: chance.randint(min(len(words), 4), len(words))]
    return " ".join(kept + kept[-chance.randint(1, 4) :] * chance.randint(4, 20))


def truncated(pair: Pair, _: random.Random) -> str:
    """The first fifth."""
    return pair.pivot[: len(pair.pivot) // 5]


def copied(pair: Pair, _: random.Random) -> str:
    """The source as it is."""
    return pair.source


def replaced(others: Sequence[str], pair: Pair, chance: random.Random) -> str:
    """A text in another language of about the same length."""
    return min(chance.sample(others, 50), key=lambda text: abs(len(text) - len(pair.pivot)))


def transliterated(pair: Pair, chance: random.Random) -> str:
    """Cyrillic letters in all words or in half of them."""
    words = pair.pivot.split()
    begin = chance.choice((0, len(words) // 2))
    return " ".join(words[:begin] + [word.translate(CYRILLIC) for word in words[begin:]])


def without_numbers(pair: Pair, _: random.Random) -> str:
    """All digits deleted; the same as before where source and translation share no number above twenty."""
    shared = set(re.findall(r"\d+", pair.source)) & set(re.findall(r"\d+", pair.pivot))
    return re.sub(r"\d", "", pair.pivot) if any(int(number) > 20 for number in shared) else pair.pivot


def emptied(_: Pair, chance: random.Random) -> str:
    """Nothing, or nothing but marks."""
    return chance.choice(("", " ", ".", "...", "- "))


def is_long(text: str) -> bool:
    """Whether a text has enough words to be judged."""
    return len(text.split()) >= ENOUGH_WORDS


def corruptions(pairs: Mapping[str, Sequence[Pair]], pivot: str) -> dict[str, Corruption]:
    """Ways to break a translation into a language.

    :param pairs: All pairs by the name of their folder, to take texts in other languages from.
    :param pivot: The language.
    :returns: Functions by the name of their column.
    """
    everything = [pair for rows in pairs.values() for pair in rows]
    other_pivot = [pair.pivot for pair in everything if pair.pivot_language != pivot and is_long(pair.pivot)]
    african = [pair.source for pair in everything if pair.source_language != "pcm" and is_long(pair.source)]
    return {
        "loop": looped,
        "fifth": truncated,
        "copy": copied,
        "eng/fra": partial(replaced, other_pivot),
        "african": partial(replaced, african),
        "script": transliterated,
        "numbers": without_numbers,
        "empty": emptied,
    }


def faults_of(pair: Pair, translation: str) -> tuple[Fault, ...]:
    """The signs for a pair with this translation in the place of its own."""
    return find_faults(
        pair.source, translation, source_language=pair.source_language, target_language=pair.pivot_language
    )


def recalls(rows: Sequence[Pair], ways: Mapping[str, Corruption], seed: int) -> dict[str, tuple[int, int]]:
    """Found and made breakages of each kind."""
    counts = {}
    for name, corrupt in ways.items():
        chance = random.Random(f"{seed} {name}")
        broken = [
            (pair, text)
            for pair in rows
            if is_long(pair.source) and is_long(pair.pivot) and (text := corrupt(pair, chance)) != pair.pivot
        ]
        found = sum(
            any(fault.code == "numbers-lost" if name == "numbers" else fault.severe for fault in faults_of(pair, text))
            for pair, text in broken
        )
        counts[name] = found, len(broken)
    return counts


def pud(folder: Path) -> dict[str, list[Pair]]:
    """The PUD sentences from English into other languages and back, which are clean throughout."""
    english = read_gold(folder / "en_pud-ud-test.iob2", language="eng")
    pairs: dict[str, list[Pair]] = {}
    for short, language in PUD_LANGUAGES.items():
        gold = read_gold(folder / f"{short}_pud-ud-test.iob2", language=language)
        for other, document in zip(gold.documents, counterparts(english, gold), strict=True):
            if document is not None:
                text, translation = document.source.text, other.source.text
                pairs.setdefault(f"eng-{short}", []).append(Pair(other.id, text, translation, "eng", language))
                pairs.setdefault(f"{short}-eng", []).append(Pair(other.id, translation, text, language, "eng"))
    return pairs


def percent(found: int, of: int) -> str:
    """A share as text, with a dash for nothing of nothing."""
    return f"{100 * found / of:.1f}" if of else "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with mafand/ and uner/")
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
    parser.add_argument("--limit", type=int, default=0, help="draw only so many pairs a language; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many false alarms, drawn by lot")
    options = parser.parse_args()
    pairs = {
        path.parent.name: list(read_pairs(path).pairs)
        for path in find_pair_files(options.data / "mafand", options.split)
    }
    if options.limit:
        for name, rows in pairs.items():
            pairs[name] = random.Random(f"{options.seed} {name}").sample(rows, min(options.limit, len(rows)))
    ways = {pivot: corruptions(pairs, pivot) for pivot in ("eng", "fra")}
    columns = list(ways["eng"])
    print(f"{'pairs':9}{'clean':>6}{'severe%':>9}{'mild%':>7} | recall of" + "".join(f"{name:>9}" for name in columns))
    alarms: list[tuple[str, Pair, tuple[Fault, ...]]] = []
    codes: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    seconds = 0.0
    for name, rows in [*pairs.items(), *pud(options.data / "uner").items()]:
        begun = time.process_time()
        clean = [faults_of(pair, pair.pivot) for pair in rows]
        seconds += time.process_time() - begun
        suspects = [(name, pair, faults) for pair, faults in zip(rows, clean, strict=True) if faults]
        severe = sum(any(fault.severe for fault in faults) for _, _, faults in suspects)
        mild = sum(any(not fault.severe for fault in faults) for _, _, faults in suspects)
        line = f"{name:9}{len(rows):6}{percent(severe, len(rows)):>9}{percent(mild, len(rows)):>7} |          "
        totals["checked"] += len(rows)
        if name in pairs:
            counts = recalls(rows, ways[rows[0].pivot_language], options.seed)
            line += "".join(f"{percent(*counts[column]):>9}" for column in columns)
            totals.update({"clean": len(rows), "severe": severe, "mild": mild})
            for column, (found, made) in counts.items():
                totals.update({f"{column} found": found, f"{column} made": made})
            alarms.extend(suspects)
            codes.update(fault.code for _, _, faults in suspects for fault in faults)
        print(line, flush=True)
    line = "".join(f"{percent(totals[f'{c} found'], totals[f'{c} made']):>9}" for c in columns)
    shares = percent(totals["severe"], totals["clean"]), percent(totals["mild"], totals["clean"])
    print(f"{'MAFAND':9}{totals['clean']:6}{shares[0]:>9}{shares[1]:>7} |          {line}")
    print("clean MAFAND pairs with each sign:", dict(sorted(codes.items())))
    print(
        f"{totals['checked'] / seconds:.0f} pairs in a second of processor time, loading of the language model included"
    )
    severe_alarms = [alarm for alarm in alarms if any(fault.severe for fault in alarm[2])]
    for name, pair, faults in random.Random(options.seed).sample(severe_alarms, min(options.show, len(severe_alarms))):
        print(f"\n{name} {pair.id}: {'; '.join(fault.message for fault in faults)}\n  {pair.source}\n  {pair.pivot}")


if __name__ == "__main__":
    main()
