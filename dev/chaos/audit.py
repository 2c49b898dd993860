"""What must hold after any mishap: Odoo's log against what the sandbox has seen."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

from ..testing.tally import Tally
from .shop import Shop

Key = tuple[str, str, str | None]
Row = dict[str, Any]

_EVENTS = """
SELECT id, pixel_id, event_name, event_id, state, failure_reason,
       coalesce(attempt_count, 0) AS attempt_count,
       extract(epoch FROM event_time)::bigint AS event_time
  FROM meta_capi_event
"""
# Failures that may be those of the event that was alone in a request, and those that may
# be of each of many, unless these are under suspicion.
_MAY_COUNT = ("ambiguous", "early", "unknown", "transient")
_MAY_COUNT_FOR_MANY = ("unknown", "transient")
_STORY = """
SELECT unnest(carried) AS event_id, id, outcome, event_count
  FROM meta_capi_attempt
 ORDER BY id
"""


def check_all(
    shop: Shop, recorded: set[Key], tally: Tally, invalid: Collection[str] = ()
) -> None:
    """All that was recorded is there and sent; what is of ``invalid``, failed as such."""
    check_states(shop, invalid, len(recorded), tally)
    valid = {key for key in recorded if key[2] not in invalid}
    check_deliveries(shop, valid, tally)
    check_log(shop, tally)


def check_log(shop: Shop, tally: Tally) -> None:
    """Compare every event with its attempts, and every attempt with its request."""
    events = shop.rows(_EVENTS)
    stories: dict[int, list[Row]] = defaultdict(list)
    for step in shop.rows(_STORY):
        stories[step["event_id"]].append(step)
    _check_stories(events, stories, tally)
    _check_requests(shop, events, stories, tally)


def check_deliveries(shop: Shop, expected: set[Key], tally: Tally) -> None:
    """Compare what the sandbox took in with what was recorded and is valid."""
    received = set(shop.graph.deliveries())
    lost, unknown = expected - received, received - expected
    tally.check(
        not lost and not unknown,
        f"{len(received)} distinct events at the sandbox, {len(expected)} recorded and"
        f" valid: {len(lost)} lost, {len(unknown)} never recorded{_some(lost)}",
    )
    check_repeats(shop, tally)


def check_repeats(shop: Shop, tally: Tally) -> None:
    """An event may arrive twice where nobody knew that it had, but as it was."""
    forms: dict[Key, set[str]] = defaultdict(set)
    for received in list(shop.graph.events):
        # The order of the keys too: what was sent is sent again, to the byte.
        forms[received.key].add(json.dumps(received.event))
    repeats = len(shop.graph.events) - len(forms)
    changed = {key for key, bodies in forms.items() if len(bodies) > 1}
    tally.check(
        not changed,
        f"{repeats} repeats, all with the same id, time and body{_some(changed)}",
    )


def check_states(
    shop: Shop, invalid: Collection[str], count: int, tally: Tally
) -> None:
    """All rows are there; those of ``invalid`` failed as such, the others are sent."""
    states = Counter(
        (row["state"], row["failure_reason"], row["event_id"] in invalid)
        for row in shop.rows(_EVENTS)
    )
    expected = {
        ("sent", None, False): count - len(invalid),
        ("failed", "invalid", True): len(invalid),
    }
    stranded = sum(n for (state, *_), n in states.items() if state == "pending")
    words = ", ".join(
        f"{n} {reason or state}{' (poisoned)' if poisoned else ''}"
        for (state, reason, poisoned), n in sorted(states.items(), key=str)
    )
    tally.check(
        states == Counter(expected), f"{words}; of {count} events {stranded} stranded"
    )


def _check_stories(
    events: list[Row], stories: dict[int, list[Row]], tally: Tally
) -> None:
    """An event's attempts must explain its state and its count."""
    miscounted, untold = [], []
    for event in events:
        outcomes = [step for step in stories[event["id"]] if step["outcome"]]
        if event["attempt_count"] not in possible_counts(outcomes):
            miscounted.append(event)
        if not _explains(event, outcomes):
            untold.append(event)
    number = sum(map(len, stories.values()))
    tally.check(
        not untold,
        f"{len(events)} events have {number} entries of attempts, which tell how each"
        f" came to its state{_some(untold)}",
    )
    tally.check(
        not miscounted,
        "attempt_count counts what may be the event's own fault: no search for others,"
        f" no stop, no limit{_some(miscounted)}",
    )


def possible_counts(outcomes: list[Row]) -> range:
    """Return how many tries an event may have, by the answers it got since recorded.

    Whether a failure counts depends on what the pixel was known for: while it is stopped
    nothing does. So there is a least and a most.
    """
    least = most = 0
    is_suspected = has_failed = False
    for step in outcomes:
        name, is_alone = step["outcome"], step["event_count"] == 1
        if has_failed:  # and was retried by hand, which begins anew
            least = most = 0
            is_suspected = has_failed = False
        if name == "accepted" or (name == "refused" and is_alone):
            least += 1
            has_failed = name == "refused"
        elif name in (_MAY_COUNT if is_alone else _MAY_COUNT_FOR_MANY):
            most += is_alone or not is_suspected
        if not is_alone and name in ("refused", "ambiguous"):
            is_suspected = True
    return range(least, least + most + 1)


def _explains(event: Row, outcomes: list[Row]) -> bool:
    """Tell whether these outcomes lead to the state of an event."""
    names = [step["outcome"] for step in outcomes]
    if event["state"] == "sent":
        return names.count("accepted") == 1 and names[-1] == "accepted"
    if "accepted" in names:
        return False
    if event["failure_reason"] == "invalid":
        last = outcomes[-1] if outcomes else {"outcome": None, "event_count": 0}
        return last["outcome"] in ("refused", "ambiguous") and last["event_count"] == 1
    return True


def _check_requests(
    shop: Shop, events: list[Row], stories: dict[int, list[Row]], tally: Tally
) -> None:
    """Each request is an attempt; what is not a request never left or never arrived."""
    names = {event["id"]: event["event_id"] for event in events}
    carried: dict[int, set[str]] = defaultdict(set)
    attempts = {row["id"]: row for row in shop.rows("SELECT * FROM meta_capi_attempt")}
    for event_id, steps in stories.items():
        for step in steps:
            carried[step["id"]].add(names[event_id])
    sets = {
        number: (row["pixel_id"], frozenset(carried[number]))
        for number, row in attempts.items()
    }
    announced = Counter(sets.values())
    answered = Counter(sets[n] for n, row in attempts.items() if row["outcome"])
    seen = Counter(
        (
            request.pixel_id,
            frozenset(event["event_id"] for event in request.body["data"]),
        )
        for request in list(shop.graph.requests)
    )
    unannounced, invented = seen - announced, answered - seen
    open_ended = sum(not row["outcome"] for row in attempts.values())
    never_left = (announced - seen).total()
    tally.check(
        not unannounced and not invented,
        f"{seen.total()} requests at the sandbox, {announced.total()} attempts:"
        f" {unannounced.total()} requests without an attempt, {invented.total()}"
        f" outcomes without a request; {open_ended} attempts whose process died,"
        f" of which {never_left} never left",
    )


def _some(found: Any) -> str:
    """Name the first of what is wrong, if anything is."""
    return f"; wrong: {len(found)}, such as {list(found)[:2]}" if found else ""
