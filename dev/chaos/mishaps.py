"""The ways in which a request to Meta may go wrong, by what they are called."""

from __future__ import annotations

from collections.abc import Mapping

from ..sandbox import Fault, faults

# What passes by itself, or may do so. Those that tell how long to wait, that a person
# must act or that an event is bad are others.
BLIPS: Mapping[str, Fault] = {
    "code 1": faults.error(1),
    "code 2 in HTTP 200": faults.error(2, in_http_200=True),
    "a transient code 190": faults.error(190, is_transient=True),
    "code 100 without a subcode": faults.error(100),
    "a code nobody knows": faults.error(987654),
    "HTML with 502": faults.http(502),
    "HTTP 500, taken in": faults.http(500, accept=True),
    "HTML with 200, taken in": faults.http(200, accept=True),
    "redirect": faults.redirect("http://127.0.0.1:9/"),
    "half a JSON": faults.truncated_json(),
    "half a JSON, taken in and cut": faults.truncated_json(accept=True, cut=True),
    "empty body": faults.empty_body(),
    "one event not counted": faults.short_events_received(),
    "no events_received, taken in": faults.missing_events_received(accept=True),
    "reset": faults.reset(),
    "reset, taken in": faults.reset_after_accept(),
    "no answer": faults.hang(),
}

# Every way to fail but one: a refusal of the payload that comes by chance would make
# good events invalid, and rightly so. Poisoned events stand for it.
MISHAPS: Mapping[str, Fault] = {
    **BLIPS,
    "code 1 with error_data as text": faults.error(1, error_data_as_string=True),
    "code 2": faults.error(2, is_transient=True),
    "code 4": faults.error(4, headers={"Retry-After": "20"}),
    "code 17": faults.error(17),
    "code 190": faults.error(190, 463),
    "code 200": faults.error(200),
    "code 100/33": faults.error(100, 33),
    "throttled for 2 minutes": faults.throttled(minutes=2),
    "HTTP 429": faults.http(429, headers={"Retry-After": "90"}),
    "empty body, taken in": faults.empty_body(accept=True),
    "no messages": faults.missing_messages(),
    "slow": faults.slow(2),
    "nearly throttled": faults.with_headers({"X-App-Usage": '{"call_count": 95}'}),
}

# After which a person has to do something.
STOPS: Mapping[str, Fault] = {
    "401 and nothing else": faults.http(401, "", "application/json"),
    "403 and nothing else": faults.http(403, "", "application/json"),
    "an OAuthException without a code": faults.error_without_code(),
    **{f"code {code}": faults.error(code) for code in (0, 12, 101, 459, 463, 467)},
}
