"""What the sandbox keeps of each request and each event."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from .faults import NO_FAULT, Fault
from .shapes import is_object


@dataclass
class ReceivedRequest:
    """A request to Graph as it came in, and what became of it.

    It is recorded on arrival; ``status`` stays None until, and unless, it is answered.
    """

    method: str
    path: str
    headers: Message
    raw: bytes
    received_at: float
    index: int = -1
    fault: Fault = NO_FAULT
    pixel_id: str | None = None
    token_source: str | None = None
    """``header``, ``query`` or ``body``."""
    body: Any = None
    """The parsed body; None if it is not JSON."""
    status: int | None = None
    answer: bytes | None = None
    ended_at: float | None = None
    ending: str = "open"
    """``open`` while under way, then ``answer``, ``cut``, ``reset`` or ``hang``."""
    accepted: int = 0
    reason: str = ""
    """Why it was refused, more exactly than the answer says."""
    warnings: list[str] = field(default_factory=list)

    @property
    def test_event_code(self) -> str | None:
        return self.body.get("test_event_code") if is_object(self.body) else None


@dataclass(frozen=True)
class ReceivedEvent:
    """An event that was taken in."""

    pixel_id: str
    test_event_code: str | None
    event: dict[str, Any]
    request_index: int
    received_at: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What Meta deduplicates by, together with the pixel."""
        return self.pixel_id, self.event["event_name"], self.event.get("event_id")

    @property
    def is_offline(self) -> bool:
        return bool(self.event["action_source"] == "physical_store")

    @property
    def offline_key(self) -> str:
        """What Meta tells the events of stores apart by, whatever their IDs.

        docs: offline-events; the order, else the person. Only among themselves.
        """
        event, sold = self.event, self.event.get("custom_data", {})
        parts = [self.pixel_id, event["event_time"], event["event_name"]]
        parts.append(sold.get("item_number"))
        parts.append(sold.get("order_id") or event["user_data"])
        return json.dumps(parts, sort_keys=True)


@dataclass(frozen=True)
class BrowserEvent:
    """An event that the stand-in for Meta's Pixel has sent from a visitor's browser."""

    pixel_id: str
    event_name: str
    event_id: str | None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What Meta finds the server's copy by; without an ID it finds none."""
        return self.pixel_id, self.event_name, self.event_id


BLANK = "***"


def blank_token(path: str) -> str:
    return re.sub(r"(access_token=)[^&]*", rf"\1{BLANK}", path)
