"""Sends encoded events to the Graph API, asks it, and returns what it answered."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from .answer import Answer, no_answer, read_answer, read_pixel
from .const import API_VERSION, GRAPH_URL, MAX_EVENTS, MAX_REQUEST_BYTES, PARTNER_AGENT
from .errors import InvalidParameter
from .graph_errors import Outcome
from .quality import FIELDS as QUALITY_FIELDS
from .quality import MAX_ANSWER_BYTES, QualityAnswer, read_quality_answer

# Bytes around the events of a request: names, partner_agent, test_event_code.
_ENVELOPE_BYTES = 256
# Bytes of an answer about events that are read. Meta's are a few hundred.
_MAX_ANSWER_BYTES = 64 * 1024

_HEADERS = {
    "Accept": "application/json",
    # Answers are small: uncompressed they are no burden and cannot swell.
    "Accept-Encoding": "identity",
}


# Made once: json.dumps would make one for each event.
_to_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


class _ThreadSessions(threading.local):
    """This thread's sessions by process and base URL."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[int, str], requests.Session] = {}


_sessions = _ThreadSessions()


def encode(event: dict[str, Any], **parts: str | None) -> bytes:
    """Return an event as the JSON that is sent: compact, UTF-8.

    Raises ``ValueError`` for a number that is not finite: it is not JSON.

    :param parts: further properties, as JSON already; None: left out

    >>> encode({"event_name": "Café", "event_time": 1}, user_data='{"em": "…"}')
    b'{"event_name":"Caf\\xc3\\xa9","event_time":1,"user_data":{"em": "\\xe2\\x80\\xa6"}}'
    """
    text = _to_json(event)
    for name, part in parts.items():
        if part is not None:
            text = f'{text[:-1]},"{name}":{part}}}'
    return text.encode("utf-8")


def take_batch(
    sizes: Iterable[int],
    *,
    max_events: int = MAX_EVENTS,
    max_bytes: int = MAX_REQUEST_BYTES,
) -> int:
    """Return how many of the first events, by their bytes, fit one request.

    At least 1 if there is any: an event that is too large alone is for Meta to refuse.

    >>> take_batch([400, 400, 400], max_bytes=1200), take_batch([5000], max_bytes=1200)
    (2, 1)
    """
    count = 0
    total = _ENVELOPE_BYTES
    for size in sizes:
        total += size + 1  # the comma
        if count and (count == max_events or total > max_bytes):
            break
        count += 1
    return count


def count_to_fill(sizes: Sequence[int], limit: int) -> int:
    """Return how many events to claim next, so that they probably fill a request.

    Those that are claimed tell how large they are; one alone tells little, so that half
    of what may fit follows first. What does not fit is read in vain.

    :param sizes: the bytes of the events that are claimed already, at least of one
    :param limit: how many events a request may carry

    >>> count_to_fill([1000], 5), count_to_fill([1000], 1000)
    (4, 500)
    >>> count_to_fill([1000] * 501, 1000), count_to_fill([1000] * 985, 1000)
    (485, 0)
    """
    used, claimed = sum(sizes), len(sizes)
    fitting = (MAX_REQUEST_BYTES - used) * claimed // used
    count = (fitting + 1) // 2 if claimed == 1 else fitting - fitting * 3 // 100
    count = min(count, limit - claimed)
    # The last few are not worth a query.
    return count if count > claimed // 32 else 0


class GraphClient:
    """Sends events to one Graph base URL.

    I/O only: returns a value, writes and logs nothing, and never raises for what the
    network or Meta does. Holds no token. With ``app_secret`` each request proves that
    it comes from the app, which an app can be set to require. ``timeout`` is in seconds,
    for the connection and for each silence; a body that keeps dripping is left after
    twice as long. ``session`` is for tests; by default each thread keeps one, with its
    connection, per base URL.

    Raises ``InvalidParameter`` for a ``graph_url`` or an ``api_version`` that a token
    must not be sent to.
    """

    def __init__(
        self,
        graph_url: str = GRAPH_URL,
        api_version: str = API_VERSION,
        *,
        app_secret: str = "",
        timeout: float = 10.0,
        session: requests.Session | None = None,
    ) -> None:
        _check_graph_url(graph_url)
        if not re.fullmatch(r"v[0-9]+\.[0-9]+", api_version or ""):
            raise InvalidParameter("api_version", "must look like v26.0")
        self._graph_url = graph_url.rstrip("/")
        self._api_version = api_version
        self._app_secret = app_secret
        self._timeout = timeout
        self._session = session

    def send_events(
        self,
        pixel_id: str,
        token: str,
        events: Sequence[bytes],
        test_event_code: str | None = None,
    ) -> Answer:
        """Send events, each as ``encode`` returns it, in one request.

        {DOCS}/using-the-api. The token goes into a header only: a URL ends up in logs.
        """
        envelope = {"partner_agent": PARTNER_AGENT, **self._proof(token)}
        if test_event_code:
            envelope["test_event_code"] = test_event_code
        return self._request(
            "POST",
            pixel_id,
            f"{pixel_id}/events",
            token,
            partial(read_answer, sent=len(events)),
            headers={**_HEADERS, "Content-Type": "application/json"},
            data=b'{"data":[%b],%b' % (b",".join(events), encode(envelope)[1:]),
        )

    def get_pixel(self, pixel_id: str, token: str) -> Answer:
        """Ask Meta for the pixel's id and name; accepted if it knows it.

        A token made for sending only may not read the pixel: Meta then answers with
        error 100 without a subcode, ``Outcome.AMBIGUOUS``, although sending works.
        """
        return self._request(
            "GET",
            pixel_id,
            pixel_id,
            token,
            partial(read_pixel, pixel_id=pixel_id),
            headers=_HEADERS,
            params={"fields": "id,name", **self._proof(token)},
        )

    def get_quality(self, pixel_id: str, token: str) -> QualityAnswer:
        """Ask Meta what it thinks of the pixel's events, whoever has sent them.

        {DOCS}/dataset-quality-api. A token that may send need not be allowed to ask.
        """
        told: list[QualityAnswer] = []

        def read(*args: Any, **options: Any) -> Answer:
            told.append(read_quality_answer(*args, **options))
            return told[0].answer

        answer = self._request(
            "GET",
            pixel_id,
            "dataset_quality",
            token,
            read,
            max_bytes=MAX_ANSWER_BYTES,
            headers=_HEADERS,
            params={
                "dataset_id": pixel_id,
                "fields": QUALITY_FIELDS,
                **self._proof(token),
            },
        )
        return told[0] if told else QualityAnswer.without_events(answer)

    def _proof(self, token: str) -> dict[str, str]:
        """Return the parameter that proves whose app a call is, if that is wanted.

        https://developers.facebook.com/docs/graph-api/guides/secure-requests
        """
        if not self._app_secret:
            return {}
        digest = hmac.new(self._app_secret.encode(), token.encode(), hashlib.sha256)
        return {"appsecret_proof": digest.hexdigest()}

    def _request(
        self,
        method: str,
        pixel_id: str,
        path: str,
        token: str,
        read: Callable[..., Answer],
        max_bytes: int = _MAX_ANSWER_BYTES,
        **content: Any,
    ) -> Answer:
        """Perform one request; ``read`` makes an ``Answer`` of what comes back."""
        if refusal := _check_credentials(pixel_id, token):
            cause, message = refusal
            return Answer(Outcome.STOPPED, cause, error_message=message)
        started = time.monotonic()
        try:
            response = self._get_session().request(
                method,
                f"{self._graph_url}/{self._api_version}/{path}",
                auth=_Bearer(token),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                **content,
            )
        except (OSError, urllib3.exceptions.HTTPError) as error:
            # OSError is RequestException's base; requests lets some others through.
            return no_answer(error, duration_ms=_milliseconds_since(started))
        with response:
            text = _read_text(response, started + 2 * self._timeout, max_bytes)
        return read(
            response.status_code,
            response.headers,
            text,
            token=token,
            duration_ms=_milliseconds_since(started),
        )

    def _get_session(self) -> requests.Session:
        return self._session or _thread_session(self._graph_url)


class _Session(requests.Session):
    """A session that goes nowhere but where it was told to."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: even told not to follow, requests reads and parses the target.

        It would read the whole body without limit and raise for a malformed address.
        """
        return None


class _Bearer(AuthBase):
    """Puts the token into the request's header.

    As an explicit ``auth`` it cannot be replaced by a password from ~/.netrc, and a
    session never keeps it.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _thread_session(graph_url: str) -> requests.Session:
    """Return this thread's session for a base URL, its connection kept alive.

    ``requests`` does not document a session as safe to share between threads, and a
    forked process must not go on with its parent's connection.
    """
    key = (os.getpid(), graph_url)
    session = _sessions.by_key.get(key)
    if session is None:
        session = _sessions.by_key[key] = _Session()
        # A proxy of the environment must not see what plain http keeps on this machine.
        session.trust_env = urlsplit(graph_url).scheme == "https"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # No retry in here: it would be an attempt that nobody sees.
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
    return session


def _read_text(response: requests.Response, deadline: float, max_bytes: int) -> str:
    """Return the answer's text, or what came of it until ``deadline``.

    ``requests``' time-out starts anew with every byte. Only byte by byte can a server
    that drips be left in time.
    """
    received = bytearray()
    # A response made by hand, as a test does, has nothing to stream from.
    chunks = response.iter_content(1) if response.raw else [response.content or b""]
    try:
        for chunk in chunks:
            received += chunk
            if len(received) >= max_bytes or time.monotonic() > deadline:
                break
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        pass  # cut short: the reader of the text will see
    return received.decode("utf-8", "replace")


def _check_graph_url(url: str) -> None:
    """Raise ``InvalidParameter`` for an address that a token must not be sent to."""

    def refuse(reason: str) -> InvalidParameter:
        return InvalidParameter("graph_url", reason)

    # Also what parsers disagree about: white space, backslashes, other alphabets.
    if not re.fullmatch(r"[!-\[\]-~]+", url or ""):
        raise refuse("must be a plain address such as https://graph.facebook.com")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise refuse("is not an address") from None  # it quotes the address
    if not host:
        raise refuse("must name a host")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise refuse("must have no user, password, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise refuse("must begin with https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_credentials(pixel_id: str, token: str) -> tuple[str, str] | None:
    """Return the cause and the words of why no request can be made, or None."""
    if not re.fullmatch(r"[0-9]+", pixel_id or ""):
        return "pixel_id", "The pixel id is not a number"
    if not token:
        return "no_token", "There is no access token"
    if not re.fullmatch(r"[!-~]+", token):
        return "token", "The access token holds a character that no token has"
    return None


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
