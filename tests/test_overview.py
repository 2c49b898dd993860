from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..dev import sandbox
from .common import MetaCapiCase

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

    def dashboard(self, user=None, context=None, **filters):
        self.env.flush_all()
        self.env.invalidate_all()
        overview = self.env["meta.capi.overview"].with_user(user or self.manager)
        return overview.with_context(**(context or {})).get_dashboard(filters)

    def figure(self, key, **values):
        """Return what one of the four figures shows."""
        figures = self.dashboard(**values)["figures"]
        return next((each["value"] for each in figures if each["key"] == key), None)

    def arm(self, trigger="confirmed"):
        """Arm what is shipped, as if it had been so for long."""
        purchase = self.env["meta.capi.purchase"]
        for name in ("confirmed", "paid", "invoiced", "delivered"):
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

    def missing(self, user=None):
        """Return the orders that the dashboard calls missing, and those it opens."""
        charts = {each["name"]: each for each in self.dashboard(user)["charts"]}
        counts = {
            each["key"]: sum(each["values"]) for each in charts["orders"]["series"]
        }
        overview = self.env["meta.capi.overview"].with_user(user or self.manager)
        action = overview.get_orders_action("missing")
        return counts.get("missing", 0), self.env["sale.order"].search(action["domain"])

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
        self.assertEqual(self.missing(), (1, order))

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

    def test_of_the_time_before_it_was_armed_nothing_is_missing_and_nothing_vanishes(
        self,
    ):
        self.arm()
        order = self.without_purchase()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE base_automation SET write_date = clock_timestamp() AT TIME ZONE 'UTC'"
            " + interval '1 minute'"
        )
        self.env.invalidate_all()
        self.assertEqual(self.statuses(), {"before": {order.id}})

    def test_nothing_is_missing_where_nothing_sends_a_purchase(self):
        self.arm()
        order = self.without_purchase()
        for key, value in (
            ("meta_capi.enabled", "False"),
            ("meta_capi.pixel_id", False),
        ):
            with self.subTest(key=key):
                kept = self.parameters.get_param(key)
                self.parameters.set_param(key, value)
                self.assertEqual(self.statuses(), {"before": {order.id}})
                self.parameters.set_param(key, kept)
        self.arm("never")
        self.assertEqual(self.statuses(), {"before": {order.id}})

    def test_an_order_of_the_back_office_unconfirmed_or_cancelled_does_not_count(self):
        self.arm()
        self.without_purchase(website_id=False)
        self.order()
        self.without_purchase()._action_cancel()
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

    def test_an_order_that_is_not_delivered_is_not_due_where_that_is_waited_for(self):
        partly = self.confirmed()
        partly.order_line.qty_delivered = 1
        wholly = self.confirmed()
        wholly.order_line.qty_delivered = 2
        self.arm("delivered")
        self.assertEqual(
            self.statuses(), {"missing": {wholly.id}, "not_due": {partly.id}}
        )

    def test_orders_are_shown_to_those_who_may_see_them(self):
        self.arm()
        order = self.without_purchase()
        reader = new_test_user(
            self.env, "the-reader", groups=f"{MODULE}.group_meta_capi_user"
        )
        names = [each["name"] for each in self.dashboard(reader)["charts"]]
        self.assertNotIn("orders", names)
        self.assertIsNone(self.figure("purchases", user=reader))
        seller = new_test_user(
            self.env,
            "the-seller",
            groups=f"{MODULE}.group_meta_capi_user,sales_team.group_sale_salesman",
        )
        names = [each["name"] for each in self.dashboard(seller)["charts"]]
        self.assertIn("orders", names)
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
