"""A visitor with a real browser, on the pages of the shop under test."""

import base64
import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from odoo.tests.common import HOST, ChromeBrowser

REPOSITORY = Path(__file__).parent.parent
FACEBOOK = "https://connect.facebook.net/"
# Where the Pixel sends to.
TR = "https://www.facebook.com/tr/"
GIF = base64.b64decode("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==")
# Nothing of ours needs them, and building them takes seconds.
ASSETS = ("/web/assets/", "/web/image/", "/website/image/", "/web/static/")
# What Chromium says of a page that stays for seconds without what was left out.
UNUSED = "was preloaded using link preload but not used"
# Of the back office's bus, which nobody listens to in a test.
BUS = "/bus/"
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
# Ends after the first two frames, or soon where there are none.
PAINTED = """
    new Promise(done => {
        const soon = () => setTimeout(() => setTimeout(done));
        requestAnimationFrame(() => requestAnimationFrame(soon));
        setTimeout(done, 1100);
    })
"""
# Seconds a page may take unless a test says otherwise; the first one compiles its
# templates.
TIMEOUT = 30


class Browser:
    """Chromium, driven page by page from the test.

    ``pixel`` has what Meta's script would have sent, ``errors`` what the console showed.
    While the test does something itself, a page that ``waits`` asks nothing of the server:
    both use the one connection that the test's data is on.
    """

    def __init__(self, test):
        self.chrome = ChromeBrowser(test)
        self.host = test.base_url()
        self.timeout = TIMEOUT
        self.waits = False
        self._gate, self._is_shut, self._held = threading.RLock(), False, []
        self._script = (REPOSITORY / "dev/sandbox/fbevents.js").read_bytes()
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
        # Of itself it says that nobody looks at it, and is a robot.
        self.pretend(AGENT)
        self.send("Log.enable")
        self.send("Runtime.addBinding", name="pixelReport")
        self.send("Fetch.enable")
        # What a service worker asks for does not come by here.
        self.send(
            "Page.addScriptToEvaluateOnNewDocument",
            source="delete Navigator.prototype.serviceWorker",
        )
        self.reset()

    def reset(self):
        """Become another visitor, who has never been here."""
        self.waits = False
        self.blocks_pixel = False
        self.blocks_sending = False
        self.loads_assets = False
        self.theme = ""
        self.fails = self.hangs = ()
        self.pixel, self.errors, self.requests, self.foreign = [], [], [], []
        self._running, self._pictures = {}, set()
        self._asked_at, self._navigated_at = {}, 0
        self.leave()
        for cookie in self.send("Network.getCookies", urls=[self.host])["cookies"]:
            # Odoo 19 lets in who brings along the test's own.
            if cookie["name"] != "test_request_key":
                self.send("Network.deleteCookies", name=cookie["name"], url=self.host)
        self.pixel.clear()

    def send(self, method, **params):
        return self.chrome._websocket_request(
            method, params=params, timeout=self.timeout
        )

    def pretend(self, agent):
        """Be this User-Agent from now on."""
        self.agent = agent
        self.send("Network.setUserAgentOverride", userAgent=agent)

    def stop(self):
        self.chrome.stop()

    def set_cookie(self, name, value):
        self.chrome.set_cookie(name, value, "/", HOST)

    def cookies(self):
        """Return the values of the visitor's cookies by their names."""
        found = self.send("Network.getCookies", urls=[self.host])["cookies"]
        return {cookie["name"]: cookie["value"] for cookie in found}

    def remove_cookie(self, name):
        self.send("Network.deleteCookies", name=name, url=self.host)

    def evaluate_first(self, code):
        """Run a piece of JavaScript before anything else of each page to come."""
        answer = self.send("Page.addScriptToEvaluateOnNewDocument", source=code)
        return answer["identifier"]

    # -------------------------------------------------------------------- navigation

    def leave(self):
        """Leave the shop, and with it whatever the page has not asked the server yet.

        Let through now, it would be worked on while the test does something itself. What
        our script sends at a page's end is let through as ever.
        """
        with self._gate:
            self._held = [
                paused
                for paused in self._held
                if "/meta_capi/" in paused["request"]["url"]
            ]
        self._start_page()
        self.send("Page.navigate", url="about:blank")
        self._wait_for_page()

    def open(self, path):
        """Open a page and wait until it has said all that it says by itself."""
        self._start_page()
        self.send("Page.navigate", url=self.host + path)
        self._wait_for_page()

    def reload(self):
        self._start_page()
        self.send("Page.reload")
        self._wait_for_page()

    def back(self):
        history = self.send("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self._start_page()
        self.send("Page.navigateToHistoryEntry", entryId=entry["id"])
        self._wait_for_page()

    def _start_page(self):
        self._loaded.clear()
        self._open_gate()

    def _wait_for_page(self):
        if not self._loaded.wait(self.timeout):
            raise TimeoutError("The page does not load")
        # What our script leaves until the page is painted.
        self.send("Runtime.evaluate", expression=PAINTED, awaitPromise=True)
        self.settle()

    def settle(self):
        """Wait until no request is under way, and none follows."""
        end, quiet = time.monotonic() + self.timeout, 0
        while quiet < 3 or not self._shut_gate():
            self._drop_left()
            if time.monotonic() > end:
                raise TimeoutError(f"Requests do not end: {self._running}")
            time.sleep(0.03)
            quiet = 0 if self._running or self._is_server_busy() else quiet + 1

    @staticmethod
    def _is_server_busy():
        """Tell whether Odoo works on a request, be it of a page that is left.

        It does so on the cursor of the test, which may not use it meanwhile.
        """
        names = (thread.name for thread in threading.enumerate())
        return any(name.startswith("odoo.service.http.request.") for name in names)

    def _wait_for(self, request_id, url):
        self._asked_at[request_id] = time.monotonic()
        self._running[request_id] = url

    def _drop_left(self):
        """Wait no more for what the page before has asked for as it was left.

        Nobody tells its end, and Chromium may tell of it after it has told of the next
        page.
        """
        now = time.monotonic()
        for request_id in list(self._running):
            asked_at = self._asked_at[request_id]
            if now - asked_at > 10 and asked_at < self._navigated_at + 2:
                self._running.pop(request_id, None)

    def go_on(self):
        """Let the page ask the server for what it has waited with."""
        self._open_gate()
        self.settle()

    def _shut_gate(self):
        """Let no request through from now on; tell whether none is under way."""
        with self._gate:
            self._is_shut = self.waits and not self._running
            return not self._running

    def _open_gate(self):
        with self._gate:
            self._is_shut = False
            held, self._held = self._held, []
        for paused in held:
            self._on_request(**paused)

    def run(self, code):
        """Return what a piece of JavaScript returns, and wait as for a page."""
        self._open_gate()
        answer = self.send(
            "Runtime.evaluate",
            expression=f"(async () => {{ {code} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        self.settle()
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def follow(self, code):
        """Run a piece of JavaScript that leads to another page, and wait for that."""
        self._start_page()
        # Not for its end: the page takes that with it.
        self.send("Runtime.evaluate", expression=f"(async () => {{ {code} }})()")
        self._wait_for_page()

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

    def _on_request(self, **paused):
        request_id = paused["requestId"]
        if "responseStatusCode" in paused or "responseErrorReason" in paused:
            self._command("Fetch.continueRequest", requestId=request_id)
            self._running.pop(request_id, None)
            return
        with self._gate:
            if self._is_shut:
                self._held.append(paused)
            else:
                self._answer(**paused)

    def _answer(self, requestId, request, **_params):
        url = request["url"]
        path = url.removeprefix(self.host)
        if path == url:
            # Without what an event tells.
            self.foreign.append(url.rstrip("?"))
        if url.startswith(FACEBOOK) and self.blocks_pixel:
            answer = ("Fetch.failRequest", {"errorReason": "BlockedByClient"})
        elif url.startswith(FACEBOOK):
            answer = self._fulfil(self._script)
        elif url.startswith(TR) and self.blocks_sending:
            answer = ("Fetch.failRequest", {"errorReason": "BlockedByClient"})
        elif url.startswith(TR):
            answer = self._fulfil(GIF, "image/gif")
        elif path in self.hangs:
            return
        elif path == "/theme.js":
            answer = self._fulfil(self.theme.encode())
        elif path.partition("?")[0] in self.fails:
            answer = ("Fetch.failRequest", {"errorReason": "ConnectionReset"})
        elif (
            path == url
            or (path.startswith(ASSETS) and not self.loads_assets)
            or path.startswith(BUS)
        ):
            answer = self._fulfil(b"")
        else:
            self.requests.append((path, request.get("postData")))
            if self.waits:
                # Until it is paused again at its answer: of the end of some requests
                # the network's own events do not tell.
                self._wait_for(requestId, url)
            parameters = {"interceptResponse": self.waits}
            headers = request["headers"]
            if headers.get("User-Agent") != self.agent:
                # What is sent at a page's end tells of the browser itself again.
                headers = {**headers, "User-Agent": self.agent}.items()
                parameters["headers"] = [
                    {"name": name, "value": value} for name, value in headers
                ]
            answer = ("Fetch.continueRequest", parameters)
        command, params = answer
        self._command(command, requestId=requestId, **params)

    def _command(self, method, **params):
        """Have Chromium do something while it tells us of something."""
        self.chrome._websocket_send(method, params=params)

    def _fulfil(self, body, content_type="text/javascript"):
        headers = [{"name": "Content-Type", "value": content_type}]
        return "Fetch.fulfillRequest", {
            "responseCode": 200,
            "responseHeaders": headers,
            "body": base64.b64encode(body).decode(),
        }

    def _on_start(self, requestId, request, type="", **_params):
        # The others end with the page, or at the server; or are of no concern.
        if request["url"].removeprefix(self.host) in self.hangs:
            return
        if "/meta_capi/" in request["url"] or request["url"].startswith((FACEBOOK, TR)):
            self._wait_for(requestId, request["url"])
            if type == "Image":
                self._pictures.add(requestId)

    def _on_end(self, requestId, **_params):
        self._running.pop(requestId, None)

    def _on_navigation(self, frame, type="", **_params):
        if "parentId" not in frame:
            self._navigated_at = time.monotonic()
            # What the page before has asked for ends with it, and nobody tells; but for
            # what our script and the Pixel send at its end, by other means than pictures.
            for request_id, url in list(self._running.items()):
                is_sent = "/meta_capi/" in url or url.startswith((FACEBOOK, TR))
                if not is_sent or request_id in self._pictures:
                    self._running.pop(request_id, None)
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
        if entry["level"] in ("error", "warning") and UNUSED not in entry["text"]:
            self.errors.append(f"{entry['text']} {entry.get('url')}")


class BrowserMixin:
    """A test class with a browser, which is started once for all of its tests."""

    def setUp(self):
        super().setUp()
        cls = type(self)
        # A parent's was stopped with the parent.
        if "browser" not in vars(cls):
            cls.browser = Browser(self)
            cls.addClassCleanup(cls.browser.stop)
        self.browser = cls.browser
        self.browser.chrome.test_case = self
        self.browser.reset()
        # Odoo 19 lets no request in but those a test has announced.
        allow = getattr(self, "allow_requests", None)
        self.enter(allow(browser=self.browser.chrome) if allow else nullcontext())
        self.addCleanup(self.browser.leave)

    def log_in_browser(self, login, password):
        self.authenticate(login, password)
        self.browser.set_cookie("session_id", self.session.sid)

    def flush(self):
        """Let the browser's requests see what the test has done."""
        self.env.flush_all()
        self.env.cr.flush()
        self.env.cr.clear()
