"""What Meta thinks of the events it got: the edge ``dataset_quality``.

Everything is counted from what the sandbox really received since its start, or since it
was last cleared. docs: dataset-quality-api, for the names and the shape. How Meta counts
is documented for some figures only; the sandbox counts like this:

=======================  ==============================================================
figure                   counted as
=======================  ==============================================================
an event                 one ``event_id``, however often it came; without one, each by
                         itself. Only events of the action source ``website`` count (docs)
match key                share of the server's events that have it (docs)
composite score          the sum of ``WEIGHTS`` times the share of each key (ours)
gain of a key            its weight times the share that lacks it, times ``GAIN`` (ours)
diagnostics              what the sandbox warned of, by the events it warned of (ours)
coverage                 the server's events in percent of the browser's (docs)
dedupe, each side        share of that side's events that carry an ``event_id`` (docs)
dedupe, overall          the browser's events that the server has told, too, under the
                         same ID, in percent of the browser's (docs)
freshness                ``real_time``, if the median event came within ``REAL_TIME``
                         seconds; ``hourly``, within a day's quarter; else ``daily`` (ours)
acr                      events that only the server told, in percent of the browser's
                         (ours)
=======================  ==============================================================

What needs the browser's events is left out where there are none. The keys ``fbp`` and
``external_id`` of the deduplication are left out: the stand-in for the Pixel sends none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from .answers import GraphError
from .records import BrowserEvent, ReceivedEvent

# Meta's name of each key, by the one in user_data, and what it adds to the score (ours).
WEIGHTS: Mapping[str, tuple[str, float]] = {
    "em": ("email", 3.0),
    "ph": ("phone", 2.0),
    "external_id": ("external_id", 1.0),
    "fbc": ("fbc", 1.0),
    "fbp": ("fbp", 0.5),
    "client_ip_address": ("ip_address", 0.5),
    "client_user_agent": ("user_agent", 0.5),
    "fn": ("first_name", 0.25),
    "ln": ("last_name", 0.25),
    "ct": ("city", 0.25),
    "st": ("state", 0.25),
    "zp": ("zip", 0.25),
    "country": ("country", 0.25),
}
# Percent of additional conversions for each point of the score (ours).
GAIN = 5.0
# What Meta aims at (docs).
GOAL = 75
REAL_TIME, HOURLY = 3600, 6 * 3600

# What there is to ask for. None: a value (docs).
_PERCENTAGE: Mapping[str, Any] = {"percentage": None, "description": None}
FIELDS: Mapping[str, Any] = {
    "web": {
        "event_name": None,
        "event_match_quality": {
            "composite_score": None,
            "match_key_feedback": {
                "identifier": None,
                "coverage": {"percentage": None},
                "potential_aly_acr_increase": _PERCENTAGE,
            },
            "diagnostics": dict.fromkeys(
                (
                    *("name", "description", "solution", "percentage"),
                    *("affected_event_count", "total_event_count"),
                )
            ),
        },
        "event_coverage": {
            **_PERCENTAGE,
            "goal_percentage": None,
            "potential_aly_acr_increase": _PERCENTAGE,
        },
        "dedupe_key_feedback": {
            "dedupe_key": None,
            "browser_events_with_dedupe_key": _PERCENTAGE,
            "server_events_with_dedupe_key": _PERCENTAGE,
            "overall_browser_coverage_from_dedupe_key": _PERCENTAGE,
        },
        "data_freshness": {"upload_frequency": None, "description": None},
        "acr": _PERCENTAGE,
        "event_potential_aly_acr_increase": _PERCENTAGE,
    }
}
PARAMETERS = {"dataset_id", "fields", "agent_name", "access_token", "appsecret_proof"}

_TOKEN = re.compile(r"[a-z_]+|[{},]")


def check_parameters(query: Mapping[str, Sequence[str]]) -> Any:
    """Return the wanted fields, or refuse what cannot be asked like this."""
    unknown = query.keys() - PARAMETERS
    if unknown:  # ours: Graph overlooks them
        raise GraphError(100, reason=f"unknown parameters {sorted(unknown)}")
    twice = [name for name, values in query.items() if len(values) > 1]
    if twice:  # ours
        raise GraphError(100, reason=f"given twice: {twice}")
    for name in ("dataset_id", "fields"):
        if not query.get(name, [""])[0]:  # docs: both required
            raise GraphError(
                100,
                message=f"(#100) The parameter {name} is required",
                reason=f"no {name}",
            )
    agent = query.get("agent_name", [""])[0]
    if agent != agent.lower():  # docs: lower case
        raise GraphError(100, reason="agent_name is not in lower case")
    return parse_fields(query["fields"][0])


def _unreadable(reason: str) -> GraphError:
    return GraphError(2500, message="Syntax error", reason=reason)


def parse_fields(text: str) -> Any:
    """Return the tree that ``a{b,c{d}}`` writes, each name being known.

    A name without a list of its own stands for all there is of it.
    """
    words = _TOKEN.findall(text)
    if "".join(words) != text:
        raise _unreadable("fields cannot be read")
    tree, rest = _parse(words, FIELDS)
    if rest:
        raise _unreadable("a brace too many")
    return tree


def _parse(words: Sequence[str], known: Mapping[str, Any]) -> tuple[Any, Sequence[str]]:
    tree: dict[str, Any] = {}
    while words:
        name, words = words[0], words[1:]
        if name in "{},":
            raise _unreadable(f"{name} in fields")
        if name not in known:  # seen
            raise GraphError(
                100,
                message=f"(#100) Tried accessing nonexisting field ({name})",
                reason=f"no field {name}",
            )
        tree[name] = known[name]
        if words[:1] == ["{"]:
            if known[name] is None:
                raise _unreadable(f"{name} has no fields")
            tree[name], words = _parse(words[1:], known[name])
            if words[:1] != ["}"]:
                raise _unreadable("a brace is open")
            words = words[1:]
        if words[:1] != [","]:
            break
        words = words[1:]
        if not words:
            raise _unreadable("a comma at the end")
    return tree, words


def select(value: Any, tree: Any) -> Any:
    """Return of ``value`` what was asked for."""
    if tree is None:
        return value
    if isinstance(value, list):
        return [select(item, tree) for item in value]
    return {name: select(value[name], tree[name]) for name in tree if name in value}


def describe(
    server: Iterable[ReceivedEvent], browser: Iterable[BrowserEvent]
) -> dict[str, Any]:
    """Return the quality of these events of one pixel, by their names."""
    by_name: dict[str, tuple[list[ReceivedEvent], list[BrowserEvent]]] = {}
    for event in server:
        if event.event["action_source"] == "website":
            by_name.setdefault(event.event["event_name"], ([], []))[0].append(event)
    for copy in browser:
        # An event that only browsers have told has no quality of the server's.
        if copy.event_name in by_name:
            by_name[copy.event_name][1].append(copy)
    rows = [_describe_event(name, *parts) for name, parts in sorted(by_name.items())]
    return {"web": rows}


def _describe_event(
    name: str, received: list[ReceivedEvent], copies: list[BrowserEvent]
) -> dict[str, Any]:
    server = _unique((event.event.get("event_id"), event) for event in received)
    browser = _unique((event.event_id, event) for event in copies)
    row: dict[str, Any] = {
        "event_name": name,
        "event_match_quality": _match_quality(server),
        "data_freshness": {"upload_frequency": _freshness(server)},
    }
    shared = {
        "dedupe_key": "event_id",
        "server_events_with_dedupe_key": _share(
            sum("event_id" in event.event for event in received), len(received)
        ),
    }
    if browser:
        server_ids = {event.event.get("event_id") for event in server} - {None}
        browser_ids = {event.event_id for event in browser} - {None}
        row["event_coverage"] = {
            **_share(len(server), len(browser)),
            "goal_percentage": GOAL,
        }
        row["acr"] = _share(len(server) - len(server_ids & browser_ids), len(browser))
        shared["browser_events_with_dedupe_key"] = _share(
            sum(event.event_id is not None for event in copies), len(copies)
        )
        shared["overall_browser_coverage_from_dedupe_key"] = _share(
            len(server_ids & browser_ids), len(browser)
        )
    row["dedupe_key_feedback"] = [shared]
    return row


def _unique(events: Iterable[tuple[str | None, Any]]) -> list[Any]:
    """Return the events, of those with the same ID the first one."""
    found: dict[Any, Any] = {}
    for number, (event_id, event) in enumerate(events):
        found.setdefault(number if event_id is None else event_id, event)
    return list(found.values())


def _share(part: int, whole: int) -> dict[str, float]:
    return {"percentage": round(100 * part / whole, 1)}


def _match_quality(server: list[ReceivedEvent]) -> dict[str, Any]:
    having = Counter(key for event in server for key in event.event["user_data"])
    shares = {key: having[key] / len(server) for key in WEIGHTS}
    score = sum(WEIGHTS[key][1] * share for key, share in shares.items())
    return {
        "composite_score": round(score, 1),
        "match_key_feedback": [
            {
                "identifier": name,
                "coverage": {"percentage": round(100 * shares[key], 1)},
                "potential_aly_acr_increase": {
                    "percentage": round(GAIN * weight * (1 - shares[key]), 2)
                },
            }
            for key, (name, weight) in WEIGHTS.items()
        ],
        "diagnostics": [
            {
                "name": warning,
                "description": f"The sandbox warned: {warning}.",
                "solution": "Correct what sends these events.",
                **_share(count, len(server)),
                "affected_event_count": count,
                "total_event_count": len(server),
            }
            for warning, count in sorted(
                Counter(note for event in server for note in event.warnings).items()
            )
        ],
    }


def _freshness(server: list[ReceivedEvent]) -> str:
    delay = median(event.received_at - event.event["event_time"] for event in server)
    if delay <= REAL_TIME:
        return "real_time"
    return "hourly" if delay <= HOURLY else "daily"
