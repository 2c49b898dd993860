"""What is kept of runs of `make bench`, and told of them."""

import json
import tempfile
from pathlib import Path
from unittest.mock import patch

from ..dev.bench import report
from ..dev.bench.figures import FULL, HUGE, figure_of

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase


class TestKeptRuns(BaseCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name in ("RESULTS", "PAGE", "SCALING"):
            patcher = patch.object(report, name, Path(folder.name, name))
            patcher.start()
            self.addCleanup(patcher.stop)

    def keep(self, size, day, rows, milliseconds):
        """Keep a run of some rows that has measured the same everywhere."""
        figures = [figure_of(row, size, step="recording") for row in rows]
        for figure in figures:
            figure.pairs.append((milliseconds, milliseconds))
        machine = {"cpu": "Z80", "cores": 1, "memory_gb": 1, "kernel": "7"}
        run = {
            **{"date": f"2027-01-0{day}", "size": size.name, "load": "0"},
            **{"machine": machine, "versions": {}, "receiver_events_per_second": 1},
            "rows": report.as_data(figures),
        }
        report.keep("19.0", run)
        kept = json.loads(report.RESULTS.read_text())["19.0"]["rows"]
        return {row["row"]: (row["what"], row["measured"]) for row in kept}

    def test_the_largest_log_s_rows_stay_until_they_are_measured_so_again(self):
        small = "recording with 1,000,000 finished rows"
        large = "recording with 10,000,000 finished rows"
        for day, (size, rows, expected) in enumerate(
            (
                (FULL, ("1", "8a"), (small, 1)),
                (HUGE, ("8a",), (large, 2)),
                (FULL, ("1", "8a"), (large, 2)),
                (HUGE, ("1", "8a"), (large, 4)),
                (FULL, ("1",), (large, 4)),
            ),
            start=1,
        ):
            with self.subTest(day=day):
                kept = self.keep(size, day, rows, day)
                self.assertEqual(kept["8a"], expected)
                # What does not depend on the log is measured anew by either.
                if "1" in rows:
                    self.assertEqual(kept["1"][1], day)

    def test_the_page_tells_when_and_at_which_size_the_others_were_measured(self):
        self.keep(FULL, 1, ("1", "3"), 1)
        self.keep(HUGE, 2, ("8a",), 1)
        page = report.PAGE.read_text()
        self.assertIn("2027-01-02, size *huge*, load 0", page)
        self.assertIn(
            "- Measured on 2027-01-01, size *full*, by the same means: rows 1, 3.", page
        )
