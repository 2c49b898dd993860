"""Errors raised by ``capi``."""

from __future__ import annotations


class CapiError(Exception):
    """Base class of every error raised by ``capi``."""


class InvalidParameter(CapiError):
    """A parameter of an event that Meta would refuse, or that cannot be read.

    ``field`` is Meta's name of the parameter, dotted for what lies inside another
    (``custom_data.value``). ``reason`` says what is wrong and what to do. Neither ever
    quotes a value, which may be personal, but for amounts of money.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class PersonalData(InvalidParameter):
    """A parameter that would tell a person's address or number unhashed."""
