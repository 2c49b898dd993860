from odoo import models


class ProductTemplate(models.Model):
    _inherit = "product.template"

    def _meta_capi_custom_data(self, event_name):
        """Return what the shop tells of this product, at the price it shows."""
        self.ensure_one()
        if self.env["meta.capi.browser"]._website():
            return self._meta_capi_shown_data(self._get_combination_info())
        return self._meta_capi_shown_data(
            {
                "product_id": self.product_variant_id.id,
                "price": self.list_price,
                "currency": self.currency_id,
            }
        )

    def _meta_capi_shown_data(self, combination_info):
        """Return the ``custom_data`` of this product as the shop shows it.

        :param combination_info: what ``_get_combination_info`` returns
        """
        self.ensure_one()
        currency = combination_info.get("currency") or self.currency_id
        product = self.env["product.product"].browse(combination_info.get("product_id"))
        custom_data = {
            "content_name": combination_info.get("display_name") or self.display_name,
            "currency": currency.name,
            "value": currency.round(combination_info["price"]),
        }
        if product:
            content = {
                "id": product.sudo()._meta_capi_content_id(),
                "quantity": 1,
                "item_price": custom_data["value"],
            }
            custom_data.update(
                content_type=self.env["meta.capi.config"]._content_type(),
                content_ids=[content["id"]],
                contents=[content],
            )
        return custom_data
