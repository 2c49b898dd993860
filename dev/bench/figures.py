"""How much the benchmark measures, and what a comparison has given.

The machine may be busy and its speed may change: what counts is the ratio of two
measurements that were made right after one another, and its median over many rounds.
"""

from __future__ import annotations

import csv
import itertools
import statistics
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    name: str
    rounds: int
    calls: int
    batch: int
    orders: int
    pending: int
    drains: int
    small_log: int
    large_log: int
    burst: int
    in_memory: int
    delivered: int
    old_log: int
    requests: int
    pages: int
    updates: int


# By size, as they are named below.
_AMOUNTS = {
    "rounds": (20, 8, 1),
    "calls": (50, 25, 2),
    "batch": (1000, 1000, 10),
    "orders": (8, 6, 1),
    "pending": (50_000, 16_000, 200),
    "drains": (7, 4, 1),
    "small_log": (1000, 1000, 20),
    "large_log": (1_000_000, 200_000, 200),
    "burst": (1000, 400, 6),
    "in_memory": (100_000, 30_000, 100),
    "delivered": (1_000_000, 60_000, 200),
    "old_log": (1_000_000, 160_000, 200),
    "requests": (40, 40, 4),
    "pages": (15, 15, 2),
    "updates": (3, 2, 1),
}
FULL, MEDIUM, SMOKE = (
    Size(name, **dict(zip(_AMOUNTS, amounts, strict=True)))
    for name, *amounts in zip(
        ("full", "medium", "smoke"), *_AMOUNTS.values(), strict=True
    )
)
# A log of years: row 8 takes as long as all the others together.
HUGE = replace(FULL, name="huge", large_log=10_000_000)
# By row. Rows 8d and 8f to 8h count what there is, so that their goals are of their own
# values; the others of row 8 are to cost the same in any log.
with Path(__file__).with_name("goals.csv").open(newline="") as _table:
    _GOALS = {row["row"]: row for row in csv.DictReader(_table)}
SIZES = {size.name: size for size in (HUGE, FULL, MEDIUM, SMOKE)}


@dataclass
class Figure:
    """What one comparison has given.

    :param pairs: of each round what was measured, and what it is compared with, in
        ``unit``
    :param goal: of the median of their ratios; ``at_most`` or at least
    :param is_absolute: it is compared with nothing, and the goal is of its own value
    """

    row: str
    what: str
    against: str
    unit: str
    goal: float
    at_most: bool = True
    is_absolute: bool = False
    pairs: list[tuple[float, float]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        return [
            mine if self.is_absolute else mine / other for mine, other in self.pairs
        ]

    @property
    def value(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The quarter of the rounds below, and the one above."""
        if len(self.ratios) < 2:
            return self.value, self.value
        low, _middle, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    @property
    def measured(self) -> float:
        return statistics.median(mine for mine, _other in self.pairs)

    @property
    def compared(self) -> float:
        return statistics.median(other for _mine, other in self.pairs)


def figure_of(row: str, size: Size, **names: object) -> Figure:
    """Return the figure of a row, with what is measured, and its goal, as in the table.

    :param names: further ones that stand in what is measured
    """
    told = _GOALS[row]
    bound, goal = told["goal"].rsplit(" ", 1)
    return Figure(
        row=row,
        what=told["what"].format(size=size, **names),
        against=told["against"].format(size=size),
        unit=told["unit"],
        goal=float(goal),
        at_most=bound == "at most",
        is_absolute=told["of the"] == "value",
    )


def median_ms(seconds: list[float]) -> float:
    return 1000 * statistics.median(seconds)


_numbers = itertools.count(1_000_000)
_lock = threading.Lock()


def numbers(count: int) -> int:
    """Return the first of some numbers that no event of this run has had."""
    with _lock:
        return [next(_numbers) for _n in range(count)][0]
