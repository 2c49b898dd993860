"""Why an event is not with Meta: one short key for everything a person must do alike.

``answer`` tells what the program does about an answer; this tells apart what a person
does about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeRule:
    """Graph errors of one cause: codes from ``first`` to ``last``."""

    key: str
    first: int
    last: int
    # None: whatever the subcode. 0 is none.
    subcodes: tuple[int, ...] | None = None

    def matches(self, code: int, subcode: int) -> bool:
        is_subcode = self.subcodes is None or subcode in self.subcodes
        return self.first <= code <= self.last and is_subcode


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Our own refusals of one cause: a field, or all whose names begin so."""

    key: str
    field: str
    is_prefix: bool = False


def _codes(
    key: str, codes: Iterable[int | range], subcodes: Iterable[int] | None = None
) -> list[CodeRule]:
    spans = (c if isinstance(c, range) else range(c, c + 1) for c in codes)
    chosen = None if subcodes is None else tuple(subcodes)
    return [CodeRule(key, span[0], span[-1], chosen) for span in spans]


# The first rule that matches counts. Codes and subcodes: see the table in ``answer``.
CODE_RULES: tuple[CodeRule, ...] = (
    *_codes("meta_down", (range(-(2**31), 0), 1, 2, 5, 5000, 21009)),
    *_codes("rate_limit", (4, 17, 32, 341, 613, range(80000, 80100))),
    *_codes("token_expired", (102, 190), (463,)),
    *_codes("token", (102, 190)),
    *_codes("signature", (104,)),
    *_codes("blocked", (368,)),
    *_codes("permission", (3, 10, range(200, 300))),
    *_codes("pixel_id", (33, 803, 2500)),
    *_codes("pixel_id", (100,), (33,)),
    *_codes("version", (2635,)),
    *_codes("no_reason", (100,), (0,)),
    *_codes("event_time", (100,), (2804003, 2804004)),
    *_codes("contents", (100,), (2804008,)),
    *_codes("value", (100,), (2804009,)),
    *_codes("currency", (100,), (2804010, 2804023)),
    *_codes("ldu", (100,), (2804030,)),
    *_codes("lead_id", (100,), (2804036,)),
    *_codes("user_data", (100,), (2804050,)),
    *_codes(
        "channel",
        (100,),
        (
            *(2804043, 2804063, 2804066, 2804069, 2804079, 2804087),
            *(2804116, 2804117, 2804118, 2804132),
        ),
    ),
    *_codes("refused", (100, 105, 506, 1609005)),
    *_codes("unknown", (range(-(2**31), 2**31),)),
)

# By the field that the first line of a message names.
FIELD_RULES: tuple[FieldRule, ...] = (
    FieldRule("event_name", "event_name"),
    FieldRule("event_name", "event_id"),
    FieldRule("event_time", "event_time"),
    FieldRule("user_data", "user_data"),
    FieldRule("user_data_key", "user_data.", is_prefix=True),
    FieldRule("value", "custom_data.value"),
    FieldRule("currency", "custom_data.currency"),
    FieldRule("contents", "custom_data.content", is_prefix=True),
    FieldRule("custom_data", "custom_data", is_prefix=True),
    FieldRule("url", "event_source_url"),
    FieldRule("url", "referrer_url"),
    FieldRule("origin", "origin"),
    FieldRule("origin", "website"),
    FieldRule("ldu", "data_processing_options", is_prefix=True),
)


def cause_of_code(code: int, subcode: int | None = None) -> str:
    """Return the cause of a Graph error.

    >>> cause_of_code(190, 463), cause_of_code(190), cause_of_code(100, 2804003)
    ('token_expired', 'token', 'event_time')
    """
    for rule in CODE_RULES:
        if rule.matches(code, subcode or 0):
            return rule.key
    return "unknown"
