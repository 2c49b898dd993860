"""What the retention costs, measured inside Odoo, on a log that is old as a whole."""

# mypy: ignore-errors
import os
import time
from contextlib import contextmanager
from unittest.mock import patch

from . import data as bench_data
from .delivering import (
    FINISHED,
    SECONDS,
    insert_events,
    insert_requests,
    record_sample,
    vacuum,
)
from .recording import configure, timed, transaction

# Days after which the youngest part of the log is old.
_YOUNGEST = 100
# What cleans up, and the setting that tells from which age on.
_KINDS = {
    "personal data": ("_gc_user_data", "meta_capi.user_data_retention_days"),
    "events": ("_gc_finished", "meta_capi.retention_days"),
}


def make_old_log(registry, count, parts, pixel_id):
    """Make a log of finished events in parts, each a day older than the next.

    All have their personal data, and one of four is to be remembered.
    """
    # A request is of one part.
    part = f"((number - 1) / 100 * 100 * {parts} / {count})"
    age = f"interval '1 day' * ({_YOUNGEST + parts} - {part} - 0.5)"
    values = {
        **FINISHED,
        "event_time": f"bench_sample.event_time - {age}",
        "create_date": f"bench_sample.create_date - {age}",
        "state": "'sent'",
        "sent_at": f"bench_sample.event_time - {age} + {SECONDS}",
        "next_attempt_at": "NULL",
    }
    with transaction(registry) as env:
        record_sample(env)
        insert_events(env, "meta_capi_event", count, values, pixel_id=pixel_id)
        insert_requests(env, "public", count, pixel_id, age)
        env.cr.execute("DELETE FROM meta_capi_once")
        env.cr.execute("DELETE FROM queue_job")
    vacuum(registry, *bench_data.TABLES)


def let_grow_old(registry, kind, part, parts):
    """Have the retention take one part more, the oldest of those that are left."""
    _method, key = _KINDS[kind]
    configure(registry, {key: str(_YOUNGEST + parts - part - 1)})


def clean_up(registry, kind):
    """Do what Odoo's autovacuum calls; return the seconds of each transaction."""
    method, _key = _KINDS[kind]
    seconds = []
    with transaction(registry) as env:
        jobs = type(env["meta.capi.job"])
        opened = jobs._delivery_cursor

        @contextmanager
        def noted(job):
            start = time.perf_counter()
            with opened(job) as cr:
                yield cr
            seconds.append(time.perf_counter() - start)

        triggers = env["ir.cron.trigger"]
        with patch.object(jobs, "_delivery_cursor", noted):
            # Odoo calls it again as soon as it is asked to.
            while triggers or not seconds:
                triggers.unlink()
                getattr(env["meta.capi.event"], method)()
                cron = env.ref("base.autovacuum_job")
                triggers = triggers.search([("cron_id", "=", cron.id)])
    return seconds


def check_clean(registry, remembered):
    """See that all that was old is gone, but for what is remembered."""
    with transaction(registry) as env:
        env.cr.execute(
            "SELECT (SELECT count(*) FROM meta_capi_event WHERE state <> 'pending'),"
            " (SELECT count(*) FROM meta_capi_attempt),"
            " (SELECT count(*) FROM meta_capi_once),"
            " (SELECT sum(events) FROM meta_capi_event_count)"
        )
        found = env.cr.fetchone()
    if found != (0, 0, remembered, 0):
        raise AssertionError(f"The retention has left {found}.")


def record_beside(registry, first, at_least, flag=""):
    """Record events, so many and on while a file exists; return the seconds of each."""
    seconds = []
    while len(seconds) < at_least or os.path.exists(flag):
        purchase = bench_data.purchase(first + len(seconds))

        def record(env, purchase=purchase):
            env["meta.conversions.api"].send_event(**purchase)

        seconds.append(timed(registry, record))
        with transaction(registry) as env:
            # A job whose time has come serves nobody who comes later.
            env.cr.execute(
                "DELETE FROM queue_job WHERE eta <= now() AT TIME ZONE 'UTC'"
            )
    return seconds
