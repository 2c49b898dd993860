from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .counter import CounterCase
from .test_past import DAY, PastCase


@tagged("post_install", "-at_install", "apps")
class TestEarlierAtTheCounter(CounterCase, PastCase):
    """What was sold at the counter before it told Meta of its sales."""

    def sold_at_counter(self, days_ago, **values):
        """Return an order that was rung up so long ago, and told to nobody."""
        at = fields.Datetime.now() - timedelta(days=days_ago)
        self.store.is_on = False
        order = self.sell(at=at, **values)
        self.store.is_on = True
        return order

    def test_two_months_of_the_counter_are_sent_as_if_on_their_day(self):
        order = self.sold_at_counter(40, customer=self.customer)
        self.sold_at_counter(40)
        refunded = self.sold_at_counter(3, customer=self.customer)
        self.sell((self.product, -2, 100.0), customer=self.customer, refunds=refunded)
        self.sold_at_counter(63, customer=self.customer)
        self.sold(2)
        live = self.sell(customer=self.customer)
        backfill = self.counted(
            res_model="pos.order",
            since=fields.Datetime.now() - timedelta(days=70),
        )
        expected = {"too_old": 1, "not_due": 1, "on_record": 1}
        counts = self.counts(backfill)
        self.assertEqual(counts.pop("ready"), 2)
        self.assertEqual(counts, expected)
        backfill.action_send()
        self.work(backfill)
        self.assertEqual(self.counts(backfill), {**expected, "recorded": 2})
        self.deliver()
        told = {event["event_id"]: event for event in self.graph.offline_events()}
        self.assertEqual(len(told), 3)

        def event_of(order):
            event_id = order.sudo()._meta_capi_event_id("Purchase")
            event = dict(told[event_id])
            own = (event.pop("event_id"), event.pop("event_time"))
            order_id = event["custom_data"].pop("order_id")
            self.assertEqual(order_id, order.pos_reference or order.name)
            return own[1], event

        moment, event = event_of(order)
        self.assertEqual(event, event_of(live)[1])
        self.assertEqual(event["action_source"], "physical_store")
        age = (
            fields.Datetime.now() - fields.Datetime.from_string("1970-01-01")
        ).total_seconds() - moment
        self.assertAlmostEqual(age, 40 * DAY, delta=300)

    def test_the_window_of_the_counter_is_its_own(self):
        backfill = self.backfill(res_model="pos.order")
        age = (fields.Datetime.now() - backfill.since).total_seconds()
        self.assertAlmostEqual(age, 62 * DAY - 15 * 60, delta=60)
        self.assertIn("point of sale", backfill.rule)

    def test_a_counter_that_is_switched_off_has_nothing_to_send(self):
        self.sold_at_counter(3, customer=self.customer)
        self.store.is_on = False
        self.assertEqual(self.counts(self.counted(res_model="pos.order")), {})
