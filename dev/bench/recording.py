"""What recording costs, measured inside Odoo: events, and the orders that make them."""

# mypy: ignore-errors
import json
import os
import time
from contextlib import contextmanager
from datetime import datetime, timezone

from psycopg2.extras import Json

from odoo import SUPERUSER_ID, api

from ...capi.event import read_event
from ...models.outbox.event_table import EventTable
from ...models.recording import event_builder, event_writer
from ..odoo import till
from . import data as bench_data

_ADDON = "ih_meta_conversions_api"
# Columns that Odoo fills in itself.
_LOG_COLUMNS = ("create_uid", "create_date", "write_uid", "write_date")
_LOOK_FOR_JOBS = """
SELECT identity_key, eta FROM queue_job
 WHERE identity_key IN ('meta_capi.deliver:1:0', 'meta_capi.deliver:1:1')
   AND state IN ('pending', 'enqueued')
"""
# What cannot be left out of telling of an order, by hand: a row that is ready, and that
# the order remembers it.
_ORDER_BY_HAND = """
cr = env.cr
cr.execute("SAVEPOINT by_hand")
cr.execute(
    '''
    INSERT INTO meta_capi_event (
        pixel_id, event_name, event_id, event_time, action_source, event_source_url,
        user_data, user_data_keys, custom_data, value, currency, website_id, company_id,
        partner_id, res_model, res_id, happens_once, state, attempt_count,
        next_attempt_at, browser_twin, create_uid, create_date, write_uid, write_date
    )
    SELECT '1', 'Purchase', %s, now, 'website', 'https://shop.example.com',
           %s, %s, %s, 71, 'EUR', %s, %s, %s, 'sale.order', %s, true, 'pending', 0,
           now, false, %s, now, %s, now
      FROM date_trunc('second', now() AT TIME ZONE 'UTC') AS now
        ON CONFLICT (pixel_id, event_name, event_id) DO NOTHING
    ''',
    [
        record.meta_capi_event_id, {user_data!r}, {user_data_keys!r}, {custom_data!r},
        record.website_id.id, record.company_id.id, record.partner_id.id, record.id,
        env.uid, env.uid,
    ],
)
cr.execute("RELEASE SAVEPOINT by_hand")
cr.execute({look_for_jobs!r})
cr.execute(
    "UPDATE sale_order SET meta_capi_purchase_recorded_at = now() AT TIME ZONE 'UTC'"
    " WHERE id = %s",
    [record.id],
)
"""


def code_by_hand():
    """Return the code of a server action that tells of an order by hand."""
    event, _refused = read_event(bench_data.purchase(0), now=time.time())
    return _ORDER_BY_HAND.format(
        user_data=json.dumps(event.user_data),
        user_data_keys=",".join(sorted(event.user_data)),
        custom_data=json.dumps(event.custom_data),
        look_for_jobs=_LOOK_FOR_JOBS,
    )


@contextmanager
def transaction(registry):
    with registry.cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


def timed(registry, function):
    """Return the seconds a function takes with its commit, in a transaction of its own."""
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        start = time.perf_counter()
        function(env)
        env.flush_all()
        cr.commit()
        return time.perf_counter() - start


def configure(registry, parameters):
    with transaction(registry) as env:
        for key, value in parameters.items():
            env["ir.config_parameter"].set_param(key, value)
    registry.signal_changes()


# --------------------------------------------------------------------------- recording


def record_single(registry, first, count):
    """Record events one by one, and do what it is compared with, in turn."""
    names = ("send_event", "by_hand", "by_hand_once", "row_and_job", "create")
    seconds = {name: [] for name in names}
    for number in range(first, first + count):
        arguments = bench_data.purchase(number)
        values = _stored_values(registry, number)
        statement = _insert_statement(registry, values, number)
        row_json = json.dumps([{**values, "event_id": f"once-{number}"}], default=str)

        def send_event(env, arguments=arguments):
            env["meta.conversions.api"].send_event(**arguments)

        def create(env, values=values):
            env["meta.capi.event"].create(values)

        def row_and_job(env, values=values, number=number):
            # What an addon does that has a job for each of its rows.
            values = {**values, "event_id": f"queued-{number}"}
            env["meta.capi.event"].create(values).with_delay()._still_sendable()

        def by_hand(env, arguments=arguments, statement=statement):
            # What cannot be left out, with nothing of Odoo but its cursor.
            read_event(arguments, now=time.time())
            env.cr.execute("SAVEPOINT by_hand")
            env.cr.execute(statement)
            env.cr.execute("RELEASE SAVEPOINT by_hand")
            env.cr.execute(_LOOK_FOR_JOBS)

        def by_hand_once(env, arguments=arguments, row_json=row_json, values=values):
            # The same, passing over what is on record or has left the log.
            read_event(arguments, now=time.time())
            env.cr.execute("SAVEPOINT by_hand")
            EventTable(env).insert(row_json, list(values))
            env.cr.execute("RELEASE SAVEPOINT by_hand")
            env.cr.execute(_LOOK_FOR_JOBS)

        for function in (send_event, by_hand, by_hand_once, row_and_job, create):
            seconds[function.__name__].append(timed(registry, function))
        with transaction(registry) as env:
            _run_due_jobs(env)
    return seconds


def record_many(registry, first, count):
    """Record many events in one transaction, and do what it is compared with."""
    numbers = range(first, first + count)
    arguments = [bench_data.purchase(number) for number in numbers]
    values = [_stored_values(registry, number) for number in numbers]
    inserted = [{**row, "event_id": f"inserted-{row['event_id']}"} for row in values]
    by_hand = [{**row, "event_id": f"by-hand-{row['event_id']}"} for row in values]
    statement = _insert_many_statement(registry, inserted)

    def read_and_insert(env):
        for event in arguments:
            read_event(event, now=time.time())
        env.cr.execute(_insert_many_statement(registry, by_hand))

    return {
        "send_events": timed(
            registry, lambda env: env["meta.conversions.api"].send_events(arguments)
        ),
        "insert": timed(registry, lambda env: env.cr.execute(statement)),
        "by_hand": timed(registry, read_and_insert),
        "create": timed(registry, lambda env: env["meta.capi.event"].create(values)),
    }


def _stored_values(registry, number):
    """Return the values of the row that ``send_event`` would write, with another id."""
    with transaction(registry) as env:
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


def _insert_many_statement(registry, rows):
    """Return the bare INSERT of many rows, ready to be sent, in the quickest form."""
    columns = ", ".join(dict.fromkeys(column for row in rows for column in row))
    with registry.cursor() as cr:
        return cr.mogrify(
            f"INSERT INTO meta_capi_event ({columns}) SELECT {columns}"
            "  FROM json_populate_recordset(NULL::meta_capi_event, %s)",
            [json.dumps(rows, default=str)],
        ).decode()


def _run_due_jobs(env):
    """Do with the jobs whose time has come what a job runner does."""
    env.cr.execute(
        "UPDATE queue_job SET state = 'done' WHERE state = 'pending'"
        " AND (eta IS NULL OR eta <= now() AT TIME ZONE 'UTC')"
    )


# --------------------------------------------------------------------------- an order


def make_orders(registry, first, count):
    """Return new orders of the website, each of a customer of its own."""
    with transaction(registry) as env:
        website = env["website"].search([], limit=1)
        products = env["product.product"].search([("name", "=", "Bench")])
        if not products:
            products = env["product.product"].create(
                [{"name": "Bench", "list_price": price} for price in (10.0, 25.5)]
            )
        orders = env["sale.order"]
        for number in range(first, first + count):
            customer = _make_customer(env, number)
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


def _make_customer(env, number):
    data = bench_data.user_data(number)
    country = env["res.country"].search([("code", "=", data["country"])])
    return env["res.partner"].create(
        {
            "name": f"{data['fn']} {data['ln']}",
            "email": data["em"],
            "phone": data["ph"],
            "city": data["ct"],
            "zip": data["zp"],
            "country_id": country.id,
        }
    )


def publish_product(registry, number):
    """Make a product that visitors can look at; return the path of its page."""
    with transaction(registry) as env:
        values = {"name": f"Product {number}", "list_price": 50, "is_published": True}
        return env["product.template"].create(values).website_url


def confirm(registry, order_id, automation="automation_purchase"):
    """Return the seconds of confirming an order with one automation in force."""
    with transaction(registry) as env:
        # Not by the ORM: the registry would have to be built anew.
        env.cr.execute(
            "UPDATE base_automation SET active = (base_automation.id = data.res_id)"
            "  FROM ir_model_data data WHERE data.module = %s AND data.name = %s"
            "   AND active <> (base_automation.id = data.res_id)",
            [_ADDON, automation],
        )
    return timed(
        registry, lambda env: env["sale.order"].browse(order_id).action_confirm()
    )


# ------------------------------------------------------------------------ the counter


def open_counter(registry):
    """Open a counter that can tell Meta of its sales; return its id."""
    with transaction(registry) as env:
        company = env.company
        if not company.chart_template:
            charts = env["account.chart.template"]
            charts.try_loading("generic_coa", company, install_demo=False)
        journal = env["account.journal"].create(
            {"name": "Card", "type": "bank", "code": "BENCH"}
        )
        method = env["pos.payment.method"].create(
            {"name": "Card", "journal_id": journal.id}
        )
        # The superuser belongs to no group, and may open no session.
        env = env(user=env.ref("base.user_admin"))
        point = env["pos.config"].create(
            {"name": "Bench", "payment_method_ids": [(6, 0, method.ids)]}
        )
        till.open_session(point)
        env["meta.capi.store"].sudo()._follow_points()
        return point.id


def sell(registry, point_id, number, is_on):
    """Return the seconds of a sale at the counter, with or without telling Meta."""
    with transaction(registry) as env:
        stores = env["meta.capi.store"].search([("pos_config_id", "=", point_id)])
        if stores.is_on != is_on:
            stores.is_on = is_on
        customer = _make_customer(env, number)
        products = env["product.product"].search([("name", "=", "Bench")]).ids
        if not products:
            values = [{"name": "Bench", "list_price": price} for price in (10.0, 25.5)]
            products = env["product.product"].create(values).ids

    def ring_up(env):
        env = env(user=env.ref("base.user_admin"))
        till.ring_up(
            env["pos.order"],
            env["pos.config"].browse(point_id),
            [(product, 2, 10.0) for product in env["product.product"].browse(products)],
            customer_id=customer.id,
            at=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S"),
        )

    return timed(registry, ring_up)


def deliver_while(registry, pixel_id, flag):
    """Deliver what comes, one request after the other, while a file exists."""
    while os.path.exists(flag):
        with transaction(registry) as env:
            env["meta.capi.delivery"]._deliver_batch(pixel_id)
        time.sleep(0.05)
