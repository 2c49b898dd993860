from odoo.tests import tagged

from .common import FBC, FBP, VisitCase

LONG = "x" * 5000


@tagged("post_install", "-at_install")
class TestOwnData(VisitCase):
    """What we fill in ourselves makes no event invalid: it is shortened or left out."""

    def purchase(self, order):
        event = self.api.send_event("Purchase", origin=order)
        self.assertEqual(event.state, "pending", event.error_message)
        return event

    def test_a_long_url_is_shortened_and_keeps_its_click(self):
        with self.visit(
            path=f"/shop?gclid={LONG}&utm_source=ig&fbclid=AbC",
            referrer=f"https://l.instagram.com/?u={LONG}&fbclid=AbC",
        ):
            order = self.order()
        event = self.purchase(order)
        self.assertEqual(
            event.event_source_url,
            "https://shop.example.com/shop?utm_source=ig&fbclid=AbC",
        )
        self.assertEqual(event.referrer_url, "https://l.instagram.com/?fbclid=AbC")

    def test_what_an_earlier_version_kept_is_shortened_too(self):
        with self.visit():
            order = self.order()
        self.env.cr.execute(
            "UPDATE meta_capi_browser SET event_source_url = %s, referrer_url = %s,"
            " client_user_agent = %s WHERE res_id = %s",
            [f"https://a.example/?fbclid=A&x={LONG}", "about:blank", LONG, order.id],
        )
        event = self.purchase(order)
        self.assertEqual(event.event_source_url, "https://a.example/?fbclid=A")
        self.assertFalse(event.referrer_url)
        self.assertEqual(len(event.user_data["client_user_agent"]), 2048)

    def test_a_referrer_that_is_no_page_is_left_out(self):
        for referrer in (
            "android-app://com.instagram.android/",
            "about:blank",
            "https://a.example/\x01",
            "",
        ):
            with self.subTest(referrer), self.visit(referrer=referrer):
                event = self.purchase(self.order())
                self.assertFalse(event.referrer_url)

    def test_a_user_agent_of_any_length_is_told_by_its_start(self):
        with self.visit(agent=f"Mozilla/5.0 (X11) {LONG}\x00"):
            event = self.purchase(self.order())
        self.assertEqual(len(event.user_data["client_user_agent"]), 2048)
        self.assertTrue(event.user_data["client_user_agent"].startswith("Mozilla/5.0"))

    def test_cookies_of_no_length_that_a_library_makes_are_made_anew(self):
        cookies = {"_fbp": FBP + "1" * 4000, "_fbc": FBC + "x" * 4000}
        with self.visit(cookies=cookies, path="/shop?fbclid=New"):
            event = self.purchase(self.order())
        self.assertTrue(event.user_data["fbc"].endswith(".New"))
        self.assertLess(len(event.user_data["fbp"]), 40)

    def test_what_the_customer_tells_at_any_length_is_left_out(self):
        self.customer.write({"name": f"Jane {LONG}", "city": LONG, "zip": LONG})
        event = self.purchase(self.order())
        self.assertFalse({"ln", "ct", "zp"} & event.user_data.keys())
        self.assertTrue({"em", "fn", "external_id"} <= event.user_data.keys())

    def test_a_product_that_names_somebody_is_told_without_that(self):
        for value in ("jane@example.com", "+49 30 901820", LONG):
            with self.subTest(value):
                self.product.name = f"Voucher for {value}"
                self.product.default_code = value
                self.parameters.set_param("meta_capi.content_id", "default_code")
                for event in (
                    self.purchase(self.order()),
                    self.api.send_event(
                        "ViewContent", origin=self.product, user_data={"fbp": FBP}
                    ),
                ):
                    self.assertEqual(event.state, "pending", event.error_message)
                    self.assertGreater(event.custom_data["value"], 0)
                    self.assertNotIn(value, str(event.custom_data))
                    self.assertIn("custom_data.", event.weakness)

    def test_an_order_of_any_size_is_told_of_without_its_lines(self):
        order = self.order()
        line = (0, 0, {"product_id": self.product.id, "product_uom_qty": 1})
        order.order_line = [line] * 200
        self.product.default_code = "y" * 2000
        self.parameters.set_param("meta_capi.content_id", "default_code")
        event = self.purchase(order)
        self.assertEqual(event.custom_data["value"], order.amount_total)
        self.assertNotIn("contents", event.custom_data)
        self.assertIn("is too large", event.weakness)

    def test_what_would_falsify_a_sale_is_invalid_still(self):
        order = self.order()
        order.order_line.price_unit = -100.0
        self.parameters.set_param("meta_capi.exclude_zero_orders", "False")
        event = self.api.send_event("Purchase", origin=order)
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertIn("custom_data.value", event.error_message)

    def test_what_the_caller_gives_and_names_a_person_is_invalid_still(self):
        for arguments in (
            {"custom_data": {"content_name": "jane@example.com"}},
            {"custom_data": {"content_name": "call +49 30 901820"}},
        ):
            with self.subTest(arguments):
                event = self.api.send_event("Lead", origin=self.customer, **arguments)
                self.assertEqual(event.failure_reason, "invalid")
