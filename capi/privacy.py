"""Limited Data Use: what Meta may do with the data of people in some US states.

https://developers.facebook.com/documentation/ads-commerce/marketing-api/overview/data-processing-options
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from .const import LDU_COUNTRY, LDU_STATES
from .countries import normalize_country
from .event import ServerEvent
from .normalize import normalize_name, normalize_state
from .places import US_STATES

Mode = Literal["off", "always", "state"]


def limit_data_use(
    event: ServerEvent, mode: Mode, user_data: Mapping[str, Any]
) -> ServerEvent:
    """Return ``event`` with Limited Data Use, unless it says itself whether it has it.

    :param mode: that of :func:`limited_data_use`
    :param user_data: raw; tells the customer's country and state
    """
    if event.data_processing_options is not None or mode == "off":
        return event
    country, state = map(user_data.get, ("country", "st"))
    limits = limited_data_use(
        mode,
        country if type(country) is str else None,
        state if type(state) is str else None,
        has_address="client_ip_address" in event.user_data,
    )
    return limited(event, *limits) if limits else event


def limited(
    event: ServerEvent, options: list[str], country: int, state: int
) -> ServerEvent:
    """Return ``event`` with these options, country and state of data processing."""
    return replace(
        event,
        data_processing_options=options,
        data_processing_options_country=country,
        data_processing_options_state=state,
    )


def limited_data_use(
    mode: Mode,
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
