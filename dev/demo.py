"""`make demo`: an order of a real shop becomes a Purchase, before your eyes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .console import Problem, say, step
from .layout import ADDON, exclusive
from .odoo import databases, environment, postgres
from .odoo.client import OdooClient
from .odoo.environment import Environment
from .odoo.server import Server, choose_port, serving
from .sandbox import GraphSandbox

# Long enough for the batch delay, a busy machine and one retry.
_PATIENCE = 120
_FORGET_TOKEN = "DELETE FROM ir_config_parameter WHERE key = 'meta_capi.access_token'"
_SHOWN = (
    *("event_name", "event_id", "event_time", "action_source", "event_source_url"),
    *("user_data", "custom_data", "pixel_id", "test_event_code", "state"),
    *("attempt_count", "sent_at", "http_status", "fbtrace_id", "response"),
)


@dataclass(frozen=True)
class Receiver:
    """Who gets the events: the sandbox, or Meta itself."""

    pixel_id: str
    token: str
    test_event_code: str
    graph_url: str | None = None
    received: Callable[[str], Any] | None = None

    @property
    def parameters(self) -> dict[str, str | bool]:
        return {
            "meta_capi.enabled": "True",
            "meta_capi.pixel_id": self.pixel_id,
            "meta_capi.access_token": self.token,
            "meta_capi.test_event_code": self.test_event_code,
            # False removes the parameter, so that the addon's default holds.
            "meta_capi.graph_url": self.graph_url or False,
            "meta_capi.batch_delay": "2",
        }


def demo(series: str, once: bool) -> int:
    """Show the addon at work; with ``once`` end as soon as it has been proved."""
    busy = "A demo of this checkout is running already: stop it."
    with exclusive("demo", otherwise=busy):
        odoo = environment.get(series)
        with postgres.running() as cluster, _receiver() as receiver:
            odoo.write_config(cluster.socket)
            database = databases.shop(odoo, cluster)
            say(f"==> Starting Odoo {series} with two workers and the queue's runner")
            with serving(odoo, database) as server:
                _show(odoo, server, database, receiver)
                if not once:
                    _stay_up(server)
            # A real token is not left behind, not even in an ignored folder.
            cluster.sql(_FORGET_TOKEN, database)
    return 0


def _stay_up(server: Server) -> None:
    say("\nIt stays up until Ctrl-C.")
    try:
        while True:
            server.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("")


@contextmanager
def _receiver() -> Iterator[Receiver]:
    """Take Meta if the environment names a pixel, else start the sandbox."""
    names = ("META_PIXEL_ID", "META_ACCESS_TOKEN", "META_TEST_EVENT_CODE")
    given = [os.environ.get(name, "").strip() for name in names]
    if all(given):
        say("==> Sending to Meta itself, as test events")
        yield Receiver(given[0], given[1], given[2])
        return
    if given[0] or given[1]:
        raise Problem(
            f"To send to Meta set all of {', '.join(names)}; the test code keeps the"
            " demo's order out of the shop's real figures."
        )
    with GraphSandbox(port=choose_port(8099)) as graph:

        def received(event_id: str) -> Any:
            found = [
                event for event in graph.events if event.event["event_id"] == event_id
            ]
            return found[0].event if found else None

        yield Receiver(graph.pixel_id, graph.token, "TEST12345", graph.url, received)


def _show(odoo: Environment, server: Server, database: str, receiver: Receiver) -> None:
    """Sell something, follow its event to Meta, and say where to look at it."""
    client = OdooClient(server.url)
    client.log_in(database, "admin", "admin")
    with step("Configuring the addon and switching its automation on"):
        for key, value in receiver.parameters.items():
            client.call("ir.config_parameter", "set_param", key, value)
        automation = client.reference(f"{ADDON}.automation_purchase")
        client.call("base.automation", "write", [automation], {"active": True})
    with step("A customer orders in the shop, and the order is confirmed"):
        order = _sell(client)
        name = client.call("sale.order", "read", [order], ["name"])[0]["name"]
        say(f"    order {name}")
    with step("Waiting for the queue to deliver its Purchase"):
        event = _wait_until_sent(client, server, order)
    shown = {key: event[key] for key in _SHOWN if event[key] not in (False, None, "")}
    say(f"\nThe event as Odoo's log shows it:\n{_json(shown)}")
    if receiver.received:
        received = receiver.received(event["event_id"])
        if not received:
            raise Problem(
                f"Odoo says {event['state']}, but the sandbox has no such event."
            )
        say(f"\nThe event as the sandbox received it:\n{_json(received)}")
    _say_where_to_look(client, odoo, server, order, receiver)


def _sell(client: OdooClient) -> int:
    """Make a product, a customer and a website order, and confirm the order."""
    product = client.create(
        "product.product", name="Walnut desk organiser", list_price=49.9
    )
    website = client.call("website", "search", [], limit=1)[0]
    customer = client.create(
        "res.partner",
        name="Jane Doe",
        email="jane.doe@example.com",
        phone="+1 650 555 0123",
        street="1 Main Street",
        city="Menlo Park",
        zip="94025",
        country_id=client.reference("base.us"),
        state_id=client.reference("base.state_us_5"),
    )
    order = client.create(
        "sale.order",
        partner_id=customer,
        website_id=website,
        order_line=[(0, 0, {"product_id": product, "product_uom_qty": 2})],
    )
    client.call("sale.order", "action_confirm", [order])
    return order


def _wait_until_sent(client: OdooClient, server: Server, order: int) -> dict[str, Any]:
    domain = [("res_model", "=", "sale.order"), ("res_id", "=", order)]
    fields = [*_SHOWN, "error_message", "failure_reason", "held_reason"]
    deadline = time.monotonic() + _PATIENCE
    while True:
        server.check()
        events: list[dict[str, Any]] = client.call(
            "meta.capi.event", "search_read", domain, fields
        )
        if events and events[0]["state"] == "sent":
            return events[0]
        if not events:
            raise Problem(
                "Confirming the order recorded no event: is the addon broken?"
            )
        event = events[0]
        trouble = event["error_message"] or event["held_reason"]
        if event["state"] != "pending" or time.monotonic() > deadline:
            raise Problem(
                f"The Purchase is {event['state']} instead of sent"
                f" ({event['failure_reason'] or trouble or 'no reason given'},"
                f" attempts: {event['attempt_count']}): see {server.log}."
            )
        time.sleep(0.5)


def _say_where_to_look(
    client: OdooClient,
    odoo: Environment,
    server: Server,
    order: int,
    receiver: Receiver,
) -> None:
    action = client.reference(f"{ADDON}.meta_capi_event_action")
    if odoo.series == "17.0":
        log = f"{server.url}/web#action={action}"
        form = f"{server.url}/web#id={order}&model=sale.order&view_type=form"
    else:
        log = f"{server.url}/odoo/action-{action}"
        form = f"{server.url}/odoo/sales/{order}"
    say(
        f"\nOdoo {odoo.series}   {server.url}   login admin, password admin"
        f"\n  the events    {log}   (Website > Reporting > Meta Events)"
        f"\n  the order     {form}"
        f"\n  the settings  Website > Configuration > Settings > Meta Conversions API"
    )
    if receiver.graph_url:
        say(f"  the sandbox   {receiver.graph_url}   (what Meta would have received)")
    else:
        say("  Meta          Events Manager > your dataset > Test Events")
    say(f"  Odoo's log    {os.path.relpath(server.log, Path.cwd())}")


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)
