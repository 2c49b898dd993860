import uuid
from contextlib import contextmanager
from datetime import datetime, time, timedelta, timezone

from odoo import _, api, fields, models
from odoo.tools import SQL
from odoo.tools.sql import column_exists

from ..common.border import border
from ..common.standard_events import (
    CHECKOUT,
    MONEY_BACK,
    ONCE_PER_ORDER,
    PURCHASE,
)
from ..recording.meta_capi_browser import REPEAT_AFTER
from ..settings import setting

# Marks a cart whose change is told of by whoever began it: one call makes another.
_WATCHED = "meta_capi_watched"

# By when Purchases are sent: what may be later than the confirmation.
_INVOICES = "order_line.invoice_lines.move_id"
_SOLD_LATER = {
    "paid": (
        "transaction_ids.last_state_change",
        f"{_INVOICES}.line_ids.matched_credit_ids.create_date",
    ),
    "invoiced": (f"{_INVOICES}.create_date", f"{_INVOICES}.invoice_date"),
    "delivered": ("order_line.write_date",),
}


class SaleOrder(models.Model):
    _inherit = "sale.order"

    meta_capi_event_id = fields.Char(
        "Meta Event ID",
        readonly=True,
        copy=False,
        index="btree_not_null",
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
    meta_capi_given_back = fields.Monetary(
        "Money Back Told to Meta",
        readonly=True,
        copy=False,
        help="What events about credit notes and cancellations have told of it in total.",
    )
    meta_capi_event_count = fields.Integer(
        "Meta Events", compute="_compute_meta_capi_event_count"
    )

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
        orders = super().create(vals_list)
        # The shop makes its orders as superuser, on behalf of a visitor.
        if self.env.su:
            self.env["meta.capi.visit"]._keep(orders)
        return orders

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

    def _cart_update(self, product_id, line_id=None, add_qty=0, set_qty=0, **kwargs):
        """Tell Meta of what is added to a cart, before Odoo 19."""
        with self._meta_capi_watched() as cart:
            return super(SaleOrder, cart)._cart_update(
                product_id, line_id=line_id, add_qty=add_qty, set_qty=set_qty, **kwargs
            )

    def _cart_add(self, product_id, quantity=1.0, **kwargs):
        """Tell Meta of what is added to a cart, from Odoo 19 on."""
        with self._meta_capi_watched() as cart:
            return super(SaleOrder, cart)._cart_add(
                product_id, quantity=quantity, **kwargs
            )

    def _cart_update_order_line(self, *args, **kwargs):
        """Tell Meta of a quantity that is raised in a cart, from Odoo 19 on."""
        with self._meta_capi_watched() as cart:
            return super(SaleOrder, cart)._cart_update_order_line(*args, **kwargs)

    @contextmanager
    def _meta_capi_watched(self):
        """Give the cart to change; what has grown by then is added to it.

        That is told by the lines themselves: what a form asks for is a text in the
        visitor's language, and Odoo may make another quantity of it.
        """
        bridge = self.env["meta.capi.bridge"]
        is_watched = self.env.context.get(_WATCHED)
        if is_watched or not self or not bridge._tells("AddToCart"):
            yield self
            return
        before = self._meta_capi_quantities()
        yield self.with_context(**{_WATCHED: True})
        with border(self.env.cr, "What was added to a cart could not be told of"):
            self._meta_capi_added(before)

    def _meta_capi_quantities(self):
        return {line.id: line.product_uom_qty for line in self.sudo().order_line}

    def _meta_capi_added(self, before):
        """Tell Meta of the lines that have grown since they had quantities ``before``."""
        items = []
        for line in self.sudo()._meta_capi_lines():
            added = line.product_uom_qty - before.get(line.id, 0)
            # A gift of a loyalty program is nobody's doing.
            if added > 0 and not ("reward_id" in line._fields and line.reward_id):
                amount = self._meta_capi_line_amount(line)
                part = amount * added / line.product_uom_qty
                items.append((line.product_id, added, part))
        if items:
            value = sum(amount for _product, _quantity, amount in items)
            self.env["meta.capi.bridge"]._record_by_hook(
                "AddToCart",
                self.sudo(),
                self._meta_capi_products_data(value, self.currency_id, items),
            )

    def _meta_capi_hand_out_purchase(self):
        """Return what the browser's Pixel may know of this order's Purchase.

        :return: ``event_id``, and ``repeat``: whether the Pixel or Meta has had it for
            so long that Meta would count what the Pixel sends now again
        """
        self.ensure_one()
        has_had_it = self.env["meta.capi.browser"].sudo()._hand_out_purchase(self)
        recorded_at = self.meta_capi_purchase_recorded_at
        # The server's own may have been the first one.
        is_told = recorded_at and fields.Datetime.now() - recorded_at > REPEAT_AFTER
        return {
            "event_id": self.meta_capi_event_id,
            "repeat": bool(has_had_it or is_told),
        }

    def _meta_capi_purchase_counts(self):
        """Tell whether the server has this order's Purchase and tells Meta of it."""
        self.ensure_one()
        if not self.meta_capi_purchase_recorded_at:
            return False
        self.env.cr.execute(
            SQL(
                "SELECT FROM meta_capi_event WHERE res_model = %s AND res_id = %s"
                " AND event_name = %s AND state = 'cancelled' LIMIT 1",
                self._name,
                self.id,
                PURCHASE,
            )
        )
        return not self.env.cr.rowcount

    # ------------------------------------------------------------ what Meta is told

    def _meta_capi_custom_data(self, event_name):
        self.ensure_one()
        value, items = self._meta_capi_value(), self._meta_capi_items()
        if self._meta_capi_gives_back(event_name):
            value, items = self._meta_capi_left(), self._meta_capi_items_left()
        return {
            **self._meta_capi_products_data(value, self.currency_id, items, event_name),
            "order_id": self.name,
        }

    def _meta_capi_value(self):
        """Return what the order is worth: by the settings, with tax and with delivery."""
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        value = self.amount_total if with_tax else self.amount_untaxed
        if not self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_SHIPPING):
            shipping = self._meta_capi_all_lines().filtered(
                lambda line: self._meta_capi_is_shipping(line)
            )
            value -= sum(shipping.mapped(self._meta_capi_line_amount))
        return self.currency_id.round(value)

    def _meta_capi_margin(self):
        """Return the margin of all but delivery: what that costs, no line tells."""
        self.ensure_one()
        lines = self._meta_capi_all_lines()
        if "margin" not in lines._fields:
            return None
        return sum(
            line.margin for line in lines if not self._meta_capi_is_shipping(line)
        )

    def _meta_capi_line_amount(self, line):
        """Return what a line adds to the value."""
        with_tax = self.env["meta.capi.config"]._get(setting.VALUE_INCLUDES_TAX)
        return line.price_total if with_tax else line.price_subtotal

    def _meta_capi_is_shipping(self, line):
        """Tell whether a line is what delivery costs, or a discount on that."""
        is_reward = "reward_id" in line._fields and line.reward_id
        return line.is_delivery or (
            bool(is_reward) and line.reward_id.reward_type == "shipping"
        )

    def _meta_capi_all_lines(self):
        # Whoever confirms an order has read them. Else by id: the order of the field itself
        # would flush the order.
        lines = (
            self.order_line
            if "order_line" in self._cache
            else self.env["sale.order.line"].search(
                [("order_id", "=", self.id)], order="id"
            )
        )
        return lines.filtered(lambda line: not line.display_type).sorted("sequence")

    def _meta_capi_items(self):
        """Return what was bought: of each line the product, the quantity, the amount."""
        return [
            (line.product_id, line.product_uom_qty, self._meta_capi_line_amount(line))
            for line in self._meta_capi_lines()
        ]

    def _meta_capi_lines(self):
        """Return the lines that are products bought.

        Not text, delivery and discounts; nor advances, whose quantity is 0.
        """
        return self._meta_capi_all_lines().filtered(
            lambda line: (
                line.product_id
                and line.product_uom_qty > 0
                and line.price_total >= 0
                and not self._meta_capi_is_shipping(line)
            )
        )

    def _meta_capi_exclusion(self, event_name):
        reason = None
        if event_name == PURCHASE:
            reason = self._meta_capi_payment_exclusion(
                self.amount_total, self.currency_id, self.transaction_ids
            )
        return reason or super()._meta_capi_exclusion(event_name)

    def _meta_capi_is_paid(self):
        """Tell whether transactions, as Odoo counts them, or invoices cover the total."""
        self.ensure_one()
        # Odoo does not notice when a transaction it has counted changes its state.
        self.invalidate_recordset(["amount_paid"], flush=False)
        paid = sum(self.order_line.invoice_lines.mapped(self._meta_capi_paid_amount))
        return self._is_paid() or (
            self.currency_id.compare_amounts(paid, self.amount_total) >= 0
        )

    def _meta_capi_is_delivered(self):
        """Tell whether nothing of what was ordered is still to be delivered.

        Goods decide where there are any: whether services are rendered, many shops never
        enter.
        """
        self.ensure_one()
        lines = self._meta_capi_lines()
        # A combo's goods are lines of their own.
        goods = lines.filtered(
            lambda line: line.product_id.type not in ("service", "combo")
        )
        lines = goods or lines
        has_begun = any(lines.mapped("qty_delivered")) or lines._meta_capi_deliveries()
        return (
            self.state == "sale"
            and bool(has_begun)
            and not any(line._meta_capi_awaits_delivery() for line in lines)
        )

    def _meta_capi_delivered_at(self):
        """Return when the last of the goods were delivered; None where that is not kept.

        Only the inventory app keeps it.
        """
        self.ensure_one()
        moves = self._meta_capi_lines()._meta_capi_deliveries()
        return max(moves.mapped("date")) if moves else None

    def _meta_capi_paid_amount(self, line):
        """Return what a line of an invoice has brought in, in the order's currency."""
        invoice = line.move_id
        if not (invoice.is_sale_document() and invoice._meta_capi_is_paid()):
            return 0
        amount = line.price_total if invoice.is_inbound() else -line.price_total
        date = invoice.invoice_date or invoice.date
        return line.currency_id._convert(
            amount, self.currency_id, self.company_id, date
        )

    def _meta_capi_event_id(self, event_name):
        """Return the id of what happens to an order, None for what it cannot tell.

        Whoever knows the order's own id can tell the others, and nobody else.
        """
        self.ensure_one()
        if event_name == PURCHASE:
            return self.meta_capi_event_id
        if event_name == CHECKOUT:
            return self._meta_capi_checkout_id()
        if event_name in ONCE_PER_ORDER:
            return self._meta_capi_derived_id(event_name)
        if self._meta_capi_gives_back(event_name):
            return self._meta_capi_derived_id(MONEY_BACK)
        return None

    def _meta_capi_derived_id(self, *parts):
        name = "#".join((self.meta_capi_event_id, *map(str, parts)))
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    def _meta_capi_checkout_id(self):
        """Return the id of the checkout that is going on, or is to begin.

        Looking at its pages again makes no other. One begins after a day, or when other
        products or quantities are bought than in the one before, after whose id it is
        named.
        """
        items = sorted(
            (product.id, quantity)
            for product, quantity, _amount in self._meta_capi_items()
        )
        self.env.cr.execute(
            SQL(
                "SELECT event_id, max(event_time) FROM meta_capi_event"
                " WHERE res_model = %s AND res_id = %s AND event_name = %s"
                " GROUP BY event_id ORDER BY 2 DESC, max(id) DESC LIMIT 2",
                self._name,
                self.id,
                CHECKOUT,
            )
        )
        last, before = [*self.env.cr.fetchall(), ("", None), ("", None)][:2]
        begun_id, begun_at = last
        if begun_at and fields.Datetime.now() - begun_at < timedelta(days=1):
            if begun_id == self._meta_capi_derived_id(CHECKOUT, items, before[0]):
                return begun_id
        return self._meta_capi_derived_id(CHECKOUT, items, begun_id)

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
        for order in self:
            if order._meta_capi_gives_back(event_name):
                order._meta_capi_add_back(order._meta_capi_left())

    # -------------------------------------------------------------------- money back

    def _meta_capi_subjects(self, event_name):
        """A cancelled order that nothing is given back of is about nothing."""
        if self._meta_capi_gives_back(event_name) and not self._meta_capi_owes():
            return self.browse()
        return super()._meta_capi_subjects(event_name)

    def _meta_capi_gives_back(self, event_name):
        """Tell whether the event is of the money that a cancelled order gives back."""
        self.ensure_one()
        is_cancelled = self.state == "cancel"
        return is_cancelled and self.env["meta.capi.money.back"]._tells(event_name)

    def _meta_capi_owes(self):
        """Tell whether it was paid and recorded, and not all of it was told as given back.

        What is given back since takes nothing from what was paid.
        """
        if not self.meta_capi_purchase_recorded_at:
            return False
        if self.currency_id.compare_amounts(self._meta_capi_left(), 0) <= 0:
            return False
        transactions = self.transaction_ids.filtered(
            lambda transaction: (
                transaction.state in ("authorized", "done") and transaction.amount > 0
            )
        )
        paid = self.order_line.invoice_lines.filtered(
            lambda line: line.move_id.move_type == "out_invoice"
        )
        return any(
            self.currency_id.compare_amounts(amount, self.amount_total) >= 0
            for amount in (
                sum(transactions.mapped("amount")),
                sum(paid.mapped(self._meta_capi_paid_amount)),
            )
        )

    def _meta_capi_left(self):
        """Return what of its value was not told as given back."""
        left = self._meta_capi_value() - self.meta_capi_given_back
        return max(self.currency_id.round(left), 0)

    def _meta_capi_items_left(self):
        """Return what was bought and not credited; all of it, if nothing else is left."""
        items = []
        for line in self._meta_capi_lines():
            credited = line.invoice_lines.filtered(
                lambda credit: (
                    credit.move_id.move_type == "out_refund"
                    and credit.move_id.state == "posted"
                )
            )
            left = line.product_uom_qty - sum(credited.mapped("quantity"))
            if left > 0:
                part = self._meta_capi_line_amount(line) * left / line.product_uom_qty
                items.append((line.product_id, left, part))
        return items or self._meta_capi_items()

    def _meta_capi_add_back(self, amount):
        """Remember that Meta was told of money back, as ``_meta_capi_set_recorded`` does."""
        self.env.cr.execute(
            SQL(
                "UPDATE sale_order SET meta_capi_given_back ="
                " COALESCE(meta_capi_given_back, 0) + %s WHERE id = %s",
                amount,
                self.id,
            )
        )
        self.invalidate_recordset(["meta_capi_given_back"], flush=False)

    def _meta_capi_money_back_documents(self):
        moves = self.order_line.invoice_lines.move_id
        return [self, moves.filtered(lambda move: move.move_type == "out_refund")]

    # ------------------------------------------------------------- what was sold before

    def _meta_capi_sold_since(self, since, websites):
        """Return the domain of the websites' orders that may have been sold since.

        Where a sale is one once it is paid or invoiced, an order of long ago may be a
        sale of today.
        """
        domain = []
        for website in websites:
            names = (
                "date_order",
                *_SOLD_LATER.get(self._meta_capi_sold_by(website), ()),
            )
            domain += [
                *("&", "&", ("website_id", "=", website.id), ("state", "=", "sale")),
                *["|"] * (len(names) - 1),
                *((name, ">=", since) for name in names),
            ]
        return ["|"] * (len(websites) - 1) + domain or [("id", "in", [])]

    def _meta_capi_sold_by(self, website):
        """Return what makes an order of a website a sale: its confirmation where nothing
        sends Purchases by itself.
        """
        trigger = self.env["meta.capi.purchase"].sudo()._trigger(website)
        return "confirmed" if trigger == "never" else trigger

    def _meta_capi_sold_times(self):
        times = {}
        sold = self.filtered(lambda order: order.state == "sale" and order.website_id)
        for website, orders in sold.grouped("website_id").items():
            trigger = self._meta_capi_sold_by(website)
            for order in self.env["meta.capi.reconciliation"]._due_at(trigger, orders):
                moment = order._meta_capi_sold_at(trigger)
                times[order.id] = int(moment.replace(tzinfo=timezone.utc).timestamp())
        return times

    def _meta_capi_sold_at(self, trigger):
        """Return when ``trigger`` has come, as Odoo stores it, as far as it is known.

        Not before the confirmation, which is all that is known of a payment without a
        transaction or an entry.
        """
        self.ensure_one()
        invoices = self.order_line.invoice_lines.move_id
        moments = []
        if trigger == "paid":
            transactions = self.transaction_ids.filtered(
                lambda transaction: transaction._meta_capi_is_paid()
            )
            moments = transactions.mapped("last_state_change")
            if not self._is_paid():
                paid = invoices.filtered(lambda invoice: invoice._meta_capi_is_paid())
                moments += paid.line_ids.matched_credit_ids.mapped("create_date")
        elif trigger == "invoiced":
            posted = invoices.filtered(
                lambda move: move.state == "posted" and move.move_type == "out_invoice"
            )
            # The moment of its posting is not kept: not before these two.
            moments = [
                max(move.create_date, datetime.combine(move.invoice_date, time()))
                for move in posted
            ]
            moments = [min(moments)] if moments else []
        elif trigger == "delivered":
            moments = [self._meta_capi_delivered_at()]
        moment = max([self.date_order, *filter(None, moments)])
        return min(moment, fields.Datetime.now())

    def _meta_capi_sold_rule(self, websites):
        rules = {
            "confirmed": _("An order is sold when it was confirmed."),
            "paid": _("An order is sold when it was paid in full."),
            "invoiced": _("An order is sold when its first invoice was posted."),
            "delivered": _("An order is sold when it was delivered in full."),
        }
        found = {}
        for website in websites:
            rule = rules[self._meta_capi_sold_by(website)]
            found.setdefault(rule, []).append(website.name)
        if len(found) == 1:
            return next(iter(found))
        return "\n".join(f"{', '.join(names)}: {rule}" for rule, names in found.items())
