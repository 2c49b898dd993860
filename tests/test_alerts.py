from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..dev import sandbox
from ..models.admin.meta_capi_alert import MISSING, STUCK
from ..models.common.managers import Managers
from ..models.outbox.meta_capi_pixel import STOPPED
from .common import set_values
from .test_overview import MODULE, OverviewCase

HOUR = 3600


class AlertCase(OverviewCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Whoever else is a manager is told as well.
        groups = cls.env.ref(f"{MODULE}.group_meta_capi_manager")
        users = "user_ids" if "user_ids" in groups._fields else "users"
        others = cls.env["res.users"].search([("id", "!=", cls.manager.id)])
        (cls.env.ref("base.group_system") + groups)[users] -= others
        cls.manager = new_test_user(
            cls.env, "told", groups=f"{MODULE}.group_meta_capi_manager"
        )
        cls.pixel = cls.env["meta.capi.pixel"]._get(cls.pixel_id)

    def activities(self, kind):
        kind = self.env.ref(kind)
        found = self.env["mail.activity"].search([("activity_type_id", "=", kind.id)])
        return found.filtered(lambda activity: activity.user_id == self.manager)

    def look(self):
        self.env.flush_all()
        self.env["meta.capi.alert"]._look_after_all()


@tagged("post_install", "-at_install")
class TestStuckAlert(AlertCase):
    def wait(self, hours):
        for column in ("create_date", "next_attempt_at"):
            self.shift(column, hours * HOUR)

    def test_an_event_that_waits_for_an_hour_is_told_once(self):
        self.record()
        self.look()
        self.assertFalse(self.activities(STUCK))
        self.wait(1)
        self.look()
        activity = self.activities(STUCK)
        self.assertEqual(len(activity), 1)
        self.assertEqual(
            (activity.res_model, activity.res_id), ("meta.capi.pixel", self.pixel.id)
        )
        self.assertIn(self.pixel_id, activity.summary)
        self.wait(5)
        self.look()
        self.assertEqual(self.activities(STUCK), activity)

    def test_it_closes_itself_when_the_event_is_sent_and_may_come_again(self):
        self.record()
        self.wait(1)
        self.look()
        self.deliver()
        self.look()
        self.assertFalse(self.activities(STUCK))
        self.record(event_id="another")
        self.wait(1)
        self.look()
        self.assertEqual(len(self.activities(STUCK)), 1)

    def test_ticked_off_it_does_not_come_again_for_the_same_wait(self):
        self.record()
        self.wait(1)
        self.look()
        self.activities(STUCK).unlink()
        self.look()
        self.assertFalse(self.activities(STUCK))

    def test_an_old_event_that_is_retried_by_hand_is_given_its_time(self):
        event = self.record()
        self.wait(30)
        set_values(event, state="failed", failure_reason="exhausted")
        event.action_retry()
        self.look()
        self.assertFalse(self.activities(STUCK))

    @mute_logger("meta.conversions.api")
    def test_a_stopped_pixel_is_told_as_such_and_not_as_slow(self):
        self.record()
        self.wait(1)
        self.look()
        self.assertTrue(self.activities(STUCK))
        self.graph.pixels = {}
        self.deliver()
        self.look()
        self.assertFalse(self.activities(STUCK))
        self.assertEqual(len(self.pixel.activity_ids & self.stops()), 1)
        self.look()
        self.assertEqual(len(self.pixel.activity_ids & self.stops()), 1)
        # Its release takes its own notice away, and no other.
        Managers(self.env).notify(self.pixel, "Slow", "", activity_type=STUCK)
        self.pixel._release()
        self.assertFalse(self.stops())
        self.assertTrue(self.activities(STUCK))

    def test_what_a_person_noted_on_the_pixel_stays_when_ours_goes(self):
        self.record()
        self.graph.pixels = {}
        with mute_logger("meta.conversions.api"):
            self.deliver()
        self.assertTrue(self.stops())
        mine = self.env["mail.activity"]
        for kind in ("mail.mail_activity_data_warning", STOPPED, STUCK, MISSING):
            mine |= mine.create(
                {
                    "res_model_id": self.env["ir.model"]._get_id("meta.capi.pixel"),
                    "res_id": self.pixel.id,
                    "activity_type_id": self.env.ref(kind).id,
                    "summary": "Call the agency",
                    "user_id": self.manager.id,
                }
            )
        self.pixel._release()
        self.pixel.is_stuck_told = True
        self.look()
        self.assertEqual(self.pixel.activity_ids, mine)

    def test_a_note_is_a_text_whatever_meta_writes_in_it(self):
        Managers(self.env).notify(
            self.pixel, "Slow", "a < b <img src=x>\nnext", activity_type=STUCK
        )
        note = self.activities(STUCK).note
        self.assertIn("a &lt; b &lt;img src=x&gt;", note)
        self.assertNotIn("<img", note)

    def stops(self):
        return self.activities(STOPPED)

    @mute_logger("meta.conversions.api")
    def test_the_note_tells_what_to_do(self):
        self.graph.fail_always(sandbox.http(503))
        self.record()
        self.deliver()
        self.wait(1)
        self.look()
        self.assertIn("metastatus", self.activities(STUCK).note)

    def test_the_sweep_looks_after_it(self):
        self.record()
        self.wait(1)
        with patch.object(type(self.delivery), "_due_pixel_ids", lambda self: []):
            self.delivery._sweep()
        self.assertTrue(self.activities(STUCK))

    def test_a_notice_that_cannot_be_made_does_not_keep_events_from_being_sent(self):
        self.record()
        broken = patch.object(
            type(self.env["meta.capi.alert"]),
            "_look_after_all",
            side_effect=ZeroDivisionError,
        )
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            self.delivery._sweep()
        self.jobs.assert_enqueued_job(
            self.delivery._deliver,
            args=(self.pixel_id,),
        )


@tagged("post_install", "-at_install")
class TestMissingAlert(AlertCase):
    def setUp(self):
        super().setUp()
        self.arm()

    def test_a_day_with_missing_purchases_is_told_once(self):
        orders = self.without_purchase() + self.without_purchase()
        orders.date_order = fields.Datetime.now() - timedelta(hours=2)
        self.look()
        activity = self.activities(MISSING)
        self.assertEqual(len(activity), 1)
        self.assertIn("without a Purchase at Meta: 2", activity.summary)
        self.assertIn(orders[0].name, activity.note)
        self.look()
        self.assertEqual(self.activities(MISSING), activity)
        activity.unlink()
        self.look()
        self.assertFalse(self.activities(MISSING))

    def test_each_day_is_told_by_itself(self):
        now = fields.Datetime.now()
        yesterday = self.without_purchase()
        yesterday.date_order = now - timedelta(days=1)
        today = self.without_purchase()
        today.date_order = now.replace(hour=0, minute=0, second=1)
        later = now.replace(hour=12)
        with patch.object(fields.Datetime, "now", staticmethod(lambda: later)):
            self.look()
        self.assertEqual(
            set(self.activities(MISSING).mapped("date_deadline")),
            {yesterday.date_order.date(), today.date_order.date()},
        )

    def test_it_closes_itself_when_the_purchases_are_there(self):
        order = self.without_purchase()
        order.date_order = fields.Datetime.now() - timedelta(hours=2)
        self.look()
        self.assertTrue(self.activities(MISSING))
        self.record(event_name="Purchase", origin=order)
        self.look()
        self.assertFalse(self.activities(MISSING))

    def test_an_order_of_a_moment_ago_is_given_its_time(self):
        self.without_purchase()
        self.look()
        self.assertFalse(self.activities(MISSING))

    def test_nothing_is_told_where_every_order_is_accounted_for(self):
        self.confirmed(hours_ago=2)
        self.customer.meta_capi_opt_out = True
        self.confirmed(hours_ago=2)
        self.look()
        self.assertFalse(self.activities(MISSING))

    def test_disarmed_nothing_is_told_and_what_was_is_taken_back(self):
        order = self.without_purchase()
        order.date_order = fields.Datetime.now() - timedelta(hours=2)
        self.look()
        self.assertTrue(self.activities(MISSING))
        self.arm("never")
        self.look()
        self.assertFalse(self.activities(MISSING))
