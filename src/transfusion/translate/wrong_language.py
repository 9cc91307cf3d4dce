"""Which language a translation is in, as far as that can be told.

The model is that of ``py3langid`` (a naive Bayes classifier over byte n-grams, 139 languages, among them Hausa, Igbo,
Kinyarwanda, Luganda, Pidgin, Shona, Swahili, Xhosa, Yoruba and Zulu): Lui and Baldwin, *langid.py: An Off-the-shelf
Language Identification Tool*, ACL 2012. It is loaded, in a second or two, when the first text is judged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from transfusion.language import get_language
from transfusion.translate.words import common_words, size

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Too near to one another for a sentence to tell: any of them will do. Pidgin and English can be told apart, though they
# share most words; what the model knows nothing about (Twi, Ewe, Mossi) often looks like Pidgin to it.
_NEAR = (
    {"ar", "ary", "arz"},
    {"bs", "hr", "sr"},
    {"da", "nn", "no"},
    {"id", "ms"},
    {"wuu", "yue", "zh"},
    {"xh", "zu"},
)
_CLOSE = (*_NEAR, {"en", "pcm"})
_OTHER_NAMES = {"nb": "no", "fil": "tl"}
_NO_LANGUAGE = "zxx"

# How much of common words it takes, and how much of them is read: the beginning and the end.
_ENOUGH_WORDS = 3
_ENOUGH_LETTERS = 12
_SAMPLE = 200

# Chosen on the development pairs of MAFAND: benchmarks/quality_signs.py.
_TARGET_ODDS = 0.2


def are_close(source: str, target: str) -> bool:
    """Whether two languages share most of their words, as Pidgin and English do.

    :param source: Code of a language.
    :param target: Code of another.
    :returns: True for a language and itself, too.
    :raises LanguageError: If nobody knows a code.
    """
    labels = _label(source), _label(target)
    return get_language(source) == get_language(target) or any(labels[0] in c and labels[1] in c for c in _CLOSE)


def wrong_language(words: list[str], *, target: str) -> str | None:
    """The language of a text, if it is not the one that was asked for.

    Only common words are judged: a sentence full of names is in the language of the words between them.

    :param words: The words of the text.
    :param target: Code of the language that the text should be in.
    :returns: ISO 639 code of the language it is in; ``None`` where it is the right one, where there is too little to
        tell, and where the model does not know the language asked for: what it takes a text for may be a near one then.
    :raises LanguageError: If nobody knows a code.
    """
    wanted = _labels(target)
    if not wanted or (sample := _sample(words)) is None:
        return None
    ranking: list[tuple[str, float]] = _identifier().rank(sample)
    best, probability = ranking[0]
    if best in wanted or best == _NO_LANGUAGE:
        return None
    odds = sum(p for label, p in ranking if label in wanted) / probability
    return best if odds < _TARGET_ODDS else None


def is_still_source(words: list[str], *, source: str, target: str) -> bool:
    """Whether a text is in the language of the source rather than in a close one.

    :param words: The words of the text.
    :param source: Code of the language that was translated from.
    :param target: Code of the close language that the text should be in.
    :returns: False where it cannot be told.
    :raises LanguageError: If nobody knows a code.
    """
    label = _label(source)
    if label in (None, _label(target)) or (sample := _sample(words)) is None:
        return False
    return bool(_identifier().classify(sample)[0] == label)


def _sample(words: list[str]) -> str | None:
    common = common_words(words)
    text = " ".join(common)
    if len(text) > _SAMPLE:
        text = f"{text[: _SAMPLE // 2]} {text[-_SAMPLE // 2 :]}"
    return text if len(common) >= _ENOUGH_WORDS and size(text) >= _ENOUGH_LETTERS else None


@lru_cache(maxsize=1024)
def _labels(code: str) -> frozenset[str]:
    """Names that the model has for a language and those near it; none where it does not know the language."""
    label = _label(code)
    if label is None:
        return frozenset()
    return frozenset(next((near for near in _NEAR if label in near), {label}))


@lru_cache(maxsize=1024)
def _label(code: str) -> str | None:
    language = get_language(code)
    labels = set(_identifier().labels)
    names = (_OTHER_NAMES.get(name or "", name) for name in (language.iso639_1, language.iso639_3))
    return next((name for name in names if name in labels), None)


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
