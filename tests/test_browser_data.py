from unittest.mock import patch

from odoo.tests import tagged

from ..models.website import meta_capi_bridge
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
            self.env["meta.capi.visit"]._keep(order)
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

    def test_the_address_that_meta_s_parameter_builder_has_found_is_told(self):
        v4, v6 = "8.8.8.8", "2a00:1450:4001::200e"
        other_v4, other_v6 = "9.9.9.9", "2a00:1450:4001::200f"
        for cookie, address, told in (
            (v6, v4, v6),
            (f"{v6}.AQICAQMC", v4, v6),
            (v6, other_v6, v6),
            (v4, other_v6, other_v6),
            (f"{v4}.AQ", other_v4, v4),
            (v4, other_v4, v4),
            ("fe80::1", v4, v4),
            ("10.0.0.1.AQICAQMC", v4, v4),
            ("anything", v4, v4),
            ("", v4, v4),
            ("x" * 4000, v4, v4),
        ):
            cookies = {"_fbp": FBP, "_fbi": cookie}
            with self.subTest(cookie), self.visit(cookies=cookies, address=address):
                event = self.api.send_event("PageView")
                self.assertEqual(event.user_data["client_ip_address"], told)

    # ------------------------------------------------------------- the browser of now

    def hook(self, event_name, order, **options):
        """Return the event that a visitor makes of an order or cart of theirs."""
        seen = self.env["meta.capi.event"].search([])
        visit = self.visit(**options)
        with visit, patch.object(meta_capi_bridge, "request", visit.new):
            self.env["meta.capi.bridge"]._record_by_hook(event_name, order)
        return self.env["meta.capi.event"].search([]) - seen

    def make_the_funnel_ours(self):
        self.parameters.set_param("meta_capi.bridge_enabled", "True")
        self.parameters.set_param("meta_capi.pixel_mode", "server")

    def test_an_event_of_now_tells_the_browser_of_now(self):
        self.make_the_funnel_ours()
        with self.visit(path="/shop/desk", cookies={"_fbp": FBP}):
            order = self.order()
        for event_name in ("AddToCart", "InitiateCheckout", "AddPaymentInfo"):
            fbc = f"fb.1.1750000000000.{event_name}"
            event = self.hook(
                event_name,
                order,
                path=f"/shop/{event_name}?utm_id=7",
                cookies={"_fbp": FBP, "_fbc": fbc},
                address="9.9.9.9",
            )
            self.assertEqual(event.user_data["fbc"], fbc)
            self.assertEqual(event.user_data["client_ip_address"], "9.9.9.9")
            self.assertIn(event_name, event.event_source_url)

    def test_the_order_keeps_the_newest_click_whichever_browser_it_was_in(self):
        self.make_the_funnel_ours()
        old, new = "fb.1.1700000000000.Old", "fb.1.1750000000000.New"
        for clicks in ((None, new), (old, new), (new, old), (new, None)):
            with self.subTest(clicks):
                first, later = (
                    {"_fbp": FBP, "_fbc": click} if click else {"_fbp": FBP}
                    for click in clicks
                )
                with self.visit(cookies=first):
                    order = self.order()
                event = self.hook("AddToCart", order, cookies=later)
                self.assertEqual(event.user_data.get("fbc"), clicks[1])
                purchase = self.api.send_event("Purchase", origin=order)
                self.assertEqual(purchase.user_data["fbc"], new)

    def test_what_no_browser_has_made_keeps_none_of_the_visitors(self):
        self.make_the_funnel_ours()
        order = self.order()
        self.hook("AddToCart", order)
        self.assertFalse(order._meta_capi_browser_data())
        self.hook("CompleteRegistration", self.customer)
        self.assertFalse(self.customer._meta_capi_browser_data())
