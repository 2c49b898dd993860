"""Stops that a person must end, clocks, sweeps, and what else is rare."""

from __future__ import annotations

import time

from ..console import Problem
from ..layout import ADDON
from ..sandbox import Fault, error, hang, http, reset_after_accept
from ..testing.tally import Tally
from .audit import check_all, check_log, check_repeats, check_states
from .events import Events
from .mishaps import STOPS
from .shop import PATIENCE, Shop

# Seconds after which a worker of Odoo is killed, unless it is told otherwise.
LIMIT_TIME_REAL = 120

# The types of activities that notices are made of: Odoo's own, and ours.
NOTICE_TYPES = (
    f"{ADDON}.mail_activity_type_stopped",
    f"{ADDON}.mail_activity_type_stuck",
    f"{ADDON}.mail_activity_type_missing",
)


def stops(shop: Shop, seed: int, tally: Tally) -> None:
    """Say in each way that a person must act: one request, and nothing is given up."""
    pixel, events = shop.pixels[0], Events(shop, f"stops-{seed}")
    for name, fault in STOPS.items():
        before = shop.requests(pixel)
        shop.graph.fail_always(fault, pixel_id=pixel.id)
        events.record(pixel, 5)
        shop.until_stopped(pixel)
        shop.sweep_and_wait()
        requests = shop.requests(pixel) - before
        failed = shop.count_events("state = 'failed'")
        cause = shop.row_of(pixel)["trouble"]
        tally.check(
            requests == 1 and not failed and bool(cause),
            f"{name}: stopped ({cause}) after {requests} request, {failed} failed",
        )
        shop.graph.heal()
        shop.release(pixel)
        shop.until_sent(f"all is sent after {name}")
    check_all(shop, events.recorded, tally)


def proof(shop: Shop, seed: int, tally: Tally) -> None:
    """Want each call to prove that it knows the app's secret."""
    pixel, events = shop.pixels[0], Events(shop, f"proof-{seed}")
    shop.graph.app_secret = "0123456789abcdef0123456789abcdef"
    events.record(pixel, 20)
    shop.until_stopped(pixel)
    shop.sweep_and_wait()
    requests, cause = shop.requests(pixel), shop.row_of(pixel)["trouble"]
    tally.check(
        (requests, cause) == (1, "signature"),
        f"stopped ({cause}) after {requests} request",
    )
    shop.set_parameter("app_secret", shop.graph.app_secret)
    shop.until_sent("all is sent with the proof")
    check_all(shop, events.recorded, tally)


def clock_ahead(shop: Shop, seed: int, tally: Tally, seconds: int = 25) -> None:
    """Have Meta's clock behind ours: what has just happened is in its future."""
    pixel, events = shop.pixels[0], Events(shop, f"clock-{seed}")
    shop.graph.clock_behind = seconds
    made = events.record(pixel, 20)
    shop.until_sent("they are sent when their time has come")
    requests, skew = shop.requests(pixel), shop.row_of(pixel)["clock_skew"]
    late = shop.graph.requests[-1].received_at - made[0]["event_time"]
    tally.check(
        requests <= 4 and late <= seconds + 30 and abs(skew - seconds) <= 3,
        f"sent {late:.0f} s after they happened by a clock {seconds} s ahead, with"
        f" {requests} requests; the pixel tells of {skew} s",
    )
    check_all(shop, events.recorded, tally)


def long_sweep(shop: Shop, seed: int, tally: Tally) -> None:
    """Have the sweep deliver where Meta hangs, and where it says when to come again."""
    first, *hanging = shop.pixels[:3]
    events = Events(shop, f"sweep-{seed}")
    for pixel in shop.pixels[:3]:
        events.record(pixel, 5)
    # Somebody is to be told of what has waited for hours.
    shop.execute(
        "UPDATE meta_capi_event SET create_date = create_date - interval '2 hours'"
    )
    shop.until_jobs_are_due()
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
    told = shop.count("meta_capi_pixel", "is_stuck_told")
    tally.check(told > 0, f"it told in the end of {told} pixels where events wait")
    shop.graph.heal()
    deadline = time.monotonic() + PATIENCE
    while shop.pending() and time.monotonic() < deadline:
        shop.end_waiting()
        shop.age_jobs()
        shop.sweep_and_wait()
    check_all(shop, events.recorded, tally)


def no_activity_type(shop: Shop, seed: int, tally: Tally) -> None:
    """Have an administrator delete the types of activities that notices are made of."""
    pixel, events = shop.pixels[0], Events(shop, f"types-{seed}")
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
    names = ", ".join(f"'{name}'" for name in NOTICE_TYPES)
    left = shop.count("ir_model_data", f"module || '.' || name IN ({names})")
    tally.check(not left, f"deleted the types {', '.join(deleted)}")

    def record(fault: Fault) -> None:
        shop.graph.fail_next(fault, pixel_id=pixel.id)
        events.record(pixel, 20)

    record(error(2))
    shop.until_sent("all is sent after a blip")
    shop.graph.fail_always(http(503), pixel_id=pixel.id)
    events.record(pixel, 20)
    shop.until(lambda: shop.count_events("attempt_count > 0"), "they were tried")
    shop.execute(
        "UPDATE meta_capi_event SET create_date = create_date - interval '2 hours'"
    )
    shop.sweep_until(
        lambda: shop.count("meta_capi_pixel", "is_stuck_told"),
        "managers are told that they wait",
    )
    shop.graph.heal()
    record(error(2))
    shop.until_sent("all is sent after a blip that ends a long wait")
    record(error(190))
    shop.until_stopped(pixel)
    shop.release(pixel)
    shop.until_sent("all is sent after a stop")
    check_all(shop, events.recorded, tally)


def store_event(shop: Shop, seed: int, tally: Tally) -> None:
    """Have a store's event arrive unanswered, be refused, and be retried by hand.

    Meta tells copies of those apart by what they say of the person.
    """
    pixel, events = shop.pixels[0], Events(shop, f"store-{seed}")
    (made,) = events.make(1)
    made["action_source"] = "physical_store"
    client = shop.client()
    partner = client.create(
        "res.partner", name="Jane Doe", email="jane@example.com", phone="+15555550123"
    )
    shop.set_parameter("batch_delay", "600")
    events.commit(pixel, [made])
    shop.execute(f"UPDATE meta_capi_event SET partner_id = {partner}")
    shop.graph.fail_next(reset_after_accept(), pixel_id=pixel.id)
    shop.graph.fail_next(error(100, 2804050), pixel_id=pixel.id)
    shop.click("action_send_now", [made])
    shop.click("action_send_now", [made])
    reason = shop.state_of(made["event_id"], "failure_reason")
    cause = shop.state_of(made["event_id"], "cause")
    tally.check(
        (reason, cause) == ("invalid", "user_data"),
        f"a copy that may have arrived, then a refusal: {reason}, {cause}",
    )
    shop.do_not_wait()
    shop.click("action_retry", [made])
    shop.until_sent("it is sent again")
    check_repeats(shop, tally)
    check_states(shop, set(), 1, tally)
    check_log(shop, tally)
