"""A visitor with a real browser, on the pages of the shop under test."""

import base64
import json
import threading
import time
from pathlib import Path

from odoo.tests.common import HOST, ChromeBrowser

FACEBOOK = "https://connect.facebook.net/"
# Nothing of ours needs them, and building them takes seconds.
ASSETS = ("/web/assets/", "/web/image/", "/website/image/", "/web/static/")
# Seconds a page may take; the first one compiles its templates.
TIMEOUT = 30


class Browser:
    """Chromium, driven page by page from the test.

    ``pixel`` has what Meta's script would have sent, ``errors`` what the console showed.
    """

    def __init__(self, test):
        self.chrome = ChromeBrowser(test)
        self.host = test.base_url()
        self._script = (Path(__file__).parent / "fbevents.js").read_bytes()
        self._loaded = threading.Event()
        self.chrome._handlers.update(
            {
                "Fetch.requestPaused": self._on_request,
                "Network.requestWillBeSent": self._on_start,
                "Network.loadingFinished": self._on_end,
                "Network.loadingFailed": self._on_end,
                "Page.loadEventFired": lambda **_: self._loaded.set(),
                "Page.frameNavigated": self._on_navigation,
                "Runtime.bindingCalled": self._on_binding,
                "Runtime.consoleAPICalled": self._on_console,
                "Runtime.exceptionThrown": self._on_exception,
                "Log.entryAdded": self._on_log,
            }
        )
        self.send("Network.enable")
        self.send("Log.enable")
        self.send("Runtime.addBinding", name="pixelReport")
        self.send("Fetch.enable")
        self.reset()

    def reset(self):
        """Become another visitor, who has never been here."""
        self.blocks_pixel = False
        self.loads_assets = False
        self.theme = ""
        self.fails = ()
        self.pixel, self.errors, self.requests = [], [], []
        self._running = {}
        self.leave()
        for cookie in self.send("Network.getCookies", urls=[self.host])["cookies"]:
            # Odoo 19 lets in who brings along the test's own.
            if cookie["name"] != "test_request_key":
                self.send("Network.deleteCookies", name=cookie["name"], url=self.host)
        self.pixel.clear()

    def send(self, method, **params):
        return self.chrome._websocket_request(method, params=params, timeout=TIMEOUT)

    def stop(self):
        self.chrome.stop()

    def set_cookie(self, name, value):
        self.chrome.set_cookie(name, value, "/", HOST)

    # -------------------------------------------------------------------- navigation

    def leave(self):
        """Leave the shop."""
        self._loaded.clear()
        self.send("Page.navigate", url="about:blank")
        self._wait_for_page()

    def open(self, path):
        """Open a page and wait until it has said all that it says by itself."""
        self._loaded.clear()
        self.send("Page.navigate", url=self.host + path)
        self._wait_for_page()

    def reload(self):
        self._loaded.clear()
        self.send("Page.reload")
        self._wait_for_page()

    def back(self):
        history = self.send("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self._loaded.clear()
        self.send("Page.navigateToHistoryEntry", entryId=entry["id"])
        self._wait_for_page()

    def _wait_for_page(self):
        if not self._loaded.wait(TIMEOUT):
            raise TimeoutError("The page does not load")
        self.settle()

    def settle(self):
        """Wait until no request is under way, and none follows."""
        end, quiet = time.monotonic() + TIMEOUT, 0
        while quiet < 3:
            if time.monotonic() > end:
                raise TimeoutError(f"Requests do not end: {self._running}")
            time.sleep(0.03)
            quiet = 0 if self._running else quiet + 1

    def run(self, code):
        """Return what a piece of JavaScript returns, and wait as for a page."""
        answer = self.send(
            "Runtime.evaluate",
            expression=f"(async () => {{ {code} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        self.settle()
        return answer["result"].get("value")

    def rpc(self, path, **params):
        """Call a JSON route of the shop's, as its own scripts do."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params})
        answer = self.run(
            f"const response = await fetch({json.dumps(path)}, {{method: 'POST',"
            " headers: {'Content-Type': 'application/json'},"
            f" body: {json.dumps(body)}}}); return await response.json();"
        )
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    # ------------------------------------------------------------------ what is heard

    def _on_request(self, requestId, request, **_params):
        url = request["url"]
        path = url.removeprefix(self.host)
        if url.startswith(FACEBOOK) and self.blocks_pixel:
            answer = ("Fetch.failRequest", {"errorReason": "BlockedByClient"})
        elif url.startswith(FACEBOOK):
            answer = self._fulfil(self._script)
        elif path == "/theme.js":
            answer = self._fulfil(self.theme.encode())
        elif path in self.fails:
            answer = ("Fetch.failRequest", {"errorReason": "ConnectionReset"})
        elif path == url or (path.startswith(ASSETS) and not self.loads_assets):
            answer = self._fulfil(b"")
        else:
            self.requests.append((path, request.get("postData")))
            answer = ("Fetch.continueRequest", {})
        command, params = answer
        self.chrome._websocket_send(command, params={"requestId": requestId, **params})

    def _fulfil(self, body):
        headers = [{"name": "Content-Type", "value": "text/javascript"}]
        return "Fetch.fulfillRequest", {
            "responseCode": 200,
            "responseHeaders": headers,
            "body": base64.b64encode(body).decode(),
        }

    def _on_start(self, requestId, request, **_params):
        # The others end with the page, or at the server; or are of no concern.
        if "/meta_capi/" in request["url"] or request["url"].startswith(FACEBOOK):
            self._running[requestId] = request["url"]

    def _on_end(self, requestId, **_params):
        self._running.pop(requestId, None)

    def _on_navigation(self, type="", **_params):
        # A page that Chromium has kept as it was is not loaded again.
        if type == "BackForwardCacheRestore":
            self._loaded.set()

    def _on_binding(self, payload, **_params):
        self.pixel.append(json.loads(payload))

    def _on_console(self, type, args=(), **_params):
        if type in ("error", "warning", "assert"):
            self.errors.append(f"{type}: {[arg.get('value', arg) for arg in args]}")

    def _on_exception(self, exceptionDetails, **_params):
        self.errors.append(json.dumps(exceptionDetails))

    def _on_log(self, entry):
        if entry["level"] in ("error", "warning"):
            self.errors.append(f"{entry['text']} {entry.get('url')}")
