"""Run inside Odoo's shell by `make screenshots`: a shop with a past, good and bad."""

# ruff: noqa: F821  (env is the shell's)
import random
from datetime import timedelta

from odoo import Command, fields

from odoo.addons.ih_meta_conversions_api.capi.quality import (
    Diagnostic,
    EventQuality,
    KeyFeedback,
)
from odoo.addons.ih_meta_conversions_api.models.outbox.event_table import EventTable

random.seed(3)
NOW = fields.Datetime.now()
MODULE = "ih_meta_conversions_api"
PIXEL, HELD = "1203948571029384", "9988776655443322"

admin = env.ref("base.user_admin")
admin.write({"tz": "Europe/Berlin"})
if "odoobot_state" in admin._fields:  # who would talk into the pictures
    admin.odoobot_state = "disabled"
# One that is written from right to left.
env["res.lang"]._activate_lang("ar_001")
env["ir.module.module"].search([("state", "=", "installed")])._update_translations(
    ["ar_001"]
)
parameters = env["ir.config_parameter"]
for key, value in {
    "enabled": "True",
    "pixel_id": PIXEL,
    "access_token": "EAAB-this-is-no-token",
    "bridge_enabled": "True",
    # Nobody listens there, so that nothing ever leaves.
    "graph_url": "http://127.0.0.1:9",
}.items():
    parameters.set_param(f"meta_capi.{key}", value)

first = env["website"].search([], limit=1)
first.name = "Walnut & Co"
second = env["website"].create({"name": "Walnut Outlet", "meta_capi_pixel_id": HELD})
second.meta_capi_access_token = "EAAB-this-is-none-either"
env["website"].flush_model()

automation = env.ref(f"{MODULE}.automation_purchase")
automation.active = True
env.flush_all()
env.cr.execute(
    "UPDATE base_automation SET write_date = write_date - interval '30 days'"
)

products = env["product.product"].create(
    [
        {"name": name, "list_price": price, "default_code": code, "taxes_id": False}
        for name, price, code in (
            ("Walnut desk organiser", 49.9, "DESK-1"),
            ("Oak monitor stand", 89.0, "STAND-2"),
            ("Cork mat", 19.5, "MAT-3"),
        )
    ]
)
names = ("Jane Doe", "Ada Smith", "Ben Okafor", "Chiara Rossi", "Dan Weiss", "Eve Lang")
customers = env["res.partner"].create(
    [
        {
            "name": name,
            "email": f"{name.split()[0].lower()}@example.com",
            "phone": "+1 650 555 0123",
            "city": "Menlo Park",
            "zip": "94025",
            "country_id": env.ref("base.us").id,
        }
        for name in names
    ]
)
customers[5].meta_capi_opt_out = True
# What the shop's visitors did: a few thousand events of two weeks.
FULL = (
    "client_ip_address,client_user_agent,country,ct,em,external_id,fbc,fbp,fn,ln,ph,zp"
)
KEYS = (
    FULL,
    FULL.replace("fbc,", ""),
    "client_ip_address,client_user_agent,fbp",
    "client_ip_address,client_user_agent,fbp",
    "client_ip_address,client_user_agent,fbc,fbp",
    "em,external_id,fn,ln,ph",
)
rows = []
for number in range(4000):
    name = random.choice(
        ("PageView",) * 6 + ("ViewContent",) * 4 + ("AddToCart", "Lead")
    )
    moment = NOW - timedelta(minutes=random.expovariate(1 / 4000))
    website = second if random.random() < 0.15 else first
    value = name in ("AddToCart", "ViewContent") and round(random.uniform(10, 300), 2)
    rows.append((name, f"seed-{number}", moment, website, value, random.choice(KEYS)))
for name, event_id, moment, website, value, keys in sorted(
    rows, key=lambda row: row[2]
):
    state = (
        "pending" if website == second and moment > NOW - timedelta(hours=9) else "sent"
    )
    env.cr.execute(
        """
        INSERT INTO meta_capi_event (event_name, event_id, event_time, create_date,
               action_source, pixel_id, website_id, company_id, state, attempt_count,
               sent_at, next_attempt_at, user_data, user_data_keys, custom_data,
               event_source_url)
        VALUES (%s, %s, %s, %s, 'website', %s, %s, %s, %s, 1, %s, %s, '{}', %s, %s::jsonb,
                'https://shop.example.com/shop')
        """,
        (
            *(name, event_id, moment, moment),
            HELD if website == second else PIXEL,
            *(website.id, website.company_id.id, state),
            moment + timedelta(seconds=random.lognormvariate(2, 0.7))
            if state == "sent"
            else None,
            NOW + timedelta(days=1) if state == "pending" else None,
            keys,
            f'{{"value": {value}, "currency": "USD"}}' if value else None,
        ),
    )
orders = env["sale.order"]
for number in reversed(range(60)):
    moment = NOW - timedelta(hours=2.7 * number + 0.2)
    order = orders.create(
        {
            "partner_id": customers[number % 6].id,
            "website_id": (second if number % 7 == 3 else first).id,
            "order_line": [
                Command.create(
                    {
                        "product_id": random.choice(products).id,
                        "product_uom_qty": random.randint(1, 4),
                    }
                )
            ],
        }
    )
    if number in (17, 30, 31):  # somebody had switched the automation off
        automation.active = False
    order.action_confirm()
    automation.active = True
    order.date_order = moment
    orders += order
env.flush_all()
env.cr.execute(
    "UPDATE base_automation SET write_date = %s", (NOW - timedelta(days=30),)
)
env.cr.execute("DELETE FROM queue_job")
env.cr.execute(
    """
    UPDATE meta_capi_event event
       SET event_time = so.date_order, create_date = so.date_order
      FROM sale_order so
     WHERE event.res_model = 'sale.order' AND event.res_id = so.id
    """
)

env.cr.execute(
    """
    UPDATE meta_capi_event
       SET state = 'sent', sent_at = event_time + interval '6 seconds' * (1 + random()), attempt_count = 1,
           http_status = 200, next_attempt_at = NULL
     WHERE res_model = 'sale.order' AND state = 'pending' AND pixel_id = %s
    """,
    (PIXEL,),
)
env.invalidate_all()


EVENTS, ATTEMPTS = env["meta.capi.event"], env["meta.capi.attempt"]


def fail(domain, count, reason, **values):
    """Let some events fail, and return them."""
    events = EVENTS.search([*sent, *domain], limit=count)
    told = {"failure_reason": reason, "cause": reason, **values}
    EventTable(env).set_values(events.ids, state="failed", sent_at=None, **told)
    return events


def attempt(events, hours_ago, outcome, **values):
    """Put a request with these events into the log."""
    attempt = ATTEMPTS._begin(
        events[0].pixel_id, events.ids, NOW - timedelta(hours=hours_ago)
    )
    attempt.write(
        {
            "duration_ms": random.randint(180, 900),
            "outcome": outcome,
            "http_status": 200,
            "response": '{"events_received": 1, "messages": [], "fbtrace_id": "AbCdEf"}',
            **values,
        }
    )
    EventTable(env).set_values(events.ids, carried_by=[attempt.id])


api = env["meta.conversions.api"]
sent = [("state", "=", "sent"), ("pixel_id", "=", PIXEL)]
poison = fail(
    [("event_name", "=", "AddToCart")],
    6,
    "invalid",
    cause="currency",
    http_status=400,
    error_code=100,
    error_subcode=2804023,
    error_message="Missing currency / The value of this event has no currency. Add one."
    " / Invalid parameter",
    fbtrace_id="A1b2C3d4E5f6",
)
fail(
    [("event_name", "=", "PageView"), ("event_time", "<", NOW - timedelta(days=3))],
    140,
    "expired",
    error_message="Meta takes no event this old; it was not sent.",
)
env.cr.execute(
    "UPDATE meta_capi_event SET custom_data = custom_data - 'currency' WHERE id IN %s",
    [tuple(poison.ids)],
)
fail(
    [("event_name", "=", "Lead")],
    2,
    "exhausted",
    http_status=400,
    error_code=987654,
    error_message="Something went wrong",
)
for city in ("Berlin", "Lyon"):
    api.send_event("Lead", user_data={"ct": city}, event_id=f"weak-{city}")
api.send_event("Purchase", user_data={"em": "a@b.example"}, custom_data={"value": 9})
api.send_event("Lead", user_data={"em": "a@b.example"}, event_time="yesterday")
env.cr.execute("DELETE FROM queue_job")
EventTable(env).set_values(
    EVENTS.search([("state", "=", "pending"), ("pixel_id", "=", PIXEL)]).ids,
    cause="meta_down",
    attempt_count=2,
    http_status=503,
    error_message="Meta answered HTTP 503, but not with readable JSON",
    next_attempt_at=NOW + timedelta(hours=1),
)

pixels = env["meta.capi.pixel"]
for pixel_id in (PIXEL, HELD):
    env.cr.execute(
        "INSERT INTO meta_capi_pixel (pixel_id, state, active, create_date)"
        " VALUES (%s, 'running', true, now())",
        (pixel_id,),
    )
held = pixels.search([("pixel_id", "=", HELD)])
held.write(
    {
        "state": "stopped",
        "stopped_at": NOW - timedelta(hours=9),
        "next_probe_at": NOW + timedelta(days=1),
        "trouble": "token_expired",
        "error_code": 190,
        "error_subcode": 463,
        "error_message": "Error validating access token: Session has expired on Sunday,"
        " 22-Nov-26 04:00:00 PST. The current time is Monday, 23-Nov-26 01:02:03 PST.",
        "fbtrace_id": "Xy9876543",
    }
)
held._look_after_stop()
expired = {"http_status": 401, "error_code": 190, "error_message": held.error_message}
for hours, pixel_id, outcome, count, values in (
    (30, HELD, "accepted", 12, {}),
    (10, HELD, "accepted", 4, {}),
    (9, HELD, "stopped", 10, expired),
    (2, PIXEL, "accepted", 88, {}),
    (1, PIXEL, "accepted", 61, {}),
):
    events = EVENTS.search([("pixel_id", "=", pixel_id)], limit=count)
    attempt(events, hours, outcome, **values)
for number, event in enumerate(poison):
    told = ("http_status", "error_code", "error_subcode", "error_message", "fbtrace_id")
    values = {name: event[name] for name in told}
    values |= {"started_at": event.event_time, "duration_ms": 240 + number}
    attempt(event, 0, "refused", **values)

# What Meta thought, day by day: the phone number has got rarer, and so has the match.
quality = env["meta.capi.quality"]
for days_ago in reversed(range(30)):
    told = [
        EventQuality(
            name,
            score=round(score + (0.4 if days_ago > 2 else -1.1) * weight, 1),
            keys=(
                KeyFeedback("em", 96.0, 2.1),
                KeyFeedback("ph", 78.0 if days_ago > 2 else 31.0, 18.4),
                KeyFeedback("client_ip_address", 100.0),
                KeyFeedback("client_user_agent", 100.0),
                KeyFeedback("fbp", 88.5, 3.7),
                KeyFeedback("fbc", 24.0, 6.2),
            ),
            diagnostics=(
                Diagnostic(
                    "Low rate of phone numbers",
                    "Fewer of your events have a phone number than last week.",
                    "Send the phone number with more events.",
                    59.5,
                    188,
                    316,
                ),
            )
            if days_ago < 3 and name == "Purchase"
            else (),
            coverage=coverage,
            coverage_goal=75.0,
            browser_with_id=100.0,
            server_with_id=100.0,
            dedupe_rate=round(coverage * 0.9, 1),
            freshness="real_time",
            acr=12.5 if name == "Purchase" else None,
        )
        for name, score, weight, coverage in (
            ("Purchase", 8.0, 1, 96.2),
            ("AddToCart", 6.4, 0.5, 81.0),
            ("ViewContent", 5.3, 0.2, 68.4),
        )
    ]
    quality._keep(PIXEL, told)
    rows = quality.search([("date", "=", NOW.date())])
    rows.date = NOW.date() - timedelta(days=days_ago)
    env.flush_all()
env.cr.commit()
