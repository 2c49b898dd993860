"""One normal form per piece of customer data, so that every channel gives one hash.

Meta finds a person by comparing SHA-256 digests, so one character too many loses the
match and one too few finds somebody else. Each function follows Meta's document where
it is clear; its docstring says where it is not, and what we do:
https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters

Every function returns None for what has no normal form. None of them raises, whatever
it is given, or keeps anything in memory.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date, datetime

import phonenumbers

from .places import COUNTRIES, STATES, US_NAMES

# What people and programs write into a field that they have to fill in.
EMPTY_WORDS = frozenset(
    "- -- . 0 ? false n/a n.a. nil none null undefined unknown".split()
)
EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()

# Meta's parameter builder appends eight characters, or one of six old pairs.
APPENDIX = r"\.(?:[\w-]{8}|AQ|Ag|Aw|BA|BQ|Bg)"
_DIGEST = re.compile(rf"([0-9a-f]{{64}})({APPENDIX})?", re.ASCII | re.IGNORECASE)

# Soft hyphen, zero-width and direction marks: copied along with text, never seen.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")

_ATOM = r"[^\s@<>()\[\],;:\\\".]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})+")

_STATE_PREFIX = re.compile(r"^(?:us|ca)-(?=[a-z]{2}$)")  # as in ISO 3166-2
_NO_ZIP = re.compile(r"[^0-9a-z]")
_US_ZIP = re.compile(r"[0-9]{5}")
_US_ZIP_PLUS_4 = re.compile(r"[0-9]{9}")

_ISO_DATE = re.compile(r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?:[T ].*)?")
_DAY_MONTH_YEAR = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")

_GENDERS = {
    "f": "f",
    "female": "f",
    "woman": "f",
    "m": "m",
    "male": "m",
    "man": "m",
}


def sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8, as Meta wants it: 64 lower-case digits.

    >>> sha256("john_smith@gmail.com")
    '62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def is_hashed(text: str) -> bool:
    """Tell whether a text is a SHA-256 digest already.

    Meta's parameter builder may have appended a mark to it, which Meta accepts. An MD5
    is not one: Meta's document knows SHA-256 only.

    >>> is_hashed("62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F")
    True
    >>> is_hashed(sha256("mary") + ".AQQCAQMC")
    True
    >>> is_hashed("d41d8cd98f00b204e9800998ecf8427e")
    False
    """
    return len(text) >= 64 and _DIGEST.fullmatch(text.strip()) is not None


def normalize_digest(text: str) -> str | None:
    """Return a digest in lower case, its mark as it was, or None if it is not one.

    The digest of nothing at all is none: every sender that hashes empty fields makes
    it, and it would tie all their customers together.

    >>> normalize_digest(" " + sha256("mary").upper() + ".AQQCAQMC")[-13:]
    'f4ec.AQQCAQMC'
    >>> normalize_digest(sha256("")) is None
    True
    """
    match = _DIGEST.fullmatch(text.strip())
    if not match or match[1].lower() == EMPTY_DIGEST:
        return None
    return match[1].lower() + (match[2] or "")


def normalize_email(value: str) -> str | None:
    """Return an address trimmed and in lower case.

    Dots and ``+tags`` stay, also for Gmail, and so do international domains. A display
    name is no part of an address: what carries one is dropped, not repaired.

    >>> normalize_email("  John_Smith@Gmail.com ")
    'john_smith@gmail.com'
    >>> normalize_email("Jane <jane@example.com>") is None
    True
    """
    text = _clean(value)
    return text if _EMAIL.fullmatch(text) else None


def normalize_phone(value: str, country: str | None = None) -> str | None:
    """Return the digits of a number's international form, or None if it is unknown.

    :param country: ISO 3166-1 alpha-2 of the country to read a national number in.
        Without one, only a number that begins with ``+`` or ``00`` is readable: a guess
        would give a hash that looks right and matches nobody, or somebody else.

    The trunk zero and the extension are no part of it. A national number must be valid
    in its country; an international one only of a possible length, because the library
    may not yet know a new range.

    >>> normalize_phone("+1 (650) 555-1212")
    '16505551212'
    >>> normalize_phone("+49 (0)30 901820") == normalize_phone("030 / 901820", "DE")
    True
    >>> normalize_phone("030 901820") is None
    True
    """
    text = _clean(value)
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, country and country.strip().upper())
    except phonenumbers.NumberParseException:
        return None
    if text.startswith("+"):
        exists = phonenumbers.is_possible_number(number)
    else:
        exists = phonenumbers.is_valid_number(number)
    if not exists:
        return None
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"


def normalize_name(value: str) -> str | None:
    """Return a first or last name in lower case, without punctuation and white space.

    Letters of every script stay as they are, accents included. Meta's libraries differ
    on ``O'Brien`` and ``Mary Ann``; its document says no punctuation and is silent on
    spaces, where we follow its parameter builder and take them out.

    >>> normalize_name("  Valéry "), normalize_name("O'Brien"), normalize_name("정")
    ('valéry', 'obrien', '정')
    """
    text = _clean(value)
    if not text.isalpha():
        text = "".join(c for c in text if c.isnumeric() or _is_letter(c))
    return text if any(map(str.isalpha, text)) else None


def normalize_city(value: str) -> str | None:
    """Return a city in lower case, its letters only.

    The document asks both for "no special characters" and for UTF-8 where there are
    any: the letters with accents are kept, as the name's are.

    >>> normalize_city("São Paulo"), normalize_city("Saint-Étienne 42")
    ('sãopaulo', 'saintétienne')
    >>> normalize_city("75018") is None
    True
    """
    text = _clean(value)
    if not text.isalpha():
        text = "".join(filter(_is_letter, text))
    return text if any(map(str.isalpha, text)) else None


def normalize_state(value: str, country: str | None = None) -> str | None:
    """Return a state: two letters in the US and Canada, else its name squeezed.

    :param country: ISO 3166-1 alpha-2, in any case. Without one, a name that is a US
        state's or a Canadian province's is taken for it.

    >>> normalize_state("California", "US"), normalize_state("US-CA")
    ('ca', 'ca')
    >>> normalize_state("New South Wales", "AU"), normalize_state("Georgia", "GE")
    ('newsouthwales', 'georgia')
    """
    name = normalize_name(_STATE_PREFIX.sub("", _clean(value)))
    names = STATES.get(country.strip().lower() if country else None, {})
    return names.get(name, name) if name else None


def normalize_zip(value: str, country: str | None = None) -> str | None:
    """Return a postal code in lower case, its letters and digits only.

    :param country: ISO 3166-1 alpha-2, in any case. A US code is cut to five digits;
        without a country, only one of five and four digits is taken for a US one.

    Meta's libraries cut every country's code at its dash, which leaves ``00`` of the
    Polish ``00-950``; its document says to leave the dash out.

    >>> normalize_zip("94035-1234", "US"), normalize_zip("00-950", "PL")
    ('94035', '00950')
    >>> normalize_zip("M1 1AE")
    'm11ae'
    """
    text = _NO_ZIP.sub("", unicodedata.normalize("NFKC", _clean(value)))
    country = country and country.strip().lower()
    if country == "us":
        return text[:5] if _US_ZIP.match(text) else None
    if not country and _US_ZIP_PLUS_4.fullmatch(text):
        return text[:5]
    return text or None


def normalize_country(value: str | None) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country in lower case.

    Of names, which differ from language to language, only the English ones of the US
    are read: Meta's document gives one as its example.

    >>> normalize_country(" US "), normalize_country("United States")
    ('us', 'us')
    >>> normalize_country("Germany") is None
    True
    """
    text = _clean(value)
    if text in COUNTRIES:
        return text
    return "us" if normalize_name(text) in US_NAMES else None


def normalize_birth_date(value: str | date) -> str | None:
    """Return a birthday as ``YYYYMMDD``, between 1900 and today.

    A text is ISO's, or has the day and the month in either order where only one can be
    meant. ``1/2/1997`` is two days to two readers, hence none.

    >>> normalize_birth_date("1997-02-16"), normalize_birth_date("16.02.1997")
    ('19970216', '19970216')
    >>> normalize_birth_date("1/2/1997") is None
    True
    """
    born = value if isinstance(value, date) else _read_date(_clean(value))
    if isinstance(born, datetime):
        born = born.date()
    if born is None or not date(1900, 1, 1) <= born <= date.today():
        return None
    return f"{born:%Y%m%d}"


def normalize_gender(value: str) -> str | None:
    """Return ``f`` or ``m``, from the initial or the English word.

    >>> normalize_gender("Female"), normalize_gender("M"), normalize_gender("other")
    ('f', 'm', None)
    """
    return _GENDERS.get(_clean(value))


def normalize_external_id(value: str) -> str | None:
    """Return an id of the shop's own in lower case, without white space.

    Meta asks only that all channels give the same value, and its libraries differ. This
    is the form of its parameter builder, which also serves the browser.

    >>> normalize_external_id(" Customer 42 ")
    'customer42'
    """
    return "".join(_clean(value).split()) or None


def _clean(value: object) -> str:
    """Return the text that a person meant, in lower case; empty if there is none."""
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        if _UNREADABLE.search(value):
            return ""
        value = _INVISIBLE.sub("", value)
    text = unicodedata.normalize("NFC", value.lower()).strip()
    return "" if text in EMPTY_WORDS else text


def _is_letter(char: str) -> bool:
    """Tell whether a character is a letter, or a mark that belongs to one.

    Many scripts write their vowels as marks, which ``str.isalpha`` does not count.
    """
    return char.isalpha() or unicodedata.category(char)[0] == "M"


def _read_date(text: str) -> date | None:
    """Return the one day that a text can mean, or None."""
    if match := _ISO_DATE.fullmatch(text.upper()):
        year, _separator, month, day = match.groups()
        readings = [(year, month, day)]
    elif match := _DAY_MONTH_YEAR.fullmatch(text):
        first, second, year = match.groups()
        readings = [(year, second, first), (year, first, second)]
    else:
        return None
    days = set()
    for reading in readings:
        try:
            days.add(date(*map(int, reading)))
        except ValueError:  # the thirteenth month, or the like
            continue
    return days.pop() if len(days) == 1 else None
