from unittest.mock import patch

import psycopg2
from psycopg2.errors import SerializationFailure

from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import tagged

from ..models.website import admission
from .test_bridge import AGENT, BridgeCase

# What asks the shop, each as a visitor does.
STATES = ("switched off", "unconfigured", "neutralised")


@tagged("post_install", "-at_install", "requests")
class TestTrace(BridgeCase):
    """Where nothing is to be sent, a visitor leaves no trace; and nothing breaks."""

    def setUp(self):
        super().setUp()
        self.set_mode("load")

    def put(self, state):
        """Put the shop into one of ``STATES``."""
        if state == "switched off":
            self.parameters.set_param("meta_capi.enabled", "False")
        elif state == "unconfigured":
            self.parameters.set_param("meta_capi.pixel_id", False)
        else:
            self.env.flush_all()
            for query in get_neutralization_queries(["ih_meta_conversions_api"]):
                self.env.cr.execute(query)
            self.env.registry.clear_all_caches()
            self.env.invalidate_all()

    def kept(self):
        self.env.cr.execute("SELECT res_model FROM meta_capi_browser")
        return self.env.cr.fetchall()

    def look(self, path):
        response = self.url_open(path, headers={"User-Agent": AGENT}, timeout=60)
        self.assertEqual(response.status_code, 200)
        return response

    def test_a_shop_that_sends_keeps_and_sets_what_the_others_do_not(self):
        response = self.look("/shop?fbclid=AbC")
        self.assertIn("_fbp", self.opener.cookies)
        self.assertIn("meta_capi.js", response.text)
        with self.visiting():
            order = self.order()
        self.pay(order)
        self.write_a_message()
        self.assertTrue(self.events())
        self.assertEqual(
            set(self.kept()), {("sale.order",), ("mail.mail",)}, "the test looks right"
        )

    def test_nobody_leaves_a_trace_in_a_shop_that_sends_nothing(self):
        for state in STATES:
            with self.subTest(state):
                self.put(state)
                for path in ("/?fbclid=AbC", "/shop?fbclid=AbC", "/shop/cart"):
                    self.assertNotIn("meta_capi.js", self.look(path).text)
                with self.visiting(cookies={}, path="/shop?fbclid=AbC"):
                    self.env["meta.capi.visit"]._update_cookies()
                    order = self.order()
                self.add(order, 1, cookies={})
                self.pay(order, cookies={}).reference = state
                self.assertEqual(self.write_a_message().status_code, 200)
                # The test's own, of the form.
                self.opener.cookies.pop("_fbp", None)
                self.assertFalse({"_fbc", "_fbp"} & set(self.opener.cookies.keys()))
                self.assertFalse(self.cookies)
                self.assertFalse(self.kept())
                self.assertFalse(self.events())
                self.parameters.set_param("meta_capi.enabled", "True")
                self.parameters.set_param("meta_capi.pixel_id", self.pixel_id)
                self.parameters.set_param("meta_capi.bridge_enabled", "True")

    def test_no_error_of_ours_breaks_an_order_a_payment_or_a_form(self):
        self.set_mode("server")
        browser = self.env.registry["meta.capi.browser"]
        visit = self.env.registry["meta.capi.visit"]

        def fail_in_postgresql(self, *args):
            self.env.cr.execute("SELECT 1 / 0", log_exceptions=False)

        for broken in (
            patch.object(visit, "_snapshot", side_effect=ValueError("jane@e.com")),
            patch.object(visit, "_keep_each", fail_in_postgresql),
            patch.object(browser, "_upsert", fail_in_postgresql),
        ):
            admission.VISITOR_LIMIT.clear()
            with broken, self.assertLogs("meta.conversions.api", "ERROR") as log:
                with self.visiting():
                    order = self.order()
                self.add(order, 1)
                transaction = self.pay(order)
                transaction.reference = f"test {order.id}"
                response = self.write_a_message()
                self.look("/shop")
            self.assertTrue(order.exists().order_line and transaction.exists())
            self.assertIn("id", response.json())
            self.assertNotIn("jane", "".join(log.output))

    def test_what_has_the_request_replayed_is_let_through(self):
        browser = self.env.registry["meta.capi.browser"]
        for error in (SerializationFailure, psycopg2.errors.ReadOnlySqlTransaction):
            with (
                patch.object(browser, "_upsert", side_effect=error),
                self.visiting(),
                self.assertRaises(error),
            ):
                self.order()
