import json
from datetime import timedelta, timezone

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...capi.event import ServerEvent
from ...capi.schedule import closes_at
from ..common.age import age_of
from ..common.amount import Amount
from ..common.managers import Managers
from ..common.schema import commit_if_shared
from ..common.standard_events import PURCHASE
from ..settings import setting
from .carried import attempts_by_event, create_list, events_by_attempt, searched
from .cause_words import CAUSES, CauseWords
from .event_actions import EventActions
from .event_summary import create_summary, recount
from .event_table import EventTable
from .indexes import create_indexes, tune_vacuum
from .retention import clean_up

MAX_EVENTS_AT_A_CLICK = 5_000
# Minutes after which an event that is due and was never tried tells that nothing runs.
_NEVER_TRIED_MINUTES = 15


class MetaCapiEvent(models.Model):
    """An event for Meta: first in the outbox, then in the log.

    Rows are written by ``meta.conversions.api`` in the transaction in which the event
    happens, and from then on by ``meta.capi.delivery`` and the buttons below, all by
    way of ``outbox``.
    """

    _name = "meta.capi.event"
    _description = "Meta Event"
    _order = "id desc"
    _rec_name = "event_name"

    event_name = fields.Char(readonly=True, required=True)
    event_id = fields.Char("Event ID", readonly=True, required=True)
    event_time = fields.Datetime(readonly=True, required=True)
    action_source = fields.Char(readonly=True)
    event_source_url = fields.Char("Event Source URL", readonly=True)
    referrer_url = fields.Char("Referrer URL", readonly=True)
    opt_out = fields.Boolean(
        readonly=True, help="Used for attribution only, not to optimise delivery."
    )
    user_data = fields.Json(readonly=True)
    custom_data = fields.Json(readonly=True)
    data_processing_options = fields.Json(readonly=True)
    data_processing_options_country = fields.Integer(readonly=True)
    data_processing_options_state = fields.Integer(readonly=True)
    customer_segmentation = fields.Char(readonly=True)
    original_event_data = fields.Json(readonly=True)
    app_data = fields.Json(readonly=True)
    messaging_channel = fields.Char(readonly=True)
    attribution_data = fields.Json(readonly=True)
    pixel_id = fields.Char("Pixel ID", readonly=True, required=True)
    test_event_code = fields.Char(readonly=True)
    website_id = fields.Many2one("website", readonly=True, ondelete="set null")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    res_model = fields.Char("Document Model", readonly=True)
    res_id = fields.Many2oneReference(
        "Document ID", model_field="res_model", readonly=True
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="Whose data the event carries. Whoever is deleted or anonymised is no longer"
        " found here, and what was pending is cancelled.",
    )
    user_data_keys = fields.Char(
        readonly=True,
        help="The keys of user_data, which outlive their values.",
    )
    click_browser = fields.Selection(
        [("in_app", "Inside an App"), ("mobile", "Mobile"), ("desktop", "Desktop")],
        "Browser of the Click",
        readonly=True,
        help="Where the page's URL tells of a click on an ad: the kind of the browser.",
    )
    weakness = fields.Text(
        "Weak Because",
        readonly=True,
        help="Meta takes the event, but can do less with it.",
    )
    browser_twin = fields.Boolean(
        readonly=True, help="The browser sends the same event with the same ID."
    )
    is_from_browser = fields.Boolean(
        readonly=True, help="A visitor's browser told of it, and nobody else has."
    )
    is_copy = fields.Boolean(
        readonly=True, help="The same event goes to the main pixel of its website."
    )
    happens_once = fields.Boolean(
        readonly=True,
        help="The one event of its name about its document; remembered for good.",
    )

    state = fields.Selection(
        [
            ("pending", "Pending"),
            ("sent", "Sent"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        readonly=True,
        required=True,
        default="pending",
    )
    failure_reason = fields.Selection(
        [
            ("invalid", "Invalid"),
            ("expired", "Expired"),
            ("exhausted", "Exhausted"),
        ],
        readonly=True,
        help="Invalid: refused, by Meta or before sending; the message names the field.\n"
        "Expired: it could not be sent in the time within which Meta takes it.\n"
        "Exhausted: Meta answered too often in a way nobody has documented.",
    )
    cause = fields.Selection(
        CAUSES,
        readonly=True,
        copy=False,
        help="Why the event is not with Meta; see the table of causes.",
    )
    value = Amount(readonly=True, copy=False)
    currency = fields.Char("Currency Code", readonly=True, copy=False)
    attempt_count = fields.Integer("Attempts", readonly=True)
    next_attempt_at = fields.Datetime("Next Attempt", readonly=True)
    sent_at = fields.Datetime(readonly=True)
    http_status = fields.Integer("HTTP Status", readonly=True)
    fbtrace_id = fields.Char("Trace ID", readonly=True)
    error_code = fields.Integer(readonly=True)
    error_subcode = fields.Integer(readonly=True)
    error_message = fields.Text("Message", readonly=True)
    response = fields.Text(
        "Meta Response", compute="_compute_response", search="_search_response"
    )
    attempt_ids = fields.Many2many(
        "meta.capi.attempt",
        string="Delivery Attempts",
        compute="_compute_attempt_ids",
        search="_search_attempt_ids",
    )
    document_name = fields.Char(
        "Document", compute="_compute_document_name", search="_search_document_name"
    )
    age = fields.Char("When", compute="_compute_age")
    currency_id = fields.Many2one("res.currency", compute="_compute_currency_id")
    money_back_ids = fields.Many2many("meta.capi.event", compute="_compute_money_back")
    money_back_value = Amount("Value Given Back", compute="_compute_money_back")
    short_cause = fields.Char("Why", compute="_compute_words")
    cure = fields.Text("What to Do", compute="_compute_words")
    is_held = fields.Boolean(
        "On Hold",
        compute="_compute_is_held",
        search="_search_is_held",
        help="The event waits because its pixel is stopped.",
    )
    held_reason = fields.Text(compute="_compute_held_reason")
    payload = fields.Text(compute="_compute_payload")
    isolation_part = fields.Integer(
        readonly=True,
        help="Events of a refused batch are sent in ever smaller parts until the one"
        " that Meta refuses is alone. Those with the same number travel together.",
    )
    unknown_count = fields.Integer(
        readonly=True, help="Undocumented answers to this event alone."
    )
    first_refusal_id = fields.Integer(
        readonly=True, help="The first request refused without a reason that had it."
    )

    def init(self):
        cr = self.env.cr
        create_list(cr, self._table, "carried_by")
        create_indexes(cr)
        tune_vacuum(cr)
        if create_summary(cr):
            # Nobody waits while what the log has is counted; our snapshot would also be
            # older than what others wrote before the triggers were there.
            commit_if_shared(cr, self._table)
            recount(cr)

    @api.model
    def _let_go_of_tables(self):
        """Let others write to what an update has locked, before it goes on to its files.

        Odoo has made by then what new fields want: indexes, references to other tables.
        """
        commit_if_shared(self.env.cr, self._table)

    def _compute_attempt_ids(self):
        ids_by_event = attempts_by_event(self.env.cr, self.ids)
        all_ids = {attempt_id for ids in ids_by_event.values() for attempt_id in ids}
        attempts = self.env["meta.capi.attempt"].browse(all_ids)
        for event in self:
            ids = sorted(ids_by_event.get(event.id, ()), reverse=True)
            event.attempt_ids = attempts.browse(ids).with_prefetch(attempts._ids)

    @api.model
    def _search_attempt_ids(self, operator, value):
        return searched(
            self.env, "meta.capi.attempt", operator, value, events_by_attempt
        )

    @api.depends("attempt_ids")
    def _compute_response(self):
        """Give what Meta said last; it is kept once for all the events of a request."""
        for event in self:
            answered = event.attempt_ids.filtered("outcome")
            event.response = answered[:1].response

    @api.model
    def _search_response(self, operator, value):
        return [("attempt_ids.response", operator, value)]

    def _compute_document_name(self):
        """Name the record the event is about, for those who may see the log."""
        for model, events in self.grouped("res_model").items():
            records = self.env.get(model) if model else None
            names = {}
            if records is not None:
                records = records.sudo().browse(events.mapped("res_id")).exists()
                names = {record.id: record.display_name for record in records}
            for event in events:
                event.document_name = names.get(event.res_id, False)

    @api.model
    def _search_document_name(self, operator, value):
        """Find the events of orders by what an order is called."""
        orders = self.env["sale.order"].sudo().search([("name", operator, value)])
        return [("res_model", "=", "sale.order"), ("res_id", "in", orders.ids)]

    @api.depends_context("lang")
    def _compute_age(self):
        for event in self:
            event.age = event.event_time and age_of(
                self.env, event.event_time, format="short"
            )

    def _compute_currency_id(self):
        currencies = self.env["res.currency"].with_context(active_test=False)
        codes = list(set(filter(None, self.mapped("currency"))))
        found = {c.name: c for c in currencies.search([("name", "in", codes)])}
        for event in self:
            event.currency_id = found.get(event.currency, False)

    def _compute_money_back(self):
        """Find what Meta was told is given back of the sale that a Purchase is of."""
        sales = {}
        purchases = self.filtered(lambda event: event.event_name == PURCHASE)
        for model, events in purchases.grouped("res_model").items():
            if model in self.env:
                records = self.env[model].sudo().browse(events.mapped("res_id"))
                for record in records.exists():
                    for documents in record._meta_capi_money_back_documents():
                        for document in documents:
                            sales[document._name, document.id] = model, record.id
        ids_by_model = {}
        for model, res_id in sales:
            ids_by_model.setdefault(model, []).append(res_id)
        name = self.env["meta.capi.money.back"]._name_of_event()
        found = {}
        for model, ids in ids_by_model.items():
            told = [
                ("res_model", "=", model),
                ("res_id", "in", ids),
                ("event_name", "=", name),
                ("state", "!=", "cancelled"),
                ("is_copy", "=", False),
            ]
            for event in self.search(told):
                sale = sales[model, event.res_id]
                found[sale] = found.get(sale, self.browse()) + event
        for event in self:
            back = self.browse()
            if event in purchases:
                back = found.get((event.res_model, event.res_id), back)
            event.money_back_ids = back
            # What is given back in another currency is listed, and not added up.
            same = back.filtered_domain([("currency", "=", event.currency)])
            event.money_back_value = sum(same.mapped("value"))

    def _compute_held_reason(self):
        """Give what Meta said when the pixel was stopped; the cause is in the words."""
        stopped = self.env["meta.capi.pixel"]._all().search([("state", "=", "stopped")])
        reasons = {pixel.pixel_id: pixel.error_message for pixel in stopped}
        for event in self:
            pending = event.state == "pending"
            event.held_reason = pending and reasons.get(event.pixel_id)

    def _compute_is_held(self):
        held = self.filtered_domain(self._search_is_held("=", True))
        for event in self:
            event.is_held = event in held

    @api.model
    def _search_is_held(self, operator, value):
        # Odoo 19 asks with "in" and a set.
        values = value if operator in ("in", "not in") else [value]
        wanted = any(values) != (operator in ("!=", "not in"))
        stopped = self.env["meta.capi.pixel"]._all().search([("state", "=", "stopped")])
        pixel_ids = stopped.mapped("pixel_id")
        if wanted:
            return [("state", "=", "pending"), ("pixel_id", "in", pixel_ids)]
        return ["|", ("state", "!=", "pending"), ("pixel_id", "not in", pixel_ids)]

    @api.depends_context("lang")
    def _compute_words(self):
        """Tell in a few words why an event is not with Meta, and what to do about it."""
        words = CauseWords(self.env)
        waiting = self.filtered(lambda event: event.state == "pending")
        pixels = (
            self.env["meta.capi.pixel"]
            ._all()
            .search([("pixel_id", "in", list(set(waiting.mapped("pixel_id"))))])
        )
        pixel_of = {pixel.pixel_id: pixel for pixel in pixels}
        for event in self:
            key = event.cause
            if event.state == "pending":
                key = event._cause_of_waiting(pixel_of.get(event.pixel_id, pixels[:0]))
            event.short_cause = words.label(key)
            if key == "cancelled":  # whoever wanted it so says why
                event.short_cause = (event.error_message or "").partition("\n")[0]
            event.cure = words.cure(key)

    def _cause_of_waiting(self, pixel):
        """Return what keeps this pending event from being sent now, if anything does."""
        if not self.env["meta.capi.config"]._is_enabled():
            return "off"
        if pixel.state == "stopped":
            return pixel.cause
        if self.cause:
            return self.cause
        now = fields.Datetime.now()
        if pixel.wait_until and pixel.wait_until > now:
            return "rate_limit"
        # A long queue is worked off in its order: only where nothing at all is tried.
        overdue = now - timedelta(minutes=_NEVER_TRIED_MINUTES)
        tried_at = pixel.last_attempt_at or overdue
        if self.next_attempt_at and self.next_attempt_at < overdue >= tried_at:
            return "no_runner"
        return False

    def _compute_payload(self):
        """Lay out the event as it is sent.

        By SQL, like the delivery: to the ORM, False and nothing are the same.
        """
        self.mapped("event_time")  # whose rules apply
        columns = [name for name in ServerEvent.__slots__ if name != "event_time"]
        self.env.cr.execute(
            SQL(
                "SELECT id, extract(epoch FROM event_time)::bigint, %s"
                " FROM meta_capi_event WHERE id = ANY(%s)",
                SQL(", ").join(map(SQL.identifier, columns)),
                self.ids,
            )
        )
        payloads = {}
        for event_id, event_time, *values in self.env.cr.fetchall():
            given = dict(zip(columns, values, strict=True))
            event = ServerEvent(event_time=event_time, **given)
            payloads[event_id] = json.dumps(
                event.to_dict(), indent=4, ensure_ascii=False
            )
        for event in self:
            event.payload = payloads.get(event.id)

    # --------------------------------------------------------------------- buttons

    def action_send_now(self):
        """Send the pending ones of these events while the person waits for the answer.

        In transactions of their own, like any delivery: what Meta answered stays on
        record, whatever becomes of the click.
        """
        Managers(self.env).check()
        events = self._to_act_on("pending", _("Only pending events can be sent."))
        groups = events.grouped("pixel_id").items()
        return EventActions(self.env).send(
            {pixel_id: group.ids for pixel_id, group in groups}
        )

    def action_retry(self):
        """Make the failed ones of these events pending again."""
        Managers(self.env).check()
        events = self._to_act_on("failed", _("Only failed events can be retried."))
        return EventActions(events.env).retry(events)

    def action_cancel(self):
        """Take the pending ones of these events out of the queue."""
        Managers(self.env).check()
        events = self._to_act_on("pending", _("Only pending events can be cancelled."))
        return EventActions(events.env).cancel(events)

    def action_open_document(self):
        """Open the record the event is about."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    def action_open_money_back(self):
        """Open the events that tell of money given back of this sale."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Money Back"),
            "res_model": self._name,
            "view_mode": "list,form",
            "domain": [("id", "in", self.money_back_ids.ids)],
        }

    def action_open_pixel(self):
        """Open the pixel that the event goes to, once something was sent to it."""
        self.ensure_one()
        pixel = (
            self.env["meta.capi.pixel"]
            ._all()
            .search([("pixel_id", "=", self.pixel_id)])
        )
        if not pixel:
            raise UserError(_("Nothing has been sent to this pixel yet."))
        return {
            "type": "ir.actions.act_window",
            "res_model": pixel._name,
            "res_id": pixel.id,
            "views": [(False, "form")],
        }

    def action_open_jobs(self):
        """Open the jobs of the event's pixel: each delivers all that is due."""
        self.ensure_one()
        keys = self.env["meta.capi.job"]._job_keys(self.pixel_id)
        return {
            "type": "ir.actions.act_window",
            "name": _("Jobs"),
            "res_model": "queue.job",
            "view_mode": "list,form",
            "domain": [("identity_key", "in", keys)],
        }

    def _still_sendable(self):
        """Return those of these events that Meta would still take, and count once."""
        now = self.env["meta.capi.job"]._now()
        copies = EventTable(self.env).first_copies(self.ids)
        return self.filtered(
            lambda event: (
                now
                < closes_at(
                    int(event.event_time.replace(tzinfo=timezone.utc).timestamp()),
                    event.action_source,
                    first_copy_at=copies.get(event.id),
                )
            )
        )

    def _to_act_on(self, state, refusal):
        """Return those of these events that are in ``state``, as superuser.

        Reading them with the rights of the user first applies the company rule.
        """
        if len(self) > MAX_EVENTS_AT_A_CLICK:
            raise UserError(
                _("Please choose at most %s events at once.", MAX_EVENTS_AT_A_CLICK)
            )
        events = self.filtered(lambda event: event.state == state)
        if not events:
            raise UserError(refusal)
        return events.sudo()

    # -------------------------------------------------------------------- retention

    @api.autovacuum
    def _gc_user_data(self):
        """Delete the personal data of finished events; their statistics stay longer."""
        days = self.env["meta.capi.config"]._get(setting.USER_DATA_RETENTION_DAYS)
        if days < 0:
            return
        before = fields.Datetime.now() - timedelta(days=days)
        clean_up(self.env, _of_the_log(EventTable.forget_old, before))

    @api.autovacuum
    def _gc_finished(self):
        """Delete finished events past their retention, and requests left without any."""
        days = self.env["meta.capi.config"]._get(setting.RETENTION_DAYS)
        if days < 0:
            return
        before = fields.Datetime.now() - timedelta(days=days)
        clean_up(
            self.env,
            _of_the_log(EventTable.purge, before),
            _of_the_log(EventTable.purge_requests, before),
        )


def _of_the_log(method, before):
    """Return a task of ``clean_up`` that is a method of ``EventTable``."""

    def task(env, limit, since):
        return method(EventTable(env), limit, since, before=before)

    return task
