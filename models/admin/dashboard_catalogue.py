from odoo import _

from ..settings import setting
from .dashboard_words import DashboardWords

# Events that are looked at.
_EVENTS = 200
_MAX_ID = 2**31


class DashboardCatalogue(DashboardWords):
    """Whether the catalogue at Meta can know the products that events are about."""

    def advice(self, facts):
        """Return what to do about products that the catalogue does not have.

        Each with its text, and a button and its action for those who may press it.
        """
        counts = dict(facts.counts.content_ids(_EVENTS))
        if not counts:
            return []
        feeds = self._feeds(facts)
        missing = counts.keys() - self._known(counts, feeds)
        if not missing:
            return []
        total = sum(counts.values())
        known = total - sum(counts[content_id] for content_id in missing)
        share = self.percent_text(self.percent(known, total))
        if feeds:
            text = _(
                "%(share)s of the product IDs in the last %(count)s events are in the"
                " product feed. Meta cannot advertise the others.",
                share=share,
                count=self.number(_EVENTS),
            )
        else:
            text = _(
                "%(share)s of the product IDs in the last %(count)s events are those of a"
                " product. Meta cannot advertise the others.",
                share=share,
                count=self.number(_EVENTS),
            )
        return [{"text": text, "place": "catalogue", **self._cure(missing, feeds)}]

    def _feeds(self, facts):
        """Return the product feeds of the websites, where Odoo has any, as superuser."""
        if "product.feed" not in self.env:
            return ()
        feeds = self.env["product.feed"].sudo()
        return feeds.search([("website_id", "in", facts.websites.ids)])

    def _known(self, content_ids, feeds):
        """Return those of the ids that are in a feed; without one, those of products."""
        products = self.env["product.product"].sudo()
        if not feeds:
            products = self._candidates(
                content_ids, products._meta_capi_catalogue_field()
            )
            return {product._meta_capi_content_id() for product in products}
        for feed in feeds:
            products |= self._candidates(
                content_ids, "default_code", list(feed._get_feed_product_domain())
            )
        # The feed's g:id, see ``_meta_capi_catalogue_field``.
        return {product.default_code or str(product.id) for product in products}

    def _candidates(self, content_ids, field, domain=()):
        """Return the products that one of these ids may be that of."""
        numbers = [
            int(content_id)
            for content_id in content_ids
            if content_id.isascii() and content_id.isdigit()
        ]
        numbers = [number for number in numbers if number < _MAX_ID]
        field = "id" if field == "product_id" else field
        values = numbers if field in ("id", "product_tmpl_id") else list(content_ids)
        return (
            self.env["product.product"]
            .sudo()
            .search([*domain, "|", ("id", "in", numbers), (field, "in", values)])
        )

    def _cure(self, missing, feeds):
        """Return the button that leads to the settings, or to what no feed has."""
        chosen = self.env["meta.capi.config"]._get(setting.CONTENT_ID)
        if not feeds or chosen != "product_feed":
            button = self.settings_button()
            return {
                "button": button and button["text"],
                "action": button and button["action"],
            }
        products = self._candidates(missing, "default_code")
        return {
            "button": _("Show the products"),
            "action": {
                "type": "ir.actions.act_window",
                "name": _("Products That Are in No Feed"),
                "res_model": "product.product",
                "views": [[False, "list"], [False, "form"]],
                "domain": [["id", "in", products.ids]],
            },
        }
