"""The states of events and pixels: what is known of them, and how it may change.

All times are whole Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .schedule import closes_at

PENDING, SENT, FAILED, CANCELLED = "pending", "sent", "failed", "cancelled"
INVALID, EXPIRED, EXHAUSTED = "invalid", "expired", "exhausted"

# Seconds within which an accepted request tells of the pixel.
ACCEPTED_LATELY = 20

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

    def due_at(self, at: int, cause: str | None, *, counts: bool = False) -> Change:
        """Return that it waits until a time; what else is known of it stays."""
        return Change(
            (self.id,),
            cause=cause,
            next_attempt_at=at,
            isolation_part=self.isolation_part,
            first_refusal_id=self.first_refusal_id,
            counts=counts,
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
class History:
    """What the log tells of earlier requests, where one answer does not tell enough.

    Requests are told by number: later ones have higher ones.
    """

    # The pixel's last request that was accepted, and when it began.
    accepted_id: int | None = None
    accepted_at: int = 0
    # The first one in which the event was alone and refused without a reason.
    refused_alone_id: int | None = None

    def has_accepted_since(self, request_id: int | None, now: int) -> bool:
        """Tell whether a request after this one was accepted, and lately."""
        return (
            request_id is not None
            and self.accepted_id is not None
            and self.accepted_id > request_id
            and now - self.accepted_at <= ACCEPTED_LATELY
        )


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
