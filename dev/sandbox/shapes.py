"""Of which type Meta wants what: JSON's own types, and those of an event's keys."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from .answers import malformed


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A finite number; 10**400 is an integer to Python but infinite to anyone else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_amount(value: Any) -> bool:
    """A finite number, or one written as in the docs' samples: ``"142.52"``."""
    return is_number(value) or (
        isinstance(value, str)
        and re.fullmatch(r"-?\d{1,300}(\.\d+)?", value) is not None
    )


def is_id(value: Any) -> bool:
    return is_text(value) or is_integer(value)


def is_id_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_id, value))


def is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def is_list(value: Any) -> bool:
    return isinstance(value, list)


Shape = Mapping[str, Callable[[Any], bool]]

# docs: parameters/server-event; the last two are listed by the SDKs
EVENT_SHAPE: Shape = {
    "event_name": is_text,
    "event_time": is_integer,
    "event_id": is_text,
    "action_source": is_text,
    "event_source_url": is_text,
    "referrer_url": is_text,
    "user_data": is_object,
    "custom_data": is_object,
    "app_data": is_object,
    "attribution_data": is_object,
    "original_event_data": is_object,
    "opt_out": is_flag,
    "data_processing_options": is_text_list,
    "data_processing_options_country": is_integer,
    "data_processing_options_state": is_integer,
    "customer_segmentation": is_text,
    "messaging_channel": is_text,
    "advanced_measurement_table": is_text,
}
# docs: parameters/custom-data and meta-pixel/reference
CUSTOM_DATA_SHAPE: Shape = {
    "value": is_amount,
    "currency": is_text,
    "content_ids": is_id_list,
    "contents": is_list,
    "content_type": is_text,
    "content_name": is_text,
    "content_category": is_text,
    "order_id": is_id,
    "num_items": is_integer,
    "search_string": is_text,
    "status": lambda value: is_flag(value) or is_text(value),
    "predicted_ltv": is_amount,
    "net_revenue": is_amount,
    "delivery_category": is_text,
    "item_number": is_id,
    # docs: conversion-leads-integration
    "event_source": is_text,
    "lead_event_source": is_text,
    "store_data": is_object,
}


def check_shape(
    values: Mapping[str, Any], shape: Shape, where: str, closed: bool = True
) -> None:
    """Check the type of each known key; unknown ones are refused if ``closed``."""
    for key, value in values.items():
        check = shape.get(key)
        if check is None and closed:
            raise malformed(f"unknown key {key!r} in {where}")
        if check is not None and not check(value):
            raise malformed(f"{key} in {where} has the wrong type")
