"""10,000 events while everything that can break does."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..console import say
from ..testing.tally import Tally
from .audit import check_all
from .events import Events
from .mishaps import MISHAPS
from .shop import PATIENCE, POLL, Pixel, Shop

# Seconds between two times that all waits are ended, and that the cron is called.
_SHIFT_EVERY = 1.5
_SWEEP_EVERY = 6.0

# What a short form has no time for.
_LASTING = {"no answer", "slow"}


class Ticker:
    """Makes hours of waiting pass in moments, while something else is waited for."""

    def __init__(self, shop: Shop, job_patience: int = 10) -> None:
        """Make jobs a minute old that are not started for so many seconds."""
        self._shop = shop
        self._job_patience = job_patience
        self._shifted = self._swept = 0.0
        self.requeue_forbidden = False

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._shifted > _SHIFT_EVERY:
            self._shop.end_waiting()
            self._shop.age_jobs(older_than=self._job_patience)
            if self.requeue_forbidden:
                self._shop.forbid_requeue()
            self._shifted = time.monotonic()
        if now - self._swept > _SWEEP_EVERY:
            self._shop.sweep()
            self._swept = time.monotonic()
        time.sleep(POLL)

    def until(self, condition: Callable[[], Any], what: str, seconds: float) -> None:
        def ticked() -> Any:
            self.tick()
            return condition()

        self._shop.until(ticked, what, seconds)


@dataclass(frozen=True)
class Storm:
    """How much of everything, and for how long."""

    events: int = 10_000
    transactions: int = 200
    poisoned: int = 12
    kills: int = 20
    restarts: int = 2
    # Seconds over which all that is spread.
    seconds: float = 120
    # How many of the requests go wrong, as a share.
    failing: float = 0.4
    # Every kind of failure must have happened.
    thorough: bool = True


def storm(
    shop: Shop,
    seed: int,
    tally: Tally,
    size: Storm | None = None,
    restart_postgres: Callable[[], str] | None = None,
) -> None:
    """Record while the sandbox fails, workers are killed and PostgreSQL restarts."""
    _Storm(shop, seed, size or Storm(), restart_postgres).run(tally)


@dataclass
class _Storm:
    shop: Shop
    seed: int
    size: Storm
    restart_postgres: Callable[[], str] | None
    poisoned: set[str] = field(default_factory=set)
    killed: int = 0
    restarted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"storm {self.seed}")
        self.events = Events(self.shop, f"storm-{self.seed}")
        self.ticker = Ticker(self.shop, job_patience=10 if self.size.thorough else 2)
        self.mishaps = {
            name: fault
            for name, fault in MISHAPS.items()
            if self.size.thorough or name not in _LASTING
        }
        self.recorders = [self.shop.recorder() for _ in range(2)]
        self.shop.graph.faults.seed(self.seed)

    def run(self, tally: Tally) -> None:
        started = time.monotonic()
        work = self._plan()
        self._script()
        with ThreadPoolExecutor(len(self.recorders)) as pool:
            begin = time.monotonic()
            futures = [
                pool.submit(self._record, recorder, work[index :: len(self.recorders)])
                for index, recorder in enumerate(self.recorders)
            ]
            self._wreak_havoc(futures, begin)
            for future in futures:
                future.result()
        self._see_all_mishaps()
        left = self._left_by_the_dead()
        happened = self._mishaps_so_far()
        self.shop.graph.heal()
        healed = time.monotonic()
        self._drain()
        say(
            f"    {sum(happened.values())} requests went wrong in"
            f" {len(happened)} of {len(self.mishaps)} ways, {self.killed} processes"
            f" killed, PostgreSQL restarted {len(self.restarted)} times"
            f" ({', '.join(self.restarted) or 'not at all'});"
            f" {sum(r.repeated for r in self.recorders)} transactions made again;"
            f" jobs left behind: {left or 'none'}"
        )
        say(
            f"    {healed - started:.0f} s of trouble,"
            f" {time.monotonic() - healed:.0f} s to drain after it"
        )
        self._judge(tally)

    def _plan(self) -> list[tuple[Pixel, list[dict[str, Any]]]]:
        """Deal the events out to transactions of different sizes, each of one pixel."""
        cuts = sorted(
            self.dice.sample(range(1, self.size.events), self.size.transactions - 1)
        )
        sizes = [
            stop - start
            for start, stop in zip([0, *cuts], [*cuts, self.size.events], strict=True)
        ]
        work = [
            (self.dice.choice(self.shop.pixels), self.events.make(n)) for n in sizes
        ]
        ids = [event["event_id"] for _pixel, events in work for event in events]
        self.poisoned = set(self.dice.sample(ids, self.size.poisoned))
        return work

    def _script(self) -> None:
        """Let requests fail by chance, each in any of the ways."""
        chance = 1 - (1 - self.size.failing) ** (1 / len(self.mishaps))
        for fault in self.mishaps.values():
            self.shop.graph.fail_always(fault, probability=chance)
        self.shop.graph.poison(self.poisoned)

    def _record(
        self, recorder: Any, work: list[tuple[Pixel, list[dict[str, Any]]]]
    ) -> None:
        """Record one transaction after the other, evenly over the time of trouble."""
        pace = self.size.seconds / len(work)
        begin = time.monotonic()
        for number, (pixel, events) in enumerate(work):
            time.sleep(max(begin + number * pace - time.monotonic(), 0))
            recorder.record(pixel, events)
            self.events.committed(pixel, events)

    def _wreak_havoc(self, futures: list[Future[None]], begin: float) -> None:
        """Kill and restart at moments of chance, until everything is recorded."""
        moments = sorted(
            [(self._moment(), "kill") for _ in range(self.size.kills)]
            + [(self._moment(), "restart") for _ in range(self.size.restarts)]
        )
        while moments or not all(future.done() for future in futures):
            if moments and time.monotonic() - begin >= moments[0][0]:
                _moment, what = moments.pop(0)
                if what == "restart":
                    assert self.restart_postgres
                    self.restarted.append(self.restart_postgres())
                else:
                    self._kill()
            self.ticker.tick()

    def _moment(self) -> float:
        return self.dice.uniform(0.05, 0.95) * self.size.seconds

    def _kill(self) -> None:
        """Kill one process; most times while a request is under way."""
        if self.dice.random() < 0.7:
            deadline = time.monotonic() + 2
            while not self.shop.open_requests() and time.monotonic() < deadline:
                time.sleep(0.002)
        # At any point of the request, or between it and the commit.
        time.sleep(self.dice.uniform(0, 0.03))
        while not self.shop.kill_worker(self.dice):
            time.sleep(POLL)
        self.killed += 1
        # The runner of queue_job looks for dead jobs; half the time ours does not.
        self.ticker.requeue_forbidden = self.killed > self.size.kills / 2

    def _see_all_mishaps(self) -> None:
        """Let happen what did not happen by chance."""
        if not self.size.thorough:
            return
        self.shop.graph.heal()
        deadline = time.monotonic() + 2 * PATIENCE
        while missing := self._missing():
            # Once more if need be: a poisoned event brings a fault of its own.
            if not self.shop.graph.faults.summary()["rules"]:
                for name in missing:
                    self.shop.graph.fail_next(self.mishaps[name])
            if not self.shop.pending():
                self.events.record(self.shop.pixels[0], 1)
            self.ticker.tick()
            if time.monotonic() > deadline:
                break

    def _missing(self) -> list[str]:
        return sorted(self.mishaps.keys() - self._mishaps_so_far().keys())

    def _mishaps_so_far(self) -> Counter[str]:
        names = {id(fault): name for name, fault in self.mishaps.items()}
        found = (names.get(id(request.fault)) for request in self.shop.graph.requests)
        return Counter(name for name in found if name)

    def _left_by_the_dead(self) -> str:
        """Count the jobs that nobody will ever end, by state."""
        found = self.shop.rows(
            "SELECT state, count(*) AS count FROM queue_job"
            " WHERE state IN ('started', 'enqueued') AND date_enqueued IS NULL"
            " GROUP BY state ORDER BY state"
        )
        return ", ".join(f"{row['count']} {row['state']}" for row in found)

    def _drain(self) -> None:
        """Wait until nothing is pending any more; what stays is judged."""
        deadline = time.monotonic() + PATIENCE
        while self.shop.pending() and time.monotonic() < deadline:
            self.ticker.tick()
        while self.shop.open_requests() and time.monotonic() < deadline:
            time.sleep(POLL)

    def _judge(self, tally: Tally) -> None:
        count = len(self.events.recorded)
        tally.check(
            count >= self.size.events,
            f"{count} events recorded, each known as committed",
        )
        if self.size.thorough:
            missing = self._missing()
            but = f", but {', '.join(missing)}" if missing else ""
            tally.check(not missing, f"every mishap happened{but}")
        check_all(self.shop, self.events.recorded, tally, self.poisoned)
