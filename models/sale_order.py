import uuid

from odoo import _, api, fields, models
from odoo.tools import SQL
from odoo.tools.sql import column_exists

PURCHASE = "Purchase"


class SaleOrder(models.Model):
    _inherit = "sale.order"

    meta_capi_event_id = fields.Char(
        "Meta Event ID",
        readonly=True,
        copy=False,
        default=lambda self: str(uuid.uuid4()),
        help="The ID of this order's Purchase. The browser may learn it and use it too,"
        " so that Meta counts the order once.",
    )
    meta_capi_purchase_recorded_at = fields.Datetime(
        "Meta Purchase Recorded",
        readonly=True,
        copy=False,
        help="The order's Purchase is recorded once, whatever happens to its log entry.",
    )
    meta_capi_browser_data = fields.Json(
        "Browser Data for Meta",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="What the customer's browser showed when the order was made.",
    )
    meta_capi_event_count = fields.Integer(compute="_compute_meta_capi_event_count")

    def _auto_init(self):
        """Give the orders that exist an id each; a default would give all the same."""
        if not column_exists(self.env.cr, "sale_order", "meta_capi_event_id"):
            self.env.cr.execute(
                "ALTER TABLE sale_order ADD COLUMN meta_capi_event_id varchar"
            )
            self.env.cr.execute(
                "UPDATE sale_order SET meta_capi_event_id = gen_random_uuid()::text"
            )
        return super()._auto_init()

    @api.model_create_multi
    def create(self, vals_list):
        # The shop makes its orders as superuser, on behalf of a visitor.
        browser_data = self.env.su and self.env["meta.conversions.api"]._browser_data()
        if browser_data:
            vals_list = [
                {"meta_capi_browser_data": browser_data, **vals} for vals in vals_list
            ]
        return super().create(vals_list)

    def _compute_meta_capi_event_count(self):
        counts = dict(
            self.env["meta.capi.event"]
            .sudo()
            ._read_group(
                [("res_model", "=", self._name), ("res_id", "in", self.ids)],
                ["res_id"],
                ["__count"],
            )
        )
        for order in self:
            order.meta_capi_event_count = counts.get(order.id, 0)

    def action_view_meta_capi_events(self):
        """Open the events sent to Meta about this order."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Meta Events"),
            "res_model": "meta.capi.event",
            "view_mode": "list,form",
            "domain": [("res_model", "=", self._name), ("res_id", "=", self.id)],
        }

    def _meta_capi_keep_browser_data(self):
        """Keep what the customer's request tells, for when the order is confirmed.

        That may be hours later, by a payment provider's message or an employee.
        """
        for order in self.sudo():
            browser_data = self.env["meta.conversions.api"]._browser_data(
                order.partner_id
            )
            if browser_data and browser_data != order.meta_capi_browser_data:
                order.meta_capi_browser_data = browser_data

    # ------------------------------------------------------------ what Meta is told

    def _meta_capi_browser_data(self):
        return self.meta_capi_browser_data or {}

    def _meta_capi_custom_data(self, event_name):
        self.ensure_one()
        lines = self._meta_capi_lines()
        contents = [self._meta_capi_content(line) for line in lines]
        return {
            "currency": self.currency_id.name,
            "value": self.currency_id.round(self.amount_total),
            "content_type": "product",
            "content_ids": [content["id"] for content in contents],
            "contents": contents,
            "num_items": int(sum(lines.mapped("product_uom_qty"))),
            "order_id": self.name,
        }

    def _meta_capi_lines(self):
        """Return the lines that are products bought, not text, delivery or the like."""
        # By id: the order of the field itself would flush the order.
        lines = self.env["sale.order.line"].search(
            [("order_id", "=", self.id)], order="id"
        )
        return lines.sorted("sequence").filtered(
            lambda line: (
                not line.display_type
                and line.product_id
                and not line.is_delivery
                and not line.is_downpayment
                and line.product_uom_qty > 0
            )
        )

    def _meta_capi_content(self, line):
        """Return the item of ``contents`` for one line."""
        return {
            "id": self._meta_capi_content_id(line.product_id),
            "quantity": line.product_uom_qty,
            "item_price": self.currency_id.round(
                line.price_total / line.product_uom_qty
            ),
        }

    def _meta_capi_content_id(self, product):
        """Return the id by which the shop's catalogue at Meta knows ``product``."""
        return str(product.id)

    def _meta_capi_event_id(self, event_name):
        self.ensure_one()
        return self.meta_capi_event_id if event_name == PURCHASE else None

    def _meta_capi_is_recorded(self, event_name):
        self.ensure_one()
        return event_name == PURCHASE and bool(self.meta_capi_purchase_recorded_at)

    def _meta_capi_set_recorded(self, event_name):
        """Remember it with one statement: a ``write`` would set off automations."""
        if event_name == PURCHASE:
            self.env.cr.execute(
                SQL(
                    "UPDATE sale_order SET meta_capi_purchase_recorded_at ="
                    " now() AT TIME ZONE 'UTC' WHERE id = ANY(%s)",
                    self.ids,
                )
            )
            self.invalidate_recordset(["meta_capi_purchase_recorded_at"], flush=False)
