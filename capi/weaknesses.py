"""What Meta takes of an event but can match or optimise little with.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/best-practices
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

from .errors import InvalidParameter
from .event import ServerEvent
from .user_data import is_too_broad

# Of user_data, what leads to one person by itself.
_STRONG_KEYS = frozenset(
    """
    anon_id ctwa_clid em external_id fb_login_id fbc fbp ig_sid lead_id madid
    page_scoped_user_id ph subscription_id
    """.split()
)
# {DOCS}/parameters/custom-data and the Pixel's reference: events about products.
_PRODUCT_EVENTS = frozenset("AddToCart Purchase ViewContent".split())
# Prices are rounded: this much of a currency's unit for each item makes no difference.
_PRICE_TOLERANCE = 0.005


def weaknesses(event: ServerEvent) -> list[InvalidParameter]:
    """Return what Meta takes of an event but makes little use of, and what to do.

    Nothing that ``read_event`` finds a problem is named again, but an event that has
    one may be weak for the same reason. Never raises for an event of ``read_event``.

    >>> event = ServerEvent("Lead", 1700000000, "42", "website", {"em": "…"})
    >>> for weakness in weaknesses(event):
    ...     print(weakness)
    event_source_url: is missing: Meta wants the page's URL of events of a website
    user_data.client_user_agent: is missing: Meta wants it of events of a website
    """
    return [
        *_weaknesses_of_source(event),
        *_weaknesses_of_browser(event),
        *_weaknesses_of_store(event),
        *_weaknesses_of_products(event.event_name, event.custom_data or {}),
    ]


def _weaknesses_of_source(event: ServerEvent) -> Iterator[InvalidParameter]:
    if event.action_source == "app" and not event.app_data:
        yield InvalidParameter(
            "app_data", "is missing: Meta wants it of events of an app"
        )
    if event.action_source == "business_messaging" and not event.messaging_channel:
        yield InvalidParameter(
            "messaging_channel", "is missing: Meta wants it of events of messaging"
        )


def _weaknesses_of_browser(event: ServerEvent) -> Iterator[InvalidParameter]:
    if event.action_source == "website":
        # {DOCS}/parameters: required of a website, but not enforced.
        if not event.event_source_url:
            yield InvalidParameter(
                "event_source_url",
                "is missing: Meta wants the page's URL of events of a website",
            )
        if "client_user_agent" not in event.user_data:
            yield InvalidParameter(
                "user_data.client_user_agent",
                "is missing: Meta wants it of events of a website",
            )
    if not is_too_broad(event.user_data) and not _STRONG_KEYS & event.user_data.keys():
        yield InvalidParameter(
            "user_data",
            "matches few people: give em, ph, external_id, fbp or fbc as well",
        )
    if (
        event.data_processing_options
        and not event.data_processing_options_country
        and "client_ip_address" not in event.user_data
    ):
        yield InvalidParameter(
            "data_processing_options_country",
            "leaves it to Meta to locate the person: give client_ip_address, or the"
            " country and the state",
        )


def _weaknesses_of_store(event: ServerEvent) -> Iterator[InvalidParameter]:
    if event.action_source != "physical_store":
        return
    # {DOCS}/offline-events: copies are told by time, name and order, not by event_id.
    if not (event.custom_data or {}).get("order_id"):
        yield InvalidParameter(
            "custom_data.order_id",
            "is missing: by it Meta tells a second copy of an event of a shop's till,"
            " otherwise only by the customer's data",
        )


def _weaknesses_of_products(
    event_name: str, custom_data: dict[str, Any]
) -> Iterator[InvalidParameter]:
    contents = custom_data.get("contents", [])
    if event_name in _PRODUCT_EVENTS and not (
        contents or custom_data.get("content_ids")
    ):
        yield InvalidParameter(
            "custom_data.contents",
            "is missing: without it or content_ids no product can be advertised",
        )
    if "value" not in custom_data or not contents:
        return
    if all("item_price" in content for content in contents):
        value = custom_data["value"]
        quantities = [content.get("quantity", 1) for content in contents]
        prices = [content["item_price"] for content in contents]
        items = sum(map(abs, quantities))
        total = sum(map(operator.mul, quantities, prices))
        # Of floats: the last bits are nobody's money.
        if abs(total - value) > _PRICE_TOLERANCE * max(items, 1) + 1e-9 * abs(value):
            yield InvalidParameter(
                "custom_data.value",
                f"is {value:.2f}, but the contents cost {total:.2f}: one of them is"
                " wrong, or a discount, tax or shipping is in one only",
            )
