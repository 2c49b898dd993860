"""The Graph API that knows two edges, keeps all it is told and fails on demand."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from typing import Any, final
from urllib.parse import urlsplit

from .answers import (
    MESSAGES,
    NEWEST_VERSION,
    OLDEST_VERSION,
    Answer,
    GraphError,
    malformed,
    new_trace_id,
)
from .faults import Fault, Faults
from .quality import check_parameters, describe, select
from .records import BrowserEvent, ReceivedEvent, ReceivedRequest
from .rules import MISSING_DATA, check_body, check_clock, is_json, parse_json
from .shapes import is_object, is_text
from .wire import Wire

# The edge that tells what Meta thinks of the events; it names its pixel in the query.
_QUALITY = "dataset_quality"


@final
class GraphSandbox:
    """A Graph API that knows two edges, keeps all it is told and fails on demand.

    :param pixel_id: the pixel that exists from the start
    :param token: its token; a made-up one by default
    :param port: 0 takes a free one
    :param clock: for tests that live in another time
    :param max_body: bytes above which a request gets a 413; Meta's limit is not known
    :param seed: of the dice for faults with a probability
    """

    def __init__(
        self,
        pixel_id: str = "1029384756102938",
        token: str | None = None,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        max_body: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.pixel_id = pixel_id
        self.token = token or new_token()
        self.pixels: dict[str, set[str]] = {pixel_id: {self.token}}
        self.requests: list[ReceivedRequest] = []
        self.events: list[ReceivedEvent] = []
        self.browser_events: list[BrowserEvent] = []
        self.max_body = max_body
        self.clock_behind = 0.0
        """Seconds by which Meta's clock is behind; it then tolerates no future (ours)."""
        self.app_secret: str | None = None
        """What each call has to prove that it knows, if set."""
        self.closing = threading.Event()
        self._clock = clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.faults = Faults(self._lock, seed)
        self.fail_next = self.faults.fail_next
        self.fail_always = self.faults.fail_always
        self.heal = self.faults.heal
        self.poison = self.faults.poison
        self.cure = self.faults.cure
        self._server = Wire(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None

    # Life ----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> GraphSandbox:
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="graph-sandbox",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection, also those that hang, and return within a second."""
        self.closing.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join(1)
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> GraphSandbox:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # What a test asks -----------------------------------------------------------------

    def clear(self) -> None:
        """Forget events and requests, also those under way; faults and pixels stay."""
        with self._changed:
            self.requests.clear()
            self.events.clear()
            self.browser_events.clear()
            self._changed.notify_all()

    def deliveries(self) -> Counter[tuple[str, str, str | None]]:
        """Count how often each (pixel, event name, event id) was taken in."""
        with self._lock:
            return Counter(event.key for event in self.events)

    def offline_events(self) -> list[dict[str, Any]]:
        """Return the events of stores that Meta counts: of those it cannot tell apart, one."""
        with self._lock:
            found = {e.offline_key: e.event for e in self.events if e.is_offline}
        return list(found.values())

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10) -> Any:
        """Return the predicate's value as soon as it is true of what was received.

        :raises TimeoutError: saying what was received instead
        """
        with self._changed:
            found = self._changed.wait_for(predicate, timeout)
            if not found:
                raise TimeoutError(
                    f"not so after {timeout} s: {len(self.requests)} requests,"
                    f" {len(self.events)} events"
                )
            return found

    def now(self) -> float:
        """Return the time by Meta's clock."""
        return self._clock() - self.clock_behind

    def take_from_browser(self, event: BrowserEvent) -> None:
        """Note what the stand-in for Meta's Pixel has sent."""
        with self._changed:
            self.browser_events.append(event)
            self._changed.notify_all()

    # What a request goes through ------------------------------------------------------

    def receive(
        self, method: str, path: str, headers: Message, raw: bytes
    ) -> ReceivedRequest:
        """Record a request and draw its fault."""
        request = ReceivedRequest(method, path, headers, raw, time.time())
        parts = urlsplit(path).path.split("/")
        if len(parts) > 2:
            request.pixel_id = parts[2]
        if parts[2:] == [_QUALITY]:
            request.pixel_id = request.query.get("dataset_id", [""])[0] or None
        try:
            request.body = parse_json(raw) if is_json(headers) else None
        except GraphError:
            pass  # refused where Meta would, see _judge
        with self._changed:
            request.index = len(self.requests)
            request.fault = self.faults.draw(request.pixel_id)
            self.requests.append(request)
            self._changed.notify_all()
        return request

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return what is to be said, having taken in what is to be taken in."""
        fault = request.fault
        if isinstance(fault.reply, GraphError):
            answer = self._refuse(request, fault.reply)
        elif fault.reply is not None and not fault.accept:
            answer = fault.reply
        else:
            try:
                answer = self._judge(request, fault)
            except GraphError as refusal:
                answer = self._refuse(request, refusal)
            fault = request.fault  # a poisoned event has brought its own
        if fault.truncate:
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        if fault.headers:
            answer = replace(answer, headers={**answer.headers, **fault.headers})
        return answer

    def finish(
        self, request: ReceivedRequest, ending: str, answer: Answer | None = None
    ) -> None:
        """Record how a request ended, before the client can know."""
        with self._changed:
            request.ending, request.ended_at = ending, time.time()
            if answer is not None:
                request.status, request.answer = answer.status, answer.body
            self._changed.notify_all()

    @staticmethod
    def _refuse(request: ReceivedRequest, refusal: GraphError) -> Answer:
        request.reason = request.reason or refusal.reason
        return refusal.answer()

    def _judge(self, request: ReceivedRequest, fault: Fault) -> Answer:
        """Do what Meta does with a request; take its events in if the fault allows."""
        if self._check_edge(request) == _QUALITY:
            return self._tell_quality(request)
        if self.max_body is not None and len(request.raw) > self.max_body:
            request.reason = f"{len(request.raw)} bytes"
            return Answer(413, b"<h1>413 Content Too Large</h1>", "text/html")
        if not is_json(request.headers):
            # Graph reads forms too; here only JSON is looked at, so a form has no data.
            raise malformed("not application/json", MISSING_DATA)
        if request.body is None:
            parse_json(request.raw)
        warnings = check_body(request.body, self.now())
        events = request.body["data"]
        if self.clock_behind:
            check_clock(events, self.now())
        for event in events:
            if poison := self.faults.poison_of(event):
                request.fault = fault = poison
                request.reason = f"poisoned event_id {event['event_id']!r}"
                if isinstance(fault.reply, GraphError):
                    raise fault.reply
                break
        counted = max(len(events) - fault.n_less, 0)
        if fault.accept:
            # The poisoned ones come last: they are those not taken in.
            noted = sorted(
                zip(events, warnings, strict=True),
                key=lambda pair: self.faults.poison_of(pair[0]) is not None,
            )
            self._accept(request, noted[:counted])
        if isinstance(fault.reply, Answer):
            return fault.reply
        content = {
            "events_received": counted,
            "messages": [],
            "fbtrace_id": new_trace_id(),
        }
        for key in fault.missing:
            del content[key]
        return Answer.json(200, content)

    def _tell_quality(self, request: ReceivedRequest) -> Answer:
        """Say what Meta thinks of the events of a pixel."""
        tree = check_parameters(request.query)
        agent = request.query.get("agent_name", [""])[0]
        with self._lock:
            server = [
                event
                for event in self.events
                if event.pixel_id == request.pixel_id
                and agent in ("", self._agent_of(event))
            ]
            browser = [
                event
                for event in self.browser_events
                if event.pixel_id == request.pixel_id
            ]
        return Answer.json(200, select(describe(server, browser), tree))

    def _agent_of(self, event: ReceivedEvent) -> str:
        return str(self.requests[event.request_index].body.get("partner_agent")).lower()

    def _check_edge(self, request: ReceivedRequest) -> str:
        """Check address and token; a stranger learns nothing about pixels. (ours)

        :return: the edge
        """
        path = urlsplit(request.path).path
        match = re.fullmatch(
            rf"/v(\d+)\.(\d+)/(?:({_QUALITY})|([^/]+)(/events)?)/?", path
        )
        if not match or match[2] != "0" or int(match[1]) > NEWEST_VERSION:
            raise GraphError(  # seen: 2500 for a path it cannot read
                2500,
                message=f"Unknown path components: {path}",
                reason=f"neither /vNN.N/{{pixel}}/events nor /vNN.N/{_QUALITY}",
            )
        edge = match[3] or match[5] or ""
        method = {_QUALITY: "GET", "/events": "POST"}.get(edge, request.method)
        if int(match[1]) < OLDEST_VERSION:
            raise GraphError(2635, reason=f"v{match[1]}.0 has ended")  # docs
        token = self._find_token(request)
        with self._lock:
            known = any(token in tokens for tokens in self.pixels.values())
            pixel_id = request.pixel_id or ""
            granted = token in self.pixels.get(pixel_id, ())
        if not known:
            raise GraphError(190, reason="unknown token" if token else "no token")
        if self.app_secret is not None:
            self._check_proof(request, token or "", self.app_secret)
        if pixel_id and not pixel_id.isdigit():  # reported
            raise GraphError(
                803,
                message=f"{MESSAGES[803]}: {pixel_id}",
                reason="a pixel id is a number",
            )
        if not pixel_id:
            # It lacks the pixel, and is refused for that.
            check_parameters(request.query)
        if not granted or request.method != method:
            raise GraphError(  # docs: error-reference
                100,
                33,
                message=f"Unsupported {request.method.lower()} request. Object with ID"
                f" '{pixel_id}' does not exist, cannot be loaded due to missing"
                " permissions, or does not support this operation. Please read the"
                " Graph API documentation at"
                " https://developers.facebook.com/docs/graph-api",
                reason=f"not {method}"
                if granted
                else "the pixel is unknown to the token",
                error_type="GraphMethodException",
            )
        if not edge:  # seen: what a token that may only send gets
            raise GraphError(
                100, message="(#100) Missing Permission", reason="not the events edge"
            )
        return edge

    @staticmethod
    def _check_proof(request: ReceivedRequest, token: str, secret: str) -> None:
        """Want proof that the caller knows the app (docs: graph-api/guides/secure-requests)."""
        body = request.body if is_object(request.body) else {}
        proof = request.query.get("appsecret_proof", [body.get("appsecret_proof")])[0]
        wanted = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if proof is None:  # seen
            message = "API calls from the server require an appsecret_proof argument"
        elif not hmac.compare_digest(str(proof).encode(), wanted.encode()):  # seen
            message = "Invalid appsecret_proof provided in the API argument"
        else:
            return
        raise GraphError(
            100,
            message=message,
            reason=f"{'no' if proof is None else 'a wrong'} appsecret_proof",
            error_type="GraphMethodException",
        )

    @staticmethod
    def _find_token(request: ReceivedRequest) -> str | None:
        """Return the token and note where it stood; Meta takes it from all three."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            request.token_source = "header"
            return token.strip()
        if "access_token" in request.query:
            request.token_source = "query"
            return request.query["access_token"][0]
        if is_object(request.body) and is_text(request.body.get("access_token")):
            request.token_source = "body"
            return str(request.body["access_token"])
        return None

    def _accept(
        self,
        request: ReceivedRequest,
        noted: list[tuple[dict[str, Any], list[str]]],
    ) -> None:
        """Take events in, each with its warnings."""
        received = [
            ReceivedEvent(
                pixel_id=request.pixel_id or "",
                test_event_code=request.test_event_code,
                event=event,
                request_index=request.index,
                received_at=request.received_at,
                warnings=tuple(notes),
            )
            for event, notes in noted
        ]
        with self._changed:
            known = self.requests[request.index : request.index + 1]
            if not known or known[0] is not request:
                return  # cleared in the meantime
            request.accepted = len(received)
            request.warnings = sorted(
                {note for _event, notes in noted for note in notes}
            )
            self.events.extend(received)
            self._changed.notify_all()


def new_token() -> str:
    """Return a token in the form of Meta's."""
    alphabet = string.ascii_letters + string.digits
    return "EAAG" + "".join(secrets.choice(alphabet) for _ in range(180)) + "ZDZD"
