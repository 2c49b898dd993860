"""The visitor in Chromium; run by a Python that has Playwright.

It reads what to do as JSON from its first argument, writes the address of the page after
each step, and takes the next one once it reads a line.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Error, Page, Request, TimeoutError, sync_playwright

from .. import chromium

_ADDED = re.compile(r"/shop/cart/(add|update_json)")
# Milliseconds anything may take, and the first page, while Odoo builds its assets.
_PATIENCE = 30_000
_FIRST_PATIENCE = 120_000


class Visitor:
    """Somebody in front of the shop's pages."""

    def __init__(self, page: Page, order: dict[str, Any]) -> None:
        self.page = page
        self.order = order
        self.steps: tuple[Callable[[], object], ...] = (
            self.arrive,
            self.look,
            self.add,
            self.check_out,
            self.give_address,
            self.pay,
        )

    def go(self, path: str) -> None:
        self.page.goto(self.order["url"] + path, timeout=_FIRST_PATIENCE)

    def arrive(self) -> None:
        self.go(f"/shop?fbclid={self.order['click']}")

    def look(self) -> None:
        self.page.locator(f"a[href*='{self.order['product']}']").first.click()
        self.page.wait_for_url(f"**{self.order['product']}*")

    def add(self) -> None:
        # Until the page's scripts are there, the button does nothing.
        for patience in (_PATIENCE // 2, _PATIENCE):
            try:
                with self.page.expect_response(_ADDED, timeout=patience):
                    self.page.locator("#add_to_cart").first.click()
                return
            except TimeoutError:
                continue

    def check_out(self) -> None:
        self.go("/shop/checkout")
        self.page.wait_for_url("**/shop/address*")

    def give_address(self) -> None:
        form = self.page.locator("form:has(input[name=street])").first
        for name, value in self.order["buyer"].items():
            form.locator(f"input[name={name}]").first.fill(value)
        for name, value in self.order["place"].items():
            form.locator(f"select[name={name}]").select_option(value)

        # One for each series.
        buttons = (
            "a[name=website_sale_main_button], button#save_address, form a.a-submit"
        )
        self.page.locator(buttons).locator("visible=true").first.click()
        self.page.wait_for_url("**/shop/payment*")

    def pay(self) -> None:
        self.page.locator("input[data-provider-code=demo]").first.check()
        buttons = self.page.locator("[name=o_payment_submit_button]:enabled")
        buttons.locator("visible=true").first.click()
        self.page.wait_for_url("**/shop/confirmation*")
        self.page.wait_for_load_state()


def main(order: dict[str, Any]) -> None:
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            foreign.append(request.url)

    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, order["chromium"])
        context = browser.new_context(
            user_agent=order["agent"],
            extra_http_headers=order["headers"],
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(_PATIENCE)
        context.on("request", note)
        visitor = Visitor(context.new_page(), order)
        for step in visitor.steps:
            step()
            print(json.dumps({"url": visitor.page.url}), flush=True)
            sys.stdin.readline()
        print(json.dumps({"foreign": foreign}), flush=True)
        browser.close()


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Error as error:
        sys.exit(str(error))
