"""One language, every code for it: ISO 639-1, 639-3 and 639-2/B, BCP 47, FLORES-200.

The FLORES-200 table ships with the package (``data/flores200.tsv``); all other languages come from the IANA subtag
registry that ``langcodes`` carries. Both are read when first needed, so that importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from transfusion.errors import LanguageError

if TYPE_CHECKING:
    from langcodes import Language as Tag

# FLORES-200 names one member where people write the code of the whole group (or the other way round).
_FLORES_SENSE = {
    "ara": "arb",
    "aym": "ayr",
    "aze": "azj",
    "cmn": "zho",
    "din": "dik",
    "ekk": "est",
    "fas": "pes",
    "fil": "tgl",
    "ful": "fuv",
    "gug": "grn",
    "kau": "knc",
    "kur": "kmr",
    "lav": "lvs",
    "mlg": "plt",
    "mon": "khk",
    "msa": "zsm",
    "nep": "npi",
    "nor": "nob",
    "ori": "ory",
    "orm": "gaz",
    "pus": "pbt",
    "que": "quy",
    "sqi": "als",
    "swa": "swh",
    "tmh": "taq",
    "uzb": "uzn",
    "yid": "ydd",
}

# FLORES-200 files Santali under Bengali although its text is in Ol Chiki; `Kore` is Hangul with Han letters.
_FLORES_SCRIPT = {("sat", "Olck"): "Beng", ("kor", "Kore"): "Hang"}


@dataclass(frozen=True, slots=True)
class Language:
    """A language and its codes.

    :param iso639_3: Three letters, ``lug``; the code asked for, so ``swa`` stays ``swa`` and ``swh`` stays ``swh``.
    :param iso639_1: Two letters, ``lg``; ``None`` for most languages of the world.
    :param flores: FLORES-200 code, ``lug_Latn``; ``None`` where FLORES-200 lacks the language or the script.
    :param script: ISO 15924 code of the script, ``Latn``; ``None`` where it is not known.
    :param name: English name.
    :param bcp47: Shortest BCP 47 tag, ``lg``, ``pt-BR`` or ``zh-Hant``.
    """

    iso639_3: str
    iso639_1: str | None
    flores: str | None
    script: str | None
    name: str
    bcp47: str


@lru_cache(maxsize=4096)
def get_language(code: str) -> Language:
    """Look a language up by any of its codes; upper and lower case, ``-`` and ``_`` are alike.

    :param code: ISO 639-1, 639-3 or 639-2/B (``lg``, ``lug``, ``ger``), BCP 47 (``pt-BR``, ``zh-Hant``) or FLORES-200
        (``lug_Latn``). A code for a group (``swa``, ``ara``) means the member that FLORES-200 has of it.
    :returns: The language with all its codes.
    :raises LanguageError: If nobody knows the code; the message suggests near codes and names.
    """
    from langcodes import Language as Tag
    from langcodes.tag_parser import LanguageTagError

    try:
        written, normal = (Tag.get(code.strip().replace("_", "-"), normalize=n) for n in (False, True))
    except LanguageTagError:
        raise _unknown(code) from None
    if not normal.is_valid():
        raise _unknown(code)
    # The code as written goes first: langcodes would turn tgl into fil, swc into sw and prs into fa-AF.
    for tag in (normal,) if written.extlangs else (written, normal):
        iso639_3 = _alpha3(tag)
        if iso639_3 is not None and (name := _name(iso639_3)) is not None:
            return _describe(tag, iso639_3, name)
    raise _unknown(code)


def _describe(tag: Tag, iso639_3: str, name: str) -> Language:
    from langcodes import Language as Tag
    from langcodes.data_dicts import LIKELY_SUBTAGS

    member = _FLORES_SENSE.get(iso639_3, iso639_3)
    rows = _flores().get(member, {})
    # Of a language it knows nothing about, langcodes would say Latn.
    likely = tag.maximize().script if tag.language in LIKELY_SUBTAGS else None
    if tag.script is not None:
        script: str | None = tag.script
    elif rows:
        # A territory can decide between scripts: zh-TW is written in zho_Hant.
        script = likely if tag.territory and likely in rows else next(iter(rows))
    else:
        script = likely
    row = _FLORES_SCRIPT.get((member, script or ""), script)
    group = [iso639_3, member, *(wide for wide, narrow in _FLORES_SENSE.items() if narrow == member)]
    two_letters = _two_letters()
    shortest = Tag.make(
        language=two_letters.get(iso639_3, iso639_3),
        script=None if list(rows) == [tag.script] else tag.script,
        territory=tag.territory,
        variants=tag.variants,
    ).simplify_script()
    return Language(
        iso639_3=iso639_3,
        iso639_1=next((two_letters[other] for other in group if other in two_letters), None),
        flores=f"{member}_{row}" if row in rows else None,
        script=script,
        name=name,
        bcp47=shortest.to_tag(),
    )


def _alpha3(tag: Tag) -> str | None:
    try:
        return tag.to_alpha3()
    except LookupError:
        return None


def _name(iso639_3: str) -> str | None:
    """English name of a language, ``None`` if there is no such language."""
    rows = _flores().get(_FLORES_SENSE.get(iso639_3, iso639_3))
    if rows:
        return next(iter(rows.values()))
    names = _registry().get(iso639_3)
    return names[0] if names else None


@lru_cache(maxsize=1)
def _flores() -> dict[str, dict[str, str]]:
    """Language -> script -> English name; the usual script stands first."""
    from importlib.resources import files

    table: dict[str, dict[str, str]] = {}
    for line in files("transfusion").joinpath("data/flores200.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            code, name = line.split("\t")
            language, script = code.split("_")
            table.setdefault(language, {})[script] = name
    return table


@lru_cache(maxsize=1)
def _two_letters() -> dict[str, str]:
    """ISO 639-3 -> ISO 639-1."""
    from langcodes.data_dicts import LANGUAGE_ALPHA3

    # Withdrawn codes (iw, in, ji, jw) are listed too, and stand for the same three letters as their successors.
    withdrawn = {"iw", "in", "ji", "jw", "mo", "sh"}
    return {three: two for two, three in LANGUAGE_ALPHA3.items() if len(two) == 2 and two not in withdrawn}


@lru_cache(maxsize=1)
def _registry() -> dict[str, tuple[str, ...]]:
    """ISO 639-3 -> English names, for the 8,000 single languages and macrolanguages of the IANA registry."""
    from langcodes.data_dicts import LANGUAGE_ALPHA3
    from langcodes.registry_parser import parse_registry

    registry: dict[str, tuple[str, ...]] = {}
    for entry in parse_registry():  # type: ignore[no-untyped-call]
        # Groups such as `bnt` (Bantu languages), `und` and private codes are nobody's language.
        single = entry.get("Scope") in (None, "macrolanguage") and "Deprecated" not in entry
        if entry["Type"] == "language" and single:
            code = entry["Subtag"]
            registry[LANGUAGE_ALPHA3.get(code, code)] = tuple(
                name.removesuffix(" (macrolanguage)") for name in entry["Description"]
            )
    return registry


def _unknown(code: str) -> LanguageError:
    shown = code if len(code) <= 40 else code[:40] + "…"
    near = list(_suggestions(shown.strip().casefold()))[:3]
    hint = f": did you mean {' or '.join(near)}?" if near else "."
    return LanguageError(
        f"unknown language {shown!r}{hint} "
        "Give a code of ISO 639-1 (sw), ISO 639-3 (swa), BCP 47 (sw-KE) or FLORES-200 (swh_Latn)"
    )


def _suggestions(wanted: str) -> Iterator[str]:
    """Near languages as ``code (Name)``: by name first, then by code among the languages of FLORES-200."""
    from difflib import get_close_matches
    from unicodedata import normalize

    def plain(name: str) -> str:
        letters = (c for c in normalize("NFKD", name.split(" (")[0].casefold()) if c.isalpha() or c == " ")
        return "".join(letters)

    codes_of: dict[str, list[str]] = {}
    for code, names in _registry().items():
        for name in names:
            codes_of.setdefault(plain(name), []).append(code)
    for code, rows in _flores().items():
        codes_of.setdefault(plain(next(iter(rows.values()))), []).insert(0, code)
    matches = [
        code for name in get_close_matches(plain(wanted), codes_of, n=3, cutoff=0.8) for code in codes_of[name][:2]
    ]
    beginning = wanted.replace("_", "-").split("-")[0]
    if len(beginning) <= 4:
        matches += get_close_matches(beginning, list(_flores()), n=3, cutoff=0.6)
    for code in dict.fromkeys(matches):
        yield f"{code} ({_name(code)})"
