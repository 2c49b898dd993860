"""What an error of the Graph API, or an HTTP status without one, means."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum


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


def classify_status(
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
