from __future__ import annotations

import doctest
from datetime import date

from ..capi import const, versions
from ..capi.versions import end_of_life

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase


class TestVersions(BaseCase):
    def test_the_doctests_hold(self):
        failed, tried = doctest.testmod(versions)
        self.assertTrue(tried)
        self.assertFalse(failed)

    def test_our_own_version_is_good_for_a_year(self):
        end = end_of_life(const.API_VERSION)
        self.assertTrue(end is None or end > date(2027, 11, 30))

    def test_of_what_is_no_version_nobody_knows_the_end(self):
        self.assertIsNone(end_of_life("latest"))
        self.assertIsNone(end_of_life("v99.0"))
