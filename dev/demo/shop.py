"""The demo's shop: made ready for a visitor, and asked for what it has recorded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..console import Problem
from ..layout import ADDON
from ..odoo.client import OdooClient
from ..odoo.server import Server
from .receiver import Receiver

PRODUCT = "Walnut desk organiser"
# Seconds for the delay of a batch, a busy machine and one retry.
_PATIENCE = 120
_POLL = 0.2
_FIELDS = (
    *("event_name", "event_id", "state", "http_status", "response", "user_data"),
    *("attempt_count", "error_message", "failure_reason", "held_reason"),
)
_DETOUR_KEY = "demo.meta_pixel"
# Goes into the page itself: were it a file of the stand-in's, a shop that runs without the
# stand-in would load Meta's own script.
_DETOUR = Path(__file__).with_name("detour.xml")


class Shop:
    """Odoo, as the owner of the shop sees it."""

    def __init__(self, server: Server, database: str, receiver: Receiver) -> None:
        self.server = server
        self.receiver = receiver
        self.client = OdooClient(server.url)
        self.client.log_in(database, "admin", "admin")
        self.product_url = ""

    # Made ready ----------------------------------------------------------------------

    def prepare(self) -> None:
        """Connect it to the receiver, and have something to sell and a way to pay."""
        for key, value in self.receiver.parameters.items():
            self.client.call("ir.config_parameter", "set_param", key, value)
        automation = self.client.reference(f"{ADDON}.automation_purchase")
        self.client.call("base.automation", "write", [automation], {"active": True})
        self.client.call(
            *("payment.provider", "write"),
            [self.client.reference("payment.payment_provider_demo")],
            {"state": "test", "is_published": True},
        )
        self._leave_paper_out()
        self._take_pixel_in()
        self.product_url = self._offer_product()

    def _leave_paper_out(self) -> None:
        """Have the confirmation's mail carry no PDF.

        Without a program that makes PDFs, Odoo never ends "processing the payment".
        """
        fields = self.client.call("mail.template", "fields_get", [], ["type"])
        reports = next(
            name
            for name in ("report_template_ids", "report_template")
            if name in fields
        )
        domain = [("model", "=", "sale.order"), (reports, "!=", False)]
        templates = self.client.call("mail.template", "search", domain)
        nothing = [(5,)] if reports.endswith("_ids") else False
        self.client.call("mail.template", "write", templates, {reports: nothing})

    def _take_pixel_in(self) -> None:
        """Have Meta's two hosts be the sandbox on all pages, also for a walk by hand.

        Before our own script, which is the first thing in the head.
        """
        views = self.client.call("ir.ui.view", "search", [("key", "=", _DETOUR_KEY)])
        self.client.call("ir.ui.view", "unlink", views)
        self.client.create(
            "ir.ui.view",
            name="Demo: the sandbox instead of Meta's Pixel",
            key=_DETOUR_KEY,
            type="qweb",
            priority=1000,
            inherit_id=self.client.reference("website.layout"),
            arch=_DETOUR.read_text() % self.receiver.pixel_url,
        )

    def _offer_product(self) -> str:
        """Return the path of a product that the shop sells; nothing is shipped."""
        domain = [("name", "=", PRODUCT), ("is_published", "=", True)]
        found = self.client.call("product.template", "search", domain, limit=1)
        product = (
            found[0]
            if found
            else self.client.create(
                "product.template",
                name=PRODUCT,
                list_price=49.9,
                type="service",
                is_published=True,
            )
        )
        return str(self._read("product.template", product, "website_url"))

    # Asked ---------------------------------------------------------------------------

    def newest(self) -> int:
        """Return the ID of the newest event of the log, 0 where it is empty."""
        found = self.client.call(
            "meta.capi.event", "search", [], limit=1, order="id desc"
        )
        return int(found[0]) if found else 0

    def events(self, after: int, click: str) -> list[dict[str, Any]]:
        """Return what was recorded of the visit that a click has led to.

        :param after: the ID of an event that is older
        """
        self.server.check()
        found: list[dict[str, Any]] = self.client.call(
            *("meta.capi.event", "search_read", [("id", ">", after)], list(_FIELDS)),
            order="id",
        )
        # All of them know the click, or are no use to the ad.
        return [e for e in found if str(e["user_data"].get("fbc")).endswith(click)]

    def wait_until_sent(self, after: int, click: str) -> list[dict[str, Any]]:
        """Return what was recorded of a visit, once all of it is with Meta."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            events = self.events(after, click)
            late = [event for event in events if event["state"] != "sent"]
            if not late:
                return events
            event = late[0]
            if event["state"] != "pending" or time.monotonic() > deadline:
                trouble = event["error_message"] or event["held_reason"]
                raise Problem(
                    f"The {event['event_name']} is {event['state']} instead of sent"
                    f" ({event['failure_reason'] or trouble or 'no reason given'},"
                    f" attempts: {event['attempt_count']}): see {self.server.log}."
                )
            time.sleep(_POLL)

    def order_of(self, event_id: str) -> tuple[int, str]:
        """Return ID and name of the order that a Purchase is about."""
        domain = [("event_id", "=", event_id), ("event_name", "=", "Purchase")]
        (event,) = self.client.call(
            "meta.capi.event", "search_read", domain, ["res_model", "res_id"]
        )
        if event["res_model"] != "sale.order":
            raise Problem(f"The Purchase is about {event['res_model']}, not an order.")
        order = int(event["res_id"])
        return order, str(self._read("sale.order", order, "name"))

    def _read(self, model: str, record: int, field: str) -> Any:
        return self.client.call(model, "read", [record], [field])[0][field]
