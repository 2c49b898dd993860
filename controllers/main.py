import json

import psycopg2

from odoo import http
from odoo.http import request

from ..capi.reading import has_email
from ..models.common.border import log_error

# A cart of a hundred lines is 10 KB. Beacons are limited to 64 KB by browsers.
MAX_BEACON_BYTES = 16 * 1024

_KEYS = {"event_name", "event_id", "event_source_url", "referrer_url", "custom_data"}
_KEYS |= {"data_processing_options"} | {
    f"data_processing_options_{part}" for part in ("country", "state")
}
_MAX_ID_LENGTH = 100
# Of the events that a browser says its Pixel has sent, in one request.
_MAX_SENT = 100
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
    "max_content_length": MAX_BEACON_BYTES,
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

    @http.route("/meta_capi/sent", **_ROUTE)
    def sent(self, **_parameters):
        """Note which events the browser's Pixel has really sent."""
        return _answer(self._sent)

    @http.route("/meta_capi/consent", **_ROUTE)
    def consent(self, **_parameters):
        """Let the answer that the visitor has given just now take effect.

        It is in a cookie; what follows from it does so with each request.
        """
        return request.make_response("", status=204)

    def _collect(self):
        payload = read_payload(_read_body())
        request.env["meta.capi.bridge"]._collect(payload)

    def _sent(self):
        request.env["meta.capi.bridge"]._note_sent(read_sent(_read_body()))

    def _order(self):
        answer = request.env["meta.capi.bridge"]._hand_out_purchase()
        if answer:
            headers = {"Cache-Control": "no-store"}
            return request.make_json_response(answer, headers=headers)


def _answer(handle):
    """Return the answer to a request that is let through to ``handle``, or refused."""
    try:
        return handle() or request.make_response("", status=204)
    except Refused as refusal:
        return request.make_response("", status=refusal.status)
    except psycopg2.OperationalError:
        raise  # Odoo replays the request
    except Exception as error:
        # The border: whatever is sent here, the answer is no error of the server.
        log_error("An event of a browser could not be taken", error)
        if isinstance(error, psycopg2.Error):
            request.env.cr.rollback()
        return request.make_response("", status=204)


def _read_body():
    httprequest = request.httprequest
    if httprequest.content_length is None:
        raise Refused(411)
    if httprequest.content_length > MAX_BEACON_BYTES:
        raise Refused(413)
    if httprequest.mimetype in _FORMS:
        raise Refused(400)
    return httprequest.get_data()


def read_payload(body):
    """Return the event that a body tells of, as far as its form goes.

    :raises Refused: it is none
    """
    payload = _read_json(body)
    if not isinstance(payload, dict) or payload.keys() - _KEYS:
        raise Refused(400)
    name, event_id = payload.get("event_name"), payload.get("event_id")
    for text in (name, event_id):
        if not _is_id(text) or has_email(text):
            raise Refused(400)
    if not isinstance(payload.get("custom_data", {}), dict):
        raise Refused(400)
    return {**payload, "event_name": name.strip(), "event_id": event_id.strip()}


def read_sent(body):
    """Return the names and ids of the events that a body says were sent.

    :raises Refused: it is no list of such pairs

    >>> read_sent(b'[["PageView", "an-id"]]')
    [('PageView', 'an-id')]
    """
    pairs = _read_json(body)
    if not isinstance(pairs, list) or not 0 < len(pairs) <= _MAX_SENT:
        raise Refused(400)
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_id, pair))):
            raise Refused(400)
    return [(name.strip(), event_id.strip()) for name, event_id in pairs]


def _read_json(body):
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_read_object, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise Refused(400) from None


def _is_id(text):
    """Tell whether this can be the name or the id of an event."""
    return (
        isinstance(text, str)
        and 0 < len(text.strip()) <= _MAX_ID_LENGTH
        and text.isprintable()
    )


def _read_object(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refuse(constant):
    raise ValueError(constant)
