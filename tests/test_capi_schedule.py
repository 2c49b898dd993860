from __future__ import annotations

import doctest

from ..capi import schedule as schedule_module
from ..capi.schedule import (
    MAX_UNKNOWN_ATTEMPTS,
    closes_at,
    dedup_closes_at,
    retry_delay,
    window_closes_at,
)

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

HOUR = 3600
DAY = 24 * HOUR
MARGIN = 15 * 60
NOON = 1_795_435_200


class TestRetryDelay(BaseCase):
    def test_delays_grow_to_ten_hours_and_stay_there(self):
        middle = [retry_delay(count, random=lambda: 0.5) for count in range(1, 11)]
        hours = [2 * HOUR, 5 * HOUR, *[10 * HOUR] * 4]
        self.assertEqual(middle, [5, 30, 300, 1800, *hours])

    def test_jitter_is_a_fifth_either_way(self):
        for count in (1, 2, 7, 1000):
            with self.subTest(count=count):
                middle = retry_delay(count, random=lambda: 0.5)
                least = retry_delay(count, random=lambda: 0.0)
                most = retry_delay(count, random=lambda: 1.0)
                self.assertAlmostEqual(least, middle * 0.8)
                self.assertAlmostEqual(most, middle * 1.2)

    def test_first_comes_within_ten_seconds_and_second_within_a_minute(self):
        self.assertLess(retry_delay(1, random=lambda: 1.0), 10)
        self.assertLess(retry_delay(2, random=lambda: 1.0), 60)

    def test_no_attempt_counts_as_one(self):
        self.assertEqual(retry_delay(0, random=lambda: 0.5), 5)

    def test_unknown_answers_are_retried_for_more_than_a_day_at_the_least(self):
        delays = (retry_delay(n, random=lambda: 0.0) for n in range(1, 10))
        self.assertEqual(MAX_UNKNOWN_ATTEMPTS, 10)
        self.assertGreater(sum(delays), DAY)

    def test_examples_in_docstrings_hold(self):
        self.assertEqual(doctest.testmod(schedule_module).failed, 0)


class TestWindows(BaseCase):
    def test_window_is_seven_days_less_a_margin(self):
        for source in ("website", "system_generated", "other", "app", ""):
            with self.subTest(source=source):
                closes = window_closes_at(NOON, source)
                self.assertEqual(closes, NOON + 7 * DAY - MARGIN)

    def test_window_of_a_physical_store_is_62_days(self):
        closes = window_closes_at(NOON, "physical_store")
        self.assertEqual(closes, NOON + 62 * DAY - MARGIN)

    def test_the_nearer_of_both_windows_closes(self):
        for copy, closes in (
            (None, NOON + 7 * DAY - MARGIN),
            (NOON, NOON + 2 * DAY - MARGIN),
            (NOON + 6 * DAY, NOON + 7 * DAY - MARGIN),
        ):
            with self.subTest(copy=copy):
                found = closes_at(NOON, "website", first_copy_at=copy)
                self.assertEqual(found, closes)

    def test_another_copy_is_recognised_for_48_hours(self):
        self.assertEqual(dedup_closes_at(NOON), NOON + 2 * DAY - MARGIN)
