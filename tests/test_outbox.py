import contextlib
import json
import os
import re
import time
from pathlib import Path
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL, mute_logger

from ..capi.answer import Answer
from ..capi.client import encode
from ..capi.const import DAY
from ..capi.graph_errors import Outcome
from ..capi.states import CANCELLED, FAILED, INVALID, PENDING, SENT, Change, Plan
from ..dev import sandbox
from ..models.outbox.event_table import EventTable, to_datetime
from ..models.outbox.meta_capi_pixel import STOPPED
from ..models.outbox.pixel_outbox import PixelOutbox
from .common import MetaCapiCase, own_cursor, set_values, stop_pixel
from .simulation.histories import make_history
from .simulation.memory import Row
from .simulation.world import World

NOW = int(time.time())
# Pixels of nobody else: what the histories make is committed.
PREFIX = "98765432100000"
# Fewer on the series that CI tests besides the default one.
HISTORIES = int(os.environ.get("HISTORIES", "200"))
# The longest histories say nothing that shorter ones do not.
MOST_ROUNDS = 30
_COLUMNS = (
    *("id", "event_id", "pixel_id", "test_event_code", "action_source", "state"),
    *("failure_reason", "cause", "attempt_count", "unknown_count", "isolation_part"),
    "first_refusal_id",
)


class PostgresStore:
    """The outbox of ``models.outbox``, with transactions that are committed.

    :param registry: of the database
    """

    def __init__(self, registry):
        self.registry = registry
        self.open_cursors = 0

    @contextlib.contextmanager
    def cursor(self):
        """As ``_delivery_cursor`` has it."""
        with self.registry.cursor() as cr:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            self.open_cursors += 1
            try:
                yield cr
            finally:
                self.open_cursors -= 1

    @contextlib.contextmanager
    def table(self):
        with self.cursor() as cr:
            yield EventTable(api.Environment(cr, SUPERUSER_ID, {}))

    @contextlib.contextmanager
    def outbox(self, pixel_id):
        with self.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            yield PixelOutbox(env, PREFIX + pixel_id, self.cursor)

    def is_idle(self):
        return not self.open_cursors

    def key_of(self, body):
        return json.loads(body)["event_id"]

    def add(
        self,
        key,
        pixel_id,
        test_event_code,
        event_time,
        action_source,
        next_attempt_at,
        browser_copy_at,
        size,
    ):
        event = {"event_name": "Lead", "event_id": key, "action_source": action_source}
        body = encode(
            {**event, "event_time": event_time},
            user_data="{}",
            custom_data='{"pad": ""}',
        )
        row = {
            **event,
            "event_time": str(to_datetime(event_time)),
            "pixel_id": PREFIX + pixel_id,
            "test_event_code": test_event_code,
            "user_data": {},
            "custom_data": {"pad": "x" * (size - len(body))},
            "state": PENDING,
            "attempt_count": 0,
            "next_attempt_at": str(to_datetime(next_attempt_at)),
            "browser_twin": browser_copy_at is not None,
            "create_date": str(to_datetime(next_attempt_at)),
            "write_date": str(to_datetime(next_attempt_at)),
        }
        with self.table() as table:
            table.insert(json.dumps([row]), list(row))

    def pending(self, pixel_id=None):
        pixel_ids = [PREFIX + number for number in ("1", "2")]
        if pixel_id:
            pixel_ids = [PREFIX + pixel_id]
        return self.rows(SQL("pixel_id = ANY(%s) AND state = %s", pixel_ids, PENDING))

    def rows(self, condition):
        with self.cursor() as cr:
            cr.execute(
                SQL(
                    "SELECT %s, extract(epoch FROM event_time)::bigint,"
                    " extract(epoch FROM next_attempt_at)::bigint"
                    " FROM meta_capi_event WHERE %s ORDER BY id",
                    SQL(", ").join(map(SQL.identifier, _COLUMNS)),
                    condition,
                )
            )
            return [self._to_row(*values) for values in cr.fetchall()]

    def _to_row(self, *values):
        *columns, event_time, next_attempt_at = values
        row = dict(zip(_COLUMNS, columns, strict=True))
        return Row(
            key=row.pop("event_id"),
            pixel_id=row.pop("pixel_id")[len(PREFIX) :],
            event_time=event_time,
            next_attempt_at=next_attempt_at,
            attempt_count=row.pop("attempt_count") or 0,
            unknown_count=row.pop("unknown_count") or 0,
            **row,
        )

    def known_pixel(self, pixel_id):
        with self.outbox(pixel_id) as outbox:
            return outbox.pixel()

    def expire_overdue(self, now):
        with self.table() as table:
            table.expire_overdue(now)

    def retry(self, now):
        failed = self.rows(SQL("pixel_id LIKE %s AND state = %s", PREFIX + "_", FAILED))
        with self.table() as table:
            table.retry(table.lock([row.id for row in failed], FAILED), now)
        return [row.pixel_id for row in failed]

    def cancel(self, event_ids):
        with self.table() as table:
            table.cancel(table.lock(event_ids, PENDING), "cancelled_by_hand", "No")

    def attempts(self):
        with self.cursor() as cr:
            cr.execute(
                SQL(
                    """
                    SELECT attempt.id, attempt.pixel_id,
                           extract(epoch FROM started_at)::bigint,
                           carried, outcome, arrived
                      FROM meta_capi_attempt attempt
                     WHERE attempt.pixel_id LIKE %s
                     ORDER BY attempt.id
                    """,
                    PREFIX + "_",
                )
            )
            return cr.fetchall()

    def clear(self):
        with self.cursor() as cr:
            for table in ("meta_capi_attempt", "meta_capi_event", "meta_capi_pixel"):
                cr.execute(
                    SQL(
                        "DELETE FROM %s WHERE pixel_id LIKE %s",
                        SQL.identifier(table),
                        PREFIX + "_",
                    )
                )


def told(rows, attempts, pixels):
    """Return what a history has left behind, with keys for what differs by store.

    :param attempts: id, pixel, time, events, outcome and whether they arrived
    """
    keys = {row.id: row.key for row in rows}
    numbers = {attempt[0]: number for number, attempt in enumerate(attempts)}
    return {
        "rows": {
            row.key: (
                *(row.state, row.failure_reason, row.cause, row.next_attempt_at),
                *(row.attempt_count, row.unknown_count),
                keys.get(row.isolation_part),
                numbers.get(row.first_refusal_id),
            )
            for row in rows
        },
        "attempts": [
            (pixel_id, time, sorted(map(keys.get, ids)), outcome, arrived)
            for _id, pixel_id, time, ids, outcome, arrived in attempts
        ],
        "pixels": [
            (
                *(pixel.stopped_at, pixel.next_probe_at, pixel.wait_until),
                *(pixel.failing_since, pixel.cause, pixel.clock_skew),
                pixel.doubt
                and (
                    keys[pixel.doubt.event_id],
                    pixel.doubt.error_code,
                    pixel.doubt.error_subcode,
                ),
            )
            for pixel in pixels
        ],
    }


def told_by_memory(store):
    attempts = [
        (
            a.id,
            a.pixel_id,
            a.started_at,
            a.ids,
            a.outcome and a.outcome.value,
            a.arrived,
        )
        for a in store.attempts
    ]
    pixels = map(store.known_pixel, ("1", "2"))
    return told(list(store.rows.values()), attempts, pixels)


def told_by_postgres(store):
    attempts = [
        (id_, pixel_id[len(PREFIX) :], *values)
        for id_, pixel_id, *values in store.attempts()
    ]
    rows = store.rows(SQL("pixel_id LIKE %s", PREFIX + "_"))
    return told(rows, attempts, map(store.known_pixel, ("1", "2")))


@tagged("post_install", "-at_install", "slow")
class TestHistories(TransactionCase):
    """The histories of the simulation, in memory and in PostgreSQL."""

    def setUp(self):
        super().setUp()
        self.store = PostgresStore(self.registry)
        self.addCleanup(self.store.clear)

    def worlds(self, count):
        """Return the worlds of the first histories that end soon, with what happens."""
        seed = 0
        while count:
            actions = make_history(seed)
            world = World(seed)
            world.run(actions)
            if len(world.store.attempts) <= MOST_ROUNDS:
                count -= 1
                yield seed, actions, world
            seed += 1

    def test_both_outboxes_come_to_the_same_rows(self):
        for seed, actions, expected in self.worlds(HISTORIES):
            self.store.clear()
            world = World(seed, self.store)
            world.run(actions)
            with self.subTest(seed=seed, actions=list(map(str, actions))):
                self.assertEqual(world.meta.requests, expected.meta.requests)
                self.assertEqual(
                    told_by_postgres(self.store), told_by_memory(expected.store)
                )
                self.assertEqual(world.broken, [])

    def test_what_another_worker_holds_is_passed_over(self):
        for key in ("held", "free"):
            self.store.add(key, "1", None, NOW, "website", NOW, None, 400)
        held, free = self.store.pending()
        with self.store.table() as first:
            self.assertEqual(first.lock([held.id], PENDING), [held.id])
            with self.store.outbox("1") as second:
                batch, more = second.claim(Plan(10), NOW, None)
                self.assertEqual([claimed.id for claimed in batch], [free.id])
                # It may be given back.
                self.assertTrue(more)
            with self.store.table() as second:
                both = [held.id, free.id]
                self.assertEqual(second.lock(both, PENDING), [free.id])
                self.assertFalse(second.lock_replaceable(held.id, by_browser=False))
                second.expire_overdue(NOW + 8 * DAY)
        states = {
            row.key: row.state for row in self.store.rows(SQL("id >= %s", held.id))
        }
        self.assertEqual(states, {"held": PENDING, "free": FAILED})


@tagged("post_install", "-at_install")
class TestTransitions(MetaCapiCase):
    """Contract: pending → sent, failed, cancelled; failed → pending, cancelled."""

    ALLOWED = {
        # To wait once more is none.
        (PENDING, PENDING),
        (PENDING, SENT),
        (PENDING, FAILED),
        (PENDING, CANCELLED),
        (FAILED, PENDING),
        (FAILED, CANCELLED),
    }
    STATES = (PENDING, SENT, FAILED, CANCELLED)

    def setUp(self):
        super().setUp()
        self.table = EventTable(self.env)

    def in_state(self, state, **values):
        reason = "exhausted" if state == FAILED else None
        event = self.record()
        set_values(event, **{"state": state, "failure_reason": reason, **values})
        return event

    def test_every_pair_of_states_is_allowed_or_impossible_and_logged(self):
        for state in self.STATES:
            for target in self.STATES:
                event = self.in_state(state)
                with self.subTest(state=state, target=target):
                    if (state, target) in self.ALLOWED:
                        with self.assertNoLogs("meta.conversions.api"):
                            done = self.table.transition(event.ids, target, cause="off")
                        self.assertEqual((done, event.state), (event.ids, target))
                        continue
                    with self.assertLogs("meta.conversions.api", "ERROR") as logs:
                        done = self.table.transition(event.ids, target, cause="off")
                    self.assertFalse(done)
                    self.assertEqual((event.state, event.cause), (state, False))
                    self.assertIn(f"[{event.id}]", logs.output[0])
                    self.assertIn(target, logs.output[0])

    def test_one_that_cannot_go_along_keeps_no_other_back(self):
        events = self.in_state(SENT) + self.in_state(PENDING)
        with self.assertLogs("meta.conversions.api", "ERROR"):
            done = self.table.transition(events.ids, FAILED)
        self.assertEqual(done, events[1].ids)
        self.assertEqual(events.mapped("state"), [SENT, FAILED])

    def test_every_way_into_a_state_is_guarded(self):
        outbox = self.env["meta.capi.pixel"]._outbox(self.pixel_id)
        answer = Answer(Outcome.ACCEPTED)
        ways = {
            "settle": (
                SENT,
                lambda ids: outbox.settle([Change(ids, SENT)], answer, NOW),
            ),
            "cancel": (
                CANCELLED,
                lambda ids: self.table.cancel(ids, "objection", "No"),
            ),
            "retry": (PENDING, lambda ids: self.table.retry(ids, NOW)),
        }
        for name, (target, way) in ways.items():
            for state in self.STATES:
                event = self.in_state(state)
                with self.subTest(way=name, state=state):
                    if (state, target) in self.ALLOWED:
                        way(event.ids)
                        self.assertEqual(event.state, target)
                        continue
                    with self.assertLogs("meta.conversions.api", "ERROR"):
                        way(event.ids)
                    self.assertEqual(event.state, state)

    def test_what_looks_for_its_events_itself_takes_those_of_the_right_state(self):
        for state in self.STATES:
            values = {"event_time": to_datetime(NOW - 400 * DAY)}
            event = self.in_state(state, partner_id=self.customer.id, **values)
            with self.subTest(state=state), self.assertNoLogs("meta.conversions.api"):
                self.table.expire_overdue(NOW)
                expected = FAILED if state == PENDING else state
                self.assertEqual(event.state, expected)
            event = self.in_state(state, partner_id=self.customer.id)
            with self.subTest(state=state), self.assertNoLogs("meta.conversions.api"):
                self.table.forget_partners(self.customer.ids, "deleted", "Deleted")
                expected = CANCELLED if state == PENDING else state
                self.assertEqual(event.state, expected)
                self.assertFalse(event.user_data)

    def test_no_other_module_writes_or_locks_the_log(self):
        folder = Path(__file__).parent.parent
        writing = re.compile(
            r"UPDATE meta_capi_event\b|DELETE FROM meta_capi_event\b"
            r"|INSERT INTO meta_capi_event\b"
        )
        locking = re.compile(r"NO KEY UPDATE|SKIP LOCKED")
        of_the_log = ("event_table.py", "pixel_outbox.py")
        for name in ("models", "controllers", "wizards"):
            for path in folder.joinpath(name).rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                if path.name not in of_the_log:
                    self.assertNotRegex(text, writing)
                # That of browsers locks its own table.
                if path.name not in (*of_the_log, "meta_capi_browser.py"):
                    self.assertNotRegex(text, locking)

    def test_no_error_is_logged_with_the_values_that_it_quotes(self):
        # An exception's own words may be a customer's; ``border.log_error`` leaves them.
        quoting = re.compile(r"\.exception\(|exc_info|format_exc|print_exc")
        folder = Path(__file__).parent.parent
        for name in ("capi", "controllers", "models", "wizards"):
            for path in folder.joinpath(name).rglob("*.py"):
                with self.subTest(path.name):
                    self.assertNotRegex(path.read_text(encoding="utf-8"), quoting)


@tagged("post_install", "-at_install")
class TestReplacement(MetaCapiCase):
    """What a second report of an event replaces."""

    def by_browser(self, **values):
        event = self.record(event_id="1", user_data={"external_id": "visitor"})
        set_values(event, is_from_browser=True, browser_twin=True, **values)
        return event

    def test_what_a_browser_told_is_rebuilt_from_what_the_server_tells(self):
        event = self.by_browser()
        again = self.record(
            event_id="1", custom_data={"value": 5, "currency": "EUR"}, event_time=NOW
        )
        self.assertEqual(again, event)
        self.assertEqual(event.user_data.keys(), {"em"})
        self.assertEqual((event.value, event.currency), (5, "EUR"))
        self.assertEqual((event.state, event.is_from_browser), (PENDING, False))
        # Whether the browser has sent its own copy is as it was.
        self.assertTrue(event.browser_twin)
        self.deliver()
        (received,) = self.graph.events
        self.assertEqual(received.event["user_data"].keys(), {"em"})
        self.assertEqual(received.event["event_id"], "1")

    def test_it_is_rebuilt_once(self):
        event = self.by_browser()
        self.record(event_id="1")
        self.record(event_id="1", user_data={"ph": "+49 30 1234567"})
        self.assertEqual(event.user_data.keys(), {"em"})

    def test_a_browser_replaces_nothing_that_is_valid(self):
        table = EventTable(self.env)
        for is_from_browser in (True, False):
            event = self.record()
            set_values(event, is_from_browser=is_from_browser)
            self.assertFalse(table.lock_replaceable(event.id, by_browser=True))

    def test_what_meta_may_have_is_not_rebuilt(self):
        event = self.by_browser()
        self.graph.fail_next(sandbox.http(503))
        with mute_logger("meta.conversions.api"):
            self.delivery._deliver_batch(self.pixel_id)
        self.assertEqual(event.state, PENDING)
        self.record(event_id="1")
        self.assertEqual(event.user_data.keys(), {"external_id"})

    def test_of_the_others_only_what_was_invalid_is_rebuilt(self):
        for state, reason, is_rebuilt in (
            (SENT, None, False),
            (CANCELLED, None, False),
            (FAILED, "expired", False),
            (FAILED, "exhausted", False),
            (FAILED, "invalid", True),
        ):
            for is_from_browser in (True, False):
                for by_browser in (True, False):
                    event = self.record()
                    values = {"state": state, "failure_reason": reason}
                    set_values(event, is_from_browser=is_from_browser, **values)
                    table = EventTable(self.env)
                    found = table.lock_replaceable(event.id, by_browser)
                    with self.subTest(**values, by_browser=by_browser):
                        self.assertEqual(found, is_rebuilt)

    def test_nothing_of_the_former_life_counts_for_a_rebuilt_one(self):
        event = self.record(event_id="1")
        set_values(
            event,
            **{"state": FAILED, "failure_reason": INVALID, "attempt_count": 7},
            **{"unknown_count": 3, "isolation_part": 5, "first_refusal_id": 6},
            **{"cause": "value", "next_attempt_at": None, "error_message": "No"},
        )
        self.record(event_id="1")
        self.assertEqual((event.state, event.failure_reason), (PENDING, False))
        self.assertFalse(event.attempt_count or event.unknown_count)
        self.assertFalse(event.isolation_part or event.first_refusal_id)
        self.assertFalse(event.cause or event.error_message)
        self.assertTrue(event.next_attempt_at)


@tagged("post_install", "-at_install")
class TestRetriedCopies(MetaCapiCase):
    """Meta tells a copy from a till by what it says of the person."""

    def refused(self, *answers):
        customer = self.env["res.partner"].create({"name": "Jane"})
        event = self.record(
            event_name="Purchase",
            action_source="physical_store",
            user_data={"em": "jane@example.com"},
            custom_data={"value": 5, "currency": "EUR"},
            origin=customer,
        )
        for answer in (*answers, sandbox.error(100, 2804050)):
            self.graph.fail_next(answer)
            with mute_logger("meta.conversions.api"):
                self.delivery._deliver_batch(self.pixel_id, event.ids)
        self.assertEqual((event.state, event.cause), (FAILED, "user_data"))
        customer.phone = "+1 650 555 1212"
        return event

    def test_one_that_meta_may_have_says_what_it_said(self):
        event = self.refused(sandbox.http(503))
        before = event.user_data
        event.action_retry()
        self.assertEqual((event.state, event.user_data), (PENDING, before))
        self.deliver()
        self.assertEqual(self.graph.events[-1].event["user_data"], before)

    def test_one_that_was_only_refused_says_more(self):
        event = self.refused()
        event.action_retry()
        self.assertIn("ph", event.user_data)

    def test_one_without_the_number_of_its_order_is_weak(self):
        event = self.refused()
        self.assertIn("custom_data.order_id", event.weakness)


@tagged("post_install", "-at_install")
class TestPurged(MetaCapiCase):
    """What is asked for once more when the log has forgotten it."""

    def purge(self, *events):
        """Let the retention delete these finished events."""
        self.env.flush_all()
        for event in events:
            set_values(event, create_date=to_datetime(NOW - 4000 * DAY))
        self.env["meta.capi.event"]._gc_finished()
        for event in events:
            self.assertFalse(event.exists())

    def events(self):
        return self.env["meta.capi.event"].search([])

    def run_on(self, action, record):
        action.with_context(
            active_model=record._name, active_id=record.id, active_ids=record.ids
        ).run()

    def assert_sent_once(self, ask):
        """Let it be asked for, sent, purged and asked for again."""
        ask()
        event = self.events()
        self.assertEqual(len(event), 1)
        self.deliver()
        self.assertEqual(event.state, SENT)
        self.purge(event)
        for _again in range(2):
            self.assertFalse(ask())
            self.deliver()
        self.assertFalse(self.events())
        self.assertEqual(len(self.graph.events), 1)

    def test_once_for_each_record_stays_once(self):
        action = self.action("res.partner", event_name="Lead", meta_capi_once=True)
        self.assert_sent_once(lambda: self.run_on(action, self.customer))
        # Others are sent.
        other = self.customer.copy({"email": "other@example.com"})
        self.run_on(action, other)
        self.assertEqual(self.events().res_id, other.id)

    def test_another_event_of_the_record_is_sent(self):
        action = self.action("res.partner", event_name="Lead", meta_capi_once=True)
        self.assert_sent_once(lambda: self.run_on(action, self.customer))
        action.meta_capi_event_name = "Contact"
        self.run_on(action, self.customer)
        self.assertEqual(self.events().event_name, "Contact")

    def test_an_invoice_without_an_order_stays_one(self):
        invoice = self.invoice()
        self.assert_sent_once(lambda: self.api.send_event("Purchase", origin=invoice))

    def test_an_invoice_that_an_action_tells_of_stays_one(self):
        code = 'env["meta.conversions.api"].send_event("Purchase")'
        action = self.action("account.move", code=code)
        invoice = self.invoice()
        self.assert_sent_once(lambda: self.run_on(action, invoice))

    def test_an_order_stays_one(self):
        order = self.order()
        self.assert_sent_once(lambda: self.api.send_event("Purchase", origin=order))

    def test_it_stays_one_for_who_knows_its_id_and_others_may_have_the_same(self):
        order = self.order()
        self.assert_sent_once(lambda: self.api.send_event("Purchase", origin=order))
        event_id = order.meta_capi_event_id
        self.assertFalse(self.record(event_name="Purchase", event_id=event_id))
        self.assertTrue(self.record(event_name="Contact", event_id=event_id))

    def test_what_was_never_sent_is_not_remembered(self):
        action = self.action("res.partner", event_name="Lead", meta_capi_once=True)
        for values in (
            {"state": CANCELLED},
            {"state": FAILED, "failure_reason": INVALID},
        ):
            self.run_on(action, self.customer)
            event = self.events()
            self.assertEqual(len(event), 1)
            set_values(event, **values)
            self.purge(event)
        self.run_on(action, self.customer)
        self.assertEqual(self.events().state, PENDING)

    def invoice(self):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_line_ids": [
                    (0, 0, {"product_id": self.product.id, "price_unit": 100.0})
                ],
            }
        )
        invoice.action_post()
        return invoice

    def test_of_several_pixels_the_main_ones_row_is_returned(self):
        other = "2222222222"
        self.graph.pixels[other] = {self.token}
        self.parameters.set_param("meta_capi.extra_pixel_ids", other)
        order = self.order()
        main = self.api.send_event("Purchase", origin=order)
        copy = self.events() - main
        self.assertEqual((main.pixel_id, copy.pixel_id), (self.pixel_id, other))
        # Also where the copy's pixel is the main one by now.
        for pixel_id in (other, "3333333333", self.pixel_id):
            self.parameters.set_param("meta_capi.pixel_id", pixel_id)
            again = self.api.send_event("Purchase", origin=order)
            self.assertEqual(again, main)
        for pixel_id in (self.pixel_id, other):
            self.deliver(pixel_id)
        self.purge(main)
        for pixel_id in (other, "3333333333", self.pixel_id):
            self.parameters.set_param("meta_capi.pixel_id", pixel_id)
            self.assertFalse(self.api.send_event("Purchase", origin=order))
        self.assertEqual(self.events(), copy)
        self.assertEqual(len(self.graph.requests), 2)


@tagged("post_install", "-at_install")
class TestNotices(MetaCapiCase):
    """Nothing about a notice stands in the way of an event."""

    def delete_type(self):
        kind = self.env.ref(STOPPED)
        self.env["mail.activity"].search([("activity_type_id", "=", kind.id)]).unlink()
        kind.unlink()

    def stop_and_go(self):
        """Let a token die and come back; return an event that waited for it."""
        event = self.record()
        self.graph.pixels = {}
        self.deliver()
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        self.env.invalidate_all()
        self.assertEqual((pixel.state, event.state), ("stopped", PENDING))
        self.graph.pixels = {self.pixel_id: {self.token}}
        self.shift("next_probe_at", 3600, table="meta_capi_pixel")
        self.delivery._sweep()
        self.deliver()
        self.assertEqual((pixel.state, event.state), ("running", SENT))
        return event

    def test_without_the_type_of_its_activity_delivery_goes_on(self):
        self.delete_type()
        with self.assertLogs("meta.conversions.api", "WARNING") as logs:
            self.stop_and_go()
        self.assertFalse([line for line in logs.output if line.startswith("ERROR")])

    def test_without_the_type_of_its_activity_a_manager_can_release(self):
        event = self.record()
        self.graph.pixels = {}
        with mute_logger("meta.conversions.api"):
            self.deliver()
        self.delete_type()
        self.graph.pixels = {self.pixel_id: {self.token}}
        self.parameters.set_param("meta_capi.access_token", self.token + " ")
        self.env["meta.capi.pixel"]._get(self.pixel_id)._release()
        self.deliver()
        self.assertEqual(event.state, SENT)

    def test_managers_are_told_of_a_stop_alone_and_once_it_is_committed(self):
        open_cursors, open_when_told = [], []

        @contextlib.contextmanager
        def cursor(job):
            with own_cursor(job) as cr:
                open_cursors.append(cr)
                yield cr
                open_cursors.pop()

        def tell(_delivery, _pixel_id=None):
            open_when_told.append(len(open_cursors))

        with (
            patch.object(type(self.job), "_delivery_cursor", cursor),
            patch.object(type(self.delivery), "_tell_managers", tell),
            mute_logger("meta.conversions.api"),
        ):
            self.record()
            self.deliver()
            self.assertEqual(open_when_told, [])  # there is nothing to tell
            self.record()
            self.graph.pixels = {}
            self.deliver()
        self.assertEqual(open_when_told, [0])

    @mute_logger("meta.conversions.api")
    def test_a_delivery_that_is_stopped_looks_for_nothing_else_to_tell(self):
        self.record()
        self.graph.pixels = {}
        alerts = type(self.env["meta.capi.alert"])
        with patch.object(alerts, "_look_after_all") as look:
            self.deliver()
        look.assert_not_called()
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        self.assertTrue(pixel.activity_ids)

    def test_a_notice_that_raises_undoes_nothing_and_is_logged(self):
        pixels = type(self.env["meta.capi.pixel"])
        with patch.object(pixels, "_look_after_stop", side_effect=ValueError):
            with self.assertLogs("meta.conversions.api", "ERROR") as logs:
                self.stop_and_go()
        self.assertIn("could not be told", "".join(logs.output))

    def test_a_notice_that_raises_does_not_keep_a_pixel_from_its_release(self):
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        stop_pixel(pixel)
        pixels = type(pixel)
        with patch.object(pixels, "_look_after_stop", side_effect=ValueError):
            with self.assertLogs("meta.conversions.api", "ERROR") as logs:
                pixel._release()
        self.assertEqual(pixel.state, "running")
        self.assertIn("could not be told", "".join(logs.output))
