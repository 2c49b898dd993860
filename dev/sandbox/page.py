"""What was received, as a page for a person to read."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from .answers import Answer
from .faults import NO_FAULT
from .records import ReceivedEvent, ReceivedRequest, blank_token
from .shapes import is_object

if TYPE_CHECKING:
    from .server import GraphSandbox

PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 0;
       color: #1c2b33; background: #f0f2f5 }
header, main { max-width: 1280px; margin: 0 auto; padding: 16px 24px }
h1 { font-size: 20px; margin: 0 0 4px }
p { margin: 0; color: #56666f }
.figures { display: flex; flex-wrap: wrap; gap: 12px; padding-top: 14px }
.figures div { background: #fff; border-radius: 8px; padding: 8px 16px;
               min-width: 96px }
.figures b { display: block; font-size: 20px; color: #1c2b33 }
article { background: #fff; border-radius: 8px; margin-bottom: 8px; padding: 10px 16px;
          border-left: 4px solid #31a24c }
article.refused { border-color: #d93025 }
article.open { border-color: #f0a020 }
.line { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline }
.name { font-weight: 600; font-size: 15px }
.amount { font-weight: 600 }
.time { margin-left: auto; color: #56666f; white-space: nowrap }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere }
.chip { background: #e7f0fd; color: #0a4a9c; border-radius: 10px; padding: 1px 8px;
        font-size: 12px; display: inline-block; margin: 2px 4px 0 0 }
.chip.test { background: #fdf0d5; color: #7a4b00 }
.warning { color: #9a5b00 }
.reason { color: #b3261e }
summary { cursor: pointer; color: #56666f; font-size: 12px; margin-top: 4px }
pre { font: 12px/1.4 ui-monospace, monospace; overflow: auto; background: #f7f8fa;
      border-radius: 6px; padding: 10px; margin: 6px 0 0 }
</style>
</head>
<body>
<header>
<h1>Graph sandbox</h1>
<p>Stands in for Meta's Conversions API. Nothing here has left this machine.</p>
<div class="figures">$figures</div>
</header>
<main>
$rows
</main>
<script>
setInterval(() => {
    if (!document.querySelector("details[open]") && !document.hidden) location.reload();
}, 3000);
</script>
</body>
</html>
""")


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
        return PAGE.substitute(
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
