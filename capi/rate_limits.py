"""How long Meta asks to wait, and how much of an allowance is used up, by its headers.

GRL  https://developers.facebook.com/docs/graph-api/overview/rate-limiting
RL   https://developers.facebook.com/documentation/ads-commerce/marketing-api/overview/rate-limiting
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from .const import DAY
from .parsing import parse_http_date, parse_json, parse_positive

# Seconds. Whatever a header says, delivery looks again after this.
MAX_WAIT = float(DAY)
# Percent of an allowance from which a success is followed by a pause, in seconds:
# the allowances are counted over a sliding hour.
NEAR_LIMIT = 90
PAUSE_NEAR_LIMIT = 60.0
PAUSE_AT_LIMIT = 300.0

# RL calls the first by its short name, GRL by its long one.
_USAGE_HEADERS = frozenset(
    """
    x-ad-account-usage x-app-usage x-business-use-case x-business-use-case-usage
    """.split()
)
_PERCENTS = ("call_count", "total_time", "total_cputime", "acc_id_util_pct")


def read_limits(
    headers: Mapping[str, str], *, throttled: bool
) -> tuple[float | None, float | None]:
    """Return the seconds Meta asks to wait, and those it is wise to pause.

    The longest of all the headers' times counts (GRL, RL); malformed ones are as good
    as absent. An ad account's ``reset_time_duration`` is there at any time, so it
    counts only when throttled or near the limit.

    :param headers: by their names in lower case
    """
    waits = [_retry_after(headers.get("retry-after"))]
    used = 0.0
    for name in _USAGE_HEADERS & headers.keys():
        for entry in _objects(parse_json(headers[name])[1]):
            share = max(parse_positive(entry.get(key)) for key in _PERCENTS)
            used = max(used, share)
            minutes = parse_positive(entry.get("estimated_time_to_regain_access"))
            waits.append(minutes * 60)
            if throttled or share >= NEAR_LIMIT:
                waits.append(parse_positive(entry.get("reset_time_duration")))
    pause = None
    if used >= NEAR_LIMIT:
        pause = PAUSE_NEAR_LIMIT if used < 100 else PAUSE_AT_LIMIT
    return min(max(waits), MAX_WAIT) or None, pause


def _retry_after(value: Any) -> float:
    """Return the seconds that Retry-After, a number or an HTTP date, asks for."""
    if seconds := parse_positive(value):
        return seconds
    date = parse_http_date(value)
    return max(date - time.time(), 0.0) if date is not None else 0.0


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in ``value``, however deep it lies."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
