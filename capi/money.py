"""Amounts of money that have to add up."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil


def allocate(total: float, weights: Sequence[float], rounding: float) -> list[float]:
    """Return ``total`` in parts that are proportional to ``weights`` and add up to it.

    Each part is a multiple of ``rounding``, as close to its share as the sum allows.
    What is left after rounding down goes, one unit each, to the parts that lost most by
    it, the first of equals first.

    Added as multiples, that is as ``rounding`` counts, the parts are the total exactly;
    a total that is no multiple itself is first rounded to the nearest, halves to the
    even one. Weights of nothing but zero give equal parts. A weight below zero counts
    as zero, so that no part has another sign than the total. No weights, no parts.

    :param total: an amount in any currency, negative for a discount
    :param rounding: the smallest amount of that currency, such as 0.01, 1 or 0.05
    :raises ValueError: one of the numbers is not finite, or ``rounding`` not positive

    >>> allocate(10.0, [1, 1, 1], 0.01)
    [3.34, 3.33, 3.33]
    >>> allocate(-5.0, [19.9, 0.0, 5.1], 0.05)
    [-4.0, 0.0, -1.0]
    """
    unit = _exact(rounding)
    if unit <= 0:
        raise ValueError("rounding must be positive")
    units = round(_exact(total) / unit)
    shares = [max(_exact(weight), Fraction()) for weight in weights]
    if not any(shares):
        shares = [Fraction(1)] * len(shares)
    whole = sum(shares)
    quotas = [abs(units) * share / whole for share in shares]
    counts = [int(quota) for quota in quotas]
    lost = [quota - count for quota, count in zip(quotas, counts, strict=True)]
    by_loss = sorted(range(len(lost)), key=lambda index: -lost[index])
    for index in by_loss[: abs(units) - sum(counts)]:
        counts[index] += 1
    sign = -1 if units < 0 else 1
    return [float(sign * count * unit) for count in counts]


def unit_price(amount: float, quantity: float, rounding: float) -> float:
    """Return the price of one, of ``quantity`` that cost ``amount`` together.

    In units of the currency where that gives the amount again; else as exact as it
    takes for the products of an order to add up to its value.

    :param quantity: anything but zero
    :param rounding: the smallest amount of the currency, such as 0.01
    :raises ValueError: one of the numbers is not finite
    :raises ZeroDivisionError: ``quantity`` or ``rounding`` is zero

    >>> unit_price(200.0, 2, 0.01), unit_price(100.0, 3, 0.01)
    (100.0, 33.33333333)
    """
    exact = _exact(amount) / _exact(quantity)
    unit = _exact(rounding)
    price = round(exact / unit) * unit
    return float(price) if price == exact else round(float(exact), 8)


def whole_number(quantity: float) -> int:
    """Return how many items a quantity is, 1 at least: what is begun counts.

    >>> whole_number(0.75), whole_number(2.0), whole_number(0.1 + 0.2), whole_number(2.5)
    (1, 2, 1, 3)
    """
    return max(1, ceil(round(quantity, 6)))


def _exact(number: float) -> Fraction:
    """Return the number that a float is printed as, which is the one that was meant."""
    return Fraction(str(number))
