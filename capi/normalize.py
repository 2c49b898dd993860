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
from datetime import date, datetime

from .dates import read_day
from .places import state_code
from .text import clean, compatible, squeeze

EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()

# Meta's parameter builder appends eight characters, or one of six old pairs.
APPENDIX = r"\.(?:[\w-]{8}|AQ|Ag|Aw|BA|BQ|Bg)"
_DIGEST = re.compile(rf"([0-9a-f]{{64}})({APPENDIX})?", re.ASCII | re.IGNORECASE)

_NUMBER = re.compile(r"[0-9]{1,4}")
_STATE_COUNTRY = re.compile(r"\s*\([a-z]{2}\)$")
_STATE_PREFIX = re.compile(r"^(?:us|ca)-(?=[a-z]{2}$)")  # as in ISO 3166-2


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


def normalize_name(value: str) -> str | None:
    """Return a first or last name in lower case, without punctuation and white space.

    Letters of every script stay as they are, accents included. Meta's libraries differ
    on ``O'Brien`` and ``Mary Ann``; its document says no punctuation and is silent on
    spaces, where we follow its parameter builder and take them out.

    Of the forms of a letter that differ by Unicode's count only, one is kept: NFKC is
    applied to letters and digits. It changes none of those that Meta's document shows,
    and makes one of what different keyboards write for the same name.

    >>> normalize_name("  Valéry "), normalize_name("O'Brien"), normalize_name("정")
    ('valéry', 'obrien', '정')
    >>> normalize_name("Марʼяна") == normalize_name("Мар'яна")
    True
    """
    text = squeeze(clean(value), digits=True)
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
    text = squeeze(clean(value), digits=False)
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
    text = clean(value)
    code = country.strip().lower() if country else None
    if found := state_code(text, code):
        return found
    if code in ("us", "ca"):
        return None
    # As address forms show a state: "Bayern (DE)".
    text = _STATE_COUNTRY.sub("", text)
    return normalize_name(_STATE_PREFIX.sub("", text))


def normalize_birth_date(value: str | date, country: str | None = None) -> str | None:
    """Return a birthday as ``YYYYMMDD``, between 1900 and today.

    :param country: the person's, ISO 3166-1 alpha-2, in any case. It tells whether
        ``1/2/1997`` is in January or February; without one, and where both orders are
        in use, that is two days to two readers, hence none.

    >>> normalize_birth_date("1997-02-16"), normalize_birth_date("16 Feb 1997")
    ('19970216', '19970216')
    >>> normalize_birth_date("1/2/1997") is None
    True
    """
    born = value if isinstance(value, date) else None
    if born is None:
        code = country.strip().lower() if country else None
        born = read_day(compatible(value), code)
    if isinstance(born, datetime):
        born = born.date()
    if born is None or not date(1900, 1, 1) <= born <= date.today():
        return None
    return f"{born:%Y%m%d}"


def normalize_external_id(value: str) -> str | None:
    """Return an id of the shop's own in lower case, without white space.

    Meta asks only that all channels give the same value, and its libraries differ. This
    is the form of its parameter builder, which also serves the browser.

    >>> normalize_external_id(" Customer 42 ")
    'customer42'
    """
    return "".join(clean(value).split()) or None


def normalize_number(value: str, least: int, most: int, digits: int) -> str | None:
    """Return a part of a birthday, a day for one, with its zero in front.

    >>> normalize_number("7", least=1, most=31, digits=2)
    '07'
    """
    text = compatible(value)
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        return None
    return f"{int(text):0{digits}}"


def normalize_initials(value: str, length: int) -> str | None:
    """Return the first letters of a name.

    >>> normalize_initials("O'Brien", 5), normalize_initials("Jane", 1)
    ('obrie', 'j')
    """
    name = normalize_name(value)
    return name and name[:length]
