from __future__ import annotations

import doctest

from ..capi import secret
from ..capi.secret import clean_secret

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase


class TestSecret(BaseCase):
    def test_the_doctests_hold(self):
        failed, tried = doctest.testmod(secret)
        self.assertTrue(tried)
        self.assertFalse(failed)

    def test_words_stay_words(self):
        self.assertEqual(clean_secret("two words"), "two words")
        self.assertEqual(clean_secret("Bearer"), "Bearer")
