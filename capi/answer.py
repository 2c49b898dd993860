"""What Meta's answer means for the events that were sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from .const import DAY
from .untrusted import read_integer, read_json, read_positive, read_text, storable

# Characters of Meta's body, and of its words, that are worth keeping.
MAX_BODY = 10_000
MAX_MESSAGE = 1_000
# Seconds. Whatever a header says, delivery looks again after this.
MAX_WAIT = float(DAY)
# Percent of an allowance from which a success is followed by a pause, in seconds:
# the allowances are counted over a sliding hour.
NEAR_LIMIT = 90
PAUSE_NEAR_LIMIT = 60.0
PAUSE_AT_LIMIT = 300.0


class Outcome(str, Enum):
    """What an answer means, and so what becomes of its events; see ``decision``."""

    ACCEPTED = "accepted"  # all events counted by Meta
    TRANSIENT = "transient"  # passes by itself: retry
    UNKNOWN = "unknown"  # nobody documented it: retry a few times
    THROTTLED = "throttled"  # too many requests: wait as long as Meta says
    STOPPED = "stopped"  # token, permission, configuration: a person must act
    REFUSED = "refused"  # something in the payload: find the event and drop it
    AMBIGUOUS = "ambiguous"  # REFUSED or STOPPED, it cannot be told from one answer
    EARLY = "early"  # an event's time has not come by Meta's clock: wait for it


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's answer, or why there is none. Holds no token, safe to store."""

    outcome: Outcome
    # Why the events are not with Meta: a key of ``causes``. None after a success.
    cause: str | None = None
    http_status: int | None = None
    # Meta's body, the token cut out, at most MAX_BODY characters.
    body: str = ""
    fbtrace_id: str | None = None
    error_code: int | None = None
    error_subcode: int | None = None
    # Meta's own words, or a plain sentence where it said nothing.
    error_message: str | None = None
    events_received: int | None = None
    # Seconds Meta asks to wait before the next request. None after a success.
    wait: float | None = None
    # Seconds to pause after a success: what Meta asks for, or our own choice where an
    # allowance is nearly used up.
    slow_down: float | None = None
    # Meta may have taken the events although it did not say so.
    arrived: bool = False
    # Unix time by the clock of whoever answered.
    server_time: int | None = None
    duration_ms: int = 0
    # Meta's words that this version of its API is about to end, or was replaced.
    version_warning: str | None = None


# --- Classification -----------------------------------------------------------------

_ANY = range(-(2**31), 2**31)
_NO_SUBCODE = (0,)
# The Conversions API's own, all about the payload.
_PAYLOAD = range(2804000, 2805000)


@dataclass(frozen=True, slots=True)
class Rule:
    """Graph errors that mean the same: to the program by outcome, to a person by cause."""

    codes: Container[int]
    subcodes: Container[int]  # a subcode of 0 is none
    outcome: Outcome
    cause: str

    def matches(self, code: int, subcode: int) -> bool:
        return code in self.codes and subcode in self.subcodes


# The first rule that matches counts. Codes and subcodes only: texts change and are
# localised, and `type` is "OAuthException" for nearly everything.
#
# ADS  https://developers.facebook.com/documentation/ads-commerce/marketing-api
# EH   https://developers.facebook.com/docs/graph-api/guides/error-handling
# GRL  https://developers.facebook.com/docs/graph-api/overview/rate-limiting
# ER   {ADS}/error-reference
# RL   {ADS}/overview/rate-limiting
# RUD  rudderlabs/rudder-transformer, its table of the Conversions API's errors
# WOO  facebook/facebook-for-woocommerce
# seen: in a real answer of the Graph API, documented nowhere
RULES: tuple[Rule, ...] = (
    # internal errors (ER)
    Rule(range(-(2**31), 0), _ANY, Outcome.TRANSIENT, "meta_down"),
    # an OAuthException that says no more (seen)
    Rule((0,), _ANY, Outcome.STOPPED, "token"),
    # 1 unknown, possibly downtime; 2 service (EH). 1/99 too: RUD retries it
    Rule((1, 2), _ANY, Outcome.TRANSIENT, "meta_down"),
    # method or capability (EH)
    Rule((3,), _ANY, Outcome.STOPPED, "permission"),
    # too many calls of the app, also 1504022 and 1504039 (EH, RL)
    Rule((4,), _ANY, Outcome.THROTTLED, "rate_limit"),
    # temporary (RUD)
    Rule((5,), _ANY, Outcome.TRANSIENT, "meta_down"),
    # permission denied (EH)
    Rule((10,), _ANY, Outcome.STOPPED, "permission"),
    # deprecated call (EH)
    Rule((12,), _ANY, Outcome.STOPPED, "version"),
    # too many calls of the user, also 2446079 (EH, RL), of the page (GRL, WOO)
    Rule((17, 32), _ANY, Outcome.THROTTLED, "rate_limit"),
    # documented as a subcode of 100 only; read alike as a code
    Rule((33,), _ANY, Outcome.STOPPED, "pixel_id"),
    # no such object, or the token may not use it: pixel id or token (ER, RUD)
    Rule((100,), (33,), Outcome.STOPPED, "pixel_id"),
    # "Missing Permission" (seen) or a bad parameter
    Rule((100,), _NO_SUBCODE, Outcome.AMBIGUOUS, "no_reason"),
    # the Conversions API's own (seen, RUD)
    Rule((100,), (2804004,), Outcome.EARLY, "clock"),
    Rule((100,), (2804003,), Outcome.REFUSED, "event_time"),
    Rule((100,), (2804008,), Outcome.REFUSED, "contents"),
    Rule((100,), (2804009,), Outcome.REFUSED, "value"),
    Rule((100,), (2804010, 2804023), Outcome.REFUSED, "currency"),
    Rule((100,), (2804030,), Outcome.REFUSED, "ldu"),
    Rule((100,), (2804036,), Outcome.REFUSED, "lead_id"),
    Rule((100,), (2804050,), Outcome.REFUSED, "user_data"),
    Rule(
        (100,),
        (
            *(2804043, 2804063, 2804066, 2804069, 2804079, 2804087),
            *(2804116, 2804117, 2804118, 2804132),
        ),
        Outcome.REFUSED,
        "channel",
    ),
    # a bad parameter
    Rule((100,), _ANY, Outcome.REFUSED, "refused"),
    # the app's key (EH)
    Rule((101,), _ANY, Outcome.STOPPED, "token"),
    # session (EH) or token, expired
    Rule((102, 190), (463,), Outcome.STOPPED, "token_expired"),
    # session (EH); token: 452 session mismatch, 464 and 465 (WOO), 458-460, 467, 492 (EH)
    Rule((102, 190), _ANY, Outcome.STOPPED, "token"),
    # incorrect signature (ER)
    Rule((104,), _ANY, Outcome.STOPPED, "signature"),
    # too many parameters (RUD)
    Rule((105,), _ANY, Outcome.REFUSED, "refused"),
    # permission, 294 too (EH, ER)
    Rule(range(200, 300), _ANY, Outcome.STOPPED, "permission"),
    # limit of the app, or downtime (EH)
    Rule((341,), _ANY, Outcome.THROTTLED, "rate_limit"),
    # blocked for breaking a policy (EH)
    Rule((368,), _ANY, Outcome.STOPPED, "blocked"),
    # subcodes of 190 (EH), should they come as a code
    Rule((459, 467), _ANY, Outcome.STOPPED, "token"),
    Rule((463,), _ANY, Outcome.STOPPED, "token_expired"),
    # duplicate post (EH)
    Rule((506,), _ANY, Outcome.REFUSED, "refused"),
    # custom limit, also 1996, 1487742 and 5044001 (GRL, RL)
    Rule((613,), _ANY, Outcome.THROTTLED, "rate_limit"),
    # no such id or alias: the pixel id (third parties only)
    Rule((803,), _ANY, Outcome.STOPPED, "pixel_id"),
    # unknown path or bad query (seen)
    Rule((2500,), _ANY, Outcome.STOPPED, "pixel_id"),
    # this version of the API has been retired (Marketing API reference)
    Rule((2635,), _ANY, Outcome.STOPPED, "version"),
    # unknown; "data set upload temporarily not ready" (RUD)
    Rule((5000, 21009), _ANY, Outcome.TRANSIENT, "meta_down"),
    # limits of a business use case: 80000-80006, 80008, 80009, 80014 (GRL, RL)
    Rule(range(80000, 80100), _ANY, Outcome.THROTTLED, "rate_limit"),
    # error posting a link (EH)
    Rule((1609005,), _ANY, Outcome.REFUSED, "refused"),
    # the Conversions API's subcodes, should they come as a code
    Rule((2804004,), _ANY, Outcome.EARLY, "clock"),
    Rule(_PAYLOAD, _ANY, Outcome.REFUSED, "refused"),
)
UNKNOWN_RULE = Rule(_ANY, _ANY, Outcome.UNKNOWN, "unknown")
# What an app that wants its calls signed answers, with code 100 and no subcode. Meta
# translates what it says to people, not this.
_SIGNATURE = "appsecret_proof"


def classify(
    code: int,
    subcode: int | None = None,
    *,
    is_transient: bool = False,
    message: str = "",
) -> tuple[Outcome, str]:
    """Return what a Graph error means, and its cause. A subcode of 0 is none.

    :param is_transient: Meta's own word that a retry may succeed. It counts, but for
        what Meta says of the payload, which does not change, and of limits, which have
        waits of their own.
    :param message: the words of the error that are not translated

    >>> classify(100, 2804003)[0].value, classify(100)[0].value, classify(987654)[1]
    ('refused', 'ambiguous', 'unknown')
    """
    number = subcode or 0
    rules = (rule for rule in RULES if rule.matches(code, number))
    rule = next(rules, UNKNOWN_RULE)
    is_payload = code in _PAYLOAD or number in _PAYLOAD
    if is_transient and not is_payload and rule.outcome is not Outcome.THROTTLED:
        return Outcome.TRANSIENT, "meta_down"
    if rule.outcome is Outcome.AMBIGUOUS and _SIGNATURE in message:
        return Outcome.STOPPED, "signature"
    return rule.outcome, rule.cause


def _classify_status(
    http_status: int, is_json: bool, *, is_bare: bool, is_oauth: bool
) -> tuple[Outcome, str]:
    """Return what an answer without an error code means, unless it is a success.

    Meta documents 2xx for valid and 4xx for invalid requests
    (conversions-api/support); the rest is HTTP's own meaning.

    :param is_bare: JSON or nothing: a page is from something before Meta
    :param is_oauth: an error of Meta's about who we are, that says no more
    """
    if is_oauth or (http_status == 401 and is_bare):
        return Outcome.STOPPED, "token"
    if http_status == 403 and is_bare:
        return Outcome.STOPPED, "permission"
    if http_status == 429:
        return Outcome.THROTTLED, "rate_limit"
    if http_status == 413:
        return Outcome.REFUSED, "too_large"
    if http_status == 408 or http_status >= 500:
        return Outcome.TRANSIENT, "meta_down"
    if 300 <= http_status < 400 or is_json:
        return Outcome.UNKNOWN, "unknown"
    # HTML, cut short or empty: from something before Meta.
    return Outcome.TRANSIENT, "meta_down"


# --- Reading an answer --------------------------------------------------------------

# {ADS}/versioning: there while Meta upgrades calls of an old version by itself.
_VERSION_HEADER = "x-ad-api-version-warning"


def read_answer(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    sent: int,
    *,
    token: str = "",
    duration_ms: int = 0,
) -> Answer:
    """Return the meaning of Meta's answer to a request of ``sent`` events.

    Accepted is only a 2xx that counts as many events as were sent. Nothing about the
    answer is trusted, so nothing raises. ``token`` is what to cut out of the texts:
    Meta quotes a malformed one.
    """

    def objection(content: dict[str, Any]) -> str | None:
        received = read_integer(content.get("events_received"))
        if received is None:
            return "Meta did not say how many events it received"
        if received != sent:
            return f"Meta counted {received} of {sent} events"
        return None

    return _read(http_status, headers, body, objection, token, duration_ms)


def read_pixel(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    pixel_id: str,
    *,
    token: str = "",
    duration_ms: int = 0,
) -> Answer:
    """Return the meaning of Meta's answer to a question for the pixel itself."""

    def objection(content: dict[str, Any]) -> str | None:
        if str(content.get("id")) != pixel_id:
            return "Meta did not answer for this pixel"
        return None

    return read_reply(
        http_status, headers, body, objection, token=token, duration_ms=duration_ms
    )


def read_reply(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    objection: Callable[[dict[str, Any]], str | None] = lambda _content: None,
    *,
    token: str = "",
    duration_ms: int = 0,
) -> Answer:
    """Return the meaning of Meta's answer to a question.

    :param objection: says what a success lacks, or None
    """
    answer = _read(http_status, headers, body, objection, token, duration_ms)
    return replace(answer, arrived=False)  # there was nothing to take


def _read(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    objection: Callable[[dict[str, Any]], str | None],
    token: str,
    duration_ms: int,
) -> Answer:
    """Read an answer; ``objection`` says what a success lacks, or None."""
    is_json, content = read_json(body)
    content = content if isinstance(content, dict) else {}
    error = content.get("error")
    fields = error if isinstance(error, dict) else {}
    code = read_integer(fields.get("code"))
    subcode = read_integer(fields.get("error_subcode"))

    arrived = False
    message: str | None = None
    cause: str | None
    if code is not None:  # also inside a 2xx
        outcome, cause = classify(
            code,
            subcode,
            is_transient=fields.get("is_transient") is True,
            message=read_text(fields.get("message")) or "",
        )
        message = _words(fields) or f"Meta answered with error {code} and no words"
    elif 200 <= http_status < 300 and is_json and not error:
        message = objection(content)
        arrived = message is not None
        outcome, cause = Outcome.ACCEPTED, None
        if message:
            outcome, cause = Outcome.TRANSIENT, "meta_down"
    else:
        # A code that cannot be read is one that nobody documented.
        is_oauth = (
            fields.get("type") == "OAuthException"
            and "code" not in fields
            and http_status < 500
        )
        outcome, cause = _classify_status(
            http_status, is_json, is_bare=is_json or not body.strip(), is_oauth=is_oauth
        )
        message = _words(fields) or read_text(error)
        message = message or (
            f"Meta answered HTTP {http_status}"
            + (" without an error code" if is_json else ", but not with readable JSON")
        )
        # Whoever answers 3xx or 4xx did not take the request.
        arrived = not 300 <= http_status < 500

    accepted = outcome is Outcome.ACCEPTED
    values = {str(name).lower(): value for name, value in headers.items()}
    asked, pause = _read_limits(values, throttled=outcome is Outcome.THROTTLED)
    return Answer(
        outcome=outcome,
        cause=cause,
        http_status=http_status,
        body=storable(body, token, MAX_BODY) or "",
        fbtrace_id=storable(
            read_text(fields.get("fbtrace_id")) or read_text(content.get("fbtrace_id")),
            token,
            MAX_MESSAGE,
        ),
        error_code=code,
        error_subcode=subcode,
        error_message=storable(message, token, MAX_MESSAGE),
        events_received=read_integer(content.get("events_received")),
        wait=None if accepted else asked,
        slow_down=(max(asked or 0, pause or 0) or None) if accepted else None,
        arrived=arrived,
        server_time=_http_date(values.get("date")),
        duration_ms=duration_ms,
        version_warning=storable(
            read_text(values.get(_VERSION_HEADER)), token, MAX_MESSAGE
        ),
    )


def _words(error: dict[str, Any]) -> str | None:
    """Return what a Graph error says to people, the most telling first."""
    words = [
        read_text(error.get(key))
        for key in ("error_user_title", "error_user_msg", "message")
    ]
    blamed = _blamed_fields(error.get("error_data"))
    if blamed:
        words.append("Fields: " + ", ".join(blamed))
    return " / ".join(dict.fromkeys(filter(None, words))) or None


def _blamed_fields(error_data: Any) -> list[str]:
    """Return the fields that ``error_data``, an object or its JSON text, blames."""
    if isinstance(error_data, str):
        _is_json, error_data = read_json(error_data)
    if not isinstance(error_data, dict):
        return []
    return [part for part in _leaves(error_data.get("blame_field_specs")) if part]


# --- No answer ----------------------------------------------------------------------


def no_answer(error: OSError | HTTPError, *, duration_ms: int = 0) -> Answer:
    """Return the meaning of a request that got no answer at all.

    ``error`` is a ``requests.RequestException``, or one of the few that ``requests``
    lets through. ``arrived`` is False only where the request certainly never left. The
    error's own text is not used: it quotes addresses and internals.
    """
    arrived = False
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        message = "Meta could not be reached"
    elif isinstance(error, requests.exceptions.ProxyError):
        message = "The proxy did not connect us to Meta"
    elif isinstance(error, requests.exceptions.SSLError):
        # A handshake that fails, or a connection cut while the request was written.
        message = "No secure connection to Meta could be made"
    elif _never_made(error):
        message = "The request could not be made: check Graph URL, proxy, certificates"
    elif isinstance(error, requests.Timeout):
        arrived = True
        seconds = max(round(duration_ms / 1000), 1)
        message = f"Meta did not answer within {seconds} s"
    else:
        arrived = True
        message = "The connection broke before Meta answered"
    return Answer(
        Outcome.TRANSIENT,
        "unreachable",
        error_message=message,
        arrived=arrived,
        duration_ms=duration_ms,
    )


def _never_made(error: Exception) -> bool:
    """Tell whether no connection was tried: a bad address, no certificate bundle."""
    if isinstance(error, requests.exceptions.InvalidHeader):
        return False  # a ValueError, but Meta's header: ours are sound
    known = isinstance(error, requests.RequestException | HTTPError)
    return isinstance(error, ValueError) or not known


def _never_connected(error: Exception) -> bool:
    """Tell whether no connection was made: name unknown, refused, unreachable."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)  # of urllib3's MaxRetryError
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


# --- Rate limit headers -------------------------------------------------------------

# RL calls the first by its short name, GRL by its long one.
_USAGE_HEADERS = (
    "x-business-use-case",
    "x-business-use-case-usage",
    "x-app-usage",
    "x-ad-account-usage",
)
_PERCENTS = ("call_count", "total_time", "total_cputime", "acc_id_util_pct")


def _read_limits(
    headers: Mapping[str, str], *, throttled: bool
) -> tuple[float | None, float | None]:
    """Return the seconds Meta asks to wait, and those it is wise to pause.

    The longest of all the headers' times counts (GRL, RL); malformed ones are as good
    as absent. An ad account's ``reset_time_duration`` is there at any time, so it
    counts only when throttled or near the limit.

    :param headers: by their names in lower case
    """
    waits = [_retry_after(headers.get("retry-after"))]
    used = 0.0
    for name in _USAGE_HEADERS:
        for entry in _objects(read_json(headers.get(name))[1]):
            share = max(read_positive(entry.get(key)) for key in _PERCENTS)
            used = max(used, share)
            minutes = read_positive(entry.get("estimated_time_to_regain_access"))
            waits.append(minutes * 60)
            if throttled or share >= NEAR_LIMIT:
                waits.append(read_positive(entry.get("reset_time_duration")))
    pause = None
    if used >= NEAR_LIMIT:
        pause = PAUSE_NEAR_LIMIT if used < 100 else PAUSE_AT_LIMIT
    return min(max(waits), MAX_WAIT) or None, pause


def _retry_after(value: Any) -> float:
    """Return the seconds that Retry-After, a number or an HTTP date, asks for."""
    if seconds := read_positive(value):
        return seconds
    date = _http_date(value)
    return max(date - time.time(), 0.0) if date is not None else 0.0


def _http_date(value: Any) -> int | None:
    """Return the Unix time of an HTTP date, or None."""
    try:
        return int(parsedate_to_datetime(value).timestamp())
    except (TypeError, ValueError, OverflowError, IndexError, AttributeError):
        return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in ``value``, however deep it lies."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _leaves(value: Any) -> list[str]:
    """Return the texts in nested lists, in their order."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            waiting.extend(reversed(item))
    return found
