"""What may be sent to a pixel now, and which of its events not any more, or not yet."""

from __future__ import annotations

from collections.abc import Iterable

from .const import MAX_EVENTS
from .schedule import window_closes_at
from .states import EXPIRED, FAILED, Change, Claimed, Order, Pixel, Plan

# Seconds for which a pixel may fail before it is asked with single events. Until then
# a batch is sent again as it was: most trouble is a blip.
FAILING_LONG = 60


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
        return Plan(1, Order.LONGEST_DUE, is_probe=True) if is_time else None
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
        event.due_at(event.event_time + skew, "clock")
        for event in batch
        if event.event_time + skew > now
    )
