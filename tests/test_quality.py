import contextlib
import json
from datetime import date, timedelta

from lxml import html

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..capi.client import GraphClient
from ..capi.quality import read_quality_answer
from ..dev import sandbox
from ..models.outbox.quality_words import QualityWords
from ..models.quality.quality_page import QualityPage
from ..models.settings import setting
from .common import MetaCapiCase
from .test_capi_quality import LEAD, PURCHASE, body

MODULE = "ih_meta_conversions_api"


class QualityCase(MetaCapiCase):
    """A shop that asks Meta what it thinks of its events."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fetch = cls.env["meta.capi.quality.fetch"]
        cls.pixel = cls.env["meta.capi.pixel"]._get(cls.pixel_id)

    def tell(self, *rows):
        """Let Meta answer the next question with these rows."""
        self.graph.fail_next(sandbox.http(200, body(*rows), "application/json"))

    def ask(self, pixel_id=None):
        result = self.fetch._ask(pixel_id or self.pixel_id)
        self.env.invalidate_all()
        return result

    def found(self, **values):
        return self.env["meta.capi.quality"].search(
            [(name, "=", value) for name, value in values.items()]
        )


@tagged("post_install", "-at_install")
class TestQuality(QualityCase):
    def test_what_meta_tells_is_kept_by_event_and_day(self):
        self.tell(PURCHASE, LEAD)
        self.ask()
        quality = self.found(event_name="Purchase")
        for name, value in {
            "pixel_id": self.pixel_id,
            "date": fields.Date.today(),
            "event_match_quality": 6.2,
            "event_coverage": 34.1,
            "event_coverage_goal": 75.0,
            "browser_with_id": 100.0,
            "server_with_id": 98.5,
            "dedupe_rate": 14.8,
            "data_freshness": "real_time",
            "acr": 37.9,
            "match_keys": {"em": 100.0, "client_ip_address": 99.9},
            "key_gains": {"em": 58.96},
            "company_id": self.website.company_id,
        }.items():
            with self.subTest(name):
                self.assertEqual(quality[name], value)
        [fault] = quality.diagnostics
        self.assertEqual(fault["solution"], "Send more fields.")
        self.assertEqual(len(self.found(event_name="Lead")), 1)
        self.assertEqual(self.pixel.quality_told_at, self.pixel.quality_asked_at)

    def test_what_meta_does_not_tell_is_empty_and_not_zero(self):
        self.tell(LEAD, {"event_name": "Zero", "acr": {"percentage": 0}})
        self.ask()
        names = (
            *("event_match_quality", "event_coverage", "event_coverage_goal"),
            *("browser_with_id", "server_with_id", "dedupe_rate", "acr"),
        )
        quality = self.found(event_name="Lead")
        [read] = quality.read(names)
        for name in names:
            with self.subTest(name):
                self.assertIs(quality[name], False)
                self.assertIs(read[name], False)
                self.assertIn(quality, self.found(**{name: False}))
        self.env.cr.execute(
            "SELECT acr IS NULL FROM meta_capi_quality ORDER BY event_name"
        )
        self.assertEqual(self.env.cr.fetchall(), [(True,), (False,)])
        zero = self.found(event_name="Zero")
        self.assertEqual(zero.acr, 0.0)
        self.assertIsNot(zero.acr, False)
        quality.acr = 0.0
        quality.flush_recordset()
        quality.invalidate_recordset()
        self.assertIsNot(quality.acr, False)
        quality.acr = False
        quality.flush_recordset()
        quality.invalidate_recordset()
        self.assertIs(quality.acr, False)

    def test_a_group_shows_the_average_of_what_is_known(self):
        for name, score in (("A", 4), ("B", 8), ("C", None)):
            row = {
                "event_name": name,
                "event_match_quality": {"composite_score": score},
            }
            self.tell(row)
            self.ask()
        groups = self.env["meta.capi.quality"]._read_group(
            [], ["date:day"], ["event_match_quality:avg"]
        )
        self.assertEqual([average for _day, average in groups], [6.0])
        field = self.env["meta.capi.quality"].fields_get(["event_match_quality"])
        told = field["event_match_quality"]
        self.assertEqual(told.get("aggregator", told.get("group_operator")), "avg")

    def test_asked_again_on_a_day_the_newest_answer_counts(self):
        self.tell(PURCHASE)
        self.ask()
        self.tell({"event_name": "Purchase"})
        self.ask()
        quality = self.found()
        self.assertEqual(len(quality), 1)
        self.assertIs(quality.event_match_quality, False)
        yesterday = fields.Date.today() - timedelta(days=1)
        quality.date = yesterday
        self.tell(PURCHASE)
        self.ask()
        self.assertEqual(len(self.found()), 2)

    def test_a_row_of_a_year_ago_is_deleted(self):
        self.tell(PURCHASE, LEAD)
        self.ask()
        today = fields.Date.today()
        self.found(event_name="Lead").date = today - timedelta(days=366)
        self.found(event_name="Purchase").date = today - timedelta(days=364)
        self.env["meta.capi.quality"]._gc_old()
        self.assertEqual(self.found().mapped("event_name"), ["Purchase"])

    def test_a_pixel_of_several_companies_is_of_none(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        website = self.env["website"].create(
            {"name": "Second", "company_id": other.id, "domain": "https://b.example"}
        )
        self.tell(LEAD)
        self.ask()
        self.assertFalse(self.found().company_id)
        website.meta_capi_pixel_id = "222"
        self.tell(LEAD)
        self.ask()
        self.assertEqual(self.found().company_id, self.website.company_id)


@tagged("post_install", "-at_install")
class TestQualityRefused(QualityCase):
    @mute_logger("meta.conversions.api")
    def test_a_refusal_is_kept_and_says_what_to_do_and_sending_goes_on(self):
        for code, subcode in ((200, None), (10, None), (100, 33), (100, None)):
            with self.subTest(code=code, subcode=subcode):
                self.graph.fail_next(sandbox.error(code, subcode))
                before = self.pixel.read(["state", "trouble", "failing_since"])
                self.ask()
                self.assertEqual(self.pixel.quality_problem, "permission")
                self.assertIn("Manage Pixel", self.pixel.quality_cure)
                self.assertTrue(self.pixel.quality_error)
                self.assertFalse(self.pixel.quality_told_at)
                self.assertEqual(
                    self.pixel.read(["state", "trouble", "failing_since"]), before
                )
        event = self.record()
        self.deliver()
        self.assertEqual(event.state, "sent")

    @mute_logger("meta.conversions.api")
    def test_even_an_expired_token_does_not_stop_the_pixel(self):
        self.graph.fail_next(sandbox.error(190, 463))
        self.ask()
        self.assertEqual(self.pixel.quality_problem, "token")
        self.assertEqual(self.pixel.state, "running")
        self.assertFalse(self.pixel.activity_ids)

    @mute_logger("meta.conversions.api")
    def test_what_was_told_stays_and_the_problem_goes_with_the_next_answer(self):
        self.tell(PURCHASE)
        self.ask()
        self.graph.fail_next(sandbox.error(200))
        self.ask()
        self.assertEqual(self.found().event_match_quality, 6.2)
        self.assertTrue(self.pixel.quality_problem)
        self.tell(PURCHASE)
        self.ask()
        self.assertFalse(self.pixel.quality_problem)
        self.assertFalse(self.pixel.quality_error)
        self.assertFalse(self.pixel.quality_cure)

    def test_a_broken_shape_is_logged_and_shown_and_breaks_nothing(self):
        for answer in ("[]", '{"web": 7}', '{"web": [{}]}'):
            with self.subTest(answer):
                self.graph.fail_next(sandbox.http(200, answer, "application/json"))
                with self.assertLogs("meta.conversions.api", "WARNING"):
                    self.ask()
                self.assertEqual(self.pixel.quality_problem, "shape")
                self.assertTrue(self.pixel.quality_error)
                self.assertFalse(self.found())

    def test_an_odd_part_is_logged_and_shown_and_the_rest_counts(self):
        self.tell({**PURCHASE, "acr": "much"})
        with self.assertLogs("meta.conversions.api", "WARNING") as logs:
            self.ask()
        self.assertIn("web[0].acr", logs.output[0])
        self.assertEqual(self.pixel.quality_problem, "shape")
        self.assertIn("web[0].acr", self.pixel.quality_error)
        self.assertEqual(self.found().event_match_quality, 6.2)
        self.assertIs(self.found().acr, False)

    @mute_logger("meta.conversions.api")
    def test_each_problem_has_words_and_a_cure(self):
        cures = QualityWords(self.env).cures()
        choices = dict(self.pixel._fields["quality_problem"].selection)
        self.assertEqual(cures.keys(), choices.keys())
        self.assertTrue(all(cures.values()))

    @mute_logger("meta.conversions.api")
    def test_without_a_token_nothing_is_asked(self):
        self.parameters.set_param("meta_capi.access_token", False)
        self.ask()
        self.assertEqual(self.pixel.quality_problem, "token")
        self.assertFalse(self.graph.requests)

    @mute_logger("meta.conversions.api")
    def test_the_token_is_kept_nowhere(self):
        words = f"no {self.token}"
        self.graph.fail_next(sandbox.error(200, message=words))
        self.ask()
        self.assertNotIn(self.token, self.pixel.quality_error)
        fault = {"name": words}
        self.tell({**LEAD, "event_match_quality": {"diagnostics": [fault]}})
        self.ask()
        self.assertNotIn(self.token, json.dumps(self.found().diagnostics))


@tagged("post_install", "-at_install")
class TestQualityAsked(QualityCase):
    def test_the_daily_action_asks_about_each_pixel_in_use_once(self):
        self.parameters.set_param("meta_capi.extra_pixel_ids", "222")
        for pixel_id in (self.pixel_id, "222"):
            self.graph.pixels[pixel_id] = {self.token}
        self.tell(LEAD)
        self.tell(LEAD)
        self.fetch._ask_all()
        self.assertEqual(len(self.graph.requests), 2)
        self.assertEqual(set(self.found().mapped("pixel_id")), {self.pixel_id, "222"})
        self.fetch._ask_all()
        self.assertEqual(len(self.graph.requests), 2)
        self.shift("quality_asked_at", 21 * 3600, table="meta_capi_pixel")
        self.tell(LEAD)
        self.tell(LEAD)
        self.fetch._ask_all()
        self.assertEqual(len(self.graph.requests), 4)

    def test_what_it_is_told_is_about_the_events_that_it_has_sent(self):
        for number in range(4):
            user_data = {"em": "jane@example.com", "client_user_agent": "Mozilla/5.0"}
            if number:
                user_data["ph"] = "+1 650 555 1212"
            self.record(
                event_id=f"lead-{number}",
                action_source="website",
                event_source_url="https://shop.example.com/",
                user_data=user_data,
            )
        self.deliver()
        self.fetch._ask_all()
        quality = self.found()
        self.assertEqual(quality.event_name, "Lead")
        self.assertEqual(quality.match_keys["em"], 100)
        self.assertEqual(quality.match_keys["ph"], 75)
        self.assertEqual(quality.match_keys["client_user_agent"], 100)
        self.assertEqual(quality.data_freshness, "real_time")
        self.assertEqual(quality.server_with_id, 100)
        self.assertIs(quality.event_coverage, False)
        self.assertFalse(self.pixel.quality_problem)

    def test_the_scheduled_action_runs_it_every_day(self):
        cron = self.env.ref(f"{MODULE}.ir_cron_quality")
        self.assertEqual((cron.interval_number, cron.interval_type), (1, "days"))
        self.assertEqual(cron.model_id.model, "meta.capi.quality.fetch")
        self.assertEqual(cron.code, "model._ask_all()")
        if "numbercall" in cron._fields:
            self.assertEqual(cron.numbercall, -1)

    def test_switched_off_nothing_is_asked(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        self.fetch._ask_all()
        self.ask()
        with self.assertRaises(UserError):
            self.pixel.action_ask_quality()
        self.assertFalse(self.graph.requests)
        self.jobs.assert_jobs_count(0)

    def test_the_question_is_asked_between_two_transactions(self):
        steps = []
        cursor = type(self.job)._delivery_cursor

        @contextlib.contextmanager
        def noted(delivery):
            steps.append("begin")
            with cursor(delivery) as cr:
                yield cr
            steps.append("end")

        def get_quality(_client, _pixel_id, _token):
            steps.append("ask")
            return read_quality_answer(200, {}, body(LEAD))

        self.patch(type(self.job), "_delivery_cursor", noted)
        self.patch(GraphClient, "get_quality", get_quality)
        self.fetch._put(self.pixel_id)
        self.assertEqual(steps[:4], ["begin", "end", "ask", "begin"])
        self.assertEqual(steps[-1], "end")
        self.assertTrue(self.found())

    def test_without_a_token_the_daily_action_asks_nothing(self):
        self.parameters.set_param("meta_capi.access_token", False)
        self.fetch._ask_all()
        self.assertFalse(self.graph.requests)
        self.assertFalse(self.pixel.quality_problem)

    def test_what_there_is_no_time_for_follows(self):
        self.parameters.set_param("meta_capi.extra_pixel_ids", "111")
        self.graph.pixels["111"] = {self.token}
        now = self.job._now()
        times = iter([now, now, now + 3600])
        self.patch(type(self.job), "_now", lambda _self: next(times, now + 3600))
        cron = self.env.ref(f"{MODULE}.ir_cron_quality")
        self.tell(LEAD)
        self.fetch._ask_all()
        self.assertEqual(len(self.found()), 1)
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))

    def test_one_pixels_trouble_is_not_in_the_way_of_another(self):
        self.parameters.set_param("meta_capi.extra_pixel_ids", "111")
        keep = type(self.env["meta.capi.quality"])._keep

        def broken(quality, pixel_id, events):
            if pixel_id == "111":
                raise ZeroDivisionError
            return keep(quality, pixel_id, events)

        self.patch(type(self.env["meta.capi.quality"]), "_keep", broken)
        self.tell(LEAD)
        self.tell(LEAD)
        with self.assertLogs("meta.conversions.api", "ERROR"):
            self.fetch._ask_all()
        self.assertEqual(self.found().pixel_id, self.pixel_id)

    def test_a_click_makes_a_job_and_no_request(self):
        manager = new_test_user(
            self.env, "a-manager", groups=f"{MODULE}.group_meta_capi_manager"
        )
        self.pixel.quality_asked_at = fields.Datetime.now()
        self.pixel.with_user(manager).action_ask_quality()
        self.assertFalse(self.graph.requests)
        self.jobs.assert_enqueued_job(self.fetch._ask, args=(self.pixel_id,))
        self.tell(LEAD)
        self.jobs.perform_enqueued_jobs()
        self.assertTrue(self.found())

    def test_where_no_job_runs_the_scheduled_action_answers_the_click(self):
        self.pixel.quality_asked_at = fields.Datetime.now()
        self.pixel.action_ask_quality()
        cron = self.env.ref(f"{MODULE}.ir_cron_quality")
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))
        self.tell(LEAD)
        self.fetch._ask_all()
        self.assertTrue(self.found())

    def test_only_managers_ask(self):
        reader = new_test_user(
            self.env, "a-reader", groups=f"{MODULE}.group_meta_capi_user"
        )
        with self.assertRaises(AccessError):
            self.pixel.with_user(reader).action_ask_quality()

    def test_readers_read_and_nobody_writes_by_hand(self):
        self.tell(LEAD)
        self.ask()
        quality = self.found()
        for login, groups, reads in (
            ("q-reader", f"{MODULE}.group_meta_capi_user", True),
            ("q-manager", f"{MODULE}.group_meta_capi_manager", True),
            ("q-admin", "base.group_system", True),
            ("q-seller", "sales_team.group_sale_salesman_all_leads", False),
        ):
            mine = quality.with_user(new_test_user(self.env, login, groups=groups))
            with self.subTest(login), mute_logger("odoo.addons.base.models.ir_model"):
                if reads:
                    self.assertEqual(mine.event_name, "Lead")
                else:
                    with self.assertRaises(AccessError):
                        mine.read(["event_name"])
                for way in (
                    lambda mine=mine: mine.write({"acr": 1}),
                    lambda mine=mine: mine.create({"pixel_id": "1"}),
                    mine.unlink,
                ):
                    with self.assertRaises(AccessError):
                        way()

    def test_another_company_sees_nothing_of_it(self):
        self.tell(LEAD)
        self.ask()
        company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = new_test_user(
            self.env,
            "a-stranger",
            groups=f"{MODULE}.group_meta_capi_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        self.assertFalse(self.env["meta.capi.quality"].with_user(stranger).search([]))
        self.assertTrue(self.found())

    def test_the_form_shows_each_figure_or_that_it_is_not_told(self):
        self.tell(PURCHASE, LEAD)
        self.ask()
        told = html.fromstring(self.found(event_name="Purchase").figures_table)
        texts = [" ".join(row.itertext()).split() for row in told.iter("tr")]
        self.assertIn("6.2 of 10", " ".join(texts[0]))
        self.assertEqual(len(texts), 7)
        self.assertNotIn("not told", told.text_content())
        empty = html.fromstring(self.found(event_name="Lead").figures_table)
        self.assertEqual(empty.text_content().count("not told"), 7)
        self.assertNotIn("0%", empty.text_content().replace("100%", ""))

    def test_the_form_shows_keys_and_faults(self):
        fault = {"name": "<b>Bold</b>"}
        quality = {"match_key_feedback": [{"identifier": "shoe_size"}]}
        self.tell(
            PURCHASE,
            LEAD,
            {
                "event_name": "Odd",
                "event_match_quality": {**quality, "diagnostics": [fault]},
            },
        )
        self.ask()
        purchase = self.found(event_name="Purchase")
        keys = html.fromstring(purchase.keys_table).text_content()
        for word in ("E-mail address", "em", "100%", "59%", "99.9%"):
            self.assertIn(word, keys)
        faults = html.fromstring(purchase.faults_table).text_content()
        for word in ("Missing fields", "59.5%", "Send more fields."):
            self.assertIn(word, faults)
        lead = self.found(event_name="Lead")
        self.assertIn("no match key", lead.keys_table)
        self.assertIn("no fault", lead.faults_table)
        odd = self.found(event_name="Odd")
        self.assertIn("not told", odd.keys_table)
        self.assertIn("&lt;b&gt;Bold", odd.faults_table)

    def test_the_key_that_meta_expects_most_of_comes_first(self):
        feedback = [
            {"identifier": name, "potential_aly_acr_increase": {"percentage": gain}}
            for name, gain in (("email", 1), ("external_id", 50), ("phone", 7))
        ]
        feedback.append({"identifier": "fbp", "coverage": {"percentage": 90}})
        self.tell({**LEAD, "event_match_quality": {"match_key_feedback": feedback}})
        self.ask()
        keys = [row["key"] for row in QualityPage(self.found())._key_rows()]
        self.assertEqual(keys, ["external_id", "ph", "em", "fbp"])

    def test_the_pages_open(self):
        self.tell(PURCHASE, LEAD)
        self.ask()
        quality = self.env["meta.capi.quality"]
        views = quality.get_views(
            [(False, "list"), (False, "form"), (False, "graph"), (False, "search")]
        )["views"]
        self.assertEqual(len(views), 4)
        for name in ("event_match_quality", "dedupe_rate"):
            self.assertIn(name, views["list"]["arch"])
        today = date.today().isoformat()
        self.assertIn(today, self.found(event_name="Lead").display_name)
        action = self.pixel.action_open_quality()
        self.assertEqual(action["domain"], [("pixel_id", "=", self.pixel_id)])


@tagged("post_install", "-at_install")
class TestQualityAdvice(QualityCase):
    def advice(self, *rows, **arguments):
        self.tell(*rows)
        self.ask()
        return self.env["meta.capi.quality"].advice(**arguments)

    def test_the_most_worth_is_told_first_and_each_leads_to_a_place(self):
        late = {**LEAD, "data_freshness": {"upload_frequency": "daily"}}
        found = self.advice(PURCHASE, late)
        self.assertEqual(
            [advice["place"] for advice in found],
            ["events_manager", "page_settings", "page_settings", "pending_events"],
        )
        fault, coverage, shared, freshness = (advice["text"] for advice in found)
        self.assertEqual(
            fault,
            "Purchase (59.5%): Missing fields. Some events lack fields. Send more fields.",
        )
        self.assertIn("34.1 of Purchase", coverage)
        self.assertIn("goal is 75.", coverage)
        self.assertIn("100% of the browser's and 98.5% of the server's", shared)
        self.assertIn("daily", freshness)
        self.assertIn(self.pixel_id, found[0]["action"]["url"])
        self.assertEqual(found[1]["action"]["res_model"], "res.config.settings")
        self.assertEqual(found[3]["action"]["res_model"], "meta.capi.event")

    def missing(self, key, gain=58.96):
        feedback = {
            "identifier": key,
            "coverage": {"percentage": 30},
            "potential_aly_acr_increase": {"percentage": gain},
        }
        return {**LEAD, "event_match_quality": {"match_key_feedback": [feedback]}}

    def send(self, count, **user_data):
        for number in range(count):
            self.record(
                event_id=f"{sorted(user_data)}-{number}",
                action_source="website",
                event_source_url="https://shop.example.com/",
                user_data={"client_user_agent": "Mozilla/5.0", **user_data},
            )

    def test_a_missing_key_stands_beside_how_often_our_events_have_it(self):
        self.send(3, em="jane@example.com")
        self.send(1, em="jane@example.com", ph="+1 650 555 1212")
        self.deliver()
        [advice] = self.advice(self.missing("phone"))
        self.assertIn("Phone number (ph)", advice["text"])
        self.assertIn("up to 59% more conversions", advice["text"])
        self.assertIn("Of the Lead events that Odoo sent", advice["text"])
        self.assertIn(" 25% have it.", advice["text"])
        self.assertIn("Make the phone number required", advice["text"])
        found = self.env["meta.capi.event"].search(advice["action"]["domain"])
        self.assertEqual(len(found), 3)

    def test_events_of_another_time_or_state_do_not_count(self):
        self.send(1, em="jane@example.com", ph="+1 650 555 1212")
        self.deliver()
        self.send(1, em="jane@example.com")
        [advice] = self.advice(self.missing("phone"))
        self.assertIn(" 100% have it.", advice["text"])
        self.assertIn("Something else sends events", advice["text"])
        self.assertNotIn("Make the phone number required", advice["text"])
        self.shift("event_time", 8 * 24 * 3600)
        [advice] = self.env["meta.capi.quality"].advice()
        self.assertNotIn("have it.", advice["text"])

    def test_a_key_that_is_switched_off_says_so_and_leads_to_the_settings(self):
        self.parameters.set_param("meta_capi.user_data_keys", "em")
        [advice] = self.advice(self.missing("phone"))
        self.assertIn("switched off", advice["text"])
        self.assertEqual(advice["place"], "data_settings")

    def test_each_key_has_a_name_and_finds_the_events_without_it(self):
        keys = [
            *("email", "phone", "first_name", "last_name", "city", "state", "zip"),
            *("country", "external_id", "ip_address", "user_agent", "fbc", "fbp"),
        ]
        self.assertEqual(len(keys), len(setting.USER_DATA_KEYS.choices))
        for key in setting.USER_DATA_KEYS.choices:
            others = [other for other in setting.USER_DATA_KEYS.choices if key in other]
            self.assertEqual(others, [key], "one is found in another's name")
        for key in keys:
            with self.subTest(key):
                [advice] = self.advice(self.missing(key))
                self.assertEqual(advice["place"], "events_without_key")

    def test_what_was_told_long_ago_is_no_advice(self):
        self.assertTrue(self.advice(PURCHASE))
        quality = self.found()
        quality.date = fields.Date.today() - timedelta(days=6)
        self.assertTrue(self.env["meta.capi.quality"].advice())
        quality.date = fields.Date.today() - timedelta(days=7)
        self.assertFalse(self.env["meta.capi.quality"].advice())

    def test_the_newest_answer_counts(self):
        self.advice(PURCHASE)
        self.found().date = fields.Date.today() - timedelta(days=1)
        self.assertEqual(self.advice({"event_name": "Purchase"}), [])

    def test_it_can_be_asked_about_some_pixels(self):
        self.assertTrue(self.advice(PURCHASE, pixel_ids=[self.pixel_id]))
        quality = self.env["meta.capi.quality"]
        self.assertEqual(quality.advice(pixel_ids=["222"]), [])
        self.assertEqual(quality.advice(pixel_ids=[]), [])
        self.assertTrue(quality.advice())
        self.parameters.set_param("meta_capi.pixel_id", "222")
        self.assertEqual(quality.advice(), [], "of a pixel that is not used any more")

    def test_a_reader_gets_it_and_nobody_else(self):
        self.advice(PURCHASE)
        quality = self.env["meta.capi.quality"]
        for login, groups, reads in (
            ("v-reader", f"{MODULE}.group_meta_capi_user", True),
            ("v-seller", "sales_team.group_sale_salesman_all_leads", False),
        ):
            user = new_test_user(self.env, login, groups=groups)
            with self.subTest(login), mute_logger("odoo.addons.base.models.ir_model"):
                if reads:
                    self.assertTrue(quality.with_user(user).advice())
                else:
                    with self.assertRaises(AccessError):
                        quality.with_user(user).advice()
