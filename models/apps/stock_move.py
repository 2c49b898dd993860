from ..common.border import border
from .app_model import AppModel


class StockMove(AppModel):
    """A part of a delivery."""

    _meta_capi_joins = "stock.move"

    def write(self, vals):
        """See whether an order is delivered in full without what is cancelled.

        No quantity that is delivered changes with it; and the whole order may be about
        to be cancelled.
        """
        result = super().write(vals)
        # A field of the app that brings inventory and sales together.
        if vals.get("state") == "cancel" and "sale_line_id" in self._fields:
            if not self.env["meta.capi.config"]._is_enabled():
                return result
            with border(self.env.cr, "What is delivered could not be told of"):
                lines = self.sudo().sale_line_id.order_id.order_line
                begun = lines.filtered("qty_delivered")
                purchase = self.env["meta.capi.purchase"].sudo()
                purchase._run_at_the_end("delivered", begun)
        return result
