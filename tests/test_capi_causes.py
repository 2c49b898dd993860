from __future__ import annotations

import doctest

from ..capi import causes
from ..capi.causes import cause_of_field
from ..capi.graph_errors import RULES, UNKNOWN_RULE, Outcome, classify

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
    Outcome.EARLY: {"clock"},
    Outcome.UNKNOWN: {"unknown"},
}


class TestCauses(BaseCase):
    def test_the_doctests_hold(self):
        failed, tried = doctest.testmod(causes)
        self.assertTrue(tried)
        self.assertFalse(failed)

    def test_no_cause_contradicts_what_the_program_does(self):
        for rule in (*RULES, UNKNOWN_RULE):
            with self.subTest(rule=rule):
                self.assertIn(rule.cause, CAUSES[rule.outcome])

    def test_every_rule_is_reached_by_some_code(self):
        for rule in RULES:
            codes = (code for code in range(-10, 2_805_000) if code in rule.codes)
            code = next(codes)
            subcodes = (n for n in (0, 33, 463, *range(2804003, 2804140)) if True)
            reached = any(
                n in rule.subcodes and classify(code, n) == (rule.outcome, rule.cause)
                for n in subcodes
            )
            with self.subTest(rule=rule):
                self.assertTrue(reached)

    def test_a_token_that_expired_is_told_from_one_that_never_was_good(self):
        self.assertEqual(classify(190, 463)[1], "token_expired")
        self.assertEqual(classify(190, 467)[1], "token")
        self.assertEqual(classify(190, None)[1], "token")

    def test_a_field_that_no_rule_names_is_an_argument(self):
        self.assertEqual(cause_of_field("action_source"), "argument")
        self.assertEqual(cause_of_field("custom_data.contents"), "contents")
        self.assertEqual(cause_of_field("custom_data.order_id"), "custom_data")
