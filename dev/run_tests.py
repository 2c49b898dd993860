"""`make test`: the addon's suite in a real Odoo, its update and its removal."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import databases, environment, meta_sdk, postgres, sources
from .console import say, step
from .debian import install_system_package
from .environment import Environment
from .layout import ADDON, ODOO_SOURCES, ROOT, SERIES
from .odoo_log import Log
from .server import choose_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_UNINSTALL = Path(__file__).with_name("uninstall.py")


@dataclass
class Tally:
    """What is said on the last line."""

    passed: int = 0
    failed: int = 0

    def check(self, good: bool, what: str) -> None:
        self.passed += good
        self.failed += not good
        say(f"{'ok    ' if good else 'FAILED'} {what}")

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed

    @classmethod
    def read(cls, line: str) -> Tally:
        """Return what the last line of another run says; without one, it failed."""
        match = re.fullmatch(r"(\d+) passed, (\d+) failed", line)
        return cls(*map(int, match.groups())) if match else cls(failed=1)

    def close(self) -> int:
        """Print the last line, which others count by; return the exit code."""
        say(str(self))
        return 1 if self.failed else 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def have_browser() -> None:
    """See to a browser for the tests that need one; they are skipped without."""
    if any(map(shutil.which, _BROWSERS)):
        return
    if not install_system_package("chromium", "for the tests in a browser"):
        say("==> No Chromium or Chrome found: tests that need one will be skipped")


def test(series: str, tags: str | None = None) -> Tally:
    """Run the suite on one series, or only what ``tags`` selects of it."""
    start = time.monotonic()
    have_browser()
    odoo = environment.get(series)
    meta_sdk.get(odoo.venv)
    tally = Tally()
    with postgres.running() as cluster:
        odoo.write_config(cluster.socket)
        template = databases.template(odoo, cluster)
        with databases.clone(odoo, cluster, template, "test") as database:
            _run_suite(odoo, database, tags or f"/{ADDON}", tally)
            if not tags and not tally.failed:
                _update(odoo, database, tally)
                _uninstall(odoo, database, tally)
    say(f"Odoo {series}: {tally} in {time.monotonic() - start:.0f} s")
    return tally


def test_all(default: str) -> Tally:
    """Test the default series, then all others whose source is already here at once.

    Much of the suite waits for processes, so that two of them take little longer than
    one.
    """
    tally = test(default)
    others = [series for series in SERIES if series != default]
    here = [series for series in others if sources.find(series)]
    with ExitStack() as stack:
        runs = [stack.enter_context(_testing(series)) for series in here]
        for process, output in runs:
            process.wait()
            output.seek(0)
            lines = output.read().splitlines()
            say("\n".join(lines[:-1]))
            tally.add(Tally.read(lines[-1] if lines else ""))
    left_out = [series for series in others if series not in here]
    if left_out:
        say(f"Not tested, no source in {ODOO_SOURCES}: Odoo {', '.join(left_out)}")
    return tally


@contextmanager
def _testing(series: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Test a series in a process of its own, which ends with the block."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            (sys.executable, "-m", "dev", "test", "--odoo", series),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process, output
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _run_suite(odoo: Environment, database: str, tags: str, tally: Tally) -> None:
    log = Log(odoo.folder / "log" / "test.log")
    with step(f"Installing {ADDON} on Odoo {odoo.series} and testing {tags}"):
        code = databases.run_odoo(
            odoo,
            log,
            *("-c", odoo.config, "-d", database, "-i", ADDON),
            *("--test-enable", "--test-tags", tags, "--stop-after-init"),
            *("--http-port", str(choose_port(0))),
        )
    for test, reason in log.skipped.items():
        say(f"skipped {test}: {reason}")
    tally.passed += log.passed
    tally.failed += log.failed
    if not log.ran:
        log.show_end()
        tally.check(False, f"no test ran, see {log.path}")
    elif code and not log.failed:
        tally.check(False, f"Odoo's exit code is {code}, see {log.path}")
    elif not log.failed:
        _check_log(log, "installs and runs without a warning", tally)


def _update(odoo: Environment, database: str, tally: Tally) -> None:
    log = Log(odoo.folder / "log" / "update.log")
    code = databases.run_odoo(
        odoo,
        log,
        *("-c", odoo.config, "-d", database, "-u", ADDON),
        *("--stop-after-init", "--no-http"),
    )
    _check_log(log, "updates without a warning", tally, code)


def _uninstall(odoo: Environment, database: str, tally: Tally) -> None:
    log = Log(odoo.folder / "log" / "uninstall.log")
    code = databases.run_in_odoo(odoo, log, database, _UNINSTALL.read_text())
    _check_log(log, "uninstalls without a trace or a warning", tally, code)


def _check_log(log: Log, what: str, tally: Tally, code: int = 0) -> None:
    good = not log.bad and not code
    if code and not log.bad:
        log.show_end()
    tally.check(good, what if good else f"{what}: see {log.path}")
