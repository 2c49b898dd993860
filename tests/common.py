import contextlib
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo import fields
from odoo.tests import TransactionCase, new_test_user
from odoo.tools import SQL

from odoo.addons.queue_job.tests.common import trap_jobs

from ..dev.sandbox import GraphSandbox
from ..models.outbox.event_table import EventTable
from ..models.website import meta_capi_visit

FBP = "fb.1.1700000000000.1234567890"
FBC = "fb.1.1700000000000.AbCdEf"


def set_values(events, **values):
    """Write columns of events as they are, whatever state they are in."""
    EventTable(events.env).set_values(events.ids, **values)


def stop_pixel(pixel):
    """Stop a pixel as a delivery does that meets an expired token."""
    now = fields.Datetime.now()
    pixel.write(
        {
            "state": "stopped",
            "stopped_at": now,
            "next_probe_at": now + timedelta(hours=1),
            "trouble": "token_expired",
            "error_message": "The token has expired.",
        }
    )
    pixel._look_after_stop()


@contextlib.contextmanager
def own_cursor(job):
    """Stand in for a cursor of its own: only the test's sees what the test has made."""
    job.env.flush_all()
    yield job.env.cr
    job.env.flush_all()
    job.env.invalidate_all()


class MetaCapiCase(TransactionCase):
    """A shop that is connected to a Graph sandbox over real HTTP."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        for model, name, stand_in in (
            ("meta.capi.job", "_delivery_cursor", own_cursor),
            ("meta.capi.delivery", "_is_registry_outdated", lambda _self: False),
        ):
            patcher = patch.object(type(cls.env[model]), name, stand_in)
            cls.startClassPatcher(patcher)
        cls.graph = GraphSandbox()
        cls.graph.start()
        cls.addClassCleanup(cls.graph.stop)
        cls.parameters = cls.env["ir.config_parameter"].sudo()
        cls.pixel_id, cls.token = cls.graph.pixel_id, cls.graph.token
        for key, value in {
            "meta_capi.enabled": "True",
            "meta_capi.pixel_id": cls.pixel_id,
            "meta_capi.access_token": cls.token,
            "meta_capi.graph_url": cls.graph.url,
        }.items():
            cls.parameters.set_param(key, value)
        cls.api = cls.env["meta.conversions.api"]
        cls.delivery = cls.env["meta.capi.delivery"]
        cls.job = cls.env["meta.capi.job"]
        cls.website = cls.env["website"].search([], limit=1)
        cls.product = cls.env["product.product"].create(
            {"name": "Desk", "list_price": 100.0, "taxes_id": False}
        )
        cls.customer = cls.env["res.partner"].create(
            {
                "name": "Jane Doe",
                "email": "Jane.Doe@Example.com",
                "phone": "+1 650 555 1212",
                "city": "Menlo Park",
                "zip": "94025",
                "country_id": cls.env.ref("base.us").id,
                "state_id": cls.env.ref("base.state_us_5").id,
            }
        )

    def setUp(self):
        super().setUp()
        self.graph.pixels = {self.pixel_id: {self.token}}
        self.graph.clear()
        self.graph.heal()
        self.graph.cure()
        self.naps = []
        delivery = type(self.delivery)
        self.enter(patch.object(delivery, "_sleep", lambda _self, s: self.nap(s)))
        self.jobs = self.enter(trap_jobs())

    def enter(self, context):
        """``enterContext`` of Python 3.11."""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def nap(self, seconds):
        """Let ``seconds`` pass for the events that wait."""
        self.naps.append(seconds)
        self.shift("next_attempt_at", seconds)

    def shift(self, column, seconds, table="meta_capi_event"):
        """Move a column into the past instead of waiting."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET %s = %s - %s * interval '1 second'",
                SQL.identifier(table),
                SQL.identifier(column),
                SQL.identifier(column),
                seconds + 1,
            )
        )
        self.env.invalidate_all()

    def record(self, **arguments):
        """Record an event that is complete and valid, but for the given arguments."""
        return self.api.send_event(
            **{"event_name": "Lead", "user_data": {"em": "jane@example.com"}}
            | arguments
        )

    def order(self, **values):
        return self.env["sale.order"].create(
            {
                "partner_id": self.customer.id,
                "website_id": self.website.id,
                "order_line": [
                    (
                        0,
                        0,
                        {
                            "product_id": self.product.id,
                            "product_uom_qty": 2,
                            "price_unit": 100.0,
                        },
                    )
                ],
            }
            | values
        )

    def action(self, model="sale.order", **values):
        """Make a server action; ``event_name="Lead"`` makes it send that."""
        name = values.pop("event_name", None)
        if name is not None:
            values = {"state": "meta_capi", "meta_capi_event_name": name, **values}
        return self.env["ir.actions.server"].create(
            {
                "name": "Tell Meta",
                "model_id": self.env["ir.model"]._get_id(model),
                "state": "code",
            }
            | values
        )

    def automate(
        self,
        model="sale.order",
        watched="state",
        before="[('state', '!=', 'sale')]",
        after="[('state', '=', 'sale')]",
        **values,
    ):
        """Arm an action: it runs when an order is confirmed, or as told otherwise."""
        field = self.env["ir.model.fields"]._get(model, watched)
        automation = self.env["base.automation"].create(
            {
                "name": "Changed",
                "model_id": field.model_id.id,
                "trigger": "on_create_or_write",
                "trigger_field_ids": [(6, 0, field.ids)],
                "filter_pre_domain": before,
                "filter_domain": after,
            }
        )
        return self.action(
            model,
            usage="base_automation",
            base_automation_id=automation.id,
            **values,
        )

    def deliver(self, pixel_id=None):
        self.delivery._deliver(pixel_id or self.pixel_id)


class VisitCase(MetaCapiCase):
    """A shop with a visitor, whose requests the code under test sees."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.visitor = cls.env.ref("base.public_user")
        cls.salesperson = new_test_user(
            cls.env, "seller", groups="sales_team.group_sale_salesman_all_leads"
        )

    def setUp(self):
        super().setUp()
        # The cookies that were set, in the form "name": "value".
        self.cookies = {}

    def visit(
        self,
        user=None,
        *,
        consent=True,
        address="8.8.8.8",
        path="/shop/cart",
        referrer="https://www.facebook.com/",
        cookies=None,
        is_bot=False,
        agent="Mozilla/5.0 (Visitor)",
    ):
        """Return the context of a request of a page of the website.

        :param consent: False: optional cookies refused, None: not answered yet
        """
        jar = {"_fbp": FBP, "_fbc": FBC} if cookies is None else dict(cookies)
        if consent is False:
            jar["website_cookies_bar"] = '{"required": true, "optional": false}'
        request = SimpleNamespace(
            is_frontend=True,
            env=self.env(user=user or self.visitor),
            website=self.website,
            session={},
            future_response=SimpleNamespace(
                set_cookie=lambda key, value, **options: self.cookies.update(
                    {key: value}
                )
            ),
            httprequest=SimpleNamespace(
                method="GET",
                environ={},
                host="shop.example.com",
                scheme="https",
                url=f"https://shop.example.com{path}",
                referrer=referrer,
                remote_addr=address,
                user_agent=SimpleNamespace(string="Googlebot/2.1" if is_bot else agent),
                cookies=jar,
            ),
        )
        http = type(self.env["ir.http"])
        self.enter(
            patch.object(http, "_is_allowed_cookie", lambda *args: bool(consent))
        )
        return patch.object(meta_capi_visit, "request", request)
