"""What Meta may answer, and what `make chaos` wants to become of it.

`tests/simulation` plays such histories by the ten thousand, in virtual time. Here a few
are played with real processes: jobs, sweeps, a manager who clicks.
"""

from __future__ import annotations

import math
import random
import time
from functools import partial

from ..sandbox import DAY, Fault, error, http
from ..testing.tally import Tally
from .audit import check_all
from .events import Events
from .mishaps import BLIPS
from .shop import PATIENCE, Shop

# Seconds that one bad answer may cost, whichever it is.
BLIP = 10
# Seconds within which others are taken that travelled with a culprit.
SEARCH = 60


def blips(shop: Shop, seed: int, tally: Tally, count: int = 20) -> None:
    """Answer badly once, in each way, and be healthy again: it costs 10 seconds."""
    pixel, events = shop.pixels[0], Events(shop, f"blip-{seed}")
    for name, fault in BLIPS.items():
        before = len(shop.graph.requests)
        shop.graph.fail_next(fault, pixel_id=pixel.id)
        events.record(pixel, count)
        shop.until_sent(f"all is sent after {name}")
        requests = shop.graph.requests[before:]
        bad, last = requests[0], requests[-1]
        seconds = last.received_at - (bad.ended_at or bad.received_at)
        tally.check(
            bad.fault is fault and seconds <= BLIP,
            f"{name}: {seconds:.1f} s later the last of {count} events was sent, with"
            f" {len(requests)} requests",
        )
    check_all(shop, events.recorded, tally)


# ------------------------------------------------------------ all refused, or only one


def no_permission(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Refuse everything with code 100 and no subcode, first of all a manager's click."""
    pixel, events = shop.pixels[0], Events(shop, f"permission-{seed}")
    shop.set_parameter("batch_delay", "600")
    made = events.record(pixel, count)
    shop.graph.fail_always(error(100), pixel_id=pixel.id)
    shop.click("action_send_now", made[:5])
    clicked = shop.requests(pixel)
    state = shop.row_of(pixel)["state"]
    failed = shop.count_events("state = 'failed'")
    tally.check(
        state == "stopped" and not failed and clicked <= 6,
        f"5 of {count} sent by hand: {clicked} requests, the pixel is {state},"
        f" {failed} events failed",
    )
    shop.do_not_wait()
    shop.release(pixel)
    shop.until(lambda: shop.requests(pixel) > clicked, "the job's first request")
    shop.until_stopped(pixel)
    shop.until(lambda: not shop.open_requests(), "no request is under way")
    made_by_job = shop.requests(pixel) - clicked
    bound = math.ceil(math.log2(count)) + 3
    failed = shop.count_events("state = 'failed'")
    tally.check(
        not failed and made_by_job <= bound,
        f"delivered by a job: stopped after {made_by_job} requests ({bound} allowed),"
        f" {failed} events failed",
    )
    shop.graph.heal()
    shop.release(pixel)
    shop.until_sent("all is sent with a token that may")
    check_all(shop, events.recorded, tally)


def unknown_code(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Answer one event in a way that nobody knows, while others are taken."""
    pixel, events = shop.pixels[0], Events(shop, f"unknown-{seed}")
    bad = _among_others(shop, seed, tally, events, count, error(987654))
    days, asked = 0.0, shop.times_alone(bad)
    while shop.state_of(bad) == "pending":
        days += shop.jump(pixel, bad) / DAY
        if shop.times_alone(bad) > asked + 12:
            break
    reason = shop.state_of(bad, "failure_reason")
    tally.check(
        (shop.times_alone(bad), reason) == (10, "exhausted") and days >= 1,
        f"alone {shop.times_alone(bad)} times in {days:.1f} days (shifted): {reason}",
    )
    shop.click("action_retry", [{"event_id": bad}])
    shop.until(lambda: shop.state_of(bad, "unknown_count"), "it is answered so again")
    state = shop.state_of(bad)
    tally.check(state == "pending", f"retried by hand, answered so again: {state}")
    shop.graph.cure()
    while shop.state_of(bad) == "pending":
        shop.jump(pixel, bad)
    check_all(shop, events.recorded, tally)


def breaks_meta(
    shop: Shop, seed: int, tally: Tally, fault: Fault | None = None, count: int = 100
) -> None:
    """Have one event make Meta fail, again and again, while others are taken."""
    pixel, events = shop.pixels[0], Events(shop, f"breaks-{seed}")
    bad = _among_others(shop, seed, tally, events, count, fault or http(500))
    state = shop.state_of(bad)
    tally.check(state == "pending", f"the one that breaks Meta is {state}")
    shop.graph.cure()
    while shop.state_of(bad) == "pending":
        shop.jump(pixel, bad)
    check_all(shop, events.recorded, tally)


def _among_others(
    shop: Shop, seed: int, tally: Tally, events: Events, count: int, fault: Fault
) -> str:
    """Have one of many events meet a fault, others coming in: they are sent at once.

    :return: the id of the one
    """
    pixel = shop.pixels[0]
    made = events.make(count)
    bad = str(random.Random(f"others {seed}").choice(made)["event_id"])
    shop.graph.poison([bad], fault=fault)
    events.commit(pixel, made)
    others, fresh, started = f"event_id <> '{bad}'", 0, time.monotonic()
    deadline = started + PATIENCE

    while time.monotonic() < deadline:
        if not shop.pending(others) and shop.times_alone(bad):
            break
        events.record(pixel, 1)
        fresh += 1
        time.sleep(2)
    seconds = time.monotonic() - started
    requests, stays = shop.requests(pixel), shop.pending(others)
    bound = 2 * (math.ceil(math.log2(count)) + 1) + 2 * fresh + 10
    tally.check(
        not stays and seconds <= SEARCH and requests <= bound,
        f"{count - 1} others and {fresh} fresh ones: {stays} wait after {seconds:.0f} s"
        f" and {requests} requests ({bound} allowed)",
    )
    return bad


def innocents(shop: Shop, seed: int, tally: Tally, count: int = 100) -> None:
    """Search for a culprit, probe a stopped pixel, then have a blip: it is the first."""
    pixel, events = shop.pixels[0], Events(shop, f"innocents-{seed}")
    made = events.make(count)
    bad = str(random.Random(f"innocents {seed}").choice(made)["event_id"])
    shop.graph.poison([bad])
    events.commit(pixel, made)
    shop.until_sent("the good ones are sent")
    tries = shop.tries_of(f"event_id <> '{bad}'")
    tally.check(tries == [1], f"tries of those who travelled with it: {tries}")
    shop.graph.fail_always(error(190), pixel_id=pixel.id)
    events.record(pixel, count)
    shop.until_stopped(pixel)
    for _hour in range(3):
        before = shop.requests(pixel)
        shop.execute("UPDATE meta_capi_pixel SET next_probe_at = stopped_at")
        shop.sweep_until(partial(shop.is_asked, pixel, before), "the probe")
        shop.until(lambda: not shop.open_requests(), "the probe is answered")
    tries = shop.tries_of("state = 'pending'")
    tally.check(tries == [0], f"tries after a stop and three probes: {tries}")
    shop.graph.heal()
    shop.graph.fail_next(http(502), pixel_id=pixel.id)
    before = shop.requests(pixel)
    shop.release(pixel)
    shop.until_sent("all is sent after the blip")
    requests = [r for r in shop.graph.requests if r.pixel_id == pixel.id][before:]
    seconds = requests[-1].received_at - (requests[0].ended_at or 0)
    tally.check(seconds <= BLIP, f"the blip after all that cost them {seconds:.1f} s")
    check_all(shop, events.recorded, tally, {bad})
