"""What a sale is worth: what is paid or the margin, and what is told beside it."""

from unittest.mock import patch

from odoo.tests import tagged

from .common import VisitCase
from .test_purchase import PurchaseCase


class WorthCase(PurchaseCase):
    def set(self, **values):
        for name, value in values.items():
            self.parameters.set_param(f"meta_capi.{name}", value)

    def told(self, origin, event_name="Purchase"):
        """Return what is told of a record, as it is stored."""
        event = self.api.send_event(
            event_name, origin=origin, user_data={"em": "jane@example.com"}
        )
        self.assertEqual(event.state, "pending", event.error_message)
        custom_data = event.custom_data
        event.sudo().unlink()
        self.env.cr.execute(
            "UPDATE sale_order SET meta_capi_purchase_recorded_at = NULL"
        )
        self.env.invalidate_all()
        return custom_data


@tagged("post_install", "-at_install")
class TestWorth(WorthCase):
    """Without the apps that know margins."""

    def test_without_a_margin_a_sale_is_worth_what_is_paid(self):
        order = self.order()
        before = self.told(order)
        self.assertEqual(before["value"], 200)
        with patch.object(type(order), "_meta_capi_margin", lambda _self: None):
            self.set(value="margin", net_revenue="True")
            self.assertEqual(self.told(order), before)

    def test_what_a_customer_is_expected_to_be_worth_is_told_of_sales(self):
        order = self.order()
        for name, given, expected in (
            ("Purchase", 600.5, 600.5),
            ("Subscribe", 600, 600),
            ("StartTrial", 0, 0),
            ("Purchase", None, None),
            ("InitiateCheckout", 600, None),
            ("Lead", 600, None),
        ):
            with (
                self.subTest(name, given=given),
                patch.object(
                    type(order), "_meta_capi_predicted_ltv", lambda _self, _name: given
                ),
            ):
                self.assertEqual(self.told(order, name).get("predicted_ltv"), expected)

    def test_a_record_without_data_of_its_own_can_tell_it(self):
        with patch.object(
            type(self.customer), "_meta_capi_predicted_ltv", lambda _self, _name: 70
        ):
            told = self.told(self.customer, "StartTrial")
        self.assertEqual(told, {"predicted_ltv": 70})


@tagged("post_install", "-at_install", "apps")
class TestWorthByMargin(WorthCase):
    """With the apps that know margins."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.product.standard_price = 70
        cls.carriage = cls.env["product.product"].create(
            {"name": "Delivery", "type": "service", "taxes_id": False}
        )

    def delivered_order(self, price=100.0):
        """Return an order of two desks that cost 70 each, and of delivery for 20."""
        order = self.order()
        order.order_line.price_unit = price
        order.order_line = [
            (
                0,
                0,
                {"product_id": self.carriage.id, "price_unit": 20, "is_delivery": True},
            )
        ]
        self.env.flush_all()
        return order

    def assertAddsUp(self, told):
        parts = [each["item_price"] * each["quantity"] for each in told["contents"]]
        self.assertAlmostEqual(sum(parts), told["value"], 2)

    def test_the_settings_choose_what_an_order_is_worth(self):
        for value, net_revenue, price, expected in (
            ("", "", 100, (220, None)),
            ("total", "True", 100, (220, 60)),
            ("margin", "", 100, (60, None)),
            ("margin", "True", 100, (60, 60)),
            # A loss is told of as no gain.
            ("margin", "True", 50, (0, None)),
            ("total", "True", 50, (120, None)),
            ("total", "True", 70, (160, None)),
        ):
            with self.subTest(value=value, net_revenue=net_revenue, price=price):
                self.set(value=value, net_revenue=net_revenue)
                told = self.told(self.delivered_order(price))
                self.assertEqual((told["value"], told.get("net_revenue")), expected)
                self.assertAddsUp(told)

    def test_what_is_no_sale_is_worth_what_it_was(self):
        self.set(value="margin", net_revenue="True")
        told = self.told(self.delivered_order(), "InitiateCheckout")
        self.assertEqual(told["value"], 220)
        self.assertNotIn("net_revenue", told)

    def test_the_margin_is_in_the_currency_of_the_order(self):
        self.set(value="margin")
        currency = self.env.ref("base.EUR")
        if currency == self.env.company.currency_id:
            currency = self.env.ref("base.USD")
        currency.active = True
        self.env["res.currency.rate"].create(
            {"currency_id": currency.id, "rate": 2.0, "name": "2020-01-01"}
        )
        pricelist = self.env["product.pricelist"].create(
            {"name": "Abroad", "currency_id": currency.id}
        )
        order = self.order(pricelist_id=pricelist.id)
        order.order_line.price_unit = 200
        self.env.flush_all()
        told = self.told(order)
        # 2 × 200, of which 2 × 2 × 70 are what it costs.
        self.assertEqual((told["currency"], told["value"]), (currency.name, 120))

    def test_an_invoice_has_a_margin_where_its_order_knows_what_it_cost(self):
        self.set(value="margin", net_revenue="True")
        order = self.delivered_order()
        order.action_confirm()
        self.carriage.invoice_policy = "order"
        invoice = self.invoice(order)
        told = self.told(invoice)
        self.assertEqual((told["value"], told["net_revenue"]), (60, 60))
        self.assertAddsUp(told)
        alone = invoice.copy()
        alone.invoice_line_ids.sale_line_ids = False
        alone.action_post()
        told = self.told(alone)
        self.assertEqual(told["value"], alone.amount_total)
        self.assertNotIn("net_revenue", told)

    def test_an_advance_has_no_margin(self):
        self.set(net_revenue="True")
        order = self.order()
        order.action_confirm()
        advance = self.invoice(order, advance_payment_method="percentage", amount=50)
        told = self.told(advance)
        self.assertEqual(told["value"], 100)
        self.assertNotIn("net_revenue", told)

    def test_a_sale_of_the_counter_knows_its_margin(self):
        model = self.env["pos.order"]
        order = model.new({"margin": 12})
        order.is_total_cost_computed = True
        order.margin = 12
        self.assertEqual(order._meta_capi_margin(), 12)


@tagged("post_install", "-at_install", "apps")
class TestMarginIsNoCustomersBusiness(VisitCase):
    """What a page of the shop tells the browser."""

    def test_no_page_tells_the_margin(self):
        for name, text in (("bridge_enabled", "True"), ("pixel_mode", "load")):
            self.parameters.set_param(f"meta_capi.{name}", text)
        self.product.standard_price = 70
        order = self.order()
        page = self.env["meta.capi.page"]
        for value, net_revenue in (
            ("total", "False"),
            ("total", "True"),
            ("margin", "True"),
        ):
            self.parameters.set_param("meta_capi.value", value)
            self.parameters.set_param("meta_capi.net_revenue", net_revenue)
            with self.visit():
                told = page._page_of_order("Purchase", lambda: order)
            if value == "margin":
                self.assertEqual(told, {})
            else:
                self.assertIn('"value": 200.0', told["data-meta-capi-data"])
                self.assertNotIn("net_revenue", told["data-meta-capi-data"])
