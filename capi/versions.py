"""How long a version of the Graph API is good for."""

from __future__ import annotations

import re
from datetime import date

# https://developers.facebook.com/docs/graph-api/changelog/versions, as of November 2026.
# A version lives for two years at least; that of v26.0 is not announced yet.
_ENDS = {
    21: date(2027, 1, 21),
    22: date(2027, 5, 20),
    23: date(2027, 10, 8),
    24: date(2028, 2, 18),
    25: date(2028, 7, 29),
}
# The end of v20.0, and so of all before.
_BEFORE = date(2026, 9, 24)


def end_of_life(version: str) -> date | None:
    """Return when Meta retires a version, None where nobody knows.

    >>> end_of_life("v25.0"), end_of_life("v19.0"), end_of_life("v26.0")
    (datetime.date(2028, 7, 29), datetime.date(2026, 9, 24), None)
    """
    found = re.match(r"v(\d+)", version)
    if not found:
        return None
    number = int(found[1])
    return _BEFORE if number < min(_ENDS) else _ENDS.get(number)
