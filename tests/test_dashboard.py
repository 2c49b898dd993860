import json
from collections import Counter
from datetime import datetime, timedelta

import pytz

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..dev import sandbox
from ..models.admin.periods import PERIODS, make_period
from .common import FBC, FBP, set_values, stop_pixel
from .test_overview import OverviewCase

BERLIN, TOKYO, UTC = "Europe/Berlin", "Asia/Tokyo", "UTC"
# The days of a zone, at a moment in UTC: how many hours today has, when it began, and
# when the 7 days began.
DAYS = (
    (UTC, "2026-11-28 12:00:00", 24, "2026-11-28 00:00:00", "2026-11-22 00:00:00"),
    (BERLIN, "2026-11-28 12:00:00", 24, "2026-11-27 23:00:00", "2026-11-21 23:00:00"),
    # It is tomorrow there already.
    (TOKYO, "2026-11-28 15:00:00", 24, "2026-11-28 15:00:00", "2026-11-22 15:00:00"),
    (TOKYO, "2026-11-28 14:59:59", 24, "2026-11-27 15:00:00", "2026-11-21 15:00:00"),
    # The clocks go back, and forth.
    (BERLIN, "2026-10-25 12:00:00", 25, "2026-10-24 22:00:00", "2026-10-18 22:00:00"),
    (BERLIN, "2026-10-28 12:00:00", 24, "2026-10-27 23:00:00", "2026-10-21 22:00:00"),
    (BERLIN, "2026-03-29 12:00:00", 23, "2026-03-28 23:00:00", "2026-03-22 23:00:00"),
    # Half an hour apart from all others.
    ("Asia/Kolkata", "2026-11-28 12:00:00", 24)
    + ("2026-11-27 18:30:00", "2026-11-21 18:30:00"),
)


class DashboardCase(OverviewCase):
    def chart(self, name, **values):
        charts = self.dashboard(**values)["charts"]
        return next(chart for chart in charts if chart["name"] == name)

    def happen(self, moment, event_id, state="sent", delay=6, **arguments):
        """Put an event into the log as if it had happened at that moment."""
        event = self.record(event_id=event_id, **arguments)
        sent_at = moment + timedelta(seconds=delay) if state == "sent" else None
        set_values(
            event,
            event_time=moment,
            create_date=moment,
            state=state,
            sent_at=sent_at,
            cause="currency" if state == "failed" else None,
        )
        return event


@tagged("post_install", "-at_install")
class TestPeriods(OverviewCase):
    def test_a_day_begins_at_midnight_of_the_zone(self):
        for zone, now, hours, today, week in DAYS:
            with self.subTest(zone=zone, now=now):
                moment = fields.Datetime.to_datetime(now)
                day = make_period(1, pytz.timezone(zone), moment)
                self.assertEqual(str(day.since), today)
                self.assertEqual(len(day.slices), hours)
                self.assertEqual(day.until - day.since, timedelta(hours=hours))
                seven = make_period(7, pytz.timezone(zone), moment)
                self.assertEqual(str(seven.since), week)
                self.assertEqual(seven.until, day.until)
                self.assertEqual(len(seven.slices), 7)
                self.assertEqual(str(seven.slices[-1][0]), today)

    def test_it_is_compared_with_as_much_of_the_time_before(self):
        now = datetime(2026, 11, 28, 12)
        for days in PERIODS:
            with self.subTest(days=days):
                period = make_period(days, pytz.utc, now)
                since, until = period.before
                self.assertEqual(until - since, now - period.since)
                self.assertEqual(period.since - since, timedelta(days=days))


@tagged("post_install", "-at_install")
class TestDashboard(DashboardCase):
    def counts(self, **values):
        """Return the number of events by the title of the slice and by state."""
        dashboard = self.dashboard(**values)
        (events,) = (c for c in dashboard["charts"] if c["name"] == "events")
        return {
            (each["since"], series["key"]): value
            for series in events["series"]
            for each, value in zip(dashboard["slices"], series["values"], strict=True)
            if value
        }

    def test_it_is_json_and_changes_nothing(self):
        self.happen(fields.Datetime.now(), "one")
        self.env.flush_all()
        before = self.env.cr.sql_log_count
        dashboard = self.dashboard()
        self.assertLess(self.env.cr.sql_log_count - before, 80)
        self.assertEqual(json.loads(json.dumps(dashboard))["filters"]["days"], 7)

    def test_a_longer_period_and_more_events_take_no_more_statements(self):
        def statements(days):
            before = self.env.cr.sql_log_count
            self.dashboard(days=days)
            return self.env.cr.sql_log_count - before

        now = fields.Datetime.now()
        self.happen(now, "first")
        self.dashboard()
        few = [statements(days) for days in PERIODS]
        for number in range(40):
            self.happen(now - timedelta(days=2 * number), str(number))
        self.env.flush_all()
        self.assertEqual([statements(days) for days in PERIODS], few)
        self.assertEqual(len(set(few)), 1, few)

    def test_charts_have_the_figures_that_sql_finds_in_any_time_zone(self):
        now = fields.Datetime.now()
        states = ("sent", "sent", "pending", "failed", "cancelled")
        for number in range(90):
            # Two borders of a day apart, and on the border itself.
            moment = now.replace(minute=0, second=0) - timedelta(hours=2.5 * number)
            state = states[number % len(states)]
            self.happen(moment, str(number), state, delay=number * 7)
        for days in (1, 7, 30):
            for zone in (UTC, BERLIN, TOKYO, "America/St_Johns", "Asia/Kathmandu"):
                with self.subTest(days=days, zone=zone):
                    self.check_against_sql(days, zone)

    def check_against_sql(self, days, zone):
        values = {"days": days, "context": {"tz": zone}}
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT to_char(date_trunc(%(unit)s, event_time AT TIME ZONE 'UTC'
                        AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s
                        AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                   state, count(*),
                   percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (
                        ORDER BY extract(epoch FROM sent_at - event_time))
              FROM meta_capi_event
             WHERE event_time AT TIME ZONE 'UTC' AT TIME ZONE %(zone)s
                   >= (now() AT TIME ZONE %(zone)s)::date - %(back)s
               AND event_time AT TIME ZONE 'UTC' AT TIME ZONE %(zone)s
                   < (now() AT TIME ZONE %(zone)s)::date + 1
             GROUP BY 1, 2
            """,
            {
                **{"unit": "hour" if days == 1 else "day", "zone": zone},
                "back": days - 1,
            },
        )
        rows = self.env.cr.fetchall()
        self.assertEqual(
            self.counts(**values),
            {(since, state): count for since, state, count, _delays in rows},
        )
        dashboard = self.dashboard(**values)
        (delays,) = (c for c in dashboard["charts"] if c["name"] == "delays")
        found = {
            each["since"]: [series["values"][number] for series in delays["series"]]
            for number, each in enumerate(dashboard["slices"])
            if delays["series"] and delays["series"][0]["values"][number] is not None
        }
        self.assertEqual(
            found,
            {
                since: [float(delay) for delay in delays]
                for since, state, _count, delays in rows
                if state == "sent"
            },
        )

    def test_each_slice_leads_to_the_events_that_it_counts(self):
        now = fields.Datetime.now()
        for number in range(12):
            self.happen(now - timedelta(hours=7 * number), str(number))
        dashboard = self.dashboard()
        (events,) = (c for c in dashboard["charts"] if c["name"] == "events")
        found = [
            self.env["meta.capi.event"].search_count(
                [
                    *dashboard["domain"],
                    ("event_time", ">=", each["since"]),
                    ("event_time", "<", each["until"]),
                    ("state", "=", "sent"),
                ]
            )
            for each in dashboard["slices"]
        ]
        self.assertEqual(found, events["series"][0]["values"])
        self.assertEqual(sum(found), 12)

    def test_the_figures_lead_to_what_they_count(self):
        now = fields.Datetime.now()
        self.happen(now, "sent")
        self.happen(now, "failed", "failed")
        self.happen(now - timedelta(days=40), "old", "pending")
        for figure in self.dashboard()["figures"][:3]:
            found = self.env["meta.capi.event"].search_count(figure["log"])
            self.assertEqual((figure["value"], found), ("1", 1), figure["key"])

    def test_a_failed_event_with_an_old_event_time_is_in_sight(self):
        event = self.happen(fields.Datetime.now(), "old", "failed")
        set_values(event, event_time=fields.Datetime.now() - timedelta(days=40))
        self.assertEqual(self.figure("failed"), "1")
        (failure,) = self.dashboard()["failures"]
        self.assertEqual(failure["count"], "1")
        found = self.env["meta.capi.event"].search(failure["log"])
        self.assertEqual(found, event)
        self.assertIn("1 event that failed", self.chart("events")["note"])

    def test_the_trend_compares_with_as_much_of_the_time_before(self):
        now = fields.Datetime.now()
        for number in range(3):
            self.happen(now, f"now-{number}")
        for number in range(2):
            moment = now - timedelta(days=7, minutes=1)
            self.happen(moment, f"before-{number}")
        # Of the same day a week ago, but later.
        self.happen(now - timedelta(days=6, hours=23, minutes=59), "later")
        sent = self.dashboard(context={"tz": UTC})["figures"][0]
        self.assertEqual(sent["trend"]["text"], "+50%")
        self.assertTrue(sent["trend"]["is_good"])
        # Where the log does not go back so far there is nothing to compare with.
        self.parameters.set_param("meta_capi.retention_days", 10)
        self.assertIsNone(self.dashboard(context={"tz": UTC})["figures"][0]["trend"])

    def test_filters_narrow_all_that_is_counted(self):
        other = self.env["website"].create({"name": "Second"})
        now = fields.Datetime.now()
        self.happen(now, "first", website=self.website)
        self.happen(now, "second", website=other)
        self.happen(now, "none")
        pixel = self.env["meta.capi.pixel"]._get("2000002")
        set_values(self.happen(now, "copy"), pixel_id="2000002")
        for filters, count in (
            ({}, "4"),
            ({"website_id": other.id}, "1"),
            ({"pixel": pixel.id}, "1"),
            ({"website_id": other.id, "pixel": pixel.id}, "0"),
            # One that is gone, and a period that there is not.
            ({"website_id": 0, "pixel": 10**9, "days": 8}, "4"),
        ):
            with self.subTest(filters=filters):
                self.assertEqual(self.figure("sent", **filters), count)

    def test_match_keys_are_told_of_the_chosen_event_and_not_of_all(self):
        now = fields.Datetime.now()
        for number in range(8):
            self.happen(
                now, f"view-{number}", event_name="PageView", user_data={"fbp": FBP}
            )
        value = {"value": 1, "currency": "EUR"}
        person = {"em": "a@b.example", "ph": "+49 30 123456"}
        for number, user_data in enumerate((person, {"em": "a@b.example"})):
            self.happen(
                *(now, f"sale-{number}"),
                **{"event_name": "Purchase", "custom_data": value},
                user_data=user_data,
            )
        self.happen(
            *(now, "not", "cancelled"),
            **{"event_name": "Purchase", "custom_data": value},
        )
        keys = self.dashboard()["keys"]
        shares = {row["key"]: row["text"] for row in keys["rows"]}
        self.assertEqual(keys["total"], 2)
        self.assertEqual(
            (shares["em"], shares["ph"], shares["fbp"]), ("100%", "50%", "0%")
        )
        (without,) = (row for row in keys["rows"] if row["key"] == "ph")
        self.assertIn("country code", without["hint"])
        self.assertEqual(
            self.env["meta.capi.event"].search(without["log"]).event_id, "sale-1"
        )
        keys = self.dashboard(event_name="PageView")["keys"]
        self.assertEqual(keys["total"], 8)
        # Not what is at fault, but what was chosen.
        self.parameters.set_param("meta_capi.user_data_keys", "em,fbp")
        hints = {row["key"]: row["hint"] for row in self.dashboard()["keys"]["rows"]}
        self.assertIn("Switched off in the settings", hints["ph"])

    def test_the_shares_survive_the_purge_of_personal_data(self):
        event = self.record(event_name="Lead", user_data={"em": "a@b.example"})
        self.deliver()
        self.shift("create_date", 40 * 24 * 3600)
        event._gc_user_data()
        self.assertEqual(event.user_data, {})
        rows = self.dashboard(event_name="Lead")["keys"]["rows"]
        self.assertEqual(rows[0]["text"], "100%")

    def test_it_tells_of_how_many_visits_by_an_ad_meta_knows_the_click(self):
        phone = "Mozilla/5.0 (Linux; Android 13; SM-S918B) Chrome/140.0.0.0 Mobile"
        instagram = f"{phone} Instagram 308.0.0.36.109 Android"
        desktop = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko Firefox/143.0"
        for number, (agent, fbc) in enumerate(
            (
                *((instagram, FBC),) * 3,
                *((instagram, None), (phone, None), (desktop, FBC)),
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
        self.assertEqual(
            [
                (row["name"], row["visits"], row["share"])
                for row in self.dashboard()["clicks"]
            ],
            [
                ("Inside an App", "4", "75%"),
                ("Mobile", "1", "0%"),
                ("Desktop", "1", "100%"),
            ],
        )
        self.shift("event_time", 7 * 24 * 3600)
        self.assertEqual(self.dashboard()["clicks"], [])

    def test_events_are_told_by_name(self):
        self.record(event_id="1")
        self.record(event_id="2")
        self.deliver()
        self.record(event_id="3", event_name="Contact")
        names = self.dashboard()["names"]
        self.assertEqual(
            [state for state, _label in names["states"]], ["sent", "pending"]
        )
        counts = {row["name"]: Counter(row["counts"]) for row in names["rows"]}
        self.assertEqual(counts["Lead"]["sent"], 2)
        self.assertEqual(counts["Contact"]["pending"], 1)

    def test_it_is_for_those_who_may_read_the_log(self):
        salesperson = new_test_user(
            self.env, "a-seller", groups="sales_team.group_sale_salesman"
        )
        overview = self.env["meta.capi.overview"].with_user(salesperson)
        with mute_logger("odoo.addons.base.models.ir_model"):
            with self.assertRaises(AccessError):
                overview.get_dashboard()
            with self.assertRaises(AccessError):
                overview.get_orders_action("missing")

    def test_it_counts_the_events_of_the_users_companies_only(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        order = self.order(company_id=company.id, website_id=False)
        self.record(origin=order)
        self.record(event_id="ours")
        self.deliver()
        self.assertEqual(self.figure("sent"), "1")
        self.manager.company_ids += company
        companies = self.manager.company_ids.ids
        for ids, count in ((companies, "2"), (company.ids, "1")):
            context = {"allowed_company_ids": ids}
            self.assertEqual(self.figure("sent", context=context), count)

    def test_websites_of_other_companies_are_no_filter(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        other = self.env["website"].create({"name": "Theirs", "company_id": company.id})
        filters = self.dashboard()["filters"]
        self.assertNotIn("Theirs", [name for _id, name in filters["websites"]])
        filters = self.dashboard(website_id=other.id)["filters"]
        self.assertFalse(filters["website_id"])

    def test_the_number_of_queries_does_not_grow_with_the_log(self):
        def queries():
            before = self.env.cr.sql_log_count
            self.dashboard()
            return self.env.cr.sql_log_count - before

        self.record(event_id="first", user_data={"ct": "Berlin"})
        queries()
        one = queries()
        for number in range(20):
            self.record(event_id=str(number), user_data={"ct": "Berlin"})
        self.assertLessEqual(queries(), one)

    def test_dates_and_numbers_are_as_the_language_has_them(self):
        self.env["res.lang"]._activate_lang("de_DE")
        self.happen(fields.Datetime.now(), "one")
        context = {"lang": "de_DE", "tz": BERLIN}
        label = self.dashboard(context=context)["slices"][-1]["label"]
        self.assertRegex(label, r"^\d+\. \w+")


@tagged("post_install", "-at_install")
class TestAnswer(DashboardCase):
    """The answer in one line, and the button that cures it."""

    def answer(self, **values):
        return self.dashboard(**values)["answer"]

    def text(self, **values):
        return self.answer(**values)["text"]

    def setUp(self):
        super().setUp()
        self.arm()

    def test_everything_is_delivered(self):
        self.assertEqual(self.text(), "Nothing has been sent yet")
        self.record()
        self.deliver()
        answer = self.answer()
        self.assertEqual(answer["text"], "Everything is delivered")
        self.assertEqual(answer["detail"], "Last event accepted just now")
        self.assertIsNone(answer["button"])
        self.record(event_id="next")
        self.assertIn("1 event pending.", self.answer()["detail"])

    @mute_logger("meta.conversions.api")
    def test_events_wait_while_meta_is_down(self):
        self.graph.fail_always(sandbox.error(2, http_status=503))
        self.record()
        self.deliver()
        self.shift("create_date", 12 * 60)
        answer = self.answer()
        self.assertEqual(
            answer["text"], "1 event has been pending for 12 minutes: Meta is down"
        )
        found = self.env["meta.capi.event"].search(answer["button"]["log"])
        self.assertEqual(len(found), 1)

    def test_nothing_is_sent_without_a_token_that_counts(self):
        self.record()
        stop_pixel(self.env["meta.capi.pixel"]._get(self.pixel_id))
        answer = self.answer()
        self.assertEqual(answer["text"], "Nothing is sent: the access token expired")
        self.assertIn("1 event on hold", answer["detail"])
        # A manager who is no administrator cannot open the settings.
        self.assertIsNone(answer["button"])
        admin = self.env.ref("base.user_admin")
        self.assertEqual(
            self.answer(user=admin)["button"]["action"],
            "ih_meta_conversions_api.meta_capi_settings_action",
        )
        (held,) = self.dashboard()["held"]
        self.assertEqual(held["cause"], "Access token expired")
        self.assertEqual(held["message"], "The token has expired.")

    def test_what_may_be_over_by_itself_can_be_tried_again(self):
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        stop_pixel(pixel)
        pixel.trouble = "blocked"
        model, method, ids = self.answer()["button"]["call"]
        self.env[model].with_user(self.manager).browse(ids).__getattribute__(method)()
        self.assertEqual(pixel.state, "running")

    def test_one_pixel_on_hold_does_not_stop_the_others(self):
        other = self.env["website"].create({"name": "Second"})
        other.meta_capi_pixel_id = "2000002"
        pixel = self.env["meta.capi.pixel"]._get("2000002")
        stop_pixel(pixel)
        self.assertEqual(
            self.text(), "Nothing is sent to 2000002 (Second): the access token expired"
        )
        self.assertNotIn("Nothing is sent to", self.text(website_id=self.website.id))

    def test_failures_are_named_with_their_cause(self):
        self.record(event_id="bad", user_data={"ct": "Berlin"})
        self.assertIn("1 event failed", self.text())
        self.record(event_id="worse", event_time="never")
        self.record(event_id="worst", event_time="never")
        answer = self.answer()
        self.assertRegex(answer["text"], "^3 events failed, most of them: Time too old")
        found = self.env["meta.capi.event"].search(answer["button"]["log"])
        self.assertEqual(len(found), 3)

    def test_orders_without_a_purchase_are_one_click_away(self):
        self.without_purchase()
        answer = self.answer()
        self.assertEqual(answer["text"], "1 order has no Purchase")
        self.assertEqual(answer["button"]["orders"], "missing")

    def test_that_no_purchase_is_ever_sent_is_no_success(self):
        self.record()
        self.deliver()
        self.arm("never")
        self.assertIn("Send Purchase is set to Never", self.text())
        names = [row["name"] for row in self.dashboard()["names"]["rows"]]
        self.assertEqual(names, ["Lead"])

    def test_what_is_switched_off_or_not_set_comes_first(self):
        self.parameters.set_param("meta_capi.pixel_id", False)
        self.assertEqual(self.text(), "Nothing is sent: no pixel is set")
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertIn("switched off", self.text())

    def test_notices_name_what_is_for_tests_and_what_is_not_set(self):
        self.assertEqual(self.dashboard()["notices"], [])
        self.parameters.set_param("meta_capi.test_event_code", "TEST1")
        self.assertIn("test event code", self.dashboard()["notices"][0])


@tagged("post_install", "-at_install")
class TestSteps(DashboardCase):
    """What is to be done until the first real Purchase is sent."""

    def done(self):
        return [step["is_done"] for step in self.dashboard()["steps"]]

    def test_the_steps_tick_themselves_off(self):
        self.website.cookies_bar = False
        token = self.parameters.get_param("meta_capi.access_token")
        self.parameters.set_param("meta_capi.access_token", False)
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertEqual(self.done(), [False] * 5)
        self.parameters.set_param("meta_capi.access_token", token)
        self.assertEqual(self.done(), [False] * 5)
        self.parameters.set_param("meta_capi.enabled", "True")
        self.assertEqual(self.done(), [True, *[False] * 4])
        self.record(test_event_code="TEST1")
        self.deliver()
        self.assertEqual(self.done(), [True, True, *[False] * 3])
        self.website.cookies_bar = True
        self.assertEqual(self.done(), [True, True, True, False, False])
        self.arm()
        self.assertEqual(self.done(), [True] * 4 + [False])
        # One with a test code is not the real one.
        value = {"value": 1, "currency": "EUR"}
        purchase = {"event_name": "Purchase", "custom_data": value}
        self.record(event_id="test", test_event_code="TEST1", **purchase)
        self.deliver()
        self.assertEqual(len(self.done()), 5)
        self.record(event_id="real", **purchase)
        self.deliver()
        self.assertEqual(self.done(), [])

    def test_the_step_that_nobody_takes_by_himself_is_explained(self):
        steps = self.dashboard(user=self.env.ref("base.user_admin"))["steps"]
        self.assertIn("Never", steps[3]["help"])
        # The next step is one click away.
        buttons = [number for number, step in enumerate(steps) if step["button"]]
        self.assertEqual(buttons, [1])
