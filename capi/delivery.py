"""The way of pending events to Meta: claim, announce, ask, decide, write.

Each round is one short transaction with one request. Where events are kept, who asks
Meta and what time it is are handed in: an :class:`Outbox`, a :data:`Sender` and a clock.
"""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tenacity import RetryCallState, Retrying, retry_if_result

from .answer import Answer
from .decision import Decision, decide
from .graph_errors import Outcome
from .planning import early, overdue, plan
from .states import PENDING, Change, Claimed, History, Pixel, Plan, Wake

# Seconds after which no request is begun and no sleep either. A request may last 20 s,
# and a worker has 120 s by default for all of it.
MAX_SECONDS = 45
# Seconds that are waited for on the spot; whatever takes longer is another run's.
_MAX_SLEEP = 40
_MAX_SLEEPS = 2

Clock = Callable[[], int]
# Sends the bodies of events with a test event code, and returns what came back.
Sender = Callable[[Sequence[bytes], str | None], Answer]


class Outbox(Protocol):
    """The events of one pixel, in a transaction that the caller commits."""

    def pixel(self) -> Pixel:
        """Return what is known of the pixel."""

    def lock_pixel(self) -> Pixel:
        """Return what is known by now, and let nobody else change it."""

    def take_probe(self, now: int) -> bool:
        """Tell whether this hour's probe is ours. Committed at once: it is one probe."""

    def claim(
        self, plan: Plan, now: int, chosen: Sequence[int] | None
    ) -> tuple[list[Claimed], bool]:
        """Lock due events that go into one request; tell whether others may be.

        :param chosen: claim these, due or not
        """

    def announce(self, batch: Sequence[Claimed], now: int) -> int:
        """Return the number of a request that is about to leave. Committed at once.

        Whatever happens to this process, the log tells that Meta may have the events.
        """

    def history(self, event: Claimed, attempt_id: int) -> History:
        """Return what the log tells of requests before this one."""

    def settle(
        self,
        changes: Iterable[Change],
        answer: Answer | None,
        now: int,
        attempt_id: int = 0,
    ) -> None:
        """Write what becomes of events, and what Meta said of them.

        :param attempt_id: the request that carried them, if there was one
        """

    def complete(self, attempt_id: int, answer: Answer) -> None:
        """Write down the answer to a request, or that there was none."""

    def write_pixel(
        self, pixel: Pixel, wake: Wake | None, now: int, answer: Answer | None = None
    ) -> None:
        """Write what is known of the pixel, and end the waiting of its events."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one round did."""

    # The events it was about.
    ids: tuple[int, ...] = ()
    sent: int = 0
    # Others may be sent right now.
    more: bool = False
    # Unix time at which the first of these events is due again; None: not by itself.
    retry_at: int | None = None
    answer: Answer | None = None
    is_split: bool = False
    # The pixel takes nothing for now.
    is_over: bool = False
    # The pixel stopped with this answer, or runs again.
    changes_stop: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What several rounds did."""

    sent: int
    retry_at: int | None = None
    # Time ran out while others were due.
    is_interrupted: bool = False
    answers: tuple[Answer, ...] = ()


def send_batch(
    outbox: Outbox,
    sender: Sender | Answer,
    clock: Clock,
    *,
    chosen: Sequence[int] | None = None,
    random: Callable[[], float] = _random.random,
) -> Step:
    """Send one request with due events, and write what became of them.

    :param sender: an ``Answer`` where no request can be made at all
    :param chosen: the events that a person wants sent, due or not
    """
    now = clock()
    known = outbox.pixel()
    intended = plan(known, now, by_hand=chosen is not None)
    if intended is None or (intended.is_probe and not outbox.take_probe(now)):
        return Step()
    batch, more = outbox.claim(intended, now, chosen)
    put_off = overdue(batch, now)
    if chosen is None:
        put_off += early(batch, known, now)
    if put_off:
        outbox.settle(put_off, None, now)
        ids = tuple(id_ for change in put_off for id_ in change.ids)
        return Step(ids=ids, more=True, retry_at=_next_time(put_off, now))
    if not batch:
        return Step()
    attempt_id, answer = _ask(outbox, sender, batch, clock)
    return _settle(outbox, batch, attempt_id, answer, clock(), more, random)


def _ask(
    outbox: Outbox, sender: Sender | Answer, batch: Sequence[Claimed], clock: Clock
) -> tuple[int, Answer]:
    """Make the request, logged before and after; return its number and its answer."""
    if isinstance(sender, Answer):
        return 0, sender
    attempt_id = outbox.announce(batch, clock())
    answer = sender([event.body for event in batch], batch[0].test_event_code)
    outbox.complete(attempt_id, answer)
    return attempt_id, answer


def _settle(
    outbox: Outbox,
    batch: Sequence[Claimed],
    attempt_id: int,
    answer: Answer,
    now: int,
    more: bool,
    random: Callable[[], float],
) -> Step:
    """Write what becomes of the events of a request, and of their pixel."""
    before = outbox.lock_pixel()
    is_doubtful = answer.outcome is Outcome.AMBIGUOUS and len(batch) == 1
    decision = decide(
        answer,
        batch,
        before,
        attempt_id=attempt_id,
        now=now,
        history=outbox.history(batch[0], attempt_id) if is_doubtful else None,
        random=random,
    )
    outbox.settle(decision.changes, answer, now, attempt_id)
    if decision.pixel != before:
        outbox.write_pixel(decision.pixel, decision.wake, now, answer)
    return _to_step(batch, answer, before, decision, now, more)


def _to_step(
    batch: Sequence[Claimed],
    answer: Answer,
    before: Pixel,
    decision: Decision,
    now: int,
    more: bool,
) -> Step:
    pixel = decision.pixel
    is_sent = answer.outcome is Outcome.ACCEPTED
    is_paused = pixel.wait_until is not None and pixel.wait_until > now
    retry_at = _next_time(decision.changes, now)
    return Step(
        ids=tuple(event.id for event in batch),
        sent=len(batch) if is_sent else 0,
        more=not is_paused and (decision.more or (is_sent and more)),
        retry_at=None if pixel.is_stopped else retry_at,
        answer=answer,
        is_split=decision.is_split,
        is_over=pixel.is_stopped or is_paused,
        changes_stop=pixel.is_stopped is not before.is_stopped,
    )


def _next_time(changes: Iterable[Change], now: int) -> int | None:
    """Return when the first of these events is due again by itself."""
    times = (change.next_attempt_at for change in changes if change.state == PENDING)
    return min((time for time in times if time and time > now), default=None)


def deliver(
    send: Callable[[], Step],
    clock: Clock,
    sleep: Callable[[float], None],
    *,
    deadline: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Send all that is due, and once more what failed and is due again soon.

    Nothing is locked during a sleep: each round is a transaction of its own.

    :param send: one round; see :func:`send_batch`
    :param deadline: Unix time after which nothing new is begun
    :param should_stop: tells whether another process has to go on
    """
    runs: list[Run] = []

    def drain() -> Run:
        runs.append(_drain(send, lambda: clock() >= deadline or should_stop()))
        return runs[-1]

    def is_due_soon(run: Run) -> bool:
        if run.is_interrupted or run.retry_at is None:
            return False
        return run.retry_at - clock() <= _MAX_SLEEP

    def until_due(_state: RetryCallState) -> float:
        return max((runs[-1].retry_at or 0) - clock(), 0)

    def is_enough(state: RetryCallState) -> bool:
        has_slept = state.attempt_number > _MAX_SLEEPS
        return has_slept or clock() + state.upcoming_sleep >= deadline

    retrying = Retrying(
        retry=retry_if_result(is_due_soon),
        wait=until_due,
        stop=is_enough,
        sleep=sleep,
        retry_error_callback=lambda _state: None,
    )
    retrying(drain)
    last = runs[-1]
    return Run(sum(run.sent for run in runs), last.retry_at, last.is_interrupted)


def _drain(send: Callable[[], Step], should_stop: Callable[[], bool]) -> Run:
    """Send all that is due by now."""
    sent, retry_at = 0, None
    step = Step(more=True)
    while step.more:
        if should_stop():
            return Run(sent, retry_at, is_interrupted=True)
        step = send()
        sent += step.sent
        if step.retry_at is not None:
            retry_at = min(retry_at or step.retry_at, step.retry_at)
    return Run(sent, retry_at)


def send_chosen(
    send: Callable[[Sequence[int]], Step],
    chosen: Iterable[int],
    clock: Clock,
    *,
    deadline: int,
) -> Run:
    """Send the events that a person has chosen, each batch once.

    A batch that Meta refuses is asked about in parts, down to single events; none of
    those is sent twice, and nothing more once the pixel takes nothing.
    """
    left = dict.fromkeys(chosen)
    sent, answers = 0, []
    while left and clock() < deadline:
        step = send(list(left))
        sent += step.sent
        if step.answer:
            answers.append(step.answer)
        if not step.ids or step.is_over:
            break
        if not step.is_split:
            for event_id in step.ids:
                left.pop(event_id, None)
    return Run(sent, answers=tuple(answers))
