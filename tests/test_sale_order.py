from odoo.tests import new_test_user, tagged

from .common import MetaCapiCase

# The server action of the module this one replaces, to the letter.
OLD_ACTION = """
meta_api = env["meta.conversions.api"]
for order in records:
    custom_data = {"currency": order.currency_id.name, "value": float(order.amount_total),
                   "content_ids": [line.product_id.id for line in order.order_line], "content_type": "product"}
    user_data = {}
    meta_api.send_event(event_name="Purchase", user_data=user_data, custom_data=custom_data)
"""


@tagged("post_install", "-at_install")
class TestSaleOrder(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.salesperson = new_test_user(
            cls.env, "seller", groups="sales_team.group_sale_salesman_all_leads"
        )

    def events(self, orders):
        return self.env["meta.capi.event"].search(
            [("res_model", "=", "sale.order"), ("res_id", "in", orders.ids)]
        )

    def test_the_old_server_action_sends_a_complete_purchase(self):
        self.automate(state="code", code=OLD_ACTION)
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        event = self.events(order)
        self.assertEqual((event.state, event.event_name), ("pending", "Purchase"))
        self.assertEqual(event.event_id, order.meta_capi_event_id)
        self.assertLessEqual(
            {"em", "ph", "fn", "ln", "zp", "country"}, set(event.user_data)
        )
        self.assertEqual(event.custom_data["value"], 200.0)
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_the_shipped_automation_sends_once_whatever_happens_to_the_order(self):
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = True
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        event = self.events(order)
        self.assertEqual(event.action_source, "website")
        self.assertTrue(order.meta_capi_purchase_recorded_at)
        event.sudo().unlink()
        order._action_cancel()
        order.action_draft()
        order.action_confirm()
        self.assertFalse(self.events(order))
