import unittest
from pathlib import Path

from odoo.tests import BaseCase, HttpCase, loader, tagged
from odoo.tests.tag_selector import TagsSelector

from ..dev.testing.suite import GROUPS
from .browser import BrowserMixin
from .processes import ADDON, ProcessCase

TESTS = Path(__file__).parent


@tagged("post_install", "-at_install")
class TestGroups(BaseCase):
    """What the targets of the Makefile run is all there is."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.modules = loader.get_test_modules(ADDON)
        suites = map(unittest.defaultTestLoader.loadTestsFromModule, cls.modules)
        cls.tests = list(_flat(suites))

    def test_every_file_of_tests_is_imported(self):
        self.assertEqual(
            {module.__name__.rpartition(".")[2] for module in self.modules},
            {path.stem for path in TESTS.glob("test_*.py")},
        )

    def test_each_test_is_in_one_group_and_in_one_only(self):
        self.assertGreater(len(self.tests), 900)
        selectors = {name: TagsSelector(tags) for name, tags in GROUPS.items()}
        for test in self.tests:
            with self.subTest(test.id()):
                chosen = [name for name in selectors if selectors[name].check(test)]
                self.assertEqual(len(chosen), 1, chosen)
                position = {"at_install", "post_install"} & test.test_tags
                self.assertEqual(len(position), 1, position)

    def test_what_needs_a_browser_processes_or_requests_says_so(self):
        for test in self.tests:
            with self.subTest(test.id()):
                needed = set()
                if isinstance(test, BrowserMixin):
                    needed = {"browser"}
                elif isinstance(test, ProcessCase):
                    needed = {"processes"}
                elif isinstance(test, HttpCase):
                    needed = {"requests"}
                self.assertLessEqual(needed, test.test_tags)


def _flat(suites):
    for found in suites:
        if hasattr(found, "__iter__"):
            yield from _flat(found)
        else:
            yield found
