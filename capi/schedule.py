"""When to try again, and until when."""

from __future__ import annotations

import random as _random
from collections.abc import Callable
from typing import Any, Protocol

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt

from .const import DAY

# Seconds after each failed attempt, the last one repeated. Svix's schedule, with
# 30 s put in: one blip is over within a minute.
_DELAYS = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
# Each delay is spread by this share, so that what failed together does not return
# together.
_JITTER = 0.2

# An answer nobody documented is retried this often, about a day and a half.
MAX_UNKNOWN_ATTEMPTS = 10

# {DOCS}/parameters/server-event, event_time: up to 7 days before it is sent.
# {DOCS}/offline-events: physical_store within 62 days.
_WINDOW = 7 * DAY
_WINDOW_PHYSICAL_STORE = 62 * DAY
# {DOCS}/deduplicate-pixel-and-server-events: copies are recognised for 48 hours.
_DEDUP_WINDOW = 2 * DAY
# Seconds kept off both ends: clocks differ, and a request takes its time.
_MARGIN = 15 * 60

# Seconds that are waited for on the spot. Whatever takes longer is another run's.
_SHORT_WAIT = 60
_SHORT_ATTEMPTS = 3


def retry_delay(
    attempt_count: int, *, random: Callable[[], float] = _random.random
) -> float:
    """Return the seconds until the next attempt after ``attempt_count`` failed ones.

    5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, then every 10 h, each ±20 %. ``random``
    returns a number from 0 to 1.

    >>> [retry_delay(count, random=lambda: 0.5) for count in (1, 2, 3, 50)]
    [5.0, 30.0, 300.0, 36000.0]
    """
    step = min(max(attempt_count, 1), len(_DELAYS)) - 1
    return _DELAYS[step] * (1 - _JITTER + 2 * _JITTER * random())


def window_closes_at(event_time: int, action_source: str) -> int:
    """Return the Unix time after which an event is not sent: Meta would refuse it.

    7 days after ``event_time`` (Unix seconds), 62 for ``physical_store``, less a
    margin.
    """
    physical = action_source == "physical_store"
    return event_time + (_WINDOW_PHYSICAL_STORE if physical else _WINDOW) - _MARGIN


def dedup_closes_at(first_copy: int) -> int:
    """Return the Unix time after which another copy would count as another event.

    48 hours after ``first_copy`` (Unix seconds), when Meta had or may have had the
    first one, less a margin.
    """
    return first_copy + _DEDUP_WINDOW - _MARGIN


def closes_at(
    event_time: int,
    action_source: str,
    *,
    arrived_at: int | None = None,
    browser_twin: bool = False,
) -> int:
    """Return the Unix time after which an event is not sent, for whichever reason.

    :param arrived_at: Unix time of the first request with which Meta may have got it
    :param browser_twin: the browser sent a copy when the event happened
    """
    closings = [window_closes_at(event_time, action_source)]
    if arrived_at is not None:
        closings.append(dedup_closes_at(arrived_at))
    if browser_twin:
        closings.append(dedup_closes_at(event_time))
    return min(closings)


class Retriable(Protocol):
    """What the callable around which ``SHORT_RETRY`` goes returns."""

    @property
    def retry_in(self) -> float | None:
        """Seconds until the same events are due again, None for not soon."""


def _is_due_soon(result: Retriable) -> bool:
    return result.retry_in is not None and result.retry_in <= _SHORT_WAIT


def _wait_as_told(state: RetryCallState) -> float:
    return max(_last_result(state).retry_in or 0.0, 0.0)


def _last_result(state: RetryCallState) -> Any:
    assert state.outcome is not None  # tenacity asks after an attempt only
    return state.outcome.result()


# Around a callable that performs one whole, short transaction, so that nothing is
# locked during the wait. The last result is returned, whatever it is; exceptions pass
# through at once.
SHORT_RETRY = Retrying(
    retry=retry_if_result(_is_due_soon),
    wait=_wait_as_told,
    stop=stop_after_attempt(_SHORT_ATTEMPTS),
    retry_error_callback=_last_result,
)
