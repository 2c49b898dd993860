from odoo import api, models

from ..common.standard_events import PURCHASE


class PaymentTransaction(models.Model):
    _inherit = "payment.transaction"

    @api.model_create_multi
    def create(self, vals_list):
        """Keep the traces of the browser that pays: often the customer's last request."""
        transactions = super().create(vals_list)
        orders = transactions.sale_order_ids.filtered("website_id")
        self.env["meta.capi.visit"]._keep(orders)
        for order in orders.sudo():
            self.env["meta.capi.bridge"]._record_by_hook("AddPaymentInfo", order)
        return transactions

    def _meta_capi_subjects(self, event_name):
        """A Purchase is the order's: an order may be paid by several transactions."""
        return (event_name == PURCHASE and self.sale_order_ids) or self

    def _meta_capi_bought_at(self):
        moments = self.sale_order_ids.mapped("date_order")
        return min(moments) if moments else self.create_date

    def _meta_capi_is_paid(self):
        self.ensure_one()
        return self.state in ("authorized", "done")

    def _meta_capi_exclusion(self, event_name):
        reason = None
        if event_name == PURCHASE:
            reason = self._meta_capi_payment_exclusion(
                self.amount, self.currency_id, self
            )
        return reason or super()._meta_capi_exclusion(event_name)

    def _meta_capi_browser_data(self):
        """Return what was kept of the browser that made the order that is paid for."""
        kept = map(self.env["meta.capi.browser"]._snapshot_of, self.sale_order_ids)
        return next(filter(None, kept), {})

    def _meta_capi_website(self):
        return self.sale_order_ids.website_id[:1]

    def _meta_capi_custom_data(self, event_name):
        self.ensure_one()
        return {
            "currency": self.currency_id.name,
            "value": self.amount,
            "order_id": self.reference,
        }
