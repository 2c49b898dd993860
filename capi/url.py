"""A page's URL without what may name a person, or open that person's documents."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from .reading import has_phone

_PARTS = re.compile(
    r"(https?://)([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL
)
# Without one of these, nothing in a URL can be personal.
_MARK = re.compile("[%+=@＋]")
_AT_SIGN = re.compile("@|%(?:25)*40")
_MAX_ENCODINGS = 3
# "+49+30+901820": between digits it is a space of a form.
_PLUS_INSIDE = re.compile(r"(?<=[0-9)])\+")
# A parameter's value may be another URL, with parameters of its own.
_NAMED_VALUE = re.compile(r"([^/?&#;=]+)=")
# The words of "first_name", "firstName", "E-Mail" and "partner[FIRST-NAME]".
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

# A parameter goes if a word of its name, or two in a row, are one of these. Not so:
# search and utm_*, which tell of no person; gender, city_id and the like, which shops
# filter their products by; key, code, hash, db and id, which mean too many things.
_PERSONAL = frozenset(
    """
    address birth birthdate birthday dob email emailaddress firstname fullname iban
    lastname login mail mobile mobilephone phone phonenumber postal postcode street
    surname tel telephone zip zipcode
    apikey otp passphrase passwd password pwd secret sessionid ssn token username
    contactname customername partnername yourname
    """.split()
)
# … or if this is the whole of it.
_PERSONAL_ALONE = frozenset("city name".split())
# Of names written in one word, such as useremail and accesstoken.
_PERSONAL_ENDS = ("email", "password", "token")


def without_personal_data(url: str) -> str:
    """Return a URL of http or https without its parts that may be personal or secret.

    Those are the user before its host; each segment of its path and each parameter
    that holds an ``@`` or an international phone number, or whose name says that it
    holds contact data or a password; and the fragment, if it is such a part. A segment
    has a name if it is like ``token=…``. All the rest stays byte for byte.

    >>> without_personal_data("https://shop.example/my/orders/7?access_token=x&page=2")
    'https://shop.example/my/orders/7?page=2'
    >>> without_personal_data("https://shop.example/u/jane@example.com/?search=desk#top")
    'https://shop.example/u/?search=desk#top'
    """
    match = _PARTS.fullmatch(url) if _MARK.search(url) else None
    if not match:
        return url
    scheme, host, path, query, fragment = match.groups(default="")
    query = "?" + query if match[4] is not None else ""
    if _is_personal(fragment):
        fragment = ""
    return "".join(
        (
            scheme,
            host.rpartition("@")[2],
            _impersonal(path, "/"),
            _impersonal_query(query),
            fragment,
        )
    )


def _impersonal_query(query: str) -> str:
    kept = _impersonal(query[1:], "&")
    return query[:1] + kept if kept or len(query) == 1 else ""


def _impersonal(text: str, separator: str) -> str:
    parts = text.split(separator)
    return separator.join(part for part in parts if not _is_personal(part))


def _is_personal(part: str) -> bool:
    """Tell whether a part of a URL may name a person, or be a secret of one."""
    if not _MARK.search(part):
        return False
    if _AT_SIGN.search(part):
        return True
    for _time in range(_MAX_ENCODINGS):
        part = unquote(part)
    return has_phone(_PLUS_INSIDE.sub(" ", part)) or any(
        map(_names_personal_data, _NAMED_VALUE.findall(part))
    )


def _names_personal_data(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if words[:1] == ["utm"]:
        return False
    whole = "".join(words)
    pairs = map("".join, zip(words, words[1:], strict=False))
    return (
        whole in _PERSONAL_ALONE
        or whole.endswith(_PERSONAL_ENDS)
        or not _PERSONAL.isdisjoint((*words, *pairs))
    )


def is_same_host(url: str | None, host: str) -> bool:
    """Tell whether a URL is one of ``host``.

    A proxy may cut the port off the host it passes on, so it counts only if known.

    >>> is_same_host("https://shop.example/cart", "shop.example:443")
    True
    >>> is_same_host("https://shop.example.org", "shop.example"), is_same_host("null", "")
    (False, False)
    """
    try:
        parts, own = urlsplit(url or ""), urlsplit(f"//{host}")
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.hostname == own.hostname
            and len({parts.port, own.port} - {None}) < 2
        )
    except ValueError:
        return False
