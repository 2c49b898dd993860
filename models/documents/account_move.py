from odoo import models
from odoo.tools import hmac

from ..common.standard_events import PURCHASE
from ..settings import setting


class AccountMove(models.Model):
    _inherit = "account.move"

    def _meta_capi_orders(self):
        """Return the orders that this invoice is about."""
        return self.line_ids.sale_line_ids.order_id

    def _meta_capi_subjects(self, event_name):
        """A Purchase is the order's: an order may have several invoices."""
        is_sale = self.is_sale_document() and event_name == PURCHASE
        return (is_sale and self._meta_capi_orders()) or self

    def _meta_capi_event_id(self, event_name):
        """Return the id of the Purchase of an invoice that has no order.

        It needs no place to be kept, and only the server can know it.
        """
        self.ensure_one()
        if event_name == PURCHASE:
            return hmac(self.env(su=True), "meta_capi", (self._name, self.id, PURCHASE))
        return None

    def _meta_capi_bought_at(self):
        moments = self._meta_capi_orders().mapped("date_order")
        return min(moments) if moments else self.create_date

    def _meta_capi_is_paid(self):
        self.ensure_one()
        return self.state == "posted" and self.payment_state in ("in_payment", "paid")

    def _meta_capi_exclusion(self, event_name):
        reason = None
        if event_name == PURCHASE:
            reason = self._meta_capi_payment_exclusion(
                self.amount_total, self.currency_id, self.transaction_ids
            )
        return reason or super()._meta_capi_exclusion(event_name)

    def _meta_capi_browser_data(self):
        """Return what was kept of the browser that made the invoice, or its order."""
        documents = (self, *self._meta_capi_orders())
        kept = (
            self.env["meta.capi.browser"]._snapshot_of(document)
            for document in documents
        )
        return next(filter(None, kept), {})

    def _meta_capi_custom_data(self, event_name):
        self.ensure_one()
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        value = self.amount_total if with_tax else self.amount_untaxed
        return {
            **self._meta_capi_products_data(
                value, self.currency_id, self._meta_capi_items(with_tax), event_name
            ),
            "order_id": self.name,
        }

    def _meta_capi_margin(self):
        """Return the margin where the orders' lines tell what each line has cost."""
        self.ensure_one()
        margin = 0
        for line in self.invoice_line_ids:
            if line.display_type != "product":
                continue
            sold = line.sale_line_ids
            # Of an advance nobody knows what it is for.
            if len(sold) != 1 or "margin" not in sold._fields or sold.is_downpayment:
                return None
            if not sold.order_id._meta_capi_is_shipping(sold):
                cost = sold.currency_id._convert(
                    sold.purchase_price * line.quantity,
                    self.currency_id,
                    self.company_id,
                    self.invoice_date or self.date,
                )
                margin += line.price_subtotal - cost
        return margin

    def _meta_capi_items(self, with_tax):
        """Return what was sold: of each line the product, the quantity, the amount."""
        lines = self.invoice_line_ids.filtered(
            lambda line: (
                line.display_type == "product"
                and line.product_id
                and line.quantity > 0
                and line.price_total >= 0
            )
        )
        amount = "price_total" if with_tax else "price_subtotal"
        return [(line.product_id, line.quantity, line[amount]) for line in lines]
