"""`make simulate`: histories of a world of virtual time, as many as there is time for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from ..console import say
from ..layout import ADDON, ROOT
from . import core as core_tests

# Histories that one process plays before it says so: a few seconds.
_SHARE = 200

Broken = tuple[int, list[Any], list[str]]


def simulate(seed: int, count: int) -> int:
    """Play histories in an environment that has no Odoo; return the exit code."""
    python = core_tests.prepare()
    command = (python, "-m", __name__, str(seed), str(count))
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main(seed: int, count: int) -> int:
    """Play the histories of ``count`` seeds on all cores, until a promise is broken."""
    started = time.monotonic()
    shares = list(_shares(seed, count))
    played = 0
    with ProcessPoolExecutor() as pool:
        try:
            for (first, size), broken in zip(
                shares, pool.map(_search, *zip(*shares, strict=True)), strict=True
            ):
                if broken:
                    played += broken[0] - first + 1
                    return _tell(broken, played)
                played += size
                if played % (50 * _SHARE) == 0:
                    say(f"    {played} histories, {time.monotonic() - started:.0f} s")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    say(
        f"{played} histories played, seeds {seed} to {seed + count - 1}, in"
        f" {time.monotonic() - started:.0f} s: no promise was broken"
    )
    return 0


def _shares(seed: int, count: int) -> Iterator[tuple[int, int]]:
    for first in range(seed, seed + count, _SHARE):
        yield first, min(_SHARE, seed + count - first)


def _search(first_seed: int, count: int) -> Broken | None:
    core_tests.register_packages()
    histories = importlib.import_module(f"{ADDON}.tests.simulation.histories")
    found: Broken | None = histories.search(first_seed, count)
    return found


def _tell(broken: Broken, played: int) -> int:
    seed, actions, violations = broken
    say(f"{played} histories played; that of SEED={seed} breaks a promise:")
    for violation in violations:
        say(f"    {violation}")
    say(f"As lines for a test:\n\n{as_lines(seed, actions)}")
    return 1


def as_lines(seed: int, actions: Iterable[Any]) -> str:
    """Return a history as lines of a test in `tests/test_capi_simulation.py`."""
    lines = "\n".join(f"            {action}" for action in actions)
    return (
        f"        actions = [\n{lines}\n        ]\n"
        f"        self.assertEqual(play(actions, {seed}).violations(), [])"
    )


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
