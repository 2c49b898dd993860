"""What a browser's request tells: its public address, and the Pixel's two cookies.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/fbp-and-fbc

Pure functions, none of which raises, whatever a request brings along.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from random import SystemRandom
from urllib.parse import unquote

from .const import (
    FLAT_COUNTRIES,
    MAX_FBCLID_LENGTH,
    PUBLIC_SUFFIXES,
    SECOND_LEVEL_LABELS,
)
from .normalize import APPENDIX

# {DOCS}/parameters/fbp-and-fbc: "90 days", for both cookies; seconds.
COOKIE_MAX_AGE = 90 * 24 * 3600

# Version, subdomain index, milliseconds, and the random number or click ID, whose case
# matters. Meta's parameter builder adds a fifth part.
_BROWSER_ID = re.compile(
    rf"fb\.[0-9]+\.[0-9]{{13}}\.([!-\-/-~]+)({APPENDIX})?", re.ASCII
)
_MARK = re.compile(rf"{APPENDIX}$", re.ASCII)
# With the longest click ID and every mark: what is longer, no library has made.
_MAX_BROWSER_ID_LENGTH = MAX_FBCLID_LENGTH + 60
# What both a cookie (RFC 6265, cookie-octet) and the fourth part above may hold.
_FBCLID = re.compile(rf"[!#-+\-/-:<-\[\]-~]{{1,{MAX_FBCLID_LENGTH}}}")

# Ten digits, as Meta's libraries make them; the end is their limit.
_MIN_RANDOM, _MAX_RANDOM = 10**9, 2**31 - 1
_random_integer = SystemRandom().randint

# IANA has given out nothing else to the public yet.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_DOCUMENTATION = IPv6Network("3fff::/20")  # of 2024, newer than many a Python

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_HOST_LENGTH = 253
_PORT = re.compile(r":[0-9]{0,5}$")


def public_address(*candidates: str | None) -> str | None:
    """Return the address to tell Meta as the browser's, in its canonical form.

    That is the first public IPv6 address among the candidates, else the first public
    IPv4 address, else None. Meta prefers IPv6, and a private address, or that of the
    shop's own proxy, would match nobody. An IPv4 address mapped into IPv6 is the IPv4
    address. With a bracket, a port or a zone it is no address, and not repaired.

    >>> public_address("8.8.8.8", "2A00:1450:4001:0::200e")
    '2a00:1450:4001::200e'
    >>> public_address("192.168.1.2", None, "::ffff:8.8.8.8")
    '8.8.8.8'
    >>> public_address("10.0.0.1", "fe80::1%eth0", "unknown") is None
    True
    """
    public = [address for text in candidates if (address := _read_public(text))]
    public.sort(key=lambda address: -address.version)  # stable: the first stays first
    return str(public[0]) if public else None


def address_of_cookie(cookie: str | None) -> str | None:
    """Return the address that Meta's parameter builder has put into ``_fbi``, or None.

    What its script finds out is the browser's IPv6 address, also where the request
    comes by IPv4. The builder marks it like its other values.

    >>> address_of_cookie("2a00:1450:4001::200e.AQICAQMC")
    '2a00:1450:4001::200e'
    """
    return _MARK.sub("", cookie) if isinstance(cookie, str) else None


def _read_public(text: object) -> IPv4Address | IPv6Address | None:
    if not isinstance(text, str):  # a number would be read as an address, too
        return None
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if not address.ipv4_mapped:
            return address if _is_public_v6(address) else None
        address = address.ipv4_mapped
    # Python counts most of the multicast addresses as global.
    return address if address.is_global and not address.is_multicast else None


def _is_public_v6(address: IPv6Address) -> bool:
    return (
        address.is_global
        and address in _GLOBAL_UNICAST
        and address not in _DOCUMENTATION
        and not address.scope_id
    )


def cookie_domain(host: str) -> tuple[str | None, int]:
    """Return the domain to set ``_fbc`` and ``_fbp`` on, and their subdomain index.

    The domain is the one the shop has registered, so that the Pixel and all of the
    shop's hosts share the cookies. None means to set no ``Domain`` at all, which keeps
    a cookie to its host.

    The index is what Meta calls the number of labels of that domain, less one: ``com``
    is 0, ``example.com`` 1, ``www.example.com`` 2. Of a cookie without a domain it is
    the host's own, and 1 at least, also for an IP address: 1 is what Meta wants of a
    server that cannot tell.

    Which domains are shared by strangers is known to long lists only, such as the Public
    Suffix List. Neither Python nor a library that the addon requires brings one, so the
    rule is our own: a label right below the top that is short, or a word such as
    ``info`` below a country's, is taken for such a domain; and in most countries, where
    towns can be such domains, nothing but ``www`` is cut off a host. A domain thus comes
    out too narrow now and then, and its cookie still serves the host. Too broad a one
    would be refused by browsers, or shared with strangers.

    >>> cookie_domain("www.example.com"), cookie_domain("shop.example.co.uk:8069")
    (('example.com', 1), ('example.co.uk', 2))
    >>> cookie_domain("my-shop.myshopify.com"), cookie_domain("localhost")
    ((None, 2), (None, 1))
    """
    labels = _labels_of(host)
    if not labels:
        return None, 1
    domain = None
    # With the final dot it is another host, which no domain covers.
    if labels[-1] and not _is_shared(labels):
        count = _registrable_count(labels)
        if count <= len(labels):
            domain = ".".join(labels[-count:])
            labels = labels[-count:]
    return domain, max(len([label for label in labels if label]) - 1, 1)


def _labels_of(host: object) -> list[str]:
    """Return the labels of a host's name in ASCII and lower case.

    The last one is empty if the name has a final dot. An IP address, and whatever is
    no name of a host, has none.
    """
    name = _PORT.sub("", host.strip()).lower() if isinstance(host, str) else ""
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return []
    labels = name.split(".")
    named = labels if labels[-1] else labels[:-1]
    if len(name) > _MAX_HOST_LENGTH or not all(map(_LABEL.fullmatch, named)):
        return []
    # No top-level domain begins with a digit, a part of every way to write IPv4 does.
    return labels if named and not named[-1][0].isdigit() else []


def _is_shared(labels: list[str]) -> bool:
    """Tell whether strangers have the neighbouring names of a host."""
    return any(
        ".".join(labels[start:]) in PUBLIC_SUFFIXES for start in range(len(labels))
    )


def _registrable_count(labels: list[str]) -> int:
    """Return how many of a host's labels certainly are a domain of its owner's alone."""
    top, second = labels[-1], labels[-2] if len(labels) > 1 else ""
    if len(top) > 2 and not top.startswith("xn--"):
        return 3 if len(second) <= 2 else 2  # uk.com
    count = 3 if len(second) <= 3 or second in SECOND_LEVEL_LABELS else 2
    if top in FLAT_COUNTRIES:
        return count
    return max(count, len(labels) - (labels[0] == "www"))


def read_fbclid(url: str | None) -> str | None:
    """Return the click ID that Meta has added to a URL, or None.

    Its case is kept and it is percent-decoded once: it has to come back to Meta as it
    came. What could not be part of a cookie ``_fbc`` is none, and never repaired.

    >>> read_fbclid("https://shop.example/?utm_source=fb&fbclid=IwAR2F4-dbP0l7Mn#top")
    'IwAR2F4-dbP0l7Mn'
    >>> read_fbclid("https://shop.example/?fbclid=") is None
    True
    """
    if not isinstance(url, str):
        return None
    query = url.partition("#")[0].partition("?")[2]
    for parameter in query.split("&"):
        name, _equals, value = parameter.partition("=")
        if name == "fbclid":
            fbclid = unquote(value)
            return fbclid if _FBCLID.fullmatch(fbclid) else None
    return None


def is_browser_id(text: str | None) -> bool:
    """Tell whether a text has the form of a value of ``_fbc`` or ``_fbp``.

    >>> is_browser_id("fb.1.1596403881668.1116446470")
    True
    >>> is_browser_id("fb.1.1554763741205.AbCdEfGhIj.AQQCAQMC")
    True
    >>> is_browser_id("AbCdEfGhIj"), is_browser_id(None)
    (False, False)
    """
    return (
        isinstance(text, str)
        and len(text) <= _MAX_BROWSER_ID_LENGTH
        and _BROWSER_ID.fullmatch(text) is not None
    )


def make_fbc(fbclid: str, now_ms: int, subdomain_index: int) -> str:
    """Return a new value of ``_fbc``.

    :param fbclid: as ``read_fbclid`` returns it
    :param now_ms: when the click ID was first seen, in Unix milliseconds
    :param subdomain_index: as ``cookie_domain`` returns it

    >>> make_fbc("AbCdEfGhIj", 1554763741205, 1)
    'fb.1.1554763741205.AbCdEfGhIj'
    """
    return f"fb.{subdomain_index}.{now_ms}.{fbclid}"


def make_fbp(
    now_ms: int,
    subdomain_index: int,
    *,
    random: Callable[[int, int], int] = _random_integer,
) -> str:
    """Return a new value of ``_fbp``.

    :param now_ms: when the cookie is set, in Unix milliseconds
    :param subdomain_index: as ``cookie_domain`` returns it
    :param random: returns a whole number of the range whose ends it gets

    >>> make_fbp(1596403881668, 1, random=lambda least, most: most)
    'fb.1.1596403881668.2147483647'
    """
    return f"fb.{subdomain_index}.{now_ms}.{random(_MIN_RANDOM, _MAX_RANDOM)}"


def current_fbc(
    cookie: str | None, fbclid: str | None, now_ms: int, subdomain_index: int
) -> str | None:
    """Return the value of ``_fbc`` that holds for a request, or None if none does.

    It is the cookie's, unless the URL tells of another click, or the cookie is
    malformed: then a new one is made, for which the parameters are as in ``make_fbc``.
    It differs from ``cookie`` exactly if the cookie has to be set.

    >>> current_fbc("fb.1.1554763741205.Old", "New", 1596403881668, 1)
    'fb.1.1596403881668.New'
    >>> current_fbc("fb.1.1554763741205.Old.AQQCAQMC", "Old", 1596403881668, 1)
    'fb.1.1554763741205.Old.AQQCAQMC'
    """
    if cookie is not None and is_browser_id(cookie):
        # Meta's document compares what follows the last dot, which can be the builder's
        # mark: its own libraries compare the fourth part.
        if not fbclid or cookie.split(".")[3] == fbclid:
            return cookie
    return make_fbc(fbclid, now_ms, subdomain_index) if fbclid else None


def newest_fbc(*candidates: str | None) -> str | None:
    """Return the value of ``_fbc`` that was made last, the first of equals, or None.

    >>> newest_fbc("fb.1.1554763741205.Old", None, "fb.1.1596403881668.New", "?")
    'fb.1.1596403881668.New'
    """
    found = [text for text in candidates if text and is_browser_id(text)]
    return max(found, key=lambda text: int(text.split(".")[2]), default=None)
