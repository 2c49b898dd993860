"""What becomes of events and pixel after an answer of Meta: values in, values out.

The rule above all others: what Meta says of a request is said of an event only once the
event was alone in it. Nothing in here looks at a clock, a database or the network.
"""

from __future__ import annotations

import math
import random as _random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .answer import Answer
from .graph_errors import Outcome
from .planning import early
from .schedule import MAX_UNKNOWN_ATTEMPTS, PROBE_INTERVAL, retry_delay
from .states import (
    EXHAUSTED,
    FAILED,
    INVALID,
    SENT,
    Change,
    Claimed,
    Doubt,
    History,
    Pixel,
    Wake,
)

# The longest wait, in seconds, after "too many requests" that names no time.
MAX_DEFAULT_WAIT = 3600
# Seconds before an event's window closes at which it is tried for a last time.
LAST_TRY = 120


@dataclass(frozen=True, slots=True)
class Decision:
    """What an answer leads to."""

    changes: tuple[Change, ...]
    pixel: Pixel
    wake: Wake | None = None
    # Others of the pixel may be sent right away.
    more: bool = False
    # Whether the events of the request are to be asked again in smaller parts.
    is_split: bool = False


def halves(ids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the two parts that a batch is split into.

    >>> halves([1, 2, 3])
    ((1, 2), (3,))
    """
    middle = (len(ids) + 1) // 2
    return tuple(ids[:middle]), tuple(ids[middle:])


def decide(
    answer: Answer,
    batch: Sequence[Claimed],
    pixel: Pixel,
    *,
    attempt_id: int,
    now: int,
    history: History | None = None,
    random: Callable[[], float] = _random.random,
) -> Decision:
    """Return what becomes of the events of a request and of their pixel.

    :param batch: what the request carried, at least one event
    :param pixel: what is known of it by now
    :param attempt_id: the request's number; later ones have higher ones
    :param history: needed for ``Outcome.AMBIGUOUS`` to one event
    :param random: returns a number from 0 to 1
    """
    # One draw for all: what failed together goes on together.
    jitter = random()
    case = _Case(answer, tuple(batch), pixel, attempt_id, now, history, lambda: jitter)
    return case.decide()


@dataclass(frozen=True, slots=True)
class _Case:
    answer: Answer
    batch: tuple[Claimed, ...]
    pixel: Pixel
    attempt_id: int
    now: int
    history: History | None
    random: Callable[[], float]

    def decide(self) -> Decision:
        match self.answer.outcome:
            case Outcome.ACCEPTED:
                return self._accepted()
            case Outcome.STOPPED:
                return self._stopped()
            case Outcome.THROTTLED:
                return self._throttled()
            case Outcome.REFUSED:
                return self._refused()
            case _ if self.pixel.is_stopped:
                return self._still_stopped()
            case Outcome.EARLY:
                return self._early()
            case Outcome.AMBIGUOUS:
                return self._ambiguous()
            case Outcome.UNKNOWN:
                return self._unknown()
            case Outcome.TRANSIENT:
                return self._transient()

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(event.id for event in self.batch)

    @property
    def is_alone(self) -> bool:
        return len(self.batch) == 1

    @property
    def failing_since(self) -> int:
        """When the trouble began that begins now, or goes on."""
        since = self.pixel.failing_since
        return self.now if since is None else since

    # ------------------------------------------------------------- what Meta may say

    def _accepted(self) -> Decision:
        pixel, wake = self.pixel, None
        if pixel.is_stopped or pixel.is_failing or pixel.doubt:
            wake = Wake(pixel.is_stopped, pixel.failing_since)
        skew = pixel.clock_skew
        if skew and self.answer.server_time is not None:
            skew = max(self.now - self.answer.server_time - 1, 0)
        rest = Pixel(clock_skew=skew, wait_until=pixel.wait_until)
        if self.answer.slow_down:
            rest = replace(rest, wait_until=self.now + math.ceil(self.answer.slow_down))
        change = Change(self.ids, SENT, counts=True)
        return Decision((change,), rest, wake, more=wake is not None)

    def _stopped(self) -> Decision:
        """The cause is not in the events: they are held."""
        return Decision(self._all_due(self.now), self._stopped_pixel())

    def _still_stopped(self) -> Decision:
        """What is said while the pixel is stopped tells nothing of the events.

        The next probe takes another one.
        """
        return Decision(self._all_due(self.now + PROBE_INTERVAL), self.pixel)

    def _throttled(self) -> Decision:
        """Nothing is sent to the pixel for as long as Meta asks."""
        fails_for = self.now - self.failing_since
        default = max(retry_delay(1, random=self.random), fails_for)
        seconds = self.answer.retry_after or min(default, MAX_DEFAULT_WAIT)
        until = self.now + math.ceil(seconds)
        cause = self.pixel.cause if self.pixel.is_stopped else self.answer.cause
        pixel = replace(self._failing(), wait_until=until, cause=cause)
        return Decision(self._all_due(until), pixel)

    def _refused(self) -> Decision:
        """Meta looked at the events: token and permission are in order."""
        wake = Wake(everything=True) if self.pixel.is_stopped else None
        pixel = Pixel(clock_skew=self.pixel.clock_skew) if wake else self.pixel
        if not self.is_alone:
            return replace(self._split(), pixel=pixel, wake=wake)
        return replace(self._invalid(), pixel=pixel, wake=wake)

    def _early(self) -> Decision:
        """Meta's clock says that an event's time has not come."""
        skew = 0
        if self.answer.server_time is not None:
            # Its date is cut to the second.
            skew = max(self.now - self.answer.server_time, 0) + 1
        pixel = replace(self.pixel, clock_skew=skew)
        coming = early(self.batch, pixel, self.now)
        if not coming:
            return self._postpone_alone() if self.is_alone else self._split()
        due = {change.ids[0]: change.next_attempt_at or 0 for change in coming}
        changes = self._grouped(
            lambda event: event.due_at(due.get(event.id, self.now), self.answer.cause)
        )
        return Decision(changes, pixel, more=len(due) < len(self.batch))

    def _ambiguous(self) -> Decision:
        """Tell a bad event from a bad configuration.

        An event that is refused alone, and again just after another was accepted, speaks
        of itself. Two single events refused alike, with nothing accepted in between,
        speak of the pixel, unless others of their batch were accepted just now.
        """
        if not self.is_alone:
            return self._split(first_refusal_id=self.attempt_id)
        (event,) = self.batch
        history = self.history or History()
        if history.has_accepted_since(history.refused_alone_id, self.now):
            return self._invalid()
        if history.has_accepted_since(event.first_refusal_id, self.now):
            return self._postpone_alone()
        first = event.first_refusal_id or self.attempt_id
        if self._confirms_doubt():
            change = event.due_at(self.now, self.answer.cause, counts=True)
            return Decision(
                (replace(change, first_refusal_id=first),), self._stopped_pixel()
            )
        return self._doubt(first_refusal_id=first)

    def _unknown(self) -> Decision:
        """An answer that nobody documented, which may be about anything."""
        if not self.is_alone:
            if self.pixel.cause == self.answer.cause:
                return self._postpone()
            return self._split()
        (event,) = self.batch
        if event.unknown_count + 1 >= MAX_UNKNOWN_ATTEMPTS:
            change = Change(
                self.ids, FAILED, EXHAUSTED, "exhausted", counts=True, is_unknown=True
            )
            return Decision((change,), self.pixel, more=True)
        if self._confirms_doubt() or self.pixel.is_failing:
            change = replace(self._retry(event), is_unknown=True)
            return Decision((change,), replace(self._failing(), doubt=None))
        return self._doubt(is_unknown=True)

    def _transient(self) -> Decision:
        """It passes by itself, unless the pixel takes others meanwhile."""
        is_again = not self.pixel.is_failing and any(
            event.attempt_count for event in self.batch
        )
        if not self.is_alone:
            if is_again:
                return replace(self._split(), pixel=self._failing())
            return self._postpone()
        if is_again:
            return self._postpone_alone()
        (event,) = self.batch
        # Trouble may begin here: one other request tells whose it is.
        more = not self.pixel.is_failing
        return Decision((self._retry(event),), self._failing(), more=more)

    # ----------------------------------------------------------- what can be done

    def _split(self, first_refusal_id: int | None = None) -> Decision:
        """Ask about the halves, each by itself, at once.

        The mark is on the rows, so that a worker that dies takes no knowledge along.
        """
        part_of = {id_: min(half) for half in halves(self.ids) for id_ in half}
        changes = self._grouped(
            lambda event: Change(
                (event.id,),
                cause=self.answer.cause,
                next_attempt_at=self.now,
                isolation_part=part_of[event.id],
                first_refusal_id=event.first_refusal_id or first_refusal_id,
            )
        )
        return Decision(changes, self.pixel, more=True, is_split=True)

    def _invalid(self) -> Decision:
        """Give up on the one event: the request carried no other."""
        change = Change(self.ids, FAILED, INVALID, cause=self.answer.cause, counts=True)
        return Decision((change,), self.pixel, more=True)

    def _postpone(self) -> Decision:
        """Send the batch again, as it is, in a while."""
        is_part = any(event.isolation_part is not None for event in self.batch)
        least = self.now - self.failing_since if is_part else 0
        changes = self._grouped(
            lambda event: self._retry(event, counts=not is_part, least=least)
        )
        # If the other part is taken, this one is known to be the bad one.
        more = is_part or not self.pixel.is_failing
        return Decision(changes, self._failing(), more=more)

    def _postpone_alone(self) -> Decision:
        """Let this event wait by itself: the others are taken."""
        (event,) = self.batch
        change = replace(self._retry(event), isolation_part=event.id)
        return Decision((change,), self.pixel, more=True)

    def _doubt(
        self, first_refusal_id: int | None = None, is_unknown: bool = False
    ) -> Decision:
        """Ask about another single event, to see whose fault it is."""
        (event,) = self.batch
        change = replace(
            self._retry(event),
            isolation_part=event.id,
            first_refusal_id=first_refusal_id or event.first_refusal_id,
            is_unknown=is_unknown,
        )
        doubt = Doubt(event.id, self.answer.error_code, self.answer.error_subcode)
        return Decision((change,), replace(self.pixel, doubt=doubt), more=True)

    def _confirms_doubt(self) -> bool:
        """Tell whether another single event was refused alike, and none accepted since."""
        doubt = self.pixel.doubt
        return (
            doubt is not None
            and doubt.event_id != self.batch[0].id
            and doubt.error_code == self.answer.error_code
            and (doubt.error_subcode or 0) == (self.answer.error_subcode or 0)
        )

    def _stopped_pixel(self) -> Pixel:
        stopped_at = self.pixel.stopped_at
        return Pixel(
            stopped_at=self.now if stopped_at is None else stopped_at,
            next_probe_at=self.now + PROBE_INTERVAL,
            wait_until=self.pixel.wait_until,
            clock_skew=self.pixel.clock_skew,
            cause=self.answer.cause,
        )

    def _failing(self) -> Pixel:
        """Return the pixel with the trouble that began now, or goes on."""
        return replace(
            self.pixel, failing_since=self.failing_since, cause=self.answer.cause
        )

    def _retry(self, event: Claimed, *, counts: bool = True, least: int = 0) -> Change:
        """Have an event wait for its next try, ``least`` seconds or more."""
        tries = event.attempt_count + 1 if counts else 1
        delay = retry_delay(tries, random=self.random)
        due = self.now + max(delay, least, math.ceil(self.answer.retry_after or 0))
        if self.answer.arrived and event.first_copy_at is None:
            event = replace(event, first_copy_at=self.now)
        last_try = event.closes_at - LAST_TRY
        if due > last_try > self.now:
            due = last_try
        return event.due_at(due, self.answer.cause, counts=counts)

    def _all_due(self, at: int) -> tuple[Change, ...]:
        return self._grouped(lambda event: event.due_at(at, self.answer.cause))

    def _grouped(self, change: Callable[[Claimed], Change]) -> tuple[Change, ...]:
        """Return the events' changes, the like ones together."""
        ids: dict[Change, list[int]] = {}
        for event in self.batch:
            ids.setdefault(replace(change(event), ids=()), []).append(event.id)
        return tuple(replace(one, ids=tuple(alike)) for one, alike in ids.items())
