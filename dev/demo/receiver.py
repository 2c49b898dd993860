"""Who gets the demo's events: the sandbox, or Meta itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..console import Problem, say
from ..odoo.server import choose_port
from ..sandbox import GraphSandbox


@dataclass(frozen=True)
class Receiver:
    """Who gets the events.

    :param sandbox: the stand-in for Meta; its Pixel is on the pages in any case
    :param is_meta: the server sends to Meta itself
    """

    pixel_id: str
    token: str
    test_event_code: str
    sandbox: GraphSandbox
    is_meta: bool = False

    @property
    def name(self) -> str:
        return "Meta" if self.is_meta else "Meta's stand-in"

    @property
    def pixel_url(self) -> str:
        """Where the pages get the Pixel from, and where it sends to."""
        return self.sandbox.url

    @property
    def parameters(self) -> dict[str, str | bool]:
        """What the addon's settings are to be."""
        return {
            "meta_capi.enabled": "True",
            "meta_capi.pixel_id": self.pixel_id,
            "meta_capi.access_token": self.token,
            "meta_capi.test_event_code": self.test_event_code,
            # False removes the parameter, so that the addon's default holds.
            "meta_capi.graph_url": False if self.is_meta else self.sandbox.url,
            "meta_capi.batch_delay": "2",
            "meta_capi.bridge_enabled": "True",
            "meta_capi.pixel_mode": "load",
            # Odoo lets its simulated payments be in test mode only.
            "meta_capi.exclude_test_payments": "False",
        }


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Take Meta if the environment names a pixel, else the sandbox."""
    names = ("META_PIXEL_ID", "META_ACCESS_TOKEN", "META_TEST_EVENT_CODE")
    given = [os.environ.get(name, "").strip() for name in names]
    if any(given[:2]) and not all(given):
        raise Problem(
            f"To send to Meta set all of {', '.join(names)}; the test code keeps the"
            " demo's order out of the shop's real figures."
        )
    with GraphSandbox(port=choose_port(8099)) as sandbox:
        if all(given):
            say("==> Sending to Meta itself, as test events")
            yield Receiver(given[0], given[1], given[2], sandbox, is_meta=True)
        else:
            yield Receiver(sandbox.pixel_id, sandbox.token, "TEST12345", sandbox)
