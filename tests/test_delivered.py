"""Cash on delivery: an order is a Purchase once it is delivered in full."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from .test_scenarios import ScenarioCase

_MODULE = "ih_meta_conversions_api"


class DeliveredCase(ScenarioCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        settings = cls.env["res.config.settings"]
        settings.create({"meta_capi_purchase_trigger": "delivered"}).execute()
        cls.service, cls.lamp = cls.env["product.product"].create(
            [
                {"name": "Assembly", "type": "service", "taxes_id": False},
                {"name": "Lamp", "taxes_id": False},
            ]
        )

    def line(self, product, quantity=1):
        return (
            *(0, 0),
            {
                "product_id": product.id,
                "product_uom_qty": quantity,
                "price_unit": 10.0,
            },
        )

    def sold(self, *lines, **values):
        if lines:
            values["order_line"] = [self.line(*line) for line in lines]
        order = self.shop(**values)
        order.action_confirm()
        return order

    def purchases(self, order):
        self.env.flush_all()
        self.env.cr.precommit.run()
        return self.env["meta.capi.event"].search_count(
            [
                ("event_name", "=", "Purchase"),
                ("res_model", "=", "sale.order"),
                ("res_id", "=", order.id),
            ]
        )


@tagged("post_install", "-at_install")
class TestDeliveredByHand(DeliveredCase):
    """Without the inventory app, somebody enters on the order what was delivered.

    Where the app is there, that holds for what it does not move.
    """

    def deliver_by_hand(self, line, quantity):
        line.qty_delivered_method = "manual"
        line.qty_delivered = quantity

    def test_what_meta_gets_of_an_order_that_is_delivered(self):
        order = self.sold()
        self.assertFalse(self.purchases(order))
        self.deliver_by_hand(order.order_line, 2)
        self.assertTrue(self.purchases(order))
        self.assertMetaGot(order)

    def test_a_part_that_is_delivered_is_not_enough(self):
        order = self.sold((self.product, 2), (self.lamp, 1))
        first, second = order.order_line
        for line, quantity in ((first, 1), (first, 2)):
            self.deliver_by_hand(line, quantity)
            self.assertFalse(self.purchases(order))
        self.deliver_by_hand(second, 1)
        self.assertTrue(self.purchases(order))

    def test_services_count_where_there_is_nothing_else(self):
        both = self.sold((self.product, 2), (self.service, 1))
        self.deliver_by_hand(both.order_line[0], 2)
        self.assertTrue(self.purchases(both))
        alone = self.sold((self.service, 3))
        self.assertFalse(self.purchases(alone))
        self.deliver_by_hand(alone.order_line, 3)
        self.assertTrue(self.purchases(alone))

    def test_less_that_is_ordered_may_be_all_that_is_delivered(self):
        order = self.sold()
        self.deliver_by_hand(order.order_line, 1)
        self.assertFalse(self.purchases(order))
        order.order_line.product_uom_qty = 1
        self.assertTrue(self.purchases(order))

    def test_what_is_delivered_twice_is_one_purchase(self):
        order = self.sold()
        for quantity in (2, 0, 2, 3):
            self.deliver_by_hand(order.order_line, quantity)
            self.assertEqual(self.purchases(order), 1)

    def test_what_is_not_an_order_of_the_website_s_is_none(self):
        by_phone = self.sold(website_id=False)
        cancelled = self.sold()
        cancelled._action_cancel()
        for order in (by_phone, cancelled):
            self.deliver_by_hand(order.order_line, 2)
            self.assertFalse(self.purchases(order))

    def test_an_order_that_is_not_confirmed_is_not_delivered(self):
        order = self.shop()
        self.deliver_by_hand(order.order_line, 2)
        self.assertFalse(order._meta_capi_is_delivered())
        self.assertFalse(self.purchases(order))

    def test_the_form_of_the_rule_says_why_nothing_would_be_sent(self):
        order = self.sold()
        action = self.env.ref(f"{_MODULE}.action_purchase_delivered")
        action.meta_capi_preview_ref = order.order_line
        self.assertIn("not delivered in full", action.meta_capi_preview_trouble)
        self.deliver_by_hand(order.order_line, 2)
        action.invalidate_recordset()
        action.meta_capi_preview_ref = order.order_line
        self.assertNotIn("in full", action.meta_capi_preview_trouble or "")
        self.assertIn(order.meta_capi_event_id, action.meta_capi_preview)


@tagged("post_install", "-at_install", "apps")
class TestDeliveredByInventory(DeliveredCase):
    """With the inventory app, an order is delivered when all its deliveries are done."""

    def transfer(self, picking, quantity=None, product=None):
        """Do a transfer, of all products or of so much of one; return its backorder."""
        picking.action_assign()
        for move in picking.move_ids:
            done = move.product_uom_qty
            if quantity is not None:
                done = quantity if product in (None, move.product_id) else 0
            move.quantity = done
            move.picked = bool(done)
        result = picking.with_context(skip_backorder=True).button_validate()
        self.assertIs(result, True)
        return self.env["stock.picking"].search([("backorder_id", "=", picking.id)])

    def returned(self, picking):
        """Have all of a transfer come back, to be paid back."""
        wizard = (
            self.env["stock.return.picking"]
            .with_context(active_id=picking.id, active_model="stock.picking")
            .create({"picking_id": picking.id})
        )
        for line in wizard.product_return_moves:
            line.quantity = line.move_id.quantity
            line.to_refund = True
        if hasattr(wizard, "create_returns"):
            found = self.env["stock.picking"].browse(wizard.create_returns()["res_id"])
        else:
            found = wizard._create_return()
        self.transfer(found)

    def test_what_meta_gets_of_an_order_that_is_delivered(self):
        # Ordered days ago, and delivered in this moment.
        order = self.sold()
        order.date_order -= timedelta(days=9)
        self.assertFalse(self.purchases(order))
        self.transfer(order.picking_ids)
        self.assertTrue(self.purchases(order))
        (moment,) = set(order.picking_ids.move_ids.mapped("date"))
        self.assertLess(fields.Datetime.now() - moment, timedelta(minutes=5))
        self.assertMetaGot(order)
        ((received,),) = [self.graph.events]
        self.assertEqual(
            received.event["event_time"],
            int(moment.timestamp()),
        )

    def test_a_backorder_is_waited_for(self):
        order = self.sold((self.product, 2), (self.lamp, 1))
        rest = self.transfer(order.picking_ids, 1, self.product)
        self.assertFalse(self.purchases(order))
        rest = self.transfer(rest, 1, self.product)
        self.assertFalse(self.purchases(order))
        self.transfer(rest)
        self.assertEqual(self.purchases(order), 1)

    def test_a_backorder_that_is_cancelled_is_not_waited_for(self):
        order = self.sold((self.product, 2), (self.lamp, 1))
        rest = self.transfer(order.picking_ids, 1, self.product)
        delivered_at = order._meta_capi_delivered_at()
        self.assertFalse(self.purchases(order))
        with patch.object(
            fields.Datetime, "now", lambda: delivered_at + timedelta(hours=3)
        ):
            rest.action_cancel()
            self.assertEqual(self.purchases(order), 1)
        event = self.env["meta.capi.event"].search([("res_id", "=", order.id)])
        self.assertEqual(event.event_time, delivered_at)

    def test_an_order_that_is_cancelled_after_a_part_is_none(self):
        order = self.sold()
        self.transfer(order.picking_ids, 1)
        order._action_cancel()
        self.assertFalse(self.purchases(order))

    def test_a_delivery_that_is_cancelled_is_none(self):
        order = self.sold()
        order.picking_ids.action_cancel()
        self.assertFalse(self.purchases(order))
        self.assertFalse(order._meta_capi_is_delivered())

    def test_what_comes_back_before_the_rest_is_delivered_is_waited_for(self):
        order = self.sold()
        first = order.picking_ids
        rest = self.transfer(first, 1)
        self.returned(first)
        rest.action_cancel()
        self.assertFalse(self.purchases(order))

    def test_what_comes_back_after_it_was_delivered_changes_nothing(self):
        order = self.sold()
        picking = order.picking_ids
        self.transfer(picking)
        self.assertEqual(self.purchases(order), 1)
        self.returned(picking)
        self.assertEqual(self.purchases(order), 1)

    def test_services_and_what_delivery_costs_are_not_waited_for(self):
        order = self.sold((self.product, 1), (self.service, 1))
        self.transfer(order.picking_ids)
        self.assertEqual(self.purchases(order), 1)
