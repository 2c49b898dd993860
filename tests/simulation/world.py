"""A shop, its workers and its manager, in virtual time; see :func:`run`."""

from __future__ import annotations

import contextlib
import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...capi.decision import LAST_TRY
from ...capi.delivery import MAX_SECONDS, Step, deliver, send_batch, send_chosen
from ...capi.schedule import closes_at, window_closes_at
from ...capi.states import FAILED, PENDING, SENT, Pixel, Wake
from .memory import MemoryStore, Store
from .meta import Meta

START = 1_800_000_000
HOUR, DAY = 3600, 24 * 3600
SWEEP = 120
PIXELS = ("1", "2")
# The longest a waiting event may be left without a try, jitter included.
LONGEST_WAIT = 12 * HOUR + 600
# How deep workers may run inside one another's requests and naps.
MAX_DEPTH = 4


class Killed(BaseException):
    """A worker dies."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens at a time, in seconds from the start."""

    at: int
    name: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"Action({self.at}, {self.name!r}, {self.arguments!r}),"


@dataclass
class World:
    """Everything there is, and what happened in it."""

    seed: int = 0
    store: Store = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.now = START
        self.meta = Meta(lambda: self.now)
        self.random = random.Random(self.seed)
        self.agenda: list[tuple[int, int, Callable[[], None]]] = []
        self.number = 0
        self.depth = 0
        self.kills: list[str] = []
        self.races = 0
        self.is_on = True
        self.off_since: list[tuple[int, int]] = []
        self.sweep_at: int | None = None
        self.tokens: dict[str, list[tuple[int, int]]] = {}
        self.broken: list[str] = []
        self.probed_at: dict[str, int] = {}
        self.recorded_at: dict[str, int] = {}

    def clock(self) -> int:
        return self.now

    # ------------------------------------------------------------------- the agenda

    def at(self, when: int, what: Callable[[], None]) -> None:
        self.number += 1
        heapq.heappush(self.agenda, (when, self.number, what))

    def run(self, actions: Iterable[Action]) -> None:
        """Let it all happen, and then time pass until nothing is pending."""
        self.run_until(actions, START + 70 * DAY)

    def run_until(self, actions: Iterable[Action], end: int) -> None:
        """Let happen what happens before ``end``."""
        for action in actions:
            perform = partial(getattr(self, action.name), *action.arguments)
            self.at(START + action.at, perform)
        while self.agenda and self.agenda[0][0] < end:
            self._next()

    def _next(self) -> None:
        when, _number, what = heapq.heappop(self.agenda)
        self.now = max(self.now, when)
        what()
        if self.depth == 0:
            self._plan_sweep()

    def sleep(self, seconds: float) -> None:
        """Let others act while a worker naps; nothing is locked."""
        assert self.store.is_idle()
        until = self.now + int(seconds)
        while self.agenda and self.agenda[0][0] <= until and self.depth < MAX_DEPTH:
            self._next()
        self.now = max(self.now, until)

    def _plan_sweep(self) -> None:
        """Plan the next sweep that has something to do, as if it came every 2 minutes."""
        soonest = self.now + 1
        soonest += -soonest % SWEEP
        if not self.is_on or self.sweep_at == soonest:
            return
        times = [time for pixel_id in PIXELS for time in self._next_times(pixel_id)]
        if not times:
            return
        due = max(min(times), soonest)
        due += -due % SWEEP
        if self.sweep_at is None or self.sweep_at <= self.now or due < self.sweep_at:
            self.sweep_at = due
            self.at(due, self.sweep)

    def _next_times(self, pixel_id: str) -> Iterator[int]:
        """Yield when something is to be done about each event that waits."""
        rows = self.store.pending(pixel_id)
        if not rows:
            return
        pixel = self.store.known_pixel(pixel_id)
        least = pixel.wait_until or 0
        if pixel.is_stopped:
            least = max(least, pixel.next_probe_at or 0)
        for row in rows:
            due = row.next_attempt_at or 0
            closes = window_closes_at(row.event_time, row.action_source)
            yield min(max(due, least), closes)

    def _is_due(self, pixel_id: str) -> bool:
        return any(time <= self.now for time in self._next_times(pixel_id))

    # ------------------------------------------------------------------- the workers

    def job(self, pixel_id: str) -> None:
        """Deliver to a pixel, as a job does.

        One that would find nothing, and nobody waits for to die, is left out.
        """
        if self.is_on and (self.kills or self._is_due(pixel_id)):
            self._deliver(pixel_id)

    def _deliver(self, pixel_id: str) -> None:
        if self.depth >= MAX_DEPTH:
            return
        self.depth += 1
        try:
            run = deliver(
                lambda: self._send(pixel_id),
                self.clock,
                self.sleep,
                deadline=self.now + MAX_SECONDS,
                should_stop=lambda: not self.is_on,
            )
        except Killed:
            return
        finally:
            self.depth -= 1
        if run.is_interrupted:
            self.at(self.now, lambda: self.job(pixel_id))
        elif run.retry_at is not None and run.retry_at - self.now <= 300:
            self.at(run.retry_at, lambda: self.job(pixel_id))

    def sweep(self) -> None:
        if not self.is_on:
            return
        self.store.expire_overdue(self.now)
        for pixel_id in PIXELS:
            if self._is_due(pixel_id):
                self._deliver(pixel_id)

    def _send(self, pixel_id: str, chosen: Any = None) -> Step:
        with self.store.outbox(pixel_id) as outbox:
            if self.kills:
                self._watch(outbox)
            step = send_batch(
                outbox,
                lambda bodies, _code: self._ask(pixel_id, bodies, chosen is not None),
                self.clock,
                chosen=chosen,
                random=self.random.random,
            )
            self._die("commit")
        return step

    def _watch(self, outbox: Any) -> None:
        """Have the worker die where it is told to."""
        claim, settle, announce = outbox.claim, outbox.settle, outbox.announce

        def claim_and_die(*arguments: Any) -> Any:
            claimed = claim(*arguments)
            self._die("claim")
            return claimed

        def announce_and_die(*arguments: Any) -> Any:
            attempt_id = announce(*arguments)
            self._die("announce")
            return attempt_id

        def settle_and_die(changes: Any, answer: Any, *rest: Any) -> None:
            settle(changes, answer, *rest)
            if answer:
                self._die("settle")

        outbox.claim = claim_and_die
        outbox.announce = announce_and_die
        outbox.settle = settle_and_die

    def _die(self, point: str) -> None:
        if point in self.kills:
            self.kills.remove(point)
            raise Killed

    def _ask(self, pixel_id: str, bodies: Any, by_hand: bool) -> Any:
        pixel = self.store.known_pixel(pixel_id)
        if pixel.is_stopped and not by_hand:
            self._check_probe(pixel_id, pixel, len(bodies))
        if self.races and self.depth < MAX_DEPTH:
            self.races -= 1
            with contextlib.suppress(Killed):
                self._send(pixel_id)
        keys = tuple(map(self.store.key_of, bodies))
        answer = self.meta.ask(pixel_id, keys, by_hand)
        self._die("answer")
        return answer

    def _check_probe(self, pixel_id: str, pixel: Pixel, size: int) -> None:
        stopped_at = pixel.stopped_at or 0
        last = max(self.probed_at.get(pixel_id, 0), stopped_at)
        if self.now - last < HOUR or size > 10:
            self.broken.append(f"{self.now - START}: a stopped pixel was asked")
        self.probed_at[pixel_id] = self.now

    # --------------------------------------------------------------- what may happen

    def record(
        self,
        key: str,
        pixel_id: str = PIXELS[0],
        code: str | None = None,
        poison: str | None = None,
        age: int = 0,
        source: str = "website",
        size: int = 400,
        twin_age: int | None = None,
    ) -> None:
        """Record an event, and a job for it."""
        if not self.is_on:
            return
        if poison:
            self.meta.poisons[key] = poison
        self.meta.event_times[key] = self.now - age
        self.recorded_at[key] = self.now
        browser_copy_at = None
        if twin_age is not None:
            browser_copy_at = self.now - twin_age
            self.meta.copies.setdefault(key, []).append(browser_copy_at)
        self.store.add(
            key=key,
            pixel_id=pixel_id,
            test_event_code=code,
            event_time=self.now - age,
            action_source=source,
            next_attempt_at=self.now,
            browser_copy_at=browser_copy_at,
            size=size,
        )
        self.at(self.now + 5, lambda: self.job(pixel_id))

    def trouble(self, pixel_id: str, kind: str, seconds: int) -> None:
        """Meta answers so for a while."""
        until = self.now + seconds
        self.meta.troubles.setdefault(pixel_id, []).append((self.now, until, kind))

    def answer(self, pixel_id: str, kind: str) -> None:
        """Meta answers so once."""
        self.meta.next_replies.setdefault(pixel_id, []).append(kind)

    def release(self, pixel_id: str) -> None:
        """A new token is saved, or the button pressed."""
        with self.store.outbox(pixel_id) as outbox:
            pixel = outbox.lock_pixel()
            if pixel.is_stopped:
                outbox.write_pixel(
                    Pixel(clock_skew=pixel.clock_skew), Wake(everything=True), self.now
                )
        self.at(self.now, lambda: self.job(pixel_id))

    def send_now(self, pixel_id: str, count: int) -> None:
        """A manager sends the oldest ones by hand."""
        if not self.is_on or self.depth:
            return
        chosen = [row.id for row in self.store.pending(pixel_id)][:count]
        before = len(self.meta.requests)
        self.depth += 1
        try:
            send_chosen(
                lambda ids: self._send(pixel_id, ids),
                chosen,
                self.clock,
                deadline=self.now + MAX_SECONDS,
            )
        except Killed:
            return
        finally:
            self.depth -= 1
        asked = [r.keys for r in self.meta.requests[before:] if r.by_hand]
        alone = [keys for keys in asked if len(keys) == 1]
        if len(asked) != len(set(asked)) or len(alone) != len(set(alone)):
            self.broken.append(f"{self.now - START}: a click asked twice: {asked}")

    def retry(self) -> None:
        """A manager retries all that has failed."""
        for pixel_id in self.store.retry(self.now):
            self.at(self.now, partial(self.job, pixel_id))
        for pixel_id in PIXELS:
            self.release(pixel_id)

    def cancel(self, count: int) -> None:
        """A manager takes the newest waiting ones out."""
        self.store.cancel([row.id for row in self.store.pending()[-count:]])

    def switch_off(self, seconds: int) -> None:
        """The switch is off for a while."""
        self.is_on = False
        self.off_since.append((self.now, self.now + seconds))
        self.at(self.now + seconds, self._switch_on)

    def _switch_on(self) -> None:
        self.is_on = True

    def kill(self, point: str) -> None:
        """The next worker that comes to this point dies."""
        self.kills.append(point)

    def race(self) -> None:
        """The next time a worker asks Meta, another one runs meanwhile."""
        self.races += 1

    def clock_ahead(self, seconds: int, tells_date: bool) -> None:
        """Our clock is ahead of Meta's."""
        self.meta.behind = seconds
        self.meta.tells_date = tells_date

    # -------------------------------------------------------------- what has to hold

    def violations(self) -> list[str]:
        """Return which promise was broken, in words; nothing if none was."""
        found = list(self.broken)
        alone: dict[str, set[str]] = {}
        for request in self.meta.requests:
            if len(request.keys) == 1:
                alone.setdefault(request.keys[0], set()).add(request.outcome)
        for row in self.store.rows.values():
            found += self._violations_of(row, alone.get(row.key, set()))
        announced = [attempt.ids for attempt in self.store.attempts]
        if len(announced) < len(self.meta.requests):
            found.append("a request was not announced")
        return found

    def _violations_of(self, row: Any, alone: set[str]) -> list[str]:
        found = []
        copies = self.meta.copies.get(row.key, [])
        if row.state == PENDING:
            found.append(f"{row.key} is pending for ever: {row}")
        if copies and max(copies) - min(copies) > 2 * DAY:
            found.append(f"{row.key} is counted twice")
        if row.state == SENT:
            attempts = self.store.attempts_of[row.id]
            if not any(attempt.outcome == "accepted" for attempt in attempts):
                found.append(f"{row.key} is sent, and Meta did not say so")
            if not copies:
                found.append(f"{row.key} is sent, and Meta never got it")
        if row.failure_reason == "invalid" and not alone & {"refused", "ambiguous"}:
            found.append(f"{row.key} is invalid, and was never refused alone")
        if row.failure_reason == "exhausted" and "unknown" not in alone:
            found.append(f"{row.key} is exhausted, and was never answered so alone")
        if row.state == FAILED and not row.cause:
            found.append(f"{row.key} failed without a cause")
        if row.state == FAILED and self._could_be_sent(row):
            found.append(f"{row.key} failed, and Meta would have taken it: {row}")
        return found

    def _could_be_sent(self, row: Any) -> bool:
        """Tell whether Meta would have taken it, alone, for long enough in its window."""
        if row.key in self.meta.poisons:
            return False
        copies = [
            attempt.started_at
            for attempt in self.store.attempts_of[row.id]
            if attempt.arrived
        ]
        if row.browser_copy_at is not None:
            copies.append(row.browser_copy_at)
        closes = closes_at(
            row.event_time, row.action_source, first_copy_at=min(copies, default=None)
        )
        troubles = self.meta.troubles.get(row.pixel_id, [])
        bad = [(since, until) for since, until, _ in troubles + self.meta.hiccups]
        bad += self.off_since
        if self.meta.behind:
            bad.append((0, row.event_time + self.meta.behind))
        start = self.recorded_at[row.key]
        for since, until in sorted(bad):
            if since >= closes:
                break
            if since - start >= LONGEST_WAIT:
                return True
            start = max(start, until)
        # A stopped pixel is asked with one event an hour, which may be a bad one.
        poisoned = len(self.meta.poisons)
        patience = LAST_TRY + 2 * SWEEP + HOUR * (2 + poisoned)
        return closes - start >= min(LONGEST_WAIT, patience)
