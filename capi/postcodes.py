"""Postal codes, in the form that their country's post writes them without signs."""

from __future__ import annotations

import re

_NO_CODE = re.compile(r"[^0-9a-z]")
_FIVE = re.compile(r"[0-9]{5}")
_ZIP_PLUS_4 = re.compile(r"[0-9]{9}")
# The zeros at the front of New England's and Puerto Rico's.
# As spreadsheets write a number: "10115.0".
_EXPORTED = re.compile(r"(?<=[0-9]{3})\.0$")
_SHORT_ZIP = re.compile(r"([0-9]{3,4})(?:\s*-\s*[0-9]{4})?")

# Countries and territories that the US Postal Service serves.
_US = frozenset("us as fm gu mh mp pr pw um vi".split())
# How letters from abroad call a country whose post writes digits first: besides its code
# of ISO's, the sign that its cars had.
_CAR_SIGNS = {
    "at": "a",
    "be": "b",
    "bg": "",
    "ch": "",
    "cz": "",
    "de": "d",
    "dk": "",
    "ee": "",
    "es": "e",
    "fi": "fin sf",
    "fr": "f",
    "gr": "el",
    "hr": "",
    "hu": "h",
    "is": "",
    "it": "i",
    "li": "fl",
    "lu": "l",
    "mc": "",
    "me": "",
    "mk": "",
    "nl": "",
    "no": "n",
    "pl": "",
    "pt": "p",
    "ro": "",
    "rs": "srb",
    "se": "s",
    "si": "slo",
    "sk": "",
    "sm": "rsm",
    "tr": "",
    "ua": "",
    "va": "v",
}
# Elsewhere as well, a country's own code before a dash is none of its post's.
_OFFICIAL = frozenset("ad az bb bn ky lt lv md ms mt tc vc vg".split())
_ANY_PREFIX = re.compile(r"(?:a|b|ch|d|dk|e|f|fin|i|l|n|nl|p|s|se|fi|de|fr|at|be|lu)-")

# Codes of one length that may begin with a zero, which spreadsheets take away.
_LENGTHS = {
    **dict.fromkeys("de es fi fr hr it kr mx my tr ua".split(), 5),
    **dict.fromkeys("au nz no za".split(), 4),
    **dict.fromkeys("cn ro sg".split(), 6),
    "jp": 7,
}


def national_code(text: str, country: str | None) -> str | None:
    """Return a code as letters and digits, or None.

    :param text: in lower case, its digits those of ASCII
    :param country: in lower case

    >>> national_code("se-111 22", "se"), national_code("lv-1010", "lv")
    ('11122', 'lv1010')
    >>> national_code("2134", "us"), national_code("00901-1234", "pr")
    ('02134', '00901')
    """
    text = _without_prefix(_EXPORTED.sub("", text.strip()), country)
    code = _NO_CODE.sub("", text)
    if country in _US:
        if match := _SHORT_ZIP.fullmatch(text.strip()):
            return match[1].zfill(5)
        return code[:5] if _FIVE.match(code) else None
    if country is None and _ZIP_PLUS_4.fullmatch(code):
        return code[:5]
    if country in _LENGTHS and code.isdigit() and len(code) == _LENGTHS[country] - 1:
        return code.zfill(_LENGTHS[country])
    return code or None


def _without_prefix(text: str, country: str | None) -> str:
    """Return a code without the sign of its country, where that is no part of it."""
    if country is None:
        match = _ANY_PREFIX.match(text)
        is_followed = match and text[match.end() : match.end() + 1].isdigit()
        return text[match.end() :] if match and is_followed else text
    if country in _OFFICIAL:
        return text
    if country in _CAR_SIGNS:
        signs = "|".join([country, *_CAR_SIGNS[country].split()])
        return re.sub(rf"^(?:{signs})[\s-]*(?=[0-9])", "", text)
    prefix, dash, rest = text.partition("-")
    return rest if dash and prefix.strip() == country else text
