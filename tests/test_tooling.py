import contextlib
import io
import tempfile
from pathlib import Path

from odoo.tests import BaseCase

from ..dev.odoo.log import Log
from ..dev.testing import everything, suite
from ..dev.testing.tally import Tally

DATE = "2026-01-02 03:04:05,678 12"
WARNING = f"{DATE} WARNING db odoo.addons.sale: This is deprecated.\n"
NOISE = [f"{DATE} INFO db odoo.http: {number}\n" for number in range(500)]


def said(function, *arguments):
    """Return the lines that a function of the tooling says."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        function(*arguments)
    return output.getvalue().splitlines()


class TestTooling(BaseCase):
    """What CI shows is enough to see what is wrong."""

    def log(self, lines):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        log = Log(Path(folder.name, "odoo.log"), quiet=True)
        log.follow(lines)
        return log

    def test_a_warning_is_the_last_thing_that_is_said(self):
        tally = Tally()
        log = self.log([WARNING, "a stack\n", *NOISE])
        lines = said(suite._check_log, log, "runs without a warning", tally)
        self.assertEqual(tally.failed, 1)
        self.assertTrue(lines[0].startswith("FAILED runs without a warning"))
        self.assertEqual(lines[1:], [f"    | {WARNING.rstrip()}", "    | a stack"])

    def test_of_many_warnings_the_first_twenty_are_said(self):
        tally = Tally()
        lines = said(suite._check_log, self.log([WARNING] * 30), "runs", tally)
        self.assertEqual(len([line for line in lines if "deprecated" in line]), 20)
        self.assertIn("10 lines more", lines[-1])

    def test_a_good_log_is_said_in_one_line(self):
        tally = Tally()
        lines = said(suite._check_log, self.log(NOISE), "runs without a warning", tally)
        self.assertEqual(lines, ["ok     runs without a warning"])
        self.assertEqual((tally.passed, tally.failed), (1, 0))

    def test_what_failed_is_said_again_at_the_end_of_all_runs(self):
        runs = [everything._Run("19.0", group, True) for group in ("slow", "quick")]
        bad, good = runs
        bad.lines = ["much", "FAILED this one", "1 passed, 1 failed"]
        good.lines = ["    test 3, TestShop.test_it", "done", "4 passed, 0 failed"]
        tally = Tally()
        lines = said(everything._report, runs, tally)
        self.assertEqual((tally.passed, tally.failed), (5, 1))
        self.assertEqual(lines[-2:], ["much", "FAILED this one"])
        self.assertEqual(lines.count("FAILED this one"), 2)
        self.assertEqual(lines.count("done"), 1)
        self.assertFalse([line for line in lines if "TestShop" in line])

    def test_a_run_that_ends_without_a_tally_has_failed(self):
        for lines in ([], ["Traceback"], ["12 passed"]):
            run = everything._Run("19.0", "slow", True, lines)
            tally = Tally()
            shown = said(everything._report, [run], tally)
            self.assertEqual(tally.failed, 1, lines)
            self.assertEqual(shown[-len(lines) :] if lines else [], lines)
