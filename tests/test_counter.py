from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .counter import CounterCase
from .test_scenarios import hashed_customer


@tagged("post_install", "-at_install", "apps")
class TestCounter(CounterCase):
    """What Meta gets of a sale at the counter, once, whatever the session does."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.jane = hashed_customer(cls.customer)

    def assertMetaGot(self, order, value, price, quantity=2, **told):
        """Compare the whole body of the only request, and its only event."""
        self.deliver()
        (request,) = self.graph.requests
        self.assertEqual(len(self.graph.offline_events()), 1)
        self.assertEqual(request.body.keys() - {"partner_agent"}, {"data"})
        (event,) = request.body["data"]
        (row,) = self.events(order)
        self.assertEqual((row.state, row.website_id), ("sent", self.website))
        self.assertEqual(
            event,
            {
                "event_name": "Purchase",
                "event_id": order.with_env(order.env(su=True))._meta_capi_event_id(
                    "Purchase"
                ),
                "event_time": int(order.date_order.timestamp()),
                "action_source": "physical_store",
                "user_data": self.jane,
                "custom_data": {
                    "currency": order.currency_id.name,
                    "value": value,
                    "content_type": "product",
                    "content_ids": [str(self.product.id)],
                    "contents": [
                        {
                            "id": str(self.product.id),
                            "quantity": quantity,
                            "item_price": price,
                        }
                    ],
                    "order_id": order.pos_reference,
                    **told,
                },
            },
        )

    # ------------------------------------------------------------------ what is told

    def test_a_sale_is_a_purchase_of_a_physical_store(self):
        self.assertMetaGot(self.sell(customer=self.customer), 200.0, 100.0)

    def test_the_store_is_told_by_its_code(self):
        self.store.store_code = "MS-1"
        order = self.sell(customer=self.customer)
        self.assertMetaGot(order, 200.0, 100.0, store_data={"store_code": "MS-1"})

    def test_what_comes_in_hours_later_has_the_time_it_was_sold_at(self):
        now = fields.Datetime.now()
        for hours in (5, 24 * 61):
            with self.subTest(hours=hours):
                self.graph.clear()
                at = now - timedelta(hours=hours)
                order = self.sell(customer=self.customer, at=at)
                self.assertEqual(order.date_order, at)
                self.assertMetaGot(order, 200.0, 100.0)

    def test_what_was_sold_before_metas_window_is_never_sent(self):
        at = fields.Datetime.now() - timedelta(days=63)
        event = self.events(self.sell(customer=self.customer, at=at))
        self.assertEqual(event.event_time, at)
        self.deliver()
        self.assertFalse(self.graph.requests)
        self.assertEqual((event.state, event.failure_reason), ("failed", "expired"))

    def test_a_till_whose_clock_is_ahead_sells_nothing_in_the_future(self):
        at = fields.Datetime.now() + timedelta(hours=1)
        event = self.events(self.sell(customer=self.customer, at=at))
        self.assertLessEqual(event.event_time, fields.Datetime.now())
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_without_a_customer_nothing_is_recorded_and_the_dashboard_counts_it(self):
        overview = self.env["meta.capi.overview"]
        self.assertIsNone(overview.get_dashboard()["counter"])
        for count in (1, 2):
            self.sell()
            self.env.flush_all()
            self.assertIn(str(count), overview.get_dashboard()["counter"])
        self.sell(customer=self.customer)
        self.env.flush_all()
        self.assertIn("2", overview.get_dashboard()["counter"])
        self.assertEqual(len(self.events()), 1)

    def test_a_customer_who_stands_for_nobody_is_none(self):
        self.sell(customer=self.env.ref("base.public_partner"))
        self.sell(customer=self.company.partner_id)
        self.assertFalse(self.events())

    def test_several_payments_are_one_purchase(self):
        payments = [(self.card, 120.0), (self.cash, 80.0)]
        order = self.sell(customer=self.customer, payments=payments)
        self.assertEqual(len(order.payment_ids), 2)
        self.assertMetaGot(order, 200.0, 100.0)

    def test_tax_is_told_by_the_setting_of_orders(self):
        line = (self.product, 2, 100.0, self.tax)
        self.assertMetaGot(self.sell(line, customer=self.customer), 250.0, 125.0)
        self.graph.clear()
        self.parameters.set_param("meta_capi.value_includes_tax", "False")
        self.assertMetaGot(self.sell(line, customer=self.customer), 200.0, 100.0)

    def test_a_discount_is_spread_over_what_is_sold(self):
        discount = self.env["product.product"].create(
            {"name": "Discount", "taxes_id": False}
        )
        lines = (self.product, 2, 100.0), (discount, 1, -50.0)
        order = self.sell(*lines, customer=self.customer)
        self.assertMetaGot(order, 150.0, 75.0)

    def test_each_currency_is_told_as_it_rounds(self):
        methods = self.env["pos.payment.method"]
        for code, price, value in (
            ("JPY", 1500, 3000),
            ("KWD", 1.235, 2.47),
            ("EUR", 10.55, 21.1),
        ):
            with self.subTest(code):
                self.graph.clear()
                currency = self.env["res.currency"].with_context(active_test=False)
                currency = currency.search([("name", "=", code)])
                # Without a journal it is of any currency.
                method = methods.create({"name": f"On {code}"})
                point = self.open_point(f"Counter {code}", method, currency)
                self.stores._follow_points()
                self.stores.search([("pos_config_id", "=", point.id)]).is_on = True
                line = (self.product, 2, price)
                order = self.sell(line, customer=self.customer, point=point)
                self.assertEqual(order.currency_id.name, code)
                self.assertMetaGot(order, value, price)

    # ----------------------------------------------------------------------- and once

    def test_it_is_one_whatever_becomes_of_the_order(self):
        order = self.sell(customer=self.customer)
        order.action_pos_order_invoice()
        order.write({"state": "done"})
        order.write({"partner_id": self.customer.id})
        self.assertMetaGot(order, 200.0, 100.0)

    def test_it_is_told_when_the_customer_is_chosen_for_the_invoice_later(self):
        order = self.sell()
        self.assertFalse(self.events())
        order.partner_id = self.customer
        order.action_pos_order_invoice()
        self.assertTrue(order.account_move)
        self.assertMetaGot(order, 200.0, 100.0)

    def test_it_is_told_of_an_order_that_is_invoiced_at_once(self):
        order = self.sell(customer=self.customer, to_invoice=True)
        self.assertTrue(order.account_move)
        self.assertMetaGot(order, 200.0, 100.0)

    def test_a_sale_that_is_entered_by_hand_counts_when_it_is_paid(self):
        order = self.env["pos.order"].create(
            {
                "session_id": self.point.current_session_id.id,
                "company_id": self.company.id,
                "partner_id": self.customer.id,
                "pos_reference": "Order 00001-001-0001",
                "amount_total": 200,
                "amount_tax": 0,
                "amount_paid": 0,
                "amount_return": 0,
                "lines": [
                    (
                        0,
                        0,
                        {
                            "product_id": self.product.id,
                            "name": "Desk",
                            "qty": 2,
                            "price_unit": 100,
                            "price_subtotal": 200,
                            "price_subtotal_incl": 200,
                        },
                    )
                ],
            }
        )
        self.assertFalse(self.events())
        order.add_payment(
            {
                "pos_order_id": order.id,
                "amount": 200,
                "payment_method_id": self.card.id,
            }
        )
        order.action_pos_order_paid()
        self.assertMetaGot(order, 200.0, 100.0)

    def test_what_was_sold_before_it_was_switched_on_is_not_told_of(self):
        self.store.is_on = False
        order = self.sell(customer=self.customer)
        self.store.is_on = True
        order.write({"state": "done"})
        self.assertFalse(self.events())

    def test_a_sales_order_that_is_settled_at_the_counter_is_one_purchase(self):
        if "sale_order_origin_id" not in self.env["pos.order.line"]._fields:
            self.skipTest("The point of sale settles no sales orders.")
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = True
        events = self.env["meta.capi.event"]
        for is_confirmed in (True, False):
            with self.subTest(is_confirmed=is_confirmed):
                quotation = self.order()
                if is_confirmed:
                    quotation.action_confirm()
                    self.env.flush_all()
                before = events.search([("event_name", "=", "Purchase")])
                self.assertEqual(bool(before), is_confirmed)
                self.sell(customer=self.customer, settles=quotation)
                quotation.action_confirm() if not is_confirmed else None
                self.env.flush_all()
                found = events.search([("event_name", "=", "Purchase")])
                self.assertEqual(
                    found.mapped("res_model"),
                    ["sale.order" if is_confirmed else "pos.order"],
                )
                found.sudo().unlink()

    def test_a_visitors_no_counts_where_the_order_is_settled_at_the_counter(self):
        if "sale_order_origin_id" not in self.env["pos.order.line"]._fields:
            self.skipTest("The point of sale settles no sales orders.")
        for consent, state in ((False, "cancelled"), (True, "pending")):
            with self.subTest(consent=consent):
                quotation = self.order()
                browsers = self.env["meta.capi.browser"]
                browsers._upsert(
                    quotation, {"consent": consent, "client_user_agent": "Mozilla"}
                )
                order = self.sell(customer=self.customer, settles=quotation)
                event = self.events(order)
                self.assertEqual(event.state, state)
                self.assertNotIn("client_user_agent", event.user_data)

    def test_who_settles_a_first_order_at_the_counter_is_new(self):
        if "sale_order_origin_id" not in self.env["pos.order.line"]._fields:
            self.skipTest("The point of sale settles no sales orders.")
        self.parameters.set_param("meta_capi.customer_segmentation", "True")
        quotation = self.order()
        quotation.action_confirm()
        self.env.flush_all()
        order = self.sell(customer=self.customer, settles=quotation)
        self.assertEqual(
            self.events(order).customer_segmentation, "new_customer_to_business"
        )

    def test_a_sale_tells_its_margin_as_soon_as_it_is_paid(self):
        self.product.standard_price = 30
        self.parameters.set_param("meta_capi.net_revenue", "True")
        order = self.sell(customer=self.customer)
        self.assertEqual(self.events(order).custom_data["value"], 200)
        self.assertEqual(self.events(order).custom_data["net_revenue"], 140)

    def test_an_advance_counts_as_part_of_what_it_is_for(self):
        if "down_payment_product_id" not in self.point._fields:
            self.skipTest("The point of sale takes no advances.")
        advance = self.env["product.product"].create({"name": "Advance"})
        self.point.current_session_id.config_id.down_payment_product_id = advance
        for quantity in (-1, 1):
            with self.subTest(quantity=quantity):
                order = self.sell(
                    (self.product, 2, 100.0),
                    (advance, quantity, 50.0),
                    customer=self.customer,
                )
                told = self.events(order).custom_data
                self.assertEqual(told["value"], 200)
                self.assertEqual(told["content_ids"], [str(self.product.id)])

    def test_an_advance_on_a_sales_order_is_no_purchase(self):
        if "down_payment_product_id" not in self.point._fields:
            self.skipTest("The point of sale takes no advances.")
        self.point.current_session_id.config_id.down_payment_product_id = self.product
        self.sell(customer=self.customer)
        self.assertFalse(self.events())

    # ------------------------------------------------------------- what is left out

    def test_a_point_of_sale_tells_nothing_unless_it_is_switched_on(self):
        self.store.is_on = False
        self.sell(customer=self.customer)
        self.parameters.set_param("meta_capi.enabled", "False")
        self.store.is_on = True
        self.sell(customer=self.customer)
        self.assertFalse(self.events())
        self.assertFalse(self.jobs.enqueued_jobs)

    def test_each_reason_not_to_send_an_order_counts_at_the_counter(self):
        tag = self.env["res.partner.category"].create({"name": "Not to Meta"})
        employee = self.cashier.partner_id
        objecting = self.customer.copy({"meta_capi_opt_out": True})
        for cause, customer, lines, parameters in (
            ("nothing_to_pay", self.customer, [(self.product, 1, 0.0)], {}),
            ("objection", objecting, [], {}),
            ("internal_user", employee, [], {}),
            (
                "excluded_tag",
                self.customer.copy({"category_id": [(6, 0, tag.ids)]}),
                [],
                {"meta_capi.excluded_tag_ids": str(tag.id)},
            ),
            (
                "no_browser",
                self.customer,
                [],
                {"meta_capi.send_without_browser": "False"},
            ),
        ):
            with self.subTest(cause):
                for key, value in parameters.items():
                    self.parameters.set_param(key, value)
                event = self.events(self.sell(*lines, customer=customer))
                self.assertEqual((event.state, event.cause), ("cancelled", cause))
                self.assertFalse(event.user_data)
        self.deliver()
        self.assertFalse(self.graph.requests)

    def test_a_refund_is_no_purchase(self):
        order = self.sell(customer=self.customer)
        self.sell((self.product, -2, 100.0), customer=self.customer, refunds=order)
        self.assertMetaGot(order, 200.0, 100.0)
        self.assertEqual(len(self.events()), 1)

    def test_a_refund_is_told_of_where_money_back_is(self):
        self.env["meta.capi.money.back"]._arm(True, "Returned")
        self.store.store_code = "MS-1"
        sale = self.sell((self.product, 2, 100.0, self.tax), customer=self.customer)
        self.deliver()
        for customer, quantity, value in (
            (self.customer, -1, 125.0),
            (None, -2, 250.0),  # it is the sale's
        ):
            with self.subTest(quantity=quantity):
                at = fields.Datetime.now() - timedelta(hours=3)
                refund = self.sell(
                    (self.product, quantity, 100.0, self.tax),
                    customer=customer,
                    refunds=sale,
                    at=at,
                )
                refund.write({"state": "done"})
                (event,) = self.events(refund)
                self.graph.clear()
                self.deliver()
                (body,) = self.graph.requests[0].body["data"]
                self.assertEqual(
                    body,
                    {
                        "event_name": "Returned",
                        "event_id": event.event_id,
                        "event_time": int(at.timestamp()),
                        "action_source": "physical_store",
                        "user_data": self.jane,
                        "custom_data": {
                            "currency": sale.currency_id.name,
                            "value": value,
                            "content_type": "product",
                            "content_ids": [str(self.product.id)],
                            "contents": [
                                {
                                    "id": str(self.product.id),
                                    "quantity": -quantity,
                                    "item_price": 125.0,
                                }
                            ],
                            "order_id": sale.pos_reference,
                            "store_data": {"store_code": "MS-1"},
                        },
                    },
                )
        (purchase,) = self.events(sale)
        self.assertEqual(purchase.money_back_value, 375.0)

    def test_a_refund_of_what_was_never_told_is_not_told(self):
        self.env["meta.capi.money.back"]._arm(True, "Refund")
        self.store.is_on = False
        sale = self.sell(customer=self.customer)
        self.store.is_on = True
        back = (self.product, -2, 100.0)
        self.sell(back, customer=self.customer, refunds=sale)
        self.sell(back, customer=self.customer)
        self.assertFalse(self.events())

    def test_a_refund_is_told_of_also_when_the_sale_has_left_the_log(self):
        self.env["meta.capi.money.back"]._arm(True, "Refund")
        sale = self.sell(customer=self.customer)
        self.deliver()
        self.shift("create_date", 100 * 86400)
        self.shift("event_time", 100 * 86400)
        self.env["meta.capi.event"]._gc_finished()
        self.assertFalse(self.events(sale))
        refund = self.sell(
            (self.product, -2, 100.0), customer=self.customer, refunds=sale
        )
        self.assertEqual(self.events(refund).event_name, "Refund")

    @mute_logger("meta.conversions.api")
    def test_what_breaks_of_ours_breaks_no_sale(self):
        for name in ("_meta_capi_sold", "_meta_capi_custom_data"):
            with self.subTest(name):
                model = type(self.env["pos.order"])
                with self.patch_to_break(model, name):
                    order = self.sell(customer=self.customer)
                self.assertEqual(order.state, "paid")

    def patch_to_break(self, model, name):
        return patch.object(model, name, side_effect=ZeroDivisionError)

    # ------------------------------------------------------------------- the switches

    def test_each_point_of_sale_is_in_the_list_once_and_only_as_long_as_it_exists(self):
        settings = self.env["res.config.settings"].create({})
        self.assertTrue(settings.meta_capi_has_counter)
        point = self.open_point("Station", self.card)
        self.stores.create({"pos_config_id": 10**6})
        for _time in range(2):
            action = settings.action_meta_capi_open_stores()
            stores = self.env[action["res_model"]].search([])
            points = self.env["pos.config"].search([])
            self.assertEqual(stores.mapped("pos_config_id"), sorted(points.ids))
        store = stores.filtered(lambda store: store.pos_config_id == point.id)
        self.assertEqual((store.name, store.is_on), ("Station", False))
        self.assertEqual(store.company_id, self.company)

    def test_what_was_switched_on_is_forgotten_with_the_app(self):
        module = self.env["ir.module.module"].search([("name", "=", "point_of_sale")])
        *_ours, base = (
            each for each in type(module).__mro__ if "module_uninstall" in vars(each)
        )
        with patch.object(base, "module_uninstall", return_value=True):
            module.module_uninstall()
        self.assertFalse(self.stores.search([]))

    def test_only_administrators_see_and_throw_the_switches(self):
        store = self.store.with_user(self.cashier)
        with self.assertRaises(AccessError):
            store.read(["is_on"])
        with self.assertRaises(AccessError):
            store.is_on = False
