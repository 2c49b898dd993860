"""Jobs that are lost, left over, never started or come too early."""

from __future__ import annotations

import time

from ..testing.tally import Tally
from .audit import check_all, check_log
from .events import Events
from .shop import Shop


def no_runner(shop: Shop, _seed: int, tally: Tally, count: int = 500) -> None:
    """Run no jobrunner at all: the sweep delivers by itself."""
    events = Events(shop, "sweep")
    for pixel in shop.pixels:
        events.record(pixel, count)
    shop.sweep_and_wait()
    waiting = shop.pending()
    shop.until_jobs_are_due()
    shop.age_jobs()
    shop.sweep_and_wait()
    shop.until_sent("the sweep delivers")
    states = shop.rows("SELECT state, count(*) AS count FROM queue_job GROUP BY state")
    tally.check(
        waiting > 0 and {row["state"] for row in states} == {"pending"},
        f"{waiting} events waited for a runner; a minute later (shifted) the sweep sent"
        f" them, {states[0]['count']} jobs were never started",
    )
    check_all(shop, events.recorded, tally)


def orphaned_jobs(shop: Shop, _seed: int, tally: Tally) -> None:
    """Leave jobs enqueued whose process is gone, and that no runner looks for."""
    pixel, events = shop.pixels[0], Events(shop, "orphans")
    for _ in range(4):
        events.record(pixel, 25)
        shop.execute(
            "UPDATE queue_job SET state = 'enqueued',"
            " date_enqueued = now() AT TIME ZONE 'UTC',"
            " eta = (now() AT TIME ZONE 'UTC') - interval '61 seconds'"
            " WHERE state = 'pending'"
        )
    jobs = shop.count("queue_job")
    for _ in range(3):
        shop.sweep_and_wait()
    pending = shop.pending()
    tally.check(
        not pending,
        f"{jobs} jobs left enqueued by the dead: after three sweeps {pending} of"
        f" {len(events.recorded)} events still wait",
    )
    check_log(shop, tally)


def lost_jobs(shop: Shop, _seed: int, tally: Tally) -> None:
    """Delete the rows of jobs by hand: the sweep finds the strays."""
    events = Events(shop, "strays")
    shop.set_parameter("batch_delay", "600")
    for pixel in shop.pixels:
        events.record(pixel, 100)
    deleted = shop.count("queue_job")
    shop.execute("DELETE FROM queue_job")
    started = time.monotonic()
    shop.sweep_and_wait()
    shop.until_sent("the strays are sent")
    shop.set_parameter("batch_delay", "1")
    tally.check(
        deleted >= len(shop.pixels),
        f"{deleted} jobs deleted by hand; {len(events.recorded)} strays sent"
        f" {time.monotonic() - started:.0f} s after a sweep was called",
    )
    check_all(shop, events.recorded, tally)


def long_transaction(shop: Shop, _seed: int, tally: Tally) -> None:
    """Hold a transaction open until the job it counted on has come and gone."""
    pixel, events = shop.pixels[0], Events(shop, "long")
    shop.set_parameter("batch_delay", "4")
    first, second = events.make(10), events.make(10)
    events.commit(pixel, first)
    events.commit(pixel, second, pause=10)
    open_jobs = shop.count("queue_job", "state NOT IN ('done', 'failed')")
    pending = shop.pending()
    tally.check(
        (pending, open_jobs) == (10, 0),
        f"{pending} events committed after their job had gone by, {open_jobs} jobs left",
    )
    shop.sweep_and_wait()
    shop.until_sent("the sweep finds them")
    shop.set_parameter("batch_delay", "1")
    interval = shop.rows(
        "SELECT interval_number AS n, interval_type AS unit FROM ir_cron"
        " WHERE id = (SELECT res_id FROM ir_model_data WHERE name = 'ir_cron_sweep')"
    )[0]
    tally.check(
        interval["unit"] == "minutes" and interval["n"] <= 2,
        f"the sweep found them; by itself it runs every {interval['n']}"
        f" {interval['unit']}",
    )
    check_all(shop, events.recorded, tally)
