"""A visitor's Chromium that row 16 measures; run by a Python that has Playwright.

It reads what to do as JSON from its first argument, and writes what the traces of the
pages have told.
"""

from __future__ import annotations

import base64
import json
import re
import resource
import sys
from dataclasses import asdict
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

from .. import chromium
from . import trace

# Milliseconds for the first page, while Odoo builds its assets.
_PATIENCE = 120_000
# Milliseconds after the page's end in which all that it sends by itself is sent.
_AFTERWARDS = 500
_SCRIPT = "/js/meta_capi.js"
_PATHS = ("/ih_meta_conversions_api/", "/meta_capi/")
# All that the addon has on a product's page: the script's tag, and what it is to know.
_OURS = re.compile(
    r"<script[^>]*/meta_capi\.js[^>]*></script>|<div[^>]*data-meta-capi-[^>]*></div>"
)


class Visitors:
    """Visitors who open one page, each for the first time and with nothing cached."""

    def __init__(self, browser: Browser, order: dict[str, Any]) -> None:
        self._browser = browser
        self._order = order
        self._count = 0

    def look(self, is_whole: bool) -> trace.Page:
        """Open the page, with what the addon has on it or without."""
        self._count += 1
        context = self._browser.new_context(
            user_agent=self._order["agent"],
            viewport={"width": 1280, "height": 900},
            extra_http_headers=self._order["headers"]
            | {
                "X-Forwarded-For": f"198.18.{self._count // 250}.{self._count % 250 + 1}"
            },
        )
        page = context.new_page()
        session = context.new_cdp_session(page)
        url = self._order["url"]
        # The page goes the same way with and without.
        session.on(
            "Fetch.requestPaused", lambda paused: _answer(session, paused, is_whole)
        )
        pattern = {"urlPattern": url, "requestStage": "Response"}
        session.send("Fetch.enable", {"patterns": [pattern]})
        self._browser.start_tracing(page=page, categories=list(trace.CATEGORIES))
        page.goto(url, timeout=_PATIENCE)
        page.wait_for_timeout(_AFTERWARDS)
        events = json.loads(self._browser.stop_tracing())["traceEvents"]
        context.close()
        return trace.read(events, url, _SCRIPT, _PATHS)


def _answer(session: CDPSession, paused: dict[str, Any], is_whole: bool) -> None:
    number = {"requestId": paused["requestId"]}
    body = base64.b64decode(session.send("Fetch.getResponseBody", number)["body"])
    text = body.decode()
    if not is_whole:
        text = _OURS.sub("", text)
    session.send(
        "Fetch.fulfillRequest",
        {
            **number,
            "responseCode": paused["responseStatusCode"],
            "responseHeaders": paused["responseHeaders"],
            "body": base64.b64encode(text.encode()).decode(),
        },
    )


def main(order: dict[str, Any]) -> None:
    # Chromium sets aside more than Odoo lets its processes have, if one of those is asking.
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    found = []
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, order["chromium"])
        visitors = Visitors(browser, order)
        for is_whole in (True, False):  # the first one has Odoo build its assets
            visitors.look(is_whole)
        for number in range(order["rounds"]):
            # By turns in the other order, so that neither is always the second.
            pages = {
                is_whole: asdict(visitors.look(is_whole))
                for is_whole in ((True, False) if number % 2 else (False, True))
            }
            found.append((pages[True], pages[False]))
        browser.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
