"""The visitor: who it is, which way it goes, and in what it goes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .. import tools
from ..console import Problem, say
from ..layout import ROOT
from ..odoo import debian
from .by_http import visit
from .shop import Shop

AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
# A shop on the Internet has a proxy before it, which tells the visitor's address. This
# one is example.com's, so nobody's home.
HEADERS = {"X-Forwarded-For": "93.184.215.14", "X-Forwarded-Proto": "http"}
BUYER = {
    "name": "Jane Doe",
    "email": "jane.doe@example.com",
    "phone": "+1 650 555 0123",
    "street": "1 Main Street",
    "city": "Menlo Park",
    "zip": "94025",
}
BUYER_PLACE = {"country_id": "base.us", "state_id": "base.state_us_5"}


@dataclass(frozen=True)
class Step:
    """A step of the visitor's way.

    :param told: the events that it is to lead to, if a browser runs the page's script
    :param told_without: the events that the server makes of it by itself
    """

    title: str
    told: tuple[str, ...] = ()
    told_without: tuple[str, ...] = ()


STEPS = (
    Step("comes by an ad: the address has the click's ID", ("PageView",)),
    Step("looks at a product", ("ViewContent",)),
    Step("puts it into the cart", ("AddToCart",), ("AddToCart",)),
    Step("checks out as a guest, and is asked for an address", ("InitiateCheckout",)),
    Step("gives it, and is asked to pay", ("PageView",)),
    Step(
        "pays, and has the confirmation before them",
        ("AddPaymentInfo", "Purchase"),
        ("AddPaymentInfo", "Purchase"),
    ),
)


@dataclass(frozen=True)
class Chromium:
    """A browser, and a Python that drives it."""

    path: str
    python: Path

    def visit(self, order: dict[str, Any]) -> Iterator[str]:
        """Go the way, and yield the page's address after each step."""
        with subprocess.Popen(
            (
                *(self.python, "-m", "dev.demo.by_browser"),
                json.dumps({**order, "chromium": self.path}),
            ),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin and process.stdout
            try:
                for step in STEPS:
                    yield self._read(process.stdout, f"The visitor {step.title}")["url"]
                    process.stdin.write("\n")
                    process.stdin.flush()
                foreign = self._read(process.stdout, "The visitor leaves")["foreign"]
            except BaseException:
                process.terminate()
                raise
        if meant_for_meta := [url for url in foreign if "facebook" in url]:
            raise Problem(f"A page has asked Meta itself: {meant_for_meta[0]}")

    @staticmethod
    def _read(answers: IO[str], what: str) -> dict[str, Any]:
        line = answers.readline()
        if not line:
            raise Problem(f"{what}: that has failed in the browser, see above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def chromium() -> Chromium | None:
    """Return a browser, which is installed where we may; None if there is none."""
    try:
        path = debian.browser()
        # Without the browsers that it brings along.
        python = tools.python_with("playwright", "playwright") if path else None
    except Problem as problem:
        say(f"    {problem}")
        return None
    return Chromium(path, python) if path and python else None


def visiting(shop: Shop, browser: Chromium | None, click: str) -> Iterator[str]:
    """Let a visitor buy something; yield the page's address after each of the steps.

    :param click: the ID that the ad has put into the address
    """
    url = shop.server.url
    place = {
        name: str(shop.client.reference(xmlid)) for name, xmlid in BUYER_PLACE.items()
    }
    order = {
        "url": url,
        "product": shop.product_url,
        "click": click,
        "agent": AGENT,
        "headers": {**HEADERS, "X-Forwarded-Host": url.partition("//")[2]},
        "buyer": BUYER,
        "place": place,
    }
    return browser.visit(order) if browser else visit(order)
