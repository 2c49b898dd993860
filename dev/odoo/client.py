"""A user of Odoo's web client, as far as a script needs one; the same on all series."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from typing import Any

from ..console import Problem


class OdooClient:
    """Call models over the web client's own JSON route.

    Not over XML-RPC: 19.0 calls that deprecated, in a warning for each request.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(
            # A proxy of the machine's has nothing to do with a local address.
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def is_up(self) -> bool:
        """Tell whether Odoo answers requests yet."""
        try:
            with self._opener.open(f"{self.url}/web/health", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log_in(self, database: str, login: str, password: str) -> None:
        self._post(
            "/web/session/authenticate", db=database, login=login, password=password
        )

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method as the user who logged in."""
        return self._post(
            "/web/dataset/call_kw", model=model, method=method, args=args, kwargs=kwargs
        )

    def create(self, model: str, **values: Any) -> int:
        # A list gives a list on all series; a dictionary alone does not.
        created: list[int] = self.call(model, "create", [values])
        return created[0]

    def reference(self, xmlid: str) -> int:
        """Return the id of a record of the addons' data."""
        module, _, name = xmlid.partition(".")
        domain = [("module", "=", module), ("name", "=", name)]
        found = self.call("ir.model.data", "search_read", domain, ["res_id"])
        if not found:
            raise Problem(f"The addon has no record {xmlid} any more.")
        return int(found[0]["res_id"])

    def _post(self, route: str, **params: Any) -> Any:
        request = urllib.request.Request(
            self.url + route,
            json.dumps({"jsonrpc": "2.0", "params": params}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                content = json.load(answer)
        except (OSError, ValueError) as error:
            raise Problem(f"Odoo did not answer {route}: {error}.") from None
        if "error" in content:
            # Not the whole error: its arguments may be what we sent, a token too.
            message = content["error"].get("data", {}).get("message", "unknown error")
            call = ".".join(
                str(params[key]) for key in ("model", "method") if key in params
            )
            raise Problem(f"Odoo refused {call or route}: {message}")
        return content["result"]
