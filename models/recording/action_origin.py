"""What a server action runs on, for the code that it calls."""

from dataclasses import dataclass

# In the context of the ``env`` that a server action's code is given.
ORIGIN_KEY = "meta_capi_origin"


@dataclass(frozen=True)
class ActionOrigin:
    """The records a server action runs on. Not JSON: no client can put it in a context."""

    model: str
    ids: tuple[int, ...]
