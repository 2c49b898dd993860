"""The interface under ``/_sandbox``, and the way to the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .answers import Answer
from .faults import NO_FAULT
from .page import Page
from .records import BLANK, BrowserEvent, ReceivedRequest, blank_token
from .shapes import is_object, is_text

if TYPE_CHECKING:
    from .server import GraphSandbox

# Where Meta's Pixel is loaded from, and where it sends to; on Meta's hosts, as here.
PIXEL_PATHS = {"/en_US/fbevents.js": "fbevents", "/tr/": "tr"}
_FBEVENTS = Path(__file__).with_name("fbevents.js")
_GIF = base64.b64decode("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==")


class Control:
    """The page, and the interface under ``/_sandbox``."""

    def __init__(self, sandbox: GraphSandbox) -> None:
        self.sandbox = sandbox

    def answer(self, method: str, path: str, raw: bytes) -> Answer:
        """Answer a request that is not for Graph."""
        address = urlsplit(path)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        name = PIXEL_PATHS.get(address.path) or (
            address.path.removeprefix("/_sandbox/").strip("/") or "page"
        )
        verb = "get" if method in ("GET", "HEAD") else method.lower()
        act: Callable[[Any], Answer] | None = getattr(self, f"_{verb}_{name}", None)
        if act is None:
            return Answer.json(404, {"error": f"no {method} {address.path}"})
        try:
            return act(query) if verb == "get" else act(json.loads(raw or b"{}"))
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            return Answer.json(400, {"error": f"{type(err).__name__}: {err}"})

    def _get_page(self, query: Mapping[str, str]) -> Answer:
        limit = None if "all" in query else 200
        page = Page(self.sandbox, limit).render()
        return Answer(200, page.encode("utf-8", "replace"), "text/html; charset=utf-8")

    def _get_events(self, query: Mapping[str, str]) -> Answer:
        return self._listing("events", self.sandbox.events, vars, query)

    def _get_requests(self, query: Mapping[str, str]) -> Answer:
        return self._listing("requests", self.sandbox.requests, describe_request, query)

    def _get_faults(self, query: Mapping[str, str]) -> Answer:
        return Answer.json(200, self.sandbox.faults.summary())

    def _get_browser(self, _query: Mapping[str, str]) -> Answer:
        told = [vars(event) for event in self.sandbox.browser_events]
        return Answer.json(200, {"browser": told})

    def _get_fbevents(self, _query: Mapping[str, str]) -> Answer:
        return Answer(200, _FBEVENTS.read_bytes(), "text/javascript; charset=utf-8")

    def _get_tr(self, query: Mapping[str, str]) -> Answer:
        event = BrowserEvent(query["id"], query.get("ev", ""), query.get("eid"))
        self.sandbox.take_from_browser(event)
        return Answer(200, _GIF, "image/gif", {"Cache-Control": "no-store"})

    def _post_faults(self, orders: Any) -> Answer:
        for order in orders if isinstance(orders, list) else [orders]:
            self.sandbox.faults.order(order)
        return self._get_faults({})

    def _post_pixels(self, order: Mapping[str, Any]) -> Answer:
        pixel_id, tokens = str(order["pixel_id"]), order["tokens"]
        if isinstance(tokens, str):
            raise TypeError("tokens is a list")
        pixels = self.sandbox.pixels
        if tokens is None:
            pixels.pop(pixel_id, None)
        else:
            pixels[pixel_id] = set(tokens)
        return Answer.json(
            200, {"pixels": {pixel: len(known) for pixel, known in pixels.items()}}
        )

    def _post_clock(self, order: Mapping[str, Any]) -> Answer:
        self.sandbox.clock_behind = behind = float(order["behind"])
        return Answer.json(200, {"behind": behind})

    def _post_app(self, order: Mapping[str, Any]) -> Answer:
        secret = order["secret"]
        if not (secret is None or is_text(secret)):
            raise TypeError("secret is a non-empty string, or null")
        self.sandbox.app_secret = secret
        return Answer.json(200, {"proof_required": secret is not None})

    def _post_clear(self, order: Any) -> Answer:
        self.sandbox.clear()
        return Answer.json(200, {})

    @staticmethod
    def _listing(
        name: str,
        rows: list[Any],
        describe: Callable[[Any], dict[str, Any]],
        query: Mapping[str, str],
    ) -> Answer:
        """Return a page of rows and the ``since`` of the following one, if any."""
        since, limit = int(query.get("since", 0)), int(query.get("limit", 1000))
        total = len(rows)
        following = since + limit
        content = {
            name: [
                {"index": since + offset, **describe(row)}
                for offset, row in enumerate(rows[since:following])
            ],
            "total": total,
            "next": following if following < total else None,
        }
        return Answer.json(200, content)


def describe_request(request: ReceivedRequest) -> dict[str, Any]:
    """Return a request for the control interface, without its token."""
    body = request.body
    if is_object(body) and "access_token" in body:
        body = {**body, "access_token": BLANK}
    answer = None if request.answer is None else Answer(0, request.answer).content()
    told = {
        **vars(request),
        "path": blank_token(request.path),
        "headers": {
            name: BLANK if name.lower() == "authorization" else value
            for name, value in request.headers.items()
        },
        "body": body,
        "body_size": len(request.raw),
        "answer": answer,
        "fault": None if request.fault is NO_FAULT else request.fault.name,
    }
    del told["raw"], told["index"]
    return told
