"""What `make bench` measures inside Odoo: runs in ``odoo shell``, and is forked there.

Each function that a worker is asked for gets the registry. It opens its transactions
itself, as a request or a job would, and returns what it measured as plain data.
"""

# mypy: ignore-errors
import os
import re
import signal
import socket
import time
from contextlib import contextmanager
from multiprocessing.connection import Connection
from traceback import format_exc

from lxml import etree
from psycopg2.extras import Json

from odoo import SUPERUSER_ID, api, sql_db

from ...capi.decision import Plan
from ...capi.event import read_event
from ...models import event_builder, event_writer
from . import data as bench_data

_ADDON = "ih_meta_conversions_api"
# Columns that Odoo fills in itself.
_LOG_COLUMNS = ("create_uid", "create_date", "write_uid", "write_date")
_LOOK_FOR_JOBS = """
SELECT identity_key, eta FROM queue_job
 WHERE identity_key IN ('meta_capi.deliver:1:0', 'meta_capi.deliver:1:1')
   AND state IN ('pending', 'enqueued')
"""


# ------------------------------------------------------------------------- the workers


def serve(env, number):
    """Be the parent of the benchmark's workers: loaded once, one forked on demand.

    :param number: of the socket that each worker gets its own connection through
    """
    _arm(env)
    registry = env.registry
    env.cr.commit()
    registry.signal_changes()
    env.cr.close()
    sql_db.close_all()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Nobody asks how a worker ended: its connection tells.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=number)
    while True:
        _message, numbers, *_flags = socket.recv_fds(control, 1, 1)
        if not numbers:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _work(registry, Connection(numbers[0]))
            os._exit(0)
        os.close(numbers[0])


def _work(registry, connection):
    """Run one function after the other, until nobody asks any more."""
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            registry = registry.check_signaling()
            connection.send((True, globals()[name](registry, **arguments)))
        except BaseException:
            connection.send((False, format_exc()))


@contextmanager
def _transaction(registry):
    with registry.cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


def _timed(registry, function):
    """Return the seconds a function takes with its commit, in a transaction of its own."""
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        start = time.perf_counter()
        function(env)
        env.flush_all()
        cr.commit()
        return time.perf_counter() - start


def configure(registry, parameters):
    with _transaction(registry) as env:
        for key, value in parameters.items():
            env["ir.config_parameter"].set_param(key, value)
    registry.signal_changes()


# --------------------------------------------------------------------------- recording


def record_single(registry, first, count):
    """Record events one by one, and do what it is compared with, in turn."""
    seconds = {"send_event": [], "create": [], "with_delay": [], "by_hand": []}
    for number in range(first, first + count):
        arguments = bench_data.purchase(number)
        values = _stored_values(registry, number)
        statement = _insert_statement(registry, values, number)

        def send_event(env, arguments=arguments):
            env["meta.conversions.api"].send_event(**arguments)

        def create(env, values=values):
            env["meta.capi.event"].create(values)

        def with_delay(env, arguments=arguments):
            env["meta.conversions.api"].with_delay().send_event(**arguments)

        def by_hand(env, arguments=arguments, statement=statement):
            # What cannot be left out, with nothing of Odoo but its cursor.
            read_event(arguments, now=time.time())
            env.cr.execute("SAVEPOINT by_hand")
            env.cr.execute(statement)
            env.cr.execute("RELEASE SAVEPOINT by_hand")
            env.cr.execute(_LOOK_FOR_JOBS)

        for function in (send_event, create, with_delay, by_hand):
            seconds[function.__name__].append(_timed(registry, function))
        with _transaction(registry) as env:
            _run_due_jobs(env)
    return seconds


def record_many(registry, first, count):
    """Record many events in one transaction, and create as many rows by the ORM."""
    numbers = range(first, first + count)
    arguments = [bench_data.purchase(number) for number in numbers]
    values = [_stored_values(registry, number) for number in numbers]
    return {
        "send_events": _timed(
            registry, lambda env: env["meta.conversions.api"].send_events(arguments)
        ),
        "create": _timed(registry, lambda env: env["meta.capi.event"].create(values)),
    }


def _stored_values(registry, number):
    """Return the values of the row that ``send_event`` would write, with another id."""
    with _transaction(registry) as env:
        draft = event_builder.EventBuilder(env).build(bench_data.purchase(number))
        row = event_writer.EventWriter(env).to_row(draft)
    row["event_id"] = f"created-{number}"
    return {
        column: value
        for column, value in row.items()
        if value is not None and column not in _LOG_COLUMNS
    }


def _insert_statement(registry, values, number):
    """Return the bare INSERT of a row, ready to be sent."""
    values = {**values, "event_id": f"inserted-{number}"}
    for column in ("user_data", "custom_data"):
        values[column] = Json(values[column])
    with registry.cursor() as cr:
        return cr.mogrify(
            f"INSERT INTO meta_capi_event ({', '.join(values)}) VALUES %s",
            [tuple(values.values())],
        ).decode()


def _run_due_jobs(env):
    """Do with the jobs whose time has come what a job runner does."""
    env.cr.execute(
        "UPDATE queue_job SET state = 'done' WHERE state = 'pending'"
        " AND (eta IS NULL OR eta <= now() AT TIME ZONE 'UTC')"
    )


# ---------------------------------------------------------------------------- an order


def _arm(env):
    """Make what an order sets off: our automation, and one that does nothing."""
    if env.ref(f"{_ADDON}.bench_automation_nothing", raise_if_not_found=False):
        return
    ours = env.ref(f"{_ADDON}.automation_purchase")
    ours.active = True
    empty = ours.copy({"name": "Nothing", "active": True})
    empty.action_server_ids.unlink()
    env["ir.actions.server"].create(
        {
            "name": "Nothing",
            "model_id": empty.model_id.id,
            "state": "code",
            "code": "pass",
            "usage": "base_automation",
            "base_automation_id": empty.id,
        }
    )
    env["ir.model.data"].create(
        {
            "module": _ADDON,
            "name": "bench_automation_nothing",
            "model": empty._name,
            "res_id": empty.id,
            "noupdate": True,
        }
    )


def make_orders(registry, first, count):
    """Return new orders of the website, each of a customer of its own."""
    with _transaction(registry) as env:
        website = env["website"].search([], limit=1)
        products = env["product.product"].search([("name", "=", "Bench")])
        if not products:
            products = env["product.product"].create(
                [{"name": "Bench", "list_price": price} for price in (10.0, 25.5)]
            )
        orders = env["sale.order"]
        for number in range(first, first + count):
            data = bench_data.user_data(number)
            country = env["res.country"].search([("code", "=", data["country"])])
            customer = env["res.partner"].create(
                {
                    "name": f"{data['fn']} {data['ln']}",
                    "email": data["em"],
                    "phone": data["ph"],
                    "city": data["ct"],
                    "zip": data["zp"],
                    "country_id": country.id,
                }
            )
            orders += orders.create(
                {
                    "partner_id": customer.id,
                    "website_id": website.id,
                    "order_line": [
                        (0, 0, {"product_id": product.id, "product_uom_qty": 2})
                        for product in products
                    ],
                }
            )
        return orders.ids


def confirm(registry, order_id, automation="automation_purchase"):
    """Return the seconds of confirming an order with one automation in force."""
    with _transaction(registry) as env:
        # Not by the ORM: the registry would have to be built anew.
        env.cr.execute(
            "UPDATE base_automation SET active = (base_automation.id = data.res_id)"
            "  FROM ir_model_data data WHERE data.module = %s AND data.name = %s"
            "   AND active <> (base_automation.id = data.res_id)",
            [_ADDON, automation],
        )
    return _timed(
        registry, lambda env: env["sale.order"].browse(order_id).action_confirm()
    )


def deliver_while(registry, pixel_id, flag):
    """Deliver what comes, one request after the other, while a file exists."""
    while os.path.exists(flag):
        with _transaction(registry) as env:
            env["meta.capi.delivery"]._deliver_batch(pixel_id)
        time.sleep(0.05)


# ---------------------------------------------------------------------------- delivery


def fill(registry, count, pixel_ids):
    """Keep, in a table aside, as many pending events as asked for, on these pixels."""
    with _transaction(registry) as env:
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
    with _transaction(registry) as env:
        _truncate(env)
        columns = ", ".join(_columns(env, "bench_pending"))
        env.cr.execute(
            f"INSERT INTO meta_capi_event ({columns})"
            f" SELECT {columns} FROM bench_pending"
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
            with _transaction(registry) as env:
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
    with _transaction(registry) as env:
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
    with _transaction(registry) as env:
        env.cr.execute(
            "SELECT sum(pg_total_relation_size(name::regclass))::bigint"
            "  FROM unnest(%s) name",
            [list(bench_data.TABLES)],
        )
        (on_disk,) = env.cr.fetchone()
        env.cr.execute("SELECT id FROM meta_capi_event ORDER BY id LIMIT 1000")
        ids = [event_id for (event_id,) in env.cr.fetchall()]
        env.cr.execute("SELECT count(*) FROM meta_capi_event WHERE state = 'sent'")
        (events,) = env.cr.fetchone()
        # What a claim would read, had they not been sent.
        env.cr.execute("UPDATE meta_capi_event SET state = 'pending'")
        env.cr.execute("SELECT min(pixel_id) FROM meta_capi_event")
        (pixel_id,) = env.cr.fetchone()
        outbox = env["meta.capi.pixel"]._outbox(pixel_id)
        claimed, _more = outbox.claim(Plan(len(ids)), int(time.time()), ids)
        size = sum(len(one.body) for one in claimed) / len(claimed)
        env.cr.rollback()
    return {"on_disk": on_disk, "events": events, "body": size}


# ------------------------------------------------------------------------- a large log


def make_logs(registry, sizes, pending, pixel_id):
    """Make two logs, a small one and a large one, in schemas of their own.

    Both have the same pending events and the same finished ones of this week; what the
    large one has more of is older, up to 90 days.
    """
    with _transaction(registry) as env:
        _record_sample(env)
        for schema, size in zip(("bench_small", "bench_large"), sizes, strict=True):
            env.cr.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            env.cr.execute(f"CREATE SCHEMA {schema}")
            for table in bench_data.TABLES:
                env.cr.execute(
                    f"CREATE TABLE {schema}.{table} (LIKE public.{table} INCLUDING ALL)"
                )
            _make_log(env, schema, size, min(sizes), pending, pixel_id)
    for schema in ("bench_small", "bench_large"):
        _vacuum(registry, *(f"{schema}.{table}" for table in bench_data.TABLES))


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
        "pixel_id": "%(pixel_id)s",
        "event_time": f"bench_sample.event_time - {age}",
        "create_date": f"bench_sample.create_date - {age}",
        "write_date": f"bench_sample.write_date - {age}",
        "state": "CASE WHEN number > %(size)s THEN 'pending' ELSE 'sent' END",
        "sent_at": f"CASE WHEN number <= %(size)s THEN event_time - {age} END",
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
            id, started_at, pixel_id, event_count, outcome, arrived, create_date
        )
        SELECT number, now() - interval '1 day', %s, 100, 'accepted', true, now()
          FROM generate_series(0, %s / 100) number
        """,
        [pixel_id, size],
    )
    env.cr.execute(
        f"INSERT INTO {schema}.meta_capi_attempt_event_rel (attempt_id, event_id)"
        " SELECT number / 100, 100000000 + number FROM generate_series(1, %s) number",
        [size],
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
    with _transaction(registry) as env:
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
        week = [("event_time", ">=", overview._week_start())]
        found["overview"] = lambda: overview.search([], limit=1).read()
        found["graph of 7 days"] = lambda: events._read_group(
            week, ["event_time:day", "event_name"], ["__count"]
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


# --------------------------------------------------------------------------- versions


def versions(registry):
    """Return what runs here."""
    import platform

    import psycopg2

    from odoo import release

    with _transaction(registry) as env:
        env.cr.execute("SHOW server_version")
        (server,) = env.cr.fetchone()
        module = env["ir.module.module"].search([("name", "=", "queue_job")])
        queue_job = module.installed_version
    return {
        "Odoo": release.version,
        "queue_job": queue_job,
        "PostgreSQL": server.split()[0],
        "Python": platform.python_version(),
        "psycopg2": psycopg2.__version__.split()[0],
    }
