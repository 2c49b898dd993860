from __future__ import annotations

import doctest

from ..capi import answer, causes
from ..capi.answer import Outcome, classify
from ..capi.causes import cause_of_code

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

# What a person does about it, by what the program does about it.
CAUSES = {
    Outcome.TRANSIENT: {"meta_down"},
    Outcome.THROTTLED: {"rate_limit"},
    Outcome.STOPPED: {
        *("token", "token_expired", "signature", "permission", "blocked"),
        *("pixel_id", "version"),
    },
    Outcome.REFUSED: {
        *("refused", "event_time", "contents", "value", "currency", "ldu"),
        *("lead_id", "user_data", "channel"),
    },
    Outcome.AMBIGUOUS: {"no_reason"},
    Outcome.UNKNOWN: {"unknown"},
}
SUBCODES = (
    *(0, 33, 99, 452, 458, 459, 460, 463, 464, 465, 467, 492, 1996, 1504022),
    *range(2804001, 2804140),
)


class TestCausesOfCodes(BaseCase):
    def test_the_doctests_hold(self):
        failed, tried = doctest.testmod(causes)
        self.assertTrue(tried)
        self.assertFalse(failed)

    def test_no_cause_contradicts_what_the_program_does(self):
        codes = {-1, 0, 11, 99, 12345, 5000, 21009, 1609005, 80000, 80001, 80014}
        for known, _subcodes, _outcome in answer._TABLE:
            codes |= set(range(200, 300)) if 250 in known else set()
            codes |= {code for code in range(3000) if code in known}
        for code in sorted(codes):
            for subcode in SUBCODES:
                outcome = classify(code, subcode)
                with self.subTest(code=code, subcode=subcode):
                    self.assertIn(cause_of_code(code, subcode), CAUSES[outcome])

    def test_a_token_that_expired_is_told_from_one_that_never_was_good(self):
        self.assertEqual(cause_of_code(190, 463), "token_expired")
        self.assertEqual(cause_of_code(190, 467), "token")
        self.assertEqual(cause_of_code(190, None), "token")
