import hashlib
import json
import logging
import uuid
from functools import lru_cache
from pathlib import Path

import psycopg2

from odoo import api, models
from odoo.http import request
from odoo.tools import SQL

from ..capi.custom_data import read_custom_data
from ..capi.reading import Problems, phone_like_count
from ..capi.url import is_same_host, tellable_url
from .border import border
from .sale_order import ONCE_PER_ORDER, PURCHASE
from .standard_events import CHECKOUT, EVENT_BY_CREATION

_logger = logging.getLogger("meta.conversions.api")

SCRIPT = "ih_meta_conversions_api/static/src/js/meta_capi.js"
# https://developers.facebook.com/docs/meta-pixel/reference, "Object Properties". What a
# browser may tell of an event; everything else stays out.
PROPERTIES = (
    *("content_category", "content_name", "content_type", "currency", "order_id"),
    *("delivery_category", "num_items", "predicted_ltv", "search_string", "status"),
    "value",
)
CONTENT_PROPERTIES = ("id", "quantity", "item_price", "delivery_category")
_MAX_PHONES = 8
# The states in which a transaction has placed its order.
_PLACED = ("pending", "authorized", "done")


class MetaCapiBridge(models.AbstractModel):
    """Events that begin in the visitor's browser, on the pages of the shop.

    A script, ``static/src/js/meta_capi.js``, tells the server of each call of the Meta
    Pixel; or it, and the hooks of our models, make the funnel's events, where the
    settings say that we do. What it says is believed as far as it can do no harm:
    never who the visitor is, what an order is worth, or that one was placed.
    """

    _name = "meta.capi.bridge"
    _description = "Meta Conversions API: events of the browser"

    @api.model
    def _is_active(self, website):
        config = self.env["meta.capi.config"]
        return bool(
            config._is_enabled()
            and config._is_bridge_enabled(website)
            and config._pixel_id(website)
        )

    @api.model
    def _makes(self, event_name, website):
        """Tell whether it is us who make this event of the funnel, not the page."""
        config = self.env["meta.capi.config"]
        return (
            config._pixel_mode(website) != "page"
            and event_name in config._bridge_events(website)
            and self._is_active(website)
        )

    # ------------------------------------------------------------------- to the pages

    @api.model
    def _script(self):
        """Return the attributes of the script's tag; none where it is left out."""
        website = self.env["meta.capi.browser"]._website()
        if not (website and self._is_active(website)):
            return {}
        if request.env.user._is_internal():
            return {}
        config = self.env["meta.capi.config"]
        return {
            "src": f"/{SCRIPT}?v={_script_version()}",
            "data-pixel": config._pixel_id(website),
            "data-mode": config._pixel_mode(website),
            "data-events": ",".join(config._bridge_events(website)),
            "data-consent": "ask" if website.cookies_bar else None,
            "data-collect": "/meta_capi/collect",
            "data-order": "/meta_capi/order",
        }

    @api.model
    def _page_of_product(self, product, combination_info):
        """Return what the script is to know of a product's page.

        The page may be cached, so nothing here depends on the visitor.
        """
        return self._page(
            "ViewContent", lambda: product._meta_capi_shown_data(combination_info)
        )

    @api.model
    def _loads_pixel(self):
        """Tell whether it is us who load the Pixel on the website that is visited."""
        website = self.env["meta.capi.browser"]._website()
        return self.env["meta.capi.config"]._pixel_mode(website) == "load"

    @api.model
    def _page_of_cart(self, event_name):
        """Return what the script is to know of a page of the checkout."""
        if event_name == "AddPaymentInfo":
            # The server records it with the payment; only the Pixel's copy is left.
            if not self._loads_pixel():
                return {}
        return self._page_of_order(event_name, self._cart)

    @api.model
    def _page_of_purchase(self):
        """Return what the script is to know of the confirmation's page."""
        if not self._loads_pixel():
            return {}
        return self._page_of_order(PURCHASE, self._placed_order)

    def _page_of_order(self, event_name, find_order):
        def custom_data():
            order = find_order()
            return order._meta_capi_custom_data(event_name) if order else None

        attributes = self._page(event_name, custom_data)
        if attributes and event_name != PURCHASE:
            # That of a Purchase is handed out to the script when it asks.
            event_id = find_order()._meta_capi_event_id(event_name)
            attributes["data-meta-capi-id"] = event_id
        return attributes

    def _page(self, event_name, make_custom_data):
        """Return the attributes of the element that tells the script of an event."""
        website = self.env["meta.capi.browser"]._website()
        if not (website and self._makes(event_name, website)):
            return {}
        try:
            custom_data = make_custom_data()
        except psycopg2.Error:
            raise
        except Exception:
            # The border: no page of the shop breaks because of us.
            _logger.exception("A page could not be told of its %s", event_name)
            return {}
        if custom_data is None:
            return {}
        return {
            "data-meta-capi-event": event_name,
            "data-meta-capi-data": json.dumps(custom_data),
        }

    # ----------------------------------------------------------------- from the pages

    @api.model
    def _collect(self, payload):
        """Record what a browser tells of an event; see the controller for its form."""
        website = request.website
        config = self.env["meta.capi.config"]
        name, event_id = payload["event_name"], payload["event_id"]
        if (
            not self._is_active(website)
            or name == PURCHASE
            or name not in config._bridge_events(website)
            or not self.env["meta.capi.browser"]._is_customer()
        ):
            return
        cart = self._cart() if name in ONCE_PER_ORDER else None
        if self._is_taken(name, event_id, cart):
            return
        url = _read_url(payload.get("event_source_url"))
        self.env["meta.conversions.api"]._record_from_browser(
            {
                "event_name": name,
                "event_id": event_id,
                "event_source_url": self._own_url(url),
                "referrer_url": _read_url(payload.get("referrer_url")),
                # What the cart is worth is ours to tell.
                "custom_data": None
                if cart
                else _read_custom_data(payload.get("custom_data", {})),
                "origin": cart,
                "website": website,
                "browser_twin": config._pixel_mode(website) != "server",
            }
        )

    def _is_taken(self, event_name, event_id, cart):
        """Tell whether this id is not for the visitor's browser to give to an event."""
        if event_name in ONCE_PER_ORDER and _is_derived(event_id):
            if not cart or event_id != cart._meta_capi_event_id(event_name):
                return True
        # That of somebody's Purchase, or of an event that is on record.
        self.env.cr.execute(
            SQL(
                "SELECT WHERE EXISTS"
                " (SELECT FROM sale_order WHERE meta_capi_event_id = %s)"
                " OR EXISTS (SELECT FROM meta_capi_event"
                "  WHERE pixel_id = %s AND event_name = %s AND event_id = %s)",
                event_id,
                self.env["meta.capi.config"]._pixel_id(request.website),
                event_name,
                event_id,
            )
        )
        return bool(self.env.cr.rowcount)

    def _own_url(self, url):
        """Return the page of this host that the event is from."""
        httprequest = request.httprequest
        candidates = (url, _read_url(httprequest.referrer), httprequest.url_root)
        own = (url for url in candidates if is_same_host(url, httprequest.host))
        return next(own, None)

    @api.model
    def _hand_out_purchase(self):
        """Return the id of the visitor's own Purchase for the Pixel, or None."""
        if (
            not self._is_active(request.website)
            or not self.env["meta.capi.browser"]._is_customer()
        ):
            return None
        order = self._placed_order()
        return order._meta_capi_hand_out_purchase() if order else None

    @api.model
    def _cart(self):
        """Return the cart of the visitor's session, read and not touched; maybe none."""
        order = self._order_of_session("sale_order_id")
        return order if order.state in ("draft", "sent") else order.browse()

    @api.model
    def _placed_order(self):
        """Return the order that the visitor's session has placed last; maybe none.

        The session names it from the checkout on, when nothing is placed yet.
        """
        order = self._order_of_session("sale_last_order_id")
        is_placed = order.state in ("sent", "sale", "done") or any(
            transaction.state in _PLACED for transaction in order.transaction_ids
        )
        return order if is_placed and order.state != "cancel" else order.browse()

    def _order_of_session(self, key):
        order_id = request.session.get(key)
        orders = self.env["sale.order"].sudo()
        if not isinstance(order_id, int):
            return orders
        order = orders.browse(order_id).exists()
        return order.filtered(lambda order: order.website_id == request.website)

    # ------------------------------------------------------------- from our own models

    @api.model
    def _tells(self, event_name):
        """Tell whether it is us who make this event of the visitor at hand.

        Not of an employee or a robot.
        """
        browser = self.env["meta.capi.browser"]
        website = browser._website()
        return bool(
            website and self._makes(event_name, website) and browser._is_customer()
        )

    @api.model
    def _record_creation(self, records):
        """Record what a visitor has made, in an app that is not depended on."""
        event_name = EVENT_BY_CREATION[records._name]
        if not self._tells(event_name):
            return
        with border(self.env.cr, f"{event_name} could not be told of"):
            for record in records:
                if event_name == "AddToWishlist":
                    custom_data = record.product_id._meta_capi_custom_data(event_name)
                    self._record_by_hook(event_name, record, custom_data)
                else:
                    self._record_by_hook(
                        event_name, record.contact_id, {"status": True}
                    )

    @api.model
    def _begin_express_checkout(self):
        """Record a checkout that is nothing but a wallet's window, on no page of its own."""
        cart = self._cart()
        if cart:
            self._record_by_hook(CHECKOUT, cart)

    @api.model
    def _record_by_hook(self, event_name, origin, custom_data=None, **arguments):
        """Record an event that a visitor of the shop makes, where it is us who make it.

        Without consent, and of an employee or a robot, nothing is recorded.

        :param custom_data: where it is not for ``origin`` to tell
        """
        if not self._tells(event_name):
            return
        with border(self.env.cr, f"{event_name} could not be told of by {origin}"):
            self.env["meta.conversions.api"]._record_from_browser(
                {
                    "event_name": event_name,
                    "origin": origin,
                    "custom_data": custom_data,
                    "website": self.env["meta.capi.browser"]._website(),
                    "browser_twin": False,
                    **arguments,
                }
            )


@lru_cache(maxsize=1)
def _script_version():
    """Return what changes with the script, so that browsers can keep it for long."""
    path = Path(__file__).parent.parent / "static/src/js/meta_capi.js"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def _is_derived(event_id):
    """Tell whether an id is of the kind that is made of an order's."""
    try:
        return uuid.UUID(event_id).version == 5
    except ValueError:
        return False


def _read_url(url):
    """Return a URL as it can be stored and told, or None."""
    if not isinstance(url, str) or not url.isprintable():
        return None
    return tellable_url(url.partition("#")[0])


def _read_custom_data(data):
    """Return of a browser's ``custom_data`` what Meta has a use for.

    What is of no use is left out: nobody could correct it.
    """
    contents, content_ids = data.get("contents"), data.get("content_ids")
    kept = _pick(data, PROPERTIES)
    if isinstance(contents, list):
        items = [_pick(item, CONTENT_PROPERTIES) for item in contents]
        kept["contents"] = [item for item in items if "id" in item]
    if isinstance(content_ids, list):
        kept["content_ids"] = list(filter(_is_scalar, content_ids))
    if _is_crowded(kept):
        return None
    custom_data = read_custom_data("custom_data", kept, Problems()) or {}
    if "currency" not in custom_data:
        custom_data.pop("value", None)
    return custom_data or None


def _is_crowded(custom_data):
    """Tell whether there are more phone numbers in it, or what looks like one, than to
    look up for a stranger."""
    text = json.dumps(custom_data, ensure_ascii=False)
    return phone_like_count(text, _MAX_PHONES) == _MAX_PHONES


def _pick(data, keys):
    """Return those of ``keys`` that have a plain value."""
    if not isinstance(data, dict):
        return {}
    return {key: data[key] for key in keys if _is_scalar(data.get(key))}


def _is_scalar(value):
    return isinstance(value, (str, int, float))
