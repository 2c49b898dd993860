"""A page's URL without what may name a person, or open that person's documents."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from .const import MAX_TEXT_LENGTH
from .reading import CONTROL, has_phone, phone_like_count

_PARTS = re.compile(
    r"(https?://)([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL
)
_PAGE = re.compile(r"https?://[^/?#]", re.IGNORECASE)
# Of no use to Meta: by these, others find their clicks again.
_FOREIGN_IDS = frozenset(
    """
    _branch_match_id _ga _gac _gl _hsenc _hsmi _kx awc cjevent dclid epik gad_campaignid
    gad_source gbraid gclid gclsrc irclickid li_fat_id mc_cid mc_eid mkt_tok msclkid
    obclid rdt_cid scclid sccid srsltid tblci ttclid twclid vero_id wbraid wickedid ymclid
    yclid
    """.split()
)
# Without one of these, nothing in a URL can be personal.
_MARK = re.compile("[%+=@＋]")
_AT_SIGN = re.compile("@|%(?:25)*40")
_MAX_ENCODINGS = 3
# What a stranger's request can make us look into.
_MAX_PARTS = 150
_MAX_CODES = 500
_MAX_PHONES = 8
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


def sanitized_url(url: object) -> str | None:
    """Return what can be told of a URL that nobody has given on purpose, or None.

    It is no longer than Meta's parameters may be here, and names nobody.

    >>> sanitized_url("https://shop.example/my/orders/7?access_token=x&page=2")
    'https://shop.example/my/orders/7?page=2'
    >>> sanitized_url("android-app://com.instagram.android") is None
    True
    """
    if not isinstance(url, str) or not is_page(url):
        return None
    shorter = shortened_url(url)
    if not shorter:
        return None
    if _is_crowded(shorter):
        match = _PARTS.fullmatch(shorter)
        click = _click_of((match and match[4]) or "")
        shorter = f"{match[1]}{match[2]}/{'?' if click else ''}{click}" if match else ""
    return without_personal_data(shorter)


def is_page(url: str) -> bool:
    """Tell whether a text is a URL of http or https, without control characters."""
    return bool(_PAGE.match(url)) and not CONTROL.search(url)


def _is_crowded(url: str) -> bool:
    """Tell whether a URL is made of more parts, or numbers, than a shop would link to."""
    if url.count("&") + url.count("/") > _MAX_PARTS or url.count("%") > _MAX_CODES:
        return True
    for _time in range(_MAX_ENCODINGS):
        url = unquote(url)
    return phone_like_count(url, _MAX_PHONES) == _MAX_PHONES


def _click_of(query: str) -> str:
    """Return the parameter of a click on an ad, or an empty text."""
    parameters = query.split("&")
    return next((text for text in parameters if text.startswith("fbclid=")), "")


def shortened_url(url: str, limit: int = MAX_TEXT_LENGTH) -> str | None:
    """Return a URL of http or https with as much as ``limit`` characters have room for.

    What is of least use to Meta goes first: the fragment, what other networks find
    their clicks by, all other parameters but those of campaigns, then these; of a kind
    the longest first. If that is not enough, the path goes, too. The click ID never
    does. What is left stays byte for byte; None is left of a host that is too long.

    >>> shortened_url("https://shop.example/a?fbclid=AbC&x=1234567890&utm_id=7#top", 46)
    'https://shop.example/a?fbclid=AbC&utm_id=7'
    >>> shortened_url("https://shop.example/a/very/long/path?x=1&fbclid=AbC", 40)
    'https://shop.example/?fbclid=AbC'
    """
    if len(url) <= limit:
        return url
    match = _PARTS.fullmatch(url)
    if not match:
        return None
    scheme, host, path, query, _fragment = match.groups(default="")
    origin, parameters = scheme + host, query.split("&") if query else []
    if len(parameters) > _MAX_PARTS:
        click = _click_of(query)
        parameters = [click, *(p for p in parameters[:_MAX_PARTS] if p != click)]
        query = "&".join(parameters)
    excess = len(origin + path) + bool(query) + len(query) - limit
    by_use = sorted(range(len(parameters)), key=lambda index: _use(parameters[index]))
    for index in by_use:
        if excess <= 0 or _use(parameters[index])[0] == _CLICK:
            break
        excess -= len(parameters[index]) + 1
        parameters[index] = ""
    kept = "&".join(filter(None, parameters))
    for question in (f"?{kept}" if kept else "", ""):
        for page in (origin + path, f"{origin}/"):
            if len(page + question) <= limit:
                return page + question
    return None


_CLICK = 3


def _use(parameter: str) -> tuple[int, int]:
    """Return how useful a parameter is to Meta; of a kind, a long one is less so."""
    name = parameter.partition("=")[0].lower()
    if name == "fbclid":
        kind = _CLICK
    elif name.startswith("utm_"):
        kind = 2
    else:
        kind = 0 if name in _FOREIGN_IDS else 1
    return kind, -len(parameter)


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
