"""Numbers of a source that its translation does not hold, however either writes them."""

from __future__ import annotations

import regex

from transfusion.translate.words import without_addresses

# A space parts thousands only before three digits. Times, dates and ranges (10:30, 2020-05-01) are several numbers.
_NUMBER = regex.compile(r"\p{Nd}++(?:[.,'’٫٬·]\p{Nd}++|[  \u00a0\u2009\u202f]\p{Nd}{3}(?!\p{Nd}))*+")
_DIGITS = regex.compile(r"\p{Nd}++")
_DIGIT = regex.compile(r"\p{Nd}")

# Up to here a translation may write words: two, deux, mbili.
_SPELLED = 20
_LONGEST_SPELLED = 4

# So many digits are searched for numbers that are written in parts.
_LONGEST_ROW = 400


def lost_numbers(source: str, translation: str) -> list[str]:
    """The numbers of the source that the translation lacks.

    Digits of all scripts are alike. Thousands separators, decimal commas and zeros at the ends are passed over, so that
    *5,000,000* may become *5 million* and *3,50* be *3.5*. Small numbers may be spelled out.

    :param source: The text that was translated.
    :param translation: Its translation.
    :returns: The missing ones, as the source writes them; all of them in a text without numbers.
    """
    wanted = _NUMBER.findall(without_addresses(source)) if _DIGIT.search(source) else []
    if not wanted:
        return []
    found: set[str] = set()
    row = ""
    for number in _NUMBER.findall(translation):
        parts = [_ascii(part) for part in _DIGITS.findall(number)]
        found.update(map(_significant, parts))
        found.add(_significant("".join(parts)))
        row += "".join(parts)[: _LONGEST_ROW - len(row)]
    return [number for number in wanted if not _is_there(number, found, row)]


def _is_there(number: str, found: set[str], row: str) -> bool:
    parts = [_ascii(part) for part in _DIGITS.findall(number)]
    digits = "".join(parts)
    if len(digits) <= _LONGEST_SPELLED and int(digits) <= _SPELLED:
        return True
    significant = _significant(digits)
    # Neighbours may belong together otherwise: 10:30 and 10.30.
    return (
        significant in found
        or all(_significant(part) in found for part in parts)
        or (len(digits) > 2 and digits in row)
    )


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def _significant(digits: str) -> str:
    return digits.strip("0") or "0"
