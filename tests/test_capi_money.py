from __future__ import annotations

import doctest
from fractions import Fraction

from ..capi import money as money_module
from ..capi.money import allocate, unit_price

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase


class TestAllocate(BaseCase):
    def assertParts(self, expected, total, weights, rounding=0.01):
        parts = allocate(total, weights, rounding)
        self.assertEqual(parts, expected)
        for part in parts:
            self.assertNotEqual(str(part), "-0.0")

    def test_the_examples_in_the_docstrings_hold(self):
        self.assertEqual(doctest.testmod(money_module).failed, 0)

    def test_parts_are_proportional(self):
        self.assertParts([7.5, 2.5], 10.0, [30.0, 10.0])
        self.assertParts([0.0, 10.0], 10.0, [0.0, 0.1])

    def test_what_is_left_goes_to_who_lost_most_then_to_the_first(self):
        self.assertParts([0.34, 0.33, 0.33], 1.0, [1, 1, 1])
        self.assertParts([0.14, 0.43, 0.43], 1.0, [1, 3, 3])
        self.assertParts([0.01, 0.01, 0.0, 0.0], 0.02, [1, 1, 1, 1])

    def test_amounts_are_the_ones_printed_not_the_nearest_floats(self):
        # Half a cent is lost by both; of the floats, the second would lose a hair more.
        self.assertParts([0.01, 0.05], 0.06, [0.1, 1.1])

    def test_parts_are_multiples_of_the_currencys_rounding(self):
        self.assertParts([34.0, 33.0, 33.0], 100.0, [1, 1, 1], rounding=1.0)
        self.assertParts([0.334, 0.333, 0.333], 1.0, [1, 1, 1], rounding=0.001)
        self.assertParts([0.35, 0.35, 0.3], 1.0, [1, 1, 1], rounding=0.05)

    def test_a_total_that_is_no_multiple_is_rounded_first(self):
        self.assertParts([0.5, 0.5], 0.1 + 0.2 + 0.7, [1, 1])
        self.assertParts([0.17, 0.17], 0.336, [1, 1])

    def test_discounts_are_spread_as_well(self):
        self.assertParts([-0.34, -0.33, -0.33], -1.0, [1, 1, 1])
        self.assertParts([0.0, -0.01], -0.01, [1, 2])

    def test_weights_of_nothing_give_equal_parts(self):
        self.assertParts([0.5, 0.5], 1.0, [0.0, 0.0])
        self.assertParts([0.0, 0.0], 0.0, [0.0, 0.0])
        self.assertParts([], 1.0, [])

    def test_a_weight_below_zero_counts_as_zero(self):
        self.assertParts([1.0, 0.0], 1.0, [2.0, -1.0])
        self.assertParts([0.5, 0.5], 1.0, [-2.0, -1.0])

    def test_numbers_that_are_none_are_refused(self):
        for total, weights, rounding in (
            (float("nan"), [1], 0.01),
            (float("inf"), [1], 0.01),
            (1.0, [float("nan")], 0.01),
            (1.0, [1], float("inf")),
            (1.0, [1], 0.0),
            (1.0, [1], -0.01),
        ):
            with self.subTest(total=total, weights=weights, rounding=rounding):
                with self.assertRaises(ValueError):
                    allocate(total, weights, rounding)

    def test_ten_thousand_lines_add_up(self):
        parts = allocate(123456.78, [0.1 * line for line in range(10_000)], 0.01)
        self.assertEqual(
            sum(Fraction(str(part)) for part in parts), Fraction("123456.78")
        )


class TestUnitPrice(BaseCase):
    def test_a_price_is_a_multiple_of_the_currencys_rounding_if_it_can_be(self):
        for amount, quantity, rounding, expected in (
            (59.97, 3, 0.01, 19.99),
            (0.3, 3, 0.1, 0.1),
            (7.5, 0.5, 0.01, 15.0),
            (-20.0, 2, 1.0, -10.0),
            (0.0, 4, 0.01, 0.0),
        ):
            with self.subTest(amount=amount, quantity=quantity):
                self.assertEqual(unit_price(amount, quantity, rounding), expected)

    def test_else_it_gives_the_amount_again_when_multiplied(self):
        for amount, quantity in ((100.0, 3), (0.01, 7), (99999.99, 1234)):
            with self.subTest(amount=amount, quantity=quantity):
                price = unit_price(amount, quantity, 0.01)
                self.assertEqual(round(price * quantity, 2), amount)

    def test_a_price_of_no_quantity_is_refused(self):
        with self.assertRaises(ZeroDivisionError):
            unit_price(1.0, 0.0, 0.01)
