"""What the benchmark records: Purchases, each of a customer of its own."""

from __future__ import annotations

from typing import Any

# The log.
TABLES = ("meta_capi_event", "meta_capi_attempt")

# Country, its state if it has any, city, postcode, and how people there write a phone
# number: with the country's code or without.
_PLACES = (
    ("US", "California", "Menlo Park", "94025-{:04d}", "+1 650 555 {:04d}"),
    ("DE", "", "München", "80331", "089 9018 {:04d}"),
    ("FR", "", "Saint-Étienne", "42000", "+33 4 77 42 {:04d}"),
    ("GB", "", "London", "SW1A {:d}AA", "020 7946 {:04d}"),
)
_FIRST_NAMES = ("Jane", "José", "Mary Ann", "Zoë", "John", "Søren", "Anna-Lena")
_LAST_NAMES = ("Doe", "O'Brien", "García", "Müller", "Smith", "van Dijk")
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/14{}.0.0.0 Safari/537.36"
)


def user_data(number: int) -> dict[str, Any]:
    """Return a customer as a shop knows one: raw, for nobody else the same."""
    country, state, city, postcode, phone = _PLACES[number % len(_PLACES)]
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number % len(_LAST_NAMES)]
    digits = number % 10_000
    data = {
        "em": f"Customer.{number}@Example.com",
        "ph": phone.format(digits),
        "fn": f"{first}{_letters(number)}",
        "ln": f"{last}{_letters(number // 7)}",
        "ct": city,
        "st": state,
        "zp": postcode.format(number % 10 if country == "GB" else digits),
        "country": country,
        "external_id": str(number),
        "client_ip_address": f"2a01:4f8:{number % 65536:x}::{number // 65536 + 1:x}",
        "client_user_agent": _AGENT.format(number % 10),
        "fbc": f"fb.1.{1763900000000 + number}.AbCdEfGhIjKlMnOp{number}",
        "fbp": f"fb.1.{1763900000000 + number}.{1000000000 + number}",
    }
    return {key: value for key, value in data.items() if value}


def custom_data(number: int) -> dict[str, Any]:
    """Return what was bought: two products."""
    first, second = 10 + number % 90, 25.5 + number % 40
    return {
        "currency": "EUR",
        "value": 2 * first + second,
        "order_id": f"S{number:07d}",
        "content_type": "product",
        "content_ids": [str(number % 500), str(number % 700 + 500)],
        "contents": [
            {"id": str(number % 500), "quantity": 2, "item_price": first},
            {"id": str(number % 700 + 500), "quantity": 1, "item_price": second},
        ],
        "num_items": 3,
    }


def purchase(number: int) -> dict[str, Any]:
    """Return the arguments of ``send_event`` for one Purchase."""
    return {
        "event_name": "Purchase",
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/shop/confirmation",
        "user_data": user_data(number),
        "custom_data": custom_data(number),
    }


def _letters(number: int) -> str:
    """Return a number as letters: names have no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
