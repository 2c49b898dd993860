from datetime import timedelta

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..capi.quality import Diagnostic, EventQuality
from ..dev import sandbox
from ..models.quality.meta_capi_quality_alert import COVERAGE, DIAGNOSTIC, FALL
from .test_alerts import AlertCase
from .test_capi_quality import PURCHASE, body


class QualityAlertCase(AlertCase):
    def shift_rows(self, days=1):
        """Let days pass for all that Meta has told."""
        for row in self.env["meta.capi.quality"].search([], order="date"):
            row.date -= timedelta(days=days)
            row.flush_recordset()

    def next_day(self, *events):
        self.shift_rows()
        self.env["meta.capi.quality"]._keep(self.pixel_id, events)
        self.look()

    def switch_off(self, name):
        self.parameters.set_param(f"meta_capi.{name}", "False")


@tagged("post_install", "-at_install")
class TestFallAlert(QualityAlertCase):
    def score(self, *scores, name="Purchase"):
        for score in scores:
            self.next_day(EventQuality(name, score=score))

    def test_a_fall_by_more_than_one_is_told_once(self):
        self.score(8.0, 7.0)
        self.assertFalse(self.activities(FALL))
        self.score(6.9)
        activity = self.activities(FALL)
        self.assertEqual(len(activity), 1)
        self.assertIn("from 8.0 to 6.9", activity.summary)
        self.assertEqual(activity.res_id, self.pixel.id)
        self.score(5.0)
        self.assertEqual(self.activities(FALL), activity)

    def test_a_fall_over_more_than_a_week_is_none(self):
        self.score(8.0, *[7.5] * 7)
        self.score(6.9)
        self.assertFalse(self.activities(FALL))

    def test_it_closes_itself_when_it_is_over_and_may_come_again(self):
        self.score(8.0, 6.0)
        self.assertTrue(self.activities(FALL))
        self.score(*[6.0] * 9)
        self.assertTrue(self.activities(FALL))
        self.score(7.0)
        self.assertFalse(self.activities(FALL))
        self.score(5.5)
        self.assertTrue(self.activities(FALL))

    def test_ticked_off_it_does_not_come_again_for_the_same_fall(self):
        self.score(8.0, 6.0)
        self.activities(FALL).unlink()
        self.score(6.0, 5.0)
        self.assertFalse(self.activities(FALL))

    def test_what_is_not_told_is_no_fall_and_no_end_of_one(self):
        self.score(8.0, None)
        self.assertFalse(self.activities(FALL))
        self.score(6.0)
        self.assertTrue(self.activities(FALL))
        self.score(*[None] * 9)
        self.assertTrue(self.activities(FALL))

    def test_another_event_may_fall(self):
        self.score(8.0, 2.0, name="Lead")
        self.assertFalse(self.activities(FALL))

    def test_switched_off_it_is_not_told_and_what_was_is_taken_back(self):
        self.score(8.0, 6.0)
        self.assertTrue(self.activities(FALL))
        self.switch_off("alert_quality")
        self.look()
        self.assertFalse(self.activities(FALL))


@tagged("post_install", "-at_install")
class TestCoverageAlert(QualityAlertCase):
    def cover(self, *figures, name="Purchase", goal=75.0):
        for figure in figures:
            self.next_day(EventQuality(name, coverage=figure, coverage_goal=goal))

    def test_three_days_under_the_goal_are_told_once(self):
        self.cover(70.0, 60.0)
        self.assertFalse(self.activities(COVERAGE))
        self.cover(74.9)
        activity = self.activities(COVERAGE)
        self.assertEqual(len(activity), 1)
        self.assertIn("Purchase", activity.summary)
        self.cover(50.0)
        self.assertEqual(self.activities(COVERAGE), activity)

    def test_a_day_at_the_goal_begins_anew(self):
        self.cover(70.0, 60.0, 75.0, 70.0, 70.0)
        self.assertFalse(self.activities(COVERAGE))

    def test_it_closes_itself_at_the_goal(self):
        self.cover(70.0, 60.0, 60.0)
        self.cover(75.0)
        self.assertFalse(self.activities(COVERAGE))

    def test_without_a_goal_there_is_none(self):
        self.cover(*[1.0] * 4, goal=None)
        self.cover(*[None] * 4)
        self.assertFalse(self.activities(COVERAGE))

    def test_a_day_without_an_answer_is_skipped_but_not_a_week(self):
        self.cover(70.0, 60.0)
        self.shift_rows(1)
        self.cover(60.0)
        self.assertTrue(self.activities(COVERAGE))
        self.activities(COVERAGE).unlink()
        self.pixel.quality_notices = False
        self.shift_rows(4)
        self.cover(60.0)
        self.assertFalse(self.activities(COVERAGE))

    def test_another_event_makes_it_news_and_one_activity(self):
        low = {"coverage": 1.0, "coverage_goal": 75.0}
        purchase, lead = EventQuality("Purchase", **low), EventQuality("Lead", **low)
        for _day in range(3):
            self.next_day(purchase)
        for _day in range(3):
            self.next_day(purchase, lead)
        activity = self.activities(COVERAGE)
        self.assertEqual(len(activity), 1)
        self.assertIn("Lead, Purchase", activity.summary)

    def test_switched_off_it_is_not_told(self):
        self.switch_off("alert_coverage")
        self.cover(1.0, 1.0, 1.0)
        self.assertFalse(self.activities(COVERAGE))


@tagged("post_install", "-at_install")
class TestDiagnosticAlert(QualityAlertCase):
    def faults(self, *names):
        faults = tuple(Diagnostic(name, f"About {name}.", "Mend it.") for name in names)
        self.next_day(EventQuality("Purchase", diagnostics=faults))

    def test_a_new_fault_is_told_in_metas_words_once(self):
        self.faults()
        self.assertFalse(self.activities(DIAGNOSTIC))
        self.faults("Missing currency")
        activity = self.activities(DIAGNOSTIC)
        self.assertEqual(len(activity), 1)
        self.assertIn("Purchase: Missing currency", activity.summary)
        self.assertIn("About Missing currency. Mend it.", activity.note)
        self.faults("Missing currency")
        self.assertEqual(self.activities(DIAGNOSTIC), activity)

    def test_the_next_one_takes_the_place_of_the_first(self):
        self.faults("a")
        self.faults("a", "b")
        activity = self.activities(DIAGNOSTIC)
        self.assertEqual(len(activity), 1)
        self.assertIn("Purchase: b", activity.summary)

    def test_it_closes_itself_when_no_fault_is_left_and_may_come_again(self):
        self.faults("a", "b")
        self.faults("b")
        self.assertTrue(self.activities(DIAGNOSTIC))
        self.faults()
        self.assertFalse(self.activities(DIAGNOSTIC))
        self.faults("a")
        self.assertTrue(self.activities(DIAGNOSTIC))

    def test_ticked_off_it_does_not_come_again_for_the_same_fault(self):
        self.faults("a")
        self.activities(DIAGNOSTIC).unlink()
        self.faults("a")
        self.assertFalse(self.activities(DIAGNOSTIC))

    def test_switched_off_it_is_not_told(self):
        self.switch_off("alert_diagnostics")
        self.faults("a")
        self.assertFalse(self.activities(DIAGNOSTIC))

    def test_a_pixel_that_is_not_used_any_more_is_not_told_of(self):
        self.faults("a")
        self.parameters.set_param("meta_capi.pixel_id", "222")
        self.look()
        self.assertFalse(self.activities(DIAGNOSTIC))
        self.assertFalse(self.pixel.quality_notices)

    def test_an_answer_of_meta_is_looked_at_at_once(self):
        self.graph.fail_next(sandbox.http(200, body(PURCHASE), "application/json"))
        self.env["meta.capi.quality.fetch"]._ask(self.pixel_id)
        self.assertIn("Missing fields", self.activities(DIAGNOSTIC).summary)

    @mute_logger("meta.conversions.api")
    def test_a_refusal_ends_nothing(self):
        self.faults("a")
        self.graph.fail_next(sandbox.error(200))
        self.env["meta.capi.quality.fetch"]._ask(self.pixel_id)
        self.shift_rows(30)
        self.look()
        self.assertTrue(self.activities(DIAGNOSTIC))
