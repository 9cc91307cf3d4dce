"""How each family of translation models is told the languages.

==============  ============================  ==================  =======================================
family          source                        target begins with  source
==============  ============================  ==================  =======================================
NLLB-200        ``swh_Latn … </s>``           ``eng_Latn``        Costa-jussà et al. 2022
M2M-100         ``__sw__ … </s>``             ``__en__``          Fan et al. 2021
mBART-50        ``sw_KE … </s>``              ``en_XX``           Tang et al. 2020
MADLAD-400      ``<2en> … </s>``                                  Kudugunta et al. 2023
Marian          ``… </s>``, or, with several                      Tiedemann and Thottingal 2020 (OPUS-MT)
                targets, ``>>eng<< … </s>``
others          as their tokenizer has it                         T5, BART, …
==============  ============================  ==================  =======================================

The family is told by the tokens that a vocabulary holds, so that it is known of converted weights too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from transfusion.errors import LanguageError, ModelError
from transfusion.language import Language, get_language
from transfusion.translate.pieces import Pieces

# M2M-100 has codes of its own for these.
_M2M = {"nso": "ns", "nob": "no", "nno": "no", "fil": "tl"}


@dataclass(frozen=True, slots=True)
class Tags:
    """Pieces round the texts of one language pair.

    :param before: What goes before a source text.
    :param after: What goes after it.
    :param target: What a translation begins with.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    target: tuple[int, ...] = ()


def flores_tags(pieces: Pieces, source: str, target: str) -> Tags:
    """The tags of NLLB-200, as they were meant: ``lang … </s>``.

    The first release of its tokenizer wrote ``… </s> lang``, and checkpoints still say so in their settings; what they
    say is not looked at.

    :param pieces: The vocabulary.
    :param source: ISO 639-3 code of the source language.
    :param target: ISO 639-3 code of the target language.
    :returns: The tags.
    :raises LanguageError: If NLLB-200 does not know one of the languages.
    """
    ids = []
    for code in (source, target):
        language = get_language(code)
        identity = None if language.flores is None else pieces.known(language.flores)
        if identity is None:
            tried = language.flores or "no FLORES-200 code"
            raise LanguageError(f"the checkpoint does not know {language.name} ({code}: {tried})")
        ids.append(identity)
    return Tags((ids[0],), (pieces.end,), (ids[1],))


def language_tags(pieces: Pieces, source: str, target: str) -> Tags:
    """The tags of any family.

    :param pieces: The vocabulary.
    :param source: ISO 639-3 code of the source language.
    :param target: ISO 639-3 code of the target language.
    :returns: The tags.
    :raises LanguageError: If the checkpoint does not know one of the languages.
    :raises ModelError: If the checkpoint is told languages in a way that is not in the table above.
    """
    languages = get_language(source), get_language(target)
    kind = type(pieces.tokenizer).__name__
    if kind == "MarianTokenizer":
        return _marian_tags(pieces, *languages)
    if pieces.known("eng_Latn") is not None:
        return flores_tags(pieces, source, target)
    if pieces.known("__en__") is not None:
        before, first = (_tag(pieces, language, (f"__{code}__" for code in _codes(language))) for language in languages)
        return Tags((before,), (pieces.end,), (first,))
    if kind == "MBart50Tokenizer":
        before, first = (_tag(pieces, language, _mbart_codes(pieces, language)) for language in languages)
        return Tags((before,), (pieces.end,), (first,))
    if kind == "MBartTokenizer":
        raise ModelError("mBART-25 checkpoints put tags in other places; use one of mBART-50")
    if pieces.known("<2en>") is not None:
        tag = _tag(pieces, languages[1], (f"<2{code}>" for code in _codes(languages[1])))
        return Tags((tag,), (pieces.end,))
    return Tags(*pieces.frame)


def _marian_tags(pieces: Pieces, source: Language, target: Language) -> Tags:
    several = set(pieces.tokenizer.supported_language_codes)
    _check_pair(pieces.tokenizer.source_lang, source, "from")
    if not several:
        _check_pair(pieces.tokenizer.target_lang, target, "into")
        return Tags((), (pieces.end,))
    wanted = [f">>{code}<<" for code in _codes(target)]
    tag = _tag(pieces, target, [code for code in wanted if code in several])
    return Tags((tag,), (pieces.end,))


def _check_pair(stated: str | None, language: Language, way: str) -> None:
    """Make sure that a checkpoint of one language is not given another; groups (``zls``, ``ROMANCE``) pass."""
    if not stated:
        return
    try:
        own = get_language(stated)
    except LanguageError:
        return
    if {*_codes(own), _macro(own)}.isdisjoint({*_codes(language), _macro(language)}):
        raise LanguageError(f"the checkpoint translates {way} {own.name}, not {way} {language.name}")


def _macro(language: Language) -> str:
    """The group that a language is of, as OPUS-MT names pairs: ``sh`` takes Croatian and Serbian."""
    return {"hrv": "hbs", "srp": "hbs", "bos": "hbs", "cnr": "hbs"}.get(language.iso639_3, language.iso639_3)


def _codes(language: Language) -> list[str]:
    """Ways that checkpoints write a language, the most exact first."""
    flores = language.flores
    codes = [flores, f"{language.iso639_3}_{language.script}", language.bcp47.replace("-", "_"), language.iso639_1]
    codes += [language.iso639_3, flores and flores.split("_")[0], _M2M.get(language.iso639_3)]
    if language.iso639_1 and language.script:
        codes.append(f"{language.iso639_1}_{language.script}")
    return list(dict.fromkeys(code for code in codes if code))


def _mbart_codes(pieces: Pieces, language: Language) -> list[str]:
    codes = {code for code in _codes(language) if len(code) == 2}
    known: Iterable[str] = pieces.tokenizer.lang_code_to_id
    return [tag for tag in known if re.split("_", tag)[0] in codes]


def _tag(pieces: Pieces, language: Language, tags: Iterable[str]) -> int:
    tried = list(tags)
    for tag in tried:
        if (identity := pieces.known(tag)) is not None:
            return identity
    shown = f"; tried {', '.join(tried)}" if tried else ""
    raise LanguageError(f"the checkpoint does not know {language.name} ({language.iso639_3}{shown})")
