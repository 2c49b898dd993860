import contextlib
import io
import tempfile
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..dev.chaos import shop as chaos_shop
from ..dev.chaos.audit import possible_counts
from ..dev.chaos.storm import Storm, storm
from ..dev.console import Problem
from ..dev.sandbox import GraphSandbox
from ..dev.testing.tally import Tally
from .processes import installation, shop

SEED = 1


@tagged("post_install", "-at_install", "processes")
class TestChaos(BaseCase):
    """The short form of `make chaos`: the same code with small numbers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.database = shop("chaos")
        cls.addClassCleanup(cls.database.drop)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.log = Path(folder.name, "server.log")
        cls.graph = GraphSandbox(seed=SEED)
        cls.addClassCleanup(cls.graph.stop)
        cls.graph.start()

    def test_storm(self):
        size = Storm(
            events=300,
            transactions=30,
            poisoned=2,
            kills=3,
            restarts=0,
            seconds=6,
            failing=0.25,
            thorough=False,
        )
        with self._shop() as shop:
            self._judge(storm, shop, size)

    def _shop(self):
        return _serving(self.database, self.graph, self.log)

    def _judge(self, scenario, shop, *arguments):
        """Run a scenario, and fail with its own words."""
        tally, said = Tally(), io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                scenario(shop, SEED, tally, *arguments)
            except Problem as problem:
                tally.check(False, str(problem))
        self.assertFalse(tally.failed, said.getvalue())


@tagged("post_install", "-at_install")
class TestAudit(BaseCase):
    """What `make chaos` wants an event's number of tries to be."""

    def test_tries_are_those_that_may_have_failed_by_the_event(self):
        for story, least, most in (
            ([], 0, 0),
            ([("accepted", 100)], 1, 1),
            ([("refused", 100), ("refused", 50), ("accepted", 25)], 1, 1),
            ([("refused", 2), ("refused", 1)], 1, 1),
            ([("stopped", 1), ("throttled", 9), ("early", 9), ("accepted", 9)], 1, 1),
            ([("transient", 100), ("accepted", 100)], 1, 2),
            ([("ambiguous", 100), ("transient", 50), ("transient", 1)], 0, 1),
            ([("unknown", 1), ("unknown", 1)], 0, 2),
            # Refused alone, then retried by hand: another life.
            ([("transient", 1), ("refused", 1), ("accepted", 1)], 1, 1),
        ):
            with self.subTest(story=story):
                steps = [{"outcome": name, "event_count": n} for name, n in story]
                self.assertEqual(possible_counts(steps), range(least, most + 1))


@contextlib.contextmanager
def _serving(database, graph, log):
    """Start Odoo on the database, and connect it to the sandbox."""
    odoo = installation()

    def sql(statement):
        return [str(value) for (value,) in database.rows(statement) or ()]

    def notify(statement):
        connection = odoo.connect("postgres")
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()
        return []

    shop = chaos_shop.Shop(odoo.command, database.name, sql, notify, graph, log)
    with contextlib.redirect_stdout(io.StringIO()), shop.serving():
        shop.configure()
        yield shop
