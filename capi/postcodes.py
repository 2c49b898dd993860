"""Postal codes, in the form that their country's post writes them without signs."""

from __future__ import annotations

import re

from .text import compatible

_NO_CODE = re.compile(r"[^0-9a-z]")
_FIVE = re.compile(r"[0-9]{5}")
_ZIP_PLUS_4 = re.compile(r"[0-9]{9}")
# As spreadsheets write a number: "10115.0".
_EXPORTED = re.compile(r"(?<=[0-9]{3})\.0$")
# The zeros at the front of New England's and Puerto Rico's.
_SHORT_ZIP = re.compile(r"([0-9]{3,4})(?:\s*-\s*[0-9]{4})?")
# What the number is called, before it.
_LABEL = re.compile(
    r"^(?:c\.?\s?p\.?|p\.?\s?l\.?\s?z\.?|zip(?:\s?code)?|pin(?:\s?code)?|cep|cap|psč"
    r"|irsz\.?|post(?:al)?\s?code|postnr\.?|code\s+postal|código\s+postal|〒)"
    r"[\s.:#-]*(?=[0-9])"
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_REMARK = re.compile(r"\([^()0-9]*\)")
# No post writes four letters together but that of British territories.
_NO_PLACE = re.compile(r"(?![a-z]{4}1zz$).*[a-z]{4}")

# Countries and territories that the US Postal Service serves.
_US = frozenset("us as fm gu mh mp pr pw um vi".split())
_FRENCH = "bl gf gp mf mq nc pf pm re wf yt"
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
    **dict.fromkeys(_FRENCH.split(), "fr f"),
}
# Elsewhere as well, a country's own code before a dash is none of its post's.
_OFFICIAL = frozenset("ad az bb bn ky lt lv md ms mt tc vc vg".split())
# Where the official form is the country's code and so many digits, which many leave out.
_OFFICIAL_DIGITS = {"ad": 3, "az": 4, "bb": 5, "lt": 5, "lv": 4, "md": 4}
_ANY_PREFIX = re.compile(r"(?:a|b|ch|d|dk|e|f|fin|i|l|n|nl|p|s|se|fi|de|fr|at|be|lu)-")

# Codes that may begin with a zero, which spreadsheets take away, or with two.
_ZERO = frozenset("au br cn de es fr hr kr mx my no nz ro sg tr ua".split())
_TWO_ZEROS = frozenset("fi it jp za".split())
# How many digits a code has, where it has nothing else.
_DIGITS = {
    **dict.fromkeys("fo is".split(), (3,)),
    **dict.fromkeys(
        "al am at au bd be bg ch cy dk ge gl hu li lu mk no nz ph si tn za".split(),
        (4,),
    ),
    **dict.fromkeys(
        "ba cr cu cz de dz ee eg es fi fr gr gt hr id iq it jo ke kr kw lk ma mc me mm"
        f" mx my np pe pk pl rs sa sd se sk sm th tr ua uy va xk zm {_FRENCH}".split(),
        (5,),
    ),
    **dict.fromkeys("by cn co ec in kg kz ng ro ru sg tj tm uz vn".split(), (6,)),
    **dict.fromkeys("cl il jp".split(), (7,)),
    "br": (8,),
    **{country: (length,) for country, length in _OFFICIAL_DIGITS.items()},
    "ir": (10,),
    "pt": (7, 4),
    "tw": (6, 5, 3),
}
# Where it has letters, too.
_FORMS = {
    **dict.fromkeys(
        "gb gg im je".split(), r"[a-z]{1,2}[0-9][a-z0-9]?\s?[0-9][a-z]{2}(?![a-z])"
    ),
    "ca": r"[a-z][0-9][a-z][\s-]?[0-9][a-z][0-9]",
    "ie": r"[a-z][0-9][0-9w]\s?[a-z0-9]{4}",
    "mt": r"[a-z]{3}\s?[0-9]{4}",
    "nl": r"[0-9]{4}\s?[a-z]{2}(?![a-z])",
    **dict.fromkeys(_US, r"(?<![0-9])[0-9]{5}(?:[\s-]?[0-9]{4})?(?![0-9])"),
}


def normalize_zip(value: str, country: str | None = None) -> str | None:
    """Return a postal code in lower case, its letters and digits only, or None.

    :param country: ISO 3166-1 alpha-2, in any case. A US code is cut to five digits;
        without a country, only one of five and four digits is taken for a US one. A
        country's prefix (``D-``) is left out unless it is official, and a zero that a
        spreadsheet has taken from the front is put back.

    Meta's libraries cut every country's code at its dash, which leaves ``00`` of the
    Polish ``00-950``; its document says to leave the dash out.

    >>> normalize_zip("SE-111 22", "SE"), normalize_zip("lv-1010", "LV")
    ('11122', 'lv1010')
    >>> normalize_zip("2134", "US"), normalize_zip("00901-1234", "pr")
    ('02134', '00901')
    >>> normalize_zip("75001 Paris Cedex 08", "FR"), normalize_zip("keine", "de")
    ('75001', None)
    """
    country = country.strip().lower() if country else None
    text = _REMARK.sub("", compatible(value))
    text = _LABEL.sub("", _EXPORTED.sub("", text.strip()))
    text = _of_place(_without_prefix(text, country), country)
    code = _NO_CODE.sub("", text)
    if not code.strip("0") or code.isalpha() or _NO_PLACE.match(code):
        return None
    if country in _US:
        if match := _SHORT_ZIP.fullmatch(text.strip()):
            return match[1].zfill(5)
        return code[:5] if _FIVE.match(code) else None
    if country is None and _ZIP_PLUS_4.fullmatch(code):
        return code[:5]
    if country in _OFFICIAL_DIGITS and code.isdigit():
        return country + code if len(code) == _OFFICIAL_DIGITS[country] else None
    if code.isdigit() and (country in _ZERO or country in _TWO_ZEROS):
        length, lost = _DIGITS[country][0], 2 if country in _TWO_ZEROS else 1
        if length - lost <= len(code):
            return code.zfill(length)
    return code


def _of_place(text: str, country: str | None) -> str:
    """Return the code of a text that names the town or the state as well.

    Empty where it has none, or more than one, of its country's form.
    """
    if not _WORD.search(text):
        return text
    if country in _FORMS:
        if re.fullmatch(_FORMS[country], text):
            return text
        found = set(re.findall(_FORMS[country], text))
        return found.pop() if len(found) == 1 else ""
    for length in _DIGITS.get(country or "", ()):
        form = rf"(?<![0-9])[0-9](?:[\s-]?[0-9]){{{length - 1}}}(?![0-9])"
        if found := set(re.findall(form, text)):
            return found.pop() if len(found) == 1 else ""
    return "" if country in _DIGITS else text


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
