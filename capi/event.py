"""An event: read from whatever a caller passes, and as Meta receives it.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/server-event
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from types import MappingProxyType
from typing import Any

from .const import (
    ACTION_SOURCES,
    CLOCK_SKEW,
    CUSTOMER_SEGMENTATIONS,
    MAX_NAME_LENGTH,
    MESSAGING_CHANNELS,
)
from .countries import normalize_country
from .custom_data import read_custom_data, read_json
from .errors import InvalidParameter
from .reading import (
    CONTROL,
    Problems,
    has_email,
    has_phone,
    is_absent,
    read_id,
    read_mapping,
    read_number,
    read_public_text,
    read_text,
    shown,
)
from .schedule import window_closes_at
from .url import is_page, without_personal_data
from .user_data import is_too_broad, read_user_data

# Unix seconds of the year 5138; anything later was meant in milliseconds.
_MAX_SECONDS = 10**11
# data_processing_options_state goes from 1000 on, a new one for each new law.
_MAX_PLACE = 9999

_SECONDS = re.compile(r"[0-9]{9,}(\.[0-9]+)?")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event as Meta receives it.

    ``event_time`` is in Unix seconds. ``user_data`` holds hashes and ``custom_data``
    plain JSON, exactly as sent.
    """

    event_name: str
    event_time: int
    event_id: str
    action_source: str
    user_data: dict[str, Any]
    custom_data: dict[str, Any] | None = None
    event_source_url: str | None = None
    referrer_url: str | None = None
    opt_out: bool | None = None
    data_processing_options: list[str] | None = None
    data_processing_options_country: int | None = None
    data_processing_options_state: int | None = None
    customer_segmentation: str | None = None
    original_event_data: dict[str, Any] | None = None
    app_data: dict[str, Any] | None = None
    messaging_channel: str | None = None
    attribution_data: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON's own types, without what is not set.

        The dictionaries inside are the event's, not copies.

        >>> ServerEvent("Lead", 1700000000, "42", "other", {"fbp": "…"}).to_dict()
        {'event_name': 'Lead', 'event_time': 1700000000, 'event_id': '42', \
'action_source': 'other', 'user_data': {'fbp': '…'}}
        """
        return {
            name: value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None
        }


_PARAMETERS = frozenset(ServerEvent.__slots__)
_PLACES = ("data_processing_options_country", "data_processing_options_state")


def read_event(
    arguments: Mapping[str, Any],
    *,
    now: float,
    default_country: str | None = None,
    withheld: Set[str] = frozenset(),
) -> tuple[ServerEvent, Problems]:
    """Read the arguments of ``send_event`` into an event and what is wrong with them.

    Never raises, whatever the arguments hold. Every readable parameter is kept even
    when another is not. Where a required one is unreadable, the event carries a
    placeholder that can be stored: the start of the name or id, if it has one, else an
    empty name, a new id, the time ``now``, the source ``other``.

    :param now: Unix seconds
    :param default_country: ISO 3166-1 alpha-2 of the country to read a national phone
        number in, where ``user_data`` names none itself
    :param withheld: keys of ``user_data`` that are read, the country of a phone number
        for one, but left out of the event
    """
    problems = Problems()
    given = problems.read("arguments", read_mapping, "arguments", arguments, default={})
    for key in sorted(given.keys() - _PARAMETERS):
        problems.note(shown(key), "is not a parameter of an event")

    def read(name: str, reader: Any, *args: Any, default: Any = None) -> Any:
        value = given.get(name)
        return problems.read(name, reader, name, value, *args, default=default)

    options = read("data_processing_options", _read_options)
    country = normalize_country(default_country)
    user_data = read("user_data", read_user_data, country, problems, default={})
    event = ServerEvent(
        event_name=read("event_name", _read_name) or _start_of(given.get("event_name")),
        event_time=read("event_time", _read_time, now, default=int(now)),
        event_id=read("event_id", _read_event_id)
        or _start_of(given.get("event_id"))
        or str(uuid.uuid4()),
        action_source=read("action_source", _read_choice, ACTION_SOURCES) or "other",
        user_data={key: user_data[key] for key in user_data if key not in withheld},
        custom_data=read("custom_data", read_custom_data, problems),
        opt_out=read("opt_out", _read_opt_out),
        data_processing_options=options,
        **{name: read(name, _read_place, options) for name in _PLACES},
        **_read_optional(given, now, problems),
    )
    for problem in _contradictions(event, now):
        if not problems.concern(problem.field):
            problems.note(problem.field, problem.reason)
    return event, problems


def _read_optional(
    given: dict[str, Any], now: float, problems: Problems
) -> dict[str, Any]:
    """Return the parameters that an event can do without; see ``Problems.left_out``."""
    readers: dict[str, tuple[Any, ...]] = {
        "event_source_url": (_read_url,),
        "referrer_url": (_read_url,),
        "customer_segmentation": (_read_choice, CUSTOMER_SEGMENTATIONS),
        "original_event_data": (_read_original_event, now, problems),
        "app_data": (_read_object, problems),
        "messaging_channel": (_read_choice, MESSAGING_CHANNELS),
        "attribution_data": (_read_object, problems),
    }
    return {
        name: problems.read_optional(name, reader, name, given[name], *args)
        for name, (reader, *args) in readers.items()
        if name in given
    }


def _contradictions(event: ServerEvent, now: float) -> Iterator[InvalidParameter]:
    """Yield why Meta would refuse parameters that are each readable by themselves."""
    if event.event_time > now + CLOCK_SKEW:
        yield InvalidParameter("event_time", "is in the future")
    if window_closes_at(event.event_time, event.action_source) <= now:
        yield InvalidParameter(
            "event_time",
            "is too long ago: Meta takes events of the last 7 days, of the last 62 if"
            " the action_source is physical_store",
        )
    custom_data = event.custom_data or {}
    is_purchase = event.event_name == "Purchase"
    if is_purchase and "value" not in custom_data:
        yield InvalidParameter("custom_data.value", "is missing: a Purchase needs one")
    if (is_purchase or "value" in custom_data) and "currency" not in custom_data:
        yield InvalidParameter("custom_data.currency", "is missing: a value needs one")
    if is_too_broad(event.user_data):
        yield InvalidParameter(
            "user_data",
            "could be anybody's: give em, ph, external_id, fbp, fbc or"
            " client_ip_address; what has no normal form was left out",
        )
    place = event.data_processing_options_country or event.data_processing_options_state
    if place and not event.data_processing_options:
        yield InvalidParameter(
            "data_processing_options", 'must be ["LDU"] for a country or state to count'
        )


def _read_name(field: str, value: object) -> str:
    if is_absent(value):
        raise InvalidParameter(field, "is missing")
    return _read_label(field, value)


def _read_event_id(field: str, value: object) -> str:
    if is_absent(value):
        return str(uuid.uuid4())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(read_number(field, value))
    return _read_label(field, value)


def _read_label(field: str, value: object) -> str:
    """Return a name or id trimmed, its case kept: Meta compares it exactly."""
    if isinstance(value, str):
        value = str.__str__(value).strip()
    label = read_public_text(field, value, MAX_NAME_LENGTH)
    if not label:
        raise InvalidParameter(field, "is empty")
    if CONTROL.search(label):
        raise InvalidParameter(field, "contains control characters")
    return label


def _start_of(value: object) -> str:
    """Return what can be stored of a name or id that cannot be used; often nothing."""
    if not issubclass(type(value), str):  # not isinstance: it asks the value
        return ""
    text = str.__str__(value).lstrip()[: 10 * MAX_NAME_LENGTH]
    if has_email(text) or has_phone(text):
        return ""
    return CONTROL.sub("", text)[:MAX_NAME_LENGTH].strip()


def _read_time(field: str, value: object, now: float) -> int:
    """Return Unix seconds; what has no time zone is in UTC, a day is its midnight."""
    if is_absent(value):
        return int(now)
    if isinstance(value, str):
        value = _parse_time(field, value.strip())
    if isinstance(value, datetime):
        utc = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        seconds: float = utc.timestamp()
    elif isinstance(value, date):
        seconds = datetime.combine(value, time(), timezone.utc).timestamp()
    else:
        seconds = read_number(field, value)
    if seconds > _MAX_SECONDS:
        raise InvalidParameter(field, "must be in seconds, not milliseconds")
    if not seconds > 0:
        raise InvalidParameter(field, "must be in seconds since 1970")
    return int(seconds)


def _parse_time(field: str, text: str) -> datetime | float:
    if _SECONDS.fullmatch(text):
        return float(text)
    if _ISO_TIME.match(text):
        try:
            # Python 3.10 does not know the Z.
            return datetime.fromisoformat(re.sub("Z$", "+00:00", text))
        except ValueError:
            pass
    raise InvalidParameter(
        field, "must be Unix seconds, or a date and time of ISO 8601"
    )


def _read_url(field: str, value: object) -> str | None:
    """Return a page's URL without what may name a person."""
    if is_absent(value):
        return None
    url = read_text(field, value)
    if not is_page(url):
        raise InvalidParameter(
            field, "must be a URL that begins with https:// or http://"
        )
    return without_personal_data(url)


def _read_choice(field: str, value: object, choices: Set[str]) -> str | None:
    if is_absent(value):
        return None
    choice = read_text(field, value).strip().lower()
    if choice not in choices:
        raise InvalidParameter(field, f"must be one of {', '.join(sorted(choices))}")
    return choice


def _read_object(
    field: str,
    value: object,
    problems: Problems,
    readers: Mapping[str, Callable[[str, object], Any]] = MappingProxyType({}),
) -> dict[str, Any] | None:
    """Return a dictionary whose readable properties JSON can carry."""
    if is_absent(value):
        return None
    found = {}
    for key, content in read_mapping(field, value).items():
        inner = f"{field}.{shown(key)}"
        if content is None:
            continue
        if not _PROPERTY.fullmatch(key):
            problems.leave_out(inner, "is not the name of a property")
            continue
        read = problems.read_optional(
            inner, readers.get(key, read_json), inner, content
        )
        if read is not None:
            found[key] = read
    return found or None


def _read_original_event(
    field: str, value: object, now: float, problems: Problems
) -> dict[str, Any] | None:
    """Return which event, sent before, this one adds to."""

    def read_time(inner: str, moment: object) -> int | None:
        return None if is_absent(moment) else _read_time(inner, moment, now)

    readers = {
        "event_id": _read_event_id,
        "event_name": _read_name,
        "event_time": read_time,
        "order_id": read_id,
    }
    return _read_object(field, value, problems, readers)


def _read_opt_out(field: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidParameter(field, "must be true or false")


def _read_options(field: str, value: object) -> list[str] | None:
    if is_absent(value):
        return None
    if not isinstance(value, (list, tuple)) or any(option != "LDU" for option in value):
        raise InvalidParameter(field, 'must be ["LDU"] or []')
    return ["LDU"] if value else []


def _read_place(field: str, value: object, options: list[str] | None) -> int | None:
    """Return Meta's number of a country or state; 0 leaves it to Meta to find out."""
    if value is None:
        return 0 if options else None
    number = read_number(field, value)
    if isinstance(number, float) or not 0 <= number <= _MAX_PLACE:
        raise InvalidParameter(field, "must be the number Meta gives to it, or 0")
    return number
