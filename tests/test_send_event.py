import hashlib
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
