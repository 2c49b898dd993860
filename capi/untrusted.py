"""Values of an answer that nobody vouches for, read without raising."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote

_INTEGERS = range(-(2**31), 2**31)


def read_json(text: Any) -> tuple[bool, Any]:
    """Return whether ``text`` is JSON, and what it says."""
    try:
        return True, json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False, None


def read_integer(value: Any) -> int | None:
    """Return an integer of four bytes, what a database holds, or None.

    >>> [read_integer(v) for v in (190, "190", 190.0, True, "x", 10**30, None)]
    [190, 190, 190, None, None, None, None]
    """
    number = read_number(value)
    if number is None or not number.is_integer() or int(number) not in _INTEGERS:
        return None
    return int(number)


def read_positive(value: Any) -> float:
    """Return a number above 0, else 0."""
    return max(read_number(value) or 0.0, 0.0)


def read_number(value: Any) -> float | None:
    """Return a finite number, or None for all else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_text(value: Any) -> str | None:
    """Return a text that says something, or None."""
    return (value.strip() or None) if isinstance(value, str) else None


def storable(text: str | None, token: str, length: int) -> str | None:
    """Return ``text`` without the token and what PostgreSQL cannot store, cut off.

    The token goes first: half of it at the cut would not be recognised.
    """
    if text is None:
        return None
    if token:
        for form in (token, quote(token, safe="")):
            text = text.replace(form, "[access token]")
    text = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return text[:length]
