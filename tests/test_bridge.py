import doctest
import gzip
import json
import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from werkzeug.datastructures import Headers

from odoo.http import root
from odoo.sql_db import Cursor
from odoo.tests import BaseCase, HttpCase, new_test_user, tagged
from odoo.tools import hmac

from ..controllers import main
from ..models.website import admission, meta_capi_bridge, rate_limit
from .common import VisitCase

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"
FBP = "fb.1.1700000000000.1234567890"


class BridgeCase(VisitCase, HttpCase):
    """A shop whose pages tell of events, and a visitor with cookies allowed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.parameters.set_param("meta_capi.bridge_enabled", "True")
        cls.website.cookies_bar = False

    def setUp(self):
        super().setUp()
        admission.VISITOR_LIMIT.clear()
        admission.TOTAL_LIMIT.clear()
        self.authenticate(None, None)

    def set_mode(self, mode):
        self.parameters.set_param("meta_capi.pixel_mode", mode)

    def log_in(self, login, groups):
        user = new_test_user(self.env, login, groups=groups, password="test-password")
        self.authenticate(login, "test-password")
        return user

    def set_session(self, **values):
        self.session.update(values)
        root.session_store.save(self.session)

    @contextmanager
    def visiting(self, user=None, **options):
        """Let the code under test see a request of a visitor's."""
        visit = self.visit(user, **options)
        with visit, patch.object(meta_capi_bridge, "request", visit.new):
            yield

    def pay(self, order, **options):
        """Let a visitor pay, as far as a transaction is made of it."""
        method = self.env["payment.method"].with_context(active_test=False)
        with self.visiting(**options):
            return self.env["payment.transaction"].create(
                {
                    "provider_id": self.env["payment.provider"].search([], limit=1).id,
                    "payment_method_id": method.search([], limit=1).id,
                    "reference": "test",
                    "amount": order.amount_total,
                    "currency_id": order.currency_id.id,
                    "partner_id": order.partner_id.id,
                    "sale_order_ids": [(6, 0, order.ids)],
                }
            )

    def add(self, order, quantity, **options):
        with self.visiting(**options):
            if hasattr(order, "_cart_update_line_quantity"):  # from 19 on
                return order._cart_add(self.product.id, quantity)
            return order._cart_update(self.product.id, add_qty=quantity)

    def sign_up(self, **options):
        self.parameters.set_param("auth_signup.invitation_scope", "b2c")
        self.website.auth_signup_uninvited = "b2c"
        values = {
            "login": "new@example.com",
            "name": "New",
            "password": "test-password",
        }
        with self.visiting(**options):
            users = self.env["res.users"].with_context(website_id=self.website.id)
            return users.sudo()._signup_create_user(values)

    def write_a_message(self):
        """Send the contact form; return the answer."""
        self.env.company.email = "shop@example.com"
        values = {
            "email_from": "jane@example.com",
            "subject": "A question",
            "email_to": "shop@example.com",
            "body_html": "What is it?",
            # Odoo signs the address that the form names.
            "website_form_signature": hmac(
                self.env, "website_form_signature", "shop@example.com"
            ),
        }
        return self.opener.request(
            "POST",
            f"{self.base_url()}/website/form/mail.mail",
            data=values,
            headers={"User-Agent": AGENT},
            timeout=20,
        )

    def request(self, path, body=b"", method="POST", **headers):
        """Ask as the script does, but for the given headers; None leaves one out."""
        headers = {
            "Origin": self.base_url(),
            "User-Agent": AGENT,
            "Content-Type": "text/plain;charset=UTF-8",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.opener.cookies["_fbp"] = FBP
        return self.opener.request(
            method, self.base_url() + path, data=body, headers=headers, timeout=20
        )

    def collect(
        self, event_name="AddToWishlist", event_id="an-id", headers=(), **values
    ):
        payload = {"event_name": event_name, "event_id": event_id, **values}
        return self.request(
            "/meta_capi/collect", json.dumps(payload).encode(), **dict(headers)
        )

    def events(self, **values):
        self.env.invalidate_all()
        return self.env["meta.capi.event"].search(
            [(name, "=", value) for name, value in values.items()], order="id"
        )

    def assertNothing(self, response, status=204):
        self.assertEqual(response.status_code, status)
        self.assertFalse(self.events())


@tagged("post_install", "-at_install", "requests")
class TestBridge(BridgeCase):
    """What a browser may tell, and what it may not."""

    def test_an_event_of_the_browser_is_recorded_with_its_id(self):
        response = self.collect(
            "ViewContent",
            "browser-1",
            event_source_url=f"{self.base_url()}/shop/desk?utm_source=fb#top",
            referrer_url="https://www.facebook.com/",
            custom_data={
                "value": 10,
                "currency": "eur",
                "content_ids": [7],
                "contents": [{"id": "7", "quantity": 1, "title": "Desk"}],
                "email": "jane@example.com",
            },
        )
        self.assertEqual((response.status_code, response.content), (204, b""))
        event = self.events()
        self.assertEqual(event.state, "pending", event.error_message)
        self.assertEqual(
            (event.event_name, event.event_id), ("ViewContent", "browser-1")
        )
        self.assertEqual(event.action_source, "website")
        self.assertEqual(event.website_id, self.website)
        self.assertEqual(
            event.event_source_url, f"{self.base_url()}/shop/desk?utm_source=fb"
        )
        self.assertEqual(event.referrer_url, "https://www.facebook.com/")
        self.assertEqual(
            event.custom_data,
            {
                "value": 10,
                "currency": "EUR",
                "content_ids": ["7"],
                "contents": [{"id": "7", "quantity": 1}],
            },
        )
        self.assertEqual(event.user_data["fbp"], FBP)
        self.assertEqual(event.user_data["client_user_agent"], AGENT)
        self.assertFalse(event.browser_twin)

    def test_the_same_event_twice_is_one(self):
        self.collect(event_id="twice")
        self.assertEqual(self.collect(event_id="twice").status_code, 204)
        self.assertEqual(len(self.events()), 1)

    def test_without_a_pixel_there_is_no_copy_in_the_browser(self):
        self.set_mode("server")
        self.collect("ViewContent")
        self.assertFalse(self.events().browser_twin)

    def test_the_customer_who_is_logged_in_is_told_of(self):
        self.log_in("buyer", "base.group_portal")
        self.collect("ViewContent")
        self.assertIn("external_id", self.events().user_data)

    # ---------------------------------------------------------------------- refused

    def test_other_origins_are_refused(self):
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"{self.base_url()}.evil.example"},
            {"Origin": f"ftp://{self.base_url().partition('://')[2]}"},
            {"Origin": None},
            {"Origin": None, "Sec_Fetch_Site": "cross-site"},
            {"Origin": None, "Sec_Fetch_Site": "none", "Referer": self.base_url()},
            {"Origin": None, "Referer": "https://evil.example/shop"},
            {"Origin": None, "Referer": "http://["},
        ):
            with self.subTest(headers):
                self.assertNothing(self.collect(headers=headers), 403)

    def test_the_same_origin_is_told_by_any_of_three_headers(self):
        for index, headers in enumerate(
            (
                {},
                {"Origin": None, "Sec_Fetch_Site": "same-origin"},
                {"Origin": None, "Referer": f"{self.base_url()}/shop"},
            )
        ):
            self.collect(event_id=f"id-{index}", headers=headers)
            self.assertEqual(len(self.events()), index + 1)

    def test_what_is_no_event_is_refused(self):
        good = {"event_name": "ViewContent", "event_id": "1"}
        for body in (
            b"",
            b"\xff",
            b"null",
            b"[]",
            b"[" * 16_000,
            b'{"a":' * 3000,
            b"1" * 10_000,
            b'{"event_name": "Lead", "event_name": "Lead", "event_id": "1"}',
            *(
                json.dumps(payload).encode()
                for payload in (
                    {},
                    {**good, "event_id": ""},
                    {**good, "event_id": None},
                    {**good, "event_id": 7},
                    {**good, "event_id": "x" * 101},
                    {**good, "event_id": "\x00"},
                    {**good, "event_id": "jane@example.com"},
                    {**good, "event_name": "x" * 101},
                    {**good, "event_name": ["ViewContent"]},
                    {**good, "user_data": {"em": "jane@example.com"}},
                    {**good, "custom_data": "value"},
                    {**good, "custom_data": {"value": float("nan")}},
                )
            ),
        ):
            admission.VISITOR_LIMIT.clear()
            with self.subTest(body[:80]):
                self.assertNothing(self.request("/meta_capi/collect", body), 400)

    def test_what_is_too_large_is_not_even_read(self):
        body = json.dumps({"event_name": "Lead", "event_id": "x" * 2**20}).encode()
        self.assertNothing(self.request("/meta_capi/collect", body[:20_000]), 413)
        self.assertNothing(self.request("/meta_capi/collect", body), 413)
        self.assertNothing(
            self.request("/meta_capi/collect", iter([body[:100]]), Content_Length=None),
            411,
        )

    def test_forms_are_refused(self):
        for content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            response = self.collect(headers={"Content_Type": content_type})
            self.assertNothing(response, 400)

    def test_other_methods_are_refused(self):
        self.assertNothing(self.request("/meta_capi/collect", method="GET"), 405)

    def test_events_that_are_not_allowed_are_not_recorded(self):
        self.parameters.set_param("meta_capi.bridge_events", "ViewContent, Purchase")
        for name in ("Lead", "SubscribedButtonClick", "viewcontent", "Purchase"):
            self.assertNothing(self.collect(name))
        self.collect("ViewContent")
        self.assertEqual(len(self.events()), 1)

    def test_nothing_is_recorded_while_switched_off(self):
        for key in (
            "meta_capi.enabled",
            "meta_capi.bridge_enabled",
            "meta_capi.pixel_id",
        ):
            value = self.parameters.get_param(key)
            self.parameters.set_param(key, False)
            self.assertNothing(self.collect())
            self.assertNothing(self.request("/meta_capi/order"))
            self.parameters.set_param(key, value)
        self.collect()
        self.assertEqual(len(self.events()), 1)

    def test_robots_and_employees_leave_no_trace(self):
        self.assertNothing(self.collect(headers={"User_Agent": "Googlebot/2.1"}))
        self.log_in("employee", "base.group_user")
        self.assertNothing(self.collect())

    def test_without_consent_nothing_is_recorded(self):
        self.website.cookies_bar = True
        self.assertNothing(self.collect())
        cookie = '{"required": true, "optional": %s}'
        self.opener.cookies["website_cookies_bar"] = cookie % "false"
        self.assertNothing(self.collect())
        self.opener.cookies["website_cookies_bar"] = cookie % "true"
        self.collect()
        self.assertEqual(len(self.events()), 1)

    # --------------------------------------------------------------------- not forged

    def test_who_the_visitor_is_is_not_for_the_body_to_tell(self):
        self.collect(
            event_source_url="https://evil.example/shop",
            headers={
                "X_Forwarded_For": "8.8.8.8",
                "Referer": f"{self.base_url()}/shop",
            },
        )
        event = self.events()
        self.assertNotIn("client_ip_address", event.user_data)
        self.assertEqual(event.event_source_url, f"{self.base_url()}/shop")

    def test_a_page_is_told_without_what_opens_a_document(self):
        url = f"{self.base_url()}/my/orders/5?access_token=secret&a=b&token=secret"
        self.collect(event_source_url=url, referrer_url="javascript:alert(1)")
        self.assertEqual(
            self.events().event_source_url, f"{self.base_url()}/my/orders/5?a=b"
        )
        self.assertFalse(self.events().referrer_url)

    def test_what_meta_would_refuse_is_left_out(self):
        self.collect(
            custom_data={
                "value": -5,
                "currency": "XXXX",
                "content_name": {"a": {"b": "c"}},
                "contents": [["deep"], {"quantity": 1}, {"id": "7", "quantity": [1]}],
                "content_ids": ["a", ["b"]],
                "status": True,
            }
        )
        event = self.events()
        self.assertEqual(event.state, "pending", event.error_message)
        self.assertEqual(
            event.custom_data,
            {"contents": [{"id": "7"}], "content_ids": ["a"], "status": True},
        )

    def test_a_cart_is_worth_what_the_server_says(self):
        cart = self.order()
        self.set_session(sale_order_id=cart.id)
        for name, event_id in (
            ("InitiateCheckout", cart._meta_capi_event_id("InitiateCheckout")),
            ("AddPaymentInfo", "of-the-browser"),
        ):
            self.collect(name, event_id, custom_data={"value": 1, "currency": "EUR"})
            event = self.events(event_name=name)
            self.assertEqual(event.event_id, event_id)
            self.assertEqual(event.custom_data["value"], 200)
            self.assertEqual(event.custom_data["currency"], cart.currency_id.name)
            self.assertEqual((event.res_model, event.res_id), ("sale.order", cart.id))

    def test_an_event_of_the_browser_reads_no_user(self):
        self.collect("ViewContent", "first")  # what a process looks up once
        found = []
        execute = Cursor.execute

        def note(cursor, query, *args, **options):
            found.append(getattr(query, "code", query))
            return execute(cursor, query, *args, **options)

        with patch.object(Cursor, "execute", note):
            self.collect("ViewContent", "second")
        self.assertTrue(any("INTO meta_capi_event" in query for query in found))
        for query in found:
            self.assertNotRegex(query, 'FROM "res_users"')

    def test_the_id_of_another_order_is_not_taken(self):
        cart, other = self.order(), self.order()
        checkout = "InitiateCheckout"
        for session, name, event_id in (
            ({}, checkout, cart._meta_capi_event_id(checkout)),
            ({"sale_order_id": cart.id}, checkout, other._meta_capi_event_id(checkout)),
            ({"sale_order_id": cart.id}, "ViewContent", cart.meta_capi_event_id),
            ({"sale_order_id": cart.id}, "Purchase", cart.meta_capi_event_id),
            ({"sale_order_id": cart.id}, "Purchase", "another"),
        ):
            self.set_session(**session)
            self.assertNothing(self.collect(name, event_id))

    def test_an_event_on_record_is_not_rebuilt(self):
        invalid = self.api.send_event("ViewContent", event_id="known")
        self.assertEqual(invalid.state, "failed")
        self.collect("ViewContent", "known")
        self.assertEqual(self.events(), invalid)
        self.assertEqual(invalid.state, "failed")

    def test_a_cart_of_another_website_is_not_the_visitors(self):
        cart = self.order(website_id=self.website.copy({"name": "Other"}).id)
        self.set_session(sale_order_id=cart.id)
        self.collect("InitiateCheckout", "any")
        self.assertFalse(self.events().res_id)

    # ------------------------------------------------------------------- nothing broken

    def test_what_breaks_is_no_error_of_the_server(self):
        bridge = type(self.env["meta.capi.bridge"])
        with patch.object(bridge, "_collect", side_effect=ValueError("broken")):
            with self.assertLogs("meta.conversions.api", "ERROR") as log:
                self.assertNothing(self.collect())
        self.assertIn("Traceback", log.output[0])

    def test_no_session_is_made(self):
        self.opener.cookies.pop("session_id")
        response = self.collect()
        self.assertEqual(len(self.events()), 1)
        self.assertNotIn("session_id", response.cookies)

    def test_a_new_event_locks_no_row(self):
        cart = self.order()
        self.set_session(sale_order_id=cart.id)
        self.env.flush_all()
        statements = []
        execute = type(self.env.cr).execute

        def spy(cr, query, *args, **kwargs):
            statements.append(str(getattr(query, "code", query)).strip().split()[0])
            return execute(cr, query, *args, **kwargs)

        with patch.object(type(self.env.cr), "execute", spy):
            self.collect("InitiateCheckout", "any")
        self.assertEqual(len(self.events()), 1)
        self.assertFalse({"UPDATE", "DELETE"} & set(map(str.upper, statements)))

    def test_what_a_website_has_is_not_read_for_each_event(self):
        # What a process looks up once: the settings, and, where it did not read the
        # website for them, the cookies bar.
        for event_id in "ab":
            self.collect(event_id=event_id)
        statements = []
        execute = type(self.env.cr).execute

        def spy(cr, query, *args, **kwargs):
            statements.append(str(getattr(query, "code", query)).replace('"', ""))
            return execute(cr, query, *args, **kwargs)

        with patch.object(type(self.env.cr), "execute", spy):
            self.collect(event_id="c")
        self.assertEqual(len(self.events()), 3)
        self.assertEqual([s for s in statements if "FROM website " in s], [])

    # ------------------------------------------------------------------- how often

    def test_a_visitor_who_asks_too_often_is_refused(self):
        clock = [0.0]
        limit = rate_limit.RateLimit(
            rate=1, burst=30, max_keys=10, clock=lambda: clock[0]
        )
        with patch.object(admission, "VISITOR_LIMIT", limit):
            statuses = []
            # Twenty times the permitted rate, for five seconds.
            for index in range(100):
                clock[0] = index / 20
                statuses.append(self.collect(event_id=f"id-{index}").status_code)
        self.assertLessEqual(len(self.events()), 35)
        self.assertEqual(statuses.count(204), len(self.events()))
        self.assertEqual(set(statuses), {204, 429})

    def test_a_refused_request_looks_nothing_up_and_makes_no_session(self):
        self.opener.cookies.pop("session_id")
        limit = rate_limit.RateLimit(rate=1, burst=0, clock=lambda: 0)
        with (
            patch.object(admission, "VISITOR_LIMIT", limit),
            patch.object(self.registry["ir.http"], "_authenticate") as authenticate,
        ):
            response = self.collect()
        self.assertEqual(response.status_code, 429)
        self.assertNotIn("session_id", response.cookies)
        authenticate.assert_not_called()

    def test_all_visitors_together_are_limited_as_well(self):
        limit = rate_limit.RateLimit(rate=1, burst=2, clock=lambda: 0)
        with patch.object(admission, "TOTAL_LIMIT", limit):
            statuses = [self.collect(event_id=f"{i}").status_code for i in range(4)]
        self.assertEqual(statuses, [204, 204, 429, 429])

    def test_a_forged_address_is_no_other_visitor(self):
        limit = rate_limit.RateLimit(rate=1, burst=2, max_keys=10, clock=lambda: 0)
        with patch.object(admission, "VISITOR_LIMIT", limit):
            for index in range(4):
                headers = {"X_Forwarded_For": f"8.8.8.{index}"}
                self.collect(event_id=f"id-{index}", headers=headers)
        self.assertEqual(len(self.events()), 2)

    # ---------------------------------------------------------------------- the order

    def placed(self, **values):
        order = self.order(state="sale", **values)
        self.set_session(sale_last_order_id=order.id)
        return order

    def test_the_visitor_learns_the_id_of_the_own_order(self):
        order = self.placed()
        response = self.request("/meta_capi/order")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(
            response.json(), {"event_id": order.meta_capi_event_id, "repeat": False}
        )
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertFalse(self.request("/meta_capi/order").json()["repeat"])
        self.shift("purchase_handed_at", 25 * 3600, "meta_capi_browser")
        self.assertTrue(self.request("/meta_capi/order").json()["repeat"])
        self.assertFalse(self.events())

    def test_nobody_learns_of_an_order_that_is_not_placed(self):
        self.assertNothing(self.request("/meta_capi/order"))
        self.placed().state = "draft"
        self.assertNothing(self.request("/meta_capi/order"))
        self.placed().state = "cancel"
        self.assertNothing(self.request("/meta_capi/order"))
        self.placed(website_id=self.website.copy({"name": "Other"}).id)
        self.assertNothing(self.request("/meta_capi/order"))
        self.set_session(sale_last_order_id="1")
        self.assertNothing(self.request("/meta_capi/order"))

    def test_the_order_is_asked_for_from_the_same_origin_only(self):
        self.placed()
        response = self.request("/meta_capi/order", Origin="https://evil.example")
        self.assertEqual((response.status_code, response.content), (403, b""))


@tagged("post_install", "-at_install", "requests")
class TestBridgeHooks(BridgeCase):
    """The funnel's events that our own models make."""

    def setUp(self):
        super().setUp()
        self.set_mode("server")

    def test_what_is_added_to_a_cart(self):
        order = self.order(order_line=False)
        self.add(order, 2)
        event = self.events(event_name="AddToCart")
        self.assertEqual(event.custom_data["value"], 200)
        self.assertEqual(event.custom_data["contents"][0]["quantity"], 2)
        self.assertEqual((event.state, event.browser_twin), ("pending", False))
        self.add(order, 1)
        later = self.events(event_name="AddToCart") - event
        self.assertEqual(later.custom_data["contents"][0]["quantity"], 1)
        self.assertEqual(later.custom_data["value"], 100)

    def test_what_is_taken_out_of_a_cart_is_not_added(self):
        order = self.order()
        self.add(order, -1)
        self.assertFalse(self.events())

    def checkout(self, cart):
        """Go to the checkout as the script does; return the event, if it is a new one."""
        seen = self.events()
        admission.VISITOR_LIMIT.clear()
        self.set_session(sale_order_id=cart.id)
        event_id = cart._meta_capi_event_id("InitiateCheckout")
        self.collect("InitiateCheckout", event_id)
        event = self.events() - seen
        self.assertFalse(set(event.mapped("event_id")) - {event_id})
        return event

    def test_each_checkout_begun_is_told_of_once(self):
        cart = self.order()
        first = self.checkout(cart)
        self.assertEqual(first.custom_data["num_items"], 2)
        self.assertFalse(self.checkout(cart))
        # What is bought stays the same, whatever is paid for it.
        cart.order_line.price_unit = 7
        self.assertFalse(self.checkout(cart))

        cart.order_line.product_uom_qty = 3
        bigger = self.checkout(cart)
        self.assertEqual(bigger.custom_data["num_items"], 3)
        self.assertFalse(self.checkout(cart))
        cart.order_line.product_uom_qty = 2
        self.assertTrue(self.checkout(cart))
        self.assertFalse(self.checkout(cart))

        self.shift("event_time", 23 * 3600)
        self.assertFalse(self.checkout(cart))
        self.shift("event_time", 3600)
        later = self.checkout(cart)
        self.assertTrue(later)
        self.assertFalse(self.checkout(cart))
        self.shift("event_time", 23 * 3600)
        self.assertFalse(self.checkout(cart))
        self.shift("event_time", 3600)
        self.assertTrue(self.checkout(cart))
        events = self.events(event_name="InitiateCheckout")
        # Else none could begin once the first is purged.
        self.assertFalse(any(events.mapped("happens_once")))
        ids = events.mapped("event_id")
        self.assertEqual((len(ids), len(set(ids))), (5, 5))

    def test_copies_for_other_pixels_begin_no_checkout(self):
        self.parameters.set_param("meta_capi.extra_pixel_ids", "20001")
        cart = self.order()
        self.assertEqual(len(self.checkout(cart)), 2)
        self.assertFalse(self.checkout(cart))

    def test_a_payment_and_an_account(self):
        order = self.order()
        self.pay(order)
        payment = self.events()
        self.assertEqual(payment.event_name, "AddPaymentInfo")
        self.assertEqual(payment.event_id, order._meta_capi_event_id("AddPaymentInfo"))
        self.assertEqual(payment.custom_data["value"], order.amount_total)
        user = self.sign_up()
        account = self.events(event_name="CompleteRegistration")
        self.assertEqual(account.custom_data, {"status": True})
        self.assertEqual(account.partner_id, user.partner_id)

    def test_a_form_keeps_the_visitors_browser_also_where_the_page_makes_the_events(
        self,
    ):
        self.set_mode("page")
        self.assertEqual(self.write_a_message().status_code, 200)
        self.assertFalse(self.events())
        mail = self.env["mail.mail"].sudo().search([], order="id desc", limit=1)
        kept = mail._meta_capi_browser_data()
        self.assertEqual((kept["consent"], kept["client_user_agent"]), (True, AGENT))

    def test_a_message_of_the_website_tells_of_who_wrote_it(self):
        self.opener.cookies["_fbp"] = FBP
        response = self.write_a_message()
        self.assertIn("id", response.json(), response.text)
        event = self.events()
        self.assertEqual((event.event_name, event.state), ("Contact", "pending"))
        self.assertEqual(
            event.user_data["em"],
            self.record(user_data={"em": "jane@example.com"}).user_data["em"],
        )

    def test_nothing_is_made_where_it_is_not_for_us(self):
        employee = self.log_in("employee", "base.group_user")
        for options in (
            {"consent": False},
            {"consent": None},
            {"is_bot": True},
            {"user": employee},
        ):
            with self.subTest(options):
                self.add(self.order(order_line=False), 1, **options)
                self.assertFalse(self.events())
        self.set_mode("page")
        order = self.order()
        self.add(order, 1)
        self.pay(order)
        self.sign_up()
        self.write_a_message()
        self.assertFalse(self.events())

    def test_what_breaks_in_a_hook_does_not_break_the_shop(self):
        order = self.order(order_line=False)
        broken = patch.object(
            type(order), "_meta_capi_products_data", side_effect=ValueError("broken")
        )
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            self.add(order, 1)
        self.assertTrue(order.order_line)
        self.assertFalse(self.events())


@tagged("post_install", "-at_install", "requests")
class TestHandOver(BridgeCase):
    """What a page is told of what was made of the requests that led to it."""

    def setUp(self):
        super().setUp()
        self.set_mode("load")
        self.session_of_visit = {}

    def answer(self, status, events=(), **options):
        """Answer a request that made events; return the ids that its page is told."""
        with self.visiting(**options):
            request = meta_capi_bridge.request
            request.session = self.session_of_visit
            request.future_response.headers = Headers()
            request.httprequest.headers = options.get("headers", {})
            request.httprequest.environ["meta_capi.made"] = [
                (event.id, {"name": event.event_name, "id": event.event_id})
                for event in events
            ]
            response = SimpleNamespace(status_code=status, mimetype="text/html")
            self.env["meta.capi.bridge"]._hand_over(response)
            told = request.future_response.headers.get("Server-Timing", "")
        return re.findall(r"event-\d", told)

    def test_what_two_redirections_made_is_told_together(self):
        first, second = self.record(event_id="event-1"), self.record(event_id="event-2")
        self.assertFalse(self.answer(303, first))
        self.assertFalse(self.answer(303, second))
        self.assertEqual(self.answer(200), ["event-1", "event-2"])
        self.assertFalse(self.answer(200))

    def test_of_redirections_no_more_is_kept_than_a_page_can_use(self):
        event = self.record(event_id="event-1")
        for _number in range(50):
            self.answer(303, event)
        self.assertEqual(len(self.session_of_visit["meta_capi.made"]), 20)

    def test_a_no_in_between_lets_the_page_know_nothing(self):
        self.answer(303, self.record(event_id="event-1"))
        self.assertFalse(self.answer(200, consent=False))
        self.assertFalse(self.answer(200))

    def test_a_switch_off_in_between_lets_the_page_know_nothing(self):
        self.answer(303, self.record(event_id="event-1"))
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertFalse(self.answer(200))
        self.assertFalse(self.session_of_visit)


class TestBridgeParts(BaseCase):
    def test_examples_of_the_docstrings(self):
        for module in (admission, main, rate_limit, meta_capi_bridge):
            self.assertEqual(doctest.testmod(module).failed, 0)

    def test_the_script_is_small(self):
        script = (
            Path(__file__).parent.parent / "static/src/js/meta_capi.js"
        ).read_bytes()
        self.assertLess(len(gzip.compress(script)), 6500)

    def test_what_is_no_url_is_of_no_host(self):
        for url in (None, "", "null", "http://[", "//shop.example", "http://x:y/"):
            self.assertFalse(meta_capi_bridge.is_same_host(url, "shop.example"))

    def test_a_bucket_that_is_pushed_out_is_full_again(self):
        limit = rate_limit.RateLimit(rate=1, burst=1, max_keys=2, clock=lambda: 0)
        self.assertEqual([limit.allows(key) for key in "aab"], [True, False, True])
        self.assertTrue(limit.allows("c"))
        self.assertTrue(limit.allows("a"))
        self.assertFalse(limit.allows("c"))

    def test_clients_are_told_apart_by_network_in_ipv6(self):
        key = admission.client_key
        self.assertNotEqual(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"))
        self.assertEqual(key("::ffff:8.8.8.8"), key("8.8.8.8"))
        self.assertNotEqual(key("8.8.8.8"), key("8.8.8.9"))
        self.assertEqual((key("unknown"), key(None)), ("unknown", None))
