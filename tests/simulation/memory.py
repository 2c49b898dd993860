"""An outbox in memory, which keeps to the rules of the one in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...capi.answer import Answer
from ...capi.client import count_to_fill, take_batch
from ...capi.decision import halves
from ...capi.graph_errors import Outcome
from ...capi.schedule import window_closes_at
from ...capi.states import (
    CANCELLED,
    EXPIRED,
    FAILED,
    PENDING,
    TRANSITIONS,
    Change,
    Claimed,
    History,
    Order,
    Pixel,
    Plan,
    Wake,
    is_woken,
)


@dataclass
class Row:
    """A row of the log."""

    id: int
    key: str
    pixel_id: str
    test_event_code: str | None
    event_time: int
    action_source: str
    next_attempt_at: int | None
    browser_copy_at: int | None = None
    size: int = 400
    state: str = PENDING
    failure_reason: str | None = None
    cause: str | None = None
    attempt_count: int = 0
    unknown_count: int = 0
    isolation_part: int | None = None
    first_refusal_id: int | None = None
    tried_at: int = 0


@dataclass
class Attempt:
    """A request that was announced."""

    id: int
    pixel_id: str
    started_at: int
    ids: tuple[int, ...]
    outcome: Outcome | None = None
    arrived: bool = True


_ORDERS: dict[Order, Callable[[Row], tuple[int, ...]]] = {
    Order.OLDEST: lambda row: (row.event_time, row.id),
    Order.LEAST_TRIED: lambda row: (row.attempt_count, -row.event_time, -row.id),
    Order.LONGEST_DUE: lambda row: (row.next_attempt_at or 0, -row.event_time, -row.id),
}


class Store(Protocol):
    """Where a world keeps its events: what is committed is there for all."""

    def outbox(self, pixel_id: str) -> AbstractContextManager[Any]:
        """A transaction: committed at the end, taken back if anything is raised."""

    def is_idle(self) -> bool:
        """Tell whether no transaction is open."""

    def add(self, **values: Any) -> object:
        """Record an event: the values of a ``Row``."""

    def key_of(self, body: bytes) -> str:
        """Return the key of an event that is sent."""

    def pending(self, pixel_id: str | None = None) -> list[Row]:
        """Return the rows that wait, of one pixel or all, the oldest first."""

    def known_pixel(self, pixel_id: str) -> Pixel:
        """Return what is known of a pixel."""

    def expire_overdue(self, now: int) -> None:
        """Give up on what Meta takes no longer, as the sweep does."""

    def retry(self, now: int) -> list[str]:
        """Retry all that has failed; return the pixel of each."""

    def cancel(self, event_ids: Iterable[int]) -> None:
        """Take events out."""


class MemoryStore:
    """What is committed, and what each transaction would take back."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.rows_of: dict[str, list[Row]] = defaultdict(list)
        self.pixels: dict[str, Pixel] = defaultdict(Pixel)
        self.attempts: list[Attempt] = []
        # Of each event, its requests: a row of the relation.
        self.attempts_of: dict[int, list[Attempt]] = {}
        self.locks: dict[int, object] = {}

    def add(self, **values: Any) -> Row:
        row = Row(len(self.rows) + 1, **values)
        self.rows[row.id] = row
        self.rows_of[row.pixel_id].append(row)
        self.attempts_of[row.id] = []
        return row

    def pending(self, pixel_id: str | None = None) -> list[Row]:
        rows = self.rows.values() if pixel_id is None else self.rows_of[pixel_id]
        return [row for row in rows if row.state == PENDING]

    def key_of(self, body: bytes) -> str:
        return body.decode()

    def is_idle(self) -> bool:
        return not self.locks

    def known_pixel(self, pixel_id: str) -> Pixel:
        pixel = self.pixels[pixel_id]
        doubted = pixel.doubt and self.rows[pixel.doubt.event_id]
        if doubted and doubted.state != PENDING:
            return replace(pixel, doubt=None)
        return pixel

    def outbox(self, pixel_id: str) -> MemoryOutbox:
        return MemoryOutbox(self, pixel_id)

    def expire_overdue(self, now: int) -> None:
        for row in self.pending():
            closes = window_closes_at(row.event_time, row.action_source)
            if closes <= now and row.id not in self.locks:
                row.state, row.failure_reason, row.cause = FAILED, EXPIRED, "expired"
                row.next_attempt_at = row.isolation_part = None

    def retry(self, now: int) -> list[str]:
        failed = [row for row in self.rows.values() if row.state == FAILED]
        for row in failed:
            row.state, row.failure_reason, row.cause = PENDING, None, None
            row.attempt_count = row.unknown_count = 0
            row.isolation_part = row.first_refusal_id = None
            row.next_attempt_at = now
        return [row.pixel_id for row in failed]

    def cancel(self, event_ids: Iterable[int]) -> None:
        for event_id in event_ids:
            row = self.rows[event_id]
            row.state, row.cause = CANCELLED, "cancelled_by_hand"
            row.next_attempt_at = row.isolation_part = None


@dataclass(eq=False)
class MemoryOutbox:
    store: MemoryStore
    pixel_id: str
    _before: dict[int, dict[str, Any]] = field(default_factory=dict)
    _pixel_before: Pixel | None = None
    _attempts_before: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    _locked: list[int] = field(default_factory=list)

    def __enter__(self) -> MemoryOutbox:
        return self

    def __exit__(self, error: type[BaseException] | None, *_more: object) -> None:
        if error:
            self._roll_back()
        for event_id in self._locked:
            del self.store.locks[event_id]

    def _roll_back(self) -> None:
        for event_id, values in self._before.items():
            self.store.rows[event_id].__dict__.update(values)
        if self._pixel_before is not None:
            self.store.pixels[self.pixel_id] = self._pixel_before
        for attempt_id, (outcome, arrived) in self._attempts_before.items():
            attempt = self.store.attempts[attempt_id - 1]
            attempt.outcome, attempt.arrived = outcome, arrived

    def _is_free(self, row: Row) -> bool:
        return self.store.locks.get(row.id) in (None, self)

    def _touch(self, row: Row) -> Row:
        self._before.setdefault(row.id, dict(row.__dict__))
        return row

    def pixel(self) -> Pixel:
        return self.store.known_pixel(self.pixel_id)

    def lock_pixel(self) -> Pixel:
        return self.pixel()

    def take_probe(self, now: int) -> bool:
        pixel = self.pixel()
        if pixel.next_probe_at is None or pixel.next_probe_at > now:
            return False
        self.store.pixels[self.pixel_id] = replace(pixel, next_probe_at=now + 3600)
        return True

    def claim(
        self, plan: Plan, now: int, chosen: Sequence[int] | None
    ) -> tuple[list[Claimed], bool]:
        due = [
            row
            for row in self.store.pending(self.pixel_id)
            if (
                row.id in chosen
                if chosen is not None
                else row.next_attempt_at is not None and row.next_attempt_at <= now
            )
        ]
        free = sorted(filter(self._is_free, due), key=_ORDERS[plan.order])
        if not free:
            return [], False
        batch = self._fill(free, plan.limit)
        self._locked += [row.id for row in batch]
        self.store.locks.update(dict.fromkeys(self._locked, self))
        return [self._claimed(row) for row in batch], len(due) > len(batch)

    def _fill(self, free: list[Row], limit: int) -> list[Row]:
        """Return the first of these rows, with others that go into the same request."""
        first = free[0]
        alike = [
            row
            for row in free
            if row.test_event_code == first.test_event_code
            and row.isolation_part == first.isolation_part
        ]
        batch = [first]
        while count := count_to_fill([row.size for row in batch], limit):
            tried = alike[: len(batch) + count]
            fitting = take_batch(row.size for row in tried)
            is_last = fitting < len(batch) + count
            batch = alike[:fitting]
            if is_last:
                break
        return batch

    def _claimed(self, row: Row) -> Claimed:
        copies = [a.started_at for a in self.store.attempts_of[row.id] if a.arrived]
        if row.browser_copy_at is not None:
            copies.append(row.browser_copy_at)
        return Claimed(
            id=row.id,
            event_time=row.event_time,
            action_source=row.action_source,
            attempt_count=row.attempt_count,
            unknown_count=row.unknown_count,
            isolation_part=row.isolation_part,
            first_refusal_id=row.first_refusal_id,
            first_copy_at=min(copies, default=None),
            test_event_code=row.test_event_code,
            body=row.key.encode(),
        )

    def announce(self, batch: Sequence[Claimed], now: int) -> int:
        ids = tuple(event.id for event in batch)
        attempt = Attempt(len(self.store.attempts) + 1, self.pixel_id, now, ids)
        self.store.attempts.append(attempt)
        for event_id in ids:
            self.store.attempts_of[event_id].append(attempt)
        return attempt.id

    def history(self, event: Claimed, attempt_id: int) -> History:
        accepted = [
            attempt
            for attempt in self.store.attempts
            if attempt.pixel_id == self.pixel_id
            and attempt.outcome is Outcome.ACCEPTED
            and attempt.id < attempt_id
        ]
        alone = [
            attempt.id
            for attempt in self.store.attempts_of[event.id]
            if attempt.outcome is Outcome.AMBIGUOUS
            and len(attempt.ids) == 1
            and event.first_refusal_id is not None
            and event.first_refusal_id <= attempt.id < attempt_id
        ]
        return History(
            accepted_id=accepted[-1].id if accepted else None,
            accepted_at=accepted[-1].started_at if accepted else 0,
            refused_alone_id=min(alone, default=None),
        )

    def complete(self, attempt_id: int, answer: Answer) -> None:
        attempt = self.store.attempts[attempt_id - 1]
        self._attempts_before.setdefault(attempt_id, (attempt.outcome, attempt.arrived))
        attempt.outcome, attempt.arrived = answer.outcome, answer.arrived

    def settle(
        self,
        changes: Iterable[Change],
        answer: Answer | None,
        now: int,
        attempt_id: int = 0,
    ) -> None:
        for change in changes:
            for event_id in change.ids:
                row = self._touch(self.store.rows[event_id])
                assert row.state in TRANSITIONS[change.state], (row, change)
                row.state = change.state
                row.failure_reason = change.failure_reason
                row.cause = change.cause
                row.next_attempt_at = change.next_attempt_at
                row.isolation_part = change.isolation_part
                row.first_refusal_id = change.first_refusal_id
                row.attempt_count += change.counts
                row.unknown_count += change.is_unknown
                row.tried_at = now

    def write_pixel(
        self, pixel: Pixel, wake: Wake | None, now: int, answer: Answer | None = None
    ) -> None:
        if self._pixel_before is None:
            self._pixel_before = self.pixel()
        self.store.pixels[self.pixel_id] = pixel
        if wake:
            self._wake(wake, now)

    def _wake(self, wake: Wake, now: int) -> None:
        waiting = [
            row
            for row in self.store.pending(self.pixel_id)
            if self._is_free(row)
            and row.next_attempt_at is not None
            and row.next_attempt_at > now
        ]
        waiting.sort(key=lambda row: (row.event_time, row.id))
        parts: dict[int, list[Row]] = {}
        for row in waiting:
            if row.isolation_part is not None:
                parts.setdefault(row.isolation_part, []).append(row)
        woken = set()
        for row in waiting:
            part = parts.get(row.isolation_part or 0, [row])
            if is_woken(
                wake,
                isolation_part=row.isolation_part,
                part_size=len(part),
                unknown_count=row.unknown_count,
                first_refusal_id=row.first_refusal_id,
                tried_at=row.tried_at,
            ):
                self._touch(row).next_attempt_at = now
                woken.add(row.id)
        if wake.everything:
            return
        for rows in parts.values():
            if len(rows) > 1:
                for half in halves([row.id for row in rows]):
                    for event_id in woken.intersection(half):
                        row = self._touch(self.store.rows[event_id])
                        row.isolation_part = min(half)
