from odoo.tests import tagged

from .common import FBC, FBP, VisitCase


@tagged("post_install", "-at_install")
class TestBrowserData(VisitCase):
    def purchase(self, order):
        return self.api.send_event("Purchase", origin=order)

    def test_a_website_event_tells_of_its_visitor(self):
        with self.visit():
            event = self.api.send_event("PageView")
        self.assertEqual(event.state, "pending")
        self.assertEqual(event.action_source, "website")
        self.assertEqual(
            event.user_data,
            {
                "client_ip_address": "8.8.8.8",
                "client_user_agent": "Mozilla/5.0 (Visitor)",
                "fbp": FBP,
                "fbc": FBC,
            },
        )
        self.assertEqual(event.event_source_url, "https://shop.example.com/shop/cart")
        self.assertEqual(event.referrer_url, "https://www.facebook.com/")
        self.assertEqual(event.website_id, self.website)

    def test_a_private_address_is_left_out(self):
        with self.visit(address="192.168.1.2"):
            event = self.api.send_event("PageView")
        self.assertNotIn("client_ip_address", event.user_data)

    def test_an_order_confirmed_later_carries_the_customers_browser(self):
        with self.visit():
            order = self.order()
        event = self.purchase(order.with_user(self.salesperson))
        self.assertEqual(event.user_data["fbc"], FBC)
        self.assertEqual(event.user_data["client_user_agent"], "Mozilla/5.0 (Visitor)")
        self.assertEqual(event.event_source_url, "https://shop.example.com/shop/cart")

    def test_the_browser_of_somebody_of_the_back_office_is_never_taken(self):
        order = self.order()
        with self.visit(user=self.salesperson):
            event = self.purchase(order)
        self.assertFalse({"fbp", "client_user_agent"} & set(event.user_data))

    def test_without_consent_an_order_leaves_no_trace_and_is_not_sent(self):
        with self.visit(consent=False):
            order = self.order()
        self.assertEqual(order._meta_capi_browser_data(), {"consent": False})
        event = self.purchase(order)
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        self.assertIn("consent", event.error_message)
        self.deliver()
        self.assertFalse(self.graph.requests)

    def test_consent_given_before_paying_counts(self):
        with self.visit(consent=False):
            order = self.order()
        with self.visit(path="/shop/payment"):
            self.env["meta.capi.browser"]._keep(order)
        self.assertEqual(self.purchase(order).state, "pending")

    def test_an_order_of_the_back_office_asks_nobodys_browser(self):
        order = self.order(website_id=False)
        event = self.purchase(order)
        self.assertEqual((event.state, event.action_source), ("pending", "other"))
        self.assertFalse(order._meta_capi_browser_data())

    def test_the_paying_browser_is_kept_with_the_order(self):
        order = self.order()
        method = (
            self.env["payment.method"]
            .with_context(active_test=False)
            .search([], limit=1)
        )
        provider = self.env["payment.provider"].search([], limit=1)
        with self.visit(path="/shop/payment"):
            self.env["payment.transaction"].create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": method.id,
                    "reference": "test",
                    "amount": order.amount_total,
                    "currency_id": order.currency_id.id,
                    "partner_id": order.partner_id.id,
                    "sale_order_ids": [(6, 0, order.ids)],
                }
            )
        self.assertEqual(order._meta_capi_browser_data()["fbp"], FBP)
