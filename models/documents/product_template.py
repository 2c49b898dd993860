from odoo import models

from ..settings import setting


class ProductTemplate(models.Model):
    _inherit = "product.template"

    def _meta_capi_custom_data(self, event_name):
        """Return what the shop tells of this product, at the price it shows."""
        self.ensure_one()
        if self.env["meta.capi.visit"]._website():
            return self._meta_capi_shown_data(self._get_combination_info())
        return self._meta_capi_shown_data(
            {
                "product_id": self.product_variant_id.id,
                "price": self.list_price,
                "currency": self.currency_id,
                **self._meta_capi_list_taxes(),
            }
        )

    def _meta_capi_shown_data(self, combination_info):
        """Return the ``custom_data`` of this product as the shop shows it.

        :param combination_info: what ``_get_combination_info`` returns
        """
        self.ensure_one()
        currency = combination_info.get("currency") or self.currency_id
        product = self.env["product.product"].browse(combination_info.get("product_id"))
        price = self._meta_capi_price(combination_info, currency)
        custom_data = {
            "content_name": combination_info.get("display_name") or self.display_name,
            "currency": currency.name,
            "value": currency.round(price),
        }
        if product:
            content = {
                "id": product.sudo()._meta_capi_content_id(),
                "quantity": 1,
                "item_price": custom_data["value"],
            }
            custom_data.update(
                content_type=self.env["product.product"]._meta_capi_content_type(),
                content_ids=[content["id"]],
                contents=[content],
            )
        return custom_data

    def _meta_capi_price(self, combination_info, currency):
        """Return a price with or without tax, as the settings want the value of an order.

        The shop shows it the one way or the other, as a setting of its own says.
        """
        price, taxes = combination_info["price"], combination_info.get("taxes")
        if not taxes:
            return price
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        if not combination_info.get("is_list_price"):
            website = self.env["website"].get_current_website()
            is_with = website.show_line_subtotals_tax_selection == "tax_included"
            if is_with == with_tax:
                return price
            taxes = taxes.with_context(force_price_include=is_with)
        totals = taxes.compute_all(price, currency, product=self)
        return totals["total_included" if with_tax else "total_excluded"]

    def _meta_capi_list_taxes(self):
        """Return what ``_meta_capi_price`` has to know of a price of the back office."""
        company = self.company_id or self.env.company
        taxes = self.sudo().taxes_id._filter_taxes_by_company(company)
        return {"taxes": taxes, "is_list_price": True}
