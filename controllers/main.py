import json
import logging
from ipaddress import IPv6Address, ip_address

import psycopg2

from odoo import http
from odoo.http import request

from ..capi.reading import has_email
from ..capi.url import is_same_host
from .rate_limit import RateLimit

_logger = logging.getLogger("meta.conversions.api")

# A cart of a hundred lines is 10 KB. Beacons are limited to 64 KB by browsers.
MAX_BODY = 16 * 1024

# A visitor makes two or three events a page, and up to fifty at once when the consent
# comes that they were waiting for. Many visitors can come from the one address of a
# company. Both limits count in each worker process by itself: with four workers, four
# times as much can get through.
VISITOR_LIMIT = RateLimit(rate=1, burst=60, max_keys=10_000)
# An event costs its worker a few milliseconds: so all of them together, a tenth of it.
TOTAL_LIMIT = RateLimit(rate=20, burst=200)

_KEYS = {"event_name", "event_id", "event_source_url", "referrer_url", "custom_data"}
_MAX_ID_LENGTH = 100
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_ROUTE = {
    "type": "http",
    "auth": "public",
    "methods": ["POST"],
    "website": True,
    "multilang": False,
    "sitemap": False,
    # A beacon carries no token; the same origin stands in for it.
    "csrf": False,
    "save_session": False,
    "max_content_length": MAX_BODY,
}


class Refused(Exception):
    """The request is not one that the script makes; ``status`` is the answer."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class MetaCapiController(http.Controller):
    """What the script of the shop's pages calls. Anybody may, with anything in it."""

    @http.route("/meta_capi/collect", **_ROUTE)
    def collect(self, **_parameters):
        """Record an event that the visitor's browser tells of."""
        return _answer(self._collect)

    @http.route("/meta_capi/order", **_ROUTE)
    def order(self, **_parameters):
        """Tell the browser under which id its Pixel is to send the order's Purchase."""
        return _answer(self._order)

    def _collect(self):
        payload = read_payload(_read_body())
        request.env["meta.capi.bridge"]._collect(payload)

    def _order(self):
        answer = request.env["meta.capi.bridge"]._hand_out_purchase()
        if answer:
            headers = {"Cache-Control": "no-store"}
            return request.make_json_response(answer, headers=headers)


def _answer(handle):
    """Return the answer to a request that is let through to ``handle``, or refused."""
    try:
        _check_origin()
        _check_rate()
        return handle() or request.make_response("", status=204)
    except Refused as refusal:
        return request.make_response("", status=refusal.status)
    except psycopg2.OperationalError:
        raise  # Odoo replays the request
    except Exception as error:
        # The border: whatever is sent here, the answer is no error of the server.
        _logger.exception("An event of a browser could not be taken")
        if isinstance(error, psycopg2.Error):
            request.env.cr.rollback()
        return request.make_response("", status=204)


def _check_origin():
    """Refuse what does not come from a page of this very host."""
    httprequest = request.httprequest
    headers = httprequest.headers
    origin = headers.get("Origin")
    site = headers.get("Sec-Fetch-Site")
    if origin is None and site is not None:
        same = site == "same-origin"
    else:
        same = is_same_host(origin or httprequest.referrer, httprequest.host)
    if not same:
        raise Refused(403)


def _check_rate():
    """Refuse who asks too often, before anything is looked up."""
    if not VISITOR_LIMIT.allows(client_key(request.httprequest.remote_addr)):
        raise Refused(429)
    if not TOTAL_LIMIT.allows():
        raise Refused(429)


def client_key(address):
    """Return what stands for one client: of IPv6, its network has them all.

    >>> client_key("2001:db8::1") == client_key("2001:db8::2")
    True
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return found.packed[:8]
    return getattr(found, "ipv4_mapped", None) or found


def _read_body():
    httprequest = request.httprequest
    if httprequest.content_length is None:
        raise Refused(411)
    if httprequest.content_length > MAX_BODY:
        raise Refused(413)
    if httprequest.mimetype in _FORMS:
        raise Refused(400)
    return httprequest.get_data()


def read_payload(body):
    """Return the event that a body tells of, as far as its form goes.

    :raises Refused: it is none
    """
    try:
        payload = json.loads(
            body.decode(), object_pairs_hook=_read_object, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise Refused(400) from None
    if not isinstance(payload, dict) or payload.keys() - _KEYS:
        raise Refused(400)
    name, event_id = payload.get("event_name"), payload.get("event_id")
    for text in (name, event_id):
        if not isinstance(text, str) or not 0 < len(text.strip()) <= _MAX_ID_LENGTH:
            raise Refused(400)
        if not text.isprintable() or has_email(text):
            raise Refused(400)
    if not isinstance(payload.get("custom_data", {}), dict):
        raise Refused(400)
    return {**payload, "event_name": name.strip(), "event_id": event_id.strip()}


def _read_object(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refuse(constant):
    raise ValueError(constant)
