"""The visitor where there is no browser: the same pages and forms, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

from ..console import Problem
from ..odoo.client import OdooClient


class _Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def first(self, name: str, value: str | None = None) -> dict[str, str]:
        """Return the attributes of the first tag that has this one."""
        for _tag, attributes in self.found:
            if name in attributes and value in (None, attributes[name]):
                return attributes
        raise Problem(f"The shop's page has no {name}={value or '…'} any more.")

    def hidden(self) -> dict[str, str]:
        """Return the hidden fields, the first of each name."""
        fields: dict[str, str] = {}
        for tag, attributes in self.found:
            if tag == "input" and attributes.get("type") == "hidden":
                fields.setdefault(
                    attributes.get("name", ""), attributes.get("value", "")
                )
        return fields


class _Visitor(OdooClient):
    """Somebody with cookies, who follows links and fills in forms."""

    patience = 120

    def __init__(self, order: dict[str, Any]) -> None:
        super().__init__(order["url"])
        self.order = order
        self.headers = {**order["headers"], "User-Agent": order["agent"]}
        self.page = _Tags("")

    def open(self, path: str, form: dict[str, str] | None = None) -> None:
        """Open a page, or send a form."""
        self.ask(path, urlencode(form).encode() if form is not None else None)

    def take(self, answer: HTTPResponse, text: str) -> None:
        if "html" in answer.headers.get("Content-Type", ""):
            self.url, self.page = answer.url, _Tags(text)
            self.headers["Referer"] = self.url


def visit(order: dict[str, Any]) -> Iterator[str]:
    """Go the way, and yield the page's address after each step."""
    visitor = _Visitor(order)
    visitor.open(f"/shop?fbclid={order['click']}")
    yield visitor.url
    visitor.open(order["product"])
    yield visitor.url
    _add(visitor)
    yield visitor.url
    visitor.open("/shop/checkout")
    yield visitor.url
    _give_address(visitor)
    visitor.open("/shop/payment")
    yield visitor.url
    visitor.open(_pay(visitor))
    if "/shop/confirmation" not in visitor.url:
        raise Problem(f"The visitor has landed at {visitor.url}, not the confirmation.")
    yield visitor.url


def _add(visitor: _Visitor) -> None:
    fields = visitor.page.hidden()
    product = int(fields["product_id"])
    try:
        visitor.post(
            "/shop/cart/add",
            product_id=product,
            product_template_id=int(fields["product_template_id"]),
            quantity=1,
        )
    except Problem:
        # Before 19.0.
        visitor.post("/shop/cart/update_json", product_id=product, add_qty=1)


def _give_address(visitor: _Visitor) -> None:
    order = visitor.order
    form = {**visitor.page.hidden(), **order["buyer"], **order["place"]}
    try:
        visitor.open("/shop/address/submit", form)
    except Problem:
        # Before 18.0.
        visitor.open("/shop/address", form)


def _pay(visitor: _Visitor) -> str:
    """Pay by the provider that only simulates it; return where one lands then."""
    context = visitor.page.first("data-transaction-route")
    option = visitor.page.first("data-provider-code", "demo")
    values = visitor.post(
        context["data-transaction-route"],
        provider_id=int(option["data-provider-id"]),
        payment_method_id=int(option["data-payment-option-id"]),
        token_id=None,
        amount=float(context["data-amount"]) if context.get("data-amount") else None,
        flow="direct",
        tokenization_requested=False,
        landing_route=context["data-landing-route"],
        is_validation=False,
        access_token=context["data-access-token"],
    )
    visitor.post(
        "/payment/demo/simulate_payment",
        reference=values["reference"],
        payment_details="",
        simulated_state="done",
    )
    visitor.open("/payment/status")
    visitor.post("/payment/status/poll")
    return context["data-landing-route"]
