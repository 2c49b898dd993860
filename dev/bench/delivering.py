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
from ...models.outbox.event_table import FORGOTTEN_COLUMNS
from ...models.settings import setting
from . import data as bench_data
from .recording import transaction

# --------------------------------------------------------------------------- delivery


def fill(registry, count, pixel_ids):
    """Keep, in a table aside, as many pending events as asked for, on these pixels."""
    with transaction(registry) as env:
        record_sample(env)
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
    vacuum(registry, "meta_capi_event")


def record_sample(env):
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


def vacuum(registry, *tables):
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
    _count_peak_anew()
    at_rest = _memory("VmRSS")
    drain(registry, pixel_ids)
    return {"at_rest": at_rest, "peak": _memory("VmHWM")}


def drain_for_long(registry, pixel_id, first):
    """Deliver all that is pending; return the peaks of our memory, in MB.

    :param first: after how many events the earlier peak is read
    """
    sent = 0
    _count_peak_anew()
    while sent < first:
        with transaction(registry) as env:
            sent += env["meta.capi.delivery"]._deliver_batch(pixel_id).sent
    early = _memory("VmHWM")
    drain(registry, [pixel_id])
    return {"early": early, "late": _memory("VmHWM")}


def _count_peak_anew():
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")


def _memory(name):
    with open("/proc/self/status") as status:
        (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", status.read())
    return int(kilobytes) / 1024


def disk(registry):
    """Return the bytes that the log takes, and those of what was sent."""
    vacuum(registry, "meta_capi_event")
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


def make_log(registry, schema, size, recent, pending, pixel_id, order_id):
    """Make a log in a schema of its own.

    A small one and a large one differ in what is older than two weeks, up to 90 days: the
    overview compares a week with the one before. As in any log of that age, what is older
    than the retention of personal data has none, and as many Purchases as it has are
    remembered that have left it.

    :param size: how many finished events there are; the last ``recent`` of them are of
        these two weeks
    :param order_id: of an order that one of those is about
    """
    with transaction(registry) as env:
        record_sample(env)
        env.cr.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        env.cr.execute(f"CREATE SCHEMA {schema}")
        for table in (*bench_data.TABLES, _REMEMBERED):
            # An index that is built at the end takes a fraction of the time.
            env.cr.execute(
                f"CREATE TABLE {schema}.{table}"
                f" (LIKE public.{table} INCLUDING ALL EXCLUDING INDEXES)"
            )
        insert_log(env, schema, size, recent, pending, pixel_id, order_id)
        env.cr.execute("SET LOCAL maintenance_work_mem = '1GB'")
        env.cr.execute("SET LOCAL work_mem = '256MB'")
        for table in (*bench_data.TABLES, _REMEMBERED):
            _copy_indexes(env, table, schema)
        # Neither triggers nor what they fill is copied with a table.
        env.cr.execute(f"SET LOCAL search_path = {schema}, public")
        event_summary.create_summary(env.cr)
        # As the sweep leaves them: merged.
        event_summary.recount(env.cr)
        env.cr.execute("SET LOCAL search_path = public")
    tables = (*bench_data.TABLES, _REMEMBERED, event_summary.TABLE)
    vacuum(registry, *(f"{schema}.{table}" for table in tables))


def _copy_indexes(env, table, schema):
    env.cr.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass ORDER BY indexrelid",
        [f"public.{table}"],
    )
    for (definition,) in env.cr.fetchall():
        env.cr.execute(
            definition.replace("%", "%%").replace(
                f" ON public.{table} ", f" ON {schema}.{table} "
            )
        )


def insert_log(env, schema, size, recent, pending, pixel_id, order_id):
    """Insert the events of a log, their requests, and what has left it; see above."""
    # The first are the oldest.
    age = (
        "(CASE WHEN number > %(size)s THEN interval '1 minute'"
        "  WHEN number > %(size)s - %(recent)s"
        "  THEN interval '13 days' * (%(size)s - number) / %(recent)s"
        "  ELSE interval '15 days' + interval '75 days' * (%(size)s - number) / %(size)s"
        " END)"
    )
    values = {
        **FINISHED,
        **{
            column: f"CASE WHEN {age} > %(kept)s THEN %({column})s ELSE {column} END"
            for column in FORGOTTEN_COLUMNS
        },
        "event_time": f"bench_sample.event_time - {age}",
        "create_date": f"bench_sample.create_date - {age}",
        "write_date": f"bench_sample.write_date - {age}",
        "state": "CASE WHEN number > %(size)s THEN 'pending' ELSE 'sent' END",
        "sent_at": f"CASE WHEN number <= %(size)s THEN event_time - {age} + {SECONDS} END",
        "next_attempt_at": "CASE WHEN number > %(size)s THEN event_time END",
        "carried_by": f"CASE WHEN number <= %(size)s THEN {FINISHED['carried_by']} END",
        # The last Purchase of all is of an order that there is.
        "res_id": f"CASE WHEN number = %(size)s - 1 THEN %(order_id)s"
        f" ELSE {FINISHED['res_id']} END",
    }
    insert_events(
        env,
        f"{schema}.meta_capi_event",
        size + pending,
        values,
        **FORGOTTEN_COLUMNS,
        size=size,
        recent=recent,
        kept=timedelta(days=setting.USER_DATA_RETENTION_DAYS.default),
        pixel_id=pixel_id,
        order_id=order_id,
    )
    insert_requests(env, schema, size, pixel_id, "interval '1 day'")
    env.cr.execute(
        f"INSERT INTO {schema}.{_REMEMBERED} (event_name, event_id)"
        " SELECT 'Purchase', gen_random_uuid() FROM generate_series(1, %s)",
        [size // 4],
    )


# What has left the log.
_REMEMBERED = "meta_capi_once"
# Within 5 to 30 seconds, each as often as the others.
SECONDS = "interval '1 second' * (5 + number %% 1009 * 7919 %% 26)"
# Far from those that the sequence gives to what is recorded meanwhile.
_FIRST_ID = 100_000_000
# Of the columns of many finished events, by SQL of their number.
FINISHED = {
    "id": f"{_FIRST_ID} + number",
    "event_id": "'event-' || number",
    "event_name": "(ARRAY['PageView', 'PageView', 'ViewContent', 'Purchase'])"
    "[1 + number %% 4]",
    # A Purchase is of an order, and the only one.
    "res_model": "CASE number %% 4 WHEN 3 THEN 'sale.order' END",
    "res_id": f"CASE number %% 4 WHEN 3 THEN {_FIRST_ID} + number END",
    "happens_once": "number %% 4 = 3",
    "user_data_keys": "CASE number %% 7 WHEN 0 THEN user_data_keys"
    " WHEN 1 THEN 'client_ip_address,client_user_agent,fbc,fbp'"
    " ELSE 'client_ip_address,client_user_agent,fbp' END",
    "pixel_id": "%(pixel_id)s",
    # See ``insert_requests``.
    "carried_by": f"ARRAY[{_FIRST_ID} + (number + 99) / 100]",
}


def insert_events(env, table, count, values, **parameters):
    """Insert many events that are like the sample, but for some columns.

    :param values: of those columns, SQL of a ``number`` from 1 and of the sample's columns
    """
    columns = _columns(env, "meta_capi_event")
    env.cr.execute(
        f"""
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {", ".join(values.get(column, column) for column in columns)}
          FROM generate_series(1, %(count)s) number
          JOIN bench_sample ON position = number %% 1000
        """,
        {**parameters, "count": count},
    )


def insert_requests(env, schema, count, pixel_id, age):
    """Insert the requests that have carried the first of many events, 100 each.

    :param age: SQL of the ``number`` of the last of them
    """
    env.cr.execute(
        f"""
        INSERT INTO {schema}.meta_capi_attempt (
            id, started_at, pixel_id, event_count, carried, outcome, arrived, create_date
        )
        SELECT {_FIRST_ID} + number / 100, now() AT TIME ZONE 'UTC' - {age}, %(pixel_id)s,
               100, array(SELECT {_FIRST_ID} + generate_series(number - 99, number)),
               'accepted', true, now()
          FROM generate_series(100, %(count)s + 99, 100) number
        """,
        {"count": count, "pixel_id": pixel_id},
    )


def use_log(registry, schema, step, number, pixel_id, order_id):
    """Return the seconds of one step on one of the logs; nothing is kept."""
    with _log_transaction(registry, schema) as env:
        function = _steps(env, number, pixel_id, order_id)[step]()
        start = time.perf_counter()
        function()
        env.flush_all()
        return time.perf_counter() - start


def steps(registry):
    with transaction(registry) as env:
        return list(_steps(env, 0, "", 0))


def explain_log(registry, schema, step, number, pixel_id, order_id):
    """Return PostgreSQL's plans of the slowest statements of one step."""
    with _log_transaction(registry, schema) as env:
        function = _steps(env, number, pixel_id, order_id)[step]()
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


def _steps(env, number, pixel_id, order_id):
    """Return what is measured, as functions that make it ready and return it."""
    # As what a person's session has read before.
    env_of_admin = env(user=env.ref("base.user_admin"))
    events = env_of_admin["meta.capi.event"]
    overview = env_of_admin["meta.capi.overview"]
    week = [("event_time", ">=", datetime.now() - timedelta(days=7))]

    def record():
        purchase = bench_data.purchase(_FIRST_ID + number)
        return partial(env["meta.conversions.api"].send_event, **purchase)

    def claim():
        outbox = env["meta.capi.pixel"]._outbox(pixel_id)
        return partial(outbox.claim, Plan(1000), int(time.time()), None)

    def read_list():
        types = dict(env["ir.ui.view"]._fields["type"].selection)
        fields = _shown(events, "list" if "list" in types else "tree")
        return partial(events.web_search_read, [], fields, limit=80, count_limit=10_001)

    def open_settings():
        settings = env_of_admin["res.config.settings"]
        return partial(settings.onchange, {}, [], _shown(settings, "form"))

    def open_order():
        order = env_of_admin["sale.order"].browse(order_id)
        function = partial(order.web_read, _shown(order, "form"))
        if order.meta_capi_event_count != 1:
            raise AssertionError("The log has not the one event of the order.")
        env.invalidate_all()
        return function

    return {
        "recording": record,
        "claiming": claim,
        "first list page": read_list,
        "overview of 7 days": lambda: overview.get_dashboard,
        "graph of 7 days": lambda: partial(
            events._read_group, week, ["event_time:day", "event_name"], ["__count"]
        ),
        **{
            f"overview of {period}": partial(
                partial, overview.get_dashboard, {"days": days}
            )
            for period, days in (("today", 1), ("30 days", 30), ("90 days", 90))
        },
        "opening the settings": open_settings,
        "opening an order": open_order,
    }


def _shown(records, view_type):
    """Return what the web client reads of the fields that a view shows."""
    arch = records.get_view(view_type=view_type)["arch"]
    return _shown_in(records, etree.fromstring(arch))


def _shown_in(records, view):
    depth = len(list(view.iterancestors("field")))
    shown = {}
    for node in view.iter("field"):
        if len(list(node.iterancestors("field"))) > depth:
            continue  # of a list inside this view
        name = node.get("name")
        shown[name] = {}
        if records._fields[name].type == "many2one":
            shown[name] = {"fields": {"display_name": {}}}
        elif records._fields[name].type in ("one2many", "many2many"):
            lines = records.env[records._fields[name].comodel_name]
            inner = node.xpath("list | tree | kanban")[:1]
            shown[name] = {"fields": _shown_in(lines, inner[0]) if inner else {}}
    return shown
