import contextlib
import io
import math
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from odoo.tests import BaseCase, tagged

from ..dev.bench.figures import SMOKE
from ..dev.bench.rig import Rig
from ..dev.bench.run import measure
from .processes import installation, shop

SERIES = "19.0"


@tagged("post_install", "-at_install", "processes")
class TestBench(BaseCase):
    """The smallest form of `make bench`: that each of its rows still measures."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if installation().series != SERIES:
            raise SkipTest(f"one series will do, {SERIES}")
        cls.database = shop("bench")
        cls.addClassCleanup(cls.database.drop)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def test_every_row_gives_a_number(self):
        odoo = installation()
        rig = Rig(
            command=odoo.command,
            python=sys.executable,
            database=self.database.name,
            dsn={
                "host": odoo.options["db_host"],
                "port": odoo.options["db_port"],
                "user": odoo.options["db_user"],
                "dbname": self.database.name,
            },
            sql=self.sql,
            folder=self.folder,
        )
        with contextlib.redirect_stdout(io.StringIO()), rig.running():
            run = measure(rig, SMOKE)
        numbers = {row["row"]: row["value"] for row in run["rows"]}
        self.assertLessEqual(
            {
                *("1", "2", "3", "4a", "4b", "5", "7", "8a", "8k", "9"),
                *("10", "10b", "11a", "12", "14a", "14b", "14c", "15a", "15d"),
            },
            numbers.keys(),
        )
        for row, number in numbers.items():
            with self.subTest(row=row):
                self.assertTrue(math.isfinite(number), number)

    def sql(self, statement):
        return [str(value) for (value,) in self.database.rows(statement) or ()]
