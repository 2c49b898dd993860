"""What Meta is known to want: the rules for the body of a request."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from functools import partial
from typing import Any

from .answers import GraphError, malformed, refused
from .shapes import (
    CUSTOM_DATA_SHAPE,
    EVENT_SHAPE,
    check_shape,
    is_amount,
    is_id,
    is_integer,
    is_object,
    is_text,
)

DAY = 86_400


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


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

# docs: conversion-leads-integration, of priority "highest" and "high"
LEAD_KEYS = words("lead_id fbc em ph")

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
# docs: conversion-leads-integration, "a 15-17 digit number"
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
        *("test_event_code", "partner_agent", "upload_tag"),
        *("namespace_id", "upload_id", "upload_source"),
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
    check_lead_stage(event, warnings)
    if event["event_name"] == "AppendAttribution" and "attribution_data" not in event:
        raise malformed("attribution_data is missing")  # docs: append-attribution


def check_lead_stage(event: Mapping[str, Any], warnings: list[str]) -> None:
    """Check the form of an event of a CRM (docs: conversion-leads-integration).

    Meta takes it in any other form, but it is none of Conversion Leads then.
    """
    told = event.get("custom_data", {}).keys() & {"event_source", "lead_event_source"}
    if not told:
        return
    if event["action_source"] != "system_generated":
        warnings.append("event of a CRM that is not system_generated")
    if event["custom_data"].get("event_source") != "crm":
        warnings.append("event of a CRM whose event_source is not crm")
    if "lead_event_source" not in told:
        warnings.append("event of a CRM without lead_event_source")
    if event["user_data"].keys().isdisjoint(LEAD_KEYS):
        warnings.append("event of a CRM without lead_id, fbc, em and ph")


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


def check_cookie(
    key: str, form: re.Pattern[str], value: str, warnings: list[str]
) -> None:
    match = form.fullmatch(value)
    if not match:
        raise refused(WRONG_FORMAT, f"user_data.{key}")
    if len(match[1]) < 13:  # docs: milliseconds. Meta's own plugins send seconds
        warnings.append(f"the creation time in {key} is not in milliseconds")


def check_lead_id(value: str, warnings: list[str]) -> None:
    if not LEAD_ID.fullmatch(value):
        raise refused(2804036, "user_data.lead_id")


PLAIN_CHECKS: Mapping[str, Callable[[str, list[str]], None]] = {
    "client_ip_address": check_ip_address,
    "fbc": partial(check_cookie, "fbc", FBC),
    "fbp": partial(check_cookie, "fbp", FBP),
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
    # docs: offline-events names the key; which of these Meta wants is not known. (ours)
    for key, value in custom_data.get("store_data", {}).items():
        if not is_text(value):
            raise malformed(f"store_data.{key} is not a non-empty string")


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
