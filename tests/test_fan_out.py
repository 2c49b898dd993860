from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import MetaCapiCase

OTHER = "2222222222"


@tagged("post_install", "-at_install")
class TestFanOut(MetaCapiCase):
    """One event, more than one pixel."""

    def setUp(self):
        super().setUp()
        self.graph.pixels[OTHER] = {self.token}
        self.parameters.set_param("meta_capi.extra_pixel_ids", f" {OTHER} ,")

    def test_each_pixel_gets_the_event_once_and_the_caller_the_main_row(self):
        order = self.order()
        event = self.api.send_event("Purchase", origin=order)
        self.assertEqual(len(event), 1)
        self.assertEqual(event.pixel_id, self.pixel_id)
        self.assertEqual(self.api.send_event("Purchase", origin=order), event)
        for pixel_id in (self.pixel_id, OTHER):
            self.jobs.assert_enqueued_job(
                self.delivery._deliver, args=(pixel_id,), properties={}
            )
            self.deliver(pixel_id)
        self.assertEqual(
            [(r.pixel_id, r.body["data"][0]["event_id"]) for r in self.graph.requests],
            [(self.pixel_id, event.event_id), (OTHER, event.event_id)],
        )

    def test_what_is_not_sent_has_no_copies(self):
        self.record(user_data={})
        self.customer.meta_capi_opt_out = True
        self.record(origin=self.customer)
        events = self.env["meta.capi.event"].search([])
        self.assertFalse(events.filtered(lambda event: event.pixel_id == OTHER))

    def test_a_website_with_a_pixel_of_its_own_has_copies_of_its_own(self):
        self.website.meta_capi_pixel_id = "3333333333"
        self.assertEqual(len(self.copies("3333333333")), 0)
        self.website.meta_capi_extra_pixel_ids = "4444444444, 5555555555"
        self.assertEqual(
            {event.pixel_id for event in self.copies("3333333333")},
            {"4444444444", "5555555555"},
        )

    def copies(self, pixel_id):
        event = self.record(website=self.website)
        self.assertEqual(event.pixel_id, pixel_id)
        same = [("event_id", "=", event.event_id), ("id", "!=", event.id)]
        return self.env["meta.capi.event"].search(same)

    def test_copies_are_sent_with_the_token_of_the_website_they_are_of(self):
        token = self.env["meta.capi.config"]._access_token
        self.assertEqual(token(OTHER), self.token)
        self.website.write(
            {
                "meta_capi_access_token": "a-token-of-its-own",
                "meta_capi_extra_pixel_ids": "4444444444",
            }
        )
        self.assertEqual(token("4444444444"), "a-token-of-its-own")
        self.assertEqual(token("6666666666"), "")

    def test_pixel_ids_are_digits(self):
        with self.assertRaisesRegex(UserError, "extra_pixel_ids"):
            self.parameters.set_param("meta_capi.extra_pixel_ids", "12, x")
