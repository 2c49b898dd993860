"""Values of an answer, where nothing is sure to be what it should be."""

from __future__ import annotations

import json
import math
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from .const import REDACTED


def parse_json(text: Any) -> tuple[bool, Any]:
    """Return whether ``text`` is JSON, and what it says."""
    try:
        return True, json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False, None


def parse_integer(value: Any) -> int | None:
    """Return an integer of four bytes, what a database holds, or None.

    >>> [parse_integer(v) for v in (190, "190", 190.0, True, "x", 10**30, None)]
    [190, 190, 190, None, None, None, None]
    """
    number = parse_number(value)
    if number is None or not -(2**31) <= number < 2**31 or not number.is_integer():
        return None
    return int(number)


def parse_positive(value: Any) -> float:
    """Return a number above 0, else 0."""
    return max(parse_number(value) or 0.0, 0.0)


def parse_number(value: Any) -> float | None:
    """Return a finite number, or None for all else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def parse_text(value: Any) -> str | None:
    """Return a text that says something, or None."""
    return (value.strip() or None) if isinstance(value, str) else None


def parse_http_date(value: Any) -> int | None:
    """Return the Unix time of an HTTP date, or None."""
    if not isinstance(value, str):
        return None
    try:
        return int(parsedate_to_datetime(value).timestamp())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def storable(text: str | None, token: str, length: int) -> str | None:
    """Return ``text`` without the token and what PostgreSQL cannot store, cut off.

    The token goes first: half of it at the cut would not be recognised.
    """
    if text is None:
        return None
    if token:
        for form in (token, quote(token, safe="")):
            text = text.replace(form, REDACTED)
    text = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return text[:length]
