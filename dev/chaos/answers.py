"""What Meta may answer, and what `make chaos` wants to become of it.

`tests/simulation` plays such histories by the ten thousand, in virtual time. Here a few
are played with real processes: jobs, sweeps, a manager who clicks.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..console import Problem
from ..sandbox import (
    DAY,
    Fault,
    ReceivedRequest,
    empty_body,
    error,
    error_without_code,
    hang,
    http,
    missing_events_received,
    new_token,
    redirect,
    reset,
    reset_after_accept,
    short_events_received,
    truncated_json,
)
from ..testing.suite import Tally
from .audit import check_deliveries, check_log, check_repeats, check_states
from .scenarios import Events, row_of
from .shop import PATIENCE, Pixel, Shop

# Seconds that one bad answer may cost, whichever it is.
BLIP = 10
# Seconds within which others are taken that travelled with a culprit.
SEARCH = 60
# Seconds after which a worker of Odoo is killed, unless it is told otherwise.
LIMIT_TIME_REAL = 120

# What passes by itself, or may do so. Those that tell how long to wait, that a person
# must act or that an event is bad are other rows.
BLIPS: tuple[tuple[str, Fault], ...] = (
    ("code 1", error(1)),
    ("code 2 in HTTP 200", error(2, in_http_200=True)),
    ("a transient code 190", error(190, is_transient=True)),
    ("code 100 without a subcode", error(100)),
    ("a code nobody knows", error(987654)),
    ("HTML with 502", http(502)),
    ("HTTP 500, taken in", http(500, accept=True)),
    ("HTML with 200, taken in", http(200, accept=True)),
    ("redirect", redirect("http://127.0.0.1:9/")),
    ("half a JSON", truncated_json()),
    ("half a JSON, taken in and cut", truncated_json(accept=True, cut=True)),
    ("empty body", empty_body()),
    ("one event not counted", short_events_received()),
    ("no events_received, taken in", missing_events_received(accept=True)),
    ("reset", reset()),
    ("reset, taken in", reset_after_accept()),
    ("no answer", hang()),
)
# After which a person has to do something.
STOPS: tuple[tuple[str, Fault], ...] = (
    ("401 and nothing else", http(401, "", "application/json")),
    ("403 and nothing else", http(403, "", "application/json")),
    ("an OAuthException without a code", error_without_code()),
    *((f"code {code}", error(code)) for code in (0, 12, 101, 459, 463, 467)),
)


# ------------------------------------------------------------------- one bad answer


def blips(
    shop: Shop,
    seed: int,
    tally: Tally,
    kinds: Iterable[tuple[str, Fault]] = BLIPS,
    count: int = 20,
) -> None:
    """Answer badly once, in each way, and be healthy again: it costs 10 seconds."""
    pixel, events, recorder = shop.pixels[0], Events(f"blip-{seed}"), shop.recorder()
    for name, fault in kinds:
        before = len(shop.graph.requests)
        shop.graph.fail_next(fault, pixel_id=pixel.id)
        made = events.make(count)
        recorder.record(pixel, made)
        events.committed(pixel, made)
        _until_sent(shop, f"all is sent after {name}")
        requests = shop.graph.requests[before:]
        bad, last = requests[0], requests[-1]
        seconds = last.received_at - (bad.ended_at or bad.received_at)
        tally.check(
            bad.fault is fault and seconds <= BLIP,
            f"{name}: {seconds:.1f} s later the last of {count} events was sent, with"
            f" {len(requests)} requests",
        )
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def _until_sent(shop: Shop, what: str, condition: str = "true") -> None:
    shop.until(lambda: not shop.pending(condition), what)


# ------------------------------------------------------------ all refused, or only one


def no_permission(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Refuse everything with code 100 and no subcode, first of all a manager's click."""
    pixel, events = shop.pixels[0], Events(f"permission-{seed}")
    shop.set_parameter("batch_delay", "600")
    made = events.make(count)
    shop.recorder().record(pixel, made)
    events.committed(pixel, made)
    shop.graph.fail_always(error(100), pixel_id=pixel.id)
    _click(shop, "action_send_now", made[:5])
    clicked = shop.requests(pixel)
    state = row_of(shop, pixel)["state"]
    failed = _count(shop, "state = 'failed'")
    tally.check(
        state == "stopped" and not failed and clicked <= 6,
        f"5 of {count} sent by hand: {clicked} requests, the pixel is {state},"
        f" {failed} events failed",
    )
    _do_not_wait(shop)
    release(shop, pixel)
    shop.until(lambda: shop.requests(pixel) > clicked, "the job's first request")
    shop.until(lambda: row_of(shop, pixel)["state"] == "stopped", "it stops again")
    shop.until(lambda: not shop.open_requests(), "no request is under way")
    made_by_job = shop.requests(pixel) - clicked
    bound = math.ceil(math.log2(count)) + 3
    failed = _count(shop, "state = 'failed'")
    tally.check(
        not failed and made_by_job <= bound,
        f"delivered by a job: stopped after {made_by_job} requests ({bound} allowed),"
        f" {failed} events failed",
    )
    shop.graph.heal()
    release(shop, pixel)
    _until_sent(shop, "all is sent with a token that may")
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def unknown_code(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Answer one event in a way that nobody knows, while others are taken."""
    pixel, events = shop.pixels[0], Events(f"unknown-{seed}")
    bad = _among_others(shop, seed, tally, events, count, error(987654))
    days, asked = 0.0, _alone(shop, bad)
    while _state(shop, bad) == "pending":
        days += _jump(shop, pixel, bad) / DAY
        if _alone(shop, bad) > asked + 12:
            break
    reason = _state(shop, bad, "failure_reason")
    tally.check(
        (_alone(shop, bad), reason) == (10, "exhausted") and days >= 1,
        f"alone {_alone(shop, bad)} times in {days:.1f} days (shifted): {reason}",
    )
    _click(shop, "action_retry", [{"event_id": bad}])
    shop.until(lambda: _state(shop, bad, "unknown_count"), "it is answered so again")
    state = _state(shop, bad)
    tally.check(state == "pending", f"retried by hand, answered so again: {state}")
    shop.graph.cure()
    while _state(shop, bad) == "pending":
        _jump(shop, pixel, bad)
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def breaks_meta(
    shop: Shop, seed: int, tally: Tally, fault: Fault | None = None, count: int = 100
) -> None:
    """Have one event make Meta fail, again and again, while others are taken."""
    pixel, events = shop.pixels[0], Events(f"breaks-{seed}")
    bad = _among_others(shop, seed, tally, events, count, fault or http(500))
    state = _state(shop, bad)
    tally.check(state == "pending", f"the one that breaks Meta is {state}")
    shop.graph.cure()
    while _state(shop, bad) == "pending":
        _jump(shop, pixel, bad)
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def _among_others(
    shop: Shop, seed: int, tally: Tally, events: Events, count: int, fault: Fault
) -> str:
    """Have one of many events meet a fault, others coming in: they are sent at once.

    :return: the id of the one
    """
    pixel, recorder = shop.pixels[0], shop.recorder()
    made = events.make(count)
    bad = str(random.Random(f"others {seed}").choice(made)["event_id"])
    shop.graph.poison([bad], fault=fault)
    recorder.record(pixel, made)
    events.committed(pixel, made)
    others, fresh, started = f"event_id <> '{bad}'", 0, time.monotonic()
    deadline = started + PATIENCE

    def waiting() -> int:
        return shop.pending(others)

    while (waiting() or not _alone(shop, bad)) and time.monotonic() < deadline:
        one = events.make(1)
        recorder.record(pixel, one)
        events.committed(pixel, one)
        fresh += 1
        soon = time.monotonic() + 2
        shop.until(partial(_is_past, soon), "the next visitor comes")
    seconds = time.monotonic() - started
    requests, stays = shop.requests(pixel), waiting()
    bound = 2 * (math.ceil(math.log2(count)) + 1) + 2 * fresh + 10
    tally.check(
        not stays and seconds <= SEARCH and requests <= bound,
        f"{count - 1} others and {fresh} fresh ones: {stays} wait after {seconds:.0f} s"
        f" and {requests} requests ({bound} allowed)",
    )
    return bad


def innocents(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Search for a culprit, probe a stopped pixel, then have a blip: it is the first."""
    pixel, events = shop.pixels[0], Events(f"innocents-{seed}")
    made = events.make(count)
    bad = str(random.Random(f"innocents {seed}").choice(made)["event_id"])
    shop.graph.poison([bad])
    shop.recorder().record(pixel, made)
    events.committed(pixel, made)
    _until_sent(shop, "the good ones are sent")
    tries = _tries(shop, f"event_id <> '{bad}'")
    tally.check(tries == [1], f"tries of those who travelled with it: {tries}")
    shop.graph.fail_always(error(190), pixel_id=pixel.id)
    held = events.make(count)
    shop.recorder().record(pixel, held)
    events.committed(pixel, held)
    shop.until(lambda: row_of(shop, pixel)["state"] == "stopped", "the pixel stops")
    for _hour in range(3):
        before = shop.requests(pixel)
        shop.execute("UPDATE meta_capi_pixel SET next_probe_at = stopped_at")
        shop.sweep_until(partial(_is_asked, shop, pixel, before), "the probe")
        shop.until(lambda: not shop.open_requests(), "the probe is answered")
    tries = _tries(shop, "state = 'pending'")
    tally.check(tries == [0], f"tries after a stop and three probes: {tries}")
    shop.graph.heal()
    shop.graph.fail_next(http(502), pixel_id=pixel.id)
    before = shop.requests(pixel)
    release(shop, pixel)
    _until_sent(shop, "all is sent after the blip")
    requests = [r for r in shop.graph.requests if r.pixel_id == pixel.id][before:]
    seconds = requests[-1].received_at - (requests[0].ended_at or 0)
    tally.check(seconds <= BLIP, f"the blip after all that cost them {seconds:.1f} s")
    check_states(shop, {bad}, len(events.recorded), tally)
    check_deliveries(shop, events.valid({bad}), tally)
    check_log(shop, tally)


# -------------------------------------------------------------------- a person must act


def stops(
    shop: Shop,
    seed: int,
    tally: Tally,
    kinds: Iterable[tuple[str, Fault]] = STOPS,
) -> None:
    """Say in each way that a person must act: one request, and nothing is given up."""
    pixel, events = shop.pixels[0], Events(f"stops-{seed}")
    recorder = shop.recorder()
    for name, fault in kinds:
        before = shop.requests(pixel)
        shop.graph.fail_always(fault, pixel_id=pixel.id)
        made = events.make(5)
        recorder.record(pixel, made)
        events.committed(pixel, made)
        shop.until(lambda: row_of(shop, pixel)["state"] == "stopped", name)
        shop.sweep_and_wait()
        requests = shop.requests(pixel) - before
        failed, cause = _count(shop, "state = 'failed'"), row_of(shop, pixel)["trouble"]
        tally.check(
            requests == 1 and not failed and bool(cause),
            f"{name}: stopped ({cause}) after {requests} request, {failed} failed",
        )
        shop.graph.heal()
        release(shop, pixel)
        _until_sent(shop, f"all is sent after {name}")
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def proof(shop: Shop, seed: int, tally: Tally) -> None:
    """Want each call to prove that it knows the app's secret."""
    pixel, events = shop.pixels[0], Events(f"proof-{seed}")
    shop.graph.app_secret = "0123456789abcdef0123456789abcdef"
    try:
        made = events.make(20)
        shop.recorder().record(pixel, made)
        events.committed(pixel, made)
        shop.until(lambda: row_of(shop, pixel)["state"] == "stopped", "it stops")
        shop.sweep_and_wait()
        requests, cause = shop.requests(pixel), row_of(shop, pixel)["trouble"]
        tally.check(
            (requests, cause) == (1, "signature"),
            f"stopped ({cause}) after {requests} request",
        )
        shop.set_parameter("app_secret", shop.graph.app_secret)
        _until_sent(shop, "all is sent with the proof")
    finally:
        shop.graph.app_secret = None
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def release(shop: Shop, pixel: Pixel) -> None:
    """Let the pixel run again, by a new token."""
    shop.graph.pixels[pixel.id] = {new_token()}
    shop.give_token(pixel)


# -------------------------------------------------------------------------------- time


def clock_ahead(shop: Shop, seed: int, tally: Tally, seconds: int = 25) -> None:
    """Have Meta's clock behind ours: what has just happened is in its future."""
    pixel, events = shop.pixels[0], Events(f"clock-{seed}")
    shop.graph.clock_behind = seconds
    try:
        made = events.make(20)
        shop.recorder().record(pixel, made)
        events.committed(pixel, made)
        _until_sent(shop, "they are sent when their time has come")
    finally:
        shop.graph.clock_behind = 0
    requests, skew = shop.requests(pixel), row_of(shop, pixel)["clock_skew"]
    late = shop.graph.requests[-1].received_at - made[0]["event_time"]
    tally.check(
        requests <= 4 and late <= seconds + 30 and abs(skew - seconds) <= 3,
        f"sent {late:.0f} s after they happened by a clock {seconds} s ahead, with"
        f" {requests} requests; the pixel tells of {skew} s",
    )
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def long_sweep(shop: Shop, seed: int, tally: Tally) -> None:
    """Have the sweep deliver where Meta hangs, and where it says when to come again."""
    first, *hanging = shop.pixels[:3]
    events, recorder = Events(f"sweep-{seed}"), shop.recorder()
    for pixel in shop.pixels[:3]:
        made = events.make(5)
        recorder.record(pixel, made)
        events.committed(pixel, made)
    # Somebody is to be told of what has waited for hours.
    shop.execute(
        "UPDATE meta_capi_event SET create_date = create_date - interval '2 hours'"
    )
    shop.until(lambda: not _count_jobs_ahead(shop), "every job is due")
    shop.age_jobs()
    retry_later = http(503, headers={"Retry-After": "55"})
    shop.graph.fail_always(retry_later, pixel_id=first.id)
    for pixel in hanging:
        shop.graph.fail_always(hang(), pixel_id=pixel.id)
    began = time.monotonic()
    shop.sweep_and_wait(LIMIT_TIME_REAL)
    seconds = time.monotonic() - began
    tally.check(
        0 < shop.requests() and seconds < LIMIT_TIME_REAL * 0.75,
        f"a sweep with two pixels that hang and one that says 55 s took {seconds:.0f} s"
        f" of {LIMIT_TIME_REAL}, with {shop.requests()} requests",
    )
    told = shop.value("SELECT count(*) FROM meta_capi_pixel WHERE is_stuck_told")
    tally.check(told > 0, f"it told in the end of {told} pixels where events wait")
    shop.graph.heal()
    deadline = time.monotonic() + PATIENCE
    while shop.pending() and time.monotonic() < deadline:
        shop.end_waiting()
        shop.age_jobs()
        shop.sweep_and_wait()
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def _count_jobs_ahead(shop: Shop) -> int:
    query = "SELECT count(*) FROM queue_job WHERE eta >= now() AT TIME ZONE 'UTC'"
    return int(shop.value(query))


# ------------------------------------------------------------------------ other people


def no_activity_type(shop: Shop, seed: int, tally: Tally) -> None:
    """Have an administrator delete the types of activities that notices are made of."""
    pixel, events = shop.pixels[0], Events(f"types-{seed}")
    client, kinds = shop.client(), "mail.activity.type"
    found = client.call(
        *(kinds, "search_read", [("category", "=", "default")], ["name"]),
        context={"active_test": False},
    )
    deleted = []
    for kind in found:
        try:
            client.call(kinds, "unlink", [kind["id"]])
        except Problem:
            continue  # Odoo keeps those that it needs itself
        deleted.append(kind["name"])
    left = shop.value(
        "SELECT count(*) FROM ir_model_data WHERE module = 'mail'"
        " AND name = 'mail_activity_data_warning'"
    )
    tally.check(not left, f"deleted the types {', '.join(deleted)}")
    recorder = shop.recorder()

    def record(fault: Fault) -> None:
        shop.graph.fail_next(fault, pixel_id=pixel.id)
        made = events.make(20)
        recorder.record(pixel, made)
        events.committed(pixel, made)

    record(error(2))
    _until_sent(shop, "all is sent after a blip")
    record(error(190))
    shop.until(lambda: row_of(shop, pixel)["state"] == "stopped", "the pixel stops")
    release(shop, pixel)
    _until_sent(shop, "all is sent after a stop")
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def store_event(shop: Shop, seed: int, tally: Tally) -> None:
    """Have a store's event arrive unanswered, be refused, and be retried by hand.

    Meta tells copies of those apart by what they say of the person.
    """
    pixel, events = shop.pixels[0], Events(f"store-{seed}")
    (made,) = events.make(1)
    made["action_source"] = "physical_store"
    client = shop.client()
    partner = client.create(
        "res.partner", name="Jane Doe", email="jane@example.com", phone="+15555550123"
    )
    shop.set_parameter("batch_delay", "600")
    shop.recorder().record(pixel, [made])
    events.committed(pixel, [made])
    shop.execute(f"UPDATE meta_capi_event SET partner_id = {partner}")
    shop.graph.fail_next(reset_after_accept(), pixel_id=pixel.id)
    shop.graph.fail_next(error(100, 2804050), pixel_id=pixel.id)
    _click(shop, "action_send_now", [made])
    _click(shop, "action_send_now", [made])
    reason = _state(shop, made["event_id"], "failure_reason")
    cause = _state(shop, made["event_id"], "cause")
    tally.check(
        (reason, cause) == ("invalid", "user_data"),
        f"a copy that may have arrived, then a refusal: {reason}, {cause}",
    )
    _do_not_wait(shop)
    _click(shop, "action_retry", [made])
    _until_sent(shop, "it is sent again")
    check_repeats(shop, tally)
    check_states(shop, set(), 1, tally)
    check_log(shop, tally)


def _do_not_wait(shop: Shop) -> None:
    """Have events delivered at once from now on, and nothing by the jobs that wait."""
    shop.set_parameter("batch_delay", "1")
    shop.execute("DELETE FROM queue_job WHERE state = 'pending'")


def _click(shop: Shop, action: str, events: list[dict[str, Any]]) -> None:
    """Press a button of the log as the administrator, for these events."""
    names = [event["event_id"] for event in events]
    client = shop.client()
    ids = client.call("meta.capi.event", "search", [("event_id", "in", names)])
    client.call("meta.capi.event", action, ids)


# ---------------------------------------------------------------------------- to look


def _is_past(moment: float) -> bool:
    return time.monotonic() > moment


def _is_asked(shop: Shop, pixel: Pixel, before: int) -> bool:
    return shop.requests(pixel) > before


def _count(shop: Shop, condition: str) -> int:
    return int(shop.value(f"SELECT count(*) FROM meta_capi_event WHERE {condition}"))


def _state(shop: Shop, event_id: str, column: str = "state") -> Any:
    return shop.value(
        f"SELECT {column} FROM meta_capi_event WHERE event_id = '{event_id}'"
    )


def _tries(shop: Shop, condition: str) -> list[int]:
    """Return the different numbers of tries that events have."""
    found = shop.rows(
        "SELECT DISTINCT coalesce(attempt_count, 0) AS tries FROM meta_capi_event"
        f" WHERE {condition} ORDER BY tries"
    )
    return [row["tries"] for row in found]


def _alone(shop: Shop, event_id: str) -> int:
    """Count the requests that carried this event and no other."""
    return sum(_ids(request) == [event_id] for request in list(shop.graph.requests))


def _ids(request: ReceivedRequest) -> list[str]:
    return [event["event_id"] for event in request.body["data"]]


def _jump(shop: Shop, pixel: Pixel, event_id: str) -> float:
    """Let the time come at which an event is tried next; return the seconds until it."""
    condition = f"event_id = '{event_id}' AND state = 'pending'"
    wait = shop.rows(
        "SELECT greatest(extract(epoch FROM next_attempt_at"
        " - now() AT TIME ZONE 'UTC'), 0) AS wait"
        f" FROM meta_capi_event WHERE {condition}"
    )
    if not wait:
        return 0
    before = _alone(shop, event_id)
    shop.execute(
        "UPDATE meta_capi_event SET next_attempt_at = now() AT TIME ZONE 'UTC'"
        f" - interval '1 second' WHERE {condition}"
    )
    shop.sweep_until(
        lambda: _alone(shop, event_id) > before or _state(shop, event_id) != "pending",
        "it is tried",
    )
    is_due = f"{condition} AND next_attempt_at <= now() AT TIME ZONE 'UTC'"
    shop.until(lambda: not _count(shop, is_due), "the answer is on record")
    return float(wait[0]["wait"])
