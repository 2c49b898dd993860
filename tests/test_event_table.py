"""Which events each statement of the outbox takes, and what it leaves on them."""

import itertools
import json
import threading
import time
from dataclasses import replace
from datetime import datetime
from unittest.mock import Mock, patch

from psycopg2.errors import LockNotAvailable

from odoo.exceptions import MissingError
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL, mute_logger

from ..capi.answer import Answer
from ..capi.const import DAY
from ..capi.graph_errors import Outcome
from ..capi.schedule import window_closes_at
from ..capi.states import (
    CANCELLED,
    FAILED,
    PENDING,
    SENT,
    Change,
    History,
    Order,
    Pixel,
    Plan,
    Wake,
    is_woken,
)
from ..models.outbox.event_table import EventTable, to_datetime
from ..models.outbox.pixel_outbox import PixelOutbox
from .common import FBC, FBP, MetaCapiCase, set_values
from .test_outbox import PREFIX, PostgresStore

NOW = int(time.time())
STATES = (PENDING, SENT, FAILED, CANCELLED)
OTHER = "2222222222"
# What deliveries have left on an event, none of it what a new one begins with.
FORMER = {
    **{"attempt_count": 7, "unknown_count": 3, "isolation_part": 5},
    **{"first_refusal_id": 6, "cause": "value", "error_message": "No"},
    **{"http_status": 400, "fbtrace_id": "A", "error_code": 100, "error_subcode": 1},
    "next_attempt_at": to_datetime(NOW + DAY),
}


class TableCase(MetaCapiCase):
    def setUp(self):
        super().setUp()
        self.table = EventTable(self.env)

    def event(self, **values):
        event = self.record()
        set_values(event, **values)
        return event

    def in_each_state(self, **values):
        """Return an event in each state, by state."""
        return {state: self.event(state=state, **values) for state in STATES}


@tagged("post_install", "-at_install")
class TestTaken(TableCase):
    """Which events are taken."""

    def test_only_what_is_in_a_wanted_state_is_locked(self):
        events = self.in_each_state()
        ids = [event.id for event in events.values()]
        for wanted in ((PENDING,), (FAILED,), (PENDING, FAILED)):
            with self.subTest(wanted):
                locked = self.table.lock(ids, *wanted)
                self.assertEqual(set(locked), {events[state].id for state in wanted})

    def test_what_could_be_sent_is_found_by_each_cookie_and_by_who_is_logged_in(self):
        someone = self.customer.copy()
        website = {"action_source": "website", "partner_id": someone.id}
        for name, values, cookies in (
            ("fbp", {"user_data": {"fbp": FBP}}, (FBP, None, None)),
            ("fbc", {"user_data": {"fbc": FBC}}, (None, FBC, None)),
            ("customer", website, (None, None, someone.id)),
        ):
            given = {
                key: json.dumps(value) if key == "user_data" else value
                for key, value in values.items()
            }
            events = self.in_each_state(**given)
            with self.subTest(name):
                expected = [events[state].id for state in (PENDING, FAILED)]
                self.assertEqual(self.table.lock_of_visitor(*cookies), expected)

    def test_nothing_of_another_visitor_or_from_elsewhere_is_found(self):
        set_values(self.record(), user_data=json.dumps({"fbp": FBC, "fbc": FBP}))
        self.event(action_source="physical_store", partner_id=self.customer.id)
        self.event(action_source="website")
        found = self.table.lock_of_visitor(FBP, FBC, self.customer.id)
        self.assertEqual(found, [])
        self.assertEqual(self.table.lock_of_visitor(None, None, None), [])

    def test_the_browser_is_noted_to_have_sent_what_waits_for_its_pixel(self):
        events = self.in_each_state(event_name="AddToCart")
        for state, event in events.items():
            set_values(event, event_id=state)
        others = (
            self.event(event_name="AddToCart", event_id=PENDING, pixel_id=OTHER),
            self.event(event_name="ViewContent", event_id=PENDING),
            self.event(event_name="AddToCart", event_id="another"),
        )
        self.table.note_twins(self.pixel_id, [("AddToCart", id_) for id_ in STATES])
        noted = [event.browser_twin for event in (*events.values(), *others)]
        self.assertEqual(noted, [True, False, False, False, False, False, False])

    def test_the_one_event_of_a_record_is_found_wherever_it_went(self):
        natural = {"res_model": "sale.order", "res_id": 7, "event_id": "natural"}
        for number, others in enumerate(
            (
                {"res_model": "account.move"},
                {"res_id": 8},
                {"event_id": "another"},
                {"event_name": "Contact"},
                {"is_copy": True},
            )
        ):
            self.event(**{**natural, "pixel_id": f"333333333{number}", **others})
        key = ("sale.order", 7, "Lead", "natural")
        self.assertIsNone(self.table.pixel_of_natural(*key, self.pixel_id))
        self.event(**natural, pixel_id=OTHER)
        self.assertEqual(self.table.pixel_of_natural(*key, self.pixel_id), OTHER)
        # Copies were not marked at first: they have come after what they are copies of.
        self.event(**natural, pixel_id="1111111111")
        self.env.cr.execute(
            "UPDATE meta_capi_event SET cause = 'off' WHERE pixel_id = %s", [OTHER]
        )
        self.assertEqual(self.table.pixel_of_natural(*key, self.pixel_id), OTHER)
        self.assertEqual(self.table.pixel_of_natural(*key, "1111111111"), "1111111111")

    def test_an_event_is_found_by_pixel_name_and_id(self):
        self.event(event_id="1", pixel_id=OTHER)
        self.event(event_id="1", event_name="Contact")
        self.event(event_id="2")
        self.assertIsNone(self.table.find((self.pixel_id, "Lead", "1")))
        event = self.event(event_id="1")
        self.assertEqual(self.table.find((self.pixel_id, "Lead", "1")), event.id)

    def test_only_an_event_of_the_same_name_and_id_is_there_already(self):
        wanted = self.event(event_id="wanted")
        moved = (wanted, self.event(), self.event())
        self.event(pixel_id=OTHER, event_name="Contact", event_id="wanted")
        movable = self.table.movable([event.id for event in moved], OTHER)
        self.assertEqual(set(movable), {event.id for event in moved})
        self.event(pixel_id=OTHER, event_id="wanted")
        movable = self.table.movable([event.id for event in moved], OTHER)
        self.assertEqual(set(movable), {event.id for event in moved[1:]})

    def test_a_copy_and_what_is_over_are_not_moved(self):
        self.assertFalse(self.table.movable(self.event(is_copy=True).ids, OTHER))
        events = self.in_each_state()
        ids = [event.id for event in events.values()]
        self.assertEqual(self.table.movable(ids, OTHER), events[PENDING].ids)

    def test_an_event_of_a_store_has_longer(self):
        age = to_datetime(NOW - 8 * DAY)
        store = self.event(event_time=age, action_source="physical_store")
        website = self.event(event_time=age, action_source="website")
        self.table.expire_overdue(NOW)
        self.assertEqual((store.state, website.state), (PENDING, FAILED))
        self.table.expire_overdue(NOW + 54 * DAY)
        self.assertEqual(store.state, FAILED)

    def test_an_event_expires_in_the_second_in_which_its_window_closes(self):
        event = self.event(event_time=to_datetime(NOW))
        closes_at = window_closes_at(NOW, "website")
        self.table.expire_overdue(closes_at - 1)
        self.assertEqual(event.state, PENDING)
        self.table.expire_overdue(closes_at)
        self.assertEqual(event.state, FAILED)

    def test_somebody_is_forgotten_with_what_is_about_him_and_nothing_else(self):
        partner_id = self.customer.id
        carrying = self.event(
            partner_id=partner_id, res_model="sale.order", res_id=partner_id
        )
        about = self.event(res_model="res.partner", res_id=partner_id)
        others = (
            self.event(res_model="sale.order", res_id=partner_id),
            self.event(res_model="res.partner", res_id=partner_id + 1),
        )
        documents = self.table.forget_partners([partner_id], "deleted", "Deleted")
        self.assertEqual(
            documents, {("sale.order", partner_id), ("res.partner", partner_id)}
        )
        for event, res_id in ((carrying, partner_id), (about, 0)):
            self.assertEqual((event.state, event.res_id), (CANCELLED, res_id))
            self.assertFalse(event.user_data or event.partner_id)
        for event in others:
            self.assertEqual(event.state, PENDING)
            self.assertTrue(event.user_data and event.res_id)

    def test_no_event_is_counted_twice_when_some_are_named_twice(self):
        event = self.event()
        with self.assertNoLogs("meta.conversions.api"):
            self.table.transition(event.ids * 2, SENT)


@tagged("post_install", "-at_install")
class TestRetentionSlices(TableCase):
    """A run of the retention takes so many, and the next one goes on."""

    def setUp(self):
        super().setUp()
        ages = (300, 500, 400)
        self.events = [
            self.event(state=SENT, create_date=to_datetime(NOW - age * DAY))
            for age in ages
        ]
        self.before = to_datetime(NOW - 200 * DAY)

    def test_personal_data_is_deleted_slice_by_slice(self):
        for left in (1, 0):
            self.table.forget_old(2, before=self.before)
            with_data = [event for event in self.events if event.user_data]
            self.assertEqual(len(with_data), left)

    def test_nothing_that_leads_to_a_person_is_left(self):
        event = self.events[0]
        personal = {
            "user_data": json.dumps({"em": "a" * 64}),
            "event_source_url": "https://shop.example.com/jane",
            "referrer_url": "https://shop.example.com/jane",
            "app_data": json.dumps({"extinfo": ["a2"]}),
            "attribution_data": json.dumps({"ad_id": "1"}),
            "partner_id": self.customer.id,
        }
        set_values(event, **personal)
        self.assertTrue(all(event[name] for name in personal))
        self.table.forget_old(10, before=self.before)
        self.assertFalse(any(event[name] for name in personal))

    def test_the_oldest_are_purged_first(self):
        young, oldest, old = self.events
        # An index would bring them in this order unasked.
        self.env.cr.execute(
            "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off"
        )
        for left in ([young, old], [young], []):
            self.table.purge(1, before=self.before)
            self.assertEqual([e for e in self.events if e.exists()], left)

    def test_a_slice_tells_where_the_next_one_begins(self):
        ages = (500, 400, 300)
        for age in ages:
            started_at = to_datetime(NOW - age * DAY)
            values = {"pixel_id": self.pixel_id, "started_at": started_at}
            self.env["meta.capi.attempt"].create(values)
        self.env.flush_all()
        for way in (
            self.table.forget_old,
            self.table.purge,
            self.table.purge_requests,
        ):
            with self.subTest(way=way.__name__):
                since = way(2, before=self.before)
                self.assertEqual(since, to_datetime(NOW - ages[1] * DAY))
                # Nothing but what is left is looked at.
                after = to_datetime(NOW - 299 * DAY)
                self.assertIsNone(way(1, after, before=self.before))
                self.assertIsNotNone(way(1, since, before=self.before))
                self.assertIsNone(way(1, since, before=self.before))

    def test_the_log_remembers_nothing_but_what_happens_once(self):
        once = {"happens_once": True, "event_id": "once"}
        self.event(**once)
        events = self.env["meta.capi.event"].search([])
        # A copy may be older than what tells copies from the others.
        events |= self.event(**once, pixel_id=OTHER)
        set_values(events, state=SENT, create_date=to_datetime(NOW - 900 * DAY))
        self.table.purge(10, before=self.before)
        remembered = self.env["meta.capi.once"].search([])
        self.assertEqual(remembered.mapped("event_id"), ["once"])

    def test_a_request_goes_when_it_is_old_and_the_last_of_its_events_is_gone(self):
        begin = self.env["meta.capi.attempt"]._begin
        long_ago = to_datetime(NOW - 300 * DAY)
        event, other = self.events[:2]
        waiting = self.event(create_date=long_ago)
        shared = begin(self.pixel_id, [event.id, waiting.id], long_ago)
        recent = begin(self.pixel_id, [event.id], to_datetime(NOW))
        old = begin(self.pixel_id, [event.id, other.id], long_ago)
        # They are read from what is kept in memory, if that is not put away.
        self.assertTrue(event.state and old.event_count)
        self.table.purge(10, before=self.before)
        self.table.purge_requests(10, before=self.before)
        self.assertTrue(self.is_gone(event, "state"))
        self.assertTrue(self.is_gone(old, "event_count"))
        self.assertEqual((shared + recent + old).exists(), shared + recent)

    def is_gone(self, record, name):
        """Tell whether a field cannot be read; ``assertRaises`` empties the memory."""
        try:
            return record[name] and False
        except MissingError:
            return True


@tagged("post_install", "-at_install")
class TestCopies(TableCase):
    """What tells that Meta may have an event."""

    def test_the_browser_s_purchase_is_a_copy_of_the_server_s_and_of_nothing_else(self):
        order = self.order()
        about = {"res_model": order._name, "res_id": order.id}
        purchase = self.event(event_name="Purchase", **about)
        other = self.event(event_name="Contact", **about)
        ids = [purchase.id, other.id]
        order._meta_capi_hand_out_purchase()
        self.assertEqual(self.table.first_copies(ids), {})
        self.env["meta.capi.browser"]._note_purchase_sent(order)
        self.assertEqual(self.table.first_copies(ids).keys(), {purchase.id})


@tagged("post_install", "-at_install")
class TestPixelRow(TableCase):
    """What a delivery reads of its pixel."""

    def setUp(self):
        super().setUp()
        self.pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        self.outbox = self.pixel._outbox(self.pixel_id)

    def read(self, **values):
        self.pixel.write(values)
        self.env.flush_all()
        return self.outbox.pixel()

    def test_its_state_tells_whether_it_is_stopped_whatever_else_is_left(self):
        self.assertTrue(self.read(state="stopped", stopped_at=False).is_stopped)
        self.assertFalse(
            self.read(state="running", stopped_at=to_datetime(NOW)).is_stopped
        )

    def test_what_meta_said_is_kept_with_a_pixel_that_has_trouble_and_with_no_other(
        self,
    ):
        answer = Answer(Outcome.REFUSED, error_code=100, error_message="Invalid")
        self.pixel.write({"write_date": "2020-01-01"})
        for cause, message in (("token_expired", "Invalid"), (None, False)):
            written = Pixel(cause=cause)
            self.outbox.write_pixel(written, None, NOW, answer)
            with self.subTest(cause):
                self.assertEqual(self.outbox.pixel(), written)
                self.assertEqual(self.pixel.error_message, message)
                self.assertEqual(self.pixel.write_date, to_datetime(NOW))

    def test_a_doubt_goes_with_the_event_that_it_is_about(self):
        for state, event in self.in_each_state().items():
            doubt = {"event_id": event.id, "error_code": 100, "error_subcode": None}
            with self.subTest(state):
                found = self.read(doubt=doubt).doubt
                self.assertEqual(
                    found and found.event_id, state == PENDING and event.id or None
                )

    def test_a_probe_is_made_of_a_stopped_pixel_whose_time_has_come(self):
        for state, at, is_made in (
            ("stopped", NOW, True),
            ("stopped", NOW + 1, False),
            ("stopped", None, False),
            ("running", NOW, False),
        ):
            self.read(state=state, next_probe_at=to_datetime(at))
            with self.subTest(state=state, at=at):
                self.assertEqual(self.outbox.take_probe(NOW), is_made)


@tagged("post_install", "-at_install")
class TestClaim(TableCase):
    """Which events go into one request, and in which order."""

    def setUp(self):
        super().setUp()
        self.outbox = self.env["meta.capi.pixel"]._outbox(self.pixel_id)

    def due(self, **values):
        return self.event(**{"next_attempt_at": to_datetime(NOW), **values})

    def claim(self, limit=10, order=Order.OLDEST, chosen=None):
        batch, more = self.outbox.claim(Plan(limit, order), NOW, chosen)
        return [claimed.id for claimed in batch], more

    def test_what_waits_for_this_pixel_is_claimed_when_it_is_due(self):
        due = to_datetime(NOW)
        events = self.in_each_state(next_attempt_at=due)
        self.due(next_attempt_at=to_datetime(NOW + 1))
        self.due(pixel_id=OTHER)
        self.assertEqual(self.claim(), (events[PENDING].ids, False))

    def test_what_a_person_chose_is_claimed_due_or_not_and_nothing_else(self):
        later = to_datetime(NOW + 3600)
        events = self.in_each_state(next_attempt_at=later)
        self.due()
        chosen = [event.id for event in events.values()]
        self.assertEqual(self.claim(chosen=chosen), (events[PENDING].ids, False))
        self.assertEqual(self.claim(chosen=[]), ([], False))

    def test_a_request_has_one_test_code_and_one_part(self):
        kinds = list(itertools.product((None, "TEST1", "TEST2"), (None, 1, 2)))
        groups = [
            [
                self.due(test_event_code=code, isolation_part=part).id
                for _number in range(3)
            ]
            for code, part in kinds
        ]
        everything = self.env["meta.capi.event"].browse(sum(groups, []))
        for group, kind in zip(groups, kinds, strict=True):
            set_values(everything, event_time=to_datetime(NOW - 5))
            first = self.env["meta.capi.event"].browse(group[1])
            set_values(first, event_time=to_datetime(NOW - 9))
            with self.subTest(kind):
                expected = [group[1], group[0], group[2]]
                self.assertEqual(self.claim(), (expected, True))

    def test_zero_and_no_are_told_and_nothing_is_not(self):
        self.due(
            opt_out=False,
            data_processing_options=json.dumps([]),
            data_processing_options_country=0,
            data_processing_options_state=0,
            referrer_url=None,
        )
        ((claimed,), _more) = self.outbox.claim(Plan(1), NOW, None)
        told = json.loads(claimed.body)
        self.assertIs(told["opt_out"], False)
        self.assertEqual(told["data_processing_options"], [])
        self.assertEqual(told["data_processing_options_country"], 0)
        self.assertEqual(told["data_processing_options_state"], 0)
        self.assertNotIn("referrer_url", told)

    def test_others_that_may_be_due_are_told_of(self):
        for _number in range(3):
            self.due()
        # Whether there is anything behind a full request, the next claim tells.
        for limit, more in ((1, True), (2, True), (3, True), (4, False)):
            claimed, is_any_left = self.claim(limit)
            self.assertEqual((len(claimed), is_any_left), (min(limit, 3), more))

    def test_each_order_has_its_first(self):
        a, b, c, d = (
            self.due(
                attempt_count=tries,
                event_time=to_datetime(NOW - age),
                next_attempt_at=to_datetime(NOW - waits),
            ).id
            for tries, age, waits in ((1, 30, 1), (0, 20, 3), (0, 10, 2), (0, 10, 2))
        )
        for order, expected in (
            (Order.OLDEST, [a, b, c, d]),
            (Order.LEAST_TRIED, [d, c, b, a]),
            (Order.LONGEST_DUE, [b, d, c, a]),
        ):
            with self.subTest(order):
                self.assertEqual(self.claim(order=order), (expected, False))


@tagged("post_install", "-at_install")
class TestHistory(TableCase):
    """What the log tells of earlier requests."""

    def setUp(self):
        super().setUp()
        self.outbox = self.env["meta.capi.pixel"]._outbox(self.pixel_id)

    def request(self, events, outcome=None, pixel_id=None, at=NOW):
        attempt = self.env["meta.capi.attempt"]._begin(
            pixel_id or self.pixel_id, events.ids, to_datetime(at)
        )
        attempt.outcome = outcome
        self.env.flush_all()
        if outcome:
            carried_by = SQL("array_append(carried_by, %s)", attempt.id)
            self.table.set_values(events.ids, carried_by=carried_by)
        return attempt.id

    def test_the_last_success_before_a_request_vouches_for_its_pixel(self):
        event, other = self.event(), self.event()
        now = self.outbox.history(Mock(id=event.id, first_refusal_id=1), 10**9)
        self.assertEqual(now, History())
        self.request(other, "accepted", at=NOW - 9)
        last = self.request(other, "accepted", at=NOW - 5)
        self.request(other, "transient")
        self.request(other, "accepted", OTHER)
        attempt_id = self.request(event)
        self.request(other, "accepted")
        found = self.outbox.history(Mock(id=event.id, first_refusal_id=1), attempt_id)
        self.assertEqual(found, History(last, NOW - 5, None))

    def test_an_event_was_refused_alone_since_its_first_refusal(self):
        event, other = self.event(), self.event()
        self.request(event, "ambiguous")  # in a former life
        first = self.request(event + other, "ambiguous")
        self.request(other, "ambiguous")
        self.request(event, "transient")
        alone = self.request(event, "ambiguous")
        self.request(event, "ambiguous")
        attempt_id = self.request(event, "ambiguous")
        claimed = Mock(id=event.id, first_refusal_id=first)
        found = self.outbox.history(claimed, attempt_id)
        self.assertEqual(found.refused_alone_id, alone)
        self.assertIsNone(self.outbox.history(claimed, alone).refused_alone_id)


@tagged("post_install", "-at_install")
class TestWoken(TableCase):
    """Which waiting events a success makes due: see ``capi.states.is_woken``."""

    def setUp(self):
        super().setUp()
        self.env["meta.capi.pixel"]._get(self.pixel_id)
        self.outbox = self.env["meta.capi.pixel"]._outbox(self.pixel_id)
        self.later = to_datetime(NOW + 3600)

    def waiting(self, **values):
        return self.event(**{"next_attempt_at": self.later, **values})

    def woken(self, events, wake):
        self.assertTrue(all(event.next_attempt_at for event in events))
        self.outbox.write_pixel(Pixel(), wake, NOW)
        due = to_datetime(NOW)
        return [event.next_attempt_at == due for event in events]

    def test_an_event_is_woken_by_its_part_its_answers_and_when_it_was_tried(self):
        since = NOW - 600
        events, stories = [], []
        for size, unknown, refusal, tried_at in itertools.product(
            (0, 1, 2), (0, 1), (None, 6), (since - 1, since, since + 1)
        ):
            part = len(events) + 1 if size else None
            events += [
                self.waiting(
                    isolation_part=part,
                    unknown_count=unknown,
                    first_refusal_id=refusal,
                    write_date=to_datetime(tried_at),
                )
                for _number in range(size or 1)
            ]
            story = {
                **{"isolation_part": part, "part_size": size, "unknown_count": unknown},
                **{"first_refusal_id": refusal, "tried_at": tried_at},
            }
            stories += [story] * (size or 1)
        for wake in (Wake(failing_since=since), Wake(), Wake(everything=True)):
            with self.subTest(wake), self.env.cr.savepoint() as step:
                expected = [is_woken(wake, **story) for story in stories]
                self.assertEqual(self.woken(events, wake), expected)
                step.rollback()
                self.env.invalidate_all()

    def test_the_only_one_that_waits_is_woken(self):
        self.assertEqual(self.woken([self.waiting()], Wake()), [True])

    def test_only_what_waits_for_this_pixel_is_woken(self):
        soon = to_datetime(NOW - 5)
        events = [
            self.waiting(),
            self.waiting(pixel_id=OTHER),
            self.waiting(state=FAILED),
            self.waiting(next_attempt_at=soon),
        ]
        woken = self.woken(events, Wake(everything=True))
        self.assertEqual(woken, [True, False, False, False])
        self.assertEqual(events[-1].next_attempt_at, soon)

    def test_a_part_goes_on_in_halves_the_older_first_and_a_single_event_as_it_is(self):
        # The last ones recorded are the oldest.
        events = [
            self.waiting(isolation_part=1, event_time=to_datetime(NOW - number))
            for number in range(5)
        ]
        alone = self.waiting(isolation_part=2, first_refusal_id=6)
        free = self.waiting()
        self.woken([], Wake(failing_since=NOW))
        young, old = events[0].id, events[2].id
        parts = [event.isolation_part for event in (*events, alone, free)]
        self.assertEqual(parts, [young, young, old, old, old, 2, 0])

    def test_of_the_same_second_those_recorded_first_are_older(self):
        events = [
            self.waiting(isolation_part=1, event_time=to_datetime(NOW))
            for _number in range(3)
        ]
        set_values(events[0], event_name="Contact")
        self.woken([], Wake(failing_since=NOW))
        first, _second, last = (event.id for event in events)
        self.assertEqual([e.isolation_part for e in events], [first, first, last])

    def test_where_everything_is_woken_parts_stay_as_they_are(self):
        events = [self.waiting(isolation_part=1) for _number in range(4)]
        self.assertTrue(all(self.woken(events, Wake(everything=True))))
        self.assertEqual({event.isolation_part for event in events}, {1})


@tagged("post_install", "-at_install")
class TestLeft(TableCase):
    """What is left on an event."""

    def assert_fresh(self, event, due_at):
        told = {name: event[name] for name in FORMER}
        expected = dict.fromkeys(FORMER, False)
        expected.update({name: 0 for name, old in FORMER.items() if type(old) is int})
        expected["next_attempt_at"] = to_datetime(due_at)
        self.assertEqual(told, expected)

    def test_nothing_of_the_former_life_counts_for_a_retried_one(self):
        event = self.event(state=FAILED, failure_reason="invalid", **FORMER)
        self.table.retry(event.ids, NOW)
        self.assertFalse(event.failure_reason)
        self.assert_fresh(event, NOW)

    def test_what_another_pixel_was_answered_does_not_count_for_a_moved_one(self):
        event = self.event(**FORMER)
        self.assertEqual(self.table.move(event.ids, OTHER, NOW), event.ids)
        self.assertEqual(event.pixel_id, OTHER)
        self.assert_fresh(event, NOW)

    def test_an_answer_leaves_what_was_decided_and_what_meta_said(self):
        names = (
            *("state", "failure_reason", "cause", "next_attempt_at", "isolation_part"),
            *("first_refusal_id", "attempt_count", "unknown_count", "sent_at"),
        )
        now, later = to_datetime(NOW), to_datetime(NOW + 60)
        said = {
            **{"http_status": 500, "fbtrace_id": "T", "error_code": 9},
            **{"error_subcode": 8, "error_message": "Alas"},
        }
        answer = Answer(Outcome.UNKNOWN, body="{}", **said)
        for change, expected in (
            (
                Change((), PENDING, None, "off", NOW + 60, 3, 4, True, True),
                (PENDING, False, "off", later, 3, 4, 8, 4, False),
            ),
            (
                Change((), PENDING),
                (PENDING, False, False, False, 0, 0, 7, 3, False),
            ),
            (
                Change((), FAILED, "invalid", "currency"),
                (FAILED, "invalid", "currency", False, 0, 0, 7, 3, False),
            ),
            (
                Change((), SENT, counts=True),
                (SENT, False, False, False, 0, 0, 8, 3, now),
            ),
        ):
            event = self.event(**FORMER, write_date="2020-01-01")
            outbox = self.env["meta.capi.pixel"]._outbox(self.pixel_id)
            with self.subTest(change):
                outbox.settle([replace(change, ids=(event.id,))], None, NOW)
                self.assertEqual(tuple(event[name] for name in names), expected)
                self.assertEqual((event.error_message, event.write_date), ("No", now))
                if change.state == PENDING:
                    outbox.settle([replace(change, ids=(event.id,))], answer, NOW)
                    self.assertEqual({name: event[name] for name in said}, said)

    def test_a_row_tells_who_changed_it_last_and_when(self):
        user = self.env.ref("base.user_admin")
        event = self.event(write_date="2020-01-01")
        EventTable(self.env(user=user)).cancel(event.ids, "cancelled_by_hand", "No")
        event.invalidate_recordset()
        self.assertEqual(event.write_uid, user)
        self.assertGreater(event.write_date, to_datetime(NOW - DAY))

    def test_what_is_over_waits_for_nothing_and_belongs_to_no_part(self):
        for name, values, end in (
            (
                "cancelled",
                {"state": FAILED, "failure_reason": "exhausted"},
                lambda event: self.table.cancel(event.ids, "objection", "No"),
            ),
            (
                "expired",
                {"event_time": to_datetime(NOW - 400 * DAY)},
                lambda event: self.table.expire_overdue(NOW),
            ),
        ):
            event = self.event(**{**FORMER, **values})
            with self.subTest(name):
                end(event)
                self.assertFalse(event.next_attempt_at or event.isolation_part)
        self.assertEqual((event.failure_reason, event.cause), ("expired", "expired"))


@tagged("post_install", "-at_install")
class TestLocks(TransactionCase):
    """What transactions that go on at once do to each other's events."""

    def setUp(self):
        super().setUp()
        self.store = PostgresStore(self.registry)
        self.addCleanup(self.store.clear)
        for key in ("held", "free"):
            self.store.add(key, "1", None, NOW, "website", NOW, None, 400)
        rows = self.store.pending()
        self.held, self.free = ids = [row.id for row in rows]
        with self.store.table() as table:
            # Of a visitor, told of by the browser alone.
            user_data = json.dumps({"fbp": PREFIX})
            table.set_values(ids, user_data=user_data, is_from_browser=True)
        keys = [("Lead", row.key) for row in rows]
        self.ways = {
            "lock": lambda table: table.lock(ids, PENDING),
            "lock_replaceable": lambda table: [
                id_ for id_ in ids if table.lock_replaceable(id_, by_browser=False)
            ],
            "lock_of_visitor": lambda table: table.lock_of_visitor(PREFIX, None, None),
            "movable": lambda table: table.movable(ids, PREFIX + "2", lock=True),
            "note_twins": lambda table: table.note_twins(PREFIX + "1", keys),
            "expire_overdue": lambda table: table.expire_overdue(NOW + 8 * DAY),
            "_wake": lambda table: PixelOutbox(
                table.env, PREFIX + "1", self.store.cursor
            )._wake(Wake(everything=True), NOW - 1),
        }

    def table(self):
        return self.store.table()

    def hurry(self, table):
        """Have a statement fail that would wait for another transaction."""
        table.cr.execute("SET LOCAL lock_timeout = '1s'")

    def test_what_one_holds_the_others_pass_over(self):
        for name, way in self.ways.items():
            with self.subTest(name), self.table() as first:
                self.assertEqual(first.lock([self.held], PENDING), [self.held])
                with self.table() as second:
                    self.hurry(second)
                    taken = way(second)
                    if taken is not None:
                        self.assertEqual(taken, [self.free])
                    with self.table() as third:
                        self.assertEqual(third.lock([self.free], PENDING), [])
                    second.cr.rollback()

    def test_the_retention_leaves_what_somebody_holds_to_its_next_run(self):
        ids, before = [self.held, self.free], to_datetime(NOW + DAY)
        for way, left in (
            (EventTable.forget_old, {self.free: (FAILED, None)}),
            (EventTable.purge, {}),
        ):
            with self.subTest(way=way.__name__):
                with self.table() as table:
                    table.set_values(
                        ids, state=FAILED, user_data=json.dumps({"em": "kept"})
                    )
                with self.table() as first:
                    first.lock([self.held], FAILED)
                    with self.table() as second:
                        self.hurry(second)
                        way(second, 10, before=before)
                    # It is tried again, and then is none of the finished ones.
                    first.retry([self.held], NOW)
                with self.table() as table:
                    way(table, 10, before=before)
                    table.cr.execute(
                        SQL(
                            "SELECT id, state, user_data ->> 'em' FROM meta_capi_event"
                            " WHERE id = ANY(%s)",
                            ids,
                        )
                    )
                    found = {row[0]: row[1:] for row in table.cr.fetchall()}
                self.assertEqual(found, {self.held: (PENDING, "kept"), **left})

    def test_to_merge_documents_waits_for_nothing_that_is_being_sent(self):
        merged = self.env.ref("base.partner_admin")
        kept = self.env.ref("base.main_partner")
        ids = [self.held, self.free]
        with self.table() as table:
            table.set_values(ids, res_model="res.partner", res_id=merged.id)
        with self.table() as first:
            first.lock([self.held], PENDING)
            with self.table() as second:
                self.hurry(second)
                second.take_over(kept, merged)
        with self.store.cursor() as cr:
            cr.execute(
                SQL("SELECT id, res_id FROM meta_capi_event WHERE id = ANY(%s)", ids)
            )
            found = dict(cr.fetchall())
        self.assertEqual(found, {self.held: merged.id, self.free: kept.id})

    def test_to_forget_somebody_waits_for_what_is_being_sent(self):
        partner = self.env.ref("base.partner_admin")
        with self.table() as table:
            table.set_values([self.held], res_model="res.partner", res_id=partner.id)
        with self.table() as first:
            first.lock([self.held], PENDING)
            with self.table() as second, mute_logger("odoo.sql_db"):
                self.hurry(second)
                with self.assertRaises(LockNotAvailable):
                    second.forget_partners(partner.ids, "deleted", "Deleted")
                second.cr.rollback()

    def test_what_is_sent_just_then_stays_sent_when_its_person_is_forgotten(self):
        partner_id = self.env.ref("base.partner_admin").id
        with self.table() as table:
            table.set_values([self.held], partner_id=partner_id)

        # Both are opened here: in another thread Odoo waits for the registry's lock,
        # which is held while tests run.
        with (
            self.assertNoLogs("meta.conversions.api"),
            self.table() as second,
        ):
            thread = threading.Thread(
                target=second.forget_partners,
                args=([partner_id], "deleted", "Deleted"),
            )
            with self.table() as first:
                first.lock([self.held], PENDING)
                thread.start()
                self.until_waiting([second.cr.connection.get_backend_pid()])
                first.transition([self.held], SENT)
            thread.join()
        row, _free = self.store.rows(SQL("id IN %s", (self.held, self.free)))
        self.assertEqual(row.state, SENT)

    def until_waiting(self, pids):
        """Return once a backend waits for a lock."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.05)
            with self.store.cursor() as cr:
                cr.execute(
                    "SELECT FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND pid = ANY(%s)",
                    [pids],
                )
                if cr.rowcount:
                    return
        self.fail("it does not wait")

    def test_a_claimed_event_may_be_written_about_meanwhile(self):
        with self.store.outbox("1") as outbox:
            batch, _more = outbox.claim(Plan(10, Order.OLDEST), NOW, None)
            with self.store.cursor() as cr:
                cr.execute("SET LOCAL lock_timeout = '1s'")
                attempts = self.env["meta.capi.attempt"].with_env(self.env(cr=cr))
                attempts._begin(PREFIX + "1", [c.id for c in batch], to_datetime(NOW))

    def test_what_does_not_fit_into_a_request_is_free_and_the_rest_is_held(self):
        for key in ("large", "larger", "too much"):
            self.store.add(key, "1", None, NOW, "website", NOW, None, 400_000)
        ids = [row.id for row in self.store.pending()]
        with self.store.outbox("1") as outbox:
            batch, more = outbox.claim(Plan(1000), NOW, None)
            self.assertEqual(([claimed.id for claimed in batch], more), (ids[:4], True))
            with self.table() as second:
                self.assertEqual(second.lock(ids, PENDING), ids[4:])

    def test_two_deliveries_decide_about_a_pixel_one_after_the_other(self):
        with self.store.outbox("1") as outbox:
            outbox.pixel()
            outbox.lock_pixel()
            with self.store.outbox("1") as second, mute_logger("odoo.sql_db"):
                self.hurry(second)
                with self.assertRaises(LockNotAvailable):
                    second.lock_pixel()
                second.cr.rollback()

    def test_a_pixel_seen_for_the_first_time_keeps_no_other_worker_waiting(self):
        with self.store.outbox("2") as first:
            first.pixel()
            with self.store.outbox("2") as second:
                self.hurry(second)
                second.pixel()
                second.lock_pixel()
        with self.store.cursor() as cr:
            cr.execute(
                SQL(
                    "SELECT count(*) FROM meta_capi_pixel WHERE pixel_id = %s",
                    PREFIX + "2",
                )
            )
            self.assertEqual(cr.fetchone(), (1,))

    def test_a_delivery_sees_what_others_commit_meanwhile(self):
        with self.env["meta.capi.job"]._delivery_cursor() as cr:
            cr.execute("SHOW transaction_isolation")
            self.assertEqual(cr.fetchone(), ("read committed",))

    def test_a_job_goes_on_with_the_registry_that_it_began_with(self):
        delivery = self.env["meta.capi.delivery"]
        for current, is_outdated in ((self.registry, False), (object(), True)):
            with patch.object(
                type(self.registry),
                "check_signaling",
                lambda registry, new=current: new,
            ):
                self.assertIs(delivery._is_registry_outdated(), is_outdated)

    def test_a_pixel_that_another_has_seen_since_we_began_is_no_error(self):
        with self.registry.cursor() as cr:
            cr.execute("SELECT")  # from now on it sees nothing new
            with self.store.outbox("2") as other:
                other.pixel()
            env = self.env(cr=cr)
            pixel = PixelOutbox(env, PREFIX + "2", self.store.cursor).pixel()
        self.assertEqual(pixel, Pixel())

    def test_of_two_workers_one_makes_the_probe(self):
        with self.store.outbox("1") as outbox:
            pixel = outbox.pixel()
        with self.store.cursor() as cr:
            cr.execute(
                SQL(
                    "UPDATE meta_capi_pixel SET state = 'stopped', stopped_at = %s,"
                    " next_probe_at = %s WHERE pixel_id = %s",
                    to_datetime(NOW - DAY),
                    to_datetime(NOW),
                    PREFIX + "1",
                )
            )
        self.assertFalse(pixel.is_stopped)
        with self.store.outbox("1") as first, self.store.outbox("1") as second:
            self.hurry(second)
            self.assertTrue(first.take_probe(NOW))
            self.assertFalse(second.take_probe(NOW))
            self.assertFalse(second.take_probe(NOW + 3599))
        with self.store.outbox("1") as third:
            self.assertTrue(third.take_probe(NOW + 3600))


@tagged("post_install", "-at_install")
class TestCarried(TableCase):
    """What tells which requests have carried an event."""

    def setUp(self):
        super().setUp()
        self.events = self.event() + self.event() + self.event()
        first, second, self.alone = self.events
        self.settled = self.attempt(first + second, outcome="transient")
        self.table.set_values((first + second).ids, carried_by=[self.settled.id])
        self.undecided = self.attempt(second)

    def attempt(self, events, outcome=None):
        now = datetime(2026, 1, 2, 3, 4, 5)
        attempt = self.env["meta.capi.attempt"]._begin(OTHER, events.ids, now)
        attempt.outcome = outcome
        attempt.flush_recordset()
        return attempt

    def test_an_event_tells_of_its_requests_the_last_one_first(self):
        first, second, alone = self.events
        self.assertEqual(first.attempt_ids, self.settled)
        self.assertEqual(second.attempt_ids.ids, [self.undecided.id, self.settled.id])
        self.assertFalse(alone.attempt_ids)

    def test_a_request_tells_of_its_events_that_are_still_there(self):
        first, second, _alone = self.events
        self.assertEqual(self.settled.event_ids, first + second)
        second.unlink()
        self.settled.invalidate_recordset()
        self.assertEqual(self.settled.event_ids, first)

    def test_an_event_tells_what_meta_said_last(self):
        first, second, alone = self.events
        said = {first: "1", second: "1", alone: False}
        self.settled.response = "1"
        self.undecided.response = "0"
        self.assertEqual({event: event.response for event in self.events}, said)
        self.assertEqual(self.events.search([("response", "=", "1")]), first + second)
        self.undecided.outcome = "accepted"
        self.undecided.flush_recordset()
        self.table.set_values(
            second.ids, carried_by=[self.settled.id, self.undecided.id]
        )
        self.assertEqual(second.response, "0")

    def test_both_are_found_by_the_other(self):
        first, second, alone = self.events
        both = self.settled + self.undecided
        for domain, found in (
            ([("attempt_ids", "in", self.settled.ids)], first + second),
            ([("attempt_ids", "=", self.undecided.id)], second),
            ([("attempt_ids", "not in", self.undecided.ids)], first + alone),
            ([("attempt_ids", "!=", self.undecided.id)], first + alone),
            ([("attempt_ids", "=", False)], alone),
            ([("attempt_ids", "!=", False)], first + second),
            ([("attempt_ids.outcome", "=", "transient")], first + second),
            ([("event_ids", "ilike", first.event_name)], both),
            ([("event_ids", "not ilike", first.event_name)], both.browse()),
            ([("event_ids", "in", first.ids)], self.settled),
            ([("event_ids", "not in", first.ids)], self.undecided),
            ([("event_ids", "=", False)], both.browse()),
            ([("event_ids.event_id", "=", second.event_id)], both),
        ):
            with self.subTest(domain=domain):
                side = self.events if "attempt" in domain[0][0] else both
                inside = [*domain, ("id", "in", side.ids)]
                self.assertEqual(side.search(inside, order="id"), found)
