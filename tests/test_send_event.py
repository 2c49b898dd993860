import hashlib
import json
from datetime import datetime

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import MetaCapiCase


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@tagged("post_install", "-at_install")
class TestSendEvent(MetaCapiCase):
    def test_an_event_is_a_pending_row_with_hashed_user_data(self):
        event = self.record(
            event_name="AddToCart",
            event_time=datetime.now().replace(microsecond=0),
            user_data={"em": " Jane@Example.com ", "client_user_agent": "Mozilla/5.0"},
            custom_data={"currency": "usd", "value": 25.0, "content_ids": [7]},
        )
        self.assertEqual(event.state, "pending")
        self.assertEqual(event.pixel_id, self.pixel_id)
        self.assertEqual(event.user_data["em"], sha256("jane@example.com"))
        self.assertEqual(event.user_data["client_user_agent"], "Mozilla/5.0")
        self.assertEqual(
            event.custom_data, {"currency": "USD", "value": 25.0, "content_ids": ["7"]}
        )
        self.assertEqual(event.action_source, "other")

    def test_the_same_key_is_recorded_once(self):
        first = self.record(event_id="once")
        second = self.record(event_id="once", user_data={"em": "other@example.com"})
        self.assertEqual(first, second)
        self.assertEqual(second.user_data["em"], sha256("jane@example.com"))

    def test_an_invalid_row_is_rebuilt_by_a_second_call(self):
        first = self.record(event_id="again", event_name="Purchase")
        self.assertEqual((first.state, first.failure_reason), ("failed", "invalid"))
        self.assertIn("custom_data.value", first.error_message)
        second = self.record(
            event_id="again",
            event_name="Purchase",
            custom_data={"value": 1, "currency": "EUR"},
        )
        self.assertEqual(first, second)
        self.assertEqual(second.state, "pending")
        self.assertFalse(second.failure_reason or second.error_message)
        self.assertEqual(second.custom_data, {"value": 1, "currency": "EUR"})

    def test_many_events_come_back_in_the_order_given(self):
        names = ["Lead", "Contact", "Lead", "Schedule"]
        events = self.api.send_events(
            [
                {"event_name": name, "user_data": {"em": f"{index}@example.com"}}
                for index, name in enumerate(names)
            ]
        )
        self.assertEqual(events.mapped("event_name"), names)
        self.assertEqual(len(set(events.ids)), 4)

    def test_a_transaction_makes_one_job_however_many_events_it_records(self):
        for number in range(5):
            self.record(event_id=str(number))
        self.jobs.assert_jobs_count(1)

    def test_switched_off_records_nothing(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertFalse(self.record())
        self.assertFalse(self.record(raise_on_error=True))

    def test_unconfigured_warns_once_and_records_nothing(self):
        self.parameters.search([("key", "=", "meta_capi.pixel_id")]).unlink()
        with self.assertLogs("meta.conversions.api", "WARNING") as log:
            self.assertFalse(self.record())
            self.assertFalse(self.record())
        self.assertEqual(len(log.output), 1)
        with self.assertRaises(UserError):
            self.record(raise_on_error=True)

    def test_invalid_raises_where_it_is_asked_for(self):
        with self.assertRaisesRegex(UserError, "custom_data.value"):
            self.record(event_name="Purchase", raise_on_error=True)

    def test_a_salesperson_records_without_any_right_on_the_log(self):
        salesperson = new_test_user(
            self.env, "seller", groups="sales_team.group_sale_salesman"
        )
        event = self.api.with_user(salesperson).send_event(
            "Lead", user_data={"em": "a@example.com"}
        )
        self.assertEqual(event.sudo().state, "pending")

    def test_what_only_some_sources_have_is_stored_sent_and_shown(self):
        for arguments in (
            {
                "action_source": "app",
                "app_data": {
                    "advertiser_tracking_enabled": False,
                    "extinfo": ["i2", "", "", "", "17.1", *[""] * 11],
                },
            },
            {
                "event_name": "LeadSubmitted",
                "action_source": "business_messaging",
                "messaging_channel": "whatsapp",
                "customer_segmentation": "new_customer_to_business",
            },
            {
                "event_name": "AppendAttribution",
                "original_event_data": {"event_name": "Purchase", "order_id": "S1"},
                "attribution_data": {"ad_id": "7", "attribution_share": 0.5},
            },
        ):
            with self.subTest(arguments=arguments):
                event = self.record(**arguments)
                self.assertEqual(event.state, "pending")
                for name, value in arguments.items():
                    self.assertEqual(event[name], value)
                    self.assertEqual(json.loads(event.payload)[name], value)
                self.deliver()
                sent = self.graph.events[-1].event
                self.assertEqual(sent, json.loads(event.payload))

    def test_what_tells_of_a_device_is_forgotten_with_its_person(self):
        arguments = {
            "user_data": {"em": "jane@example.com"},
            "app_data": {"vendor_id": "device-1"},
            "attribution_data": {"auditing_token": "token-1"},
        }
        event = self.record(origin=self.customer, **arguments)
        self.assertTrue(event.app_data)
        self.customer.unlink()
        self.assertFalse(event.app_data)
        self.assertFalse(event.attribution_data)
        self.customer = self.customer.create({"name": "Joe", "meta_capi_opt_out": True})
        event = self.record(origin=self.customer, **arguments)
        self.assertEqual(event.state, "cancelled")
        self.assertFalse(event.app_data or event.attribution_data)

    def test_what_an_event_can_do_without_makes_it_weak(self):
        event = self.record(
            event_time=False,
            user_data={"em": "jane@example.com", "email_hash": "x", "ph": b"1"},
            custom_data={
                "value": "12.50 €",
                "currency": "EUR",
                "num_items": 2.5,
                "search_string": 42,
                "content_category": ["a", "b"],
                "content_ids": '["a","b"]',
            },
        )
        self.assertEqual(event.state, "pending")
        self.assertEqual(
            event.custom_data,
            {
                "value": 12.5,
                "currency": "EUR",
                "search_string": "42",
                "content_ids": ["a", "b"],
            },
        )
        for field in (
            "user_data.email_hash",
            "user_data.ph",
            "custom_data.num_items",
            "custom_data.content_category",
        ):
            self.assertRegex(event.weakness, rf"(?m)^{field}: .*left out")
