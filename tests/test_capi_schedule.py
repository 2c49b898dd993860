from __future__ import annotations

import doctest
from types import SimpleNamespace
from unittest.mock import Mock

from ..capi import schedule as schedule_module
from ..capi.schedule import (
    MAX_UNKNOWN_ATTEMPTS,
    SHORT_RETRY,
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

    def test_unknown_answers_are_retried_for_more_than_a_day(self):
        delays = (retry_delay(n, random=lambda: 0.5) for n in range(1, 10))
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

    def test_another_copy_is_recognised_for_48_hours(self):
        self.assertEqual(dedup_closes_at(NOON), NOON + 2 * DAY - MARGIN)


class TestShortRetry(BaseCase):
    def setUp(self):
        super().setUp()
        self.sleep = Mock()
        self.retry = SHORT_RETRY.copy(sleep=self.sleep)

    def run_with(self, *retry_in):
        """Return the result, the calls made and the seconds waited."""
        results = [SimpleNamespace(retry_in=seconds) for seconds in retry_in]
        transaction = Mock(side_effect=results)
        result = self.retry(transaction, "pixel", limit=3)
        transaction.assert_called_with("pixel", limit=3)
        waited = [call.args[0] for call in self.sleep.call_args_list]
        return result.retry_in, transaction.call_count, waited

    def test_nothing_to_retry_soon_returns_at_once(self):
        self.assertEqual(self.run_with(None), (None, 1, []))

    def test_later_than_a_minute_is_left_to_another_run(self):
        self.assertEqual(self.run_with(60.5), (60.5, 1, []))

    def test_waits_exactly_as_told(self):
        self.assertEqual(self.run_with(4.5, 60, None), (None, 3, [4.5, 60]))

    def test_already_due_is_not_waited_for(self):
        self.assertEqual(self.run_with(-3, None), (None, 2, [0]))

    def test_third_result_is_returned_whatever_it_is(self):
        self.assertEqual(self.run_with(5, 30, 6), (6, 3, [5, 30]))

    def test_exceptions_pass_through_at_once(self):
        transaction = Mock(side_effect=KeyError("x"))
        with self.assertRaises(KeyError):
            self.retry(transaction)
        transaction.assert_called_once_with()
        self.sleep.assert_not_called()
