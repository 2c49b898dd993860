from odoo import api, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..common.standard_events import PURCHASE
from ..settings import setting

# What became of an order's Purchase.
STATUSES = (
    *("sent", "waiting", "failed", "explained", "missing", "not_due"),
    "before",
)


class MetaCapiReconciliation(models.AbstractModel):
    """Confirmed orders of the website against the Purchases in the log.

    An order whose Purchase was cancelled is explained: somebody, or the settings, did
    not want it sent. One that is not yet paid, invoiced or delivered is not due where that
    is what the shop waits for. One of a time in which nothing sent a Purchase was before
    it all. One without any of it is missing.
    """

    _name = "meta.capi.reconciliation"
    _description = "Orders Against Events for Meta"

    @api.model
    def _trigger(self, website):
        """Return when a website's Purchases are sent by what we ship, or ``never``."""
        config = self.env["meta.capi.config"]
        if not (config._is_enabled() and config._pixel_id(website)):
            return "never"
        return self.env["meta.capi.purchase"].sudo()._trigger(website)

    @api.model
    def _is_armed(self):
        """Tell whether Purchases of any website are sent by what we ship."""
        return bool(self._armed_since())

    @api.model
    def _armed_since(self):
        """Return since when orders are to have a Purchase, by the ids of websites.

        For all we know: where an automation or a choice was edited, it begins anew. Of
        what was before nobody can tell.
        """
        purchase = self.env["meta.capi.purchase"].sudo()
        chosen = (
            self.env["ir.config_parameter"]
            .sudo()
            .search([("key", "=", setting.PURCHASE_TRIGGER.key)])
        )
        since = {}
        for website in self.env["website"].sudo().search([]):
            trigger = self._trigger(website)
            if trigger != "never":
                of_choice = (
                    website.meta_capi_purchase_trigger_since
                    if website.meta_capi_purchase_trigger
                    else chosen.write_date
                )
                dates = purchase._automations(trigger).mapped("write_date")
                since[website.id] = max(filter(None, [*dates, of_choice]))
        return since

    @api.model
    def _orders(self, since, until=None):
        """Return the domain of the website's orders that were confirmed in this time."""
        domain = [
            ("website_id", "!=", False),
            ("state", "=", "sale"),
            ("date_order", ">=", since),
        ]
        return domain + ([("date_order", "<", until)] if until else [])

    @api.model
    def _by_day(self, since, until=None):
        """Return the ids of the orders that the user may see, by day and by status.

        Days are those of the user's time zone.

        :return: a dict of dates to dicts of statuses to lists of ids; None for a user
            who may see no orders
        """
        zone = self.env.context.get("tz") or self.env.user.tz or "UTC"
        day = SQL("(so.date_order AT TIME ZONE 'UTC' AT TIME ZONE %s)::date", zone)
        return self._judge(self._orders(since, until), day)

    @api.model
    def _by_slice(self, borders, domain=()):
        """Return the ids of the orders that the user may see, by time and by status.

        :param borders: moments in ascending order; a slice goes from one to the next
        :param domain: of which orders
        :return: a dict of the slices' numbers, from 0, to dicts of statuses to lists of
            ids; None for a user who may see no orders
        """
        number = SQL("width_bucket(so.date_order, %s::timestamp[]) - 1", list(borders))
        return self._judge(
            [*self._orders(borders[0], borders[-1]), *domain],
            number,
        )

    @api.model
    def _judge(self, domain, key):
        """Return the ids of orders by what an expression tells of them and by status."""
        orders = self.env["sale.order"]
        try:
            visible = orders._search(domain)
        except AccessError:
            return None
        # Where nothing is armed, nothing is missing.
        armed_since = self._armed_since() or {0: None}
        # The query must see what the ORM still holds.
        self.env["meta.capi.event"].flush_model()
        orders.flush_model()
        found = {}
        for group, status, ids in self._statuses(visible, armed_since, key):
            found.setdefault(group, {})[status] = ids
        for statuses in found.values():
            self._set_aside_not_due(statuses)
        return found

    @api.model
    def _statuses(self, orders, armed_since, key):
        """Return rows of what ``key`` tells, a status and the ids of its orders.

        :param orders: a query of ``sale.order``
        :param armed_since: by websites' ids, from when on an order without an event is
            missing one
        """
        columns = ("id", "website_id", "date_order", "meta_capi_purchase_recorded_at")
        self.env.cr.execute(
            SQL(
                """
                SELECT key, status, array_agg(id ORDER BY id)
                  FROM (
                    SELECT so.id, %s AS key,
                           CASE WHEN told.failed THEN 'failed'
                                WHEN told.waiting THEN 'waiting'
                                WHEN told.sent THEN 'sent'
                                WHEN told.cancelled THEN 'explained'
                                WHEN so.meta_capi_purchase_recorded_at IS NOT NULL THEN 'sent'
                                WHEN so.date_order >= CASE so.website_id %s END
                                THEN 'missing'
                                ELSE 'before'
                           END AS status
                      FROM (%s) so
                     CROSS JOIN LATERAL (
                        SELECT bool_or(state = 'failed') AS failed,
                               bool_or(state = 'pending') AS waiting,
                               bool_or(state = 'sent') AS sent,
                               bool_or(state = 'cancelled') AS cancelled
                          FROM meta_capi_event
                         WHERE res_model = 'sale.order' AND res_id = so.id
                           AND event_name = %s
                     ) told
                  ) judged
                 GROUP BY key, status
                """,
                key,
                SQL(" ").join(
                    SQL("WHEN %s THEN %s::timestamp", website_id, moment)
                    for website_id, moment in armed_since.items()
                ),
                orders.select(
                    *(SQL.identifier("sale_order", name) for name in columns)
                ),
                PURCHASE,
            )
        )
        return self.env.cr.fetchall()

    @api.model
    def _set_aside_not_due(self, statuses):
        """Take the orders out of the missing ones whose time has not come."""
        missing = self.env["sale.order"].sudo().browse(statuses.get("missing", ()))
        due = self._due(missing)
        if missing - due:
            statuses["not_due"] = (missing - due).ids
            statuses["missing"] = due.ids

    @api.model
    def _due(self, orders):
        """Return those of these orders that what is armed has been set off by."""
        due = orders.browse()
        for website, group in orders.grouped("website_id").items():
            due += self._due_at(self._trigger(website), group)
        return due

    @api.model
    def _due_at(self, trigger, orders):
        """Return those of these orders whose ``trigger`` has come."""
        if trigger == "confirmed":
            return orders
        invoices = "order_line.invoice_lines.move_id"
        if trigger == "invoiced":
            return orders.search(
                [
                    ("id", "in", orders.ids),
                    (f"{invoices}.state", "=", "posted"),
                    (f"{invoices}.move_type", "=", "out_invoice"),
                ]
            )
        if trigger == "delivered":
            begun = orders.search(
                [("id", "in", orders.ids), ("order_line.qty_delivered", ">", 0)]
            )
            return begun.filtered(lambda order: order._meta_capi_is_delivered())
        # A payment has been begun, so that there is something to add up.
        paid = orders.search(
            [
                ("id", "in", orders.ids),
                "|",
                ("transaction_ids.state", "in", ("authorized", "done")),
                (f"{invoices}.payment_state", "in", ("in_payment", "paid")),
            ]
        )
        return paid.filtered(lambda order: order._meta_capi_is_paid())
