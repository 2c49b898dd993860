"""What an update does to tables that a shop writes to meanwhile."""

import ast
import threading
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo import sql_db
from odoo.tests import TransactionCase, tagged
from odoo.tools import convert_file, mute_logger

from ..models.common import schema
from ..models.documents import base as base_model
from ..models.outbox import meta_capi_event

ADDON = "ih_meta_conversions_api"
TABLE = "meta_capi_test_schema"
# What keeps others from writing to a table.
BLOCKING = (
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)


@tagged("post_install", "-at_install")
class TestNothingLacks(TransactionCase):
    def test_an_update_that_finds_all_there_keeps_nobody_from_writing(self):
        for name in self.registry:
            if name.startswith("meta.capi."):
                self.env[name].init()
        self.env.cr.execute(
            "SELECT DISTINCT relation::regclass::text, mode FROM pg_locks"
            " WHERE pid = pg_backend_pid() AND mode = ANY(%s)"
            " AND relation::regclass::text LIKE 'meta%%'",
            [list(BLOCKING)],
        )
        self.assertEqual(self.env.cr.fetchall(), [])

    def test_an_update_of_ours_lets_go_of_each_table_before_the_next_model(self):
        for module, is_install, expected in (
            (ADDON, False, 1),
            (ADDON, True, 0),
            ("sale", False, 0),
        ):
            with (
                self.subTest(module=module, is_install=is_install),
                patch.object(self.registry, "_is_install", is_install, create=True),
                patch.object(base_model, "commit_schema") as commit,
            ):
                # A model without a table: there is nothing to be made.
                self.env["base"].with_context(module=module)._auto_init()
                self.assertEqual(commit.call_count, expected)


@tagged("post_install", "-at_install")
class TestFiles(TransactionCase):
    def test_the_first_file_of_an_update_lets_go_of_the_tables(self):
        manifest = Path(__file__).parents[1].joinpath("__manifest__.py").read_text()
        first = ast.literal_eval(manifest)["data"][0]
        with patch.object(meta_capi_event, "commit_if_shared") as commit:
            convert_file(self.env, ADDON, first, {}, "update")
        commit.assert_called_once_with(self.env.cr, "meta_capi_event")


@tagged("post_install", "-at_install")
class TestIndexes(TransactionCase):
    """On a table of its own, with transactions that are committed."""

    def setUp(self):
        super().setUp()
        with self.cursor() as cr:
            cr.execute(f"DROP TABLE IF EXISTS {TABLE}")
            cr.execute(f"CREATE TABLE {TABLE} (name varchar)")
        self.addCleanup(self.drop)

    def drop(self):
        with self.cursor() as cr:
            cr.execute(f"DROP TABLE IF EXISTS {TABLE}")

    @contextmanager
    def cursor(self):
        with sql_db.db_connect(self.env.cr.dbname).cursor() as cr:
            cr.execute("SET LOCAL lock_timeout = '2s'")
            yield cr

    def write(self, name):
        with self.cursor() as cr:
            cr.execute(f"INSERT INTO {TABLE} VALUES (%s)", [name])

    def create(self, **options):
        with sql_db.db_connect(self.env.cr.dbname).cursor() as cr:
            schema.create_indexes(cr, TABLE, {"name": "(name)"}, **options)

    def indexes(self):
        with self.cursor() as cr:
            cr.execute(
                "SELECT indexrelid::regclass::text, indisvalid, indisunique FROM pg_index"
                " WHERE indrelid = %s::regclass",
                [TABLE],
            )
            return cr.fetchall()

    def test_others_write_while_an_index_is_made(self):
        making = threading.Thread(target=self.create)
        with self.cursor() as slow:
            slow.execute(f"INSERT INTO {TABLE} VALUES ('slow')")
            making.start()
            # It waits for the slow one, and nobody waits for it.
            making.join(0.5)
            self.assertTrue(making.is_alive())
            self.write("quick")
        making.join(30)
        self.assertEqual(self.indexes(), [(f"{TABLE}_name", True, False)])

    def test_one_that_was_interrupted_is_made_anew(self):
        self.write("twin")
        self.write("twin")
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            self.create(is_unique=True)
        self.assertEqual(self.indexes(), [(f"{TABLE}_name", False, True)])
        with self.cursor() as cr:
            cr.execute(f"DELETE FROM {TABLE}")
        self.create(is_unique=True)
        self.assertEqual(self.indexes(), [(f"{TABLE}_name", True, True)])

    def test_what_others_see_is_committed(self):
        with self.cursor() as cr:
            self.assertTrue(schema.commit_if_shared(cr, TABLE))
            cr.execute(f"ALTER TABLE {TABLE} ADD COLUMN other int4")
            self.assertTrue(schema.commit_if_shared(cr, TABLE))
            self.write("while the update goes on")

    def test_at_the_installation_nothing_is_committed(self):
        self.drop()
        with sql_db.db_connect(self.env.cr.dbname).cursor() as cr:
            cr.execute(f"CREATE TABLE {TABLE} (name varchar)")
            schema.create_indexes(cr, TABLE, {"name": "(name)"})
            cr.execute("SELECT to_regclass(%s)::text", [f"{TABLE}_name"])
            self.assertEqual(cr.fetchone(), (f"{TABLE}_name",))
            cr.rollback()
            cr.execute("SELECT to_regclass(%s)", [TABLE])
            self.assertEqual(cr.fetchone(), (None,))
