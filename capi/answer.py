"""What Meta answered to a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from .graph_errors import Outcome, classify, classify_status
from .parsing import (
    parse_http_date,
    parse_integer,
    parse_json,
    parse_text,
    storable,
)
from .rate_limits import read_limits

# Characters of Meta's body, and of its words, that are worth keeping.
MAX_KEPT_BODY = 10_000
MAX_MESSAGE = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's answer, or why there is none. Holds no token, safe to store."""

    outcome: Outcome
    # Why the events are not with Meta: a key of ``causes``. None after a success.
    cause: str | None = None
    http_status: int | None = None
    # Meta's body, the token cut out, at most MAX_KEPT_BODY characters.
    body: str = ""
    fbtrace_id: str | None = None
    error_code: int | None = None
    error_subcode: int | None = None
    # Meta's own words, or a plain sentence where it said nothing.
    error_message: str | None = None
    events_received: int | None = None
    # Seconds Meta asks to wait before the next request. None after a success.
    retry_after: float | None = None
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

    @property
    def brief(self) -> str:
        """What Meta's answer says, as a person reads it.

        >>> Answer(Outcome.ACCEPTED, body='{"events_received":1,"messages":[]}').brief
        'events_received: 1'
        """
        _is_json, content = parse_json(self.body)
        if not isinstance(content, dict):
            return self.body
        plain = ((k, v) for k, v in content.items() if v and not isinstance(v, dict))
        return ", ".join(f"{key}: {value}" for key, value in plain)


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

    def validate(content: dict[str, Any]) -> str | None:
        received = parse_integer(content.get("events_received"))
        if received is None:
            return "Meta did not say how many events it received"
        if received != sent:
            return f"Meta counted {received} of {sent} events"
        return None

    return _read(http_status, headers, body, validate, token, duration_ms)


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

    def validate(content: dict[str, Any]) -> str | None:
        if str(content.get("id")) != pixel_id:
            return "Meta did not answer for this pixel"
        return None

    return read_reply(
        http_status, headers, body, validate, token=token, duration_ms=duration_ms
    )


def read_reply(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    validate: Callable[[dict[str, Any]], str | None] = lambda _content: None,
    *,
    token: str = "",
    duration_ms: int = 0,
) -> Answer:
    """Return the meaning of Meta's answer to a question.

    :param validate: says what a success lacks, or None
    """
    answer = _read(http_status, headers, body, validate, token, duration_ms)
    return replace(answer, arrived=False)  # there was nothing to take


def _read(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    validate: Callable[[dict[str, Any]], str | None],
    token: str,
    duration_ms: int,
) -> Answer:
    """Read an answer; ``validate`` says what a success lacks, or None."""
    is_json, value = parse_json(body)
    content = value if isinstance(value, dict) else {}
    error = content.get("error")
    fields = error if isinstance(error, dict) else {}
    code = parse_integer(fields.get("code"))
    if code is not None:  # also inside a 2xx
        answer = _read_error(code, fields)
    elif 200 <= http_status < 300 and is_json and not error:
        answer = _read_success(validate(content))
    else:
        answer = _read_status(http_status, is_json, is_json or not body.strip(), error)
    is_accepted = answer.outcome is Outcome.ACCEPTED
    values = {str(name).lower(): value for name, value in headers.items()}
    is_throttled = answer.outcome is Outcome.THROTTLED
    asked, pause = read_limits(values, throttled=is_throttled)
    trace_id = parse_text(fields.get("fbtrace_id"))
    return replace(
        answer,
        http_status=http_status,
        body=storable(body, token, MAX_KEPT_BODY) or "",
        fbtrace_id=storable(
            trace_id or parse_text(content.get("fbtrace_id")), token, MAX_MESSAGE
        ),
        error_code=code,
        error_subcode=parse_integer(fields.get("error_subcode")),
        error_message=storable(answer.error_message, token, MAX_MESSAGE),
        events_received=parse_integer(content.get("events_received")),
        retry_after=None if is_accepted else asked,
        slow_down=(max(asked or 0, pause or 0) or None) if is_accepted else None,
        server_time=parse_http_date(values.get("date")),
        duration_ms=duration_ms,
        version_warning=storable(
            parse_text(values.get(_VERSION_HEADER)), token, MAX_MESSAGE
        ),
    )


def _read_success(error: str | None) -> Answer:
    if not error:
        return Answer(Outcome.ACCEPTED)
    return Answer(Outcome.TRANSIENT, "meta_down", error_message=error, arrived=True)


def _read_error(code: int, fields: dict[str, Any]) -> Answer:
    """Read an error of the Graph API."""
    outcome, cause = classify(
        code,
        parse_integer(fields.get("error_subcode")),
        is_transient=fields.get("is_transient") is True,
        message=parse_text(fields.get("message")) or "",
    )
    words = _words(fields) or f"Meta answered with error {code} and no words"
    return Answer(outcome, cause, error_message=words)


def _read_status(http_status: int, is_json: bool, is_bare: bool, error: Any) -> Answer:
    """Read an answer that has no error code; see ``classify_status``."""
    fields = error if isinstance(error, dict) else {}
    # A code that cannot be read is one that nobody documented.
    is_oauth = (
        fields.get("type") == "OAuthException"
        and "code" not in fields
        and http_status < 500
    )
    outcome, cause = classify_status(
        http_status, is_json, is_bare=is_bare, is_oauth=is_oauth
    )
    detail = " without an error code" if is_json else ", but not with readable JSON"
    return Answer(
        outcome,
        cause,
        error_message=_words(fields)
        or parse_text(error)
        or f"Meta answered HTTP {http_status}{detail}",
        # Whoever answers 3xx or 4xx did not take the request.
        arrived=not 300 <= http_status < 500,
    )


def _words(error: dict[str, Any]) -> str | None:
    """Return what a Graph error says to people, the most telling first."""
    words = [
        parse_text(error.get(key))
        for key in ("error_user_title", "error_user_msg", "message")
    ]
    blamed = _blamed_fields(error.get("error_data"))
    if blamed:
        words.append("Fields: " + ", ".join(blamed))
    return " / ".join(dict.fromkeys(filter(None, words))) or None


def _blamed_fields(error_data: Any) -> list[str]:
    """Return the fields that ``error_data``, an object or its JSON text, blames."""
    if isinstance(error_data, str):
        _is_json, error_data = parse_json(error_data)
    if not isinstance(error_data, dict):
        return []
    return [part for part in _leaves(error_data.get("blame_field_specs")) if part]


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
