import json
from ast import literal_eval
from datetime import timedelta
from unittest.mock import patch

from lxml import etree

from odoo import fields
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..capi.causes import FIELD_RULES
from ..capi.graph_errors import RULES, classify
from ..dev import sandbox
from ..models.outbox.cause_words import CAUSES, CauseWords
from ..models.recording.event_builder import EventBuilder
from .common import MetaCapiCase, set_values

muted = mute_logger("meta.conversions.api")


@tagged("post_install", "-at_install")
class TestCauses(MetaCapiCase):
    def failed(self, **columns):
        """Return an event that failed with these columns."""
        event = self.record()
        set_values(event, **{"state": "failed", "failure_reason": "invalid"})
        set_values(event, **columns)
        return event

    def pixel(self):
        return self.env["meta.capi.pixel"]._get(self.pixel_id)

    def test_every_cause_has_a_label_of_one_line_and_a_cure(self):
        words = CauseWords(self.env)
        for key, _label in CAUSES:
            with self.subTest(cause=key):
                self.assertTrue(words.label(key))
                self.assertLess(len(words.label(key)), 36)
                self.assertGreater(len(words.cure(key)), 20)

    def test_every_rule_leads_to_a_cause_that_has_words(self):
        keys = dict(CAUSES).keys()
        self.assertLessEqual({rule.cause for rule in RULES}, keys)
        self.assertLessEqual({rule.cause for rule in FIELD_RULES}, keys)
        self.assertLessEqual(CauseWords(self.env).cures().keys(), keys)

    @muted
    def test_the_answer_of_meta_tells_the_cause(self):
        for number, rule in enumerate(RULES):
            code = next(code for code in range(-1, 2_804_100) if code in rule.codes)
            subcode = next(
                n for n in (0, 33, 463, *range(2804003, 2804140)) if n in rule.subcodes
            )
            expected = classify(code, subcode)[1]
            event = self.record(event_id=f"e{number}")
            self.graph.fail_next(sandbox.error(code, subcode))
            self.delivery._deliver_batch(self.pixel_id, event.ids)
            with self.subTest(code=code, subcode=subcode):
                self.assertEqual(event.cause, expected)
            event.action_cancel() if event.state == "pending" else None
            self.pixel()._release()

    def test_our_own_refusals_are_told_apart_by_the_field_they_name(self):
        purchase = {"event_name": "Purchase"}
        for arguments, cause in (
            ({**purchase, "custom_data": {"value": 1}}, "currency"),
            ({**purchase, "custom_data": {"currency": "EUR"}}, "value"),
            ({"user_data": {"ct": "Berlin"}}, "user_data"),
            ({"event_time": "yesterday"}, "event_time"),
            ({"event_time": 1_000_000_000}, "event_time"),
            ({"event_name": "x" * 101}, "event_name"),
            ({"event_id": "jane@example.com"}, "event_name"),
            ({"custom_data": {"contents": [{"quantity": 1}]}}, "contents"),
            ({"custom_data": {"note": "jane@example.com"}}, "custom_data"),
            ({"origin": "S00042"}, "origin"),
            ({"data_processing_options": ["GDPR"]}, "ldu"),
            ({"action_source": "moon"}, "argument"),
        ):
            event = self.record(**arguments)
            with self.subTest(arguments=arguments):
                self.assertEqual((event.state, event.cause), ("failed", cause))
                self.assertTrue(event.short_cause)
                self.assertTrue(event.cure)

    def test_an_event_that_broke_the_code_is_an_error_while_recording(self):
        with patch.object(EventBuilder, "_complete", side_effect=ZeroDivisionError):
            with self.assertLogs("meta.conversions.api", "ERROR"):
                event = self.record()
        self.assertEqual((event.state, event.cause), ("failed", "unprepared"))

    def test_a_sent_event_has_no_cause(self):
        event = self.record()
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertFalse(event.cause)
        self.assertFalse(event.short_cause)
        self.assertFalse(event.cure)

    def test_a_held_event_tells_what_stopped_its_pixel_and_the_cure(self):
        self.graph.pixels = {}
        event = self.record()
        with self.assertLogs("meta.conversions.api", "WARNING"):
            self.deliver()
        self.env.invalidate_all()
        pixel = self.pixel()
        self.assertEqual((pixel.state, pixel.cause), ("stopped", "token"))
        self.assertTrue(event.is_held)
        self.assertEqual(event.short_cause, "Access token not valid")
        self.assertIn("generate a new token", event.cure)
        self.assertEqual(pixel.cure, event.cure)
        # One that was never tried, too.
        other = self.record(event_id="other")
        self.assertEqual(other.short_cause, event.short_cause)

    def test_a_pixel_without_a_token_says_so(self):
        self.parameters.set_param("meta_capi.access_token", False)
        event = self.record()
        self.deliver()
        self.assertEqual(self.pixel().cause, "no_token")
        self.assertEqual(event.short_cause, "No access token")

    def test_a_pixel_that_is_slowed_down_or_without_answer_says_so(self):
        self.graph.fail_always(sandbox.http(503))
        event = self.record()
        with self.assertLogs("meta.conversions.api", "WARNING"):
            self.deliver()
        self.env.invalidate_all()
        self.assertEqual(self.pixel().cause, "meta_down")
        self.assertEqual(event.short_cause, "Trouble at Meta")
        self.pixel().wait_until = fields.Datetime.now() + timedelta(minutes=10)
        self.env.invalidate_all()
        self.assertEqual(self.pixel().cause, "rate_limit")

    def test_an_event_that_nothing_delivers_says_so_after_a_while(self):
        event = self.record()
        self.assertFalse(event.short_cause)
        self.shift("next_attempt_at", 3600)
        self.assertEqual(event.short_cause, "Nothing delivers")
        # A long queue that is being worked off is none.
        self.env["meta.capi.attempt"].create(
            {"started_at": fields.Datetime.now(), "pixel_id": self.pixel_id}
        )
        self.pixel()
        self.env.invalidate_all()
        self.assertFalse(event.short_cause)

    def test_an_event_that_waits_while_sending_is_switched_off_says_so(self):
        event = self.record()
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertEqual(event.short_cause, "Switched off")

    def test_what_is_not_to_be_sent_says_who_wants_it_so(self):
        self.customer.meta_capi_opt_out = True
        event = self.record(origin=self.order())
        self.assertEqual(event.state, "cancelled")
        self.assertEqual(event.cause, "objection")
        self.assertEqual(event.short_cause, "Customer objects")
        self.assertIn("No Events to Meta", event.cure)
        by_hand = self.record()
        by_hand.action_cancel()
        self.assertIn("somebody", by_hand.cure)

    def test_a_refusal_is_told_in_the_language_of_whoever_reads_it(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.customer.meta_capi_opt_out = True
        event = self.record(origin=self.order())
        field = self.env.ref(
            "ih_meta_conversions_api.selection__meta_capi_event__cause__objection"
        )
        field.with_context(lang="fr_FR").name = "Le client refuse"
        self.env.registry.clear_cache()
        self.assertEqual(event.short_cause, "Customer objects")
        reader = event.with_context(lang="fr_FR")
        self.assertEqual(reader.short_cause, "Le client refuse")

    def test_the_reason_of_another_addon_is_told_in_its_own_words(self):
        with patch.object(
            type(self.customer), "_meta_capi_exclusion", lambda *args: "It is a gift."
        ):
            event = self.record(origin=self.order())
        self.assertEqual((event.state, event.cause), ("cancelled", "cancelled"))
        self.assertEqual(event.short_cause, "It is a gift.")

    def test_every_refusal_has_a_cause_and_a_cure_of_its_own(self):
        events = {}
        self.parameters.set_param("meta_capi.send_without_browser", "False")
        order = self.order()
        events["no_browser"] = self.record(origin=order, event_name="A")
        self.parameters.set_param("meta_capi.send_without_browser", "True")
        tag = self.env["res.partner.category"].create({"name": "Press"})
        self.parameters.set_param("meta_capi.excluded_tag_ids", str(tag.id))
        self.customer.category_id = tag
        events["excluded_tag"] = self.record(origin=order, event_name="B")
        self.customer.category_id = False
        free = self.order(order_line=False)
        events["nothing_to_pay"] = self.record(origin=free, event_name="Purchase")
        events["anonymised"] = self.record(origin=order, event_name="C")
        self.customer.write({"email": False, "phone": False})
        events["deleted"] = self.record(
            origin=self.env["res.partner"].create(
                {"name": "X", "email": "x@example.com"}
            )
        )
        events["deleted"].partner_id.unlink()
        other = CauseWords(self.env).cure("cancelled")
        for cause, event in events.items():
            with self.subTest(cause=cause):
                self.assertEqual((event.state, event.cause), ("cancelled", cause))
                self.assertTrue(event.short_cause and event.error_message)
                self.assertTrue(event.cure)
                self.assertNotEqual(event.cure, other)


@tagged("post_install", "-at_install")
class TestLog(MetaCapiCase):
    def test_value_and_currency_are_columns_of_the_log(self):
        event = self.record(custom_data={"value": 12.5, "currency": "eur"})
        self.assertEqual((event.value, event.currency), (12.5, "EUR"))
        self.assertEqual(event.currency_id, self.env.ref("base.EUR"))
        for custom_data in (None, {}, {"note": "none"}, {"currency": "EUR"}):
            with self.subTest(custom_data=custom_data):
                self.assertFalse(self.record(custom_data=custom_data).value)

    def test_an_update_of_the_addon_keeps_the_columns(self):
        event = self.record(custom_data={"value": 12.5, "currency": "EUR"})
        self.env["meta.capi.event"].init()
        self.env.invalidate_all()
        self.assertEqual(event.value, 12.5)

    def test_the_age_is_told_in_words_of_the_users_language(self):
        event = self.record(event_time=fields.Datetime.now() - timedelta(minutes=5))
        # How short that is depends on Babel.
        self.assertRegex(event.age, "^5 min.* ago$")
        self.env["res.lang"]._activate_lang("fr_FR")
        self.assertRegex(event.with_context(lang="fr_FR").age, "^il y a 5.min")

    def test_held_events_are_found(self):
        held = self.record()
        sent = self.record(event_id="sent")
        set_values(sent, state="sent")
        events = self.env["meta.capi.event"]
        self.assertFalse(events.search([("is_held", "=", True)]))
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        pixel.write({"state": "stopped", "error_message": "No"})
        self.env.flush_all()
        self.env.invalidate_all()
        for domain, expected in (
            ([("is_held", "=", True)], held),
            ([("is_held", "=", False)], sent),
            ([("is_held", "!=", True)], sent),
            ([("is_held", "!=", False)], held),
        ):
            with self.subTest(domain=domain):
                self.assertEqual(events.search(domain), expected)
        self.assertTrue(held.is_held)
        self.assertFalse(sent.is_held)

    def test_events_without_fbp_or_fbc_are_found(self):
        fbp = "fb.1.1700000000000.1234567890"
        with_fbp = self.record(user_data={"fbp": fbp})
        without = self.record(user_data={"em": "jane@example.com"})
        filters = self.filters()
        for name, expected in (
            ("without_fbp", without),
            ("without_fbc", without + with_fbp),
        ):
            domain = [*filters[name], ("id", "in", (with_fbp + without).ids)]
            found = self.env["meta.capi.event"].search(domain)
            self.assertEqual(found, expected.sorted("id", reverse=True))

    def filters(self):
        """Return the domains of the saved filters that no date is in, by name."""
        arch = self.env["meta.capi.event"].get_view(view_type="search")["arch"]
        domains = {}
        for node in etree.fromstring(arch).iter("filter"):
            if node.get("domain") and "context_today" not in node.get("domain"):
                domains[node.get("name")] = literal_eval(node.get("domain"))
        return domains

    def test_an_order_is_found_by_its_name(self):
        order = self.order()
        event = self.record(origin=order)
        self.record()
        found = self.env["meta.capi.event"].search([("document_name", "=", order.name)])
        self.assertEqual(found, event)

    def test_the_form_shows_the_event_exactly_as_it_was_sent(self):
        event = self.record(
            custom_data={"note": "Größe"},
            opt_out=False,
            data_processing_options=["LDU"],
        )
        self.deliver()
        self.assertIn('"note": "Größe"', event.payload)
        self.assertEqual(json.loads(event.payload), self.graph.events[-1].event)

    def test_a_row_leads_to_its_record_its_pixel_and_its_jobs(self):
        order = self.order()
        event = self.record(origin=order)
        self.assertEqual(event.document_name, order.display_name)
        self.assertEqual(event.action_open_document()["res_id"], order.id)
        self.deliver()
        pixel = self.env["meta.capi.pixel"].search([])
        self.assertEqual(event.action_open_pixel()["res_id"], pixel.id)
        jobs = event.action_open_jobs()
        keys = self.job._job_keys(self.pixel_id)
        self.assertEqual(jobs["domain"], [("identity_key", "in", keys)])

    def test_a_customer_shows_how_often_and_when_meta_was_told(self):
        sent = self.record(origin=self.order())
        self.deliver()
        self.record(origin=self.order())  # still waits
        self.assertEqual(sent.partner_id, self.customer)
        late = fields.Datetime.now().replace(hour=23, minute=30)
        set_values(sent, sent_at=late)
        customer = self.customer.with_context(tz="UTC")
        self.assertEqual(customer.meta_capi_event_count, 1)
        self.assertEqual(customer.meta_capi_last_event_date, late.date())
        self.env.invalidate_all()
        customer = self.customer.with_context(tz="Asia/Tokyo")
        self.assertEqual(
            customer.meta_capi_last_event_date, late.date() + timedelta(days=1)
        )
        action = customer.action_view_meta_capi_events()
        self.assertIn(sent, self.env["meta.capi.event"].search(action["domain"]))
        stranger = self.env["res.partner"].create({"name": "Nobody"})
        self.assertFalse(stranger.meta_capi_event_count)
        self.assertFalse(stranger.meta_capi_last_event_date)

    def test_every_view_of_the_log_opens(self):
        event = self.record()
        with Form(event) as form:
            self.assertEqual(form.event_name, "Lead")
        views = self.env["meta.capi.event"].get_views(
            [(False, kind) for kind in ("list", "form", "search", "graph", "pivot")]
        )
        self.assertEqual(len(views["views"]), 5)
        groups = self.env["meta.capi.event"]._read_group(
            [], ["cause", "event_time:day"], ["value:sum", "__count"]
        )
        self.assertTrue(groups)
