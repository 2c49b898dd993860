import contextlib
import itertools
import os
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.tests import tagged

from ..capi.client import GraphClient
from ..dev.odoo.server import launched
from ..dev.sandbox import hang, http, reset_after_accept, slow
from ..models.outbox.pixel_outbox import PixelOutbox
from .processes import ProcessCase, complaints, installation

# Seconds within which a person who clicks has an answer, whatever Meta is doing.
AT_ONCE = 2
# Of an advisory lock that holds back processes which are to go on together.
GATE = 20_260_101
# Two slots, each of which transactions that cannot see each other's job may fill twice.
MOST_JOBS = 4

# ----------------------------------------------------------------- what processes run


def record(env, event_ids):
    """Record events; return the ids of their rows."""
    events = env["meta.conversions.api"].send_events(
        [
            {"event_name": "Lead", "event_id": event_id, "user_data": {"em": "a@b.com"}}
            for event_id in event_ids
        ]
    )
    return events.ids


def record_in_transactions(env, prefix, transactions, size=1):
    for number in range(transactions):
        record(env, [f"{prefix}-{number}-{index}" for index in range(size)])
        env.cr.commit()


def record_together(env, prefix, transactions):
    """Record an event, wait at the gate before it is committed, and go on."""
    record(env, [f"{prefix}-first"])
    env.cr.execute("SELECT pg_advisory_xact_lock_shared(%s)", [GATE])
    env.cr.commit()
    record_in_transactions(env, prefix, transactions - 1)


def record_and_roll_back(env, event_ids):
    ids = record(env, event_ids)
    env.cr.rollback()
    return ids


def deliver(env, pixel_id):
    env["meta.capi.delivery"]._deliver(pixel_id)


def sweep(env):
    env["meta.capi.delivery"]._sweep()


def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def deliver_and_die_before_the_request(env, pixel_id):
    with patch.object(GraphClient, "send_events", die):
        deliver(env, pixel_id)


def deliver_and_die_before_the_commit(env, pixel_id):
    settle = PixelOutbox.settle

    def settle_and_die(outbox, changes, answer, *rest):
        settle(outbox, changes, answer, *rest)
        if answer:
            die()

    with patch.object(PixelOutbox, "settle", settle_and_die):
        deliver(env, pixel_id)


def click(env, action, ids):
    """Click a button of the log; return what the person reads, and the seconds it took."""
    started = time.monotonic()
    answer = getattr(env["meta.capi.event"].browse(ids), action)()
    env.cr.commit()
    return answer["params"]["message"], time.monotonic() - started


def give_pixel_to_website(env, pixel_id):
    env["website"].search([], limit=1).meta_capi_pixel_id = pixel_id


def prepare_order(env):
    """Return a website order that waits for its confirmation."""
    product = env["product.product"].create({"name": "Desk", "list_price": 100.0})
    customer = env["res.partner"].create(
        {"name": "Jane Doe", "email": "jane@example.com"}
    )
    order = env["sale.order"].create(
        {
            "partner_id": customer.id,
            "website_id": env["website"].search([], limit=1).id,
            "order_line": [(0, 0, {"product_id": product.id, "product_uom_qty": 1})],
        }
    )
    return order.id


def confirm_order(env, order_id):
    """Confirm it; return the connections that were opened, and the seconds it took."""
    connections = []

    def note(_socket, address):
        connections.append(address)
        raise OSError("no network in a transaction")

    started = time.monotonic()
    with patch.object(socket.socket, "connect", note):
        with patch.object(socket.socket, "connect_ex", note):
            order = env["sale.order"].browse(order_id)
            # An e-mail would be sent on the spot, and is none of our business.
            order.with_context(mail_notify_force_send=False).action_confirm()
            env.cr.commit()
    return connections, time.monotonic() - started


class Transaction:
    """A transaction of its own, in a thread of its own so that it may have to wait."""

    def __init__(self, registry):
        self._thread = ThreadPoolExecutor(1)
        self._cr = registry.cursor()

    def begin(self):
        """Have PostgreSQL take its snapshot now."""
        self._cr.execute("SELECT pg_backend_pid()")
        (self.pid,) = self._cr.fetchone()

    def record(self, event_ids):
        env = api.Environment(self._cr, SUPERUSER_ID, {})
        return self._thread.submit(record, env, event_ids)

    def is_waiting(self, cr):
        cr.execute(
            "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s",
            [self.pid],
        )
        return cr.fetchone()[0]

    def end(self, how):
        getattr(self._cr, how)()
        self._cr.close()


# When the second transaction begins, how the first one ends, and when it does so.
INTERLEAVINGS = [
    *itertools.product(
        ("before the first records", "after the first has recorded"),
        ("commit", "rollback"),
        ("before the second's call", "during the second's call"),
    ),
    ("after the first has ended", "commit", "before the second's call"),
    ("after the first has ended", "rollback", "before the second's call"),
]


def interleave(env, key, begin, end, when):
    """Have two transactions record one key; return how many rows each got back.

    The second one records another event in the same call.
    """
    first, second = (Transaction(env.registry) for _ in range(2))
    first.begin()
    if begin == "before the first records":
        second.begin()
    first_ids = first.record([key]).result()
    if begin == "after the first has recorded":
        second.begin()
    if when == "during the second's call":
        call = second.record([key, f"{key}, too"])
        with env.registry.cursor() as cr:
            while not second.is_waiting(cr) and not call.done():
                cr.rollback()
                time.sleep(0.02)
        first.end(end)
    else:
        first.end(end)
        if begin == "after the first has ended":
            second.begin()
        call = second.record([key, f"{key}, too"])
    second_ids = call.result(30)
    second.end("commit")
    return first_ids, second_ids


# -------------------------------------------------------------------------- the tests


class DeliveryCase(ProcessCase):
    def make_events(self, count, prefix="e"):
        """Have events committed; return their ids at Meta."""
        event_ids = [f"{prefix}{number}" for number in range(count)]
        self.call(record, event_ids)
        return event_ids

    def count(self, condition="true"):
        return self.database.value(
            f"SELECT count(*) FROM meta_capi_event WHERE {condition}"
        )

    def count_jobs(self, condition="true"):
        return self.database.value(f"SELECT count(*) FROM queue_job WHERE {condition}")

    def locked(self, table="meta_capi_event"):
        """Return the ids of the rows that some transaction holds."""
        free = self.database.column(f"SELECT id FROM {table} FOR UPDATE SKIP LOCKED")
        return set(self.database.column(f"SELECT id FROM {table}")) - set(free)

    def outcomes(self):
        """Return the outcomes of each event's requests, oldest first."""
        rows = self.database.rows(
            """
            SELECT event.event_id, array_agg(attempt.outcome ORDER BY attempt.id)
              FROM meta_capi_event event
              JOIN meta_capi_attempt attempt ON event.id = ANY(attempt.carried)
             GROUP BY event.event_id
            """
        )
        return dict(rows)

    def assert_each_arrived_once(self, count):
        deliveries = self.graph.deliveries()
        self.assertEqual(len(deliveries), count)
        self.assertEqual(set(deliveries.values()), {1})
        for request in self.graph.requests:
            self.assertLessEqual(len(request.body["data"]), 1_000)

    def assert_all_sent(self, count):
        self.assertEqual(
            self.database.rows(
                "SELECT state, count(*) FROM meta_capi_event GROUP BY 1"
            ),
            [("sent", count)],
        )


class ServedCase(DeliveryCase):
    """An Odoo of its own is up, with workers and the queue's runner."""

    batch_delay = 5

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        log = Path(cls.folder, "server.log")
        command = installation().command
        cls.server = stack.enter_context(
            launched(command, cls.database.name, log, os.environ)
        )

    def check_server(self):
        self.server.check()

    def tell_more(self):
        """Return where each job is, and the end of what the server has said."""
        jobs = self.database.rows(
            "SELECT state, count(*), min(date_enqueued), min(date_started)"
            " FROM queue_job GROUP BY 1"
        )
        lines = self.server.log.read_text(errors="replace").splitlines()
        told = [line for line in lines if "werkzeug" not in line or "runjob" in line]
        return "\n".join([f"; jobs: {jobs}", *told[-40:]])


@tagged("post_install", "-at_install", "processes")
class TestJobrunner(ServedCase):
    """What a jobrunner and its workers make of what is recorded."""

    def test_fifty_transactions_with_2500_events_arrive_once_each_in_few_requests(self):
        self.call(record_in_transactions, "e", 50, 50)
        self.until(lambda: self.count("state = 'sent'") == 2_500, "all are sent")
        self.assert_each_arrived_once(2_500)
        self.assertLessEqual(len(self.graph.requests), 10)
        complete = self.count(
            """
            attempt_count = 1 AND sent_at IS NOT NULL AND http_status = 200
            AND fbtrace_id <> '' AND (
                SELECT response FROM meta_capi_attempt WHERE id = carried_by[1]
            ) LIKE '%events_received%'
            """
        )
        self.assertEqual(complete, 2_500)
        stories = Counter(map(tuple, self.outcomes().values()))
        self.assertEqual(stories, {("accepted",): 2_500})
        # One that queue_job's runner has lost stays pending, with nothing left to do.
        self.assertEqual(self.count_jobs("state = 'failed'"), 0)
        self.assertLessEqual(self.count_jobs(), 10)
        self.assertEqual(complaints(self.server.log), [])

    def test_one_bad_answer_costs_ten_seconds_at_most(self):
        # One for what Meta did not take and one for what it did; `make chaos` has more.
        for fault in (http(500), reset_after_accept()):
            self.graph.clear()
            self.graph.fail_next(fault)
            self.make_events(20, fault.name)
            self.until(
                lambda: self.count() and not self.count("state <> 'sent'"),
                "all are sent",
            )
            bad, *_others, last = self.graph.requests
            with self.subTest(fault=fault.name):
                self.assertIs(bad.fault, fault)
                self.assertLessEqual(last.received_at - bad.ended_at, 10)

    def test_a_transaction_rolled_back_leaves_neither_row_nor_job_nor_request(self):
        ids = self.call(record_and_roll_back, ["gone"])
        self.assertTrue(ids)
        self.assertEqual((self.count(), self.count_jobs()), (0, 0))
        # What comes after it arrives, so it would have, too.
        self.make_events(1, "kept")
        self.until(lambda: self.count("state = 'sent'"), "the other one is sent")
        self.assertEqual(
            [event.event["event_id"] for event in self.graph.events], ["kept0"]
        )
        self.assertEqual(self.count(), 1)
        # A sweep that comes by while the event waits for others adds a job of its own.
        self.assertIn(self.count_jobs(), (1, 2))


@tagged("post_install", "-at_install", "processes")
class TestProcesses(DeliveryCase):
    """What no jobrunner disturbs, since there is none."""

    # ----------------------------------------------------------------- jobs and sweep

    def burst(self):
        """Record 200 events in as many transactions of 8 processes."""
        self.database.rows("SELECT pg_advisory_lock(%s)", GATE)
        processes = [
            self.start(record_together, f"p{number}", 25) for number in range(8)
        ]
        waiting = (
            "SELECT count(*) = 8 FROM pg_locks"
            " WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        )
        self.until(lambda: self.database.value(waiting, GATE), "all have recorded")
        self.database.rows("SELECT pg_advisory_unlock(%s)", GATE)
        for process in processes:
            process.result()
        self.assertEqual(self.count(), 200)

    def let_jobs_wait(self, seconds):
        """Have all jobs wait for so long already, as if nobody ran them."""
        self.database.rows(
            "UPDATE queue_job"
            " SET eta = now() AT TIME ZONE 'UTC' - %s * interval '1 second'",
            seconds,
        )

    def test_a_burst_of_200_transactions_makes_at_most_four_jobs(self):
        self.burst()
        self.assertIn(self.count_jobs(), range(1, MOST_JOBS + 1))

    def test_jobs_do_not_pile_up_where_no_jobrunner_runs_and_the_sweep_delivers(self):
        self.burst()
        for number in range(5):
            self.let_jobs_wait(1)
            self.call(record_in_transactions, f"late{number}", 4)
        self.assertLessEqual(self.count_jobs(), MOST_JOBS)
        self.call(sweep)
        self.assertFalse(self.graph.events, "a jobrunner has a minute's time")
        self.let_jobs_wait(120)
        self.call(sweep)
        self.assert_all_sent(220)
        self.assert_each_arrived_once(220)
        self.assertLessEqual(self.count_jobs(), MOST_JOBS)

    def test_the_sweep_gives_new_jobs_to_events_whose_jobs_were_deleted(self):
        self.make_events(3)
        self.database.rows("DELETE FROM queue_job")
        self.call(sweep)
        self.assertEqual(self.count_jobs(), 1)
        self.assertFalse(self.graph.requests)

    # ------------------------------------------------------------------- idempotence

    def test_two_transactions_with_one_key_make_one_row_however_they_interleave(self):
        for interleaving in INTERLEAVINGS:
            with self.subTest("the second begins {}; {} {}".format(*interleaving)):
                begin, end, _when = interleaving
                key = ", ".join(interleaving)
                first_ids, second_ids = self.call(interleave, key, *interleaving)
                self.assertEqual(len(first_ids), 1)
                rows = self.database.column(
                    "SELECT id FROM meta_capi_event WHERE event_id = %s", key
                )
                self.assertEqual(len(rows), 1)
                other = self.database.column(
                    "SELECT id FROM meta_capi_event WHERE event_id = %s", f"{key}, too"
                )
                if end == "commit" and begin != "after the first has ended":
                    self.assertEqual(second_ids, other, "it cannot see the row")
                else:
                    self.assertEqual(second_ids, rows + other)
                self.assertEqual(rows == first_ids, end == "commit")

    # ------------------------------------------------------------------- concurrency

    def under_way(self, count=1):
        """Wait until so many requests are under way."""
        self.graph.wait_for(
            lambda: (
                sum(request.ending == "open" for request in self.graph.requests)
                == count
            )
        )

    def test_two_workers_send_each_event_of_a_pixel_once(self):
        self.make_events(2_500)
        self.graph.fail_always(slow(0.5))
        workers = [self.start(deliver, self.pixel_id) for _ in range(2)]
        self.under_way(2)
        for worker in workers:
            worker.result()
        self.assert_each_arrived_once(2_500)
        self.assert_all_sent(2_500)
        self.assertLessEqual(len(self.graph.requests), 10)

    def test_a_pixel_does_not_wait_for_another(self):
        other = "2048576102938475"
        self.graph.pixels[other] = {self.graph.token}
        self.call(give_pixel_to_website, other)
        self.addCleanup(self.call, give_pixel_to_website, False)
        self.make_events(3)
        self.make_events(3, "other")
        self.database.rows(
            "UPDATE meta_capi_event SET pixel_id = %s WHERE event_id LIKE 'other%%'",
            other,
        )
        self.graph.fail_always(hang(), pixel_id=self.pixel_id)
        self.start(deliver, self.pixel_id)
        self.under_way()
        self.call(deliver, other)
        self.assertEqual(self.count("state = 'sent'"), 3)
        self.under_way()

    # ----------------------------------------------------------------------- crashes

    def crash(self, function):
        """Have a delivery killed, and see that PostgreSQL has noticed."""
        self.start(function, self.pixel_id).wait_for_death()
        self.until(lambda: not self.locked(), "no row is locked")

    def assert_recovers(self, event_ids):
        """See that a normal delivery sends them all, after a request without outcome."""
        self.assertEqual(self.count("state = 'pending'"), len(event_ids))
        self.assertEqual(self.outcomes(), dict.fromkeys(event_ids, [None]))
        before = self.payloads()
        self.call(deliver, self.pixel_id)
        self.assert_all_sent(len(event_ids))
        self.assertEqual(self.payloads(), before)
        self.assertEqual(self.outcomes(), dict.fromkeys(event_ids, [None, "accepted"]))

    def payloads(self):
        return self.database.rows(
            "SELECT event_id, event_time, user_data, custom_data"
            " FROM meta_capi_event ORDER BY id"
        )

    def test_a_worker_killed_before_its_request_leaves_nothing_claimed(self):
        event_ids = self.make_events(20)
        self.crash(deliver_and_die_before_the_request)
        self.assertFalse(self.graph.requests)
        self.assert_recovers(event_ids)
        self.assert_each_arrived_once(20)

    def test_a_worker_killed_after_the_answer_has_the_same_events_sent_again(self):
        event_ids = self.make_events(20)
        self.crash(deliver_and_die_before_the_commit)
        self.assertEqual(len(self.graph.events), 20)
        self.assert_recovers(event_ids)
        first, second = (request.body["data"] for request in self.graph.requests)
        self.assertEqual(first, second)

    def test_a_worker_killed_while_meta_hangs_leaves_nothing_claimed(self):
        event_ids = self.make_events(20)
        self.graph.fail_next(hang())
        worker = self.start(deliver, self.pixel_id)
        self.under_way()
        worker.kill()
        self.until(lambda: not self.locked(), "no row is locked")
        self.assert_recovers(event_ids)
        first, second = (request.body["data"] for request in self.graph.requests)
        self.assertEqual(first, second)

    def test_an_event_that_may_have_arrived_two_days_ago_is_not_sent_again(self):
        self.make_events(20)
        self.crash(deliver_and_die_before_the_request)
        self.database.rows(
            "UPDATE meta_capi_attempt SET started_at = started_at - interval '49 hours'"
        )
        self.make_events(1, "young")
        self.call(deliver, self.pixel_id)
        self.assertEqual(
            self.count("failure_reason = 'expired' AND state = 'failed'"), 20
        )
        self.assertEqual(
            [event.event["event_id"] for event in self.graph.events], ["young0"]
        )

    # ------------------------------------------------------------------------- locks

    def test_a_hanging_request_locks_its_own_events_and_nothing_else(self):
        order_id = self.call(prepare_order)
        self.make_events(3)
        claimed = self.database.column("SELECT id FROM meta_capi_event")
        self.graph.fail_always(hang())
        self.start(deliver, self.pixel_id)
        self.under_way()
        self.assertEqual(self.locked(), set(claimed))
        for table in ("meta_capi_attempt", "meta_capi_pixel", "queue_job", "website"):
            self.assertEqual(self.locked(table), set(), table)

        with self.subTest("recording goes on, also under a key that is on its way"):
            (same, new) = self.call(record, ["e0", "new"])
            self.assertIn(same, claimed)
        with self.subTest("a click on an event that is on its way is told so"):
            for action in ("action_cancel", "action_send_now"):
                message, seconds = self.call(click, action, claimed)
                self.assertIn("being sent right now", message)
                self.assertLess(seconds, AT_ONCE)
        with self.subTest("a click on another event does what it says"):
            message, seconds = self.call(click, "action_cancel", [new])
            self.assertLess(seconds, AT_ONCE)
            self.assertEqual(self.count("state = 'cancelled'"), 1)
        with self.subTest("confirming an order opens no connection"):
            connections, seconds = self.call(confirm_order, order_id)
            self.assertEqual(connections, [])
            self.assertLess(seconds, AT_ONCE)
            self.assertEqual(
                self.database.rows(
                    "SELECT state, error_message FROM meta_capi_event"
                    " WHERE event_name = 'Purchase'"
                ),
                [("pending", None)],
            )
        self.under_way()
        self.assertEqual(self.locked(), set(claimed))
