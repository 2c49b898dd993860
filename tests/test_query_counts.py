import re
import time
from contextlib import contextmanager
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import Cursor
from odoo.tests import tagged
from odoo.tools import SQL

from ..capi.states import Plan
from ..dev.bench import data as bench_data
from ..models.outbox import pixel_outbox
from ..models.settings import setting
from .common import MetaCapiCase


@tagged("post_install", "-at_install")
class TestQueryCounts(MetaCapiCase):
    """What the hot paths ask of PostgreSQL, statement by statement."""

    def setUp(self):
        super().setUp()
        # What a process looks up once.
        self.record(event_id="first")
        self.deliver()
        self.graph.clear()

    @contextmanager
    def statements(self):
        """Give the statements that are executed, as in a new transaction."""
        found = []
        execute = Cursor.execute

        def note(cursor, query, params=None, log_exceptions=True):
            found.append(query)
            return execute(cursor, query, params, log_exceptions)

        self.env.flush_all()
        self.env.invalidate_all()
        with patch.object(Cursor, "execute", note):
            yield found
            self.env.flush_all()

    def record_purchases(self, count, first=0):
        return self.api.send_events(
            [bench_data.purchase(number) for number in range(first, first + count)]
        )

    def let_a_job_wait(self):
        key, *_others = self.job._job_keys(self.pixel_id)
        delay = self.env["meta.capi.config"]._get(setting.BATCH_DELAY)
        eta = fields.Datetime.add(fields.Datetime.now(), seconds=delay)
        self.env.cr.execute(
            "INSERT INTO queue_job (uuid, state, identity_key, eta, date_created)"
            " VALUES ('bench', 'pending', %s, %s, now() - interval '1 minute')",
            [key, eta],
        )

    def test_recording_takes_four_statements_while_a_job_waits(self):
        # The savepoint, the row, its end, and the look for the job.
        self.let_a_job_wait()
        with self.statements() as found:
            self.api.send_event(**bench_data.purchase(1))
        self.assertEqual(len(found), 4, list(map(self.kind, found)))

    def test_recording_reads_no_more_the_more_has_left_the_log(self):
        self.env.cr.execute(
            "INSERT INTO meta_capi_once (event_name, event_id)"
            " SELECT 'Purchase', number::text FROM generate_series(1, 5000) number"
        )
        before = self.rows_read("meta_capi_once")
        self.record_purchases(3)
        self.assertLess(self.rows_read("meta_capi_once") - before, 10)

    def test_a_claim_reads_no_more_the_more_requests_and_browsers_there_are(self):
        order = self.order()
        self.env["meta.capi.browser"]._upsert(
            order, {"consent": True, "fbp": "fb.1.1.1"}
        )
        self.api.send_events(
            [{**bench_data.purchase(number), "origin": order} for number in range(200)]
        )
        self.env.cr.execute(
            "INSERT INTO meta_capi_attempt"
            " (started_at, pixel_id, event_count, carried, outcome, arrived)"
            " SELECT now(), 'another', 1, ARRAY[-number], 'accepted', true"
            "   FROM generate_series(1, 5000) number"
        )
        self.env.cr.execute(
            "INSERT INTO meta_capi_browser (res_model, res_id)"
            " SELECT 'sale.order', -number FROM generate_series(1, 5000) number"
        )
        tables = ("meta_capi_attempt", "meta_capi_browser")
        for table in tables:
            self.env.cr.execute(SQL("ANALYZE %s", SQL.identifier(table)))
        before = [self.rows_read(table) for table in tables]
        pixel = self.env["meta.capi.pixel"]._outbox(self.pixel_id)
        claimed, _more = pixel.claim(Plan(200), self.job._now(), None)
        self.assertEqual(len(claimed), 200)
        for table, rows in zip(tables, before, strict=True):
            with self.subTest(table):
                self.assertLess(self.rows_read(table) - rows, 100)

    def rows_read(self, table):
        """Return how many rows this transaction has read of a table one by one."""
        self.env.cr.execute(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = %s",
            [table],
        )
        return self.env.cr.fetchone()[0]

    def test_a_thousand_events_take_as_many_statements_as_one(self):
        self.let_a_job_wait()
        with self.statements() as found:
            self.record_purchases(1000)
        self.assertEqual(len(found), 4, list(map(self.kind, found)))

    def test_a_national_number_without_a_country_asks_for_the_company_s(self):
        self.let_a_job_wait()
        arguments = bench_data.purchase(1)
        del arguments["user_data"]["country"]
        with self.statements() as found:
            self.api.send_event(**arguments)
        self.assertGreater(len(found), 4)

    def test_a_purchase_asks_nothing_that_whoever_confirms_its_order_knows(self):
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = True
        record = type(self.api)._record_for_action
        span = []

        def note(api, action, records):
            span.append(len(found))
            result = record(api, action, records)
            span.append(len(found))
            return result

        first, order = self.order(), self.order()
        first.action_confirm()
        self.deliver()
        self.let_a_job_wait()
        with (
            patch.object(type(self.api), "_record_for_action", note),
            self.statements() as found,
        ):
            order.action_confirm()
        start, end = span
        tables = [
            re.search(r'(?:FROM|INTO|UPDATE) "?(\w+)', getattr(one, "code", one))
            for one in found[start:end]
        ]
        asked = [table[1] for table in tables if table]
        self.assertIn("meta_capi_event", asked)
        self.assertEqual(len(asked), len(set(asked)), asked)
        # Of a website Odoo reads a hundred columns for one of ours.
        self.assertNotIn("website", asked)
        # Of a customer without an account the ORM reads no user.
        for one in found[start:end]:
            self.assertNotIn('FROM "res_users"', getattr(one, "code", one))
        self.assertNotIn("sale_order_line", asked)
        self.assertNotIn("res_partner_res_partner_category_rel", asked)

    def test_a_request_takes_as_many_statements_whatever_it_carries(self):
        counts = []
        for size in (2, 300):
            self.record_purchases(size, first=1000 * size)
            with self.statements() as found:
                self.delivery._deliver_batch(self.pixel_id)
            counts.append([self.kind(statement) for statement in found])
        self.assertEqual(len(self.graph.requests), 2)
        self.assertEqual(counts[0], counts[1])

    def test_a_request_reads_locks_announces_and_settles_with_one_statement_each(self):
        self.record_purchases(300)
        with self.statements() as found:
            self.delivery._deliver_batch(self.pixel_id)
        ours = [
            kind
            for kind in map(self.kind, found)
            if "meta_capi_" in kind and "meta_capi_pixel" not in kind
        ]
        self.assertEqual(
            ours,
            [
                # One event tells which others go with it, and how large they are.
                "SELECT meta_capi_event FOR NO KEY UPDATE",
                "SELECT meta_capi_event FOR NO KEY UPDATE",
                # Are there more?
                "SELECT meta_capi_event",
                "INSERT meta_capi_attempt",
                "UPDATE meta_capi_attempt",
                "UPDATE meta_capi_event",
            ],
        )

    def test_behind_a_full_request_nothing_looks_for_others(self):
        self.record_purchases(1000)
        with self.statements() as found:
            step = self.delivery._deliver_batch(self.pixel_id)
        self.assertTrue(step.more)
        self.assertLess(step.sent, 1000)
        self.assertNotIn("SELECT meta_capi_event", map(self.kind, found))

    @staticmethod
    def kind(statement):
        """Return what a statement does to which table first, or locks in which."""
        words = getattr(statement, "code", statement).replace('"', " ").split()
        verbs = ("SELECT", "INSERT", "UPDATE", "DELETE", "SAVEPOINT", "RELEASE")
        verb = next((word for word in words if word in verbs), words[0])
        tables = [word.rstrip(",;") for word in words if word.startswith("meta_capi_")]
        if "SKIP" in words:
            return f"{verb} {tables[-1]} FOR NO KEY UPDATE"
        return " ".join((verb, *tables[:1]))

    def test_no_event_is_read_twice_to_fill_a_request(self):
        self.record_purchases(1000)
        read = []
        to_claimed = pixel_outbox._to_claimed

        def note(event_id, *columns):
            read.append(event_id)
            return to_claimed(event_id, *columns)

        with patch.object(pixel_outbox, "_to_claimed", note):
            self.deliver()
        sizes = [len(request.raw) for request in self.graph.requests]
        self.assertEqual(len(sizes), 2)
        self.assertTrue(950_000 < sizes[0] <= 1_000_000, sizes)
        self.assertEqual(sorted(read), sorted(set(read)))

    def test_events_much_larger_than_the_first_are_put_back(self):
        small = self.record(event_id="small", event_time=int(time.time()) - 60)
        self.record_purchases(5)
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_event SET custom_data = %s::jsonb WHERE id > %s",
                '{"value": 1, "currency": "EUR", "note": "%s"}' % ("x" * 400_000),
                small.id,
            )
        )
        self.deliver()
        self.assertEqual(
            [len(request.body["data"]) for request in self.graph.requests], [3, 2, 1]
        )

    def test_a_claim_reads_in_the_order_of_its_index_and_sorts_nothing(self):
        self.record_purchases(500)
        self.env.cr.execute("ANALYZE meta_capi_event")
        pixel = self.env["meta.capi.pixel"]._outbox(self.pixel_id)
        with self.statements() as found:
            pixel.claim(Plan(100), self.job._now(), None)
        claims = [s for s in found if "SKIP LOCKED" in getattr(s, "code", "")]
        self.assertEqual(len(claims), 2)
        for claim in claims:
            self.env.cr.execute(SQL("EXPLAIN %s", claim))
            plan = "\n".join(line for (line,) in self.env.cr.fetchall())
            self.assertIn("meta_capi_event_pending", plan)
            self.assertNotIn("Sort", plan)
