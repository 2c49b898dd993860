"""What a scenario records, and what it looks at."""

from __future__ import annotations

import time
from typing import Any

from ..sandbox import ReceivedRequest, new_token
from .shop import Pixel, Shop


class Events:
    """Makes events, has them recorded, and keeps which were recorded for sure."""

    def __init__(self, shop: Shop, prefix: str) -> None:
        self.prefix = prefix
        self.recorded: set[tuple[str, str, str | None]] = set()
        self._recorder = shop.recorder()
        self._made = 0

    def make(self, count: int) -> list[dict[str, Any]]:
        """Return the arguments of ``send_events`` for new events."""
        numbers = range(self._made, self._made + count)
        self._made += count
        now = int(time.time())
        return [
            {
                "event_name": "Lead",
                "event_id": f"{self.prefix}-{number}",
                "event_time": now,
                "user_data": {"em": f"{self.prefix}.{number}@example.com"},
                "custom_data": {"value": number / 4, "currency": "EUR"},
            }
            for number in numbers
        ]

    def record(self, pixel: Pixel, count: int) -> list[dict[str, Any]]:
        """Have new events recorded, and return them."""
        made = self.make(count)
        self.commit(pixel, made)
        return made

    def commit(
        self, pixel: Pixel, events: list[dict[str, Any]], pause: float = 0
    ) -> None:
        """Have these recorded, in one transaction."""
        self._recorder.record(pixel, events, pause)
        self.committed(pixel, events)

    def committed(self, pixel: Pixel, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.recorded.add((pixel.id, "Lead", event["event_id"]))


def row_of(shop: Shop, pixel: Pixel) -> dict[str, Any]:
    found = shop.rows(
        "SELECT *, extract(epoch FROM wait_until - now() AT TIME ZONE 'UTC') AS wait"
        f" FROM meta_capi_pixel WHERE pixel_id = '{pixel.id}'"
    )
    return found[0] if found else {"state": None, "wait": None}


def until_sent(shop: Shop, what: str, condition: str = "true") -> None:
    shop.until(lambda: not shop.pending(condition), what)


def until_jobs_are_due(shop: Shop) -> None:
    is_ahead = "eta >= now() AT TIME ZONE 'UTC'"
    shop.until(lambda: not shop.count("queue_job", is_ahead), "every job is due")


def is_stopped(shop: Shop, pixel: Pixel) -> bool:
    return bool(row_of(shop, pixel)["state"] == "stopped")


def until_stopped(shop: Shop, pixel: Pixel) -> None:
    shop.until(lambda: is_stopped(shop, pixel), "the pixel is stopped")


def release(shop: Shop, pixel: Pixel) -> None:
    """Let the pixel run again, by a new token."""
    shop.graph.pixels[pixel.id] = {new_token()}
    shop.give_token(pixel)


def do_not_wait(shop: Shop) -> None:
    """Have events delivered at once from now on, and nothing by the jobs that wait."""
    shop.set_parameter("batch_delay", "1")
    shop.execute("DELETE FROM queue_job WHERE state = 'pending'")


def click(shop: Shop, action: str, events: list[dict[str, Any]]) -> None:
    """Press a button of the log as the administrator, for these events."""
    names = [event["event_id"] for event in events]
    client = shop.client()
    ids = client.call("meta.capi.event", "search", [("event_id", "in", names)])
    client.call("meta.capi.event", action, ids)


def is_past(moment: float) -> bool:
    return time.monotonic() > moment


def is_asked(shop: Shop, pixel: Pixel, before: int) -> bool:
    return shop.requests(pixel) > before


def count_events(shop: Shop, condition: str) -> int:
    return shop.count("meta_capi_event", condition)


def state_of(shop: Shop, event_id: str, column: str = "state") -> Any:
    return shop.value(
        f"SELECT {column} FROM meta_capi_event WHERE event_id = '{event_id}'"
    )


def tries_of(shop: Shop, condition: str) -> list[int]:
    """Return the different numbers of tries that events have."""
    found = shop.rows(
        "SELECT DISTINCT coalesce(attempt_count, 0) AS tries FROM meta_capi_event"
        f" WHERE {condition} ORDER BY tries"
    )
    return [row["tries"] for row in found]


def times_alone(shop: Shop, event_id: str) -> int:
    """Count the requests that carried this event and no other."""
    return sum(ids_of(request) == [event_id] for request in list(shop.graph.requests))


def ids_of(request: ReceivedRequest) -> list[str]:
    return [event["event_id"] for event in request.body["data"]]


def jump(shop: Shop, pixel: Pixel, event_id: str) -> float:
    """Let the time come at which an event is tried next; return the seconds until it."""
    condition = f"event_id = '{event_id}' AND state = 'pending'"
    wait = shop.rows(
        "SELECT greatest(extract(epoch FROM next_attempt_at"
        " - now() AT TIME ZONE 'UTC'), 0) AS wait"
        f" FROM meta_capi_event WHERE {condition}"
    )
    if not wait:
        return 0
    before = times_alone(shop, event_id)
    shop.execute(
        "UPDATE meta_capi_event SET next_attempt_at = now() AT TIME ZONE 'UTC'"
        f" - interval '1 second' WHERE {condition}"
    )
    shop.sweep_until(
        lambda: (
            times_alone(shop, event_id) > before
            or state_of(shop, event_id) != "pending"
        ),
        "it is tried",
    )
    is_due = f"{condition} AND next_attempt_at <= now() AT TIME ZONE 'UTC'"
    shop.until(lambda: not count_events(shop, is_due), "the answer is on record")
    return float(wait[0]["wait"])
