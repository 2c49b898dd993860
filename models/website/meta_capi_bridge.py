import psycopg2

from odoo import api, models
from odoo.http import request
from odoo.tools import SQL

from ...capi.beacon import (
    is_derived,
    read_limits,
    read_page_data,
    read_url,
    to_header,
)
from ...capi.privacy import limited_data_use
from ...capi.url import is_same_host
from ..common.border import border, log_error
from ..common.standard_events import (
    CHECKOUT,
    EVENT_BY_CREATION,
    ONCE_PER_ORDER,
    PURCHASE,
)
from ..outbox.event_table import EventTable
from ..settings import setting

# The states in which a transaction has placed its order.
_PLACED = ("pending", "authorized", "done")
# What the server has made of a page's request is told to the page with the answer, in
# the header Server-Timing, which scripts can read; what a redirection answers, with the
# page it leads to, by way of the session. No request is made for it, nothing is stored
# in the browser.
_HEADER = "Server-Timing"
_MADE = "meta_capi.made"
# Redirections may follow one another.
_MAX_MADE = 20


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
            and config._get(setting.BRIDGE_ENABLED, website)
            and config._pixel_id(website)
        )

    @api.model
    def _makes(self, event_name, website):
        """Tell whether it is us who make this event of the funnel, not the page."""
        config = self.env["meta.capi.config"]
        return (
            config._get(setting.PIXEL_MODE, website) != "page"
            and event_name in config._get(setting.BRIDGE_EVENTS, website)
            and self._is_active(website)
        )

    @api.model
    def _mode(self):
        """Return the mode for this visitor: nobody is told of by our Pixel of whom the
        server does not tell. The log says so of the server's copy.
        """
        return self._mode_and_limits()[0]

    def _mode_and_limits(self):
        """Return the mode, and country and state of the Pixel's Limited Data Use.

        The latter are like the server's, or None; everybody without an account is taken
        to have a public address, since pages are cached.
        """
        config = self.env["meta.capi.config"]
        mode = config._get(setting.PIXEL_MODE, self.env["meta.capi.visit"]._website())
        if mode != "load":
            return mode, None
        partner = self.env["meta.capi.visit"]._visitor()
        try:
            known = {}
            if partner:
                if partner._meta_capi_objects():
                    return "server", None
                if partner._meta_capi_exclusion("PageView"):
                    return "server", None
                known = partner._meta_capi_user_data()
            limits = limited_data_use(
                config._get(setting.LIMITED_DATA_USE),
                known.get("country") or None,
                known.get("st") or None,
                has_address=True,
            )
        except psycopg2.Error:
            raise
        except Exception as error:
            # The border: no page of the shop breaks because of us.
            log_error("The Pixel could not be told of its limits", error)
            return "server", None
        return mode, limits and "{1},{2}".format(*limits)

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
            or name not in config._get(setting.BRIDGE_EVENTS, website)
            or not self.env["meta.capi.visit"]._is_customer()
        ):
            return
        pages = payload.get("event_source_url"), payload.get("referrer_url")
        self.env["meta.capi.visit"]._note_pages(*pages)
        cart = self._cart() if name in ONCE_PER_ORDER else None
        if self._is_taken(name, event_id, cart):
            return
        url = read_url(payload.get("event_source_url"))
        self.env["meta.conversions.api"]._record_from_browser(
            {
                "event_name": name,
                "event_id": event_id,
                "event_source_url": self._own_url(url),
                "referrer_url": read_url(payload.get("referrer_url")),
                # What the cart is worth is ours to tell.
                "custom_data": None
                if cart
                else read_page_data(payload.get("custom_data", {})),
                "origin": cart,
            },
            page_limits=read_limits(payload),
        )

    def _is_taken(self, event_name, event_id, cart):
        """Tell whether this id is not for the visitor's browser to give to an event."""
        if event_name in ONCE_PER_ORDER and is_derived(event_id):
            if not cart or event_id != cart._meta_capi_event_id(event_name):
                return True
        # That of somebody's Purchase, or of an event that is on record.
        self.env.cr.execute(
            SQL(
                "SELECT FROM sale_order WHERE meta_capi_event_id = %s"
                " UNION ALL SELECT FROM meta_capi_event"
                "  WHERE pixel_id = %s AND event_name = %s AND event_id = %s",
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
        candidates = (url, read_url(httprequest.referrer), httprequest.url_root)
        own = (url for url in candidates if is_same_host(url, httprequest.host))
        return next(own, None)

    @api.model
    def _hand_out_purchase(self):
        """Return the id of the visitor's own Purchase for the Pixel, or None."""
        if (
            not self._is_active(request.website)
            or not self.env["meta.capi.visit"]._is_customer()
        ):
            return None
        order = self._placed_order()
        return order._meta_capi_hand_out_purchase() if order else None

    @api.model
    def _note_sent(self, sent):
        """Note that the browser's Pixel has sent these events of the visitor's.

        :param sent: pairs of a name and an id
        """
        website = request.website
        if (
            not self._is_active(website)
            or not self.env["meta.capi.visit"]._is_customer()
        ):
            return
        if any(name == PURCHASE for name, _event_id in sent):
            order = self._placed_order()
            if (PURCHASE, order.meta_capi_event_id) in sent:
                self.env["meta.capi.browser"]._note_purchase_sent(order)
        twins = [pair for pair in sent if pair[0] != PURCHASE]
        if twins:
            pixel_id = self.env["meta.capi.config"]._pixel_id(website)
            EventTable(self.env).note_twins(pixel_id, twins)

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
        visit = self.env["meta.capi.visit"]
        website = visit._website()
        return bool(
            website and self._makes(event_name, website) and visit._is_customer()
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
        with border(self.env.cr, f"{CHECKOUT} could not be told of"):
            cart = self._cart()
            if cart:
                self._record_by_hook(CHECKOUT, cart)

    @api.model
    def _record_by_hook(self, event_name, origin, custom_data=None, **arguments):
        """Record an event that a visitor of the shop makes, where it is us who make it.

        Without consent, and of an employee or a robot, nothing is recorded. The page
        learns of it by the answer to its request: for the Pixel that we load, or,
        where the visitor has not answered yet, to tell of it once there is a yes.

        :param custom_data: where it is not for ``origin`` to tell
        """
        if not self._tells(event_name):
            return
        with border(self.env.cr, f"{event_name} could not be told of by {origin}"):
            event = self.env["meta.conversions.api"]._record_from_browser(
                {
                    "event_name": event_name,
                    "origin": origin,
                    "custom_data": custom_data,
                    "website": self.env["meta.capi.visit"]._website(),
                    **arguments,
                }
            )
            # That of the payment is made of the click that leads to it.
            if event_name not in ONCE_PER_ORDER:
                self._note_made(event_name, event, custom_data)

    def _note_made(self, event_name, event, custom_data):
        """Keep for the page what was made of its request, or could not be made yet."""
        event = event.sudo()  # the visitor's own
        if event.state == "pending" and self._mode() == "load":
            made = {"name": event_name, "id": event.event_id, "data": event.custom_data}
        elif (
            not event
            and self.env["meta.capi.visit"]._snapshot().get("consent", 0) is None
        ):
            made = {"name": event_name, "data": custom_data}
        else:
            return
        all_made = request.httprequest.environ.setdefault(_MADE, [])
        # Odoo may run a request twice: of the first time no row is left.
        if (event.id, made) not in all_made:
            all_made.append((event.id, made))

    @api.model
    def _hand_over(self, response):
        """Tell the page by ``response`` what was made of its request."""
        made = request.httprequest.environ.get(_MADE, [])
        visit = self.env["meta.capi.visit"]
        is_page = response.mimetype == "text/html" and not visit._is_prefetch()
        before = request.session.get(_MADE, [])
        if not made and not (before and is_page):
            return
        rows = self.env["meta.capi.event"].sudo()
        with border(
            self.env.cr, "A page could not be told what was made of its request"
        ):
            there = (
                rows.browse(row_id for row_id, _event in made if row_id).exists().ids
            )
            if 300 <= response.status_code < 400:
                # Nothing is kept of a visitor who has not answered.
                kept = [event for row_id, event in made if row_id in there]
                if kept:
                    request.session[_MADE] = [*before, *kept][-_MAX_MADE:]
                return
            told = [event for row_id, event in made if not row_id or row_id in there]
            if before and is_page:
                request.session.pop(_MADE)
                if visit._snapshot().get("consent"):
                    told = [*before, *told]
            if told:
                request.future_response.headers.add(_HEADER, to_header(told))
