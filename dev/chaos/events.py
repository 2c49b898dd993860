"""What a scenario records."""

from __future__ import annotations

import time
from typing import Any

from .shop import Pixel, Shop


class Events:
    """Makes events, has them recorded, and keeps which were recorded for sure."""

    def __init__(self, shop: Shop, prefix: str) -> None:
        self.prefix = prefix
        self.recorded: set[tuple[str, str, str | None]] = set()
        self._recorder = shop.recorder()
        self._made = 0

    def move(self, shop: Shop) -> None:
        """Have events recorded by another server from now on."""
        self._recorder = shop.recorder()

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
