"""What was received, as a page for a person to read."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Answer
from .faults import NO_FAULT
from .records import ReceivedEvent, ReceivedRequest, blank_token
from .shapes import is_object

if TYPE_CHECKING:
    from .server import GraphSandbox

_PAGE = string.Template(Path(__file__).with_name("page.html").read_text("utf-8"))


class Page:
    """What was received, newest first, for a person to read.

    Everything shown was sent by somebody else, so everything is escaped.
    """

    def __init__(self, sandbox: GraphSandbox, limit: int | None) -> None:
        self.sandbox = sandbox
        self.limit = limit
        self.twins = {event.key for event in sandbox.browser_events if event.event_id}

    def render(self) -> str:
        rows = list(self._rows())
        return _PAGE.substitute(
            title=f"{len(self.sandbox.events)} events · Graph sandbox",
            figures="".join(self._figures()),
            rows="\n".join(rows) or "<p>No event yet.</p>",
        )

    def _figures(self) -> Iterator[str]:
        requests, faults = self.sandbox.requests, self.sandbox.faults.summary()
        deliveries = self.sandbox.deliveries()
        figures = {
            "events": deliveries.total(),
            "seen in the browser, too": len(self.twins & set(deliveries)),
            "sent again": deliveries.total() - len(deliveries),
            "requests": len(requests),
            "trouble": sum(not went_well(request) for request in requests),
            "faults scripted": len(faults["rules"]) + faults["poisoned"],
        }
        for label, figure in figures.items():
            yield f"<div><b>{figure}</b>{label}</div>"

    def _rows(self) -> Iterator[str]:
        """Yield events and failed requests by time, the newest first."""
        newest = slice(None) if self.limit is None else slice(-self.limit, None)
        failures = [
            request for request in self.sandbox.requests if not went_well(request)
        ]
        rows = [
            (event.received_at, position, partial(self._event, event))
            for position, event in enumerate(self.sandbox.events[newest])
        ] + [
            (request.received_at, position, partial(self._failure, request))
            for position, request in enumerate(failures[newest])
        ]
        rows.sort(key=lambda row: row[:2], reverse=True)
        for *_, show in rows[: self.limit]:
            yield show()
        if self.limit is not None and len(rows) > self.limit:
            yield f'<p>The newest {self.limit}. <a href="/?all=1">Show all</a></p>'

    def _event(self, received: ReceivedEvent) -> str:
        event = received.event
        custom_data = event.get("custom_data") or {}
        amount = " ".join(
            str(custom_data[key]) for key in ("value", "currency") if key in custom_data
        )
        keys = "".join(
            f'<span class="chip">{escape(key)}</span>' for key in event["user_data"]
        )
        warnings = "".join(
            f'<div class="warning">⚠ {escape(warning)}</div>'
            for warning in received.warnings
        )
        twin = "by the browser, too: counted once" if received.key in self.twins else ""
        return f"""<article>
<div class="line"><span class="name">{escape(event["event_name"])}</span>
<span class="amount">{escape(amount)}</span>
<span>{escape(event["action_source"])}</span>
<span>pixel <code>{escape(received.pixel_id)}</code></span>{self._test_code(received)}
<span class="time">{moment(event["event_time"])}</span></div>
<div>id <code>{escape(event.get("event_id", "none"))}</code> {twin}</div>
<div>{keys}</div>{warnings}
{self._details(event)}
</article>"""

    def _failure(self, request: ReceivedRequest) -> str:
        ended = "open" if request.ending == "open" else "refused"
        outcome = "under way" if request.ending == "open" else request.ending
        answer = None if request.answer is None else Answer(0, request.answer).content()
        message = ""
        if is_object(answer) and is_object(answer.get("error")):
            told = answer["error"]
            codes = [str(told[key]) for key in ("code", "error_subcode") if key in told]
            text = told.get("error_user_title") or told["message"]
            message = f"{'/'.join(codes)} {text}"
        scripted = "" if request.fault is NO_FAULT else f"fault: {request.fault.name}"
        accepted = f", {request.accepted} taken in" if request.accepted else ""
        return f"""<article class="{ended}">
<div class="line"><span class="name">{escape(request.status or outcome)}</span>
<span class="reason">{escape(message)}</span>
<span>pixel <code>{escape(request.pixel_id)}</code></span>{self._test_code(request)}
<span>{plural(count_events(request.body), "event")}{accepted}</span>
<span class="time">{moment(request.received_at)}</span></div>
<div>{escape(" · ".join(filter(None, (request.reason, scripted))))}</div>
<div><code>{escape(request.method)} {escape(blank_token(request.path))}</code></div>
{self._details(answer) if answer else ""}
</article>"""

    @staticmethod
    def _test_code(subject: ReceivedEvent | ReceivedRequest) -> str:
        code = subject.test_event_code
        return f'<span class="chip test">{escape(code)}</span>' if code else ""

    @staticmethod
    def _details(content: Any) -> str:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        return f"<details><summary>JSON</summary><pre>{escape(text)}</pre></details>"


def escape(value: Any) -> str:
    return html.escape(str(value))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def moment(timestamp: float) -> str:
    """Return a time of today as such, any other with its date; UTC, as Meta counts."""
    when = datetime.fromtimestamp(timestamp, timezone.utc)
    today = when.date() == datetime.now(timezone.utc).date()
    return when.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")


def went_well(request: ReceivedRequest) -> bool:
    """Whether all events were taken in, and the client was told so."""
    harmless = ("none", "slow", "with_headers", "missing_messages")
    return (
        request.status == 200
        and request.fault.name in harmless
        and request.accepted == count_events(request.body) > 0
    )


def count_events(body: Any) -> int:
    events = body.get("data") if is_object(body) else None
    return len(events) if isinstance(events, list) else 0
