from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user, tagged

from .common import FBC, FBP, VisitCase, set_values


@tagged("post_install", "-at_install")
class TestConsent(VisitCase):
    """Nobody is tracked who does not want to be, and nobody is remembered for ever."""

    def purchase(self, order):
        return self.api.send_event("Purchase", origin=order)

    def kept(self, record):
        return self.env["meta.capi.browser"]._snapshot_of(record)

    # --------------------------------------------------------------- no consent yet

    def test_without_an_answer_nothing_is_kept_set_or_recorded(self):
        with self.visit(consent=None, cookies={}, path="/shop?fbclid=AbC"):
            self.env["meta.capi.visit"]._update_cookies()
            order = self.order()
            event = self.api._record_from_browser(
                {"event_name": "PageView", "event_id": "1"}
            )
        self.assertFalse(self.cookies)
        self.assertFalse(event)
        self.assertEqual(self.kept(order), {"consent": False})
        self.assertFalse(self.env["meta.capi.event"].search([("event_id", "=", "1")]))

    def test_consent_given_later_in_the_visit_counts_from_then_on(self):
        with self.visit(consent=None, cookies={}, path="/shop?fbclid=AbC"):
            order = self.order()
        # The click is in the referrer of the next page.
        with self.visit(
            cookies={}, path="/cart", referrer="https://shop.example.com/?fbclid=AbC"
        ):
            self.env["meta.capi.visit"]._update_cookies()
            self.env["meta.capi.visit"]._keep(order)
        self.assertRegex(self.cookies["_fbc"], r"^fb\.1\.\d{13}\.AbC$")
        self.assertEqual(self.kept(order)["fbc"], self.cookies["_fbc"])
        self.assertEqual(self.purchase(order).state, "pending")

    def test_what_an_employee_does_with_a_customer_s_cart_is_no_browser_of_the_customer(
        self,
    ):
        employee = self.env.ref("base.user_admin")
        self.assertNotEqual(self.customer, employee.partner_id)
        order = self.order()
        with self.visit(employee):
            event = self.api._record_from_browser(
                {"event_name": "AddToCart", "event_id": "1", "origin": order}
            )
        self.assertNotIn("fbp", event.user_data)
        self.assertNotIn("client_user_agent", event.user_data)

    # ------------------------------------------------------------------- withdrawal

    def test_withdrawn_consent_cancels_what_waits_and_forgets_the_browser(self):
        with self.visit():
            order, unpaid = self.order(), self.order()
            view = self.api.send_event("PageView")
        purchase = self.purchase(order)
        stranger = self.record(user_data={"fbp": "fb.1.1700000000000.9999999999"})
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        for event in (view, purchase):
            self.assertEqual((event.state, event.user_data), ("cancelled", {}))
            self.assertIn("withdrawn", event.error_message)
            self.assertFalse(event.event_source_url)
        self.assertEqual(stranger.state, "pending")
        self.assertEqual(self.cookies, {"_fbc": "", "_fbp": ""})
        # Paid by the provider's message afterwards: not sent either.
        self.assertEqual(self.kept(unpaid), {"consent": False})
        self.assertEqual(self.purchase(unpaid).state, "cancelled")
        self.deliver()
        (received,) = self.graph.events
        self.assertEqual(received.event["event_id"], stranger.event_id)

    def test_a_no_counts_where_the_consent_tool_has_taken_the_cookies_itself(self):
        with self.visit():
            order = self.order()
            view = self.api.send_event("PageView")
        for key in ("sale_order_id", "sale_last_order_id"):
            with self.subTest(key), self.env.cr.savepoint() as step:
                with self.visit(consent=False, cookies={}) as request:
                    request.session[key] = order.id
                    self.env["meta.capi.visit"]._update_cookies()
                self.assertEqual(view.state, "cancelled")
                self.assertEqual(self.kept(order), {"consent": False})
                self.assertEqual(self.purchase(order).state, "cancelled")
                step.rollback()

    def test_a_no_counts_where_nothing_but_the_consent_is_kept(self):
        with self.visit():
            order = self.order()
        visit = self.env["meta.capi.visit"]
        self.env["meta.capi.browser"]._forget([(order._name, order.id)])
        self.assertEqual(self.kept(order), {"consent": True})
        with self.visit(consent=False, cookies={}) as request:
            request.session["sale_order_id"] = order.id
            visit._update_cookies()
            self.assertFalse(visit._orders_with_consent())
        self.assertEqual(self.purchase(order).state, "cancelled")

    def test_a_no_of_somebody_else_leaves_the_order_alone(self):
        with self.visit():
            order = self.order()
        with self.visit(consent=False, cookies={}):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertTrue(self.kept(order)["consent"])

    def test_a_cookie_of_the_bar_that_holds_no_answer_is_none(self):
        for value, answer in (
            ('{"required": true, "optional": false}', False),
            ("{}", None),
            ("true", None),  # of before Odoo 16
            ("null", None),
            ("5", None),
            ("[]", None),
            ("optional", None),
            ("", None),
        ):
            cookies = {"website_cookies_bar": value}
            with self.subTest(value), self.visit(consent=None, cookies=cookies):
                self.assertIs(self.env["meta.capi.visit"]._consent_of_bar(), answer)

    def test_withdrawn_consent_reaches_what_has_failed_and_could_be_retried(self):
        with self.visit():
            failed = self.api.send_event("PageView", custom_data={"value": "?"})
        self.assertEqual(failed.state, "failed")
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertEqual((failed.state, failed.user_data), ("cancelled", {}))
        self.assertFalse(failed.failure_reason)

    def test_a_logged_in_customers_withdrawal_reaches_events_of_other_browsers(self):
        user = new_test_user(self.env, "jane", groups="base.group_portal")
        with self.visit(user=user, cookies={"_fbp": "fb.1.1700000000000.5555555555"}):
            phone = self.api.send_event("PageView")
        self.assertEqual(phone.partner_id, user.partner_id)
        with self.visit(user=user, consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertEqual(phone.state, "cancelled")

    def test_what_was_sent_before_the_withdrawal_stays_on_record(self):
        with self.visit():
            event = self.api.send_event("PageView")
        self.deliver()
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertEqual(event.state, "sent")

    def test_refusing_while_paying_cancels_an_order_made_with_consent(self):
        with self.visit():
            order = self.order()
        with self.visit(consent=False):
            event = self.purchase(order)
        self.assertEqual(event.state, "cancelled")

    # ------------------------------------------------------- whose browser, and when

    def test_somebody_elses_request_does_not_replace_the_customers_browser(self):
        with self.visit():
            order = self.order()
        with self.visit(cookies={}, address="9.9.9.9"):
            event = self.purchase(order)
        self.assertEqual(event.user_data["client_ip_address"], "8.8.8.8")
        self.assertEqual(event.user_data["fbp"], FBP)

    def test_a_request_without_an_answer_takes_no_consent_back(self):
        with self.visit():
            order = self.order()
        with self.visit(consent=None, cookies={}):
            event = self.purchase(order)
        self.assertEqual((event.state, event.user_data["fbc"]), ("pending", FBC))

    def test_robots_leave_nothing(self):
        with self.visit(is_bot=True, cookies={}):
            self.env["meta.capi.visit"]._update_cookies()
            order = self.order()
            event = self.api._record_from_browser({"event_name": "PageView"})
        self.assertFalse(self.cookies or event or self.kept(order))

    def test_ipv6_of_the_same_browser_is_preferred(self):
        address = "2a00:1450:4001:80b::200e"
        with self.visit(address=address):
            order = self.order()
        with self.visit(address="8.8.8.8"):
            self.env["meta.capi.visit"]._keep(order)
        self.assertEqual(self.kept(order)["client_ip_address"], address)

    def test_urls_are_kept_without_what_names_a_person(self):
        path = "/shop/payment?access_token=secret&email=jane%40example.com&step=2"
        with self.visit(path=path):
            order = self.order()
        self.assertEqual(
            self.kept(order)["event_source_url"],
            "https://shop.example.com/shop/payment?step=2",
        )

    # ------------------------------------------------------------------ the cookies

    def test_a_click_on_an_ad_becomes_fbc_and_a_missing_fbp_is_made(self):
        with self.visit(cookies={}, path="/shop?fbclid=IwAR_Click"):
            self.env["meta.capi.visit"]._update_cookies()
            event = self.api.send_event("PageView")
        self.assertRegex(self.cookies["_fbc"], r"^fb\.1\.\d{13}\.IwAR_Click$")
        self.assertRegex(self.cookies["_fbp"], r"^fb\.1\.\d{13}\.\d{10}$")
        # The event of the same request tells the same.
        self.assertEqual(event.user_data["fbc"], self.cookies["_fbc"])
        self.assertEqual(event.user_data["fbp"], self.cookies["_fbp"])

    def test_cookies_that_are_there_stay_as_they_are(self):
        with self.visit(path="/shop?fbclid=AbCdEf"):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertFalse(self.cookies)
        with self.visit(path="/shop?fbclid=Another"):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertEqual(self.cookies.keys(), {"_fbc"})

    def test_switched_off_no_cookie_is_touched(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        with self.visit(cookies={}, path="/shop?fbclid=AbC"):
            self.env["meta.capi.visit"]._update_cookies()
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertFalse(self.cookies)

    # --------------------------------------------------- orders without any browser

    def test_orders_without_a_browser_follow_a_setting_of_their_own(self):
        self.assertEqual(self.purchase(self.order(website_id=False)).state, "pending")
        self.parameters.set_param("meta_capi.send_without_browser", "False")
        event = self.purchase(self.order(website_id=False))
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        self.assertIn("browser", event.error_message)
        with self.visit():
            order = self.order()
        self.assertEqual(self.purchase(order).state, "pending")

    # ---------------------------------------------------------------------- opt-out

    def test_a_customers_objection_always_wins(self):
        with self.visit():
            order = self.order()
        waiting = self.api.send_event("Lead", origin=self.customer)
        self.customer.meta_capi_opt_out = True
        self.assertEqual(waiting.state, "cancelled")
        event = self.purchase(order)
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        self.assertIn("objects", event.error_message)

    def test_a_companys_objection_covers_who_buys_for_it(self):
        company = self.env["res.partner"].create({"name": "Doe", "is_company": True})
        self.customer.parent_id = company
        waiting = self.api.send_event("Lead", origin=self.customer)
        company.meta_capi_opt_out = True
        self.assertEqual(waiting.state, "cancelled")
        self.assertEqual(self.purchase(self.order()).state, "cancelled")

    def test_a_customer_who_objects_is_not_tracked_on_the_website_either(self):
        user = new_test_user(self.env, "jane", groups="base.group_portal")
        user.partner_id.meta_capi_opt_out = True
        with self.visit(user=user):
            event = self.api.send_event("PageView")
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))

    # -------------------------------------------------------------- to be forgotten

    def test_a_deleted_customer_is_forgotten(self):
        sent = self.api.send_event("Lead", origin=self.customer)
        self.deliver()
        waiting = self.api.send_event("Lead", origin=self.customer)
        self.customer.unlink()
        self.assertEqual(waiting.state, "cancelled")
        self.assertIn("deleted", waiting.error_message)
        self.assertEqual(sent.state, "sent")
        for event in (sent, waiting):
            self.assertEqual(event.user_data, {})
            self.assertFalse(event.partner_id or event.res_id)

    def test_odoos_privacy_lookup_erases_a_customer_here_too(self):
        waiting = self.api.send_event("Lead", origin=self.customer)
        lookup = self.env["privacy.lookup.wizard"].create(
            {"name": self.customer.name, "email": self.customer.email}
        )
        lookup.action_lookup()
        found = {(line.res_model, line.res_id) for line in lookup.line_ids}
        self.assertIn(("meta.capi.event", waiting.id), found)
        lookup.line_ids.filtered(
            lambda line: line.res_model == "res.partner"
        ).action_unlink_all()
        self.assertEqual((waiting.state, waiting.user_data), ("cancelled", {}))
        lookup.action_lookup()
        self.assertFalse(lookup.line_ids)

    def test_an_anonymised_customer_is_forgotten_with_the_browsers(self):
        with self.visit():
            order = self.order()
        waiting = self.purchase(order)
        self.customer.write({"name": "Anonymous", "email": False, "phone": False})
        self.assertEqual((waiting.state, waiting.user_data), ("cancelled", {}))
        self.assertIn("anonymised", waiting.error_message)
        self.assertEqual(self.kept(order), {"consent": True})

    def test_the_browser_of_an_order_that_was_never_told_of_is_forgotten_too(self):
        with self.visit():
            order = self.order()
        self.customer.write({"name": "Anonymous", "email": False, "phone": False})
        self.assertEqual(self.kept(order), {"consent": True})

    def test_a_changed_address_is_no_anonymisation(self):
        waiting = self.api.send_event("Lead", origin=self.customer)
        self.customer.write({"email": "jane@example.org", "phone": False})
        self.assertEqual(waiting.state, "pending")

    def test_personal_data_goes_before_the_statistics(self):
        with self.visit():
            order = self.order()
        old = self.purchase(order)
        self.deliver()
        young = self.record()
        self.deliver()
        keys = old.user_data_keys
        for table in ("meta_capi_event", "meta_capi_browser"):
            self.shift("create_date", 31 * 86400, table)
            self.shift("write_date", 31 * 86400, table)
        set_values(young, create_date=fields.Datetime.now())
        self.env["meta.capi.event"]._gc_user_data()
        self.env["meta.capi.browser"]._gc_personal()
        self.assertEqual((old.state, old.user_data), ("sent", {}))
        self.assertEqual(old.user_data_keys, keys)
        self.assertEqual(old.custom_data["value"], 200.0)
        self.assertTrue(young.user_data)
        self.assertEqual(self.kept(order), {"consent": True})

    def test_personal_data_of_what_waits_is_never_purged(self):
        event = self.record()
        set_values(event, create_date=fields.Datetime.now() - timedelta(days=99))
        self.env["meta.capi.event"]._gc_user_data()
        self.assertTrue(event.user_data)

    # ---------------------------------------------------- the browser's own Purchase

    def test_a_purchase_the_browser_sent_two_days_before_is_not_sent_again(self):
        order = self.order()
        handed = order._meta_capi_hand_out_purchase()
        self.assertEqual(
            handed, {"event_id": order.meta_capi_event_id, "repeat": False}
        )
        self.env["meta.capi.browser"]._note_purchase_sent(order)
        self.shift("purchase_handed_at", 49 * 3600, "meta_capi_browser")
        self.shift("purchase_sent_at", 49 * 3600, "meta_capi_browser")
        self.assertTrue(order._meta_capi_hand_out_purchase()["repeat"])
        event = self.purchase(order)
        self.deliver()
        self.assertEqual(event.failure_reason, "expired")
        self.assertFalse(self.graph.requests)

    def test_a_purchase_the_server_told_of_a_day_before_is_not_sent_by_the_browser(
        self,
    ):
        order = self.order()
        self.purchase(order)
        self.deliver()
        self.assertFalse(order._meta_capi_hand_out_purchase()["repeat"])
        self.env.cr.execute("DELETE FROM meta_capi_browser")
        self.shift("meta_capi_purchase_recorded_at", 25 * 3600, "sale_order")
        self.assertTrue(order._meta_capi_hand_out_purchase()["repeat"])

    def test_an_id_that_was_only_handed_out_holds_nothing_back(self):
        order = self.order()
        order._meta_capi_hand_out_purchase()
        self.shift("purchase_handed_at", 6 * 86400, "meta_capi_browser")
        self.assertTrue(order._meta_capi_hand_out_purchase()["repeat"])
        event = self.purchase(order)
        self.deliver()
        self.assertEqual(event.state, "sent", event.error_message)

    def test_handing_out_the_id_says_nothing_about_consent(self):
        order = self.order()
        order._meta_capi_hand_out_purchase()
        self.assertEqual(self.kept(order), {})
        self.assertEqual(self.purchase(order).state, "pending")
