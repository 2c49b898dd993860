"""What delivering costs, measured inside Odoo: with many events, and in a large log."""

# mypy: ignore-errors
import re
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from lxml import etree

from odoo import SUPERUSER_ID, api

from ...capi.states import Plan
from ...models.outbox import event_summary
from . import data as bench_data
from .recording import transaction

# --------------------------------------------------------------------------- delivery


def fill(registry, count, pixel_ids):
    """Keep, in a table aside, as many pending events as asked for, on these pixels."""
    with transaction(registry) as env:
        _record_sample(env)
        columns = _columns(env, "meta_capi_event")
        chosen = {
            "id": "number",
            "event_id": "'event-' || number",
            "pixel_id": "(%(pixel_ids)s)[1 + number %% %(pixels)s]",
        }
        env.cr.execute("DROP TABLE IF EXISTS bench_pending")
        env.cr.execute(
            f"""
            CREATE TABLE bench_pending AS
            SELECT {", ".join(f"{chosen.get(c, c)} AS {c}" for c in columns)}
              FROM generate_series(1, %(count)s) number
              JOIN bench_sample ON position = number %% 1000
            """,
            {"count": count, "pixel_ids": list(pixel_ids), "pixels": len(pixel_ids)},
        )


def refill(registry):
    """Put the events of the table aside into the log, and nothing else."""
    empty(registry)
    add(registry, part=0, parts=1)


def empty(registry):
    """Have a log without events."""
    with transaction(registry) as env:
        _truncate(env)


def add(registry, part, parts):
    """Put one of some equal parts of the table aside into the log, and clean up."""
    with transaction(registry) as env:
        columns = ", ".join(_columns(env, "bench_pending"))
        env.cr.execute(
            f"INSERT INTO meta_capi_event ({columns})"
            f" SELECT {columns} FROM bench_pending WHERE id %% %s = %s",
            [parts, part],
        )
        env.cr.execute("DELETE FROM queue_job")
    _vacuum(registry, "meta_capi_event")


def _record_sample(env):
    """Keep 1,000 different events as they are recorded, to be multiplied."""
    _truncate(env)
    env["meta.conversions.api"].send_events(
        [bench_data.purchase(number) for number in range(1000)]
    )
    env.cr.execute("DROP TABLE IF EXISTS bench_sample")
    env.cr.execute(
        "CREATE TABLE bench_sample AS"
        " SELECT row_number() OVER () - 1 AS position, * FROM meta_capi_event"
    )
    _truncate(env)


def _truncate(env):
    env.cr.execute(f"TRUNCATE {', '.join(bench_data.TABLES)}")


def _columns(env, table):
    """Return the columns of a table that can be written."""
    env.cr.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    )
    return [name for (name,) in env.cr.fetchall()]


def _vacuum(registry, *tables):
    with registry.cursor() as cr:
        cr.connection.autocommit = True
        for table in tables:
            cr.execute(f"VACUUM ANALYZE {table}")
        cr.connection.autocommit = False


def drain(registry, pixel_ids):
    """Deliver all that is pending, as jobs do; return when it began and when it ended."""
    start = time.monotonic()
    for pixel_id in pixel_ids:
        while _is_pending(registry, pixel_id):
            with transaction(registry) as env:
                env["meta.capi.delivery"]._deliver(pixel_id)
    return start, time.monotonic()


def _is_pending(registry, pixel_id):
    with registry.cursor() as cr:
        cr.execute(
            "SELECT FROM meta_capi_event"
            " WHERE state = 'pending' AND pixel_id = %s LIMIT 1",
            [pixel_id],
        )
        return bool(cr.rowcount)


def drain_in_memory(registry, pixel_ids):
    """Deliver all that is pending; return our memory before and at the peak, in MB."""
    with transaction(registry) as env:
        env["meta.capi.delivery"]._deliver("1")
    # The peak is counted from here on.
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")
    at_rest = _memory("VmRSS")
    drain(registry, pixel_ids)
    return {"at_rest": at_rest, "peak": _memory("VmHWM")}


def _memory(name):
    with open("/proc/self/status") as status:
        (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", status.read())
    return int(kilobytes) / 1024


def disk(registry):
    """Return the bytes that the log takes, and those of what was sent."""
    _vacuum(registry, "meta_capi_event")
    with transaction(registry) as env:
        env.cr.execute(
            "SELECT count(*) FILTER (WHERE state = 'sent'), min(pixel_id),"
            "       (SELECT sum(pg_total_relation_size(name::regclass))::bigint"
            "          FROM unnest(%s) name),"
            "       pg_table_size('meta_capi_event'), pg_indexes_size('meta_capi_event'),"
            "       (array_agg(id ORDER BY id))[:1000]"
            "  FROM meta_capi_event",
            [list(bench_data.TABLES)],
        )
        events, pixel_id, on_disk, heap, indexes, ids = env.cr.fetchone()
        # What a claim would read, had they not been sent.
        env.cr.execute("UPDATE meta_capi_event SET state = 'pending'")
        outbox = env["meta.capi.pixel"]._outbox(pixel_id)
        claimed, _more = outbox.claim(Plan(len(ids)), int(time.time()), ids)
        size = sum(len(one.body) for one in claimed) / len(claimed)
        env.cr.rollback()
    return {
        "on_disk": on_disk,
        "events": events,
        "body": size,
        "heap": heap / events,
        "indexes": indexes / events,
        "rest": (on_disk - heap - indexes) / events,
    }


# --------------------------------------------------------------------------- a large log


def make_logs(registry, sizes, pending, pixel_id):
    """Make two logs, a small one and a large one, in schemas of their own.

    Both have the same pending events and the same finished ones of this week; what the
    large one has more of is older, up to 90 days.
    """
    with transaction(registry) as env:
        _record_sample(env)
        for schema, size in zip(("bench_small", "bench_large"), sizes, strict=True):
            env.cr.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            env.cr.execute(f"CREATE SCHEMA {schema}")
            for table in bench_data.TABLES:
                env.cr.execute(
                    f"CREATE TABLE {schema}.{table} (LIKE public.{table} INCLUDING ALL)"
                )
            _make_log(env, schema, size, min(sizes), pending, pixel_id)
            # Neither triggers nor what they fill is copied with a table.
            env.cr.execute(f"SET LOCAL search_path = {schema}, public")
            event_summary.create_summary(env.cr)
            event_summary.recount(env.cr)
            env.cr.execute("SET LOCAL search_path = public")
    tables = (*bench_data.TABLES, event_summary.TABLE)
    for schema in ("bench_small", "bench_large"):
        _vacuum(registry, *(f"{schema}.{table}" for table in tables))


def _make_log(env, schema, size, recent, pending, pixel_id):
    columns = _columns(env, "meta_capi_event")
    # The first are the oldest, the last `recent` of the finished ones of this week.
    age = (
        "(CASE WHEN number > %(size)s THEN interval '1 minute'"
        "  WHEN number > %(size)s - %(recent)s"
        "  THEN interval '6 days' * (%(size)s - number) / %(recent)s"
        "  ELSE interval '8 days' + interval '82 days' * (%(size)s - number) / %(size)s"
        " END)"
    )
    finished = {
        # Far from those that the sequence gives to what is recorded meanwhile.
        "id": "100000000 + number",
        "event_id": "'event-' || number",
        "event_name": "(ARRAY['PageView', 'PageView', 'ViewContent', 'Purchase'])"
        "[1 + number %% 4]",
        "user_data_keys": "CASE number %% 7 WHEN 0 THEN user_data_keys"
        " WHEN 1 THEN 'client_ip_address,client_user_agent,fbc,fbp'"
        " ELSE 'client_ip_address,client_user_agent,fbp' END",
        "pixel_id": "%(pixel_id)s",
        "event_time": f"bench_sample.event_time - {age}",
        "create_date": f"bench_sample.create_date - {age}",
        "write_date": f"bench_sample.write_date - {age}",
        "state": "CASE WHEN number > %(size)s THEN 'pending' ELSE 'sent' END",
        # Within 5 to 30 seconds, each as often as the others.
        "sent_at": f"CASE WHEN number <= %(size)s THEN event_time - {age}"
        " + interval '1 second' * (5 + number %% 1009 * 7919 %% 26) END",
        "next_attempt_at": "CASE WHEN number > %(size)s THEN event_time END",
    }
    env.cr.execute(
        f"""
        INSERT INTO {schema}.meta_capi_event ({", ".join(columns)})
        SELECT {", ".join(finished.get(column, column) for column in columns)}
          FROM generate_series(1, %(size)s + %(pending)s) number
          JOIN bench_sample ON position = number %% 1000
        """,
        {"size": size, "recent": recent, "pending": pending, "pixel_id": pixel_id},
    )
    env.cr.execute(
        f"""
        INSERT INTO {schema}.meta_capi_attempt (
            id, started_at, pixel_id, event_count, carried, outcome, arrived, create_date
        )
        SELECT number, now() - interval '1 day', %s, 100,
               array(SELECT generate_series(100 * number, 100 * number + 99) + 100000000),
               'accepted', true, now()
          FROM generate_series(0, %s / 100) number
        """,
        [pixel_id, size],
    )


def use_log(registry, schema, step, number, pixel_id):
    """Return the seconds of one step on one of the logs; nothing is kept."""
    with _log_transaction(registry, schema) as env:
        function = _steps(env, number, pixel_id)[step]
        start = time.perf_counter()
        function()
        env.flush_all()
        return time.perf_counter() - start


def steps(registry):
    with transaction(registry) as env:
        return list(_steps(env, 0, ""))


def explain_log(registry, schema, step, number, pixel_id):
    """Return PostgreSQL's plans of the slowest statements of one step."""
    with _log_transaction(registry, schema) as env:
        function = _steps(env, number, pixel_id)[step]
        env.cr.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on",
            "auto_explain.log_buffers": "on",
            "client_min_messages": "log",
        }.items():
            env.cr.execute(f"SET LOCAL {name} = '{value}'")
        notices = env.cr.connection.notices
        # psycopg2 keeps the last 50.
        del notices[:]
        function()
        env.flush_all()
        plans = [_plan(notice) for notice in notices if "meta_capi_event" in notice]
        return sorted(plans, reverse=True)[:2]


def _plan(notice):
    """Return the milliseconds and the text of a plan, long lists of ids cut."""
    found = re.search(r"duration: ([0-9.]+) ms\s+plan:\s+(.*)", notice, re.S)
    text = re.sub(r"\{(\d+,){10,}\d+\}", "{…}", found[2])
    text = re.sub(r"'\[\{.*?\}\]'", "'[…]'", text, flags=re.S)
    return float(found[1]), text[:6000].rstrip()


@contextmanager
def _log_transaction(registry, schema):
    with registry.cursor() as cr:
        cr.execute(f"SET LOCAL search_path = {schema}, public")
        yield api.Environment(cr, SUPERUSER_ID, {})
        cr.rollback()


def _steps(env, number, pixel_id):
    admin = env.ref("base.user_admin")
    # What a person's session has read before.
    events = env["meta.capi.event"].with_user(admin)
    fields = _list_fields(events)
    outbox = env["meta.capi.pixel"]._outbox(pixel_id)
    found = {
        "recording": lambda: env["meta.conversions.api"].send_event(
            **bench_data.purchase(10_000_000 + number)
        ),
        "claiming": lambda: outbox.claim(Plan(1000), int(time.time()), None),
        "first list page": lambda: events.web_search_read(
            [], fields, limit=80, count_limit=10_001
        ),
    }
    if "meta.capi.overview" in env:
        overview = env["meta.capi.overview"].with_user(admin)
        week = [("event_time", ">=", datetime.now() - timedelta(days=7))]
        found["overview of 7 days"] = overview.get_dashboard
        found["graph of 7 days"] = lambda: events._read_group(
            week, ["event_time:day", "event_name"], ["__count"]
        )
        for period, days in (("today", 1), ("30 days", 30), ("90 days", 90)):
            found[f"overview of {period}"] = partial(
                overview.get_dashboard, {"days": days}
            )
    return found


def _list_fields(events):
    """Return what the list asks for, as the web client does."""
    types = dict(events.env["ir.ui.view"]._fields["type"].selection)
    arch = events.get_view(view_type="list" if "list" in types else "tree")["arch"]
    names = etree.fromstring(arch).xpath("//field/@name")
    return {
        name: (
            {"fields": {"display_name": {}}}
            if events._fields[name].type == "many2one"
            else {}
        )
        for name in names
    }
