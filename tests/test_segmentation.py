from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import Cursor
from odoo.tests import tagged

from .common import MetaCapiCase
from .test_purchase import PurchaseCase
from .test_scenarios import ScenarioCase

NEW = {"customer_segmentation": "new_customer_to_business"}
KNOWN = {"customer_segmentation": "existing_customer_to_business"}


class SegmentationMixin:
    def setUp(self):
        super().setUp()
        self.parameters.set_param("meta_capi.customer_segmentation", "True")

    def sold(self, days_ago=0, **values):
        """Return an order that was confirmed so many days ago."""
        order = self.order(**values)
        order.action_confirm()
        order.date_order = fields.Datetime.now() - timedelta(days=days_ago)
        self.env.flush_all()
        return order

    def told(self, origin, **arguments):
        """Return what an event about a record says of the customer."""
        event = self.api.send_event(
            arguments.pop("event_name", "Purchase"), origin=origin, **arguments
        )
        segmentation = event.customer_segmentation
        event.sudo().unlink()
        return segmentation and {"customer_segmentation": segmentation}


@tagged("post_install", "-at_install")
class TestSegmentation(SegmentationMixin, ScenarioCase):
    """Whether a Purchase is that of a new customer."""

    def test_what_meta_gets_of_a_new_customer(self):
        order = self.shop()
        order.action_confirm()
        self.env.flush_all()
        self.api.send_event("Purchase", origin=order)
        self.assertMetaGot(order, **NEW)

    def test_what_meta_gets_of_a_known_customer(self):
        self.sold(days_ago=400)
        order = self.shop()
        order.action_confirm()
        self.env.flush_all()
        self.api.send_event("Purchase", origin=order)
        self.assertMetaGot(order, **KNOWN)

    def test_nothing_is_told_unless_the_settings_want_it(self):
        for value in (False, "False"):
            self.parameters.set_param("meta_capi.customer_segmentation", value)
            self.assertFalse(self.told(self.sold()))

    def test_what_counts_as_bought_before(self):
        company = self.env["res.company"].create({"name": "Other"})
        firm = self.env["res.partner"].create({"name": "Firm", "is_company": True})
        contact = self.customer.copy({"parent_id": firm.id})
        colleague = self.customer.copy({"parent_id": firm.id})
        for name, earlier, buyer, expected in (
            ("earlier", {"days_ago": 1}, self.customer, KNOWN),
            ("later", {"days_ago": -1}, self.customer, NEW),
            ("of the back office", {"website_id": False}, self.customer, KNOWN),
            ("of somebody else", {"partner_id": firm.id}, self.customer, NEW),
            ("of the firm", {"partner_id": firm.id}, contact, KNOWN),
            ("of a colleague", {"partner_id": colleague.id}, contact, KNOWN),
            ("not confirmed", {"state": "sent"}, self.customer, NEW),
            ("cancelled", {"state": "cancel"}, self.customer, NEW),
            (
                "of another company",
                {"company_id": company.id, "website_id": False},
                self.customer,
                NEW,
            ),
        ):
            with self.subTest(name), self.env.cr.savepoint():
                values = {"days_ago": 2, "partner_id": self.customer.id, **earlier}
                state = values.pop("state", "sale")
                if "company_id" in values:
                    values["order_line"] = []
                before = self.sold(**values)
                before.state = state
                order = self.sold(partner_id=buyer.id)
                self.assertEqual(self.told(order), expected)
                (before + order).state = "cancel"
                self.env.flush_all()

    def test_of_two_orders_of_one_moment_the_first_is_that_of_a_new_customer(self):
        first, second = self.sold(), self.sold()
        second.date_order = first.date_order
        self.env.flush_all()
        self.assertEqual(self.told(first), NEW)
        self.assertEqual(self.told(second), KNOWN)

    def test_only_a_purchase_whose_customer_is_known_tells_it(self):
        order = self.sold()
        self.assertFalse(self.told(order, event_name="Lead"))
        self.assertFalse(self.told(None, custom_data={"value": 1, "currency": "EUR"}))
        nobody = self.sold(partner_id=self.env.ref("base.public_partner").id)
        nobody.partner_invoice_id = nobody.partner_id
        event = self.api.send_event(
            "Purchase", origin=nobody, user_data={"em": "a@b.c"}
        )
        self.assertFalse(event.customer_segmentation)

    def test_what_is_not_sent_is_not_asked_for(self):
        self.customer.meta_capi_opt_out = True
        event = self.api.send_event("Purchase", origin=self.sold())
        self.assertEqual(event.state, "cancelled")
        self.assertFalse(event.customer_segmentation)

    def test_a_caller_s_own_word_counts_more(self):
        word = "customer_in_loyalty_program"
        self.assertEqual(
            self.told(self.sold(), customer_segmentation=word),
            {"customer_segmentation": word},
        )

    def test_what_breaks_here_breaks_no_sale(self):
        order = self.sold()

        def fail(_self):
            raise ValueError("broken")

        with (
            patch.object(type(order), "_meta_capi_bought_at", fail),
            self.assertLogs("meta.conversions.api", "ERROR"),
        ):
            event = self.api.send_event("Purchase", origin=order)
        self.assertEqual(event.state, "pending")
        self.assertFalse(event.customer_segmentation)

    def test_the_preview_of_an_action_shows_it(self):
        action = self.action(event_name="Purchase")
        action.meta_capi_preview_ref = self.sold()
        self.assertIn(NEW["customer_segmentation"], action.meta_capi_preview)

    def test_a_batch_is_asked_for_with_one_statement_by_indexes(self):
        def statements(orders):
            found = []
            execute = Cursor.execute

            def note(cursor, query, params=None, log_exceptions=True):
                found.append(query)
                return execute(cursor, query, params, log_exceptions)

            self.env.invalidate_all()
            with patch.object(Cursor, "execute", note):
                events = self.api.send_events(
                    [{"event_name": "Purchase", "origin": order} for order in orders]
                )
            self.assertEqual(len(events), len(orders))
            events.sudo().unlink()
            self.env.cr.execute(
                "UPDATE sale_order SET meta_capi_purchase_recorded_at = NULL"
            )
            self.env.flush_all()
            return found

        orders = self.sold()
        for _number in range(99):
            orders += orders[0].copy(
                {"partner_id": self.customer.copy({"name": "Jo Doe"}).id}
            )
        orders.state = "sale"
        self.env.flush_all()
        found = {}
        for value in ("False", "True"):
            self.parameters.set_param("meta_capi.customer_segmentation", value)
            # What a process looks up once.
            statements(orders[:2])
            for count in (2, 100):
                found[value, count] = statements(orders[:count])
        for count in (2, 100):
            on, off = found["True", count], found["False", count]
            # The look-up in a savepoint, and who the contacts belong to.
            self.assertLessEqual(len(on) - len(off), 4)
        (query,) = [s for s in on if "asked" in getattr(s, "code", "")]
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        self.env.cr.execute("EXPLAIN " + query.code, query.params)
        plan = "\n".join(line for (line,) in self.env.cr.fetchall())
        self.assertNotIn("Seq Scan", plan)


@tagged("post_install", "-at_install")
class TestSegmentationByInvoice(SegmentationMixin, PurchaseCase):
    """What was sold by an invoice without an order."""

    def billed(self, days_ago, **values):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_date": fields.Date.today() - timedelta(days=days_ago),
                "invoice_line_ids": [
                    (0, 0, {"product_id": self.product.id, "price_unit": 7})
                ],
            }
            | values
        )
        invoice.action_post()
        self.env.flush_all()
        return invoice

    def test_an_earlier_invoice_makes_a_known_customer(self):
        for days_ago, move_type, expected in (
            (9, "out_refund", NEW),
            (1, "out_invoice", NEW),
            (9, "out_invoice", KNOWN),
        ):
            with self.subTest(days_ago=days_ago, move_type=move_type):
                order = self.sold(days_ago=1)
                self.billed(days_ago, move_type=move_type)
                self.assertEqual(self.told(order), expected)
                order._action_cancel()

    def test_an_order_s_own_invoice_is_no_earlier_purchase(self):
        order = self.sold()
        invoice = self.invoice(order)
        self.env.flush_all()
        self.assertEqual(self.told(order), NEW)
        self.assertEqual(self.told(invoice), NEW)
        self.assertEqual(self.told(self.pay(order)), NEW)

    def test_an_invoice_does_not_count_for_itself(self):
        invoice = self.billed(9)
        self.assertEqual(self.told(invoice), NEW)
        self.assertEqual(self.told(self.billed(0)), KNOWN)


@tagged("post_install", "-at_install", "apps")
class TestSegmentationAtTheCounter(SegmentationMixin, MetaCapiCase):
    """What was bought at the counter."""

    def test_an_order_of_the_counter_makes_a_known_customer(self):
        config = self.env["pos.config"].create({"name": "Shop"})
        session = self.env["pos.session"].create(
            {"config_id": config.id, "user_id": self.env.uid}
        )
        bought = self.env["pos.order"].create(
            {
                "session_id": session.id,
                "partner_id": self.customer.id,
                "date_order": fields.Datetime.now() - timedelta(days=3),
                **{"amount_total": 5, "amount_tax": 0},
                **{"amount_paid": 5, "amount_return": 0},
            }
        )
        self.env.flush_all()
        for state, total, expected in (
            ("draft", 5, NEW),
            ("paid", -5, NEW),
            ("paid", 5, KNOWN),
        ):
            with self.subTest(state=state, total=total):
                # As it is stored: how it gets there is the app's affair.
                self.env.cr.execute(
                    "UPDATE pos_order SET state = %s, amount_total = %s WHERE id = %s",
                    (state, total, bought.id),
                )
                self.env.invalidate_all()
                order = self.sold()
                self.assertEqual(self.told(order), expected)
                order._action_cancel()
                self.env.flush_all()
