from odoo import api, models


class PaymentTransaction(models.Model):
    _inherit = "payment.transaction"

    @api.model_create_multi
    def create(self, vals_list):
        """Keep the traces of the browser that pays: often the customer's last request."""
        transactions = super().create(vals_list)
        orders = transactions.sale_order_ids.filtered("website_id")
        orders._meta_capi_keep_browser_data()
        return transactions
