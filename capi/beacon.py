"""What a page of the shop tells of an event, as far as a stranger is believed; and what
the server tells the page of its own."""

import json
import uuid
from urllib.parse import quote

from .const import LDU_COUNTRY, LDU_STATES
from .custom_data import read_custom_data
from .reading import Problems, phone_like_count
from .url import sanitized_url

# https://developers.facebook.com/docs/meta-pixel/reference, "Object Properties". What a
# browser may tell of an event; everything else stays out.
PROPERTIES = (
    *("content_category", "content_name", "content_type", "currency", "order_id"),
    *("delivery_category", "num_items", "predicted_ltv", "search_string", "status"),
    "value",
)
CONTENT_PROPERTIES = ("id", "quantity", "item_price", "delivery_category")
_MAX_PHONES = 8
# A proxy may take no more than 4 KB of headers.
_MAX_HEADER = 2048


def read_limits(
    payload: dict[str, object],
) -> tuple[list[str], int, int] | None:
    """Return options, country and state by which a page limits data use, or None.

    >>> read_limits({"data_processing_options": ["LDU"]})
    (['LDU'], 0, 0)
    >>> read_limits({"data_processing_options": []}) is None
    True
    """
    options = payload.get("data_processing_options")
    if not isinstance(options, list) or "LDU" not in options:
        return None
    country = payload.get("data_processing_options_country")
    state = payload.get("data_processing_options_state")
    known = {(LDU_COUNTRY, known) for known in LDU_STATES.values()}
    if type(country) is int and type(state) is int and (country, state) in known:
        return ["LDU"], country, state
    return ["LDU"], 0, 0


def read_url(url: object) -> str | None:
    """Return a URL as it can be stored and told, or None."""
    if not isinstance(url, str) or not url.isprintable():
        return None
    return sanitized_url(url.partition("#")[0])


def read_page_data(data: dict[str, object]) -> dict[str, object] | None:
    """Return of a browser's ``custom_data`` what Meta has a use for.

    What is of no use is left out: nobody could correct it.
    """
    contents, content_ids = data.get("contents"), data.get("content_ids")
    kept = _pick(data, PROPERTIES)
    if isinstance(contents, list):
        items = [_pick(item, CONTENT_PROPERTIES) for item in contents]
        kept["contents"] = [item for item in items if "id" in item]
    if isinstance(content_ids, list):
        kept["content_ids"] = list(filter(_is_scalar, content_ids))
    if _is_crowded(kept):
        return None
    custom_data = read_custom_data("custom_data", kept, Problems()) or {}
    if "currency" not in custom_data:
        custom_data.pop("value", None)
    return custom_data or None


def _is_crowded(custom_data: dict[str, object]) -> bool:
    """Tell whether there are more phone numbers in it, or what looks like one, than to
    look up for a stranger."""
    text = json.dumps(custom_data, ensure_ascii=False)
    return phone_like_count(text, _MAX_PHONES) == _MAX_PHONES


def _pick(data: object, keys: tuple[str, ...]) -> dict[str, object]:
    """Return those of ``keys`` that have a plain value."""
    if not isinstance(data, dict):
        return {}
    return {key: data[key] for key in keys if _is_scalar(data.get(key))}


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float))


def to_header(made: list[dict[str, object]]) -> str:
    """Return what was made as a header that the script can read.

    >>> to_header([{"name": "Lead", "id": "1"}])
    'meta_capi;desc="%5B%7B%22name%22%3A%22Lead%22%2C%22id%22%3A%221%22%7D%5D"'
    """
    text = quote(json.dumps(made, separators=(",", ":")), safe="")
    if len(text) > _MAX_HEADER:
        bare = [{**event, "data": None} for event in made[:10]]
        text = quote(json.dumps(bare, separators=(",", ":")), safe="")
    return f'meta_capi;desc="{text}"'


def is_derived(event_id: str) -> bool:
    """Tell whether an id is of the kind that is made of an order's."""
    try:
        return uuid.UUID(event_id).version == 5
    except ValueError:
        return False
