import contextlib
import os
import resource
import signal
import time

from odoo.tests import tagged

from .processes import installation
from .test_bench import SERIES
from .test_processes import DeliveryCase, ServedCase

# A shop of some size, in the days that Meta still takes; on one series, that will do.
ORDERS = 10_000 if installation().series == SERIES else 1_000
CUSTOMERS = 100
# Of ``ORDERS`` one in so many was made without consent, and is too old.
REFUSED_EVERY, OLD_EVERY = 10, 100
# Seconds that no job may take.
LONGEST = 30

# ----------------------------------------------------------------- what processes run


def prepare_template(env):
    """Make one order of the website with two products, and customers."""
    products = env["product.product"].create(
        [{"name": name, "list_price": 100.0} for name in ("Desk", "Chair")]
    )
    customers = env["res.partner"].create(
        [
            {"name": f"Jane Doe{chr(97 + number % 26)}", "email": f"j{number}@a.com"}
            for number in range(CUSTOMERS)
        ]
    )
    order = env["sale.order"].create(
        {
            "partner_id": customers[0].id,
            "website_id": env["website"].search([], limit=1).id,
            "order_line": [
                (0, 0, {"product_id": product.id, "product_uom_qty": 2})
                for product in products
            ],
        }
    )
    env.flush_all()
    return order.id, customers.ids


def count_earlier(env):
    """Press Count, as a person does; return the id and the seconds it took."""
    backfill = env["meta.capi.backfill"].create({"since": "2020-01-01 00:00:00"})
    started = time.monotonic()
    backfill.action_count()
    env.cr.commit()
    return backfill.id, time.monotonic() - started


def press(env, name, backfill_id):
    backfill = env["meta.capi.backfill"].browse(backfill_id)
    getattr(backfill, name)()
    return backfill.state


def results(env, backfill_id):
    backfill = env["meta.capi.backfill"].browse(backfill_id)
    return {
        result.cause or result.verdict: result.order_count
        for result in backfill.result_ids
    }


def work_alone(env, backfill_id):
    """Do all the work in this process; return its memory in KB after each part of it."""
    backfill = env["meta.capi.backfill"].browse(backfill_id)
    sizes = []
    env.cr.commit()
    while backfill.state in ("counting", "sending"):
        backfill._work_until(time.monotonic() + 2)
        env.cr.rollback()
        env.invalidate_all()
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return sizes


class EarlierCase(DeliveryCase):
    batch_delay = 5

    def setUp(self):
        super().setUp()
        self.database.rows("TRUNCATE meta_capi_backfill, meta_capi_browser CASCADE")
        self.database.rows("DELETE FROM sale_order_line")
        self.database.rows("DELETE FROM sale_order")

    def make_orders(self, count):
        """Have confirmed orders of the last days, each of a minute of its own."""
        template, customers = self.call(prepare_template)
        self.copy(
            "sale_order",
            f"CROSS JOIN generate_series(1, {count}) AS number WHERE origin.id = {template}",
            id="nextval('sale_order_id_seq')",
            name="'P' || number",
            state="'sale'",
            meta_capi_event_id="gen_random_uuid()::text",
            access_token="NULL",
            partner_id=f"(ARRAY{customers})[number % {len(customers)} + 1]",
            date_order=f"now() AT TIME ZONE 'UTC' - CASE number % {OLD_EVERY}"
            " WHEN 0 THEN interval '9 days' ELSE number * interval '30 seconds' END",
        )
        self.copy(
            "sale_order_line",
            "JOIN sale_order made ON made.state = 'sale'"
            f" WHERE origin.order_id = {template}",
            id="nextval('sale_order_line_id_seq')",
            order_id="made.id",
            state="'sale'",
        )
        self.database.rows(
            "INSERT INTO meta_capi_browser (res_model, res_id, consent)"
            f" SELECT 'sale.order', id, substr(name, 2)::int % {REFUSED_EVERY} <> 1"
            " FROM sale_order WHERE state = 'sale'"
        )
        self.database.rows("ANALYZE")
        old, refused = count // OLD_EVERY, count // REFUSED_EVERY
        return {
            "ready": count - old - refused,
            "too_old": old,
            "no_consent": refused,
        }

    def copy(self, table, source, **expressions):
        """Insert rows that are like ``origin``, but for some columns."""
        columns = self.database.column(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s",
            table,
        )
        values = [expressions.get(name, f'origin."{name}"') for name in columns]
        names = ", ".join(f'"{name}"' for name in columns)
        self.database.rows(
            f"INSERT INTO {table} ({names})"
            f" SELECT {', '.join(values)} FROM {table} AS origin {source}"
        )

    def state(self, backfill_id):
        return self.database.value(
            "SELECT state FROM meta_capi_backfill WHERE id = %s", backfill_id
        )

    def recorded(self):
        return self.count("event_name = 'Purchase' AND state IN ('pending', 'sent')")


@tagged("post_install", "-at_install", "processes")
class TestEarlierByJobs(ServedCase, EarlierCase):
    def test_thousands_of_orders_stopped_killed_and_begun_again_are_each_sent_once(
        self,
    ):
        expected = self.make_orders(ORDERS)
        begun = time.monotonic()
        backfill_id, seconds = self.call(count_earlier)
        self.assertLess(seconds, LONGEST / 2)
        self.until(lambda: self.state(backfill_id) == "counted", "it is counted")
        counting = time.monotonic() - begun
        self.assertEqual(self.call(results, backfill_id), expected)
        self.assertEqual(self.count(), 0)

        begun = time.monotonic()
        self.call(press, "action_send", backfill_id)
        self.until(lambda: self.recorded() > expected["ready"] // 4, "a quarter")
        self.call(press, "action_stop", backfill_id)
        self.until(lambda: not self.at_work(), "the slice under way has ended")
        stopped_at = self.recorded()
        self.assertLess(stopped_at, expected["ready"])
        self.assertEqual(self.state(backfill_id), "stopped")

        self.call(press, "action_go_on", backfill_id)
        self.until(lambda: self.recorded() > expected["ready"] // 2, "half")
        killed = self.until(self.kill_one, "a worker is killed in the middle")
        self.assertTrue(killed)
        self.until(lambda: self.state(backfill_id) == "done", "all is recorded")
        sending = time.monotonic() - begun
        self.assertGreaterEqual(self.recorded(), stopped_at)
        self.assertEqual(
            self.call(results, backfill_id),
            {
                "recorded": expected["ready"],
                "too_old": expected["too_old"],
                "no_consent": expected["no_consent"],
            },
        )
        self.until(
            lambda: self.count("state = 'sent'") == expected["ready"], "all are sent"
        )
        self.assert_each_arrived_once(expected["ready"])
        longest = self.database.value(
            "SELECT max(exec_time) FROM queue_job WHERE method_name = '_run_slice'"
        )
        self.assertLess(longest, LONGEST)
        print(
            f"    {ORDERS} earlier orders: Count answers after {seconds:.1f} s, counted"
            f" in {counting:.0f} s, sent in {sending:.0f} s with a stop and a kill,"
            f" longest job {longest:.1f} s"
        )

    def at_work(self):
        return self.count_jobs(
            "method_name = '_run_slice' AND state NOT IN ('done', 'failed')"
        )

    def kill_one(self):
        """Kill the worker that is at a slice; tell whether there was one."""
        pids = self.database.column(
            "SELECT worker_pid FROM queue_job WHERE method_name = '_run_slice'"
            " AND state = 'started'"
        )
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False


@tagged("post_install", "-at_install", "processes")
class TestEarlierAlone(EarlierCase):
    def test_the_memory_of_a_process_that_does_it_all_stays_flat(self):
        expected = self.make_orders(2_000)
        backfill_id, _seconds = self.call(count_earlier)
        counting = self.call(work_alone, backfill_id)
        self.call(press, "action_send", backfill_id)
        sending = self.call(work_alone, backfill_id)
        self.assertEqual(self.recorded(), expected["ready"])
        for what, sizes in (("counting", counting), ("sending", sending)):
            added = sizes[-1] - sizes[0]
            print(f"    memory added by {what} 2000 orders: {added / 1024:.1f} MB")
            self.assertLess(added, 40_000, sizes)
