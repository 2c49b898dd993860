import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from .test_purchase import PurchaseCase

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"


@tagged("post_install", "-at_install")
class TestRecipes(PurchaseCase):
    """What the documentation tells how to click together."""

    def events(self, event_name):
        self.env.flush_all()
        return self.env["meta.capi.event"].search([("event_name", "=", event_name)])

    def read_example(self):
        """Return what the class of the document's example defines, by name.

        No model is made of it: of a field, its type and its comodel are given.
        """
        (code,) = re.findall(r"```python\n(.*?)```", CONTRIBUTING.read_text(), re.S)
        self.assertLessEqual(len(code.splitlines()), 30)
        names = {
            "models": SimpleNamespace(Model=object),
            "fields": SimpleNamespace(
                Many2one=lambda comodel: ("many2one", comodel),
                Monetary=lambda: ("monetary", None),
            ),
        }
        code = code.replace("from odoo import fields, models\n", "")
        exec(compile(code, CONTRIBUTING.name, "exec"), names)  # noqa: S102
        return vars(names["Booking"])

    def test_a_model_of_one_s_own_sends_what_it_knows(self):
        if "product.wishlist" not in self.env:
            self.skipTest("There is no model that has the fields of the example.")
        model = type(self.env["product.wishlist"])
        for name, defined in self.read_example().items():
            if isinstance(defined, tuple):
                field = model._fields[name]
                self.assertEqual((field.type, field.comodel_name), defined)
            elif name.startswith("_meta_capi_"):
                self.enter(patch.object(model, name, defined, create=True))
        booking = self.env["product.wishlist"].create(
            {
                "partner_id": self.customer.id,
                "product_id": self.product.id,
                "price": 45.5,
                "currency_id": self.env.company.currency_id.id,
                "website_id": self.website.id,
            }
        )
        self.env.flush_all()
        self.parameters.set_param("meta_capi.customer_segmentation", "True")
        for _again in range(2):
            self.api.send_event("Purchase", origin=booking)
        self.deliver()
        ((received,),) = [self.graph.events]
        event = received.event
        self.assertEqual(event["action_source"], "phone_call")
        self.assertEqual(event["event_time"], int(booking.create_date.timestamp()))
        self.assertEqual(event["customer_segmentation"], "new_customer_to_business")
        self.assertIn("em", event["user_data"])
        content_id = str(self.product.id)
        self.assertEqual(
            event["custom_data"],
            {
                "currency": booking.currency_id.name,
                "value": 45.5,
                "content_type": "product",
                "content_ids": [content_id],
                "contents": [{"id": content_id, "quantity": 1, "item_price": 45.5}],
            },
        )

    def test_a_renewal_is_an_event_about_each_invoice_that_is_paid(self):
        self.automate(
            "account.move",
            "payment_state",
            before="[]",
            after="[('move_type', '=', 'out_invoice'),"
            " ('payment_state', 'in', ['in_payment', 'paid'])]",
            event_name="Renewal",
            meta_capi_once=True,
        )
        order = self.order()
        order.action_confirm()
        for _month in range(2):
            order.order_line.product_uom_qty += 1
            self.settle(self.invoice(order))
        events = self.events("Renewal")
        self.assertEqual(set(events.mapped("res_id")), set(order.invoice_ids.ids))
        self.assertEqual(len(events), 2)
