"""What an update of the addon costs a shop that records, measured inside Odoo."""

# mypy: ignore-errors
import os
import time
from collections import defaultdict

import psycopg2

from odoo import SUPERUSER_ID, api, release

from ...models.outbox import event_summary
from . import data as bench_data
from .delivering import insert_log, record_sample, vacuum
from .recording import transaction

_ADDON = "ih_meta_conversions_api"
TABLES = (*bench_data.TABLES, event_summary.TABLE)
# Columns of the log that 3.0.0 did not have, and that recording does not write.
_NEW_COLUMNS = ("unknown_count", "first_refusal_id", "carried_by")
# Seconds between two confirmations, and between two looks at the locks.
_CONFIRM_EVERY = 0.5
_LOOK_EVERY = 0.05
# What keeps others from writing to a table.
_BLOCKING = (
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)


def fill_log(registry, count, pixel_id):
    """Have so many finished events in the log, and nothing else."""
    with transaction(registry) as env:
        record_sample(env)
        insert_log(env, "public", count, min(1000, count), 0, pixel_id, None)
        env.cr.execute("DELETE FROM queue_job")
        # What is recorded from now on has the ids that come next.
        env.cr.execute(
            "SELECT setval('meta_capi_event_id_seq', max(id)) FROM meta_capi_event"
        )
    vacuum(registry, *TABLES)


def make_earlier(registry):
    """Take from the database what 3.0.0 lacked, and say that this is its version."""
    with transaction(registry) as env:
        cr = env.cr
        event_summary.drop_summary(cr)
        cr.execute(
            """
            SELECT indexrelid::regclass::text FROM pg_index
             WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique
            """,
            [list(bench_data.TABLES)],
        )
        for (index,) in cr.fetchall():
            cr.execute(f"DROP INDEX {index}")
        # As if the field were new.
        cr.execute(
            "ALTER TABLE meta_capi_event DROP CONSTRAINT meta_capi_event_partner_id_fkey"
        )
        # A row for each event of a request.
        cr.execute(
            """
            CREATE TABLE meta_capi_attempt_event_rel (
                attempt_id int NOT NULL REFERENCES meta_capi_attempt ON DELETE CASCADE,
                event_id int NOT NULL REFERENCES meta_capi_event ON DELETE CASCADE,
                PRIMARY KEY (attempt_id, event_id)
            )
            """
        )
        cr.execute(
            "INSERT INTO meta_capi_attempt_event_rel"
            " SELECT attempt.id, event.id FROM meta_capi_attempt attempt"
            "   JOIN meta_capi_event event ON event.id = ANY(carried)"
        )
        cr.execute("CREATE INDEX ON meta_capi_attempt_event_rel (event_id, attempt_id)")
        cr.execute("ALTER TABLE meta_capi_attempt DROP COLUMN carried")
        cr.execute("ALTER TABLE meta_capi_event ADD COLUMN response text")
        for column in _NEW_COLUMNS:
            cr.execute(f"ALTER TABLE meta_capi_event DROP COLUMN {column}")
        cr.execute(
            "UPDATE ir_module_module SET latest_version = %s WHERE name = %s",
            [f"{release.series}.3.0.0", _ADDON],
        )


def files(registry):
    """Return the file that each table of the log is in: a rewrite makes another."""
    with transaction(registry) as env:
        env.cr.execute(
            "SELECT name, pg_relation_filenode(to_regclass(name)) FROM unnest(%s) name",
            [list(TABLES)],
        )
        return dict(env.cr.fetchall())


def record_while(registry, flag, first):
    """Record one event after the other while a file exists; return what each took."""

    def record(env, number):
        env["meta.conversions.api"].send_event(**bench_data.purchase(number))

    return _repeat(registry, flag, record, iter(range(first, first + 10**9)))


def confirm_while(registry, flag, order_ids):
    """Confirm one order after the other while a file exists; return what each took."""

    def confirm(env, order_id):
        env["sale.order"].browse(order_id).action_confirm()

    return _repeat(registry, flag, confirm, iter(order_ids), _CONFIRM_EVERY)


def _repeat(registry, flag, function, values, pause=0):
    """Run a function in transactions of their own, each until it is committed.

    :return: pairs of the seconds it took, and how often it began anew
    """
    found = []
    while os.path.exists(flag):
        value = next(values, None)
        if value is None:
            break
        start, again = time.perf_counter(), 0
        while True:
            try:
                with registry.cursor() as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    function(env, value)
                    env.flush_all()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                # As Odoo does with a request that lost against another.
                again += 1
            else:
                break
        found.append((time.perf_counter() - start, again))
        time.sleep(pause)
    # The first one fills this process's caches; the update is still starting by then.
    return found[1:]


def watch_locks(registry, flag):
    """Return the seconds that locks against writing were seen, by kind and table."""
    seconds = defaultdict(float)
    last = time.perf_counter()
    with registry.cursor() as cr:
        cr.connection.autocommit = True
        while os.path.exists(flag):
            time.sleep(_LOOK_EVERY)
            cr.execute(
                """
                SELECT DISTINCT relname, mode FROM pg_locks
                  JOIN pg_class ON pg_class.oid = relation
                 WHERE granted AND locktype = 'relation' AND relkind = 'r'
                   AND mode = ANY(%s)
                   AND database = (SELECT oid FROM pg_database
                                    WHERE datname = current_database())
                   AND pid <> pg_backend_pid()
                """,
                [list(_BLOCKING)],
            )
            now = time.perf_counter()
            for table, mode in cr.fetchall():
                seconds[f"{mode} of {table}"] += now - last
            last = now
        cr.connection.autocommit = False
    return dict(seconds)


def reload(registry):
    """Return the seconds that a worker takes to load the code's models anew."""
    start = time.perf_counter()
    type(registry).new(registry.db_name)
    return time.perf_counter() - start
