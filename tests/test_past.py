import time
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..models.past import meta_capi_backfill
from .common import set_values
from .test_overview import MODULE, OverviewCase
from .test_purchase import PurchaseCase

DAY = 24 * 3600


class PastCase(OverviewCase):
    """A shop that has sold for long before it was connected."""

    def sold(self, days_ago=1.0, count=1, **values):
        """Return website orders that were confirmed so long ago, and told to nobody."""
        lines = [
            (
                0,
                0,
                {
                    "product_id": self.product.id,
                    "product_uom_qty": 2,
                    "price_unit": 100.0,
                },
            )
        ]
        moment = fields.Datetime.now() - timedelta(days=days_ago)
        orders = self.env["sale.order"].create(
            [
                {
                    "partner_id": self.customer.id,
                    "website_id": self.website.id,
                    "order_line": lines,
                }
                | values
                for _number in range(count)
            ]
        )
        orders.write({"state": "sale", "date_order": moment})
        return orders

    def browsed(self, orders, **values):
        """Keep a browser with orders, with consent unless told otherwise."""
        for order in orders:
            self.env["meta.capi.browser"]._upsert(order, {"consent": True} | values)

    def backfill(self, **values):
        return self.env["meta.capi.backfill"].with_user(self.manager).create(values)

    def counted(self, **values):
        backfill = self.backfill(**values)
        backfill.action_count()
        self.work(backfill)
        return backfill

    def sent(self, **values):
        backfill = self.counted(**values)
        backfill.action_send()
        self.work(backfill)
        return backfill

    def work(self, backfill):
        """Run jobs until none is left."""
        while self.step(backfill):
            pass
        self.env.invalidate_all()

    def step(self, backfill):
        """Run one slice, as a job does, and tell whether there is more."""
        return backfill.sudo()._work(meta_capi_backfill.SLICE_SECONDS)

    @contextmanager
    def sliced(self, size):
        with patch.object(meta_capi_backfill, "SLICE_SIZE", size):
            yield

    def counts(self, backfill):
        """Return what becomes of its orders: by causes and verdicts."""
        self.env.invalidate_all()
        return {
            result.cause or result.verdict: result.order_count
            for result in backfill.result_ids
        }

    def purchases(self):
        """Return what the sandbox was told of sales."""
        return [
            sent.event
            for sent in self.graph.events
            if sent.event["event_name"] == "Purchase"
        ]


@tagged("post_install", "-at_install")
class TestPast(PastCase):
    def test_what_is_counted_is_what_is_sent(self):
        good = self.sold(2, 250)
        refused = self.sold(2, 40)
        self.browsed(refused, consent=False)
        old = self.sold(8, 10)
        self.browsed(good[:200], client_user_agent="Mozilla/5.0 (Kept)")
        since = fields.Datetime.now() - timedelta(days=10)

        backfill = self.counted(since=since)
        self.assertEqual(backfill.state, "counted")
        self.assertEqual(
            self.counts(backfill), {"ready": 250, "no_consent": 40, "too_old": 10}
        )
        self.assertEqual(backfill.unknown_count, 50)
        events = self.env["meta.capi.event"].search([])
        self.assertFalse(events)

        backfill.action_send()
        self.assertEqual(backfill.progress_text, "0 of 300")
        self.work(backfill)
        self.assertEqual(backfill.state, "done")
        self.assertEqual(backfill.progress_text, "300 of 300")
        self.assertEqual(
            self.counts(backfill), {"recorded": 250, "no_consent": 40, "too_old": 10}
        )
        self.deliver()
        told = {event["event_id"]: event for event in self.purchases()}
        self.assertEqual(len(self.purchases()), 250)
        self.assertEqual(told.keys(), set(good.mapped("meta_capi_event_id")))
        self.assertEqual(
            set(
                self.env["meta.capi.event"]
                .search([("state", "=", "cancelled")])
                .mapped("res_id")
            ),
            set(refused.ids),
        )
        self.assertFalse(
            self.env["meta.capi.event"].search([("res_id", "in", old.ids)])
        )

    def test_meta_is_told_of_the_order_as_on_its_day(self):
        order = self.sold(3)
        self.browsed(
            order,
            client_ip_address="8.8.8.8",
            client_user_agent="Mozilla/5.0 (Kept)",
            fbp="fb.1.1700000000000.1234567890",
            event_source_url="https://shop.example.com/shop/payment",
        )
        self.api.send_event("Purchase", origin=order)
        self.deliver()
        (at_once,) = self.purchases()
        self.env["meta.capi.event"].search([]).unlink()
        self.env.cr.execute(
            "UPDATE sale_order SET meta_capi_purchase_recorded_at = NULL"
        )
        self.env.cr.execute("DELETE FROM meta_capi_once")
        self.env.invalidate_all()
        self.graph.clear()

        self.sent()
        self.deliver()
        (later,) = self.purchases()
        moment = int(
            (
                order.date_order - fields.Datetime.from_string("1970-01-01")
            ).total_seconds()
        )
        self.assertEqual(later, {**at_once, "event_time": moment})
        self.assertEqual(later["action_source"], "website")
        self.assertEqual(later["user_data"]["client_user_agent"], "Mozilla/5.0 (Kept)")
        self.assertEqual(later["custom_data"]["order_id"], order.name)
        self.assertEqual(later["custom_data"]["value"], 200.0)

    def test_each_reason_is_counted_and_comes_true(self):
        objecting = self.customer.copy({"meta_capi_opt_out": True})
        free = {"product_id": self.product.id, "product_uom_qty": 1, "price_unit": 0}
        provider = self.env["payment.provider"].search([], limit=1)
        provider.state = "test"
        methods = self.env["payment.method"].with_context(active_test=False)
        paid_in_test = self.sold()
        self.env["payment.transaction"].create(
            {
                "provider_id": provider.id,
                "payment_method_id": methods.search([], limit=1).id,
                "reference": "in test mode",
                "amount": 200.0,
                "currency_id": paid_in_test.currency_id.id,
                "partner_id": self.customer.id,
                "state": "done",
                "sale_order_ids": [(6, 0, paid_in_test.ids)],
            }
        )
        told = self.sold()
        self.api.send_event("Purchase", origin=told)
        by_browser = self.sold(3)
        self.browsed(by_browser)
        self.env.cr.execute(
            "UPDATE meta_capi_browser SET purchase_handed_at = now() - interval '3 days',"
            " purchase_sent_at = now() - interval '3 days' WHERE res_id = %s",
            [by_browser.id],
        )
        good = self.sold()
        self.sold(partner_id=objecting.id)
        self.sold(order_line=[(0, 0, free)])
        self.sold(6.9999 + 1)
        expected = {
            "objection": 1,
            "nothing_to_pay": 1,
            "test_payment": 1,
            "on_record": 1,
            "expired_copy": 1,
            "too_old": 1,
        }
        since = fields.Datetime.now() - timedelta(days=30)
        backfill = self.counted(since=since)
        self.assertEqual(self.counts(backfill), {**expected, "ready": 1})
        backfill.action_send()
        self.work(backfill)
        self.assertEqual(self.counts(backfill), {**expected, "recorded": 1})
        self.deliver()
        self.assertEqual(
            {event["event_id"] for event in self.purchases()},
            set((good + told).mapped("meta_capi_event_id")),
        )

    def test_orders_without_a_browser_are_left_out_where_the_settings_say_so(self):
        known, unknown = self.sold(), self.sold()
        self.browsed(known)
        self.parameters.set_param("meta_capi.send_without_browser", "False")
        self.assertEqual(self.counts(self.counted()), {"ready": 1, "no_browser": 1})
        self.parameters.set_param("meta_capi.send_without_browser", "True")
        backfill = self.counted()
        self.assertEqual(self.counts(backfill), {"ready": 2})
        self.assertEqual(backfill.unknown_count, 1)
        self.assertTrue(unknown)

    def test_the_same_orders_again_or_by_two_at_once_are_sent_once(self):
        orders = self.sold(count=5)
        with self.sliced(2):
            first, second = self.counted(), self.counted()
            first.action_send()
            second.action_send()
            while self.step(first) | self.step(second):
                pass
            self.env.invalidate_all()
            self.assertEqual(first.recorded_count + second.recorded_count, 5)
            again = self.sent()
        self.assertEqual(self.counts(again), {"on_record": 5})
        self.deliver()
        self.assertEqual(len(self.purchases()), 5)
        self.assertEqual(
            {event["event_id"] for event in self.purchases()},
            set(orders.mapped("meta_capi_event_id")),
        )

    def test_stopped_half_way_and_begun_again_each_is_sent_once(self):
        self.sold(count=5)
        with self.sliced(2):
            backfill = self.counted()
            backfill.action_send()
            self.assertTrue(self.step(backfill))
            backfill.action_stop()
            self.assertFalse(self.step(backfill))
            self.env.invalidate_all()
            self.assertEqual(backfill.state, "stopped")
            self.assertEqual(backfill.progress_text, "2 of 5")
            self.assertEqual(self.counts(backfill), {"ready": 3, "recorded": 2})
            self.deliver()
            self.assertEqual(len(self.purchases()), 2)
            backfill.action_go_on()
            self.work(backfill)
        self.assertEqual(backfill.state, "done")
        self.assertEqual(self.counts(backfill), {"recorded": 5})
        self.deliver()
        self.assertEqual(len(self.purchases()), 5)
        self.assertEqual(len({event["event_id"] for event in self.purchases()}), 5)

    def test_a_slice_that_is_rolled_back_is_done_by_the_next(self):
        self.sold(count=4)
        with self.sliced(2):
            backfill = self.counted()
            backfill.action_send()
            with self.env.cr.savepoint() as savepoint:
                self.step(backfill)
                savepoint.rollback()
            self.env.invalidate_all()
            self.assertEqual(self.counts(backfill), {"ready": 4})
            self.work(backfill)
        self.assertEqual(self.counts(backfill), {"recorded": 4})
        self.deliver()
        self.assertEqual(len(self.purchases()), 4)

    def test_a_job_is_of_bounded_size_and_calls_the_next(self):
        self.sold(count=5)
        with self.sliced(2):
            backfill = self.backfill()
            backfill.action_count()
            self.assertEqual(backfill.progress_text, "2 of 5")
            for done in (4, 5):
                (job,) = [
                    job
                    for job in self.jobs.enqueued_jobs
                    if job.method_name == "_run_slice"
                ]
                self.assertEqual(job.priority, meta_capi_backfill.JOB_PRIORITY)
                self.jobs.enqueued_jobs.clear()
                job.perform()
                self.env.invalidate_all()
                self.assertEqual(backfill.progress_text, f"{done} of 5")
        self.assertFalse(self.jobs.enqueued_jobs)
        self.assertEqual(backfill.state, "counted")

    def test_a_slice_ends_in_time_with_at_least_one_order(self):
        self.sold(count=3)
        backfill = self.backfill()
        with patch.object(meta_capi_backfill, "CLICK_SECONDS", -1):
            backfill.action_count()
        self.assertEqual(backfill.progress_text, "1 of 3")
        self.assertTrue(backfill.sudo()._work(-1))
        self.env.invalidate_all()
        self.assertEqual(backfill.progress_text, "2 of 3")

    def test_the_sweep_has_a_job_go_on_where_one_died(self):
        self.sold(count=3)
        with self.sliced(2):
            backfill = self.counted()
            backfill.action_send()
            self.step(backfill)
            self.jobs.enqueued_jobs.clear()
            self.env["meta.capi.backfill"]._sweep()
            (job,) = self.jobs.enqueued_jobs
            self.assertTrue(job.identity_key.startswith(backfill._job_key()))
            job.perform()
        self.env.invalidate_all()
        self.assertEqual(backfill.state, "done")

    def test_the_sweep_does_the_work_where_no_jobrunner_runs(self):
        self.sold(count=5)
        backfill = self.counted()
        backfill.action_send()
        waits = fields.Datetime.now() - timedelta(minutes=2)
        model = type(self.env["meta.capi.backfill"])
        with (
            self.sliced(2),
            patch.object(model, "_waiting_since", lambda _self: waits),
        ):
            self.env["meta.capi.backfill"]._sweep()
        self.env.invalidate_all()
        self.assertEqual(backfill.state, "done")
        self.assertEqual(backfill.recorded_count, 5)

    def test_while_it_is_switched_off_nothing_is_counted_or_sent(self):
        self.sold()
        backfill = self.counted()
        backfill.action_send()
        self.parameters.set_param("meta_capi.enabled", "False")
        self.jobs.enqueued_jobs.clear()
        self.assertFalse(self.step(backfill))
        self.env["meta.capi.backfill"]._sweep()
        self.assertFalse(self.jobs.enqueued_jobs)
        self.assertFalse(self.env["meta.capi.event"].search([]))
        with self.assertRaises(UserError):
            self.backfill().action_count()
        self.parameters.set_param("meta_capi.enabled", "True")
        self.work(backfill)
        self.assertEqual(backfill.recorded_count, 1)

    def test_an_order_that_is_gone_or_cancelled_meanwhile_is_not_sent(self):
        gone, cancelled, stays = self.sold(count=3)
        backfill = self.counted()
        self.assertEqual(self.counts(backfill), {"ready": 3})
        cancelled.state = "cancel"
        gone.state = "cancel"
        gone.unlink()
        backfill.action_send()
        self.work(backfill)
        self.assertEqual(self.counts(backfill), {"recorded": 1, "not_due": 2})
        self.assertTrue(stays.meta_capi_purchase_recorded_at)

    def test_what_was_refused_as_invalid_is_tried_again(self):
        order = self.sold()
        event = self.api.send_event("Purchase", origin=order)
        set_values(event, state="failed", failure_reason="invalid")
        self.env.cr.execute(
            "UPDATE sale_order SET meta_capi_purchase_recorded_at = NULL"
        )
        self.env.invalidate_all()
        backfill = self.sent()
        self.assertEqual(self.counts(backfill), {"recorded": 1})
        self.assertEqual(event.state, "pending")

    @mute_logger("meta.conversions.api")
    def test_a_website_without_a_pixel_is_told_as_such(self):
        self.sold()
        self.parameters.set_param("meta_capi.pixel_id", "")
        backfill = self.counted(website_ids=[(6, 0, self.website.ids)])
        self.assertEqual(self.counts(backfill), {"no_pixel": 1})

    def test_another_choice_is_counted_anew(self):
        self.sold(2)
        self.sold(4)
        backfill = self.counted()
        self.assertEqual(backfill.ready_count, 2)
        backfill.since = fields.Datetime.now() - timedelta(days=3)
        self.assertEqual((backfill.state, backfill.total_count), ("draft", 0))
        backfill.action_count()
        self.assertEqual(backfill.ready_count, 1)

    def test_only_the_websites_that_are_chosen_are_sent(self):
        other = self.env["website"].create({"name": "Other"})
        self.sold()
        mine = self.sold(website_id=other.id)
        backfill = self.sent(website_ids=[(6, 0, other.ids)])
        self.assertEqual(backfill.recorded_count, 1)
        self.assertTrue(mine.meta_capi_purchase_recorded_at)

    def test_the_orders_of_other_companies_are_not_a_managers_to_send(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        other = self.env["website"].create({"name": "Other", "company_id": company.id})
        self.sold(website_id=other.id, company_id=company.id)
        self.sold()
        websites = self.website + other
        backfill = self.counted(website_ids=[(6, 0, websites.ids)])
        self.assertEqual(backfill.total_count, 1)

    def test_the_window_is_metas_less_its_margin(self):
        backfill = self.backfill()
        age = (fields.Datetime.now() - backfill.since).total_seconds()
        self.assertAlmostEqual(age, 7 * DAY - 15 * 60, delta=60)

    def test_the_missing_orders_are_one_click_away(self):
        self.arm()
        order = self.without_purchase()
        self.without_purchase(hours_ago=10 * 24)
        answer = self.dashboard()["answer"]
        model, method, filters = answer["more"]["call"]
        self.assertEqual((model, filters["days"]), ("meta.capi.overview", 7))
        action = getattr(self.env[model].with_user(self.manager), method)(filters)
        backfill = self.env["meta.capi.backfill"].browse(action["res_id"])
        self.assertEqual((backfill.state, backfill.ready_count), ("counted", 1))
        backfill.action_send()
        self.work(backfill)
        self.assertTrue(order.meta_capi_purchase_recorded_at)
        self.assertNotIn("no Purchase", self.dashboard()["answer"]["text"])
        backfill.action_count()
        self.assertEqual(self.counts(backfill), {"on_record": 1})

    def test_the_settings_tell_of_it_until_it_was_looked_at(self):
        health = self.env["meta.capi.health"]
        self.assertFalse(list(health._past_lines()))
        self.sold()
        ((level, text),) = health._past_lines()
        self.assertEqual(level, "info")
        self.assertIn("Send Earlier Orders", text)
        self.backfill()
        self.assertFalse(list(health._past_lines()))

    def test_managers_alone_count_and_send(self):
        reader = new_test_user(
            self.env, "a-reader", groups=f"{MODULE}.group_meta_capi_user"
        )
        self.sold()
        backfill = self.counted()
        for name in ("action_count", "action_send", "action_stop", "action_go_on"):
            with self.subTest(name), self.assertRaises(AccessError):
                getattr(backfill.with_user(reader), name)()
        overview = self.env["meta.capi.overview"].with_user(reader)
        with self.assertRaises(AccessError):
            overview.get_missing_action()
        dashboard = self.dashboard(user=reader)
        self.assertEqual(dashboard["tools"], [])
        self.assertTrue(self.dashboard()["tools"])

    def test_what_a_row_counts_is_shown(self):
        good, refused = self.sold(), self.sold()
        self.browsed(refused, consent=False)
        backfill = self.counted()
        for result in backfill.result_ids:
            action = result.action_open_documents()
            shown = self.env[action["res_model"]].search(action["domain"])
            self.assertEqual(shown, good if result.verdict == "ready" else refused)
            self.assertTrue(result.cure)

    def test_what_nothing_can_come_of_any_more_is_forgotten(self):
        self.sold()
        old, young = self.sent(), self.sent()
        self.env.cr.execute(
            "UPDATE meta_capi_backfill SET create_date = now() - interval '91 days'"
            " WHERE id = %s",
            [old.id],
        )
        self.env.invalidate_all()
        self.env["meta.capi.backfill"]._gc_old()
        self.assertEqual(self.env["meta.capi.backfill"].search([]), young)
        lines = self.env["meta.capi.backfill.line"].search([])
        self.assertEqual(lines.backfill_id, young)

    def test_where_the_code_or_the_settings_have_changed_the_sweep_begins_anew(self):
        backfill = self.counted()
        backfill.action_send()
        outdated = patch.object(
            type(self.delivery), "_is_registry_outdated", lambda self: True
        )
        deadline = time.monotonic() + 60
        with outdated:
            backfill._work_until(deadline)
        self.assertEqual(backfill.state, "sending")
        backfill._work_until(deadline)
        self.env.invalidate_all()
        self.assertEqual(backfill.state, "done")


@tagged("post_install", "-at_install")
class TestWhenItWasSold(PastCase, PurchaseCase):
    """What makes an order a sale, and when, is what the shop has chosen."""

    def at(self, days_ago):
        return fields.Datetime.now() - timedelta(days=days_ago)

    def told_times(self, backfill):
        """Send it; return the time of each order's Purchase."""
        backfill.action_send()
        self.work(backfill)
        events = self.env["meta.capi.event"].search([("state", "=", "pending")])
        return {event.res_id: event.event_time for event in events}

    def date(self, record, column, moment):
        """Write what Odoo writes by itself."""
        self.env.flush_all()
        self.env.cr.execute(
            f"UPDATE {record._table} SET {column} = %s WHERE id = ANY(%s)",
            [moment, record.ids],
        )
        self.env.invalidate_all()

    def test_never_has_confirmed_orders_count(self):
        order = self.sold(2)
        self.sold(2).state = "sent"
        backfill = self.counted()
        self.assertIn("confirmed", backfill.rule)
        self.assertEqual(self.told_times(backfill), {order.id: order.date_order})

    def test_paid_orders_count_from_their_payment_on(self):
        online, by_invoice, unpaid, partly = (self.sold(10) for _number in range(4))
        transaction = self.pay(online)
        paid_at = self.at(2).replace(microsecond=0)
        transaction.last_state_change = paid_at
        invoice = self.invoice(by_invoice)
        self.settle(invoice)
        entries = invoice.line_ids.matched_credit_ids
        settled_at = self.at(1).replace(microsecond=0)
        if entries:
            self.date(entries, "create_date", settled_at)
        self.pay(partly, amount=1)
        fresh = self.sold(3)
        long_paid = self.pay(fresh)
        long_paid.last_state_change = self.at(4)
        self.choose("paid")

        backfill = self.counted()
        self.assertIn("paid in full", backfill.rule)
        expected = {online.id: paid_at, fresh.id: fresh.date_order}
        if entries:
            expected[by_invoice.id] = settled_at
        self.assertEqual(backfill.ready_count, len(expected))
        self.assertEqual(self.told_times(backfill), expected)
        self.assertFalse((unpaid + partly).mapped("meta_capi_purchase_recorded_at")[0])

    def test_invoiced_orders_count_from_their_first_invoice_on(self):
        early, late, without = (self.sold(10) for _number in range(3))
        created_at = self.at(2).replace(microsecond=0)
        invoice = self.invoice(late)
        self.date(invoice, "create_date", created_at)
        self.date(invoice, "invoice_date", created_at.date())
        before = self.invoice(early)
        self.date(before, "create_date", self.at(9))
        self.date(before, "invoice_date", self.at(9).date())
        self.choose("invoiced")
        backfill = self.counted()
        self.assertEqual(self.counts(backfill), {"ready": 1})
        self.assertEqual(self.told_times(backfill), {late.id: created_at})
        self.assertFalse(without.meta_capi_purchase_recorded_at)

    def test_orders_count_once_delivered_where_that_is_waited_for(self):
        delivered, waiting = self.sold(2), self.sold(2)
        line = delivered.order_line
        line.qty_delivered_method = "manual"
        line.qty_delivered = line.product_uom_qty
        self.choose("delivered")
        backfill = self.counted()
        self.assertEqual(self.counts(backfill), {"ready": 1, "not_due": 1})
        self.assertIn("delivered in full", backfill.rule)
        # Without inventory nobody keeps when it was delivered.
        self.assertEqual(
            self.told_times(backfill),
            {delivered.id: delivered.date_order.replace(microsecond=0)},
        )
        self.assertFalse(waiting.meta_capi_purchase_recorded_at)

    def test_an_order_that_is_not_paid_yet_is_told_as_such(self):
        self.sold(2)
        self.choose("paid")
        backfill = self.counted()
        self.assertEqual(self.counts(backfill), {"not_due": 1})
        self.assertFalse(backfill.ready_count)
