"""When to try again, and until when."""

from __future__ import annotations

import math
import random as _random
from collections.abc import Callable

from .const import DAY

# Seconds after each failed attempt, the last one repeated. Svix's schedule, with
# 30 s put in: one blip is over within a minute.
_DELAYS = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
# Each delay is spread by this share, so that what failed together does not return
# together.
_JITTER = 0.2

# An answer nobody documented is retried this often, about a day and a half.
MAX_UNKNOWN_ATTEMPTS = 10
# Seconds until a stopped pixel is asked again.
PROBE_INTERVAL = 3600

# {DOCS}/parameters/server-event, event_time: up to 7 days before it is sent.
# {DOCS}/offline-events: physical_store within 62 days.
_WINDOW = 7 * DAY
_WINDOW_PHYSICAL_STORE = 62 * DAY
# {DOCS}/deduplicate-pixel-and-server-events: copies are recognised for 48 hours.
_DEDUP_WINDOW = 2 * DAY
# Seconds kept off both ends: clocks differ, and a request takes its time.
_MARGIN = 15 * 60


def retry_delay(
    attempt_count: int, *, random: Callable[[], float] = _random.random
) -> int:
    """Return the whole seconds until the next attempt after ``attempt_count`` failed ones.

    5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, then every 10 h, each ±20 %. ``random``
    returns a number from 0 to 1.

    >>> [retry_delay(count, random=lambda: 0.5) for count in (1, 2, 3, 50)]
    [5, 30, 300, 36000]
    """
    step = min(max(attempt_count, 1), len(_DELAYS)) - 1
    spread = round(1 - _JITTER + 2 * _JITTER * random(), 6)
    return math.ceil(_DELAYS[step] * spread)


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
    event_time: int, action_source: str, *, first_copy_at: int | None = None
) -> int:
    """Return the Unix time after which an event is not sent, for whichever reason.

    :param first_copy_at: Unix time of the first copy that Meta has or may have, from
        a request of ours or from the browser's Pixel
    """
    window = window_closes_at(event_time, action_source)
    if first_copy_at is None:
        return window
    return min(window, dedup_closes_at(first_copy_at))
