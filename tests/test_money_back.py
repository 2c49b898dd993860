from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .test_purchase import PurchaseCase


@tagged("post_install", "-at_install")
class TestMoneyBack(PurchaseCase):
    """Each document tells of its money once, and of nothing that another has told."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.money_back = self.env["meta.capi.money.back"]
        self.automation("automation_purchase").active = True
        self.money_back._arm(True, "Refund")

    def events(self, name="Refund"):
        self.env.flush_all()
        return self.env["meta.capi.event"].search(
            [("event_name", "=", name)], order="id"
        )

    def credit(self, invoice, quantity=None):
        """Credit an invoice, or so many of its first product; return the credit note."""
        note = invoice._reverse_moves()
        if quantity is not None:
            note.invoice_line_ids[0].quantity = quantity
            note.invoice_line_ids[1:].unlink()
        note.action_post()
        return note

    def cancel(self, order):
        order._action_cancel()
        self.env.flush_all()

    def confirmed(self):
        """Return an order of two desks for 200 in total, whose Purchase is recorded."""
        order = self.order()
        order.action_confirm()
        self.env.flush_all()
        return order

    def told(self, event):
        return event.custom_data["value"], event.custom_data["order_id"]

    # ---------------------------------------------------------------- credit notes

    def test_a_credit_note_tells_of_the_credited_lines_under_the_orders_id(self):
        order = self.confirmed()
        note = self.credit(self.invoice(order), quantity=1)
        self.deliver()
        (event,) = self.events()
        self.assertEqual((event.res_model, event.res_id), ("account.move", note.id))
        self.assertEqual(event.state, "sent")
        body = next(
            sent
            for request in self.graph.requests
            for sent in request.body["data"]
            if sent["event_name"] == "Refund"
        )
        (purchase,) = self.events("Purchase")
        self.assertEqual(
            body,
            {
                "event_name": "Refund",
                "event_id": event.event_id,
                "event_time": int(event.event_time.timestamp()),
                "action_source": "website",
                "event_source_url": body["event_source_url"],
                "user_data": purchase.user_data,
                "custom_data": {
                    "currency": order.currency_id.name,
                    "value": 100.0,
                    "content_type": "product",
                    "content_ids": [str(self.product.id)],
                    "contents": [
                        {
                            "id": str(self.product.id),
                            "quantity": 1,
                            "item_price": 100.0,
                        }
                    ],
                    "order_id": order.name,
                },
            },
        )

    def test_credit_notes_in_part_tell_of_the_order_in_sum_and_no_more(self):
        order = self.confirmed()
        invoice = self.invoice(order)
        for quantity in (1, 1, 1):
            self.credit(invoice, quantity)
        self.assertEqual([self.told(event)[0] for event in self.events()], [100, 100])
        self.assertEqual(order.meta_capi_given_back, 200)

    def test_the_last_of_them_tells_of_what_is_left_only(self):
        order = self.confirmed()
        invoice = self.invoice(order)
        self.credit(invoice, 1)
        self.credit(invoice)
        self.assertEqual([self.told(event)[0] for event in self.events()], [100, 100])

    def test_it_tells_without_tax_where_orders_do(self):
        self.parameters.set_param("meta_capi.value_includes_tax", "False")
        tax = self.env["account.tax"].create({"name": "A quarter", "amount": 25})
        order = self.order()
        # Odoo 19 has another name for it.
        line = order.order_line
        line["tax_ids" if "tax_ids" in line._fields else "tax_id"] = tax
        order.action_confirm()
        self.credit(self.invoice(order), 1)
        self.assertEqual(self.told(self.events())[0], 100)

    def test_what_was_never_told_as_sold_is_not_told_as_given_back(self):
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = False
        order = self.confirmed()
        self.credit(self.invoice(order))
        self.assertFalse(self.events())

    def test_an_invoice_without_an_order_counts_if_its_purchase_was_recorded(self):
        for is_told, is_purged in ((False, False), (True, False), (True, True)):
            with self.subTest(is_told=is_told, is_purged=is_purged):
                self.events().sudo().unlink()
                invoice = self.env["account.move"].create(
                    {
                        "move_type": "out_invoice",
                        "partner_id": self.customer.id,
                        "invoice_line_ids": [
                            Command.create(
                                {
                                    "product_id": self.product.id,
                                    "price_unit": 50,
                                    "tax_ids": False,
                                }
                            )
                        ],
                    }
                )
                invoice.action_post()
                if is_told:
                    self.api.send_event("Purchase", origin=invoice)
                if is_purged:
                    self.deliver()
                    self.shift("create_date", 100 * 86400)
                    self.env["meta.capi.event"]._gc_finished()
                self.credit(invoice)
                found = self.events().mapped("custom_data")
                expected = [(50, invoice.name)] if is_told else []
                self.assertEqual([(d["value"], d["order_id"]) for d in found], expected)

    # ----------------------------------------------------------- cancelled orders

    def test_a_paid_order_that_is_cancelled_tells_of_all_of_it_once(self):
        order = self.confirmed()
        self.pay(order)
        for _time in range(2):
            self.cancel(order)
            order.action_draft()
            order.action_confirm()
        event = self.events()
        self.assertEqual(self.told(event), (200, order.name))
        self.assertEqual(event.action_source, "website")
        self.assertEqual((event.res_model, event.res_id), ("sale.order", order.id))

    def test_an_order_that_nobody_has_paid_gives_nothing_back(self):
        self.cancel(self.confirmed())
        self.assertFalse(self.events())

    def test_a_cancelled_order_tells_of_what_its_credit_note_has_not(self):
        for quantity, expected in ((1, [100, 100]), (None, [200])):
            with self.subTest(quantity=quantity):
                self.events().sudo().unlink()
                order = self.confirmed()
                self.pay(order)
                self.credit(self.invoice(order), quantity)
                self.cancel(order)
                found = self.events()
                self.assertEqual([self.told(event)[0] for event in found], expected)
                rest = found[-1].custom_data["contents"]
                self.assertEqual(
                    sum(item["quantity"] for item in rest), expected[-1] / 100
                )

    def test_a_credit_note_of_an_order_that_has_told_of_all_tells_nothing(self):
        order = self.confirmed()
        self.pay(order)
        invoice = self.invoice(order)
        self.cancel(order)
        self.credit(invoice)
        self.assertEqual([self.told(event)[0] for event in self.events()], [200])

    def test_it_is_known_when_the_log_was_purged(self):
        order = self.confirmed()
        self.pay(order)
        invoice = self.invoice(order)
        self.cancel(order)
        self.events().sudo().unlink()
        self.credit(invoice)
        self.assertFalse(self.events())

    def test_an_objection_counts_for_money_back_too(self):
        order = self.confirmed()
        invoice = self.invoice(order)
        self.customer.meta_capi_opt_out = True
        self.credit(invoice)
        self.assertEqual(self.events().cause, "objection")
        self.assertEqual(order.meta_capi_given_back, 0)

    # ---------------------------------------------------- the switch, and what shows it

    def test_it_is_shipped_switched_off_and_the_settings_arm_and_name_it(self):
        self.money_back._arm(False, "Refund")
        settings = self.env["res.config.settings"].create({})
        self.assertFalse(settings.meta_capi_money_back)
        self.assertEqual(settings.meta_capi_money_back_event, "Refund")
        settings.meta_capi_money_back = True
        settings.meta_capi_money_back_event = " Returned "
        settings.set_values()
        for name in ("credited", "cancelled"):
            reference = "ih_meta_conversions_api.automation_money_back_%s"
            automation = self.env.ref(reference % name)
            self.assertTrue(automation.active)
            self.assertEqual(
                automation.action_server_ids.meta_capi_event_name, "Returned"
            )
        order = self.confirmed()
        self.credit(self.invoice(order))
        self.assertEqual(self.told(self.events("Returned")), (200, order.name))

    def test_its_name_is_none_of_metas_own(self):
        for name in ("Purchase", "Lead", "", " "):
            with self.subTest(name), self.assertRaises(UserError):
                self.money_back._arm(True, name)

    def test_saving_the_settings_leaves_what_a_person_has_armed(self):
        automation = self.env.ref(
            "ih_meta_conversions_api.automation_money_back_cancelled"
        )
        automation.active = False
        self.env["res.config.settings"].create({}).set_values()
        self.assertFalse(automation.active)

    def test_a_rule_of_ones_own_about_credit_notes_is_as_ever_while_it_is_off(self):
        self.money_back._arm(False, "Refund")
        order = self.confirmed()
        invoice = self.invoice(order)
        self.credit(invoice, 1)
        self.assertFalse(self.events())
        self.automate(
            "account.move",
            before="[]",
            after="[('move_type', '=', 'out_refund'), ('state', '=', 'posted')]",
            event_name="Refund",
            meta_capi_once=True,
        )
        note = self.credit(invoice)
        event = self.events()
        self.assertEqual((event.res_model, event.res_id), ("account.move", note.id))
        self.assertEqual(self.told(event), (200, note.name))
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_the_purchase_shows_what_was_given_back(self):
        orders = [self.confirmed() for _number in range(3)]
        for order, quantity in zip(orders, (1, None), strict=False):
            self.credit(self.invoice(order), quantity)
        purchases = self.events("Purchase")
        self.assertEqual(purchases.mapped("money_back_value"), [100, 200, 0])
        self.assertEqual(purchases.money_back_ids, self.events())
        self.assertFalse(any(self.events().mapped("money_back_value")))
        action = purchases[0].action_open_money_back()
        shown = self.env["meta.capi.event"].search(action["domain"])
        self.assertEqual(shown, self.events()[0])

    def test_many_purchases_show_it_with_as_many_statements_as_one(self):
        orders = [self.confirmed() for _number in range(6)]
        for order in orders:
            self.credit(self.invoice(order))
        purchases = self.events("Purchase")
        counts = []
        for some in (purchases[:1], purchases):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            some.mapped("money_back_value")
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(*counts)
