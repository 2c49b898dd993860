import contextlib
import itertools
import time
from datetime import datetime, timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..capi.client import GraphClient
from ..dev import sandbox
from ..models.outbox import meta_capi_delivery, meta_capi_event, retention
from ..models.outbox.event_actions import EventActions
from ..models.outbox.event_table import EventTable
from .common import MetaCapiCase, set_values, stop_pixel

DAY = 24 * 3600
muted = mute_logger("meta.conversions.api")


class DeliveryCase(MetaCapiCase):
    def record_many(self, count, **arguments):
        return self.api.send_events(
            [
                {
                    "event_name": "Lead",
                    "event_id": f"event-{number}",
                    "user_data": {"em": f"{number}@example.com"},
                }
                | arguments
                for number in range(count)
            ]
        )

    @property
    def pixel(self):
        return self.env["meta.capi.pixel"].search([("pixel_id", "=", self.pixel_id)])

    def wait(self, seconds):
        """Let time pass for everything that waits."""
        self.shift("next_attempt_at", seconds)
        self.shift("wait_until", seconds, table="meta_capi_pixel")
        self.shift("next_probe_at", seconds, table="meta_capi_pixel")

    def received_ids(self):
        return [received.event["event_id"] for received in self.graph.events]


@tagged("post_install", "-at_install")
class TestDelivery(DeliveryCase):
    def test_a_delivered_event_is_sent_with_its_attempt_and_answer(self):
        event = self.record()
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertEqual((event.attempt_count, event.http_status), (1, 200))
        self.assertTrue(event.sent_at and event.fbtrace_id)
        self.assertFalse(event.next_attempt_at)
        self.assertIn('"events_received"', event.response)
        attempt = event.attempt_ids
        self.assertEqual((attempt.outcome, attempt.event_count), ("accepted", 1))
        self.assertEqual(attempt.fbtrace_id, event.fbtrace_id)
        (received,) = self.graph.events
        self.assertEqual(received.event["event_id"], event.event_id)
        self.assertEqual(received.event["user_data"], event.user_data)

    def test_the_token_travels_in_the_header_only(self):
        self.record()
        self.deliver()
        (request,) = self.graph.requests
        self.assertEqual(request.token_source, "header")
        self.assertNotIn(self.token, request.path)
        self.assertNotIn(self.token.encode(), request.raw)

    def test_a_request_takes_the_oldest_first_and_1000_at_most(self):
        now = int(time.time())
        self.record_many(1001, event_time=now)
        oldest = self.record(event_id="oldest", event_time=now - 60)
        self.deliver()
        first, second = self.graph.requests
        self.assertEqual(len(first.body["data"]), 1000)
        self.assertEqual(len(second.body["data"]), 2)
        self.assertEqual(first.body["data"][0]["event_id"], oldest.event_id)

    def test_a_request_stays_below_a_megabyte_and_locks_no_more(self):
        events = self.record_many(30, custom_data={"note": "x" * 90_000})
        self.deliver()
        self.assertEqual(set(events.mapped("state")), {"sent"})
        self.assertEqual(len(self.graph.requests), 3)
        for request in self.graph.requests:
            self.assertLessEqual(len(request.raw), 1_000_000)

    def test_events_of_different_test_codes_travel_apart(self):
        self.record(event_id="real")
        self.record(event_id="test", test_event_code="TEST123")
        self.deliver()
        codes = {r.event["event_id"]: r.test_event_code for r in self.graph.events}
        self.assertEqual(codes, {"real": None, "test": "TEST123"})

    def test_switched_off_what_is_pending_waits(self):
        event = self.record()
        self.parameters.set_param("meta_capi.enabled", "False")
        self.deliver()
        self.assertEqual(event.state, "pending")
        self.assertFalse(self.graph.requests)

    def test_a_token_set_meanwhile_is_used(self):
        self.record()
        self.graph.pixels[self.pixel_id] = {"another-token-0123456789"}
        self.parameters.set_param("meta_capi.access_token", "another-token-0123456789")
        self.deliver()
        self.assertEqual(len(self.graph.events), 1)

    def test_the_job_tells_how_much_it_sent(self):
        self.record_many(3)
        self.assertIn("3", self.delivery._deliver(self.pixel_id))

    def test_query_count_does_not_grow_with_the_batch(self):
        def queries(count):
            self.record_many(count, event_id=None)
            self.env.flush_all()
            before = self.env.cr.sql_log_count
            self.deliver()
            return self.env.cr.sql_log_count - before

        queries(1)
        self.assertEqual(queries(2), queries(500))


@tagged("post_install", "-at_install")
class TestTransientFailure(DeliveryCase):
    @muted
    def test_every_kind_of_non_answer_is_retried_within_the_minute(self):
        faults = (
            sandbox.http(502, "<html>Bad gateway</html>", "text/html"),
            sandbox.http(200, "<html>Hello</html>", "text/html"),
            sandbox.truncated_json(),
            sandbox.empty_body(),
            sandbox.reset(),
            sandbox.error(1),
            sandbox.error(2, http_status=500),
            sandbox.error(2, in_http_200=True),
            sandbox.missing_events_received(),
            sandbox.short_events_received(),
        )
        for number, fault in enumerate(faults):
            with self.subTest(fault=fault):
                self.naps.clear()
                event = self.record(event_id=f"event-{number}")
                self.graph.fail_next(fault, times=2)
                self.deliver()
                self.assertEqual((event.state, event.attempt_count), ("sent", 3))
                self.assertEqual(
                    event.attempt_ids.sorted("id").mapped("outcome"),
                    ["transient", "transient", "accepted"],
                )
                first, second = self.naps
                self.assertLessEqual(first, 10)
                self.assertLessEqual(second, 60)

    @muted
    def test_the_event_is_identical_in_every_attempt(self):
        self.record(
            custom_data={"value": 12.3, "currency": "EUR", "when": "2026-01-01"}
        )
        self.graph.fail_next(sandbox.http(503), times=2)
        self.deliver()
        self.assertEqual(len({request.raw for request in self.graph.requests}), 1)

    @muted
    def test_after_the_minute_it_waits_for_longer_and_longer(self):
        event = self.record()
        self.graph.fail_always(sandbox.http(503))
        waits = []
        for _round in range(8):
            self.deliver()
            waits.append(
                (event.next_attempt_at - fields.Datetime.now()).total_seconds()
            )
            self.wait(waits[-1] + 1)
        self.assertEqual(event.state, "pending")
        self.assertLess(max(waits), 13 * 3600)
        self.assertGreater(waits[0], 60)
        self.assertGreater(waits[3], 3600)

    @muted
    def test_one_success_makes_all_waiting_events_due(self):
        waiting = self.record_many(5)
        self.graph.fail_always(sandbox.http(503))
        self.deliver()
        self.assertTrue(self.pixel.failing_since)
        self.assertGreater(
            min(waiting.mapped("next_attempt_at")), fields.Datetime.now()
        )
        self.graph.heal()
        self.record(event_id="fresh")
        self.deliver()
        self.assertEqual(set(waiting.mapped("state")), {"sent"})
        self.assertFalse(self.pixel.failing_since)

    @muted
    def test_an_answer_nobody_documented_is_tried_ten_times(self):
        event = self.record()
        self.graph.fail_always(sandbox.error(987654))
        for _round in range(12):
            self.deliver()
            self.wait(11 * 3600)
        self.assertEqual((event.state, event.failure_reason), ("failed", "exhausted"))
        self.assertEqual(len(self.graph.requests), 10)
        self.assertIn("987654", str(event.error_code))

    @muted
    def test_past_its_window_an_event_expires_and_the_others_go(self):
        old, fresh = self.record_many(2)
        store = self.record(event_id="store", action_source="physical_store")
        self.set_event_time(old | store, 8 * DAY)
        self.deliver()
        self.assertEqual((old.state, old.failure_reason), ("failed", "expired"))
        self.assertEqual((fresh | store).mapped("state"), ["sent", "sent"])

    @muted
    def test_an_event_of_unknown_outcome_is_not_sent_after_48_hours(self):
        unknown, known = self.record_many(2)
        self.graph.fail_next(sandbox.reset_after_accept())
        self.delivery._deliver_batch(self.pixel_id, unknown.ids)
        self.assertTrue(unknown.attempt_ids.arrived)
        self.graph.fail_next(sandbox.error(2))
        self.delivery._deliver_batch(self.pixel_id, known.ids)
        self.assertFalse(known.attempt_ids.arrived)
        self.shift("started_at", 49 * 3600, table="meta_capi_attempt")
        self.wait(DAY)
        self.deliver()
        self.assertEqual((unknown.state, unknown.failure_reason), ("failed", "expired"))
        self.assertEqual(known.state, "sent")

    @muted
    def test_a_request_that_never_got_an_outcome_counts_as_arrived(self):
        event = self.record()
        with patch.object(GraphClient, "send_events", side_effect=MemoryError):
            # Not assertRaises, which rolls back.
            with contextlib.suppress(MemoryError):
                self.deliver()
        self.assertEqual(event.state, "pending")
        self.assertFalse(event.attempt_ids.outcome)
        self.shift("started_at", 49 * 3600, table="meta_capi_attempt")
        self.deliver()
        self.assertEqual((event.state, event.failure_reason), ("failed", "expired"))
        self.assertFalse(self.graph.requests)

    def test_an_event_with_a_browser_twin_is_not_sent_after_48_hours(self):
        twin, single = self.record_many(2)
        set_values(twin, browser_twin=True)
        self.set_event_time(twin | single, 49 * 3600)
        self.deliver()
        self.assertEqual((twin.state, twin.failure_reason), ("failed", "expired"))
        self.assertEqual(single.state, "sent")

    def set_event_time(self, events, age):
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_event SET event_time = event_time - %s * interval '1s'"
                " WHERE id = ANY(%s)",
                age,
                events.ids,
            )
        )
        self.env.invalidate_all()


@tagged("post_install", "-at_install")
class TestThrottle(DeliveryCase):
    @muted
    def test_told_19_minutes_nothing_is_sent_for_19_minutes(self):
        event = self.record()
        self.graph.fail_next(sandbox.throttled(80004, minutes=19))
        self.deliver()
        self.wait(18 * 60)
        self.record(event_id="later")
        self.deliver()
        self.assertEqual(len(self.graph.requests), 1)
        self.wait(60)
        self.deliver()
        self.assertEqual(event.state, "sent")

    @muted
    def test_http_429_waits_as_long_as_its_header_says(self):
        self.record()
        self.graph.fail_next(sandbox.http(429, headers={"Retry-After": "1200"}))
        self.deliver()
        wait = self.pixel.wait_until - fields.Datetime.now()
        self.assertAlmostEqual(wait.total_seconds(), 1200, delta=5)

    def test_near_the_limit_a_success_is_followed_by_a_pause(self):
        self.record()
        self.graph.fail_next(
            sandbox.with_headers({"x-app-usage": '{"call_count": 95}'})
        )
        self.deliver()
        self.assertGreater(self.pixel.wait_until, fields.Datetime.now())


@tagged("post_install", "-at_install")
class TestStoppedPixel(DeliveryCase):
    def stop(self):
        self.graph.fail_always(sandbox.error(190, http_status=401))
        self.deliver()

    @muted
    def test_a_dead_token_stops_the_pixel_and_holds_its_events(self):
        events = self.record_many(3)
        self.stop()
        self.record(event_id="later")
        self.deliver()
        self.assertEqual(self.pixel.state, "stopped")
        self.assertEqual(self.pixel.error_code, 190)
        self.assertEqual(set(events.mapped("state")), {"pending"})
        self.assertEqual(len(self.graph.requests), 1)
        self.assertTrue(events[0].held_reason)

    @muted
    def test_every_cause_outside_the_events_stops_the_pixel(self):
        for code, subcode in [
            (code, None) for code in (190, 102, 10, 200, 294, 3, 104, 803, 2500, 2635)
        ] + [(368, None), (100, 33)]:
            with self.subTest(code=code, subcode=subcode):
                event = self.record(event_id=f"{code}/{subcode}")
                self.graph.fail_next(sandbox.error(code, subcode))
                self.deliver()
                self.assertEqual(
                    (self.pixel.state, event.state), ("stopped", "pending")
                )
                self.pixel._release()
                self.deliver()
                self.assertEqual((self.pixel.state, event.state), ("running", "sent"))

    @muted
    def test_managers_get_one_notice_per_stop_and_it_goes_with_it(self):
        self.record()
        self.stop()
        notices = self.pixel.activity_ids
        self.assertIn(self.env.ref("base.user_admin"), notices.user_id)
        self.assertEqual(len(notices), len(notices.user_id))
        self.wait(3600)
        self.deliver()
        self.assertEqual(self.pixel.activity_ids, notices)
        self.graph.heal()
        self.wait(3600)
        self.deliver()
        self.assertFalse(self.pixel.activity_ids)

    @muted
    def test_an_hourly_probe_with_a_small_batch_finds_the_cure(self):
        events = self.record_many(50)
        self.stop()
        self.wait(59 * 60)
        self.deliver()
        self.assertEqual(len(self.graph.requests), 1)
        self.wait(60)
        self.deliver()
        probe = self.graph.requests[1]
        self.assertLessEqual(len(probe.body["data"]), 10)
        self.graph.heal()
        self.wait(3600)
        self.deliver()
        self.assertEqual(set(events.mapped("state")), {"sent"})
        self.assertEqual(self.pixel.state, "running")

    @muted
    def test_a_new_token_releases_and_drains(self):
        event = self.record()
        self.stop()
        self.graph.heal()
        self.graph.pixels[self.pixel_id] = {"new-token-0123456789"}
        self.parameters.set_param("meta_capi.access_token", " new-token-0123456789 ")
        self.assertEqual(self.pixel.state, "running")
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_without_a_token_events_are_recorded_and_held(self):
        self.parameters.search([("key", "=", "meta_capi.access_token")]).unlink()
        event = self.record()
        self.deliver()
        self.assertEqual((event.state, self.pixel.state), ("pending", "stopped"))
        self.assertFalse(self.graph.requests)
        self.parameters.set_param("meta_capi.access_token", self.token)
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_a_setting_that_cannot_be_used_stops_the_pixel(self):
        event = self.record()
        # As a restored database may have it; a person is not let.
        self.env.cr.execute(
            "UPDATE ir_config_parameter SET value = 'http://graph.example.com'"
            " WHERE key = 'meta_capi.graph_url'"
        )
        self.env.registry.clear_cache()
        self.deliver()
        self.assertEqual((event.state, self.pixel.state), ("pending", "stopped"))
        self.assertEqual(self.pixel.trouble, "setting")

    @muted
    def test_another_pixel_is_not_disturbed(self):
        self.graph.pixels["222222222222222"] = {self.token}
        self.website.write({"meta_capi_pixel_id": "222222222222222"})
        other = self.record(website=self.website)
        mine = self.record()
        self.graph.fail_always(sandbox.error(190), pixel_id=self.pixel_id)
        self.deliver()
        self.deliver(other.pixel_id)
        self.assertEqual((mine.state, other.state), ("pending", "sent"))


@tagged("post_install", "-at_install")
class TestRelease(DeliveryCase):
    """What it means that a pixel may try again."""

    def setUp(self):
        super().setUp()
        self.env["meta.capi.pixel"]._get(self.pixel_id)

    def test_what_waits_is_due_at_once_and_gets_a_job(self):
        event = self.record()
        later = fields.Datetime.now() + timedelta(hours=5)
        set_values(event, next_attempt_at=later)
        stop_pixel(self.pixel)
        self.jobs.enqueued_jobs.clear()
        self.pixel._release()
        self.assertLessEqual(event.next_attempt_at, fields.Datetime.now())
        self.jobs.assert_jobs_count(1, only=self.delivery._deliver)

    def test_held_is_what_waits_for_a_stopped_pixel_and_nothing_else(self):
        sent, elsewhere, held = self.record_many(3)
        set_values(sent, state="sent")
        set_values(elsewhere, pixel_id="2222222222")
        stop_pixel(self.pixel)
        events = sent + elsewhere + held
        for value, expected in ((True, held), (False, sent + elsewhere)):
            domain = [("id", "in", events.ids), ("is_held", "=", value)]
            self.assertEqual(events.search(domain, order="id"), expected)
        self.assertEqual(events.mapped("is_held"), [False, False, True])
        reasons = [event.held_reason for event in events]
        self.assertEqual(reasons, [False, False, "The token has expired."])

    def test_what_waits_for_a_slowed_pixel_says_so_as_long_as_it_is(self):
        event = self.record()
        for minutes, is_slow in ((5, True), (-5, False)):
            now = fields.Datetime.now()
            self.pixel.wait_until = now + timedelta(minutes=minutes)
            self.env.invalidate_all()
            self.assertEqual(bool(event.short_cause), is_slow)

    def test_what_is_known_of_the_clock_stays(self):
        self.pixel.clock_skew = 25
        stop_pixel(self.pixel)
        self.pixel._release()
        self.assertEqual((self.pixel.state, self.pixel.clock_skew), ("running", 25))

    def test_a_running_pixel_waits_as_meta_has_asked_for(self):
        wait_until = fields.Datetime.now() + timedelta(minutes=19)
        self.pixel.wait_until = wait_until
        self.pixel._release()
        self.assertEqual(self.pixel.wait_until, wait_until)

    def test_a_running_pixel_whose_wait_or_trouble_is_over_names_none(self):
        self.pixel.trouble = "rate_limit"
        self.pixel.wait_until = fields.Datetime.now() - timedelta(minutes=1)
        self.assertFalse(self.pixel.cause)

    def test_try_again_now_gives_a_running_pixel_a_job_too(self):
        self.pixel.action_try_again()
        (job,) = self.jobs.enqueued_jobs
        self.assertFalse(job.eta and job.eta > datetime.now() + timedelta(seconds=1))

    def test_stopped_in_its_next_use_it_is_news_again(self):
        stop_pixel(self.pixel)
        pixel = self.pixel
        self.assertTrue(pixel.stopped_told_at)
        self.parameters.set_param("meta_capi.pixel_id", "2222222222")
        self.assertFalse(pixel.active or pixel.stopped_told_at)

    def test_put_away_by_the_sweep_it_is_news_again_too(self):
        stop_pixel(self.pixel)
        pixel = self.pixel
        with patch.object(type(self.pixel), "_pixel_ids_in_use", lambda self: set()):
            pixel._archive_unused()
        self.assertEqual(pixel.state, "stopped")
        self.assertFalse(pixel.active or pixel.stopped_told_at)


@tagged("post_install", "-at_install")
class TestRefusedBatch(DeliveryCase):
    @muted
    def test_seven_poisoned_events_of_a_thousand_are_found_and_the_others_sent(self):
        events = self.record_many(1000)
        poisoned = {f"event-{number}" for number in (0, 1, 77, 500, 501, 840, 999)}
        self.graph.poison(poisoned)
        self.deliver()
        failed = events.filtered(lambda event: event.state == "failed")
        self.assertEqual(set(failed.mapped("event_id")), poisoned)
        self.assertEqual(set(failed.mapped("failure_reason")), {"invalid"})
        self.assertTrue(all(failed.mapped("error_message")))
        self.assertEqual(set((events - failed).mapped("state")), {"sent"})
        self.assertLessEqual(len(self.graph.requests), 2 * 7 * (10 + 1))
        self.assertEqual(set(self.graph.deliveries().values()), {1})

    @muted
    def test_one_in_two_is_found_within_the_bound(self):
        self.record_many(2)
        self.graph.poison({"event-1"})
        self.deliver()
        self.assertLessEqual(len(self.graph.requests), 4)
        self.assertEqual(self.received_ids(), ["event-0"])

    @muted
    def test_isolation_goes_on_after_the_worker_is_gone(self):
        events = self.record_many(64)
        self.graph.poison({"event-13"})
        while "pending" in events.mapped("state"):
            self.delivery._deliver_batch(self.pixel_id)
        self.assertLessEqual(len(self.graph.requests), 2 * (6 + 1))

    @muted
    def test_a_body_too_large_is_split(self):
        events = self.record_many(4)
        self.graph.fail_next(sandbox.http(413))
        self.deliver()
        self.assertEqual(set(events.mapped("state")), {"sent"})

    @muted
    def test_refused_without_a_reason_alone_among_accepted_is_invalid(self):
        events = self.record_many(16)
        self.graph.poison({"event-5"}, code=100, subcode=None)
        for _round in range(3):
            self.deliver()
            self.wait(60)
        failed = events.filtered(lambda event: event.state == "failed")
        self.assertEqual(failed.mapped("event_id"), ["event-5"])
        self.assertEqual(failed.failure_reason, "invalid")
        self.assertEqual(set((events - failed).mapped("state")), {"sent"})
        self.assertNotEqual(self.pixel.state, "stopped")

    @muted
    def test_two_bad_neighbours_do_not_stop_the_pixel(self):
        events = self.record_many(16)
        self.graph.poison({"event-0", "event-1"}, code=100, subcode=None)
        for _round in range(4):
            self.deliver()
            self.wait(60)
        failed = events.filtered(lambda event: event.state == "failed")
        self.assertEqual(set(failed.mapped("event_id")), {"event-0", "event-1"})
        self.assertEqual(self.pixel.state, "running")

    @muted
    def test_refused_alike_from_both_ends_stops_the_pixel(self):
        events = self.record_many(16)
        self.graph.fail_always(sandbox.error(100))
        self.deliver()
        self.assertEqual(self.pixel.state, "stopped")
        self.assertEqual(set(events.mapped("state")), {"pending"})
        self.assertLessEqual(len(self.graph.requests), 4 + 2)
        self.graph.heal()
        self.pixel._release()
        self.deliver()
        self.assertEqual(set(events.mapped("state")), {"sent"})


@tagged("post_install", "-at_install")
class TestByHand(DeliveryCase):
    def test_send_now_sends_and_shows_the_answer(self):
        event = self.record()
        notification = event.action_send_now()
        self.assertEqual(event.state, "sent")
        self.assertEqual(notification["params"]["type"], "success")
        self.assertIn("events_received", notification["params"]["message"])

    def test_a_click_begins_no_request_when_its_time_is_over(self):
        event = self.record()
        with patch.object(meta_capi_delivery, "MAX_SECONDS", 0):
            notification = event.action_send_now()
        self.assertIn("Nothing was sent", notification["params"]["message"])
        self.assertFalse(self.graph.requests)

    @muted
    def test_send_now_shows_what_meta_objects_to(self):
        event = self.record()
        self.graph.fail_next(sandbox.error(190, message="The token has expired"))
        notification = event.action_send_now()
        self.assertIn("The token has expired", notification["params"]["message"])
        self.assertEqual(event.state, "pending")

    @muted
    def test_send_now_asks_meta_although_the_pixel_is_stopped(self):
        event, other = self.record_many(2)
        self.graph.fail_next(sandbox.error(190))
        self.deliver()
        event.action_send_now()
        self.assertEqual((event.state, self.pixel.state), ("sent", "running"))
        self.assertEqual(other.state, "pending")

    def settings(self):
        return self.env["res.config.settings"].create({"website_id": self.website.id})

    def test_a_test_event_goes_out_at_once_with_the_test_code(self):
        settings = self.settings()
        with self.assertRaises(UserError):
            settings.action_meta_capi_send_test_event()
        self.parameters.set_param("meta_capi.test_event_code", "TEST77")
        notification = settings.action_meta_capi_send_test_event()
        self.assertIn("events_received", notification["params"]["message"])
        self.assertEqual(self.graph.events[0].test_event_code, "TEST77")

    def test_the_connection_test_shows_metas_answer(self):
        notification = self.settings().action_meta_capi_test_connection()
        self.assertIn("Missing Permission", notification["params"]["message"])
        self.graph.pixels.clear()
        notification = self.settings().action_meta_capi_test_connection()
        self.assertIn("Meta refuses", notification["params"]["message"])

    @muted
    def test_retry_makes_a_failed_event_pending_and_it_goes(self):
        event = self.record()
        self.graph.poison({event.event_id})
        self.deliver()
        self.assertEqual(event.state, "failed")
        self.graph.cure()
        event.action_retry()
        self.assertEqual((event.state, event.failure_reason), ("pending", False))
        self.deliver()
        self.assertEqual(event.state, "sent")

    def test_a_retried_event_tells_what_its_customer_has_told_since(self):
        self.parameters.set_param("meta_capi.user_data_keys", "em,ph,ct,country")
        customer = self.env["res.partner"].create({"name": "Jane", "city": "Berlin"})
        event = self.record(user_data=None, origin=customer)
        self.assertEqual((event.state, event.cause), ("failed", "user_data"))
        customer.email = "jane@example.com"
        event.action_retry()
        self.assertFalse(event.cause or event.error_message)
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertEqual(event.user_data_keys, "ct,em")
        (received,) = self.graph.events
        self.assertEqual(received.event["user_data"].keys(), {"ct", "em"})

    def test_a_retried_event_limits_data_use_where_its_customer_turns_out_to_live(self):
        self.parameters.set_param("meta_capi.limited_data_use", "state")
        self.parameters.set_param("meta_capi.user_data_keys", "em,ph,ct,st,country")
        customer = self.env["res.partner"].create({"name": "Jane", "city": "Menlo"})
        event = self.record(user_data=None, origin=customer)
        self.assertFalse(event.data_processing_options)
        customer.write(
            {
                "email": "jane@example.com",
                "country_id": self.env.ref("base.us").id,
                "state_id": self.env.ref("base.state_us_5").id,
            }
        )
        event.action_retry()
        self.deliver()
        (received,) = self.graph.events
        self.assertEqual(received.event["data_processing_options"], ["LDU"])
        self.assertEqual(received.event["data_processing_options_state"], 1000)

    def test_a_retried_event_keeps_what_it_said_beside_what_its_customer_says_now(self):
        self.parameters.set_param("meta_capi.user_data_keys", "em,ph,ct")
        self.env.company.country_id = self.env.ref("base.us")
        customer = self.env["res.partner"].create({"name": "Jane", "city": "Berlin"})
        event = self.record(user_data={"ge": "f"}, origin=customer)
        self.assertEqual((event.state, event.cause), ("failed", "user_data"))
        before = event.user_data
        set_values(event, company_id=self.env.company.id)
        customer.write({"city": "Hamburg", "phone": "650 555 1212"})
        event.action_retry()
        told = event.user_data
        self.assertEqual(told["ge"], before["ge"])
        self.assertNotEqual(told["ct"], before["ct"])
        self.assertIn("ph", told)

    def test_a_retried_event_whose_data_is_not_to_be_limited_stays_so(self):
        event = self.record(origin=self.customer, data_processing_options=[])
        set_values(event, state="failed", failure_reason="invalid", cause="user_data")
        self.parameters.set_param("meta_capi.limited_data_use", "always")
        event.action_retry()
        self.assertEqual(event.data_processing_options, [])

    def test_what_the_browser_sent_two_days_ago_is_not_sendable(self):
        single, twin = events = self.record_many(2)
        two_days_ago = fields.Datetime.now() - timedelta(days=2)
        set_values(events, event_time=two_days_ago)
        set_values(twin, browser_twin=True)
        self.assertEqual(events._still_sendable(), single)

    def test_the_payload_is_shown_to_who_may_see_the_event(self):
        event = self.record()
        set_values(event, company_id=self.env["res.company"].create({"name": "B"}).id)
        reader = new_test_user(
            self.env, "reads", groups="ih_meta_conversions_api.group_meta_capi_user"
        )
        self.assertIn(event.event_id, event.payload)
        with (
            self.assertRaises(AccessError),
            mute_logger("odoo.addons.base.models.ir_rule"),
        ):
            self.assertTrue(event.with_user(reader).payload)

    @muted
    def test_a_retried_event_of_a_customer_who_objects_by_now_is_not_sent(self):
        event = self.record(origin=self.customer)
        self.graph.poison({event.event_id})
        self.deliver()
        self.graph.cure()
        self.customer.meta_capi_opt_out = True
        event.action_retry()
        self.deliver()
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        self.assertFalse(self.graph.events)

    @muted
    def test_of_what_was_chosen_only_what_has_failed_is_retried(self):
        failed, pending, sent, cancelled, objected = events = self.record_many(5)
        set_values(events - pending, state="failed", failure_reason="exhausted")
        set_values(sent, state="sent", failure_reason=None)
        set_values(cancelled, state="cancelled", failure_reason=None)
        set_values(pending, attempt_count=3)
        set_values(objected, partner_id=self.customer.id)
        self.customer.meta_capi_opt_out = True
        message = EventActions(events.env).retry(events)["params"]["message"]
        self.assertIn("1", message)
        self.assertEqual(
            events.mapped("state"),
            ["pending", "pending", "sent", "cancelled", "cancelled"],
        )
        self.assertEqual(pending.attempt_count, 3)

    @muted
    def test_only_what_could_be_anybody_s_is_completed_when_it_is_retried(self):
        event = self.record(origin=self.customer, user_data={"em": "a@example.com"})
        before = event.user_data
        set_values(event, state="failed", failure_reason="invalid", cause="value")
        event.action_retry()
        self.assertEqual(event.user_data, before)

    def test_a_retry_releases_its_pixel_also_where_it_is_archived(self):
        event = self.record()
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        set_values(event, state="failed", failure_reason="exhausted")
        stop_pixel(pixel)
        pixel.active = False
        self.jobs.enqueued_jobs.clear()
        event.action_retry()
        self.assertEqual(pixel.state, "running")
        self.jobs.assert_jobs_count(1, only=self.delivery._deliver)

    def test_a_retried_event_gets_a_job(self):
        event = self.record()
        set_values(event, state="failed", failure_reason="exhausted")
        self.jobs.enqueued_jobs.clear()
        event.action_retry()
        self.jobs.assert_jobs_count(1, only=self.delivery._deliver)

    def test_what_is_being_sent_is_not_cancelled_and_said_so(self):
        events = self.record_many(2)
        table = type(EventTable(self.env))
        free = events[0].ids
        with patch.object(table, "lock", lambda self, ids, *states: free):
            notification = events.action_cancel()
        self.assertEqual(events.mapped("state"), ["cancelled", "pending"])
        self.assertEqual(notification["params"]["type"], "warning")
        self.assertIn("being sent right now", notification["params"]["message"])

    def test_at_most_so_many_are_acted_on_at_a_click(self):
        events = self.record_many(3)
        with patch.object(meta_capi_event, "MAX_EVENTS_AT_A_CLICK", 2):
            with self.assertRaises(UserError):
                events.action_cancel()
        self.assertEqual(set(events.mapped("state")), {"pending"})

    @muted
    def test_the_wizard_sends_again_what_meta_would_still_take(self):
        events = self.record_many(3)
        self.graph.poison(events.mapped("event_id"))
        self.deliver()
        self.graph.cure()
        set_values(events[0], event_time=fields.Datetime.now() - timedelta(8))
        wizard = self.env["meta.capi.retry"].create(
            {
                "since": fields.Datetime.now() - timedelta(30),
                "failure_reason": "invalid",
                "pixel_id": self.pixel.id,
            }
        )
        self.assertEqual((wizard.failed_count, wizard.sendable_count), (3, 2))
        wizard.action_retry()
        self.deliver()
        self.assertEqual(events.mapped("state"), ["failed", "sent", "sent"])
        with self.assertRaises(UserError):
            wizard.action_retry()

    def test_cancel_takes_it_out_of_the_queue(self):
        event = self.record()
        event.action_cancel()
        self.deliver()
        self.assertEqual(event.state, "cancelled")
        self.assertFalse(self.graph.requests)

    def test_what_is_in_another_state_is_refused_with_a_word(self):
        event = self.record()
        self.deliver()
        for action in (event.action_send_now, event.action_retry, event.action_cancel):
            with self.assertRaises(UserError):
                action()


@tagged("post_install", "-at_install")
class TestSchedule(DeliveryCase):
    """A job is joined if it comes in time, after the commit; else another is added."""

    def setUp(self):
        super().setUp()
        # A second that ends in between would change what is in time.
        now = fields.Datetime.now()
        self.enter(patch.object(fields.Datetime, "now", staticmethod(lambda: now)))

    def let_a_job_wait(self, ahead, slot=0, state="pending", age=600):
        now = fields.Datetime.now()
        self.env.cr.execute(
            "INSERT INTO queue_job (uuid, state, identity_key, eta, date_created)"
            " VALUES (%s, %s, %s, %s, %s)",
            [
                f"job {slot}",
                state,
                self.job._job_keys(self.pixel_id)[slot],
                fields.Datetime.add(now, seconds=ahead),
                fields.Datetime.add(now, seconds=-age),
            ],
        )

    def slots_of_new_jobs(self):
        keys = self.job._job_keys(self.pixel_id)
        return [keys.index(job.identity_key) for job in self.jobs.enqueued_jobs]

    def test_a_job_is_joined_by_whom_it_serves_in_time(self):
        # Seconds until the waiting job, those it may be waited for, joined
        for ahead, delay, is_joined in (
            (2, 2, True),
            (3, 2, True),
            (200, 2, False),
            (600, 600, True),
            (600, 0, False),
            (1, 0, True),
            (-1, 2, False),  # it has begun to look, maybe before our commit
        ):
            with (
                self.subTest(ahead=ahead, delay=delay),
                self.env.cr.savepoint() as step,
            ):
                self.let_a_job_wait(ahead)
                self.job._schedule(self.pixel_id, delay)
                jobs = self.jobs.enqueued_jobs
                self.assertEqual(len(jobs), 0 if is_joined else 1)
                jobs.clear()
                step.rollback()

    @muted
    def test_what_is_tried_again_later_leaves_the_slots_to_what_is_new(self):
        event = self.record()
        self.jobs.enqueued_jobs.clear()
        self.graph.fail_next(sandbox.http(429, headers={"Retry-After": "120"}))
        self.deliver()
        self.assertEqual(event.state, "pending")
        keys = {job.identity_key for job in self.jobs.enqueued_jobs}
        self.assertEqual(keys, {self.job._job_keys(self.pixel_id)[2]})

    def test_an_event_waits_as_long_as_is_configured_so_that_others_gather(self):
        self.parameters.set_param("meta_capi.batch_delay", "30")
        self.record()
        (job,) = self.jobs.enqueued_jobs
        wait = (job.eta - datetime.now()).total_seconds()
        self.assertTrue(20 < wait <= 30, wait)

    @muted
    def test_what_is_tried_again_in_an_hour_is_the_sweep_s(self):
        self.record()
        self.jobs.enqueued_jobs.clear()
        self.graph.fail_next(sandbox.http(429, headers={"Retry-After": "3600"}))
        self.deliver()
        self.jobs.assert_jobs_count(0)

    def test_a_job_whose_time_is_over_or_whose_code_is_old_leaves_it_to_another(self):
        event = self.record()
        outdated = patch.object(
            type(self.delivery), "_is_registry_outdated", lambda self: True
        )
        for name, seconds, circumstance in (
            ("time", -1, contextlib.nullcontext()),
            ("code", 60, outdated),
        ):
            self.jobs.enqueued_jobs.clear()
            deadline = self.job._now() + seconds
            with self.subTest(name), circumstance:
                self.delivery._deliver_until(self.pixel_id, deadline)
                self.assertEqual(self.slots_of_new_jobs(), [0])
                self.assertEqual(event.state, "pending")
                self.assertFalse(self.graph.requests)

    def test_what_a_click_leaves_is_scheduled(self):
        event, _other = self.record_many(2)
        self.jobs.enqueued_jobs.clear()
        event.action_send_now()
        self.assertEqual(self.slots_of_new_jobs(), [0])

    def test_a_new_event_does_not_wait_for_the_next_try_of_an_old_one(self):
        self.let_a_job_wait(250, slot=2)
        self.record()
        (job,) = self.jobs.enqueued_jobs
        self.assertIn(job.identity_key, self.job._job_keys(self.pixel_id)[:2])

    def test_where_all_slots_are_taken_no_job_is_added(self):
        for slot in range(3):
            self.let_a_job_wait(-100, slot)
        self.record()
        self.jobs.assert_jobs_count(0)

    def test_the_job_of_the_own_transaction_is_joined_although_it_is_due(self):
        # Our transaction began before now; whole seconds.
        self.let_a_job_wait(0, age=-60)
        self.job._schedule(self.pixel_id, delay=0)
        self.assertEqual(self.slots_of_new_jobs(), [])

    def test_a_job_that_is_handed_out_is_not_joined_and_keeps_its_slot(self):
        self.let_a_job_wait(2, state="enqueued")
        self.job._schedule(self.pixel_id, 2)
        self.assertEqual(self.slots_of_new_jobs(), [1])

    def test_a_job_that_is_done_or_under_way_takes_no_slot(self):
        for slot, state in enumerate(("done", "failed", "started")):
            self.let_a_job_wait(2, slot, state)
        self.job._schedule(self.pixel_id, 2)
        self.assertEqual(self.slots_of_new_jobs(), [0])

    def test_what_others_are_about_to_schedule_is_left_to_them(self):
        keys = self.job._job_keys(self.pixel_id)
        with self.registry.cursor() as other:
            for key, expected in ((keys[0], [1]), (keys[1], [])):
                other.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key]
                )
                with self.subTest(key), self.env.cr.savepoint() as step:
                    self.job._schedule(self.pixel_id)
                    self.assertEqual(self.slots_of_new_jobs(), expected)
                    self.jobs.enqueued_jobs.clear()
                    step.rollback()  # which gives the lock back

    def test_the_jobs_of_whoever_records_run_as_superuser(self):
        visitor = self.env.ref("base.public_user")
        self.job.with_user(visitor).sudo()._schedule(self.pixel_id)
        (job,) = self.jobs.enqueued_jobs
        self.assertEqual(job.recordset.env.uid, SUPERUSER_ID)


@tagged("post_install", "-at_install")
class TestSweep(DeliveryCase):
    def test_a_stray_event_gets_a_job(self):
        event = self.record()
        self.jobs.enqueued_jobs.clear()
        self.delivery._sweep()
        self.jobs.assert_jobs_count(1, only=self.delivery._deliver)
        (job,) = self.jobs.enqueued_jobs
        self.assertFalse(job.eta and job.eta > datetime.now() + timedelta(seconds=1))
        self.assertEqual(event.state, "pending")

    def test_switched_off_it_leaves_all_as_it_is(self):
        event = self.record()
        self.jobs.enqueued_jobs.clear()
        self.shift("event_time", 7 * DAY)
        self.parameters.set_param("meta_capi.enabled", "False")
        self.delivery._sweep()
        self.assertEqual(event.state, "pending")
        self.jobs.assert_jobs_count(0)

    def test_pixels_come_by_how_long_something_is_due_for_them(self):
        now = fields.Datetime.now()
        known = self.env["meta.capi.pixel"]._get("6")
        known.wait_until = known.next_probe_at = now - timedelta(minutes=1)
        for number, state, minutes in (
            (1, "pending", -10),
            (2, "pending", -20),
            (3, "pending", -15),
            (4, "pending", 10),
            (5, "sent", -30),
            (6, "pending", 10),
        ):
            set_values(
                self.record(event_id=str(number)),
                pixel_id=str(number),
                state=state,
                next_attempt_at=now + timedelta(minutes=minutes),
            )
        self.assertEqual(self.delivery._due_pixel_ids(), ["2", "3", "1"])

    def test_one_that_cannot_be_delivered_to_keeps_no_other_waiting(self):
        events = self.record_many(2)
        set_values(events[0], pixel_id="1")
        self.shift("next_attempt_at", 60)
        set_values(events[0], next_attempt_at=fields.Datetime.now() - timedelta(1))
        delivery = type(self.delivery)
        deliver_until = delivery._deliver_until

        def deliver(self, pixel_id, deadline):
            if pixel_id == "1":
                raise ValueError
            return deliver_until(self, pixel_id, deadline)

        with (
            patch.object(
                type(self.job), "_is_runner_absent", lambda self, pixel_id: True
            ),
            patch.object(delivery, "_deliver_until", deliver),
            self.assertLogs("meta.conversions.api", "ERROR") as logs,
        ):
            self.delivery._sweep()
        self.assertIn("Pixel 1 could not be delivered to", logs.output[0])
        self.assertEqual(events.mapped("state"), ["pending", "sent"])

    def test_where_nobody_runs_the_jobs_the_sweep_delivers(self):
        event = self.record()
        with patch.object(
            type(self.job), "_is_runner_absent", lambda self, pixel_id: True
        ):
            self.delivery._sweep()
        self.assertEqual(event.state, "sent")

    def test_held_and_throttled_pixels_are_left_in_peace(self):
        self.record()
        self.deliver()
        self.record(event_id="held")
        self.jobs.enqueued_jobs.clear()
        for column in ("wait_until", "next_probe_at"):
            self.pixel[column] = fields.Datetime.add(fields.Datetime.now(), hours=1)
            self.env.flush_all()
            self.delivery._sweep()
            self.pixel[column] = False
        self.jobs.assert_jobs_count(0)

    def test_held_events_expire_when_their_window_closes(self):
        event = self.record()
        self.shift("event_time", 7 * DAY)
        self.delivery._sweep()
        self.assertEqual((event.state, event.failure_reason), ("failed", "expired"))


@tagged("post_install", "-at_install")
class TestRetention(DeliveryCase):
    def test_finished_events_are_purged_after_their_days_and_pending_ones_kept(self):
        sent, pending = self.record_many(2)
        self.delivery._deliver_batch(self.pixel_id, sent.ids)
        self.shift("create_date", 91 * DAY)
        self.shift("started_at", 91 * DAY, table="meta_capi_attempt")
        attempt = sent.attempt_ids
        self.env["meta.capi.event"]._gc_finished()
        self.assertFalse(sent.exists())
        self.assertFalse(attempt.exists())
        self.assertTrue(pending.exists())

    def test_an_old_log_is_done_slice_by_slice_with_rests_in_between(self):
        jobs = type(self.job)
        cursors, rests = [], []
        opened = jobs._delivery_cursor

        def noted(job):
            cursors.append(job)
            return opened(job)

        # From one look at the clock to the next.
        clock = itertools.accumulate(itertools.repeat(2.0))
        self.old_log(5)
        with (
            patch.object(retention, "SLICE", 2),
            patch.object(retention, "_SECONDS", 1000),
            patch.object(retention.time, "monotonic", lambda: next(clock)),
            patch.object(retention.time, "sleep", rests.append),
            patch.object(jobs, "_delivery_cursor", noted),
        ):
            self.events._gc_user_data()
            self.assertFalse(any(self.events.mapped("user_data")))
            self.assertEqual(len(cursors), 3)
            self.assertEqual(rests, [6.0] * 2)
            self.events._gc_finished()
        self.assertFalse(self.events.exists())
        self.assertFalse(self.attempts.exists())
        self.assertFalse(self.asked_again())

    def test_what_takes_long_is_left_to_a_further_run_which_is_asked_for(self):
        self.old_log(5)
        with (
            patch.object(retention, "SLICE", 2),
            patch.object(retention, "_SECONDS", -1),
        ):
            for gc, left in (
                *((self.events._gc_user_data, n) for n in (3, 1, 0)),
                # The events first, and then their requests.
                *((self.events._gc_finished, n) for n in (3 + 5, 1 + 5, 3, 1, 0)),
            ):
                with self.subTest(gc=gc.__name__, left=left):
                    self.asked_again().unlink()
                    gc()
                    self.env.invalidate_all()
                    kept = [*self.events.exists(), *self.attempts.exists()]
                    if gc.__name__ == "_gc_user_data":
                        kept = self.events.filtered("user_data")
                    self.assertEqual(len(kept), left)
                    self.assertEqual(bool(self.asked_again()), left > 0)

    def test_old_browsers_are_forgotten_slice_by_slice(self):
        browsers = self.env["meta.capi.browser"]
        orders = [self.order() for _n in range(5)]
        for order in orders:
            browsers._upsert(order, {"consent": True, "fbp": "fb.1.1.1"})
        self.asked_again().unlink()
        for age, left in ((31, (5, 5, 5)), (731, (3, 1, 0))):
            self.shift("write_date", age * DAY, table="meta_capi_browser")
            for count in left:
                with (
                    self.subTest(age=age, count=count),
                    patch.object(retention, "SLICE", 2),
                    patch.object(retention, "_SECONDS", -1),
                ):
                    browsers._gc_personal()
                    found = browsers.search([])
                    self.assertEqual(len(found), count)
            if age == 31:
                self.assertFalse(any(found.mapped("fbp")))
                self.assertTrue(all(found.mapped("consent")))
        self.assertTrue(self.asked_again())

    def old_log(self, count):
        """Have events, each sent by a request of its own, that are past all retention."""
        self.events = self.record_many(count)
        for event in self.events:
            self.delivery._deliver_batch(self.pixel_id, event.ids)
        self.attempts = self.events.attempt_ids
        self.assertEqual(len(self.attempts), count)
        self.shift("create_date", 91 * DAY)
        self.shift("started_at", 91 * DAY, table="meta_capi_attempt")
        self.asked_again().unlink()

    def asked_again(self):
        cron = self.env.ref("base.autovacuum_job")
        return self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)])

    def test_a_negative_number_of_days_keeps_all(self):
        self.parameters.set_param("meta_capi.retention_days", "-1")
        self.parameters.set_param("meta_capi.user_data_retention_days", "-1")
        event = self.record()
        self.deliver()
        self.shift("create_date", 1000 * DAY)
        self.env["meta.capi.event"]._gc_finished()
        self.env["meta.capi.event"]._gc_user_data()
        self.assertTrue(event.exists().user_data)
