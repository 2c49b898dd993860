"""Several groups of tests at once: `make test`, `make test-all`, and what CI runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO

from .. import tools
from ..console import say
from ..layout import ODOO_SOURCES, ROOT, SERIES
from ..odoo import postgres, sources
from ..odoo.log import PROGRESS
from .suite import GROUPS, have_browser
from .tally import Tally

# Seconds between two looks at what is under way, and between two signs of life.
_POLL = 0.5
_HEARTBEAT = 30
# Lines of what failed that are said again at the very end.
_SHOWN_AGAIN = 25


def test_ci(default: str) -> Tally:
    """Test the default series, and all others whose source is already here."""
    others = [series for series in SERIES if series != default]
    here = [series for series in others if sources.find(series)]
    tally = test_all((default, *here))
    left_out = [series for series in others if series not in here]
    if left_out:
        say(f"Not tested, no source in {ODOO_SOURCES}: Odoo {', '.join(left_out)}")
    return tally


def test_all(all_series: Sequence[str], groups: Collection[str] = GROUPS) -> Tally:
    """Run groups of tests on each of some series, each on a database of its own.

    Much of the suite waits for processes and for the browser: one run more than there
    are cores keeps them busy.
    """
    start = time.monotonic()
    runs = [
        _Run(series, group, is_first=series == all_series[0])
        for group in groups
        for series in all_series
    ]
    tally = Tally()
    # What all of them need is seen to by one.
    if "browser" in groups:
        have_browser()
    tools.uv()
    with postgres.running():
        _report(_carry_out(runs, (os.cpu_count() or 1) + 1), tally)
    say(f"{len(runs)} runs in {time.monotonic() - start:.0f} s")
    return tally


def _report(runs: Iterable[_Run], tally: Tally) -> None:
    """Say what each run has said; of those that failed, the end once more at the end."""
    ends: list[str] = []
    for run in runs:
        # How far it was is known by now.
        lines = [line for line in run.lines if not line.startswith(PROGRESS)]
        found = Tally.read(lines[-1] if lines else "")
        if lines and lines[-1] == str(found):
            lines.pop()
        tally.add(found)
        say("\n".join((f"==> {run}", *lines)))
        if found.failed:
            ends += [f"==> {run}, once more:", *lines[-_SHOWN_AGAIN:]]
    if ends:
        say("\n".join(ends))


@dataclass(eq=False)
class _Run:
    """The test of one group on one series, in a process of its own."""

    series: str
    group: str
    is_first: bool
    lines: list[str] = field(default_factory=list)
    _output: IO[bytes] = field(init=False)

    def __str__(self) -> str:
        return f"Odoo {self.series}, {self.group}"

    @contextmanager
    def under_way(self) -> Iterator[subprocess.Popen[bytes]]:
        """Have it run; it ends with the block, and what it has said is known then."""
        with tempfile.TemporaryFile() as self._output:
            # PostgreSQL is the same on each series: one plays them all.
            histories = {} if self.is_first else {"HISTORIES": "50"}
            process = subprocess.Popen(
                (sys.executable, "-m", "dev", "test", "--odoo", self.series)
                + ("--groups", self.group),
                cwd=ROOT,
                env=os.environ | histories,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
                self.lines = self._said()

    def _said(self) -> list[str]:
        # The place in the file is shared with the process that writes.
        size = os.fstat(self._output.fileno()).st_size
        said = os.pread(self._output.fileno(), size, 0)
        return said.decode(errors="replace").splitlines()

    def show(self) -> None:
        """Say how far it is."""
        last = (self._said() or [""])[-1]
        say(f"    {self}: {last.strip()}")


def _carry_out(runs: Sequence[_Run], at_once: int) -> Iterator[_Run]:
    """Yield each run when it has ended; at most so many are under way."""
    waiting, spoke_at = list(reversed(runs)), time.monotonic()
    under_way: dict[_Run, tuple[subprocess.Popen[bytes], ExitStack]] = {}
    with ExitStack() as everything:
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                run, stack = waiting.pop(), everything.enter_context(ExitStack())
                under_way[run] = stack.enter_context(run.under_way()), stack
            for run, (process, stack) in list(under_way.items()):
                if process.poll() is not None:
                    stack.close()
                    del under_way[run]
                    yield run
            if time.monotonic() - spoke_at >= _HEARTBEAT:
                spoke_at = time.monotonic()
                for run in under_way:
                    run.show()
            time.sleep(_POLL)
