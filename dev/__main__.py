"""The command line behind the Makefile: `python3 -m dev <command>`."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

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
        return int(options.command(options))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m dev", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(
        function: Callable[[argparse.Namespace], int],
    ) -> argparse.ArgumentParser:
        name = function.__name__[1:].replace("_", "-")
        command = commands.add_parser(name, help=function.__doc__)
        command.set_defaults(command=function)
        command.add_argument(
            "--odoo",
            metavar="SERIES",
            default=os.environ.get("ODOO") or layout.DEFAULT_SERIES,
            help=f"one of {', '.join(layout.SERIES)} (default: %(default)s)",
        )
        return command

    test = add(_test)
    test.add_argument("--groups", nargs="+", help="of tests (default: the quick ones)")
    test.add_argument("--tags", help="Odoo's --test-tags, instead of groups")
    simulate = add(_simulate)
    simulate.add_argument("--seed", type=int, default=0, help="of the first history")
    simulate.add_argument("--count", type=int, default=100_000, help="of histories")
    demo = add(_demo)
    demo.add_argument("--once", action="store_true", help="prove it, then exit")
    chaos = add(_chaos)
    chaos.add_argument("--seed", type=int, help="of a run to repeat")
    chaos.add_argument("--only", type=int, nargs="*", default=(), metavar="NUMBER")
    bench = add(_bench)
    sizes = ("huge", "full", "medium", "smoke")
    bench.add_argument("--size", choices=sizes, default="full")
    bench.add_argument("--rows", type=int, nargs="*", default=(), metavar="NUMBER")
    add(_odoo).add_argument("arguments", nargs="*", help="what Odoo is told")
    pictures = add(_screenshots)
    pictures.add_argument(
        "--target", type=Path, help="a folder (default: static/description/images)"
    )
    add(_clean).add_argument("--cache", action="store_true")
    for function in (_test_all, _test_core, _ci, _lint, _format, _shell):
        add(function)
    for function in (_pot, _release_check, _dist):
        add(function)
    return parser


# Each command imports what it needs, so that no mistake in one breaks another.


def _test(options: argparse.Namespace) -> int:
    """Run groups of the addon's tests in Odoo."""
    from .testing import everything, suite

    groups = options.groups or suite.QUICK
    if set(groups) - suite.GROUPS.keys():
        raise Problem(f"The groups of tests are {', '.join(suite.GROUPS)}.")
    if options.tags or len(groups) == 1:
        return suite.test(options.odoo, groups[0], options.tags).close()
    return everything.test_all((options.odoo,), groups).close()


def _test_all(options: argparse.Namespace) -> int:
    """Run every group of the addon's tests on one series."""
    from .testing import everything

    return everything.test_all((options.odoo,)).close()


def _test_core(_options: argparse.Namespace) -> int:
    """Run the tests of capi/ without Odoo."""
    from .testing import core

    return core.test()


def _simulate(options: argparse.Namespace) -> int:
    """Play histories of delivery in virtual time, and shorten what breaks a promise."""
    from .testing import simulate

    return simulate.simulate(options.seed, options.count)


def _ci(options: argparse.Namespace) -> int:
    """Run every group of tests on each series whose source is here."""
    from .testing import everything

    return everything.test_ci(options.odoo).close()


def _chaos(options: argparse.Namespace) -> int:
    """Break everything that can break, and count what is left."""
    from .chaos import run

    return run.chaos(options.odoo, options.seed, options.only).close()


def _bench(options: argparse.Namespace) -> int:
    """Measure what recording and delivering cost."""
    from .bench import run

    return run.bench(options.odoo, options.size, options.rows)


def _demo(options: argparse.Namespace) -> int:
    """Show a visitor buy in a real shop, and Meta hear of it."""
    from .demo import run

    return run.demo(options.odoo, options.once)


def _lint(_options: argparse.Namespace) -> int:
    """Check the code."""
    from .release import linting

    return linting.lint()


def _format(_options: argparse.Namespace) -> int:
    """Lay out the Python code."""
    from .release import linting

    return linting.format_code()


def _shell(options: argparse.Namespace) -> int:
    """Open a Python prompt in Odoo, on the demo's database."""
    from .odoo import by_hand

    return by_hand.shell(options.odoo)


def _odoo(options: argparse.Namespace) -> int:
    """Run Odoo with arguments of your own."""
    from .odoo import by_hand

    return by_hand.run_odoo(options.odoo, options.arguments)


def _screenshots(options: argparse.Namespace) -> int:
    """Take the pictures of a shop with a past."""
    from .pictures import screenshots

    return screenshots.screenshots(options.odoo, options.target)


def _pot(options: argparse.Namespace) -> int:
    """Export the terms to translate."""
    from .release import packaging

    return packaging.export_pot(options.odoo)


def _release_check(options: argparse.Namespace) -> int:
    """List what is not translated, and fail if there is anything."""
    from .release import packaging

    return packaging.check_release(options.odoo)


def _dist(_options: argparse.Namespace) -> int:
    """Build the wheel."""
    from .release import packaging

    return packaging.build_wheel()


def _clean(options: argparse.Namespace) -> int:
    """Remove what the tooling made."""
    from .odoo import by_hand

    return by_hand.clean(options.cache)


if __name__ == "__main__":
    sys.exit(main())
