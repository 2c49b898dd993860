from odoo.tests import tagged

from .test_clicks import ClicksCase
from .test_past import PastCase

COUNT_AND_SEND = """
await click("button", "Send earlier orders");
await read("rule", /An order is sold when it was confirmed/);
await click(".o_statusbar_buttons button", "Count");
await see("[name=result_ids] .o_data_row", /2.*To be sent/s);
await see("[name=result_ids] .o_data_row", /1.*No consent to cookies/s);
await click(".o_statusbar_buttons button", "Send");
await click(".modal-footer button", "Ok");
await see(".o_statusbar_buttons button", /Stop/);
return await read("progress_text", /0 of 3/);
"""
# Nobody presses anything: the form reads itself anew.
SEE_IT_DONE = """
await read("progress_text", /3 of 3/);
await see("[name=result_ids] .o_data_row", /2.*Handed over for sending/s);
await click("[name=result_ids] button", "Show");
return await see(".o_list_view .o_data_row", /S0/);
"""
SEND_MISSING = """
await click("button", "Send their Purchases");
await see(".oe_title", /Chosen orders/);
await see("[name=result_ids] .o_data_row", /1.*To be sent/s);
await click(".o_statusbar_buttons button", "Send");
await click(".modal-footer button", "Ok");
return await read("progress_text", /0 of 1/);
"""


@tagged("post_install", "-at_install", "browser")
class TestEarlierByClicks(ClicksCase, PastCase):
    """An admin who sends what was sold before."""

    def open_overview(self):
        action = self.env.ref("ih_meta_conversions_api.meta_capi_dashboard_action")
        self.open(f"/web#action={action.id}")

    def test_earlier_orders_are_counted_sent_and_seen_to_go(self):
        good = self.sold(2, count=2)
        self.browsed(self.sold(2), consent=False)
        self.open_overview()
        self.play(COUNT_AND_SEND)
        backfill = self.env["meta.capi.backfill"].search([])
        self.assertEqual(backfill.state, "sending")
        self.work(backfill)
        self.play(SEE_IT_DONE)
        self.deliver()
        self.assertEqual(
            {event["event_id"] for event in self.purchases()},
            set(good.mapped("meta_capi_event_id")),
        )

    def test_the_missing_orders_are_sent_from_the_overview(self):
        self.arm()
        order = self.without_purchase()
        self.open_overview()
        self.play(SEND_MISSING)
        self.work(self.env["meta.capi.backfill"].search([]))
        self.assertTrue(order.meta_capi_purchase_recorded_at)
