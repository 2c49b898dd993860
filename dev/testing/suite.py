"""`make test`: the addon's suite in a real Odoo, its update and its removal."""

from __future__ import annotations

import time
from pathlib import Path

from ..console import say, step
from ..layout import ADDON, exclusive
from ..odoo import databases, debian, environment
from ..odoo.environment import Environment
from ..odoo.log import Log
from ..odoo.server import choose_port
from . import meta_sdk
from .tally import Tally

# What is tested apart from the rest, by the tag of its classes.
_APART = ("processes", "browser", "apps", "slow", "requests")
# What can be run by itself, in Odoo's words: the longest first, so that nothing long is
# begun when all else is done. tests/test_groups.py sees to it that each test is in one
# of them, and in one only. Those that make requests are by themselves because Odoo builds
# all assets before it runs the first of them. Those of apps have a database of their own.
GROUPS = {
    **{tag: f"{tag}/{ADDON}" for tag in _APART},
    "quick": ",".join((f"/{ADDON}", "-at_install", *(f"-{tag}" for tag in _APART))),
    # What needs no shop: it runs while the addon is being installed.
    "pure": f"at_install/{ADDON}",
}
QUICK = ("quick", "requests", "pure")
_UNINSTALL = Path(__file__).with_name("uninstall.py")


def have_browser() -> None:
    """See to a browser for the tests that need one; they are skipped without."""
    with exclusive("browser"):
        if not debian.browser():
            say("==> No Chromium or Chrome found: tests that need one will be skipped")


def test(series: str, group: str, tags: str | None = None) -> Tally:
    """Run a group of tests on one series, or only what ``tags`` selects.

    The update and the removal of the addon take as long as a slow test, and are tried
    with those.
    """
    start = time.monotonic()
    name = "test" if tags else group
    if tags or group == "browser":
        have_browser()
    odoo = environment.get(series)
    meta_sdk.get(odoo.venv)
    tally = Tally()
    with databases.fresh(odoo, name, with_apps=group == "apps") as (_cluster, database):
        log = Log(odoo.folder / "log" / f"{name}.log")
        _run_suite(odoo, log, database, tags or GROUPS[group], tally)
        if not tags and group == "slow" and not tally.failed:
            _update(odoo, database, tally)
            _uninstall(odoo, database, tally)
    say(f"Odoo {series}, {name}: {tally} in {time.monotonic() - start:.0f} s")
    return tally


def _run_suite(
    odoo: Environment, log: Log, database: str, tags: str, tally: Tally
) -> None:
    with step(f"Installing {ADDON} on Odoo {odoo.series} and testing {tags}"):
        options = ("--test-enable", "--test-tags", tags)
        port = ("--http-port", str(choose_port()))
        code = databases.load(odoo, log, database, "-i", ADDON, *options, *port)
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
    else:
        # What failed was shown at once, but much may have been said since.
        log.show_bad()


def _update(odoo: Environment, database: str, tally: Tally) -> None:
    log = Log(odoo.folder / "log" / "update.log")
    code = databases.load(odoo, log, database, "-u")
    _check_log(log, "updates without a warning", tally, code)


def _uninstall(odoo: Environment, database: str, tally: Tally) -> None:
    log = Log(odoo.folder / "log" / "uninstall.log")
    code = databases.run_in_odoo(odoo, log, database, _UNINSTALL.read_text())
    _check_log(log, "uninstalls without a trace or a warning", tally, code)


def _check_log(log: Log, what: str, tally: Tally, code: int = 0) -> None:
    good = not log.bad and not code
    tally.check(good, what if good else f"{what}: see {log.path}")
    if log.bad:
        log.show_bad()
    elif code:
        log.show_end()
