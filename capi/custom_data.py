"""What an event is about: money, products, and whatever else a shop wants to tell.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/custom-data
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
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
# "12.50 €", "EUR 12.50": three letters, or a sign and perhaps letters ("US$").
_WITH_CURRENCY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)")
_DOLLARS = """
    ARS AUD BBD BMD BND BRL BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD
    NIO NZD SBD SGD SRD TTD TWD USD UYU XCD
""".split()
# Whose sign it can be.
_SIGNS: dict[str, Sequence[str]] = {
    "$": _DOLLARS,
    "US$": ("USD",),
    "R$": ("BRL",),
    "€": ("EUR",),
    "£": ("GBP", "EGP", "GIP", "FKP", "SHP", "SSP", "SDG", "LBP", "SYP"),
    "¥": ("JPY", "CNY"),
    "₩": ("KRW", "KPW"),
    "₹": ("INR",),
    "₺": ("TRY",),
    "₽": ("RUB",),
    "₴": ("UAH",),
    "₫": ("VND",),
    "₪": ("ILS",),
    "₱": ("PHP",),
    "₦": ("NGN",),
    "฿": ("THB",),
    "₸": ("KZT",),
    "₡": ("CRC",),
    "₲": ("PYG",),
    "₼": ("AZN",),
    "₾": ("GEL",),
}
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
# In many countries that is a point between thousands.
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+")
# A sale is falsified by these if they are wrong, so that they are never left out.
_WEIGHTY = frozenset(("currency", "value"))


def read_custom_data(
    field: str, value: object, problems: Problems
) -> dict[str, Any] | None:
    """Return ``custom_data`` as it is sent, or None if nothing is left of it.

    Meta takes properties of any name, so every one that JSON can carry is kept. Those
    Meta knows get the type it wants, and are left out if empty. What cannot be sent is
    left out as well, and named in ``problems``; a problem of the event itself is a value
    or a currency that cannot be read, a product without an id, which Meta refuses, and
    a person's address or number.

    :raises InvalidParameter: it is no dictionary
    """
    if is_absent(value):
        return None
    custom_data = {}
    given = read_mapping(field, value)
    for key, content in given.items():
        inner = f"{field}.{shown(key)}"
        read = problems.read if key in _WEIGHTY else problems.read_optional
        found = read(inner, _read_property, inner, key, content, _READERS, problems)
        if found is not None:
            custom_data[key] = found
    _shorten(field, custom_data, problems)
    if "value" in custom_data and isinstance(given["value"], str):
        problems.read(f"{field}.value", _check_currency, field, given, custom_data)
    return custom_data or None


def _shorten(field: str, custom_data: dict[str, Any], problems: Problems) -> None:
    """Leave the largest properties out of what is too large."""
    while _length(custom_data) > MAX_CUSTOM_DATA_LENGTH:
        largest = max(custom_data, key=lambda key: _length(custom_data[key]))
        del custom_data[largest]
        problems.leave_out(
            f"{field}.{shown(largest)}",
            f"is too large: custom_data may have {MAX_CUSTOM_DATA_LENGTH} characters",
        )


def _check_currency(
    field: str, given: dict[str, Any], custom_data: dict[str, Any]
) -> None:
    """Raise an error if the value is marked with another currency than the event's."""
    mark = _WITH_CURRENCY.sub("", given["value"]).strip()
    currency = custom_data.get("currency")
    if not mark or not currency:
        return
    if mark.upper() in CURRENCIES:
        told: Sequence[str] = (mark.upper(),)
    else:
        told = _SIGNS.get(mark.upper(), ())
    if currency not in told:
        del custom_data["value"]
        raise InvalidParameter(f"{field}.value", f"is not in {currency}")


def _length(value: object) -> int:
    return len(_encode(value))


def _read_property(
    field: str, key: str, value: object, readers: _Readers, problems: Problems
) -> Any:
    if key in _LISTS:
        return None if is_absent(value) else _LISTS[key](field, value, problems)
    if key in readers:
        return None if is_absent(value) else readers[key](field, value)
    read_public_text(field, key, MAX_NAME_LENGTH)
    return read_json(field, value)


def read_json(field: str, value: object) -> Any:
    """Return a value as JSON's own types; dates become text, tuples and sets lists.

    :raises InvalidParameter: there is no such value, or it is too large
    """
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
    """Return an amount of money; text is read as one if it has a point or nothing.

    A currency may stand beside it.
    """
    if isinstance(value, str):
        text = _without_currency(str.__str__(value))
        if _NUMBER.fullmatch(text):
            value = float(text)
    return read_number(field, value)


def _without_currency(text: str) -> str:
    """Return an amount without a currency's sign or code before or behind it.

    What could be meant otherwise stays as it is: "A$5", "-$5", "12.000 ₫".
    """
    if _NUMBER.fullmatch(text) or len(text) > MAX_NAME_LENGTH:
        return text
    parts = _WITH_CURRENCY.split(text)
    if len(parts) != 3 or (parts[0].strip() and parts[2].strip()):
        return text
    before, *number, after = parts
    mark = (before + after).strip().upper()
    is_sign = len(mark) == 1 and unicodedata.category(mark) == "Sc"
    if not (is_sign or mark in _SIGNS or mark in CURRENCIES):
        return text
    if _THOUSANDS.fullmatch(number[0]) and mark not in _THREE_DECIMALS:
        return text
    return number[0]


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
    """Return a quantity, whole where it can be: databases keep floats."""
    number = _read_amount(field, value)
    return int(number) if number == int(number) else number


def _read_count(field: str, value: object) -> int:
    number = _read_quantity(field, value)
    if isinstance(number, float) or number < 0:
        raise InvalidParameter(field, "must be a whole number")
    return number


def _read_ids(field: str, value: object, problems: Problems) -> list[str] | None:
    """Return a list of ids; lines without a product leave none."""
    return [
        found
        for inner, item in _items(field, value)
        if not is_absent(item)
        and (found := problems.read_optional(inner, read_id, inner, item))
    ] or None


def _read_contents(
    field: str, value: object, problems: Problems
) -> list[dict[str, Any]] | None:
    return [
        found
        for inner, item in _items(field, value)
        if (
            found := problems.read_optional(inner, _read_content, inner, item, problems)
        )
    ] or None


def _read_content(field: str, value: object, problems: Problems) -> dict[str, Any]:
    """Return one line of an order."""
    content = {}
    given = read_mapping(field, value)
    for key, item in given.items():
        inner = f"{field}.{shown(key)}"
        found = problems.read_optional(
            inner, _read_property, inner, key, item, _CONTENT_READERS, problems
        )
        if found is not None:
            content[key] = found
    if "id" not in content:
        # Meta refuses it, so that it has to be seen.
        problems.note(f"{field}.id", "is missing")
    return content


def _read_text(field: str, value: object) -> str:
    """Return a text; a number, such as what somebody has searched for, as one."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return str(read_number(field, value))
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return read_public_text(field, value)


def _items(field: str, value: object) -> list[tuple[str, object]]:
    """Return the items of a list, each with its field; a single value is one item."""
    if isinstance(value, str):
        value = _parse_list(str.__str__(value))
    items = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if len(items) > MAX_ITEMS:
        raise InvalidParameter(field, f"has more than {MAX_ITEMS} items")
    return [(f"{field}[{index}]", item) for index, item in enumerate(items)]


def _parse_list(text: str) -> object:
    """Return the list that a text is as JSON, as some senders pass it, or the text."""
    if text[:1] == "[" and len(text) <= MAX_CUSTOM_DATA_LENGTH:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return text


_Readers = dict[str, Callable[[str, object], Any]]

_CONTENT_READERS: _Readers = {
    "id": read_id,
    "quantity": _read_quantity,
    "item_price": _read_amount,
}
_READERS: _Readers = {
    "content_category": _read_text,
    "content_name": _read_text,
    "content_type": _read_text,
    "currency": _read_currency,
    "net_revenue": _read_amount,
    "num_items": _read_count,
    "order_id": read_id,
    "predicted_ltv": _read_amount,
    "search_string": _read_text,
    "value": _read_value,
}
_LISTS: dict[str, Callable[[str, object, Problems], Any]] = {
    "content_ids": _read_ids,
    "contents": _read_contents,
}
