from __future__ import annotations

from typing import Any

from ..dev.bench import trace

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

PAGE = "http://shop/desk"
SCRIPT = "http://shop/addon/js/meta_capi.js?v=1"
MAIN, OTHER = 1, 2


def event(
    name: str,
    start: int,
    length: int = 0,
    url: str = "",
    thread: int = MAIN,
    **more: Any,
) -> dict[str, Any]:
    """Return an event; times in microseconds, of which it computes half."""
    return {
        **{"name": name, "ph": "X", "ts": start, "dur": length, "tdur": length // 2},
        **{"pid": 1, "tid": thread, "args": {"data": {"url": url, **more}}},
    }


ARRIVAL = event("CommitLoad", 1000, 10, PAGE)
PAINT = event("firstContentfulPaint", 9000)
# What a page has besides these two, and what is told of it: milliseconds that are held,
# computed, and computed before the paint; layouts; requests that hold it up.
CASES: dict[str, tuple[list[dict[str, Any]], tuple[float, float, float, int, int]]] = {
    "nothing of ours": (
        [
            event("EvaluateScript", 2000, 800, "http://shop/theme.js"),
            event("Layout", 2100, 100),
            event("ResourceSendRequest", 2200, renderBlocking="blocking"),
        ],
        (0, 0, 0, 0, 0),
    ),
    "what runs in another run is counted once": (
        [
            event("EvaluateScript", 2000, 800, SCRIPT),
            event("v8.compile", 2000, 200, SCRIPT),
            event("FunctionCall", 2300, 100, SCRIPT),
        ],
        (0.8, 0.4, 0.4, 0, 0),
    ),
    "what runs after the paint is not early": (
        [
            event("EvaluateScript", 2000, 800, SCRIPT),
            event("FunctionCall", 9500, 600, SCRIPT),
        ],
        (1.4, 0.7, 0.4, 0, 0),
    ),
    "what goes on later is ours if it sends for us": (
        [
            event("RunMicrotasks", 3000, 400),
            event("ResourceSendRequest", 3100, 0, "http://shop/meta_capi/collect"),
            event("RunMicrotasks", 4000, 400),
        ],
        (0.4, 0.2, 0.2, 0, 0),
    ),
    "another thread is not the page's": (
        [event("EvaluateScript", 2000, 800, SCRIPT, thread=OTHER)],
        (0, 0, 0, 0, 0),
    ),
    "a layout while we run is forced by us": (
        [
            event("FunctionCall", 2000, 800, SCRIPT),
            event("UpdateLayoutTree", 2100, 50),
            event("Layout", 2200, 50),
            event("Layout", 2900, 50),
        ],
        (0.8, 0.4, 0.4, 2, 0),
    ),
    "a request of ours that holds the paint up": (
        [
            event("ResourceSendRequest", 1100, 0, SCRIPT, renderBlocking="blocking"),
            event(
                *("ResourceSendRequest", 1200, 0, "http://shop/meta_capi/a"),
                renderBlocking="non_blocking",
            ),
            event("ResourceSendRequest", 9100, 0, SCRIPT, renderBlocking="blocking"),
        ],
        (0, 0, 0, 0, 1),
    ),
}


class TestPageTrace(BaseCase):
    def read(self, *events: dict[str, Any]) -> trace.Page:
        paths = ("/addon/", "/meta_capi/")
        return trace.read(events, PAGE, "/js/meta_capi.js", paths)

    def test_a_trace_tells_what_a_script_takes(self) -> None:
        for name, (events, expected) in CASES.items():
            with self.subTest(name):
                page = self.read(PAINT, *events, ARRIVAL)
                self.assertEqual(page.first_paint, 8)
                found = (page.busy, page.computing, page.early)
                for milliseconds, wanted in zip(found, expected, strict=False):
                    self.assertAlmostEqual(milliseconds, wanted)
                self.assertEqual((page.layouts, page.blocking), expected[3:])

    def test_a_page_that_is_not_painted_has_no_figures(self) -> None:
        for events in ([], [ARRIVAL], [PAINT]):
            with self.assertRaises(ValueError):
                self.read(*events)
