"""What an event is about: money, products, and whatever else a shop wants to tell.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/custom-data
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from .const import (
    CURRENCIES,
    MAX_CUSTOM_DATA_LENGTH,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NAME_LENGTH,
)
from .errors import InvalidParameter
from .reading import (
    Problems,
    is_absent,
    read_id,
    read_mapping,
    read_number,
    read_public_text,
    shown,
)

_encode = json.JSONEncoder(ensure_ascii=False).encode
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*")


def read_custom_data(
    field: str, value: object, problems: Problems
) -> dict[str, Any] | None:
    """Return ``custom_data`` as it is sent, or None if nothing is left of it.

    Meta takes properties of any name, so every one that JSON can carry is kept. Those
    Meta knows get the type it wants, and are left out if empty. What cannot be sent is
    noted as a problem, by the property's name.

    :raises InvalidParameter: it is no dictionary, or too large
    """
    if is_absent(value):
        return None
    custom_data = {}
    for key, content in read_mapping(field, value).items():
        inner = f"{field}.{shown(key)}"
        found = problems.read(inner, _read_property, inner, key, content, _READERS)
        if found is not None:
            custom_data[key] = found
    if _length(custom_data) > MAX_CUSTOM_DATA_LENGTH:
        largest = max(custom_data, key=lambda key: _length(custom_data[key]))
        raise InvalidParameter(
            f"{field}.{shown(largest)}",
            f"is too large: custom_data may have {MAX_CUSTOM_DATA_LENGTH} characters",
        )
    return custom_data or None


def _length(value: object) -> int:
    return len(_encode(value))


def _read_property(field: str, key: str, value: object, readers: _Readers) -> Any:
    if key in readers:
        return None if is_absent(value) else readers[key](field, value)
    read_public_text(field, key, MAX_NAME_LENGTH)
    return _Json().read(field, value)


class _Json:
    """Turns a value into what JSON can carry, unless that becomes too long.

    The count also ends what would never end, such as lists that contain one another.
    """

    def __init__(self) -> None:
        self._length = 0

    def read(self, field: str, value: object, depth: int = 0) -> Any:
        """Return a value of plain dictionaries, lists, texts, numbers, booleans, None.

        Dates become ISO text, tuples and sets lists. A dictionary loses what is None.

        :raises InvalidParameter: there is no such value
        """
        self._length += len(value) if isinstance(value, str) else 8
        if self._length > MAX_CUSTOM_DATA_LENGTH:
            raise InvalidParameter(field, "is too large")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return read_public_text(field, value, MAX_CUSTOM_DATA_LENGTH)
        if isinstance(value, (int, float, Decimal)):
            return read_number(field, value)
        if isinstance(value, date):
            return read_public_text(field, value.isoformat())
        if depth == MAX_DEPTH:
            raise InvalidParameter(field, "is nested too deeply, or contains itself")
        if isinstance(value, Mapping):
            return {
                read_public_text(inner, key, MAX_NAME_LENGTH): self.read(
                    inner, content, depth + 1
                )
                for key, content in read_mapping(field, value).items()
                if content is not None and (inner := f"{field}.{shown(key)}")
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [
                self.read(f"{field}[{index}]", item, depth + 1)
                for index, item in enumerate(value)
            ]
        raise InvalidParameter(
            field, "is neither text, number, date, list nor dictionary"
        )


def _read_amount(field: str, value: object) -> int | float:
    """Return an amount of money; text is read as one if it has a point or nothing."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    return read_number(field, value)


def _read_value(field: str, value: object) -> int | float:
    amount = _read_amount(field, value)
    if amount < 0:
        raise InvalidParameter(field, "must not be negative")
    return amount


def _read_currency(field: str, value: object) -> str:
    currency = read_public_text(field, value).strip().upper()
    if currency not in CURRENCIES:
        raise InvalidParameter(field, "is not a currency of ISO 4217, such as EUR")
    return currency


def _read_quantity(field: str, value: object) -> int | float:
    """Return a quantity, whole where it can be: Odoo's are floats throughout."""
    number = _read_amount(field, value)
    return int(number) if number == int(number) else number


def _read_count(field: str, value: object) -> int:
    number = _read_quantity(field, value)
    if isinstance(number, float) or number < 0:
        raise InvalidParameter(field, "must be a whole number")
    return number


def _read_ids(field: str, value: object) -> list[str] | None:
    """Return a list of ids; lines without a product leave none."""
    items = _items(field, value)
    return [
        read_id(inner, item) for inner, item in items if not is_absent(item)
    ] or None


def _read_contents(field: str, value: object) -> list[dict[str, Any]] | None:
    return [_read_content(inner, item) for inner, item in _items(field, value)] or None


def _read_content(field: str, value: object) -> dict[str, Any]:
    """Return one line of an order."""
    content = {}
    for key, item in read_mapping(field, value).items():
        inner = f"{field}.{shown(key)}"
        found = _read_property(inner, key, item, _CONTENT_READERS)
        if found is not None:
            content[key] = found
    if "id" not in content:
        raise InvalidParameter(f"{field}.id", "is missing")
    return content


def _items(field: str, value: object) -> list[tuple[str, object]]:
    """Return the items of a list, each with its field; a single value is one item."""
    items = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if len(items) > MAX_ITEMS:
        raise InvalidParameter(field, f"has more than {MAX_ITEMS} items")
    return [(f"{field}[{index}]", item) for index, item in enumerate(items)]


_Readers = dict[str, Callable[[str, object], Any]]

_CONTENT_READERS: _Readers = {
    "id": read_id,
    "quantity": _read_quantity,
    "item_price": _read_amount,
}
_READERS: _Readers = {
    "content_category": read_public_text,
    "content_ids": _read_ids,
    "content_name": read_public_text,
    "content_type": read_public_text,
    "contents": _read_contents,
    "currency": _read_currency,
    "net_revenue": _read_amount,
    "num_items": _read_count,
    "order_id": read_id,
    "predicted_ltv": _read_amount,
    "search_string": read_public_text,
    "value": _read_value,
}
