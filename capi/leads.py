"""Leads, and what becomes of them in a CRM.

https://developers.facebook.com/documentation/ads-commerce/conversions-api/conversion-leads-integration/payload-specification
"""

from __future__ import annotations

import re
from typing import Any

from .errors import InvalidParameter

# "Set this parameter to the value system_generated for all Conversion Leads events."
ACTION_SOURCE = "system_generated"
# "The name of the tool where the leads are coming from."
CRM_NAME = "Odoo"

# "It is a 15-17 digit number".
_LEAD_ID = re.compile(r"[0-9]{15,17}")
# What the files that Meta offers for download write before an id.
_PREFIX = "l:"


def clean_lead_id(text: str) -> str:
    """Return the id of a lead of Meta's forms, as it is written in files, without more.

    >>> clean_lead_id(" l:1234567890123456 "), clean_lead_id("12345")
    ('1234567890123456', '12345')
    """
    return text.strip().removeprefix(_PREFIX).strip()


def read_lead_id(field: str, text: str) -> int:
    """Return the id of a lead of Meta's forms: Meta wants a number, and no hash.

    :raises InvalidParameter: it cannot be one

    >>> read_lead_id("lead_id", "1234567890123456")
    1234567890123456
    """
    if not _LEAD_ID.fullmatch(text):
        raise InvalidParameter(field, "must be the 15 to 17 digits that Meta gave")
    return int(text)


def stage_data() -> dict[str, Any]:
    """Return the ``custom_data`` by which Meta knows an event of a lead's stage."""
    return {"event_source": "crm", "lead_event_source": CRM_NAME}
