from odoo.tests import tagged

from .test_purchase import PurchaseCase


@tagged("post_install", "-at_install")
class TestRecipes(PurchaseCase):
    """What the documentation tells how to click together."""

    def events(self, event_name):
        self.env.flush_all()
        return self.env["meta.capi.event"].search([("event_name", "=", event_name)])

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
