"""A user of Odoo's web client, as far as a script needs one; the same on all series."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.request
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode, urljoin

from ..console import Problem

_JSON = {"Content-Type": "application/json"}


def page_path(
    series: str,
    action: str | int = "",
    model: str = "",
    record: int | None = None,
    view: str = "",
) -> str:
    """Return the path of a page of the back office: an action's, or a record's."""
    if series == "17.0":
        parts = {"action": action, "model": model, "id": record, "view_type": view}
        if record:
            parts["view_type"] = "form"
        return f"/web#{urlencode({key: part for key, part in parts.items() if part})}"
    path = f"/odoo/{model or f'action-{action}'}"
    return path + (f"/{record}" if record else f"?view_type={view}" if view else "")


class OdooClient:
    """Call models over the web client's own JSON route.

    Not over XML-RPC: 19.0 calls that deprecated, in a warning for each request.
    """

    # Seconds that an answer may take.
    patience = 60

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}
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
        self.post(
            "/web/session/authenticate", db=database, login=login, password=password
        )

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method as the user who logged in."""
        return self.post(
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

    def post(self, route: str, **params: Any) -> Any:
        """Call a JSON route, as the page's own scripts do."""
        body = json.dumps({"jsonrpc": "2.0", "params": params}).encode()
        try:
            content = json.loads(self.ask(route, body, **_JSON))
        except ValueError as error:
            raise Problem(f"Odoo did not answer {route}: {error}.") from None
        if "error" in content:
            # Not the whole error: its arguments may be what we sent, a token too.
            message = content["error"].get("data", {}).get("message", "unknown error")
            call = ".".join(
                str(params[key]) for key in ("model", "method") if key in params
            )
            raise Problem(f"Odoo refused {call or route}: {message}")
        return content.get("result")

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> str:
        """Open a page, or send something; return what comes back."""
        headers = {**self.headers, **headers}
        request = urllib.request.Request(urljoin(self.url, path), body, headers)
        try:
            with self._opener.open(request, timeout=self.patience) as answer:
                text: str = answer.read().decode()
        except OSError as error:
            raise Problem(f"Odoo did not answer {path}: {error}.") from None
        self.take(answer, text)
        return text

    def take(self, answer: HTTPResponse, text: str) -> None:
        """Look at an answer; a script that calls models only has no need to."""
