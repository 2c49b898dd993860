"""What calls what: one way, also through ``env[...]``."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

ROOT = Path(__file__).parent.parent
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for folder in ("capi", "models", "controllers", "wizards")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__init__.py"
}
_MODEL = re.compile(r'^    _name = "([\w.]+)"', re.M)
# A model and the method that is called on it, if any follows at once. What is enqueued
# with ``with_delay`` is called by nobody here.
_CALL = re.compile(
    r'env\["([\w.]+)"\](?:\s*\.(?:sudo|with_(?!delay)\w+)\([^()]*\))*(?:\s*\.(\w+))?'
)


def imported(path, text):
    """Yield the files that a file imports of ours."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            module = folder.joinpath(*(node.module or "").split("."))
            for found in (module, *(module / alias.name for alias in node.names)):
                if found.with_suffix(".py") in SOURCES:
                    yield found.with_suffix(".py")


def called(path, text):
    """Yield the files whose models' own methods a file calls.

    Odoo's methods, such as ``search``, only read the rows of a model.
    """
    homes = {name: home for home in SOURCES for name in _MODEL.findall(SOURCES[home])}
    for model, method in _CALL.findall(text):
        home = homes.get(model)
        is_own = not method or re.search(rf"def {method}\b", SOURCES.get(home, ""))
        if home and home != path and method != "with_delay" and is_own:
            yield home


class TestLayers(BaseCase):
    def test_no_file_is_called_by_what_it_calls(self):
        graph = {
            path: {*imported(path, text), *called(path, text)}
            for path, text in SOURCES.items()
        }
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " calls ".join(str(p.relative_to(ROOT)) for p in error.args[1])
            self.fail(f"{circle} (read from right to left)")
        self.assertEqual(len(order), len(SOURCES))
        self.assertGreater(sum(map(len, graph.values())), 100)
