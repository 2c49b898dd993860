from odoo import api, models

from ..settings import setting


class ProductProduct(models.Model):
    _inherit = "product.product"

    def _meta_capi_content_id(self):
        """Return the id by which the shop's catalogue at Meta knows this product.

        A product without the reference or barcode that the settings ask for is told by
        its database id: it stays in the event, though the catalogue cannot match it.
        """
        self.ensure_one()
        field = self._meta_capi_catalogue_field()
        if field == "product_id":
            return str(self.id)
        if field == "product_tmpl_id":
            return str(self.product_tmpl_id.id)
        return self[field] or str(self.id)

    @api.model
    def _meta_capi_catalogue_field(self):
        """Return what the settings take as a product's id.

        The feed's ``g:id`` is the reference, or the database id of what has none: see
        ``_prepare_gmc_items`` of ``product.feed``. Where Odoo has no such feed, before
        19.0, the default counts.
        """
        field = self.env["meta.capi.config"]._get(setting.CONTENT_ID)
        if field != "product_feed":
            return field
        has_feed = "product.feed" in self.env
        return "default_code" if has_feed else setting.CONTENT_ID.default

    @api.model
    def _meta_capi_content_type(self):
        """Return what the catalogue's ids are the ids of, in Meta's words."""
        field = self._meta_capi_catalogue_field()
        return "product_group" if field == "product_tmpl_id" else "product"

    def _meta_capi_custom_data(self, event_name):
        """Return what the shop tells of this variant, at the price it shows."""
        self.ensure_one()
        template = self.product_tmpl_id
        if self.env["meta.capi.visit"]._website():
            return template._meta_capi_shown_data(self._get_combination_info_variant())
        return template._meta_capi_shown_data(
            {
                "product_id": self.id,
                "display_name": self.display_name,
                "price": self.lst_price,
                "currency": self.currency_id,
                **template._meta_capi_list_taxes(),
            }
        )
