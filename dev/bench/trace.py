"""What a trace of Chromium's tells of one page: its first paint, and what a script took.

Names and arguments of the events are those that Chromium's own tools read:
https://chromium.googlesource.com/devtools/devtools-frontend, front_end/models/trace/types/TraceEvents.ts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

CATEGORIES = ("devtools.timeline", "loading", "blink.user_timing", "v8.execute", "v8")
# What the main thread does for a script; they say whose it is by an address.
_RUNS = ("EvaluateScript", "v8.compile", "FunctionCall")
# What goes on after an `await` does not say whose it is.
_CONTINUES = "RunMicrotasks"
_LAYS_OUT = ("Layout", "UpdateLayoutTree")
_BLOCKS = ("blocking", "in_body_parser_blocking")


@dataclass(frozen=True)
class Page:
    """One page in the visitor's browser.

    :param first_paint: milliseconds from the arrival of the page to its first
        contentful paint
    :param busy: milliseconds that the main thread was held by the script
    :param computing: milliseconds of them that it computed, and did not wait
    :param early: milliseconds of these before the first paint
    :param layouts: how often the script had styles or the layout computed at once
    :param blocking: requests of the addon before the first paint that hold it up
    """

    first_paint: float
    busy: float
    computing: float
    early: float
    layouts: int
    blocking: int


def read(events: Iterable[Event], url: str, script: str, paths: Iterable[str]) -> Page:
    """Read the trace of a page.

    :param url: of the page
    :param script: what the addresses of the script, and no others, have in them
    :param paths: what the addresses of the addon's requests have in them
    :raises ValueError: the page was not painted
    """
    in_order = sorted(events, key=lambda event: event.get("ts", 0))
    arrived = [e for e in in_order if e["name"] == "CommitLoad" and _url(e) == url]
    painted = [e for e in in_order if e["name"] == "firstContentfulPaint"]
    if not (arrived and painted):
        raise ValueError(f"{url} was not painted")
    main, paint = arrived[-1], painted[-1]
    thread = [e for e in in_order if _thread(e) == _thread(main)]
    sent = [e for e in thread if e["name"] == "ResourceSendRequest"]
    ours = [e for e in sent if any(path in _url(e) for path in paths)]
    runs = list(_outermost(e for e in thread if _is_run(e, script, ours)))
    return Page(
        first_paint=(paint["ts"] - main["ts"]) / 1000,
        busy=sum(run["dur"] for run in runs) / 1000,
        computing=_computing(runs),
        early=_computing(run for run in runs if run["ts"] < paint["ts"]),
        layouts=sum(
            e["name"] in _LAYS_OUT and any(_is_within(e, run) for run in runs)
            for e in thread
        ),
        blocking=sum(
            e["args"]["data"].get("renderBlocking") in _BLOCKS and e["ts"] < paint["ts"]
            for e in ours
        ),
    )


def _computing(runs: Iterable[Event]) -> float:
    return float(sum(run.get("tdur", run["dur"]) for run in runs)) / 1000


def _is_run(event: Event, script: str, sent: Iterable[Event]) -> bool:
    if event.get("ph") != "X":
        return False
    if event["name"] == _CONTINUES:
        return any(_is_within(request, event) for request in sent)
    return event["name"] in _RUNS and script in _url(event)


def _outermost(runs: Iterable[Event]) -> Iterator[Event]:
    """Leave out what is in another one: its time is in there."""
    end = 0
    # Of two that begin at once, the longer one is around the other.
    for run in sorted(runs, key=lambda event: (event["ts"], -event["dur"])):
        if run["ts"] + run["dur"] > end:
            yield run
            end = run["ts"] + run["dur"]


def _is_within(event: Event, run: Event) -> bool:
    return bool(run["ts"] <= event["ts"] <= run["ts"] + run["dur"])


def _thread(event: Event) -> tuple[int, int]:
    return event["pid"], event["tid"]


def _url(event: Event) -> str:
    return str(event.get("args", {}).get("data", {}).get("url", ""))
