"""A local stand-in for ``POST /{version}/{pixel}/events`` of Meta's Conversions API.

It answers in Meta's shapes, is as strict as Meta is known to be, and fails on demand.
It shares no code with the addon, so that a bug there cannot hide here.

In a test::

    with GraphSandbox() as graph:
        graph.fail_next(error(190), times=2)
        ...                              # post to graph.url with graph.token
        graph.wait_for(lambda: len(graph.events) == 3)

As a process, with a page to read at ``/`` and a control interface under ``/_sandbox``::

    python dev/graph_sandbox.py --port 8099 --pixel 1029384756102938
    curl -d '{"fault": "error", "code": 2, "times": 3}' localhost:8099/_sandbox/faults

=======  ======================  ======================================================
method   path                    meaning
=======  ======================  ======================================================
GET      ``/``                   what was received, newest first; all with ``?all=1``
GET      ``/_sandbox/events``    accepted events, ``?since=index&limit=1000``
GET      ``/_sandbox/requests``  requests, the same paging; tokens are blanked
GET      ``/_sandbox/faults``    what is scripted at the moment
POST     ``/_sandbox/faults``    one order or a list of them, see :meth:`Faults.order`
POST     ``/_sandbox/pixels``    ``{"pixel_id": …, "tokens": […]}``; ``[]`` revokes,
                                 ``null`` removes the pixel
POST     ``/_sandbox/clock``     ``{"behind": seconds}``: Meta's clock, told in ``Date``
POST     ``/_sandbox/app``       ``{"secret": …}``: calls need proof of it; ``null`` ends it
POST     ``/_sandbox/clear``     forget events and requests
=======  ======================  ======================================================

A comment after a rule names its source. "docs" are Meta's pages under
https://developers.facebook.com/documentation/ads-commerce/conversions-api/; "seen" was
observed in answers of the real service; "reported" is said by third parties only;
"ours" is a choice made here because nothing is known.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import hmac
import html
import ipaddress
import json
import math
import os
import random
import re
import secrets
import select
import signal
import socket
import string
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, TypeGuard, final
from urllib.parse import parse_qs, urlsplit

# --------------------------------------------------------------------------------------
# What Meta is known to want
# --------------------------------------------------------------------------------------

DAY = 86_400


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# docs: graph-api/changelog/versions. v20.0 ended 2026-09-24, v26.0 is the newest.
OLDEST_VERSION, NEWEST_VERSION = 21, 26

# docs: parameters/ and using-the-api
MAX_EVENTS = 1_000
# docs: guides/end-to-end-implementation, "less than 23 characters, at least 2 letters"
PARTNER_AGENT_LIMIT = 23
# docs: parameters/server-event
WINDOW = 7 * DAY
# docs: offline-events; applied to physical_store only
WINDOW_PHYSICAL_STORE = 62 * DAY
# reported: Meta tolerates about a minute of clock skew
FUTURE_TOLERANCE = 60

# docs: parameters/server-event
ACTION_SOURCES = words(
    "email website app phone_call chat physical_store system_generated"
    " business_messaging other"
)
# docs: using-the-api, offline-events, reference/ads-pixel/events
REQUEST_KEYS = words(
    "data access_token appsecret_proof test_event_code partner_agent upload_tag"
    " namespace_id upload_id upload_source platforms progress trace"
)

# docs: parameters/customer-information-parameters; SHA-256 required …
HASHED_KEYS = words(
    "em ph fn ln ge db ct st zp country"
    # … and the split forms that Meta's own SDKs hash
    " f5first f5last fi dobd dobm doby"
)
# same page; strings that must not be hashed. external_id may be either.
PLAIN_KEYS = words(
    "external_id client_ip_address client_user_agent fbc fbp subscription_id"
    " fb_login_id lead_id anon_id madid page_id page_scoped_user_id ctwa_clid"
    " ig_account_id ig_sid whatsapp_business_account_id app_user_id"
    # … and what Meta's partners send
    " partner_id partner_name"
)
# same page: these two are integers in the docs and strings in the SDKs
INTEGER_OR_TEXT_KEYS = frozenset({"fb_login_id", "lead_id"})

# docs: best-practices, "invalid combinations": user_data within one of these is refused
TOO_BROAD = tuple(
    words(keys)
    for keys in (
        "ct country st zp ge client_user_agent",
        "db client_user_agent",
        "fn ge",
        "ln ge",
    )
)

# The SHA-256 of the empty string: proof of a value that should have been left out
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
# docs: parameter-builder-library. An appendix of 8 base64url characters, formerly of 2
APPENDIX = r"\.(?:[A-Za-z0-9_-]{8}|AQ|Ag|Aw|BA|BQ|Bg)"
SHA256 = re.compile(rf"[0-9a-f]{{64}}(?:{APPENDIX})?")
# docs: parameters/fbp-and-fbc, fb.{subdomain index}.{creation time}.{value}
FBP = re.compile(rf"fb\.\d{{1,2}}\.(\d{{10,13}})\.\d+(?:{APPENDIX})?")
FBC = re.compile(r"fb\.\d{1,2}\.(\d{10,13})\.\S+")
# reported: a lead id has 15 to 17 digits
LEAD_ID = re.compile(r"\d{15,17}")

# docs: marketing-api/overview/data-processing-options; 1000 California … 1013 Rhode
# Island, 0 = "geolocate for me"
LDU_COUNTRIES = frozenset({0, 1})
LDU_STATES = frozenset({0, *range(1000, 1014)})

# docs: parameters/server-event and parameters/custom-data
MESSAGING_CHANNELS = frozenset({"whatsapp", "messenger", "instagram"})
DELIVERY_CATEGORIES = frozenset({"in_store", "curbside", "home_delivery"})

# ISO 4217, without the codes of metals, funds and tests
CURRENCIES = words(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL
    BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP
    ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD
    IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB
    PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
    SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"""
)

# Meta refuses a wrong format with a 2804xxx subcode, but which one is not known for
# most formats. 2804001 is known as such a refusal, its meaning was never found. (ours)
WRONG_FORMAT = 2804001

# The words are localised and change: clients must not depend on them (docs).
USER_TEXTS: Mapping[int, tuple[str, str]] = {
    2804001: (
        "Invalid Parameter Format",
        "A parameter of this event is not in the expected format.",
    ),
    2804003: (
        "Event Timestamp Too Old",
        (
            "The timestamp for this event is too far in the past. Events need to be"
            " sent within 7 days of when they occurred."
        ),
    ),
    2804004: (
        "Event Timestamp In The Future",
        (
            "The timestamp for this event is in the future. Enter the time at which the"
            " event occurred."
        ),
    ),
    2804008: (
        "Missing ID in Contents",
        "Every item of the contents parameter must have an id.",
    ),
    2804009: (
        "Missing Value for Purchase Event",
        "Your Purchase event is missing its value. Enter a value for this event.",
    ),
    2804010: (
        "Missing Currency for Purchase Event",
        "Your Purchase event is missing its currency. Enter a currency for this event.",
    ),
    2804023: (
        "Missing Currency",
        "This event has a value but no currency. Enter the currency of the value.",
    ),
    2804030: (
        "Limited Data Use Selection Required",
        "Limited Data Use needs a country and a state, or 0 for both.",
    ),
    2804036: (
        "Invalid Lead ID",
        (
            "The lead ID is invalid or was deleted. Other events of this request may"
            " have been rejected with it."
        ),
    ),
    2804043: (
        "Invalid Extinfo",
        "The extinfo of this app event is invalid or has no OS version.",
    ),
    2804050: (
        "Insufficient Customer Information",
        (
            "The customer information parameters of this event are missing or too"
            " broad to be matched. Add more of them."
        ),
    ),
    2804063: (
        "Missing Messaging Channel",
        "A business messaging event must have a valid messaging_channel.",
    ),
    2804066: (
        "Invalid Event Name",
        "This event name is not supported for business messaging.",
    ),
}


# --------------------------------------------------------------------------------------
# Answers
# --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, before it is written to the wire."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, status: int, content: Any, headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(status, body, headers=headers or {})

    def content(self) -> Any:
        """Return the parsed body, its text where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode("utf-8", "replace")


def new_trace_id() -> str:
    """Return an id in the form of Meta's fbtrace_id, never the same twice."""
    return "A" + "".join(secrets.choice(TRACE_ALPHABET) for _ in range(22))


TRACE_ALPHABET = string.ascii_letters + string.digits + "_-"


class GraphError(Exception):
    """A refusal in Meta's words.

    ``reason`` says exactly what is wrong and where; it is shown on the sandbox's page
    and in its records but never in the answer, because Meta does not tell either.
    """

    def __init__(
        self,
        code: int,
        subcode: int | None = None,
        *,
        message: str | None = None,
        reason: str = "",
        http_status: int | None = None,
        error_type: str = "OAuthException",  # seen: nearly every error has this type
        is_transient: bool = False,
        error_data: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.subcode = subcode
        self.message = message or DEFAULT_MESSAGES.get(code, "Invalid parameter")
        self.reason = reason
        self.http_status = http_status or DEFAULT_STATUS.get(code, 400)
        self.error_type = error_type
        self.is_transient = is_transient
        self.error_data = error_data
        self.headers = headers or {}
        super().__init__(f"{code}/{subcode}: {reason or self.message}")

    def answer(self) -> Answer:
        """Return this error as Graph writes it (docs: guides/error-handling)."""
        content: dict[str, Any] = {
            "message": self.message,
            "type": self.error_type,
            "code": self.code,
        }
        if self.error_data is not None:
            content["error_data"] = self.error_data
        content["is_transient"] = self.is_transient
        if self.subcode is not None:
            content["error_subcode"] = self.subcode
            if self.subcode in USER_TEXTS:
                title, text = USER_TEXTS[self.subcode]
                content |= {"error_user_title": title, "error_user_msg": text}
        content["fbtrace_id"] = new_trace_id()
        return Answer.json(self.http_status, {"error": content}, self.headers)


# seen: 401 for code 190, 400 for code 100; 500 for the service's own trouble (reported)
DEFAULT_STATUS: Mapping[int, int] = {190: 401, 1: 500, 2: 500}
DEFAULT_MESSAGES: Mapping[int, str] = {
    1: "An unknown error occurred",
    2: "Service temporarily unavailable",
    3: "(#3) Application does not have the capability to make this API call.",
    4: "(#4) Application request limit reached",
    10: "(#10) Application does not have permission for this action",
    17: "(#17) User request limit reached",
    32: "(#32) Page request limit reached",
    102: "Session key invalid or no longer valid",
    104: "Incorrect signature",
    105: "The number of parameters exceeded the maximum for this operation",
    190: "Invalid OAuth access token - Cannot parse access token",
    200: "(#200) Permissions error",
    341: "(#341) Application limit reached",
    368: "The action attempted has been deemed abusive or is otherwise disallowed",
    613: "(#613) Calls to this api have exceeded the rate limit.",
    803: "(#803) Some of the aliases you requested do not exist",
    2500: "Unknown path components",
    2635: "(#2635) You are calling a deprecated version of the Ads API. Please update"
    f" to the latest version: v{NEWEST_VERSION}.0.",
    80004: "(#80004) There have been too many calls to this ad-account. Wait a bit and"
    " try again.",
}


# --------------------------------------------------------------------------------------
# The rules for a request body
# --------------------------------------------------------------------------------------


MISSING_DATA = "(#100) The parameter data is required."


def is_json(headers: Message) -> bool:
    return headers.get_content_type() == "application/json"


def parse_json(raw: bytes) -> Any:
    """Parse a body as strictly as JSON is defined: no NaN, no lone surrogates."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        text = raw.decode("utf-8")
        parsed = json.loads(text, parse_constant=refuse)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as err:
        raise malformed(f"the body is not JSON: {err}") from err
    return parsed


def check_body(body: Any, now: float) -> list[list[str]]:
    """Refuse what Meta refuses; return the warnings of each event.

    One bad event refuses the whole batch, and the answer does not say which (docs:
    using-the-api; seen).
    """
    if not is_object(body):
        raise malformed("the body is not a JSON object")
    unknown = body.keys() - REQUEST_KEYS
    if unknown:
        raise malformed(f"unknown top-level key {min(unknown)!r}")
    if "data" not in body:
        raise malformed("no data", MISSING_DATA)
    events = body["data"]
    if not isinstance(events, list):
        raise malformed("data is not a list", "(#100) param data must be an array.")
    if not events:
        raise malformed("data is empty", "(#100) param data must be non-empty.")
    if len(events) > MAX_EVENTS:
        raise malformed(
            f"{len(events)} events", f"(#100) Too many events: {MAX_EVENTS} at most."
        )
    check_request_options(body)
    return [check_event_at(index, event, now) for index, event in enumerate(events)]


def check_request_options(body: Mapping[str, Any]) -> None:
    """Check what stands beside ``data``."""
    for key in (
        "test_event_code",
        "partner_agent",
        "upload_tag",
        "namespace_id",
        "upload_id",
        "upload_source",
    ):
        if key in body and not is_text(body[key]):
            raise malformed(f"{key} is not a non-empty string")
    agent = body.get("partner_agent", "Odoo")
    letters = sum(character.isalpha() for character in agent)
    if len(agent) >= PARTNER_AGENT_LIMIT or letters < 2:
        raise malformed(f"partner_agent {agent!r}")


def check_event_at(index: int, event: Any, now: float) -> list[str]:
    """Check one event; note its place in the reason, though never in the answer."""
    try:
        if not is_object(event):
            raise malformed("not an object")
        return check_event(event, now)
    except GraphError as refusal:
        refusal.reason = f"data[{index}]: {refusal.reason}"
        raise


def check_event(event: Mapping[str, Any], now: float) -> list[str]:
    """Check one event against the docs' table of parameters; return its warnings."""
    warnings: list[str] = []
    check_shape(event, EVENT_SHAPE, "event")
    for key in ("event_name", "event_time", "action_source", "user_data"):
        if key not in event:
            raise malformed(f"{key} is missing")
    if event["action_source"] not in ACTION_SOURCES:
        raise malformed(f"action_source {event['action_source']!r}")
    check_event_time(event, now)
    check_action_source(event, warnings)
    check_urls(event)
    check_user_data(event["user_data"], warnings)
    check_custom_data(event["event_name"], event.get("custom_data", {}), warnings)
    check_processing_options(event, warnings)
    return warnings


def check_event_time(event: Mapping[str, Any], now: float) -> None:
    """Refuse an event from outside of its window."""
    age = now - event["event_time"]
    in_store = event["action_source"] == "physical_store"
    if age > (WINDOW_PHYSICAL_STORE if in_store else WINDOW):
        raise refused(2804003, f"event_time is {age / DAY:.1f} days old")  # seen
    if age < -FUTURE_TOLERANCE:
        raise refused(2804004, f"event_time is {-age:.0f} s ahead")  # reported


def check_clock(events: Iterable[Mapping[str, Any]], now: float) -> None:
    """Refuse what has not happened yet by a clock that is known to be behind."""
    for index, event in enumerate(events):
        if event["event_time"] > now:
            ahead = event["event_time"] - now
            raise refused(2804004, f"data[{index}]: event_time is {ahead:.0f} s ahead")


def check_action_source(event: Mapping[str, Any], warnings: list[str]) -> None:
    """Check what an action source asks for beyond the common fields."""
    source = event["action_source"]
    if source == "website":
        # docs: both required. seen: accepted without, so a warning
        if "event_source_url" not in event:
            warnings.append("website event without event_source_url")
        if "client_user_agent" not in event["user_data"]:
            warnings.append("website event without client_user_agent")
    elif source == "app":
        extinfo = event.get("app_data", {}).get("extinfo")
        # docs: 16 slots, a2 or i2 in the first, the OS version in the fifth
        if (
            not isinstance(extinfo, list)
            or len(extinfo) != 16
            or extinfo[0] not in ("a2", "i2")
            or not extinfo[4]
        ):
            raise refused(2804043, "app_data.extinfo")
    elif source == "business_messaging":
        if event.get("messaging_channel") not in MESSAGING_CHANNELS:
            raise refused(2804063, "messaging_channel")
        if event["event_name"] == "Lead":
            raise refused(2804066, "Lead is LeadSubmitted in business messaging")
    if event["event_name"] == "AppendAttribution" and "attribution_data" not in event:
        raise malformed("attribution_data is missing")  # docs: append-attribution


def check_urls(event: Mapping[str, Any]) -> None:
    """Refuse a page address that no browser shows (docs: parameters)."""
    url = event.get("event_source_url")
    if url is not None and not re.match(r"https?://[^\s/]", url):
        raise refused(WRONG_FORMAT, f"event_source_url {url!r}")


def check_user_data(user_data: Mapping[str, Any], warnings: list[str]) -> None:
    """Check keys, hashes and formats of the customer information parameters."""
    unknown = user_data.keys() - HASHED_KEYS - PLAIN_KEYS
    if unknown:
        raise malformed(f"unknown key user_data.{min(unknown)}")
    for key, value in user_data.items():
        values = value if isinstance(value, list) else [value]
        if not values:
            raise malformed(f"user_data.{key} is an empty list")
        for item in values:
            if key in INTEGER_OR_TEXT_KEYS and is_integer(item):
                item = str(item)
            if not is_text(item):
                raise malformed(f"user_data.{key} is not a non-empty string")
            if key in HASHED_KEYS:
                check_hash(key, item)
            else:
                check_plain(key, item, warnings)
    # docs: at least one key, and not one of the combinations that match too many people
    if any(user_data.keys() <= keys for keys in TOO_BROAD):
        raise refused(2804050, f"too broad: only {', '.join(user_data) or 'nothing'}")


def check_hash(key: str, value: str) -> None:
    """Refuse whatever is not a SHA-256, above all personal data in the clear."""
    if not SHA256.fullmatch(value):
        # The value itself is not repeated: it may be the personal data in question.
        what = "raw personal data" if "@" in value else "not a lower-case SHA-256"
        raise refused(WRONG_FORMAT, f"user_data.{key}: {what}")
    if value.startswith(EMPTY_HASH):
        raise refused(WRONG_FORMAT, f"user_data.{key}: the hash of an empty string")


def check_plain(key: str, value: str, warnings: list[str]) -> None:
    """Check a key whose value travels as it is."""
    if key == "external_id":  # docs: hashing recommended, not required
        if "@" in value or value.startswith(EMPTY_HASH):
            raise refused(WRONG_FORMAT, "user_data.external_id")
        return
    if len(value) >= 64 and SHA256.fullmatch(value):
        warnings.append(f"user_data.{key} is hashed but must not be")
    check = PLAIN_CHECKS.get(key)
    if check:
        check(value, warnings)


def check_ip_address(value: str, warnings: list[str]) -> None:
    address = parse_address(value)
    if address is None:
        raise refused(WRONG_FORMAT, f"user_data.client_ip_address {value!r}")
    if not address.is_global:
        warnings.append("client_ip_address is not a public one")


def check_fbc(value: str, warnings: list[str]) -> None:
    check_cookie("fbc", FBC.fullmatch(value), warnings)


def check_fbp(value: str, warnings: list[str]) -> None:
    check_cookie("fbp", FBP.fullmatch(value), warnings)


def check_cookie(key: str, match: re.Match[str] | None, warnings: list[str]) -> None:
    if not match:
        raise refused(WRONG_FORMAT, f"user_data.{key}")
    if len(match[1]) < 13:  # docs: milliseconds. Meta's own plugins send seconds
        warnings.append(f"the creation time in {key} is not in milliseconds")


def check_lead_id(value: str, warnings: list[str]) -> None:
    if not LEAD_ID.fullmatch(value):
        raise refused(2804036, "user_data.lead_id")


PLAIN_CHECKS: Mapping[str, Callable[[str, list[str]], None]] = {
    "client_ip_address": check_ip_address,
    "fbc": check_fbc,
    "fbp": check_fbp,
    "lead_id": check_lead_id,
}


def parse_address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address, with or without a parameter-builder appendix."""
    for candidate in (value, re.sub(rf"{APPENDIX}$", "", value)):
        try:
            return ipaddress.ip_address(candidate)
        except ValueError:
            continue
    return None


def check_custom_data(
    event_name: str, custom_data: Mapping[str, Any], warnings: list[str]
) -> None:
    """Check the standard keys; any other key is a custom property and free."""
    check_shape(custom_data, CUSTOM_DATA_SHAPE, "custom_data", closed=False)
    has_value, has_currency = "value" in custom_data, "currency" in custom_data
    if event_name == "Purchase" and not has_value:
        raise refused(2804009, "a Purchase without value")  # seen
    if event_name == "Purchase" and not has_currency:
        raise refused(2804010, "a Purchase without currency")  # reported
    if has_value and not has_currency:
        raise refused(2804023, "value without currency")  # reported
    if has_currency and custom_data["currency"].upper() not in CURRENCIES:
        raise refused(WRONG_FORMAT, f"currency {custom_data['currency']!r}")
    if isinstance(custom_data.get("value"), str):  # docs: both forms in the samples
        warnings.append("value is a string")
    if has_value and float(custom_data["value"]) < 0:
        warnings.append("value is negative")
    if custom_data.get("delivery_category", "in_store") not in DELIVERY_CATEGORIES:
        raise refused(WRONG_FORMAT, "delivery_category")
    for item in custom_data.get("contents", ()):
        check_content(item, warnings)


def check_content(item: Any, warnings: list[str]) -> None:
    """Check one item of ``contents`` (docs: meta-pixel/reference)."""
    if not is_object(item):
        raise malformed("an item of contents is not an object")
    if not is_id(item.get("id")):
        raise refused(2804008, "an item of contents without id")  # reported
    if "quantity" not in item:
        warnings.append("an item of contents without quantity")
    for key in ("quantity", "item_price"):
        if key in item and not is_amount(item[key]):
            raise malformed(f"contents.{key} is not a number")


def check_processing_options(event: Mapping[str, Any], warnings: list[str]) -> None:
    """Check Limited Data Use (docs: marketing-api/overview/data-processing-options)."""
    options = event.get("data_processing_options", [])
    country = event.get("data_processing_options_country")
    state = event.get("data_processing_options_state")
    if any(option != "LDU" for option in options):
        raise refused(WRONG_FORMAT, f"data_processing_options {options!r}")
    if country is not None and country not in LDU_COUNTRIES:
        raise refused(WRONG_FORMAT, f"data_processing_options_country {country}")
    if state is not None and state not in LDU_STATES:
        raise refused(WRONG_FORMAT, f"data_processing_options_state {state}")
    if options and country is None:
        raise refused(2804030, "LDU without a country")
    if country is not None and state is None:
        raise refused(2804030, "a data processing country without a state")
    if options and not state and "client_ip_address" not in event["user_data"]:
        warnings.append("LDU to be geolocated, without client_ip_address")


def refused(subcode: int, reason: str) -> GraphError:
    """Return the refusal of a payload that Meta has a subcode for."""
    return GraphError(100, subcode, reason=reason)


def malformed(reason: str, message: str = "(#100) Invalid parameter") -> GraphError:
    """Return the refusal of a payload without a subcode: wrong types, missing keys."""
    return GraphError(100, message=message, reason=reason)


# Types, as JSON knows them ------------------------------------------------------------


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A finite number; 10**400 is an integer to Python but infinite to anyone else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_amount(value: Any) -> bool:
    """A finite number, or one written as in the docs' samples: ``"142.52"``."""
    return is_number(value) or (
        isinstance(value, str)
        and re.fullmatch(r"-?\d{1,300}(\.\d+)?", value) is not None
    )


def is_id(value: Any) -> bool:
    return is_text(value) or is_integer(value)


def is_id_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_id, value))


def is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def is_list(value: Any) -> bool:
    return isinstance(value, list)


Shape = Mapping[str, Callable[[Any], bool]]

# docs: parameters/server-event; the last two are listed by the SDKs
EVENT_SHAPE: Shape = {
    "event_name": is_text,
    "event_time": is_integer,
    "event_id": is_text,
    "action_source": is_text,
    "event_source_url": is_text,
    "referrer_url": is_text,
    "user_data": is_object,
    "custom_data": is_object,
    "app_data": is_object,
    "attribution_data": is_object,
    "original_event_data": is_object,
    "opt_out": is_flag,
    "data_processing_options": is_text_list,
    "data_processing_options_country": is_integer,
    "data_processing_options_state": is_integer,
    "customer_segmentation": is_text,
    "messaging_channel": is_text,
    "advanced_measurement_table": is_text,
}
# docs: parameters/custom-data and meta-pixel/reference
CUSTOM_DATA_SHAPE: Shape = {
    "value": is_amount,
    "currency": is_text,
    "content_ids": is_id_list,
    "contents": is_list,
    "content_type": is_text,
    "content_name": is_text,
    "content_category": is_text,
    "order_id": is_id,
    "num_items": is_integer,
    "search_string": is_text,
    "status": lambda value: is_flag(value) or is_text(value),
    "predicted_ltv": is_amount,
    "net_revenue": is_amount,
    "delivery_category": is_text,
    "item_number": is_id,
}


def check_shape(
    values: Mapping[str, Any], shape: Shape, where: str, closed: bool = True
) -> None:
    """Check the type of each known key; unknown ones are refused if ``closed``."""
    for key, value in values.items():
        check = shape.get(key)
        if check is None and closed:
            raise malformed(f"unknown key {key!r} in {where}")
        if check is not None and not check(value):
            raise malformed(f"{key} in {where} has the wrong type")


# --------------------------------------------------------------------------------------
# Faults
# --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """One way for an exchange to go wrong. Made by the functions below."""

    name: str
    reply: Answer | GraphError | None = None
    """What is said instead of the answer Meta would give."""
    accept: bool = False
    """Whether valid events are taken in, whatever is then said about it."""
    ending: str = "answer"
    """``answer``, ``hang``, ``reset`` or ``cut`` (the body ends before its length)."""
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Keys left out of the success body."""
    n_less: int = 0
    """How many of the events are neither taken in nor counted."""
    truncate: bool = False


def error(
    code: int,
    subcode: int | None = None,
    http_status: int | None = None,
    in_http_200: bool = False,
    error_data_as_string: bool = False,
    headers: Mapping[str, str] | None = None,
    *,
    message: str | None = None,
    is_transient: bool = False,
) -> Fault:
    """Meta refuses with this code.

    ``error_data_as_string`` adds JSON inside JSON, as Meta sometimes does (seen).
    """
    error_data = json.dumps({"blame_field_specs": [["data"]]})
    reply = GraphError(
        code,
        subcode,
        message=message,
        http_status=200 if in_http_200 else http_status,
        is_transient=is_transient,
        error_data=error_data if error_data_as_string else None,
        headers=headers,
    )
    return Fault("error", reply)


def error_without_code(
    http_status: int = 400, error_type: str = "OAuthException"
) -> Fault:
    """Meta refuses and does not say more than who is to blame (seen)."""
    content = {
        "message": "An error occurred",
        "type": error_type,
        "fbtrace_id": new_trace_id(),
    }
    reply = Answer.json(http_status, {"error": content})
    return Fault("error_without_code", reply)


def http(
    status: int,
    body: str = "<!DOCTYPE html><html><body>Sorry, something went wrong.</body></html>",
    content_type: str = "text/html; charset=utf-8",
    headers: Mapping[str, str] | None = None,
    accept: bool = False,
) -> Fault:
    """What stands before Meta answers: an HTML 502, a 413, a 429 with Retry-After."""
    reply = Answer(status, body.encode(), content_type, headers or {})
    return Fault("http", reply, accept=accept)


def redirect(location: str, status: int = 302) -> Fault:
    """The answer sends the client elsewhere, with its token if it is careless."""
    return Fault("redirect", Answer(status, headers={"Location": location}))


def throttled(code: int = 80004, minutes: int = 5, subcode: int | None = None) -> Fault:
    """A rate limit, with the usage header in its nested form (minutes to wait)."""
    usage = {
        "call_count": 100,
        "total_cputime": 25,
        "total_time": 30,
        "estimated_time_to_regain_access": minutes,
        "type": "ads_management",
        "ads_api_access_tier": "standard_access",
    }
    headers = {"X-Business-Use-Case-Usage": json.dumps({"2048576102938475": [usage]})}
    reply = GraphError(code, subcode, headers=headers)
    return Fault("throttled", reply)


def truncated_json(accept: bool = False, cut: bool = False) -> Fault:
    """Half a JSON body; with ``cut``, also fewer bytes than Content-Length promised."""
    ending = "cut" if cut else "answer"
    return Fault("truncated_json", truncate=True, accept=accept, ending=ending)


def empty_body(accept: bool = False) -> Fault:
    """HTTP 200 and nothing else."""
    return Fault("empty_body", Answer(200), accept=accept)


def short_events_received(n_less: int = 1) -> Fault:
    """All but the last ``n_less`` events are taken in, and only they are counted."""
    return Fault("short_events_received", accept=True, n_less=int(n_less))


def missing_events_received(accept: bool = False) -> Fault:
    """A success that does not say how many."""
    return Fault("missing_events_received", accept=accept, missing=("events_received",))


def missing_messages() -> Fault:
    """A full success without the list that a reader may take for granted."""
    return Fault("missing_messages", accept=True, missing=("messages",))


def slow(seconds: float) -> Fault:
    """Meta's own answer, late. The events are taken in even if the client has gone."""
    return Fault("slow", accept=True, delay=float(seconds))


def hang() -> Fault:
    """No answer, until the client goes or the server stops."""
    return Fault("hang", ending="hang")


def reset() -> Fault:
    """The connection is reset before Meta did anything."""
    return Fault("reset", ending="reset")


def reset_after_accept() -> Fault:
    """The events are taken in, then the connection is reset: the outcome is unknown."""
    return Fault("reset_after_accept", accept=True, ending="reset")


def with_headers(headers: Mapping[str, str]) -> Fault:
    """No failure: Meta's own answer with more headers, such as ``X-App-Usage``."""
    return Fault("with_headers", accept=True, headers=headers)


FACTORIES: Mapping[str, Callable[..., Fault]] = {
    factory.__name__: factory
    for factory in (
        empty_body,
        error,
        error_without_code,
        hang,
        http,
        missing_events_received,
        missing_messages,
        redirect,
        reset,
        reset_after_accept,
        short_events_received,
        slow,
        throttled,
        truncated_json,
        with_headers,
    )
}

NO_FAULT = Fault("none", accept=True)


@dataclass
class Rule:
    """When a fault happens; ``times`` is None for a rule that stays."""

    fault: Fault
    pixel_id: str | None = None
    times: int | None = None
    probability: float = 1.0


class Faults:
    """What is scripted to go wrong, and the dice."""

    def __init__(self, lock: threading.RLock, seed: int | None = None) -> None:
        self._lock = lock
        self._dice = random.Random(seed)
        self._rules: list[Rule] = []
        self._poison: dict[str, Fault] = {}

    def seed(self, seed: int) -> None:
        """Make what happens by chance repeatable."""
        with self._lock:
            self._dice.seed(seed)

    def fail_next(
        self, fault: Fault, times: int = 1, pixel_id: str | None = None
    ) -> None:
        """Let the next requests fail, after those already scripted to."""
        self._add(Rule(fault, pixel_id, times=int(times)))

    def fail_always(
        self, fault: Fault, pixel_id: str | None = None, probability: float = 1.0
    ) -> None:
        """Let every request fail, or each with this probability, until healed.

        Rules are asked in the order given, those of ``fail_next`` first; the first
        one that applies decides.
        """
        self._add(Rule(fault, pixel_id, probability=float(probability)))

    def heal(self, pixel_id: str | None = None) -> None:
        """Drop the rules of this pixel, or all of them; what is poisoned stays so."""
        with self._lock:
            self._rules = [
                rule
                for rule in self._rules
                if pixel_id is not None and rule.pixel_id != pixel_id
            ]

    def poison(
        self,
        event_ids: Iterable[str],
        code: int = 100,
        subcode: int | None = 2804007,
        *,
        fault: Fault | None = None,
    ) -> None:
        """Refuse any batch that holds one of these event ids, or let it meet a fault.

        Where fewer are counted than were sent, it is these that are not taken in.
        """
        with self._lock:
            self._poison |= dict.fromkeys(event_ids, fault or error(code, subcode))

    def cure(self) -> None:
        """Forget what was poisoned."""
        with self._lock:
            self._poison.clear()

    def draw(self, pixel_id: str | None) -> Fault:
        """Return the fault of the request that has just come in."""
        with self._lock:
            # A stable sort: what is queued comes before what stays, each in its order.
            for rule in sorted(self._rules, key=lambda rule: rule.times is None):
                if rule.pixel_id not in (None, pixel_id):
                    continue
                if rule.probability < 1.0 and self._dice.random() >= rule.probability:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                return rule.fault
        return NO_FAULT

    def find_poison(
        self, events: Iterable[Mapping[str, Any]]
    ) -> tuple[str, Fault] | None:
        """Return the first event id among these that is poisoned, and by what."""
        with self._lock:
            for event in events:
                event_id = event.get("event_id", "")
                if event_id in self._poison:
                    return event_id, self._poison[event_id]
        return None

    def is_poisoned(self, event: Mapping[str, Any]) -> bool:
        with self._lock:
            return event.get("event_id", "") in self._poison

    def order(self, order: Mapping[str, Any]) -> None:
        """Carry out an order in JSON.

        ``{"fault": "error", "code": 190, "times": 3, "pixel_id": "…"}``: the next ones;
        with ``"always": true`` or a ``"probability"``, until healed. Further keys are
        the arguments of the fault. ``{"poison": [ids], "code": 100, "subcode": …}`` or
        ``{"poison": [ids], "fault": "http", "status": 500}``,
        ``{"heal": true, "pixel_id": "…"}``, ``{"cure": true}`` and ``{"seed": 7}``,
        which may also stand beside a fault.
        """
        arguments = dict(order)
        pixel_id = arguments.pop("pixel_id", None)
        if "seed" in arguments:
            self.seed(arguments.pop("seed"))
        if arguments.pop("heal", False):
            self.heal(pixel_id)
        if arguments.pop("cure", False):
            self.cure()
        if "poison" in arguments:
            event_ids = arguments.pop("poison")
            if "fault" in arguments:
                self.poison(event_ids, fault=_make_fault(arguments))
            else:
                self.poison(event_ids, **arguments)
        elif "fault" in arguments:
            self._order_fault(arguments, pixel_id)
        elif arguments:
            raise ValueError(f"not understood: {', '.join(arguments)}")

    def summary(self) -> dict[str, Any]:
        """Return what is scripted, for people and for JSON."""
        with self._lock:
            rules = [
                {
                    "fault": rule.fault.name,
                    "pixel_id": rule.pixel_id,
                    "times": rule.times,
                    "probability": rule.probability,
                }
                for rule in self._rules
            ]
            return {"rules": rules, "poisoned": len(self._poison)}

    def _order_fault(self, arguments: dict[str, Any], pixel_id: str | None) -> None:
        always = "probability" in arguments
        probability = arguments.pop("probability", 1.0)
        always = arguments.pop("always", always)
        times = arguments.pop("times", 1)
        fault = _make_fault(arguments)
        if always:
            self.fail_always(fault, pixel_id, probability)
        else:
            self.fail_next(fault, times, pixel_id)

    def _add(self, rule: Rule) -> None:
        if rule.times is None or rule.times > 0:
            with self._lock:
                self._rules.append(rule)


def _make_fault(order: Mapping[str, Any]) -> Fault:
    """Return the fault that an order names, made of the order's other keys."""
    arguments = dict(order)
    name = arguments.pop("fault")
    if name not in FACTORIES:
        raise ValueError(f"no such fault: {name}")
    return FACTORIES[name](**arguments)


# --------------------------------------------------------------------------------------
# The sandbox
# --------------------------------------------------------------------------------------


@dataclass
class ReceivedRequest:
    """A request to Graph as it came in, and what became of it.

    It is recorded on arrival; ``status`` stays None until, and unless, it is answered.
    """

    method: str
    path: str
    headers: Message
    raw: bytes
    received_at: float
    index: int = -1
    fault: Fault = NO_FAULT
    pixel_id: str | None = None
    token_source: str | None = None
    """``header``, ``query`` or ``body``."""
    body: Any = None
    """The parsed body; None if it is not JSON."""
    status: int | None = None
    answer: bytes | None = None
    ended_at: float | None = None
    ending: str = "open"
    """``open`` while under way, then ``answer``, ``cut``, ``reset`` or ``hang``."""
    accepted: int = 0
    reason: str = ""
    """Why it was refused, more exactly than the answer says."""
    warnings: list[str] = field(default_factory=list)

    @property
    def test_event_code(self) -> str | None:
        return self.body.get("test_event_code") if is_object(self.body) else None


@dataclass(frozen=True)
class ReceivedEvent:
    """An event that was taken in."""

    pixel_id: str
    test_event_code: str | None
    event: dict[str, Any]
    request_index: int
    received_at: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What Meta deduplicates by, together with the pixel."""
        return self.pixel_id, self.event["event_name"], self.event.get("event_id")


@final
class GraphSandbox:
    """A Graph API that knows one edge, keeps all it is told and fails on demand.

    :param pixel_id: the pixel that exists from the start
    :param token: its token; a made-up one by default
    :param port: 0 takes a free one
    :param clock: for tests that live in another time
    :param max_body: bytes above which a request gets a 413; Meta's limit is not known
    :param seed: of the dice for faults with a probability
    """

    def __init__(
        self,
        pixel_id: str = "1029384756102938",
        token: str | None = None,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        max_body: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.pixel_id = pixel_id
        self.token = token or new_token()
        self.pixels: dict[str, set[str]] = {pixel_id: {self.token}}
        self.requests: list[ReceivedRequest] = []
        self.events: list[ReceivedEvent] = []
        self.max_body = max_body
        self.clock_behind = 0.0
        """Seconds by which Meta's clock is behind; it then tolerates no future (ours)."""
        self.app_secret: str | None = None
        """What each call has to prove that it knows, if set."""
        self.closing = threading.Event()
        self._clock = clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.faults = Faults(self._lock, seed)
        self.fail_next = self.faults.fail_next
        self.fail_always = self.faults.fail_always
        self.heal = self.faults.heal
        self.poison = self.faults.poison
        self.cure = self.faults.cure
        self._server = _Server(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None

    # Life ----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> GraphSandbox:
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="graph-sandbox",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection, also those that hang, and return within a second."""
        self.closing.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join(1)
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> GraphSandbox:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # What a test asks -----------------------------------------------------------------

    def clear(self) -> None:
        """Forget events and requests, also those under way; faults and pixels stay."""
        with self._changed:
            self.requests.clear()
            self.events.clear()
            self._changed.notify_all()

    def deliveries(self) -> Counter[tuple[str, str, str | None]]:
        """Count how often each (pixel, event name, event id) was taken in."""
        with self._lock:
            return Counter(event.key for event in self.events)

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10) -> Any:
        """Return the predicate's value as soon as it is true of what was received.

        :raises TimeoutError: saying what was received instead
        """
        with self._changed:
            found = self._changed.wait_for(predicate, timeout)
            if not found:
                raise TimeoutError(
                    f"not so after {timeout} s: {len(self.requests)} requests,"
                    f" {len(self.events)} events"
                )
            return found

    def now(self) -> float:
        """Return the time by Meta's clock."""
        return self._clock() - self.clock_behind

    # What a request goes through ------------------------------------------------------

    def receive(
        self, method: str, path: str, headers: Message, raw: bytes
    ) -> ReceivedRequest:
        """Record a request and draw its fault."""
        request = ReceivedRequest(method, path, headers, raw, time.time())
        parts = urlsplit(path).path.split("/")
        if len(parts) > 2:
            request.pixel_id = parts[2]
        try:
            request.body = parse_json(raw) if is_json(headers) else None
        except GraphError:
            pass  # refused where Meta would, see _judge
        with self._changed:
            request.index = len(self.requests)
            request.fault = self.faults.draw(request.pixel_id)
            self.requests.append(request)
            self._changed.notify_all()
        return request

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return what is to be said, having taken in what is to be taken in."""
        fault = request.fault
        if isinstance(fault.reply, GraphError):
            answer = self._refuse(request, fault.reply)
        elif fault.reply is not None and not fault.accept:
            answer = fault.reply
        else:
            try:
                answer = self._judge(request, fault)
            except GraphError as refusal:
                answer = self._refuse(request, refusal)
            fault = request.fault  # a poisoned event has brought its own
        if fault.truncate:
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        if fault.headers:
            answer = replace(answer, headers={**answer.headers, **fault.headers})
        return answer

    def finish(
        self, request: ReceivedRequest, ending: str, answer: Answer | None = None
    ) -> None:
        """Record how a request ended, before the client can know."""
        with self._changed:
            request.ending, request.ended_at = ending, time.time()
            if answer is not None:
                request.status, request.answer = answer.status, answer.body
            self._changed.notify_all()

    @staticmethod
    def _refuse(request: ReceivedRequest, refusal: GraphError) -> Answer:
        request.reason = request.reason or refusal.reason
        return refusal.answer()

    def _judge(self, request: ReceivedRequest, fault: Fault) -> Answer:
        """Do what Meta does with a request; take its events in if the fault allows."""
        self._check_edge(request)
        if self.max_body is not None and len(request.raw) > self.max_body:
            request.reason = f"{len(request.raw)} bytes"
            return Answer(413, b"<h1>413 Content Too Large</h1>", "text/html")
        if not is_json(request.headers):
            # Graph reads forms too; here only JSON is looked at, so a form has no data.
            raise malformed("not application/json", MISSING_DATA)
        if request.body is None:
            parse_json(request.raw)
        warnings = check_body(request.body, self.now())
        events = request.body["data"]
        if self.clock_behind:
            check_clock(events, self.now())
        poison = self.faults.find_poison(events)
        if poison:
            event_id, fault = poison
            request.fault, request.reason = fault, f"poisoned event_id {event_id!r}"
            if isinstance(fault.reply, GraphError):
                raise fault.reply
        counted = max(len(events) - fault.n_less, 0)
        if fault.accept:
            # The poisoned ones come last: they are those not taken in.
            noted = sorted(
                zip(events, warnings, strict=True),
                key=lambda pair: self.faults.is_poisoned(pair[0]),
            )
            self._accept(request, noted[:counted])
        if isinstance(fault.reply, Answer):
            return fault.reply
        content = {
            "events_received": counted,
            "messages": [],
            "fbtrace_id": new_trace_id(),
        }
        for key in fault.missing:
            del content[key]
        return Answer.json(200, content)

    def _check_edge(self, request: ReceivedRequest) -> None:
        """Check address and token; a stranger learns nothing about pixels. (ours)"""
        address = urlsplit(request.path)
        query = parse_qs(address.query)
        match = re.fullmatch(r"/v(\d+)\.(\d+)/([^/]+)(/events)?/?", address.path)
        if not match or match[2] != "0" or int(match[1]) > NEWEST_VERSION:
            raise GraphError(  # seen: 2500 for a path it cannot read
                2500,
                message=f"Unknown path components: {address.path}",
                reason="no /vNN.N/{pixel}/events",
            )
        if int(match[1]) < OLDEST_VERSION:
            raise GraphError(2635, reason=f"v{match[1]}.0 has ended")  # docs
        token = self._find_token(request, query)
        with self._lock:
            known = any(token in tokens for tokens in self.pixels.values())
            granted = token in self.pixels.get(match[3], ())
        if not known:
            raise GraphError(190, reason="unknown token" if token else "no token")
        if self.app_secret is not None:
            self._check_proof(request, query, token or "", self.app_secret)
        if not match[3].isdigit():  # reported
            raise GraphError(
                803,
                message=f"{DEFAULT_MESSAGES[803]}: {match[3]}",
                reason="a pixel id is a number",
            )
        if not granted or (match[4] and request.method != "POST"):
            raise GraphError(  # docs: error-reference
                100,
                33,
                message=f"Unsupported {request.method.lower()} request. Object with ID"
                f" '{match[3]}' does not exist, cannot be loaded due to missing"
                " permissions, or does not support this operation. Please read the"
                " Graph API documentation at"
                " https://developers.facebook.com/docs/graph-api",
                reason="not POST" if granted else "the pixel is unknown to the token",
                error_type="GraphMethodException",
            )
        if not match[4]:  # seen: what a token that may only send gets
            raise GraphError(
                100, message="(#100) Missing Permission", reason="not the events edge"
            )

    @staticmethod
    def _check_proof(
        request: ReceivedRequest,
        query: Mapping[str, list[str]],
        token: str,
        secret: str,
    ) -> None:
        """Want proof that the caller knows the app (docs: graph-api/guides/secure-requests)."""
        body = request.body if is_object(request.body) else {}
        proof = query.get("appsecret_proof", [body.get("appsecret_proof")])[0]
        wanted = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if proof is None:  # seen
            raise GraphError(
                100,
                message="API calls from the server require an appsecret_proof argument",
                reason="no appsecret_proof",
                error_type="GraphMethodException",
            )
        if not hmac.compare_digest(str(proof).encode(), wanted.encode()):  # seen
            raise GraphError(
                100,
                message="Invalid appsecret_proof provided in the API argument",
                reason="a wrong appsecret_proof",
                error_type="GraphMethodException",
            )

    @staticmethod
    def _find_token(
        request: ReceivedRequest, query: Mapping[str, list[str]]
    ) -> str | None:
        """Return the token and note where it stood; Meta takes it from all three."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            request.token_source = "header"
            return token.strip()
        if "access_token" in query:
            request.token_source = "query"
            return query["access_token"][0]
        if is_object(request.body) and is_text(request.body.get("access_token")):
            request.token_source = "body"
            return str(request.body["access_token"])
        return None

    def _accept(
        self,
        request: ReceivedRequest,
        noted: list[tuple[dict[str, Any], list[str]]],
    ) -> None:
        """Take events in, each with its warnings."""
        received = [
            ReceivedEvent(
                pixel_id=request.pixel_id or "",
                test_event_code=request.test_event_code,
                event=event,
                request_index=request.index,
                received_at=request.received_at,
                warnings=tuple(notes),
            )
            for event, notes in noted
        ]
        with self._changed:
            known = self.requests[request.index : request.index + 1]
            if not known or known[0] is not request:
                return  # cleared in the meantime
            request.accepted = len(received)
            request.warnings = sorted(
                {note for _event, notes in noted for note in notes}
            )
            self.events.extend(received)
            self._changed.notify_all()


def new_token() -> str:
    """Return a token in the form of Meta's."""
    alphabet = string.ascii_letters + string.digits
    return "EAAG" + "".join(secrets.choice(alphabet) for _ in range(180)) + "ZDZD"


# --------------------------------------------------------------------------------------
# The wire
# --------------------------------------------------------------------------------------


class _Hangup(Exception):
    """This connection is done with, whatever is still in its buffers."""


class _Server(ThreadingHTTPServer):
    """One thread per connection, all of which can be closed at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: GraphSandbox) -> None:
        self.sandbox = sandbox
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS, which may take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open[connection] = threading.current_thread()

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.pop(connection, None)

    def close_connections(self) -> None:
        """Wake every thread up and give it a moment to end."""
        with self._open_lock:
            connections = dict(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its thread was faster
        deadline = time.monotonic() + 0.5
        for thread in connections.values():
            thread.join(max(deadline - time.monotonic(), 0))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a bug of the sandbox, not a client that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, has it answered and plays the fault's part on the wire."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet per answer
    server: _Server

    # Connection -----------------------------------------------------------------------

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def handle(self) -> None:
        try:
            super().handle()
        except (_Hangup, ConnectionError):
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.closed(self.request)

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # curl waits for it
        return proceed

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time by Meta's clock, as ``Date`` tells it."""
        if timestamp is None:
            timestamp = self.server.sandbox.now()
        return super().date_time_string(int(timestamp))

    def version_string(self) -> str:
        return "GraphSandbox"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: everything is on the page, and a path may hold a token."""

    # Requests -------------------------------------------------------------------------

    def _serve(self) -> None:
        raw = self._read_body()
        path = urlsplit(self.path).path
        if path == "/" or path.startswith("/_sandbox/"):
            control = Control(self.server.sandbox)
            self._write(control.answer(self.command, self.path, raw))
        else:
            self._serve_graph(raw)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _serve_graph(self, raw: bytes) -> None:
        sandbox = self.server.sandbox
        request = sandbox.receive(self.command, self.path, self.headers, raw)
        if request.fault.delay and sandbox.closing.wait(request.fault.delay):
            raise _Hangup
        answer = sandbox.answer(request)
        fault = request.fault
        if fault.ending == "hang":
            self._wait_for_client_to_go()
            sandbox.finish(request, "hang")
            raise _Hangup
        if fault.ending == "reset":
            sandbox.finish(request, "reset")
            self._reset()
            raise _Hangup
        sandbox.finish(request, fault.ending, answer)
        if fault.ending == "cut":
            self._write(answer, promised=2 * len(answer.body))
            raise _Hangup
        self._write(answer)

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            self._write(Answer(411, b"Content-Length, please", "text/plain"))
            raise _Hangup
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:
            raise _Hangup  # the client died while it wrote
        return raw

    def _write(self, answer: Answer, promised: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if promised is None else promised
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _wait_for_client_to_go(self) -> None:
        closing = self.server.sandbox.closing
        while not closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return
                closing.wait(0.1)  # it sent more; let it wait

    def _reset(self) -> None:
        """Close with RST: no lingering, and no FIN before it."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.wfile.close()
        self.server.closed(self.connection)
        os.close(self.connection.detach())


class Control:
    """The page, and the interface under ``/_sandbox``."""

    def __init__(self, sandbox: GraphSandbox) -> None:
        self.sandbox = sandbox

    def answer(self, method: str, path: str, raw: bytes) -> Answer:
        """Answer a request that is not for Graph."""
        address = urlsplit(path)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        name = address.path.removeprefix("/_sandbox/").strip("/") or "page"
        verb = "get" if method in ("GET", "HEAD") else method.lower()
        act: Callable[[Any], Answer] | None = getattr(self, f"_{verb}_{name}", None)
        if act is None:
            return Answer.json(404, {"error": f"no {method} {address.path}"})
        try:
            return act(query) if verb == "get" else act(json.loads(raw or b"{}"))
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            return Answer.json(400, {"error": f"{type(err).__name__}: {err}"})

    def _get_page(self, query: Mapping[str, str]) -> Answer:
        limit = None if "all" in query else 200
        page = Page(self.sandbox, limit).render()
        return Answer(200, page.encode("utf-8", "replace"), "text/html; charset=utf-8")

    def _get_events(self, query: Mapping[str, str]) -> Answer:
        return self._listing("events", self.sandbox.events, describe_event, query)

    def _get_requests(self, query: Mapping[str, str]) -> Answer:
        return self._listing("requests", self.sandbox.requests, describe_request, query)

    def _get_faults(self, query: Mapping[str, str]) -> Answer:
        return Answer.json(200, self.sandbox.faults.summary())

    def _post_faults(self, orders: Any) -> Answer:
        for order in orders if isinstance(orders, list) else [orders]:
            self.sandbox.faults.order(order)
        return self._get_faults({})

    def _post_pixels(self, order: Mapping[str, Any]) -> Answer:
        pixel_id, tokens = str(order["pixel_id"]), order["tokens"]
        if isinstance(tokens, str):
            raise TypeError("tokens is a list")
        pixels = self.sandbox.pixels
        if tokens is None:
            pixels.pop(pixel_id, None)
        else:
            pixels[pixel_id] = set(tokens)
        return Answer.json(
            200, {"pixels": {pixel: len(known) for pixel, known in pixels.items()}}
        )

    def _post_clock(self, order: Mapping[str, Any]) -> Answer:
        self.sandbox.clock_behind = behind = float(order["behind"])
        return Answer.json(200, {"behind": behind})

    def _post_app(self, order: Mapping[str, Any]) -> Answer:
        secret = order["secret"]
        if not (secret is None or is_text(secret)):
            raise TypeError("secret is a non-empty string, or null")
        self.sandbox.app_secret = secret
        return Answer.json(200, {"proof_required": secret is not None})

    def _post_clear(self, order: Any) -> Answer:
        self.sandbox.clear()
        return Answer.json(200, {})

    @staticmethod
    def _listing(
        name: str,
        rows: list[Any],
        describe: Callable[[Any], dict[str, Any]],
        query: Mapping[str, str],
    ) -> Answer:
        """Return a page of rows and the ``since`` of the following one, if any."""
        since, limit = int(query.get("since", 0)), int(query.get("limit", 1000))
        total = len(rows)
        following = since + limit
        content = {
            name: [
                {"index": since + offset, **describe(row)}
                for offset, row in enumerate(rows[since:following])
            ],
            "total": total,
            "next": following if following < total else None,
        }
        return Answer.json(200, content)


def describe_event(event: ReceivedEvent) -> dict[str, Any]:
    """Return an accepted event for the control interface."""
    return {
        "pixel_id": event.pixel_id,
        "test_event_code": event.test_event_code,
        "event": event.event,
        "request_index": event.request_index,
        "received_at": event.received_at,
        "warnings": event.warnings,
    }


def describe_request(request: ReceivedRequest) -> dict[str, Any]:
    """Return a request for the control interface, without its token."""
    body = request.body
    if is_object(body) and "access_token" in body:
        body = {**body, "access_token": BLANK}
    answer = None if request.answer is None else Answer(0, request.answer).content()
    return {
        "method": request.method,
        "path": blank_token(request.path),
        "pixel_id": request.pixel_id,
        "headers": {
            name: BLANK if name.lower() == "authorization" else value
            for name, value in request.headers.items()
        },
        "token_source": request.token_source,
        "body": body,
        "body_size": len(request.raw),
        "received_at": request.received_at,
        "status": request.status,
        "answer": answer,
        "ending": request.ending,
        "fault": None if request.fault is NO_FAULT else request.fault.name,
        "accepted": request.accepted,
        "reason": request.reason,
        "warnings": request.warnings,
    }


BLANK = "***"


def blank_token(path: str) -> str:
    return re.sub(r"(access_token=)[^&]*", rf"\1{BLANK}", path)


# --------------------------------------------------------------------------------------
# The page
# --------------------------------------------------------------------------------------

PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 0;
       color: #1c2b33; background: #f0f2f5 }
header, main { max-width: 1280px; margin: 0 auto; padding: 16px 24px }
h1 { font-size: 20px; margin: 0 0 4px }
p { margin: 0; color: #56666f }
.figures { display: flex; flex-wrap: wrap; gap: 12px; padding-top: 14px }
.figures div { background: #fff; border-radius: 8px; padding: 8px 16px;
               min-width: 96px }
.figures b { display: block; font-size: 20px; color: #1c2b33 }
article { background: #fff; border-radius: 8px; margin-bottom: 8px; padding: 10px 16px;
          border-left: 4px solid #31a24c }
article.refused { border-color: #d93025 }
article.open { border-color: #f0a020 }
.line { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline }
.name { font-weight: 600; font-size: 15px }
.amount { font-weight: 600 }
.time { margin-left: auto; color: #56666f; white-space: nowrap }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere }
.chip { background: #e7f0fd; color: #0a4a9c; border-radius: 10px; padding: 1px 8px;
        font-size: 12px; display: inline-block; margin: 2px 4px 0 0 }
.chip.test { background: #fdf0d5; color: #7a4b00 }
.warning { color: #9a5b00 }
.reason { color: #b3261e }
summary { cursor: pointer; color: #56666f; font-size: 12px; margin-top: 4px }
pre { font: 12px/1.4 ui-monospace, monospace; overflow: auto; background: #f7f8fa;
      border-radius: 6px; padding: 10px; margin: 6px 0 0 }
</style>
</head>
<body>
<header>
<h1>Graph sandbox</h1>
<p>Stands in for Meta's Conversions API. Nothing here has left this machine.</p>
<div class="figures">$figures</div>
</header>
<main>
$rows
</main>
<script>
setInterval(() => {
    if (!document.querySelector("details[open]") && !document.hidden) location.reload();
}, 3000);
</script>
</body>
</html>
""")


class Page:
    """What was received, newest first, for a person to read.

    Everything shown was sent by somebody else, so everything is escaped.
    """

    def __init__(self, sandbox: GraphSandbox, limit: int | None) -> None:
        self.sandbox = sandbox
        self.limit = limit

    def render(self) -> str:
        rows = list(self._rows())
        return PAGE.substitute(
            title=f"{len(self.sandbox.events)} events · Graph sandbox",
            figures="".join(self._figures()),
            rows="\n".join(rows) or "<p>No event yet.</p>",
        )

    def _figures(self) -> Iterator[str]:
        requests, faults = self.sandbox.requests, self.sandbox.faults.summary()
        deliveries = self.sandbox.deliveries()
        figures = {
            "events": deliveries.total(),
            "sent again": deliveries.total() - len(deliveries),
            "requests": len(requests),
            "trouble": sum(not went_well(request) for request in requests),
            "faults scripted": len(faults["rules"]) + faults["poisoned"],
        }
        for label, figure in figures.items():
            yield f"<div><b>{figure}</b>{label}</div>"

    def _rows(self) -> Iterator[str]:
        """Yield events and failed requests by time, the newest first."""
        newest = slice(None) if self.limit is None else slice(-self.limit, None)
        failures = [
            request for request in self.sandbox.requests if not went_well(request)
        ]
        rows = [
            (event.received_at, position, partial(self._event, event))
            for position, event in enumerate(self.sandbox.events[newest])
        ] + [
            (request.received_at, position, partial(self._failure, request))
            for position, request in enumerate(failures[newest])
        ]
        rows.sort(key=lambda row: row[:2], reverse=True)
        for *_, show in rows[: self.limit]:
            yield show()
        if self.limit is not None and len(rows) > self.limit:
            yield f'<p>The newest {self.limit}. <a href="/?all=1">Show all</a></p>'

    def _event(self, received: ReceivedEvent) -> str:
        event = received.event
        custom_data = event.get("custom_data") or {}
        amount = " ".join(
            str(custom_data[key]) for key in ("value", "currency") if key in custom_data
        )
        keys = "".join(
            f'<span class="chip">{escape(key)}</span>' for key in event["user_data"]
        )
        warnings = "".join(
            f'<div class="warning">⚠ {escape(warning)}</div>'
            for warning in received.warnings
        )
        return f"""<article>
<div class="line"><span class="name">{escape(event["event_name"])}</span>
<span class="amount">{escape(amount)}</span>
<span>{escape(event["action_source"])}</span>
<span>pixel <code>{escape(received.pixel_id)}</code></span>{self._test_code(received)}
<span class="time">{moment(event["event_time"])}</span></div>
<div>id <code>{escape(event.get("event_id", "none"))}</code></div>
<div>{keys}</div>{warnings}
{self._details(event)}
</article>"""

    def _failure(self, request: ReceivedRequest) -> str:
        ended = "open" if request.ending == "open" else "refused"
        outcome = "under way" if request.ending == "open" else request.ending
        answer = None if request.answer is None else Answer(0, request.answer).content()
        message = ""
        if is_object(answer) and is_object(answer.get("error")):
            told = answer["error"]
            codes = [str(told[key]) for key in ("code", "error_subcode") if key in told]
            text = told.get("error_user_title") or told["message"]
            message = f"{'/'.join(codes)} {text}"
        scripted = "" if request.fault is NO_FAULT else f"fault: {request.fault.name}"
        accepted = f", {request.accepted} taken in" if request.accepted else ""
        return f"""<article class="{ended}">
<div class="line"><span class="name">{escape(request.status or outcome)}</span>
<span class="reason">{escape(message)}</span>
<span>pixel <code>{escape(request.pixel_id)}</code></span>{self._test_code(request)}
<span>{plural(count_events(request.body), "event")}{accepted}</span>
<span class="time">{moment(request.received_at)}</span></div>
<div>{escape(" · ".join(filter(None, (request.reason, scripted))))}</div>
<div><code>{escape(request.method)} {escape(blank_token(request.path))}</code></div>
{self._details(answer) if answer else ""}
</article>"""

    @staticmethod
    def _test_code(subject: ReceivedEvent | ReceivedRequest) -> str:
        code = subject.test_event_code
        return f'<span class="chip test">{escape(code)}</span>' if code else ""

    @staticmethod
    def _details(content: Any) -> str:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        return f"<details><summary>JSON</summary><pre>{escape(text)}</pre></details>"


def escape(value: Any) -> str:
    return html.escape(str(value))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def moment(timestamp: float) -> str:
    """Return a time of today as such, any other with its date; UTC, as Meta counts."""
    when = datetime.fromtimestamp(timestamp, timezone.utc)
    today = when.date() == datetime.now(timezone.utc).date()
    return when.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")


def went_well(request: ReceivedRequest) -> bool:
    """Whether all events were taken in, and the client was told so."""
    harmless = ("none", "slow", "with_headers", "missing_messages")
    return (
        request.status == 200
        and request.fault.name in harmless
        and request.accepted == count_events(request.body) > 0
    )


def count_events(body: Any) -> int:
    events = body.get("data") if is_object(body) else None
    return len(events) if isinstance(events, list) else 0


# --------------------------------------------------------------------------------------
# The process
# --------------------------------------------------------------------------------------


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for Meta's Graph API.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--pixel", default="1029384756102938", metavar="ID")
    parser.add_argument(
        "--token",
        default=os.environ.get("META_ACCESS_TOKEN"),
        help="default: $META_ACCESS_TOKEN, else a made-up one",
    )
    parser.add_argument("--seed", type=int, help="make faults by chance repeatable")
    parser.add_argument("--max-body", type=int, metavar="BYTES", help="413 above")
    options = parser.parse_args()

    gc.disable()  # what was received is kept: the collector would only reread it all
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with GraphSandbox(
        options.pixel,
        options.token,
        port=options.port,
        seed=options.seed,
        max_body=options.max_body,
    ) as graph:
        print(graph.url, flush=True)
        print(f"pixel {graph.pixel_id}", flush=True)
        if not options.token:
            print(f"token {graph.token}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
