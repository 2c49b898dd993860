"""The command line behind the Makefile: `python3 -m dev <command>`."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import layout
from .console import Problem, say


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what the person can put right is said in one sentence."""
    # SIGINT as well: a shell starts what is in the background with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        nohup = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
        if not nohup:
            signal.signal(number, _interrupt)
    options = _parser().parse_args(arguments)
    try:
        if options.odoo not in layout.SERIES:
            raise Problem(f"ODOO must be one of {', '.join(layout.SERIES)}.")
        layout.prepare()
        status: int = options.command(options)
        return status
    except Problem as problem:
        say(f"\n{problem}")
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        say("\nThe disk is full: free some space and run it again.")
    return 1


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@dataclass(frozen=True)
class _Command:
    """A command: what it does, and the function of ours that does it.

    Only that function's module is imported, so that no mistake in one breaks another.

    :param options: with their arguments for ``add_argument``; they are passed on by
        their names, after the series
    """

    help: str
    function: str
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wants_series: bool = True

    def __call__(self, options: argparse.Namespace) -> int:
        module, _, name = self.function.partition(":")
        function = getattr(importlib.import_module(f"dev.{module}"), name)
        names = [option.lstrip("-") for option in self.options]
        arguments = {name: getattr(options, name) for name in names}
        series = (options.odoo,) if self.wants_series else ()
        result = function(*series, **arguments)
        return int(result if isinstance(result, int) else result.close())


_NUMBERS = {"type": int, "nargs": "*", "default": (), "metavar": "NUMBER"}
_FLAG = {"action": "store_true"}

COMMANDS = {
    "test": _Command(
        "Run a group of the addon's tests in Odoo.",
        "testing.suite:test",
        {
            "--group": {"default": "quick", "help": "of tests (default: quick)"},
            "--tags": {"help": "Odoo's --test-tags, instead of a group"},
        },
    ),
    "test-all": _Command(
        "Run every group of the addon's tests on one series.",
        "testing.everything:test_series",
    ),
    "ci": _Command(
        "Run every group of tests on each series whose source is here.",
        "testing.everything:test_ci",
    ),
    "test-core": _Command(
        "Run the tests of capi/ without Odoo.", "testing.core:test", wants_series=False
    ),
    "simulate": _Command(
        "Play histories of delivery in virtual time, and shorten what breaks a promise.",
        "testing.simulate:simulate",
        {
            "--seed": {"type": int, "default": 0, "help": "of the first history"},
            "--count": {"type": int, "default": 100_000, "help": "of histories"},
        },
        wants_series=False,
    ),
    "demo": _Command(
        "Show an order become a Purchase in a real shop.",
        "demo:demo",
        {"--once": {**_FLAG, "help": "prove it, then exit"}},
    ),
    "chaos": _Command(
        "Break everything that can break, and count what is left.",
        "chaos.run:chaos",
        {"--seed": {"type": int, "help": "of a run to repeat"}, "--only": _NUMBERS},
    ),
    "bench": _Command(
        "Measure what recording and delivering cost.",
        "bench.run:bench",
        {
            "--size": {"choices": ("full", "medium", "smoke"), "default": "full"},
            "--rows": _NUMBERS,
        },
    ),
    "lint": _Command("Check the code.", "release.linting:lint", wants_series=False),
    "format": _Command(
        "Lay out the Python code.", "release.linting:format_code", wants_series=False
    ),
    "shell": _Command(
        "Open a Python prompt in Odoo, on the demo's database.", "odoo.by_hand:shell"
    ),
    "odoo": _Command(
        "Run Odoo with arguments of your own.",
        "odoo.by_hand:run_odoo",
        {"arguments": {"nargs": "*", "help": "what Odoo is told"}},
    ),
    "screenshots": _Command(
        "Take the pictures of a shop with a past.",
        "pictures.screenshots:screenshots",
        {
            "--target": {
                "type": Path,
                "help": "a folder (default: static/description/images)",
            }
        },
    ),
    "pot": _Command("Export the terms to translate.", "release.packaging:export_pot"),
    "release-check": _Command(
        "List what is not translated, and fail if there is anything.",
        "release.packaging:check_release",
    ),
    "dist": _Command(
        "Build the wheel.", "release.packaging:build_wheel", wants_series=False
    ),
    "clean": _Command(
        "Remove what the tooling made.",
        "odoo.by_hand:clean",
        {"--cache": _FLAG},
        wants_series=False,
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m dev", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        found = commands.add_parser(name, help=command.help)
        found.set_defaults(command=command)
        found.add_argument(
            "--odoo",
            metavar="SERIES",
            default=os.environ.get("ODOO") or layout.DEFAULT_SERIES,
            help=f"one of {', '.join(layout.SERIES)} (default: %(default)s)",
        )
        for option, arguments in command.options.items():
            found.add_argument(option, **arguments)
    return parser


if __name__ == "__main__":
    sys.exit(main())
