"""The customer's data of an event: hashed where Meta wants it, untouched elsewhere.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from . import normalize
from .browser import is_browser_id
from .const import BROAD_USER_DATA, MAX_VALUES
from .errors import InvalidParameter
from .places import COUNTRIES
from .reading import (
    Problems,
    is_absent,
    read_mapping,
    read_number,
    read_text,
    shown,
)

Normalizer = Callable[[Any], str | None]

_NORMALIZERS: dict[str, Normalizer] = {
    "em": normalize.normalize_email,
    "fn": normalize.normalize_name,
    "ln": normalize.normalize_name,
    "ge": normalize.normalize_gender,
    "db": normalize.normalize_birth_date,
    "ct": normalize.normalize_city,
    "country": normalize.normalize_country,
    "external_id": normalize.normalize_external_id,
}
_COUNTRY_OF_DIGEST = {normalize.sha256(country): country for country in COUNTRIES}


def read_user_data(
    field: str, value: object, default_country: str | None, problems: Problems
) -> dict[str, Any]:
    """Return ``user_data`` as it is sent.

    A value that has no normal form is left out: it could not match anybody. A key that
    is unknown, or holds something other than text, is noted as a problem.

    :param default_country: ISO 3166-1 alpha-2 of the country to read a national phone
        number in, where ``user_data`` names none itself.
    :raises InvalidParameter: it is no dictionary
    """
    if is_absent(value):
        return {}
    given = read_mapping(field, value)
    country = _country_of(given.get("country"))
    normalizers = _NORMALIZERS | {
        "ph": partial(normalize.normalize_phone, country=country or default_country),
        "st": partial(normalize.normalize_state, country=country),
        "zp": partial(normalize.normalize_zip, country=country),
    }
    user_data = {}
    for key, content in given.items():
        inner = f"{field}.{key}"
        if key in normalizers:
            found = problems.read(inner, _hash, inner, content, normalizers[key])
        elif key in _READERS:
            found = problems.read(inner, _READERS[key], inner, content)
        else:
            problems.note(f"{field}.{shown(key)}", "is not a key of user_data")
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
    return "ph" in user_data and not _country_of(user_data.get("country"))


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
    field = "user_data.country"  # its problems are noted when its turn comes
    digests = Problems().read(field, _hash, field, value, normalize.normalize_country)
    if isinstance(digests, list):
        digests = digests[0]
    return _COUNTRY_OF_DIGEST.get(digests[:64]) if digests else None


def _hash(field: str, value: object, normalizer: Normalizer) -> str | list[str] | None:
    """Return the digest of a value, a list of those of several, None of nothing."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return _hash_one(field, value, normalizer)
    if len(value) > MAX_VALUES:
        raise InvalidParameter(field, f"has more than {MAX_VALUES} values")
    found = [_hash_one(field, item, normalizer) for item in value]
    return list(dict.fromkeys(filter(None, found))) or None


def _hash_one(field: str, value: object, normalizer: Normalizer) -> str | None:
    if is_absent(value):
        return None
    text: str | None
    if isinstance(value, str):
        text = read_text(field, value)
    elif isinstance(value, date) and normalizer is normalize.normalize_birth_date:
        text = normalizer(value)
        return text and normalize.sha256(text)
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(read_number(field, value))
    else:
        text = read_text(field, value)
    if normalize.is_hashed(text):
        return normalize.normalize_digest(text)
    text = normalizer(text)
    return text and normalize.sha256(text)


_APPENDIX = re.compile(rf"{normalize.APPENDIX}$", re.ASCII)


def _read_unhashed(field: str, value: object) -> str | None:
    """Return a text untouched; None for one that was hashed by mistake."""
    if is_absent(value):
        return None
    text = read_text(field, value)
    return None if normalize.is_hashed(text) else text


def _read_address(field: str, value: object) -> str | None:
    """Return the address of a browser, None for what is none."""
    text = _read_unhashed(field, value)
    address = _APPENDIX.sub("", text or "")
    try:
        # Of itself ip_address would try both, and make an error of the one it is not.
        (IPv6Address if ":" in address else IPv4Address)(address)
    except ValueError:
        return None
    return text


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
    "anon_id": _read_meta_id,
    "ctwa_clid": _read_meta_id,
    "fb_login_id": _read_meta_id,
    "ig_account_id": _read_meta_id,
    "ig_sid": _read_meta_id,
    "lead_id": _read_meta_id,
    "madid": _read_meta_id,
    "page_id": _read_meta_id,
    "page_scoped_user_id": _read_meta_id,
    "subscription_id": _read_meta_id,
    "whatsapp_business_account_id": _read_meta_id,
}
