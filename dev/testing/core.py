"""`make test-core`: the tests of `capi/`, without Odoo and without a database."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
import unittest
from pathlib import Path

from .. import tools
from ..console import say
from ..layout import ADDON, REQUIREMENTS, ROOT
from . import meta_sdk
from .tally import Tally


def test() -> int:
    """Run this module in a virtual environment that has no Odoo."""
    python = prepare()
    meta_sdk.get(python.parent.parent)
    return subprocess.run((python, "-m", __name__), cwd=ROOT, check=False).returncode


def prepare() -> Path:
    """Return the Python of a virtual environment with what `capi/` and tests import."""
    return tools.python_with("core", REQUIREMENTS / "addon.txt")


def register_packages() -> None:
    """Let `capi` and `tests` be imported without Odoo.

    The addon's own `__init__` imports its models, hence Odoo. So it and `tests` are
    registered as empty packages: `from ..capi import x` then finds just `capi`.
    """
    for name, folder in ((ADDON, ROOT), (f"{ADDON}.tests", ROOT / "tests")):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def main() -> int:
    """Run `tests/test_capi_*.py` by plain unittest."""
    count = os.environ.setdefault("SIMULATION_COUNT", "20000")
    register_packages()
    suite = unittest.TestSuite()
    for path in sorted((ROOT / "tests").glob("test_capi_*.py")):
        module = importlib.import_module(f"{ADDON}.tests.{path.stem}")
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    for test, reason in result.skipped:
        say(f"skipped {test}: {reason}")
    failed = len(result.failures) + len(result.errors)
    if not result.testsRun:
        failed = 1
        print("no test ran")
    if not failed:
        say(f"{count} histories of delivery played, no promise broken")
    return Tally(result.testsRun - failed - len(result.skipped), failed).close()


if __name__ == "__main__":
    sys.exit(main())
