"""Poisoned events, a dead token, a day without Meta and a limit."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..sandbox import DAY, ReceivedRequest, http, reset_after_accept, throttled
from ..testing.tally import Tally
from .audit import check_all, check_log, check_repeats
from .events import Events
from .shop import PATIENCE, Shop
from .storm import Ticker

HOUR = 3600
# More than Meta takes, and for how long it recognises a copy.
_TOO_OLD = 8 * DAY
_COPY_TOO_OLD = 49 * HOUR

# ----------------------------------------------------------------------------- poison


def poison(
    shop: Shop, seed: int, tally: Tally, count: int = 1000, bad: int = 7
) -> None:
    """Refuse any batch that holds one of a few events."""
    dice = random.Random(f"poison {seed}")
    pixel, events = shop.pixels[0], Events(shop, f"poison-{seed}")
    made = events.make(count)
    poisoned = set(dice.sample([event["event_id"] for event in made], bad))
    shop.graph.poison(poisoned)
    with _at_once(shop):
        events.commit(pixel, made)
    shop.until_sent("the good ones are sent")
    requests, bound = shop.requests(), 2 * bad * (math.ceil(math.log2(count)) + 1)
    tally.check(requests <= bound, f"{requests} requests; at most {bound} are allowed")
    check_all(shop, events.recorded, tally, poisoned)


def ambiguous(shop: Shop, seed: int, tally: Tally, count: int = 200) -> None:
    """Refuse whatever holds one event, without saying that it is the event's fault."""
    dice = random.Random(f"ambiguous {seed}")
    pixel, events = shop.pixels[0], Events(shop, f"ambiguous-{seed}")
    made = events.make(count)
    poisoned = {dice.choice(made)["event_id"]}
    shop.graph.poison(poisoned, 100, None)
    events.commit(pixel, made)
    Ticker(shop).until(lambda: not shop.pending(), "nothing is pending", PATIENCE)
    check_all(shop, events.recorded, tally, poisoned)


@contextmanager
def _at_once(shop: Shop) -> Iterator[None]:
    """Keep delivery from beginning while a batch is still being recorded."""
    shop.set_parameter("batch_delay", "5")
    yield
    shop.set_parameter("batch_delay", "1")


# ---------------------------------------------------------------------------- a token


def revoked_token(shop: Shop, _seed: int, tally: Tally, count: int = 200) -> None:
    """Take one pixel's token away while events of two pixels are being recorded."""
    held, other = shop.pixels[0], shop.pixels[1]
    events = Events(shop, "token")

    def record(transactions: int) -> None:
        for _ in range(transactions):
            for pixel in (held, other):
                events.record(pixel, count // 20)

    def requests() -> list[ReceivedRequest]:
        return [r for r in list(shop.graph.requests) if r.pixel_id == held.id][before:]

    record(10)
    shop.until(lambda: shop.requests(held), "delivery has begun")
    known = shop.graph.pixels[held.id]
    shop.graph.pixels[held.id] = {"revoked"}
    shop.until(lambda: not shop.open_requests(), "no request is under way")
    before = shop.requests(held)
    record(10)
    shop.until_stopped(held)
    shop.until_sent("the other is sent", f"pixel_id = '{other.id}'")
    shop.sweep_and_wait()
    shop.sweep_and_wait()
    tally.check(
        len(requests()) == 1,
        f"{len(requests())} request with the revoked token, then none, also when swept",
    )
    _check_notices(shop, tally)
    shop.execute("UPDATE meta_capi_pixel SET next_probe_at = stopped_at")
    shop.sweep_and_wait()
    shop.until(lambda: len(requests()) > 1, "the probe")
    shop.until(lambda: not shop.open_requests(), "the probe is answered")
    shop.sweep_and_wait()
    sizes = [len(request.body["data"]) for request in requests()[1:]]
    tally.check(
        len(sizes) == 1 and sizes[0] <= 10 and shop.is_stopped(held),
        f"after an hour (shifted) one probe, of {sizes} events; it stays stopped",
    )
    _check_notices(shop, tally)
    pending = shop.pending(f"pixel_id = '{held.id}'")
    lost = shop.count_events("state = 'failed'")
    tally.check(pending > 0 and not lost, f"{pending} events held, {lost} failed")
    shop.graph.pixels[held.id] = {f"{known.pop()}NEW"}
    shop.give_token(held)
    shop.until_sent("all is sent with the new token")
    notices = _count_notices(shop)
    tally.check(not notices, f"{notices} notices are left when it runs again")
    check_all(shop, events.recorded, tally)


def _count_notices(shop: Shop) -> int:
    return shop.count("mail_activity", "res_model = 'meta.capi.pixel'")


def _check_notices(shop: Shop, tally: Tally) -> None:
    found = _count_notices(shop)
    tally.check(found == shop.managers, f"{found} notices for {shop.managers} managers")


# -------------------------------------------------------------------------- an outage


def outage(shop: Shop, _seed: int, tally: Tally, count: int = 20_000) -> None:
    """Have Meta away for a day; then some events are too old, others go out at once."""
    pixel, events = shop.pixels[0], Events(shop, "outage")
    copies = events.make(100)
    # They arrive, and nobody is told: their outcome stays unknown.
    shop.graph.fail_always(reset_after_accept())
    shop.recorder().record(pixel, copies)
    shop.until(shop.requests, "they are sent once")
    shop.graph.heal()
    shop.graph.fail_always(http(503))
    size = 500
    for _ in range(count // size):
        events.record(pixel, size)
    late = events.make(100)
    shop.recorder().record(pixel, late)
    shop.until(lambda: shop.requests() >= 3, "delivery is refused a few times")
    _shift_a_day(shop, copies, late)
    times = _event_times(shop)
    shop.graph.heal()
    before = len(shop.graph.requests)
    shop.execute(
        "UPDATE meta_capi_event SET next_attempt_at = event_time WHERE id = ("
        "SELECT id FROM meta_capi_event WHERE event_id LIKE 'outage-%' AND NOT"
        f" {_among(copies + late)} ORDER BY event_time, id LIMIT 1)"
    )
    started = time.monotonic()
    shop.sweep_until(
        lambda: shop.requests() > before, "the first request after the outage"
    )
    shop.until_sent("the backlog is sent")
    seconds = time.monotonic() - started
    requests = shop.graph.requests[before:]
    _check_order(requests, count, seconds, tally)
    _check_expired(shop, requests, copies, late, tally)
    _check_unmoved(shop, times, {event["event_id"] for event in copies + late}, tally)
    delivered = set(shop.graph.deliveries()) - {
        (pixel.id, "Lead", event["event_id"]) for event in copies
    }
    tally.check(
        delivered == events.recorded,
        f"{len(delivered)} of {len(events.recorded)} events of the outage delivered",
    )
    check_repeats(shop, tally)
    check_log(shop, tally)


def _check_expired(
    shop: Shop,
    requests: list[ReceivedRequest],
    copies: list[dict[str, Any]],
    late: list[dict[str, Any]],
    tally: Tally,
) -> None:
    """What is too old is not sent, and is given up as that."""
    sent = {event["event_id"] for request in requests for event in request.body["data"]}
    old = {event["event_id"] for event in copies + late}
    expired = shop.count_events(
        f"failure_reason = 'expired' AND {_among(copies + late)}"
    )
    tally.check(
        not sent & old and expired == len(old),
        f"of {len(late)} events 8 days old and {len(copies)} of unknown outcome 49 hours"
        f" old {len(sent & old)} were sent, {expired} are expired",
    )


def _check_unmoved(
    shop: Shop, times: dict[str, int], old: set[str], tally: Tally
) -> None:
    """Each event has the time it had before, in the log and at Meta."""
    moved = sum(times[key] != moment for key, moment in _event_times(shop).items())
    at_sandbox = {
        event.key[2]: event.event["event_time"] for event in shop.graph.events
    }
    moved += sum(
        moment != times[str(key)]
        for key, moment in at_sandbox.items()
        if key not in old
    )
    tally.check(not moved, f"{moved} event times changed by delivery")


def _among(events: list[dict[str, Any]]) -> str:
    names = ", ".join(f"'{event['event_id']}'" for event in events)
    return f"event_id IN ({names})"


def _shift_a_day(
    shop: Shop, copies: list[dict[str, Any]], late: list[dict[str, Any]]
) -> None:
    """Make a day pass: everything happened over it, all is waiting for hours now.

    Rows are locked in the order in which a delivery locks them: one may be under way.
    """
    now = "date_trunc('second', now() AT TIME ZONE 'UTC')"
    shop.execute(
        f"""
        UPDATE meta_capi_event event
           SET event_time = {now} - CASE
                   WHEN {_among(late)} THEN interval '{_TOO_OLD} seconds'
                   WHEN {_among(copies)} THEN interval '{_COPY_TOO_OLD + 60} seconds'
                   ELSE (86400 - place * 86400.0 / total) * interval '1 second'
               END,
               next_attempt_at = {now} + (1 + event.id % 9) * interval '1 hour'
          FROM (SELECT id, rank() OVER (ORDER BY id) AS place, count(*) OVER () AS total
                  FROM meta_capi_event) AS line
         WHERE line.id = event.id;
        UPDATE meta_capi_event SET event_time = date_trunc('second', event_time);
        UPDATE meta_capi_attempt SET started_at = started_at - interval '24 hours';
        UPDATE meta_capi_attempt
           SET started_at = {now} - interval '{_COPY_TOO_OLD} seconds'
         WHERE id = (SELECT min(id) FROM meta_capi_attempt);
        UPDATE meta_capi_pixel SET failing_since = {now} - interval '24 hours';
        """
    )


def _event_times(shop: Shop) -> dict[str, int]:
    found = shop.rows(
        "SELECT event_id, extract(epoch FROM event_time)::bigint AS moment"
        " FROM meta_capi_event"
    )
    return {row["event_id"]: row["moment"] for row in found}


def _check_order(
    requests: list[ReceivedRequest], count: int, seconds: float, tally: Tally
) -> None:
    """After the first request, all others follow at once, the oldest events first."""
    times = [
        event["event_time"] for request in requests for event in request.body["data"]
    ]
    sizes = [len(request.body["data"]) for request in requests]
    tally.check(
        sizes[0] == 1 and len(times) == count,
        f"one event was due; its success made {sum(sizes[1:])} others due, sent by"
        f" {len(sizes) - 1} requests within {seconds:.0f} s",
    )
    tally.check(times == sorted(times), "they were claimed in the order of their age")


# ----------------------------------------------------------------------- a rate limit


def throttle(shop: Shop, _seed: int, tally: Tally, minutes: int = 19) -> None:
    """Be told to wait, and wait that long."""
    pixel, events = shop.pixels[0], Events(shop, "throttle")

    shop.graph.fail_next(throttled(minutes=minutes))
    events.record(pixel, 50)
    shop.until(lambda: shop.row_of(pixel)["wait"], "Meta's wish is on record")
    wait = shop.row_of(pixel)["wait"]
    asked = minutes * 60
    tally.check(
        asked - 30 <= wait <= asked + 1,
        f"told {minutes} minutes; the pixel waits for another {wait:.0f} s",
    )
    for _ in range(minutes - 1):
        _pass_time(shop, 60)
    events.record(pixel, 50)
    shop.sweep_and_wait()
    shop.sweep_and_wait()
    shop.until(
        lambda: not shop.count("queue_job", "state <> 'done'"), "every job is done"
    )
    tally.check(
        shop.requests() == 1,
        f"{shop.requests() - 1} requests in the following {minutes - 1} minutes"
        " (shifted), with new events, jobs and sweeps",
    )
    _pass_time(shop, 60)
    shop.sweep_and_wait()
    shop.until_sent("they are sent when the time is over")
    check_all(shop, events.recorded, tally)


def _pass_time(shop: Shop, seconds: int) -> None:
    shop.execute(
        f"UPDATE meta_capi_pixel SET wait_until = wait_until - interval '{seconds} s';"
        " UPDATE meta_capi_event"
        f" SET next_attempt_at = next_attempt_at - interval '{seconds} s'"
        " WHERE state = 'pending'"
    )
