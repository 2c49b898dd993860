"""Why an event must not be sent, whoever asks for it."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """A cause, a key of ``CAUSES``, and what is noted on the event."""

    cause: str
    message: str


def to_refusal(reason):
    """Return the refusal that a method of a record tells of, None for none.

    :param reason: a ``Refusal``, or the words of another addon's own reason
    """
    if not reason or isinstance(reason, Refusal):
        return reason or None
    return Refusal("cancelled", reason)
