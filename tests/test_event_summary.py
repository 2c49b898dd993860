"""That the sums by the hour are the log's, whoever changes it and whenever."""

from datetime import datetime, timedelta
from unittest.mock import patch

import pytz

from odoo import fields
from odoo.tests import TransactionCase, tagged

from ..capi.states import CANCELLED, FAILED, PENDING, SENT
from ..dev.bench import data as bench_data
from ..models.admin.periods import PERIODS, make_period
from ..models.outbox import event_summary, meta_capi_event
from ..models.outbox.event_counts import EventCounts
from ..models.outbox.event_table import EventTable, to_datetime
from .common import MetaCapiCase, set_values
from .test_event_table import NOW
from .test_outbox import PREFIX, PostgresStore

ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns")
# When the clocks go back and forth in Berlin, and a day on which they do not.
NOONS = tuple(datetime(2026, *day, 12) for day in ((10, 26), (3, 30), (7, 1)))
DIFFERENCES = """
    WITH finished AS (
        SELECT date_trunc('hour', event_time) AS hour, pixel_id, website_id, company_id,
               state, action_source, event_name, user_data_keys,
               CASE WHEN state = 'sent' THEN sent_at - event_time END AS delay
          FROM meta_capi_event
         WHERE state <> 'pending'
    ), log AS (
        SELECT hour, pixel_id, website_id, company_id, state, action_source, event_name,
               user_data_keys, NULL::interval AS delay, 1 AS events
          FROM finished
         UNION ALL
        SELECT hour, pixel_id, website_id, company_id, state, action_source, NULL, NULL, delay,
               1
          FROM finished
    ), both_tables AS (
        SELECT * FROM log
         UNION ALL
        SELECT hour, pixel_id, website_id, company_id, state, action_source, event_name,
               user_data_keys, delay, -events
          FROM meta_capi_event_count
    )
    SELECT hour, pixel_id, website_id, company_id, state, action_source, event_name,
           user_data_keys, delay, sum(events)
      FROM both_tables
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    HAVING sum(events) <> 0
"""


class SummaryCase(MetaCapiCase):
    def setUp(self):
        super().setUp()
        self.table = EventTable(self.env)

    def event(self, moment=None, delay=6, state=SENT, **values):
        """Return an event that happened at a moment and was delivered after a delay."""
        moment = moment or fields.Datetime.now()
        event = self.record()
        sent_at = moment + timedelta(seconds=delay) if state == SENT else None
        set_values(
            event,
            **{"event_time": moment, "create_date": moment, "state": state},
            **{"sent_at": sent_at, **values},
        )
        return event

    def rows(self, statement="SELECT * FROM meta_capi_event_count"):
        self.env.flush_all()
        self.env.cr.execute(statement)
        return self.env.cr.fetchall()

    def check(self):
        self.assertEqual(self.rows(DIFFERENCES), [])


@tagged("post_install", "-at_install")
class TestSummary(SummaryCase):
    def test_each_change_of_an_event_changes_the_sums(self):
        moment = fields.Datetime.now() - timedelta(days=3)
        website = self.env["website"].create({"name": "Closes soon"})
        events = [self.event(moment, state=state) for state in (PENDING, SENT, FAILED)]
        waiting, sent, failed = events
        set_values(sent, website_id=website.id)
        changes = (
            lambda: self.event(state=CANCELLED),
            lambda: self.table.transition(waiting.ids, SENT, sent_at=moment),
            lambda: self.table.retry(failed.ids, NOW),
            lambda: self.table.cancel(failed.ids, "cancelled", "No more"),
            # By the foreign key, which no code of ours sees.
            website.unlink,
            lambda: set_values(sent, pixel_id="2222222222", sent_at=to_datetime(NOW)),
            lambda: set_values(sent, event_time=moment - timedelta(days=80)),
            lambda: set_values(sent, user_data_keys="em", event_name="Other"),
            sent.unlink,
            lambda: self.table.purge(
                1, before=fields.Datetime.now() + timedelta(days=1)
            ),
        )
        self.check()
        for number, change in enumerate(changes):
            with self.subTest(number):
                before = self.rows()
                change()
                self.check()
                self.assertNotEqual(self.rows(), before)

    def test_what_is_recorded_and_waits_writes_no_row(self):
        self.record()
        self.assertEqual(self.rows(), [])

    def test_what_tells_nothing_of_the_sums_writes_no_row(self):
        event = self.event()
        before = self.rows()
        set_values(event, partner_id=None, error_message="No", attempt_count=3)
        self.assertEqual(self.rows(), before)

    def test_a_batch_is_two_rows_where_its_events_are_alike(self):
        events = self.api.send_events(
            [
                {**bench_data.purchase(1), "event_id": str(number), "event_time": NOW}
                for number in range(50)
            ]
        )
        self.table.transition(events.ids, SENT, sent_at=to_datetime(NOW + 5))
        self.assertEqual(len(self.rows()), 2)
        self.check()

    def test_an_emptied_log_has_no_sums(self):
        self.event()
        self.env.cr.execute("TRUNCATE meta_capi_event, meta_capi_attempt")
        self.assertEqual(self.rows(), [])

    def test_merging_leaves_one_row_of_each_kind_and_the_sums(self):
        moment = fields.Datetime.now()
        for _number in range(5):
            self.event(moment)
        gone = self.event(moment - timedelta(days=1))
        gone.unlink()
        event_summary.merge_summary(self.env.cr)
        self.assertEqual(len(self.rows()), 14, "merging so few is not worth it")
        with patch.object(event_summary, "_MERGED_FROM", 0):
            self.delivery._sweep()
            self.assertEqual(len(self.rows()), 2)
            self.check()
            # One that is told later joins them.
            self.event(moment)
            event_summary.merge_summary(self.env.cr)
        self.assertEqual([row[-2] for row in self.rows()], [6, 6])
        self.check()

    def test_a_recount_adds_what_lacks_and_takes_what_is_too_much(self):
        self.event()
        self.env.cr.execute("UPDATE meta_capi_event_count SET state = 'cancelled'")
        self.assertTrue(self.rows(DIFFERENCES))
        for _time in range(2):
            event_summary.recount(self.env.cr)
            self.check()

    def test_the_triggers_are_made_once(self):
        self.assertFalse(event_summary.create_summary(self.env.cr))
        self.event()
        self.env.cr.execute(
            "DROP TRIGGER meta_capi_event_count_update ON meta_capi_event"
        )
        self.assertTrue(event_summary.create_summary(self.env.cr))
        self.event()
        self.check()

    def test_what_an_update_could_not_count_the_next_one_counts(self):
        self.event()
        self.env.cr.execute("DELETE FROM meta_capi_event_count")
        self.env.cr.execute("COMMENT ON TABLE meta_capi_event_count IS NULL")
        with patch.object(meta_capi_event, "commit_if_shared"):
            self.env["meta.capi.event"].init()
        self.check()
        self.assertFalse(event_summary.create_summary(self.env.cr))

    def test_it_leaves_nothing_behind(self):
        event_summary.drop_summary(self.env.cr)
        found = self.rows(
            "SELECT relname FROM pg_class WHERE relname LIKE 'meta_capi_event_count%'"
            " UNION SELECT proname FROM pg_proc WHERE proname = 'meta_capi_event_count'"
            " UNION SELECT tgname FROM pg_trigger"
            " WHERE tgname LIKE 'meta_capi_event_count%'"
        )
        self.assertEqual(found, [])


@tagged("post_install", "-at_install")
class TestCountsBySummary(SummaryCase):
    """The figures of a period against those that SQL finds in the log."""

    def setUp(self):
        super().setUp()
        states = (SENT, SENT, SENT, PENDING, FAILED, CANCELLED)
        for number in range(48):
            noon = NOONS[number % len(NOONS)]
            # On borders, and minutes from them.
            moment = noon - timedelta(minutes=105 * number)
            keys = ("em", "em,fbp", None)[number % 3]
            self.event(
                moment, number * 7, states[number % len(states)], user_data_keys=keys
            )

    def periods(self):
        for noon in NOONS:
            for zone in ZONES:
                for days in PERIODS:
                    period = make_period(
                        days, pytz.timezone(zone), noon.replace(minute=17)
                    )
                    yield f"{days} days to {noon} in {zone}", period

    def test_they_are_exact_in_all_zones_on_days_of_23_and_25_hours(self):
        counts = EventCounts(self.env)
        for name, period in self.periods():
            with self.subTest(name):
                borders = [*period.before, *period.borders]
                self.assertEqual(sorted(counts.by_time(borders)), self.by_time(borders))
                since, until = period.since, period.until
                self.assertEqual(
                    sorted(counts.by_name(since, until)), self.by_name(since, until)
                )

    def by_time(self, borders):
        self.env.cr.execute(
            """
            SELECT width_bucket(event_time, %(borders)s::timestamp[]) - 1, state, count(*),
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY delay),
                   percentile_disc(0.95) WITHIN GROUP (ORDER BY delay)
              FROM (SELECT event_time, state, sent_at - event_time AS delay
                      FROM meta_capi_event) event
             WHERE event_time >= %(since)s AND event_time < %(until)s
             GROUP BY 1, 2 ORDER BY 1, 2
            """,
            {"borders": list(borders), "since": borders[0], "until": borders[-1]},
        )
        return self.env.cr.fetchall()

    def by_name(self, since, until):
        self.env.cr.execute(
            """
            SELECT event_name, state, coalesce(user_data_keys, ''), count(*)
              FROM meta_capi_event WHERE event_time >= %s AND event_time < %s
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            (since, until),
        )
        return self.env.cr.fetchall()

    def test_a_rule_about_what_is_not_summed_up_is_heeded(self):
        period = make_period(30, pytz.utc, NOONS[0])
        event = self.env["meta.capi.event"].search([("state", "=", SENT)])[-1]
        set_values(event, weakness="Only this one", event_time=NOONS[0])
        self.env["ir.rule"].create(
            {
                "name": "Weak ones",
                "model_id": self.env.ref(
                    "ih_meta_conversions_api.model_meta_capi_event"
                ).id,
                "domain_force": "[('weakness', '!=', False)]",
            }
        )
        counts = EventCounts(self.env(user=self.env.ref("base.user_admin"), su=False))
        found = counts.by_time(period.borders)
        self.assertEqual([row[1:3] for row in found], [(SENT, 1)])
        self.assertEqual(len(counts.by_name(period.since, period.until)), 1)

    def test_of_the_log_only_the_hours_are_read_in_which_a_day_of_the_zone_begins(self):
        for zone, hours in (("Europe/Berlin", 0), ("Asia/Kolkata", 8)):
            period = make_period(7, pytz.timezone(zone), NOONS[0])
            for by_name, borders in (
                (False, period.borders),
                (True, period.borders[:2]),
            ):
                statement = event_summary.summary(borders, by_name)
                with self.subTest(zone, by_name=by_name):
                    self.assertEqual(
                        statement.code.count("state <> 'pending'"),
                        min(hours, len(borders)),
                    )


@tagged("post_install", "-at_install")
class TestSummaryOfTwo(TransactionCase):
    """Who changes events does not wait for others who do, and no change is lost."""

    def test_two_may_change_events_of_an_hour_while_they_are_merged(self):
        store = PostgresStore(self.registry)
        self.addCleanup(store.clear)
        for key in ("first", "second", "third"):
            store.add(key, "1", None, NOW, "website", NOW, None, 400)
        ids = [row.id for row in store.pending()]
        with store.table() as one, store.table() as other, store.table() as merging:
            for table in (one, other, merging):
                table.cr.execute("SET LOCAL lock_timeout = '1s'")
            one.transition(ids[:1], SENT, sent_at=to_datetime(NOW))
            other.transition(ids[1:2], SENT, sent_at=to_datetime(NOW))
            with patch.object(event_summary, "_MERGED_FROM", 0):
                event_summary.merge_summary(merging.cr)
            merging.transition(ids[2:], SENT, sent_at=to_datetime(NOW))
        with store.table() as table:
            table.cr.execute(
                "SELECT sum(events) FROM meta_capi_event_count"
                " WHERE pixel_id LIKE %s AND event_name IS NULL",
                [f"{PREFIX}%"],
            )
            self.assertEqual(table.cr.fetchone(), (3,))
