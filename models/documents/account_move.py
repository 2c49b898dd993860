from odoo import models
from odoo.tools import hmac

from ..common.standard_events import MONEY_BACK, PURCHASE
from ..settings import setting


class AccountMove(models.Model):
    _inherit = "account.move"

    def _meta_capi_orders(self):
        """Return the orders that this invoice is about."""
        return self.line_ids.sale_line_ids.order_id

    def _meta_capi_subjects(self, event_name):
        """A Purchase is the order's: an order may have several invoices.

        A credit note that gives nothing back of what Meta knows is about nothing.
        """
        if self._meta_capi_gives_back(event_name):
            amount = self._meta_capi_amount_back()
            is_due = self.currency_id.compare_amounts(amount, 0) > 0
            return self if is_due else self.browse()
        is_sale = self.is_sale_document() and event_name == PURCHASE
        return (is_sale and self._meta_capi_orders()) or self

    def _meta_capi_event_id(self, event_name):
        """Return the id of the Purchase of an invoice that has no order, or of money back.

        It needs no place to be kept, and only the server can know it.
        """
        self.ensure_one()
        what = PURCHASE if event_name == PURCHASE else None
        if self._meta_capi_gives_back(event_name):
            what = MONEY_BACK
        if not what:
            return None
        return hmac(self.env(su=True), "meta_capi", (self._name, self.id, what))

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
        orders = self._meta_capi_orders() or self.reversed_entry_id._meta_capi_orders()
        documents = (self, *orders)
        kept = (
            self.env["meta.capi.browser"]._snapshot_of(document)
            for document in documents
        )
        return next(filter(None, kept), {})

    def _meta_capi_custom_data(self, event_name):
        self.ensure_one()
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        value = self.amount_total if with_tax else self.amount_untaxed
        name, lines = self.name, self.invoice_line_ids
        if self._meta_capi_gives_back(event_name):
            value = self._meta_capi_amount_back()
            orders = self._meta_capi_told_orders()
            name = ", ".join((orders or self.reversed_entry_id).mapped("name"))
            lines = self._meta_capi_lines_back(orders, with_delivery=False)
        return {
            **self._meta_capi_products_data(
                value,
                self.currency_id,
                self._meta_capi_items(lines, with_tax),
                event_name,
            ),
            "order_id": name,
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

    def _meta_capi_items(self, lines, with_tax):
        """Return what was sold: of each line the product, the quantity, the amount."""
        lines = lines.filtered(
            lambda line: (
                line.display_type == "product"
                and line.product_id
                and line.quantity > 0
                and line.price_total >= 0
            )
        )
        amount = "price_total" if with_tax else "price_subtotal"
        return [(line.product_id, line.quantity, line[amount]) for line in lines]

    # -------------------------------------------------------------------- money back

    def _meta_capi_gives_back(self, event_name):
        """Tell whether the event is of the money that this credit note gives back."""
        self.ensure_one()
        is_credit_note = self.move_type == "out_refund"
        return is_credit_note and self.env["meta.capi.money.back"]._tells(event_name)

    def _meta_capi_told_orders(self):
        """Return the orders it gives money back of whose Purchase was recorded."""
        orders = self._meta_capi_orders() or self.reversed_entry_id._meta_capi_orders()
        return orders.filtered("meta_capi_purchase_recorded_at")

    def _meta_capi_amount_back(self):
        """Return what Meta is to be told that it gives back.

        Of sales whose Purchase was recorded, and of these nothing that another document
        has told of.
        """
        orders = self._meta_capi_told_orders()
        if not orders:
            told = self._meta_capi_is_told(self.reversed_entry_id)
            return self._meta_capi_credited(orders) if told else 0
        left = sum(
            order.currency_id._convert(
                order._meta_capi_left(), self.currency_id, self.company_id, self.date
            )
            for order in orders
        )
        return min(self._meta_capi_credited(orders), left)

    def _meta_capi_is_told(self, invoice):
        """Tell whether the Purchase of an invoice that has no order was recorded."""
        events = self.env["meta.capi.event"].sudo()
        told = [
            ("res_model", "=", invoice._name),
            ("res_id", "in", invoice.ids),
            ("event_name", "=", PURCHASE),
            ("state", "in", ("pending", "sent")),
        ]
        if events.search(told, limit=1):
            return True
        ids = [each._meta_capi_event_id(PURCHASE) for each in invoice]
        left_the_log = [("event_name", "=", PURCHASE), ("event_id", "in", ids)]
        return bool(self.env["meta.capi.once"].sudo().search(left_the_log, limit=1))

    def _meta_capi_credited(self, orders):
        """Return the amount by the settings of an order's value: tax, delivery.

        :param orders: those that count, of the orders it is about
        """
        config = self.env["meta.capi.config"]
        with_tax = config._get(setting.VALUE_INCLUDES_TAX)
        lines = self._meta_capi_lines_back(
            orders, config._get(setting.VALUE_INCLUDES_SHIPPING)
        )
        amounts = lines.mapped("price_total" if with_tax else "price_subtotal")
        return self.currency_id.round(sum(amounts))

    def _meta_capi_lines_back(self, orders, with_delivery):
        """Return the lines by which money is given back of some of its orders."""
        others = self._meta_capi_orders() - orders

        def counts(line):
            sold = line.sale_line_ids
            is_delivery = any(sold.mapped("is_delivery"))
            return not (sold.order_id & others or (is_delivery and not with_delivery))

        return self.invoice_line_ids.filtered(
            lambda line: line.display_type == "product" and counts(line)
        )

    def _meta_capi_set_recorded(self, event_name):
        """Let the orders remember what Meta was told that is given back of them."""
        for move in self:
            if not move._meta_capi_gives_back(event_name):
                continue
            amount = move._meta_capi_amount_back()
            for order in move._meta_capi_told_orders():
                rate = (move.company_id, move.date)
                part = move.currency_id._convert(amount, order.currency_id, *rate)
                part = min(part, order._meta_capi_left())
                order._meta_capi_add_back(part)
                amount -= order.currency_id._convert(part, move.currency_id, *rate)
        return super()._meta_capi_set_recorded(event_name)

    def _meta_capi_money_back_documents(self):
        # Odoo 17 has another name for it.
        name = "reversal_move_ids"
        return [self[name if name in self._fields else "reversal_move_id"]]
