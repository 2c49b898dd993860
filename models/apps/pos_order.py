import time
from datetime import timezone

from odoo import _, api, fields
from odoo.tools import hmac

from ..common.border import border
from ..common.standard_events import PURCHASE
from ..settings import setting
from .app_model import AppModel

# In these an order is paid; Odoo 18 has no "invoiced" any more.
_PAID = ("paid", "done", "invoiced")
# What decides whether an order can be told of.
_WATCHED = {"state", "partner_id"}


class PosOrder(AppModel):
    """An order of the counter: a Purchase once it is paid, and its customer is known."""

    _meta_capi_joins = "pos.order"

    @api.model_create_multi
    def create(self, vals_list):
        """Tell Meta of what is paid when it comes: the till sends it when it can."""
        orders = super().create(vals_list)
        if self._meta_capi_tells():
            orders._meta_capi_record(set())
        return orders

    def write(self, vals):
        """Tell Meta of what is paid now, or has got its customer since, as for an invoice.

        Not of what only goes on from there, such as all orders of a session that closes.
        """
        if not (_WATCHED & vals.keys() and self._meta_capi_tells()):
            return super().write(vals)
        before = None
        with border(self.env.cr, "What is sold at the counter could not be told of"):
            before = set(self._meta_capi_sold().ids)
        result = super().write(vals)
        if before is not None:
            self._meta_capi_record(before)
        return result

    def _meta_capi_tells(self):
        """Tell whether any point of sale tells Meta of its sales."""
        return bool(
            self.env["meta.capi.store"]._codes()
            and self.env["meta.capi.config"]._is_enabled()
        )

    def _meta_capi_sold(self):
        """Return those that are paid by a customer who is known, as superuser."""
        codes = self.env["meta.capi.store"]._codes()
        return self.sudo().filtered(
            lambda order: (
                order.state in _PAID
                and order.config_id.id in codes
                and order.partner_id._meta_capi_somebody()
            )
        )

    def _meta_capi_record(self, before):
        """Record a Purchase of each order that is sold, but of those that were before.

        :param before: their ids
        """
        with border(self.env.cr, "What is sold at the counter could not be told of"):
            told = self.browse()
            for order in self._meta_capi_sold():
                if order.id not in before and order._meta_capi_is_sale():
                    told += order
            if told:
                events = self.env["meta.conversions.api"].send_events(
                    [{"event_name": PURCHASE, "origin": order} for order in told]
                )
                pending = events.sudo().filtered(lambda event: event.state == "pending")
                settled = told.browse(pending.mapped("res_id"))._meta_capi_settled()
                if settled:
                    settled._meta_capi_set_recorded(PURCHASE)

    def _meta_capi_is_sale(self):
        """Tell whether it is a sale, which Meta was not told of as another document.

        Not what is given back, nor an advance on a sales order. A sales order that is
        settled at the counter is one Purchase, the one that is recorded first.
        """
        if self._meta_capi_is_refund():
            return False
        if any(self._meta_capi_settled().mapped("meta_capi_purchase_recorded_at")):
            return False
        advance = "down_payment_product_id" in self.config_id._fields and (
            self.config_id.down_payment_product_id
        )
        return not any(
            line.product_id == advance and line.qty > 0 for line in self.lines
        )

    def _meta_capi_is_refund(self):
        """Tell whether more is given back than paid."""
        return self.currency_id.compare_amounts(self.amount_total, 0) < 0

    def _meta_capi_settled(self):
        """Return the sales orders that these settle, where an app allows it."""
        lines = self.lines
        if "sale_order_origin_id" not in lines._fields:
            return self.env["sale.order"]
        return lines.sale_order_origin_id

    # ------------------------------------------------------------ what Meta is told

    def _meta_capi_parameters(self, event_name):
        """A sale of the counter has a time of its own, and no page.

        It may arrive hours later; and a till whose clock is ahead of the server's sells
        nothing in the future.
        """
        self.ensure_one()
        known = {"action_source": "physical_store", "event_source_url": None}
        if event_name == PURCHASE:
            known["event_time"] = min(self.date_order, fields.Datetime.now())
        return {**super()._meta_capi_parameters(event_name), **known}

    def _meta_capi_website(self):
        """Return the first website of the company, whose pixel and settings count."""
        company = self.company_id
        return self.env["website"].search([("company_id", "=", company.id)], limit=1)

    def _meta_capi_event_id(self, event_name):
        self.ensure_one()
        if event_name == PURCHASE:
            return hmac(self.env(su=True), "meta_capi", (self._name, self.id, PURCHASE))
        return super()._meta_capi_event_id(event_name)

    def _meta_capi_is_paid(self):
        return self.state in _PAID

    def _meta_capi_exclusion(self, event_name):
        reason = None
        if event_name == PURCHASE:
            reason = self._meta_capi_payment_exclusion(
                self.amount_total,
                self.currency_id,
                self._meta_capi_transactions(),
            )
        return reason or super()._meta_capi_exclusion(event_name)

    def _meta_capi_transactions(self):
        """Return the transactions of what was paid online, where an app allows it."""
        payments = self.payment_ids
        if "online_account_payment_id" not in payments._fields:
            return self.env["payment.transaction"]
        return payments.online_account_payment_id.payment_transaction_id

    def _meta_capi_custom_data(self, event_name):
        """Return what was sold, in which store, and the number on the receipt.

        That number tells a sale for good: the order's own name is not given before it
        is paid, and no customer ever sees it.
        """
        self.ensure_one()
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        value = self.amount_total if with_tax else self.amount_total - self.amount_tax
        custom_data = {
            **self._meta_capi_products_data(
                value, self.currency_id, self._meta_capi_items(with_tax), event_name
            ),
            "order_id": self.pos_reference or self.name,
        }
        code = self.env["meta.capi.store"]._codes().get(self.config_id.id)
        if code:
            custom_data["store_data"] = {"store_code": code}
        return custom_data

    def _meta_capi_items(self, with_tax):
        """Return what was sold: of each line the product, the quantity, the amount."""
        amount = "price_subtotal_incl" if with_tax else "price_subtotal"
        return [
            (line.product_id, line.qty, line[amount])
            for line in self.lines
            if line.product_id and line.qty > 0 and line[amount] >= 0
        ]

    # ------------------------------------------------------------- what was sold before

    def _meta_capi_sold_since(self, since, websites):
        """Return the domain of what the websites' companies may have sold since."""
        return [
            ("config_id", "in", list(self.env["meta.capi.store"]._codes())),
            ("company_id", "in", websites.company_id.ids),
            ("state", "in", _PAID),
            ("partner_id", "!=", False),
            ("date_order", ">=", since),
        ]

    def _meta_capi_sold_times(self):
        times = {}
        for order in self._meta_capi_sold():
            if order._meta_capi_is_sale():
                moment = order.date_order.replace(tzinfo=timezone.utc)
                times[order.id] = int(min(moment.timestamp(), time.time()))
        return times

    def _meta_capi_sold_rule(self, websites):
        return _(
            "An order is sold when it was paid, at a point of sale that is switched on in"
            " the settings, by a customer who was chosen."
        )

    def _meta_capi_set_recorded(self, event_name):
        """The sales orders that it settles are no Purchase of their own any more."""
        settled = self._meta_capi_settled()
        if settled:
            settled._meta_capi_set_recorded(event_name)
        return super()._meta_capi_set_recorded(event_name)
