from odoo import models
from odoo.tools import float_compare

from ..common.standard_events import PURCHASE


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def _meta_capi_subjects(self, event_name):
        """A Purchase is the order's, and a line sets it off once all is delivered.

        A line is no sale by itself: its product may come with others, or not at all.
        """
        if event_name != PURCHASE:
            return self
        return self.order_id.filtered(lambda order: order._meta_capi_is_delivered())

    def _meta_capi_awaits_delivery(self):
        """Tell whether some of this line is still to be delivered.

        Not where the rest of it was cancelled, or will never come; but where some of it
        came back.
        """
        self.ensure_one()
        _total, digits = self._fields["product_uom_qty"].get_digits(self.env)
        missing = float_compare(
            self.product_uom_qty, self.qty_delivered, precision_digits=digits
        )
        if missing <= 0:
            return False
        moves = self._meta_capi_moves()
        return not moves or any(
            move.state not in ("done", "cancel")
            or (move.state == "done" and move.location_id.usage == "customer")
            for move in moves
        )

    def _meta_capi_deliveries(self):
        """Return the stock moves by which goods of these lines came to the customer."""
        return self._meta_capi_moves().filtered(
            lambda move: (
                move.state == "done" and move.location_dest_id.usage == "customer"
            )
        )

    def _meta_capi_moves(self):
        """Return the stock moves of these lines; nothing without the inventory app."""
        return self.move_ids if "move_ids" in self._fields else self.browse()
