import time
from datetime import timezone

from odoo import _, api, fields
from odoo.tools import hmac

from ..common.border import border
from ..common.standard_events import MONEY_BACK, PURCHASE
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
                and order._meta_capi_partner()._meta_capi_somebody()
            )
        )

    def _meta_capi_record(self, before):
        """Record what is sold, or given back, but for what was before.

        :param before: the ids of the orders that were told of then
        """
        with border(self.env.cr, "What is sold at the counter could not be told of"):
            events = [
                {"event_name": event_name, "origin": order}
                for order in self._meta_capi_sold()
                if order.id not in before
                and (event_name := order._meta_capi_event_name())
            ]
            if events:
                self.env["meta.conversions.api"].send_events(events)

    def _meta_capi_event_name(self):
        """Return by which event Meta is told of a paid order, or None."""
        if self._meta_capi_is_refund():
            money_back = self.env["meta.capi.money.back"]
            is_told = self._meta_capi_is_told() and money_back._is_on()
            return (is_told and money_back._name_of_event()) or None
        return PURCHASE if self._meta_capi_is_sale() else None

    def _meta_capi_is_sale(self):
        """Tell whether it is a sale, which Meta was not told of as another document.

        An advance on a sales order is none. A sales order that is settled at the counter
        is one Purchase, the one that is recorded first.
        """
        if any(self._meta_capi_settled().mapped("meta_capi_purchase_recorded_at")):
            return False
        bought = self.lines.filtered(lambda line: line.qty > 0)
        return not bought or bool(bought - self._meta_capi_advances())

    def _meta_capi_advances(self):
        """Return the lines that are paid in advance, or take what was off the rest."""
        config = self.config_id
        if "down_payment_product_id" not in config._fields:
            return self.lines.browse()
        product = config.down_payment_product_id
        return self.lines.filtered(lambda line: product and line.product_id == product)

    def _meta_capi_is_refund(self):
        """Tell whether more is given back than paid."""
        return self.currency_id.compare_amounts(self.amount_total, 0) < 0

    def _meta_capi_refunded(self):
        """Return the orders that products of are given back, maybe none."""
        return self.lines.refunded_orderline_id.order_id

    def _meta_capi_is_told(self):
        """Tell whether the Purchase of an order that is refunded was recorded."""
        refunded = self._meta_capi_refunded()
        if any(refunded._meta_capi_settled().mapped("meta_capi_purchase_recorded_at")):
            return True
        told = [
            ("res_model", "=", self._name),
            ("res_id", "in", refunded.ids),
            ("event_name", "=", PURCHASE),
            ("state", "in", ("pending", "sent")),
        ]
        if self.env["meta.capi.event"].sudo().search(told, limit=1):
            return True
        ids = [order._meta_capi_event_id(PURCHASE) for order in refunded]
        left_the_log = [("event_name", "=", PURCHASE), ("event_id", "in", ids)]
        return bool(self.env["meta.capi.once"].sudo().search(left_the_log, limit=1))

    def _meta_capi_settled(self):
        """Return the sales orders that these settle, where an app allows it."""
        lines = self.lines
        if "sale_order_origin_id" not in lines._fields:
            return self.env["sale.order"]
        return lines.sale_order_origin_id

    # ------------------------------------------------------------ what Meta is told

    def _meta_capi_browser_data(self):
        """Return what a visitor answered who made an order that is settled here.

        The answer alone, a no before a yes: no browser was used at the counter.
        """
        sales = (self | self._meta_capi_refunded())._meta_capi_settled()
        kept = map(self.env["meta.capi.browser"]._snapshot_of, sales)
        answers = [each["consent"] for each in kept if "consent" in each]
        return {"consent": all(answers)} if answers else {}

    def _meta_capi_bought_at(self):
        """Return when the customer bought: of an order that is settled here, then."""
        settled = self._meta_capi_settled().filtered("date_order")
        return min([super()._meta_capi_bought_at(), *settled.mapped("date_order")])

    def _meta_capi_margin(self):
        """Return the margin, which Odoo tells only once the goods have left the stock.

        Until then the products' costs tell it, but where each good has its own.
        """
        self.ensure_one()
        if self.is_total_cost_computed:
            return self.margin
        lines = self.lines.with_company(self.company_id)
        if any(line._is_product_storable_fifo_avco() for line in lines):
            return None
        return sum(
            line.price_subtotal
            - line.product_id.cost_currency_id._convert(
                line.qty * line.product_id.standard_price,
                self.currency_id,
                self.company_id,
                self.date_order,
                round=False,
            )
            for line in lines
        )

    def _meta_capi_parameters(self, event_name):
        """A sale of the counter has a time of its own, and no page.

        It may arrive hours later; and a till whose clock is ahead of the server's sells
        nothing in the future.
        """
        self.ensure_one()
        known = {"action_source": "physical_store", "event_source_url": None}
        if self._meta_capi_happens(event_name):
            known["event_time"] = min(self.date_order, fields.Datetime.now())
        return {**super()._meta_capi_parameters(event_name), **known}

    def _meta_capi_website(self):
        """Return the first website of the company, whose pixel and settings count."""
        company = self.company_id
        return self.env["website"].search([("company_id", "=", company.id)], limit=1)

    def _meta_capi_happens(self, event_name):
        """Return what the event tells of the order itself: sold, given back, or nothing."""
        if self._meta_capi_is_refund():
            is_told = self.env["meta.capi.money.back"]._tells(event_name)
            return MONEY_BACK if is_told else None
        return PURCHASE if event_name == PURCHASE else None

    def _meta_capi_event_id(self, event_name):
        self.ensure_one()
        what = self._meta_capi_happens(event_name)
        if what:
            return hmac(self.env(su=True), "meta_capi", (self._name, self.id, what))
        return super()._meta_capi_event_id(event_name)

    def _meta_capi_set_recorded(self, event_name):
        """A sales order that is settled at the counter has had its Purchase by that."""
        settled = self._meta_capi_settled()
        if settled and event_name == PURCHASE:
            settled._meta_capi_set_recorded(PURCHASE)
        return super()._meta_capi_set_recorded(event_name)

    def _meta_capi_partner(self):
        """Return the customer; of a refund without one, that of the order it is of."""
        partner = super()._meta_capi_partner()
        if not partner and self._meta_capi_is_refund():
            return self._meta_capi_refunded().partner_id[:1]
        return partner

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
        is paid, and no customer ever sees it. Of what is given back it is the sale's.
        """
        self.ensure_one()
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        value = self.amount_total if with_tax else self.amount_total - self.amount_tax
        # What was paid before is part of what it costs, and what is paid before is not.
        value -= sum(
            self._meta_capi_advances().mapped(self._meta_capi_amount(with_tax))
        )
        sale, sign = self, 1
        if self._meta_capi_is_refund():
            sale, sign = self._meta_capi_refunded()[:1] or self, -1
        custom_data = {
            **self._meta_capi_products_data(
                sign * value,
                self.currency_id,
                self._meta_capi_items(with_tax, sign),
                event_name,
            ),
            "order_id": sale.pos_reference or sale.name,
        }
        code = self.env["meta.capi.store"]._codes().get(self.config_id.id)
        if code:
            custom_data["store_data"] = {"store_code": code}
        return custom_data

    def _meta_capi_items(self, with_tax, sign):
        """Return what was sold: of each line the product, the quantity, the amount.

        :param sign: -1 for what was given back, whose quantities are negative
        """
        amount = self._meta_capi_amount(with_tax)
        return [
            (line.product_id, sign * line.qty, sign * line[amount])
            for line in self.lines - self._meta_capi_advances()
            if line.product_id and sign * line.qty > 0 and sign * line[amount] >= 0
        ]

    @staticmethod
    def _meta_capi_amount(with_tax):
        """Return the field of a line's amount."""
        return "price_subtotal_incl" if with_tax else "price_subtotal"

    def _meta_capi_money_back_documents(self):
        return [self.lines.refund_orderline_ids.order_id]

    # ------------------------------------------------------------- what was sold before

    def _meta_capi_sold_since(self, since, websites):
        """Return the domain of what the user's companies may have sold since."""
        companies = self.env.companies & self.env.user.company_ids
        return [
            ("config_id", "in", list(self.env["meta.capi.store"]._codes())),
            ("company_id", "in", companies.ids),
            ("state", "in", _PAID),
            ("partner_id", "!=", False),
            ("date_order", ">=", since),
        ]

    def _meta_capi_sold_times(self):
        times = {}
        for order in self._meta_capi_sold():
            if not order._meta_capi_is_refund() and order._meta_capi_is_sale():
                moment = order.date_order.replace(tzinfo=timezone.utc)
                times[order.id] = int(min(moment.timestamp(), time.time()))
        return times

    def _meta_capi_sold_rule(self, websites):
        return _(
            "An order is sold when it was paid, at a point of sale that is switched on in"
            " the settings, by a customer who was chosen."
        )
