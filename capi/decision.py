"""What becomes of events and pixel after an answer of Meta: values in, values out.

The rule above all others: what Meta says of a request is said of an event only once the
event was alone in it. Nothing in here looks at a clock, a database or the network; all
times are whole Unix seconds.
"""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .answer import Answer
from .const import MAX_EVENTS
from .graph_errors import Outcome
from .schedule import (
    MAX_UNKNOWN_ATTEMPTS,
    PROBE_INTERVAL,
    closes_at,
    retry_delay,
    window_closes_at,
)

# Seconds for which a pixel may fail before it is asked with single events. Until then
# a batch is sent again as it was: most trouble is a blip.
FAILING_LONG = 60
# Seconds within which an accepted request vouches for the pixel.
VOUCHES_FOR = 20
# The longest wait, in seconds, after "too many requests" that names no time.
MAX_UNTOLD_WAIT = 3600
# Seconds before an event's window closes at which it is tried for a last time.
LAST_TRY = 120

PENDING, SENT, FAILED, CANCELLED = "pending", "sent", "failed", "cancelled"
INVALID, EXPIRED, EXHAUSTED = "invalid", "expired", "exhausted"

# The transitions of an event: the states each may start from. Nothing leaves ``sent``
# and ``cancelled``.
TRANSITIONS: dict[str, frozenset[str]] = {
    SENT: frozenset({PENDING}),
    FAILED: frozenset({PENDING}),
    CANCELLED: frozenset({PENDING, FAILED}),
    PENDING: frozenset({PENDING, FAILED}),
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A pending event, locked for a request."""

    id: int
    event_time: int
    action_source: str
    # Tries whose failure may be the event's: they space the next ones. What is said of
    # a batch that is being split, of a stopped pixel or of a limit does not count.
    attempt_count: int = 0
    # Undocumented answers to the event alone.
    unknown_count: int = 0
    # Events of a batch under suspicion that travel together; None: with all others.
    isolation_part: int | None = None
    # The first request refused without a reason that carried it.
    first_refusal_id: int | None = None
    # When Meta got, or may have got, its first copy.
    first_copy_at: int | None = None
    test_event_code: str | None = None
    # As it is sent.
    body: bytes = b""

    @property
    def closes_at(self) -> int:
        return closes_at(
            self.event_time, self.action_source, first_copy_at=self.first_copy_at
        )


@dataclass(frozen=True, slots=True)
class Doubt:
    """A single event was refused; it is not known yet whether the pixel would be, too."""

    event_id: int
    error_code: int | None = None
    error_subcode: int | None = None


@dataclass(frozen=True, slots=True)
class Pixel:
    """What is known of a pixel."""

    stopped_at: int | None = None
    next_probe_at: int | None = None
    # Meta asked not to be called before.
    wait_until: int | None = None
    # No request has been accepted since.
    failing_since: int | None = None
    doubt: Doubt | None = None
    # What stops or slows it.
    cause: str | None = None
    # Seconds by which our clock is ahead of Meta's, where that has made a difference.
    clock_skew: int = 0

    @property
    def is_stopped(self) -> bool:
        return self.stopped_at is not None

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None


class Order(Enum):
    """Which of the due events go first."""

    OLDEST = "oldest"
    # Whatever is wrong with those tried often may be wrong with them alone; the newest
    # of the others tell most about the pixel.
    LEAST_TRIED = "least_tried"
    # Each in its turn.
    LONGEST_DUE = "longest_due"


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be claimed now."""

    limit: int
    order: Order = Order.OLDEST
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of some events of a request: one transition for all of them."""

    ids: tuple[int, ...]
    state: str = PENDING
    failure_reason: str | None = None
    cause: str | None = None
    next_attempt_at: int | None = None
    isolation_part: int | None = None
    first_refusal_id: int | None = None
    # Whether this try counts; see ``Claimed``.
    counts: bool = False
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """Which waiting events become due at once; see :func:`is_woken`."""

    everything: bool = False
    failing_since: int | None = None


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


@dataclass(frozen=True, slots=True)
class History:
    """What the log tells of earlier requests, where one answer does not tell enough.

    Requests are told by number: later ones have higher ones.
    """

    # The pixel's last request that was accepted, and when it began.
    accepted_id: int | None = None
    accepted_at: int = 0
    # The first one in which the event was alone and refused without a reason.
    refused_alone_id: int | None = None

    def vouches(self, since: int | None, now: int) -> bool:
        """Tell whether a request after ``since`` was accepted, and just now."""
        return (
            since is not None
            and self.accepted_id is not None
            and self.accepted_id > since
            and now - self.accepted_at <= VOUCHES_FOR
        )


def plan(pixel: Pixel, now: int, *, by_hand: bool = False) -> Plan | None:
    """Return what may be sent to the pixel now, or None.

    :param by_hand: a person wants the answer, whatever we think of the pixel
    """
    one = Plan(1, Order.LEAST_TRIED)
    if by_hand:
        return one if pixel.doubt else Plan(MAX_EVENTS)
    if pixel.wait_until is not None and pixel.wait_until > now:
        return None
    if pixel.is_stopped:
        is_time = pixel.next_probe_at is not None and pixel.next_probe_at <= now
        return replace(one, order=Order.LONGEST_DUE, is_probe=True) if is_time else None
    since = pixel.failing_since
    if pixel.doubt or (since is not None and since <= now - FAILING_LONG):
        return one
    return Plan(MAX_EVENTS)


def overdue(batch: Iterable[Claimed], now: int) -> tuple[Change, ...]:
    """Return the end of those events that are not sent any more."""
    late: list[int] = []
    twice: list[int] = []
    for event in batch:
        if now < event.closes_at:
            continue
        is_late = now >= window_closes_at(event.event_time, event.action_source)
        (late if is_late else twice).append(event.id)
    return tuple(
        Change(tuple(ids), FAILED, EXPIRED, cause)
        for ids, cause in ((late, "expired"), (twice, "expired_copy"))
        if ids
    )


def early(batch: Iterable[Claimed], pixel: Pixel, now: int) -> tuple[Change, ...]:
    """Return the wait of those events whose time has not come by Meta's clock."""
    skew = pixel.clock_skew
    if not skew:
        return ()
    return tuple(
        Change(
            (event.id,),
            cause="clock",
            next_attempt_at=event.event_time + skew,
            isolation_part=event.isolation_part,
            first_refusal_id=event.first_refusal_id,
        )
        for event in batch
        if event.event_time + skew > now
    )


def halves(ids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the two parts that a batch is split into.

    >>> halves([1, 2, 3])
    ((1, 2), (3,))
    """
    middle = (len(ids) + 1) // 2
    return tuple(ids[:middle]), tuple(ids[middle:])


def is_woken(
    wake: Wake,
    *,
    isolation_part: int | None,
    part_size: int,
    unknown_count: int,
    first_refusal_id: int | None,
    tried_at: int,
) -> bool:
    """Tell whether a waiting event becomes due when its pixel takes events again.

    Not the one whose own fault it is that it waits, or any success of others would have
    it sent again: alone in its part, and tried for the last time before the trouble
    that is over began.
    """
    if wake.everything or (isolation_part is None and not unknown_count):
        return True
    if unknown_count:
        return False
    if part_size > 1 or first_refusal_id is not None:
        return True
    return wake.failing_since is not None and tried_at > wake.failing_since


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
            rest = replace(rest, wait_until=self.now + _whole(self.answer.slow_down))
        change = Change(self.ids, SENT, counts=True)
        return Decision((change,), rest, wake, more=wake is not None)

    def _stopped(self) -> Decision:
        """The cause is not in the events: they are held."""
        changes = self._same(lambda event: self._due(event, self.now))
        return Decision(changes, self._stop())

    def _still_stopped(self) -> Decision:
        """What is said while the pixel is stopped tells nothing of the events.

        The next probe takes another one.
        """
        later = self.now + PROBE_INTERVAL
        changes = self._same(lambda event: self._due(event, later))
        return Decision(changes, self.pixel)

    def _throttled(self) -> Decision:
        """Nothing is sent to the pixel for as long as Meta asks."""
        since = self.now
        if self.pixel.failing_since is not None:
            since = self.pixel.failing_since
        untold = min(
            max(retry_delay(1, random=self.random), self.now - since), MAX_UNTOLD_WAIT
        )
        until = self.now + _whole(self.answer.wait or untold)
        changes = self._same(lambda event: self._due(event, until))
        cause = self.pixel.cause if self.pixel.is_stopped else self.answer.cause
        pixel = replace(self.pixel, wait_until=until, failing_since=since, cause=cause)
        return Decision(changes, pixel)

    def _refused(self) -> Decision:
        """Meta looked at the events: token and permission are in order."""
        wake = Wake(everything=True) if self.pixel.is_stopped else None
        pixel = Pixel(clock_skew=self.pixel.clock_skew) if wake else self.pixel
        if not self.is_alone:
            return replace(self._split(), pixel=pixel, wake=wake)
        change = Change(self.ids, FAILED, INVALID, cause=self.answer.cause, counts=True)
        return Decision((change,), pixel, wake, more=True)

    def _early(self) -> Decision:
        """Meta's clock says that an event's time has not come."""
        skew = 0
        if self.answer.server_time is not None:
            # Its date is cut to the second.
            skew = max(self.now - self.answer.server_time, 0) + 1
        pixel = replace(self.pixel, clock_skew=skew)
        coming = early(self.batch, pixel, self.now)
        if not coming:
            if not self.is_alone:
                return self._split()
            return self._postpone_alone()
        due = {change.ids[0]: change.next_attempt_at or 0 for change in coming}
        changes = self._same(
            lambda event: self._due(event, due.get(event.id, self.now))
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
        if history.vouches(history.refused_alone_id, self.now):
            change = Change(
                self.ids, FAILED, INVALID, cause=self.answer.cause, counts=True
            )
            return Decision((change,), self.pixel, more=True)
        if history.vouches(event.first_refusal_id, self.now):
            return self._postpone_alone()
        first = event.first_refusal_id or self.attempt_id
        if self._confirms_doubt():
            change = self._due(event, self.now)
            change = replace(change, first_refusal_id=first, counts=True)
            return Decision((change,), self._stop())
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
            since = self.pixel.failing_since
            pixel = replace(
                self.pixel,
                failing_since=self.now if since is None else since,
                cause=self.answer.cause,
                doubt=None,
            )
            return Decision((replace(self._retry(event), is_unknown=True),), pixel)
        return self._doubt(is_unknown=True)

    def _transient(self) -> Decision:
        """It passes by itself, unless the pixel takes others meanwhile."""
        is_again = not self.pixel.is_failing and any(
            event.attempt_count for event in self.batch
        )
        if not self.is_alone:
            if is_again:
                return replace(self._split(), pixel=self._fail())
            return self._postpone()
        if is_again:
            return self._postpone_alone()
        (event,) = self.batch
        return Decision((self._retry(event),), self._fail(), more=self._begins())

    # ----------------------------------------------------------- what can be done

    def _split(self, first_refusal_id: int | None = None) -> Decision:
        """Ask about the halves, each by itself, at once.

        The mark is on the rows, so that a worker that dies takes no knowledge along.
        """
        part_of = {id_: min(half) for half in halves(self.ids) for id_ in half}
        changes = self._same(
            lambda event: replace(
                self._due(event, self.now),
                isolation_part=part_of[event.id],
                first_refusal_id=event.first_refusal_id or first_refusal_id,
            )
        )
        return Decision(changes, self.pixel, more=True, is_split=True)

    def _postpone(self) -> Decision:
        """Send the batch again, as it is, in a while."""
        is_part = any(event.isolation_part is not None for event in self.batch)
        fails_for = self.now - (self.pixel.failing_since or self.now) if is_part else 0
        changes = self._same(
            lambda event: self._retry(event, counts=not is_part, least=fails_for)
        )
        # If the other part is taken, this one is known to be the bad one.
        return Decision(changes, self._fail(), more=is_part or self._begins())

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

    def _stop(self) -> Pixel:
        stopped_at = self.pixel.stopped_at
        return Pixel(
            stopped_at=self.now if stopped_at is None else stopped_at,
            next_probe_at=self.now + PROBE_INTERVAL,
            wait_until=self.pixel.wait_until,
            clock_skew=self.pixel.clock_skew,
            cause=self.answer.cause,
        )

    def _begins(self) -> bool:
        """Tell whether trouble begins here: one other request tells whose it is."""
        return not self.pixel.is_failing

    def _fail(self) -> Pixel:
        """Return the pixel with the trouble that began now, or goes on."""
        since = self.pixel.failing_since
        return replace(
            self.pixel,
            failing_since=self.now if since is None else since,
            cause=self.answer.cause,
        )

    def _retry(self, event: Claimed, *, counts: bool = True, least: int = 0) -> Change:
        """Have an event wait for its next try, ``least`` seconds or more."""
        tries = event.attempt_count + 1 if counts else 1
        delay = retry_delay(tries, random=self.random)
        due = self.now + max(delay, least, _whole(self.answer.wait or 0))
        copy = event
        if self.answer.arrived and event.first_copy_at is None:
            copy = replace(event, first_copy_at=self.now)
        last_try = copy.closes_at - LAST_TRY
        if due > last_try > self.now:
            due = last_try
        return replace(self._due(event, due), counts=counts)

    def _due(self, event: Claimed, at: int) -> Change:
        """Have an event be due at a time; what is known of it stays."""
        return Change(
            (event.id,),
            cause=self.answer.cause,
            next_attempt_at=at,
            isolation_part=event.isolation_part,
            first_refusal_id=event.first_refusal_id,
        )

    def _same(self, change: Callable[[Claimed], Change]) -> tuple[Change, ...]:
        """Return the events' changes, the like ones together."""
        ids: dict[Change, list[int]] = {}
        for event in self.batch:
            ids.setdefault(replace(change(event), ids=()), []).append(event.id)
        return tuple(replace(one, ids=tuple(alike)) for one, alike in ids.items())


def _whole(seconds: float) -> int:
    """Return whole seconds, none less."""
    return int(-(-seconds // 1))
