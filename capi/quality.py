"""What Meta thinks of the events it got: the answer of its Dataset Quality API.

{DOCS}/dataset-quality-api. Whatever Meta leaves out is None, never 0: too few events,
no events of browsers, a figure that this dataset does not have yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from .answer import Answer, read_reply
from .const import MAX_NAME_LENGTH
from .errors import CapiError
from .graph_errors import Outcome
from .parsing import parse_integer, parse_json, parse_number, parse_text, storable

# What is asked for. A field that Meta does not know makes it refuse the whole question.
FIELDS = (
    "web{event_name,"
    "event_match_quality{composite_score,"
    "match_key_feedback{identifier,coverage{percentage},"
    "potential_aly_acr_increase{percentage}},"
    "diagnostics{name,description,solution,percentage,affected_event_count,"
    "total_event_count}},"
    "event_coverage{percentage,goal_percentage},"
    "dedupe_key_feedback{dedupe_key,browser_events_with_dedupe_key{percentage},"
    "server_events_with_dedupe_key{percentage},"
    "overall_browser_coverage_from_dedupe_key{percentage}},"
    "data_freshness{upload_frequency},acr{percentage}}"
)
# Bytes of an answer that are read: some 3 KB for each name of an event.
MAX_ANSWER_BYTES = 1024 * 1024
# Our own limits for what Meta may say: names of events, keys or faults of one,
# characters of a text.
MAX_EVENTS = 500
MAX_PARTS = 50
MAX_TEXT = 1_000
# Oddities of an answer that are told.
MAX_ODDITIES = 5

REAL_TIME = "real_time"

# Meta's name of a match key, and the one it has in ``user_data``. A name that is not
# here stays as it is.
KEYS: Mapping[str, str] = {
    "birthday": "db",
    "browser_id": "fbp",
    "city": "ct",
    "click_id": "fbc",
    "country_code": "country",
    "date_of_birth": "db",
    "email": "em",
    "facebook_login_id": "fb_login_id",
    "first_name": "fn",
    "gender": "ge",
    "ip_address": "client_ip_address",
    "last_name": "ln",
    "phone": "ph",
    "phone_number": "ph",
    "state": "st",
    "user_agent": "client_user_agent",
    "zip": "zp",
    "zip_code": "zp",
}


class UnknownShape(CapiError):
    """An answer that is not built as documented; the text says where it differs."""


class Problem(str, Enum):
    """Why there is no quality to be had: what a person can do about it."""

    PERMISSION = "permission"  # the token may send, but not read this
    TOKEN = "token"  # expired, revoked, missing
    SETTING = "setting"  # pixel, version or address are wrong
    LATER = "later"  # passes by itself: Meta is down, or asked too often
    SHAPE = "shape"  # the answer, or a field of ours, is not as documented
    UNKNOWN = "unknown"  # anything else


@dataclass(frozen=True, slots=True)
class KeyFeedback:
    """What Meta says of one match key of an event. ``key`` is the one of ``user_data``."""

    key: str
    coverage: float | None = None  # percent of the events that have it
    gain: float | None = None  # percent more conversions if all had it


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A fault that Meta found, in its own words."""

    name: str
    description: str = ""
    solution: str = ""
    percentage: float | None = None
    affected: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class EventQuality:
    """What Meta thinks of the events of one name. All figures but the score: percent."""

    event_name: str
    score: float | None = None  # event match quality, 0 to 10
    keys: tuple[KeyFeedback, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    # Server events for each browser event, over 7 days, and what Meta aims at.
    coverage: float | None = None
    coverage_goal: float | None = None
    # Events of each side that carry an event_id, and browser events that are recognised
    # by it.
    browser_with_id: float | None = None
    server_with_id: float | None = None
    dedupe_rate: float | None = None
    freshness: str | None = None
    acr: float | None = None  # additional conversions reported thanks to the server


@dataclass(frozen=True, slots=True)
class QualityAnswer:
    """One answer. Holds no token, safe to store."""

    answer: Answer
    events: tuple[EventQuality, ...] = ()
    problem: Problem | None = None
    # Parts that were not understood, by their paths; the rest counts.
    oddities: tuple[str, ...] = ()

    @classmethod
    def without_events(cls, answer: Answer) -> QualityAnswer:
        """Return what a refusal, or no answer at all, amounts to."""
        return cls(answer, problem=_problem_of(answer))


def read_quality_answer(
    http_status: int,
    headers: Mapping[str, str],
    body: str,
    *,
    token: str = "",
    duration_ms: int = 0,
) -> QualityAnswer:
    """Return the meaning of Meta's answer. Nothing about it is trusted: never raises."""
    answer = read_reply(
        http_status, headers, body, token=token, duration_ms=duration_ms
    )
    if answer.outcome is not Outcome.ACCEPTED:
        return QualityAnswer.without_events(answer)
    text = storable(body, token, len(body)) or ""
    try:
        events, oddities = read_quality(text)
    except UnknownShape as error:
        answer = replace(
            answer, outcome=Outcome.UNKNOWN, cause="unknown", error_message=str(error)
        )
        return QualityAnswer(answer, problem=Problem.SHAPE)
    return QualityAnswer(answer, events, oddities=oddities)


def read_quality(body: str) -> tuple[tuple[EventQuality, ...], tuple[str, ...]]:
    """Return what a body tells of each event, and the paths of what is not understood.

    Raises ``UnknownShape`` if it is no list of events at all.

    >>> read_quality('{"web": [{"event_name": "Lead", "acr": {"percentage": "3.5"}}]}')[0][0].acr
    3.5
    """
    is_json, content = parse_json(body)
    if not is_json or not isinstance(content, dict):
        raise UnknownShape("Meta's answer about the quality is no JSON object")
    rows = content.get("web")
    if not isinstance(rows, list):
        raise UnknownShape("Meta's answer about the quality has no list named web")
    reader = _Reader()
    events: dict[str, EventQuality] = {}
    for index, row in enumerate(rows[:MAX_EVENTS]):
        event = reader.event(row, f"web[{index}]")
        if event:
            events.setdefault(event.event_name, event)
    if rows and not events:
        raise UnknownShape("No event of Meta's answer about the quality has a name")
    return tuple(events.values()), tuple(reader.oddities[:MAX_ODDITIES])


class _Reader:
    """Reads what may be missing, and notes the paths of what is there and is odd."""

    def __init__(self) -> None:
        self.oddities: list[str] = []

    def event(self, row: Any, path: str) -> EventQuality | None:
        fields = self._object(row, path)
        name = self._name(fields.get("event_name"), f"{path}.event_name")
        if not name:
            self.oddities.append(f"{path}.event_name")
            return None
        match = self._object(
            fields.get("event_match_quality"), f"{path}.event_match_quality"
        )
        coverage = self._object(fields.get("event_coverage"), f"{path}.event_coverage")
        shared = self._event_id(fields.get("dedupe_key_feedback"), path)
        freshness = self._object(fields.get("data_freshness"), f"{path}.data_freshness")
        return EventQuality(
            name,
            score=self._figure(match, "composite_score", path),
            keys=self._keys(match.get("match_key_feedback"), path),
            diagnostics=self._diagnostics(match.get("diagnostics"), path),
            coverage=self._figure(coverage, "percentage", f"{path}.event_coverage"),
            coverage_goal=self._figure(
                coverage, "goal_percentage", f"{path}.event_coverage"
            ),
            browser_with_id=self._percent(
                shared, "browser_events_with_dedupe_key", path
            ),
            server_with_id=self._percent(shared, "server_events_with_dedupe_key", path),
            dedupe_rate=self._percent(
                shared, "overall_browser_coverage_from_dedupe_key", path
            ),
            freshness=self._text(
                freshness.get("upload_frequency"), f"{path}.data_freshness"
            ),
            acr=self._percent(fields, "acr", path),
        )

    def _keys(self, value: Any, path: str) -> tuple[KeyFeedback, ...]:
        found: dict[str, KeyFeedback] = {}
        for entry, place in self._entries(value, f"{path}.match_key_feedback"):
            name = self._name(entry.get("identifier"), place)
            if not name:
                self.oddities.append(f"{place}.identifier")
                continue
            key = KEYS.get(name.lower(), name)
            feedback = KeyFeedback(
                key,
                coverage=self._percent(entry, "coverage", place),
                gain=self._percent(entry, "potential_aly_acr_increase", place),
            )
            found.setdefault(key, feedback)
        return tuple(found.values())

    def _diagnostics(self, value: Any, path: str) -> tuple[Diagnostic, ...]:
        found: dict[str, Diagnostic] = {}
        for entry, place in self._entries(value, f"{path}.diagnostics"):
            description = self._text(entry.get("description"), place) or ""
            name = self._text(entry.get("name"), place) or description
            if not name:
                self.oddities.append(f"{place}.name")
                continue
            diagnostic = Diagnostic(
                name,
                description,
                self._text(entry.get("solution"), place) or "",
                self._figure(entry, "percentage", place),
                parse_integer(entry.get("affected_event_count")),
                parse_integer(entry.get("total_event_count")),
            )
            found.setdefault(name, diagnostic)
        return tuple(found.values())

    def _event_id(self, value: Any, path: str) -> Mapping[str, Any]:
        """Return what is said of the key that copies of an event share."""
        for entry, _place in self._entries(value, f"{path}.dedupe_key_feedback"):
            if entry.get("dedupe_key") == "event_id":
                return entry
        return {}

    def _entries(self, value: Any, path: str) -> list[tuple[Mapping[str, Any], str]]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.oddities.append(path)
            return []
        found: list[tuple[Mapping[str, Any], str]] = []
        for index, entry in enumerate(value[:MAX_PARTS]):
            place = f"{path}[{index}]"
            if isinstance(entry, dict):
                found.append((entry, place))
            else:
                self.oddities.append(place)
        return found

    def _object(self, value: Any, path: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        if value is not None:
            self.oddities.append(path)
        return {}

    def _percent(self, parent: Mapping[str, Any], name: str, path: str) -> float | None:
        part = self._object(parent.get(name), f"{path}.{name}")
        return self._figure(part, "percentage", f"{path}.{name}")

    def _figure(self, parent: Mapping[str, Any], name: str, path: str) -> float | None:
        """Return a number, which may be written as a text, with a % or without."""
        value = parent.get(name)
        if isinstance(value, str):
            value = value.strip().removesuffix("%").strip() or None
        figure = parse_number(value)
        if value is not None and figure is None:
            self.oddities.append(f"{path}.{name}")
        return figure

    def _name(self, value: Any, path: str) -> str | None:
        """Return the start of a name: a longer one would not fit an index."""
        return (self._text(value, path) or "")[:MAX_NAME_LENGTH] or None

    def _text(self, value: Any, path: str) -> str | None:
        if value is not None and not isinstance(value, str):
            self.oddities.append(path)
        return storable(parse_text(value), "", MAX_TEXT)


# What the Graph API says of a field that it does not have; seen. Words for developers,
# which are not translated.
_UNKNOWN_FIELD = "nonexisting field"


def _problem_of(answer: Answer) -> Problem:
    """Return what an answer without events amounts to, for a question about quality.

    Where sending sees a wrong pixel (100/33), or cannot tell (100), a token that sends
    well lacks the permission to read.
    """
    is_missing = (answer.error_code, answer.error_subcode) == (100, 33)
    if answer.outcome is Outcome.AMBIGUOUS:
        is_field = _UNKNOWN_FIELD in (answer.error_message or "")
        return Problem.SHAPE if is_field else Problem.PERMISSION
    if is_missing or answer.cause == "permission":
        return Problem.PERMISSION
    if answer.cause in ("token", "token_expired", "no_token", "signature"):
        return Problem.TOKEN
    if answer.cause in ("pixel_id", "version", "setting"):
        return Problem.SETTING
    if answer.outcome in (Outcome.TRANSIENT, Outcome.THROTTLED):
        return Problem.LATER
    return Problem.UNKNOWN
