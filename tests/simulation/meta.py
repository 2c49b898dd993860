"""A Meta that misbehaves by a script, and remembers what it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import requests

from ...capi.answer import Answer, no_answer, read_answer

# What an answer may look like: HTTP status, headers, body. "sent" is what a success
# counts.
Reply = tuple[int, dict[str, str], str]


def _error(
    code: int | None, subcode: int | None = None, status: int = 400, **more: Any
):
    error: dict[str, Any] = {"message": "No", "type": "GraphMethodException", **more}
    if code is not None:
        error["code"] = code
    if subcode is not None:
        error["error_subcode"] = subcode
    return status, {}, json.dumps({"error": error})


# Each kind of trouble, and the answer it makes.
REPLIES: dict[str, Reply] = {
    # passes by itself
    "error_500": (500, {}, "<html>Oops</html>"),
    "html": (200, {}, "<html>Hello</html>"),
    "truncated": (200, {}, '{"events_rec'),
    "empty": (200, {}, ""),
    "code_1": _error(1),
    "code_2": _error(2, status=500),
    "negative": _error(-3),
    "is_transient": _error(190, is_transient=True),
    "retry_after": (503, {"Retry-After": "55"}, "<html>Later</html>"),
    # nobody documented it
    "unknown": _error(987654),
    "teapot": (418, {}, "{}"),
    # too many requests
    "code_4": _error(4),
    "http_429": (429, {}, ""),
    "told_429": (429, {"Retry-After": "1140"}, ""),
    "code_80004": (
        400,
        {
            "X-Business-Use-Case-Usage": json.dumps(
                {"1": [{"estimated_time_to_regain_access": 19}]}
            )
        },
        _error(80004)[2],
    ),
    # a person must act
    "expired": _error(190, 463, status=401),
    "permission": _error(10, status=403),
    "no_pixel": _error(100, 33),
    "code_0": _error(0),
    "no_code": _error(None, type="OAuthException"),
    "bare_403": (403, {}, ""),
    "proof": _error(
        100, message="API calls from the server require an appsecret_proof argument"
    ),
    # either
    "no_reason": _error(100),
    # the payload
    "payload": _error(100, 2804009),
    "too_old": _error(100, 2804003),
    "too_many": _error(105),
    "http_413": (413, {}, "<html>Large</html>"),
}
# No answer at all; whether Meta took the events.
SILENCES = {"reset": False, "lost_answer": True, "time_out": True, "unreachable": False}
_ERRORS = {"time_out": requests.ReadTimeout(), "unreachable": requests.ConnectTimeout()}
# A success that counts one too few.
SHORT = "short"

TRANSIENT = (
    *("error_500", "html", "truncated", "empty", "code_1", "code_2", "negative"),
    *("is_transient", "reset", "lost_answer", "time_out", "unreachable", SHORT),
)
UNKNOWN = ("unknown", "teapot")
THROTTLED = ("code_4", "http_429", "told_429", "code_80004")
STOPPING = (
    *("expired", "permission", "no_pixel", "code_0", "no_code", "bare_403", "proof"),
)
AMBIGUOUS = ("no_reason",)
REFUSING = ("payload", "too_many", "http_413")
# What may be wrong with one event.
POISONS = (*REFUSING, *AMBIGUOUS, *UNKNOWN, "error_500", SHORT, "code_1")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that reached Meta."""

    at: int
    pixel_id: str
    keys: tuple[str, ...]
    outcome: str
    arrived: bool
    by_hand: bool


@dataclass
class Meta:
    """The other side: what troubles it and until when, and all that it was sent."""

    clock: Callable[[], int]
    # Of each pixel: from, until, kind.
    troubles: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    # The single bad answers that were given.
    hiccups: list[tuple[int, int, str]] = field(default_factory=list)
    # For the next requests to a pixel, whatever the time.
    next_replies: dict[str, list[str]] = field(default_factory=dict)
    poisons: dict[str, str] = field(default_factory=dict)
    # Seconds by which its clock is behind ours.
    behind: int = 0
    tells_date: bool = True
    event_times: dict[str, int] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    copies: dict[str, list[int]] = field(default_factory=dict)

    def trouble(self, pixel_id: str) -> str | None:
        now = self.clock()
        for since, until, kind in self.troubles.get(pixel_id, ()):
            if since <= now < until:
                return kind
        return None

    def ask(self, pixel_id: str, keys: tuple[str, ...], by_hand: bool) -> Answer:
        """Answer a request as the script says, and remember it."""
        kind = self._kind(pixel_id, keys)
        answer, arrived = self._answer(kind, len(keys))
        now = self.clock()
        self.requests.append(
            Request(now, pixel_id, keys, answer.outcome.value, arrived, by_hand)
        )
        if arrived:
            for key in keys:
                self.copies.setdefault(key, []).append(now)
        return answer

    def _kind(self, pixel_id: str, keys: Sequence[str]) -> str | None:
        waiting = self.next_replies.get(pixel_id)
        if waiting:
            now = self.clock()
            self.hiccups.append((now, now + 1, waiting[0]))
            return waiting.pop(0)
        if trouble := self.trouble(pixel_id):
            return trouble
        now = self.clock() - self.behind
        if any(self.event_times[key] > now for key in keys):
            return "early"
        poisons = (self.poisons[key] for key in keys if key in self.poisons)
        return next(poisons, None)

    def _answer(self, kind: str | None, sent: int) -> tuple[Answer, bool]:
        answer, arrived = _read(kind, sent)
        if self.tells_date and kind not in SILENCES:
            answer = replace(answer, server_time=self.clock() - self.behind)
        return answer, arrived


@cache
def _read(kind: str | None, sent: int) -> tuple[Answer, bool]:
    """Return what is read of an answer without its date, and whether Meta took it.

    Read once only: what an answer means depends on nothing else.
    """
    if kind in SILENCES:
        return no_answer(_ERRORS.get(kind, requests.ConnectionError())), SILENCES[kind]
    if kind in (None, SHORT):
        received = sent - (kind == SHORT)
        reply = (200, {}, json.dumps({"events_received": received}))
    elif kind == "early":
        reply = _error(100, 2804004)
    else:
        reply = REPLIES[kind]
    return read_answer(*reply, sent), kind in (None, SHORT)
