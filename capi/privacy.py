"""Limited Data Use: what Meta may do with the data of people in some US states.

https://developers.facebook.com/documentation/ads-commerce/marketing-api/overview/data-processing-options
"""

from __future__ import annotations

from typing import Literal

from .const import LDU_COUNTRY, LDU_STATES
from .normalize import normalize_country, normalize_name, normalize_state
from .places import US_STATES


def limited_data_use(
    mode: Literal["off", "always", "state"],
    country: str | None,
    state: str | None,
    has_address: bool,
) -> tuple[list[str], int, int] | None:
    """Return whether and where Limited Data Use applies to an event, None for not.

    The parts are the event's ``data_processing_options``, ``…_country`` and
    ``…_state``. Country and state 0 ask Meta to find out by the browser's address.

    :param mode: ``off``: never; ``always``: to every event; ``state``: to those of
        people in a state that has a law, and to those of people who may be in one: of
        unknown place, but with an address for Meta to find it out
    :param country: ISO 3166-1 alpha-2, in any case, or an English name of the US
    :param state: code or English name. A code alone means a state in many a country:
        it counts only if the country is given, or as in ``US-CA``.
    :param has_address: the event has a ``client_ip_address``

    >>> limited_data_use("state", "US", "California", has_address=False)
    (['LDU'], 1, 1000)
    >>> limited_data_use("state", None, None, has_address=True)
    (['LDU'], 0, 0)
    >>> limited_data_use("state", "US", "NY", has_address=True) is None
    True
    """
    if mode == "off":
        return None
    country = normalize_country(country)
    state = _read_us_state(country, state)
    if state in LDU_STATES:
        return ["LDU"], LDU_COUNTRY, LDU_STATES[state]
    is_elsewhere = state or country not in ("us", None)
    if mode == "state" and (is_elsewhere or not has_address):
        return None
    return ["LDU"], 0, 0


def _read_us_state(country: str | None, value: str | None) -> str | None:
    """Return the two letters of a US state, or None if it is none or not known."""
    if not value or country not in ("us", None):
        return None
    state = normalize_state(value, country)
    is_bare_code = normalize_name(value) == state
    if country is None and is_bare_code:
        return None
    return state if state in US_STATES.values() else None
