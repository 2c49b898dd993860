from datetime import timedelta

from lxml import html

from odoo import fields
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from ..dev import sandbox
from .common import FBC, FBP, MetaCapiCase, set_values

MODULE = "ih_meta_conversions_api"


class OverviewCase(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.automation = cls.env.ref(f"{MODULE}.automation_purchase")
        cls.manager = new_test_user(
            cls.env,
            "the-manager",
            groups=f"{MODULE}.group_meta_capi_manager,"
            "sales_team.group_sale_salesman_all_leads",
        )

    def overview(self, user=None, **context):
        self.env.flush_all()
        self.env.invalidate_all()
        overview = self.env["meta.capi.overview"].browse(1)
        return overview.with_user(user or self.manager).with_context(**context)

    def arm(self, trigger="confirmed"):
        """Arm what is shipped, as if it had been so for long."""
        purchase = self.env["meta.capi.purchase"]
        for name in ("confirmed", "paid", "invoiced"):
            automations = purchase._automations(name)
            automations.active = name == trigger
        self.shift("write_date", 30 * 24 * 3600, table="base_automation")

    def confirmed(self, hours_ago=0, **values):
        """Return an order that was confirmed."""
        order = self.order(**values)
        order.action_confirm()
        if hours_ago:
            order.date_order = fields.Datetime.now() - timedelta(hours=hours_ago)
        return order

    def without_purchase(self, **values):
        """Return an order that was confirmed without leaving a Purchase."""
        armed = self.automation.active
        self.automation.active = False
        order = self.confirmed(**values)
        self.automation.active = armed
        self.shift("write_date", 30 * 24 * 3600, table="base_automation")
        return order


@tagged("post_install", "-at_install")
class TestOverview(OverviewCase):
    def test_it_counts_what_was_sent_by_event_and_website(self):
        for number in range(3):
            self.record(event_id=f"lead-{number}")
        self.record(
            event_name="Purchase",
            custom_data={"value": 1, "currency": "EUR"},
            website=self.website,
        )
        old = self.record(event_id="old")
        earlier = self.record(event_id="earlier")
        self.deliver()
        set_values(old, event_time=fields.Datetime.now() - timedelta(days=8))
        set_values(earlier, event_time=fields.Datetime.now() - timedelta(days=2))
        overview = self.overview()
        self.assertEqual((overview.sent_today, overview.sent_week), (4, 5))
        self.assertEqual(overview.success_rate, "100 %")
        self.assertIn("Lead", overview.events_table)
        self.assertIn(self.website.name, overview.events_table)

    def test_it_names_failures_by_cause_and_leads_to_them(self):
        self.record(event_id="good")
        self.deliver()
        bad = self.record(event_id="bad", user_data={"ct": "Berlin"})
        self.record(event_id="worse", event_time="never")
        self.record(event_id="worst", event_time="never")
        overview = self.overview()
        self.assertEqual(overview.failed_week, 3)
        self.assertEqual(overview.success_rate, "25 %")
        self.assertEqual(
            overview.cause_ids.mapped(lambda cause: (cause.key, cause.failed_count)),
            [("event_time", 2), ("user_data", 1)],
        )
        action = overview.cause_ids[1].action_open_events()
        found = self.env[action["res_model"]].search(action["domain"])
        self.assertEqual(found, bad)

    def test_it_tells_how_old_the_oldest_waiting_event_is(self):
        self.assertFalse(self.overview().oldest_pending)
        self.record()
        self.shift("create_date", 3 * 3600)
        self.record(event_id="younger")
        overview = self.overview()
        self.assertEqual(overview.pending_count, 2)
        self.assertEqual(overview.oldest_pending, "3 hours")

    @mute_logger("meta.conversions.api")
    def test_it_shows_held_pixels_with_cause_and_cure(self):
        self.assertFalse(self.overview().stopped_pixel_ids)
        self.graph.pixels = {}
        self.record()
        self.deliver()
        overview = self.overview()
        self.assertEqual(overview.held_count, 1)
        self.assertEqual(overview.stopped_pixel_ids.cause, "token")
        self.assertTrue(overview.stopped_pixel_ids.cure)

    def test_it_tells_which_share_of_the_events_has_which_key(self):
        self.record(event_id="1", user_data={"em": "a@b.example", "fbp": FBP})
        self.record(event_id="2", user_data={"em": "a@b.example"})
        self.customer.meta_capi_opt_out = True
        self.record(event_id="3", origin=self.order())
        table = self.overview().match_table
        self.assertEqual(self.share(table, "em"), "100 %")
        self.assertEqual(self.share(table, "fbp"), "50 %")
        self.assertEqual(self.share(table, "ph"), "0 %")
        self.assertIn("country code", table)
        # Not what is at fault, but what was chosen.
        self.parameters.set_param("meta_capi.user_data_keys", "em,fbp")
        self.assertIn("Switched off in the settings", self.overview().match_table)

    def share(self, table, key):
        for row in html.fromstring(table).iter("tr"):
            cells = [cell.text_content().split() for cell in row.iter("td")]
            if key in cells[0]:
                return " ".join(cells[1])
        return None

    def test_it_tells_of_how_many_visits_by_an_ad_meta_knows_the_click(self):
        phone = "Mozilla/5.0 (Linux; Android 13; SM-S918B) Chrome/140.0.0.0 Mobile"
        instagram = f"{phone} Instagram 308.0.0.36.109 Android"
        desktop = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko Firefox/143.0"
        for number, (agent, fbc) in enumerate(
            (
                *(
                    (instagram, FBC),
                    (instagram, FBC),
                    (instagram, FBC),
                    (instagram, None),
                ),
                *((phone, None), (desktop, FBC)),
            )
        ):
            # A visit is one, however much is done on the page it led to.
            for event_name in ("PageView", "ViewContent"):
                self.record(
                    event_name=event_name,
                    event_id=str(number),
                    event_source_url=f"https://shop.example/?fbclid=Click{number}",
                    user_data={"client_user_agent": agent, "fbp": FBP, "fbc": fbc},
                )
        for url in ("https://shop.example/", "https://shop.example/?fbclid="):
            self.record(
                event_source_url=url,
                user_data={"client_user_agent": desktop, "fbp": FBP},
            )
        table = html.fromstring(self.overview().clicks_table)
        self.assertEqual(
            [
                [cell.text_content().strip() for cell in row.iter("td")]
                for row in table.iter("tr")
            ][1:],
            [
                ["Inside an App", "4", "75 %"],
                ["Mobile", "1", "0 %"],
                ["Desktop", "1", "100 %"],
            ],
        )
        self.shift("event_time", 7 * 24 * 3600)
        self.assertIn("No such visit", self.overview().clicks_table)

    def test_the_shares_survive_the_purge_of_personal_data(self):
        event = self.record(user_data={"em": "a@b.example"})
        self.deliver()
        self.shift("create_date", 40 * 24 * 3600)
        event._gc_user_data()
        self.assertEqual(event.user_data, {})
        self.assertEqual(self.share(self.overview().match_table, "em"), "100 %")

    def test_it_warns_of_a_test_code_and_of_what_is_not_set(self):
        self.assertFalse(self.overview().notice)
        self.parameters.set_param("meta_capi.test_event_code", "TEST1")
        self.assertIn("test event code", self.overview().notice)
        self.parameters.set_param("meta_capi.pixel_id", False)
        self.assertIn("No pixel", self.overview().notice)
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertIn("switched off", self.overview().notice)

    def test_its_tiles_lead_to_the_log(self):
        overview = self.overview()
        for click in ("sent_today", "sent", "failed", "pending", "held", "events"):
            action = getattr(overview, f"action_open_{click}")()
            self.assertEqual(action["res_model"], "meta.capi.event")
            arch = self.env["meta.capi.event"].get_view(view_type="search")["arch"]
            for name in action["context"]:
                self.assertIn(f'name="{name.removeprefix("search_default_")}"', arch)

    def test_it_opens_on_its_one_row(self):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            f"{MODULE}.meta_capi_overview_action"
        )
        self.assertEqual(
            (action["res_model"], action["res_id"]), ("meta.capi.overview", 1)
        )
        overview = self.overview()
        self.assertEqual(overview.search([]), overview)
        self.assertEqual(overview.display_name, "Overview")
        with Form(overview) as form:
            self.assertEqual(form.sent_today, 0)

    def test_it_counts_the_events_of_the_users_companies_only(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        order = self.order(company_id=company.id, website_id=False)
        self.record(origin=order)
        self.record(event_id="ours")
        self.deliver()
        self.assertEqual(self.overview().sent_today, 1)
        self.manager.company_ids += company
        companies = self.manager.company_ids.ids
        overview = self.overview(allowed_company_ids=companies)
        self.assertEqual(overview.sent_today, 2)
        self.assertEqual(
            overview.with_context(allowed_company_ids=company.ids).sent_today, 1
        )

    def test_the_number_of_queries_does_not_grow_with_the_log(self):
        def queries():
            overview = self.overview()
            before = self.env.cr.sql_log_count
            overview.read()
            return self.env.cr.sql_log_count - before

        self.record(event_id="first", user_data={"ct": "Berlin"})
        queries()
        one = queries()
        for number in range(20):
            self.record(event_id=str(number), user_data={"ct": "Berlin"})
        self.assertLessEqual(queries(), one)


@tagged("post_install", "-at_install")
class TestReconciliation(OverviewCase):
    def statuses(self, user=None):
        days = (
            self.env["meta.capi.reconciliation"]
            .with_user(user or self.manager)
            ._by_day(fields.Datetime.now() - timedelta(days=6))
        )
        found = {}
        for statuses in days.values():
            for status, ids in statuses.items():
                found.setdefault(status, set()).update(ids)
        return {status: ids for status, ids in found.items() if ids}

    def test_an_order_with_a_purchase_is_not_missing(self):
        self.arm()
        order = self.confirmed()
        self.assertEqual(self.statuses(), {"waiting": {order.id}})
        self.deliver()
        self.assertEqual(self.statuses(), {"sent": {order.id}})
        # Nor once the log has been purged.
        self.env["meta.capi.event"].sudo().search([]).unlink()
        self.assertEqual(self.statuses(), {"sent": {order.id}})

    def test_an_order_without_a_purchase_is_missing_and_one_click_away(self):
        self.arm()
        order = self.without_purchase()
        self.assertEqual(self.statuses(), {"missing": {order.id}})
        overview = self.overview()
        self.assertEqual(overview.missing_count, 1)
        action = overview.action_open_missing()
        self.assertEqual(self.env["sale.order"].search(action["domain"]), order)

    def test_an_order_whose_purchase_was_cancelled_is_explained(self):
        self.arm()
        self.customer.meta_capi_opt_out = True
        order = self.confirmed()
        self.assertEqual(self.statuses(), {"explained": {order.id}})

    @mute_logger("meta.conversions.api")
    def test_an_order_whose_purchase_failed_is_told_as_such(self):
        self.arm()
        order = self.confirmed()
        self.graph.fail_always(sandbox.error(100, 2804050))
        self.deliver()
        self.assertEqual(self.statuses(), {"failed": {order.id}})

    def test_of_the_time_before_it_was_armed_nothing_is_missing(self):
        self.arm()
        self.without_purchase()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE base_automation SET write_date = clock_timestamp() AT TIME ZONE 'UTC'"
            " + interval '1 minute'"
        )
        self.env.invalidate_all()
        self.assertEqual(self.statuses(), {})

    def test_nothing_is_missing_where_nothing_sends_a_purchase(self):
        self.arm()
        self.without_purchase()
        for key, value in (
            ("meta_capi.enabled", "False"),
            ("meta_capi.pixel_id", False),
        ):
            with self.subTest(key=key):
                kept = self.parameters.get_param(key)
                self.parameters.set_param(key, value)
                self.assertEqual(self.statuses(), {})
                self.parameters.set_param(key, kept)
        self.arm("never")
        self.assertEqual(self.statuses(), {})

    def test_an_order_of_the_back_office_or_an_unconfirmed_one_does_not_count(self):
        self.arm()
        self.without_purchase(website_id=False)
        self.order()
        self.assertEqual(self.statuses(), {})

    def test_an_unpaid_order_is_not_due_where_purchases_wait_for_the_payment(self):
        self.arm("paid")
        order = self.confirmed()
        self.assertEqual(self.statuses(), {"not_due": {order.id}})

    def test_an_order_that_is_paid_without_a_purchase_is_missing(self):
        self.arm("paid")
        paid, unpaid = self.confirmed(), self.confirmed()
        provider = self.env["payment.provider"].search([], limit=1)
        method = self.env["payment.method"].with_context(active_test=False)
        method = method.search([], limit=1)
        transaction = self.env["payment.transaction"].create(
            {
                "provider_id": provider.id,
                "payment_method_id": method.id,
                "reference": "paid",
                "amount": paid.amount_total,
                "currency_id": paid.currency_id.id,
                "partner_id": self.customer.id,
                "sale_order_ids": [(6, 0, paid.ids)],
            }
        )
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE payment_transaction SET state = 'done' WHERE id = %s",
            (transaction.id,),
        )
        self.env.invalidate_all()
        self.assertEqual(
            self.statuses(), {"missing": {paid.id}, "not_due": {unpaid.id}}
        )

    def test_an_order_that_is_not_invoiced_is_not_due_where_that_is_waited_for(self):
        self.arm("invoiced")
        order = self.confirmed()
        self.assertEqual(self.statuses(), {"not_due": {order.id}})

    def test_orders_are_shown_to_those_who_may_see_them(self):
        self.arm()
        order = self.without_purchase()
        reader = new_test_user(
            self.env, "the-reader", groups=f"{MODULE}.group_meta_capi_user"
        )
        self.assertFalse(self.overview(reader).shows_orders)
        self.assertFalse(self.overview(reader).missing_count)
        seller = new_test_user(
            self.env,
            "the-seller",
            groups=f"{MODULE}.group_meta_capi_user,sales_team.group_sale_salesman",
        )
        self.assertTrue(self.overview(seller).shows_orders)
        order.user_id = self.manager
        self.assertEqual(self.statuses(seller), {})
        self.assertEqual(self.statuses(), {"missing": {order.id}})

    def test_days_are_those_of_the_user(self):
        self.arm()
        order = self.without_purchase()
        order.date_order = fields.Datetime.now().replace(
            hour=23, minute=30
        ) - timedelta(days=2)
        self.env.flush_all()
        days = []
        for zone in ("UTC", "Asia/Tokyo"):
            reconciliation = self.env["meta.capi.reconciliation"].with_context(tz=zone)
            days += reconciliation._by_day(fields.Datetime.now() - timedelta(days=6))
        self.assertEqual((days[1] - days[0]).days, 1)
