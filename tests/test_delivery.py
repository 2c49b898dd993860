from odoo.tests import tagged
from odoo.tools import mute_logger

from ..dev.graph_sandbox import error, http
from .common import MetaCapiCase

muted = mute_logger("meta.conversions.api")


@tagged("post_install", "-at_install")
class TestDelivery(MetaCapiCase):
    def test_a_delivered_event_is_sent_with_its_attempt_and_answer(self):
        event = self.record()
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertEqual(event.attempt_count, 1)
        self.assertEqual(event.http_status, 200)
        self.assertTrue(event.sent_at and event.fbtrace_id)
        self.assertEqual(event.attempt_ids.outcome, "accepted")
        self.assertEqual(event.attempt_ids.event_count, 1)
        self.assertIn("events_received", event.response)
        (received,) = self.graph.events
        self.assertEqual(received.event["event_id"], event.event_id)

    @muted
    def test_a_blip_is_retried_within_the_minute(self):
        event = self.record()
        self.graph.fail_next(http(502, "<html>", "text/html"))
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertEqual(event.attempt_count, 2)
        self.assertEqual(len(self.naps), 1)
        self.assertLess(self.naps[0], 10)

    @muted
    def test_one_poisoned_event_is_found_and_the_others_are_sent(self):
        events = self.api.send_events(
            [
                {"event_name": "Lead", "event_id": f"e{i}", "user_data": {"em": f"{i}@a.com"}}
                for i in range(100)
            ]
        )
        self.graph.poison(["e41"])
        self.deliver()
        bad = events.filtered(lambda e: e.event_id == "e41")
        self.assertEqual((bad.state, bad.failure_reason), ("failed", "invalid"))
        self.assertEqual(set((events - bad).mapped("state")), {"sent"})
        self.assertLessEqual(len(self.graph.requests), 2 * (7 + 1))

    @muted
    def test_a_dead_token_stops_the_pixel_and_holds_its_events(self):
        event = self.record()
        self.graph.fail_always(error(190, http_status=401))
        self.deliver()
        pixel = self.env["meta.capi.pixel"].search([("pixel_id", "=", self.pixel_id)])
        self.assertEqual((event.state, pixel.state), ("pending", "stopped"))
        self.deliver()
        self.assertEqual(len(self.graph.requests), 1)
        self.graph.heal()
        self.parameters.set_param("meta_capi.access_token", self.token + "x")
        self.parameters.set_param("meta_capi.access_token", self.token)
        self.assertEqual(pixel.state, "running")
        self.deliver()
        self.assertEqual(event.state, "sent")
