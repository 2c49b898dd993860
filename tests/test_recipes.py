from odoo.tests import tagged

from .test_purchase import PurchaseCase


@tagged("post_install", "-at_install")
class TestRecipes(PurchaseCase):
    """What the documentation tells how to click together."""

    def events(self, event_name):
        self.env.flush_all()
        return self.env["meta.capi.event"].search([("event_name", "=", event_name)])

    def test_a_stage_of_a_lead_is_an_event_once(self):
        if "crm.lead" not in self.env:
            self.skipTest("The app CRM is not installed.")
        lost, won = self.env["crm.stage"].search([], limit=2)
        action = self.automate(
            "crm.lead",
            "stage_id",
            before="[]",
            after=f"[('stage_id', '=', {won.id})]",
            event_name="QualifiedLead",
            meta_capi_once=True,
        )
        self.assertIn(str(won.id), action.meta_capi_domain)
        lead = self.env["crm.lead"].create(
            {
                "name": "A desk",
                "type": "opportunity",
                "email_from": "jane@example.com",
                "expected_revenue": 500,
                "stage_id": lost.id,
            }
        )
        self.assertFalse(self.events("QualifiedLead"))
        for stage in (won, lost, won):
            lead.stage_id = stage
        event = self.events("QualifiedLead")
        self.assertEqual(len(event), 1)
        self.assertEqual(event.custom_data["value"], 500)
        self.assertIn("em", event.user_data)

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
