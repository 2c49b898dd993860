import hashlib
import json
import time
from functools import lru_cache
from pathlib import Path

import psycopg2

from odoo import api, models
from odoo.tools import file_path

from ...capi.const import DAY
from ..common.border import log_error
from ..common.standard_events import PURCHASE, SALES
from ..settings import setting

SCRIPT = "ih_meta_conversions_api/static/src/js/meta_capi.js"


class MetaCapiPage(models.AbstractModel):
    """What a page of the shop tells the script, by attributes of its elements."""

    _name = "meta.capi.page"
    _description = "Meta Conversions API: what a page tells the script"

    @api.model
    def _script(self):
        """Return the attributes of the script's tag; none where it is left out."""
        bridge = self.env["meta.capi.bridge"]
        visit = self.env["meta.capi.visit"]
        website = visit._website()
        if not (website and bridge._is_active(website) and visit._is_customer()):
            return {}
        config = self.env["meta.capi.config"]
        mode, limits = bridge._mode_and_limits()
        consent = config._get(setting.CONSENT_SOURCE, website)
        # Calls of a Pixel, or of a consent tool, can follow the tag at once, and must not
        # come before the script. Where there are none, the page does not wait for it.
        is_called = mode != "server" or consent == "external"
        return {
            "src": f"/{SCRIPT}?v={_script_version()}",
            "async": None if is_called else "async",
            "data-pixel": config._pixel_id(website),
            "data-mode": mode,
            "data-events": ",".join(config._get(setting.BRIDGE_EVENTS, website)),
            "data-consent": consent,
            "data-bar": "1" if website.cookies_bar else None,
            "data-ldu": limits,
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
    def _page_of_cart(self, event_name):
        """Return what the script is to know of a page of the checkout."""
        bridge = self.env["meta.capi.bridge"]
        # The server records it with the payment; only the Pixel's copy is left.
        if event_name == "AddPaymentInfo" and bridge._mode() != "load":
            return {}
        return self._page_of_order(event_name, bridge._cart)

    @api.model
    def _page_of_purchase(self):
        """Return what the script is to know of the confirmation's page.

        Its Purchase is for the script to make if we load the Pixel and the server has
        its own on record: what is not to be told of, or not yet, is told of by neither.
        """
        bridge = self.env["meta.capi.bridge"]
        website = self.env["meta.capi.visit"]._website()
        if not (website and bridge._is_active(website)) or bridge._mode() == "server":
            return {}
        try:
            # For a script that cannot ask.
            known = bridge._hand_out_purchase()
            if not known or known["repeat"]:
                return {}
            order = bridge._placed_order()
            attributes = {
                "data-meta-capi-order": known["event_id"],
                # A browser may show the page again much later.
                "data-meta-capi-until": int((time.time() + DAY) * 1000),
            }
            if bridge._mode() == "load" and order._meta_capi_purchase_counts():
                attributes.update(self._page_of_order(PURCHASE, lambda: order))
            return attributes
        except psycopg2.Error:
            raise
        except Exception as error:
            # The border: no page of the shop breaks because of us.
            log_error("The confirmation could not be told of its order", error)
            return {}

    def _page_of_order(self, event_name, find_order):
        def custom_data():
            order = find_order()
            if not order:
                return None
            # What a shop earns is not for the customer to know.
            if event_name in SALES and order._meta_capi_value_is_margin():
                return None
            data = order._meta_capi_custom_data(event_name)
            return {key: data[key] for key in data if key != "net_revenue"}

        attributes = self._page(event_name, custom_data)
        if attributes and event_name != PURCHASE:
            # That of a Purchase is handed out to the script when it asks.
            event_id = find_order()._meta_capi_event_id(event_name)
            attributes["data-meta-capi-id"] = event_id
        return attributes

    def _page(self, event_name, make_custom_data):
        """Return the attributes of the element that tells the script of an event."""
        website = self.env["meta.capi.visit"]._website()
        if not (website and self.env["meta.capi.bridge"]._makes(event_name, website)):
            return {}
        try:
            custom_data = make_custom_data()
        except psycopg2.Error:
            raise
        except Exception as error:
            # The border: no page of the shop breaks because of us.
            log_error(f"A page could not be told of its {event_name}", error)
            return {}
        if custom_data is None:
            return {}
        return {
            "data-meta-capi-event": event_name,
            "data-meta-capi-data": json.dumps(custom_data),
        }


@lru_cache(maxsize=1)
def _script_version():
    """Return what changes with the script, so that browsers can keep it for long."""
    script = Path(file_path(SCRIPT)).read_bytes()
    return hashlib.sha256(script).hexdigest()[:8]
