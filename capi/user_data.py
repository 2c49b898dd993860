"""The customer's data of an event: hashed where Meta wants it, untouched elsewhere.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

from . import normalize
from .browser import is_browser_id
from .const import BROAD_USER_DATA, MAX_VALUES
from .countries import COUNTRIES, normalize_country
from .emails import normalize_emails
from .errors import InvalidParameter
from .genders import normalize_gender
from .phone import normalize_phones
from .postcodes import normalize_zip
from .reading import Problems, is_absent, read_mapping, read_number, read_text, shown
from .text import codes_by_name

Normalizer = Callable[[Any], str | list[str] | None]

_NORMALIZERS: dict[str, Normalizer] = {
    "em": normalize_emails,
    "fn": normalize.normalize_name,
    "ln": normalize.normalize_name,
    "ge": normalize_gender,
    "ct": normalize.normalize_city,
    "country": normalize_country,
    "external_id": normalize.normalize_external_id,
    # Not documented, but hashed like this by Meta's own libraries.
    "dobd": partial(normalize.normalize_number, least=1, most=31, digits=2),
    "dobm": partial(normalize.normalize_number, least=1, most=12, digits=2),
    "doby": partial(normalize.normalize_number, least=1900, most=9999, digits=4),
    "f5first": partial(normalize.normalize_initials, length=5),
    "f5last": partial(normalize.normalize_initials, length=5),
    "fi": partial(normalize.normalize_initials, length=1),
}
_COUNTRY_OF_DIGEST = {normalize.sha256(country): country for country in COUNTRIES}

# What Meta's libraries and its Pixel call some of the keys.
_OTHER_NAMES = codes_by_name(
    {
        "fbp": "browser_id",
        "fbc": "click_id",
        "ct": "cities city",
        "country": "country_code country_codes",
        "db": "date_of_birth dates_of_birth",
        "em": "email emails",
        "external_id": "external_ids",
        "fn": "first_name first_names",
        "ge": "gen gender genders",
        "ln": "last_name last_names",
        "ph": "phone phones",
        "st": "state states",
        "zp": "zip zip_code zip_codes",
    }
)


def by_own_names(user_data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``user_data`` with each key called as Meta's document does.

    >>> by_own_names({"email": "jane@example.com", "ph": "+49 30 901820"})
    {'em': 'jane@example.com', 'ph': '+49 30 901820'}
    """
    if _OTHER_NAMES.keys().isdisjoint(user_data):
        return dict(user_data)
    named = {}
    for key, value in user_data.items():
        name = _OTHER_NAMES.get(key, key)
        if name == key or name not in user_data:
            named[name] = value
    return named


def read_user_data(
    field: str, value: object, default_country: str | None, problems: Problems
) -> dict[str, Any]:
    """Return ``user_data`` as it is sent.

    A value that has no normal form is left out: it could not match anybody. So is a key
    that is unknown, or holds something other than text; ``problems`` names those.

    :param default_country: ISO 3166-1 alpha-2 of the country to read a national phone
        number in, where ``user_data`` names none itself.
    :raises InvalidParameter: it is no dictionary
    """
    if is_absent(value):
        return {}
    given = by_own_names(read_mapping(field, value))
    country = _country_of(given.get("country"))
    by_country: dict[str, Normalizer] = {
        "db": partial(normalize.normalize_birth_date, country=country),
        "ph": partial(normalize_phones, country=country or default_country),
        "st": partial(normalize.normalize_state, country=country),
        "zp": partial(normalize_zip, country=country),
    }
    user_data = {}
    for key, content in given.items():
        inner = f"{field}.{key}"
        if normalizer := by_country.get(key) or _NORMALIZERS.get(key):
            found = problems.read_optional(
                inner, _hash, inner, content, normalizer, problems
            )
        elif key in _READERS:
            found = problems.read_optional(inner, _READERS[key], inner, content)
        else:
            problems.leave_out(f"{field}.{shown(key)}", "is not a key of user_data")
            continue
        if found is not None:
            user_data[key] = found
    return user_data


def needs_country(user_data: Mapping[str, Any]) -> bool:
    """Tell whether the default country of ``read_user_data`` makes a difference.

    >>> needs_country({"ph": "030 901820"}), needs_country({"em": "jane@example.com"})
    (True, False)
    >>> needs_country({"ph": "030 901820", "country": "DE"})
    False
    """
    given = by_own_names(user_data)
    return "ph" in given and not _country_of(given.get("country"))


def is_too_broad(user_data: dict[str, Any]) -> bool:
    """Tell whether Meta refuses ``user_data`` because it could be anybody's.

    >>> is_too_broad({}), is_too_broad({"ct": "…", "zp": "…"})
    (True, True)
    >>> is_too_broad({"ct": "…", "em": "…"})
    False
    """
    return any(user_data.keys() <= broad for broad in BROAD_USER_DATA)


def _country_of(value: object) -> str | None:
    """Return the first country that ``country`` names, or None.

    There are few enough countries to know one by its digest.
    """
    if type(value) is str and value.lower() in COUNTRIES:  # as most are
        return value.lower()
    problems = Problems()  # noted when its turn comes
    digests = problems.read_optional(
        "country", _hash, "country", value, normalize_country, problems
    )
    if isinstance(digests, list):
        digests = digests[0]
    return _COUNTRY_OF_DIGEST.get(digests[:64]) if digests else None


def _hash(
    field: str, value: object, normalizer: Normalizer, problems: Problems
) -> str | list[str] | None:
    """Return the digest of a value, a list of those of several, None of nothing."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        found = _hash_one(field, value, normalizer)
        return found[0] if len(found) == 1 else found or None
    if len(value) > MAX_VALUES:
        raise InvalidParameter(field, f"has more than {MAX_VALUES} values")
    found = [
        digest
        for item in value
        for digest in problems.read_optional(
            field, _hash_one, field, item, normalizer, default=()
        )
    ]
    return list(dict.fromkeys(found)) or None


def _hash_one(field: str, value: object, normalizer: Normalizer) -> list[str]:
    """Return the digests of what a single value tells; most tell one thing."""
    if is_absent(value):
        return []
    if isinstance(value, str):
        text: Any = read_text(field, value)
        if normalize.is_hashed(text):
            digest = normalize.normalize_digest(text)
            return [digest] if digest else []
    elif isinstance(value, date) and field.endswith(".db"):
        text = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        # Of whole numbers, a spreadsheet makes decimal ones.
        number = read_number(field, value)
        if number != int(number):
            raise InvalidParameter(field, "must be a text")
        text = str(int(number))
    else:
        text = read_text(field, value)
    found = normalizer(text)
    if isinstance(found, list):
        return [normalize.sha256(each) for each in found]
    return [normalize.sha256(found)] if found else []


# https://www.iana.org/assignments/iana-ipv4-special-registry: not for the public.
_NOT_PUBLIC = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
    192.0.0.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/3
""".split()
_ENDS = [
    end
    for network in map(IPv4Network, _NOT_PUBLIC)
    for end in (int(network[0]), int(network[-1]) + 1)
]
_APPENDIX = re.compile(rf"{normalize.APPENDIX}$", re.ASCII)


def _read_unhashed(field: str, value: object) -> str | None:
    """Return a text untouched; None for one that was hashed by mistake."""
    if is_absent(value):
        return None
    text = read_text(field, value)
    return None if normalize.is_hashed(text) else text


def _read_address(field: str, value: object) -> str | None:
    """Return the address of a browser; None for what is none, or nobody's alone."""
    text = _read_unhashed(field, value)
    address = _APPENDIX.sub("", text or "")
    try:
        # Of itself ip_address would try both, and make an error of the one it is not.
        found = (IPv6Address if ":" in address else IPv4Address)(address)
    except ValueError:
        return None
    return text if _is_of_a_browser(found) else None


def _is_of_a_browser(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address can be one by which a browser is known outside.

    Those kept for documentation are nobody's, and harmless in examples.
    """
    if isinstance(address, IPv6Address):
        if not address.ipv4_mapped:
            return int(address) >> 125 == 1  # 2000::/3, all that is given out
        address = address.ipv4_mapped
    # An odd number of ends is behind us inside a range.
    return bisect_right(_ENDS, int(address)) % 2 == 0


def _read_cookie(field: str, value: object) -> str | None:
    """Return the value of ``_fbc`` or ``_fbp``, None if it is malformed.

    It is never repaired: a guess would tie the event to another click.
    """
    text = _read_unhashed(field, value)
    return text if is_browser_id(text) else None


def _read_meta_id(field: str, value: object) -> str | int | None:
    """Return an id of Meta's own, text or number as it was given."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(read_number(field, value))
    return _read_unhashed(field, value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "client_ip_address": _read_address,
    "client_user_agent": _read_unhashed,
    "fbc": _read_cookie,
    "fbp": _read_cookie,
    **dict.fromkeys(
        """
        anon_id app_user_id ctwa_clid fb_login_id ig_account_id ig_sid lead_id madid
        page_id page_scoped_user_id partner_id partner_name subscription_id
        whatsapp_business_account_id
        """.split(),
        _read_meta_id,
    ),
}
