"""Why an event is not with Meta: one short key for everything a person must do alike.

What Meta refuses has its cause in the table of ``graph_errors``; this is what we refuse.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Our own refusals of one cause: a field, or all whose names begin so."""

    cause: str
    field: str
    is_prefix: bool = False

    def matches(self, field: str) -> bool:
        return field.startswith(self.field) if self.is_prefix else field == self.field


# The first rule that matches counts.
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


def cause_of_field(field: str) -> str:
    """Return the cause of a refusal that names ``field``, a dotted parameter.

    >>> cause_of_field("custom_data.value"), cause_of_field("opt_out")
    ('value', 'argument')
    """
    return next((rule.cause for rule in FIELD_RULES if rule.matches(field)), "argument")
