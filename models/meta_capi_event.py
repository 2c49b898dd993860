import hashlib
import json
import time
from datetime import timedelta, timezone

from babel.dates import format_timedelta
from psycopg2.extras import Json

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL
from odoo.tools.misc import babel_locale_parse, get_lang

from ..capi.event import ServerEvent, read_event
from ..capi.schedule import closes_at, window_closes_at
from .meta_capi_cause import CAUSES

MANAGER = "ih_meta_conversions_api.group_meta_capi_manager"
# Events deleted by one run of the retention; the next run goes on.
PURGE_LIMIT = 50_000
MAX_EVENTS_AT_A_CLICK = 5_000
# What is written on an event whose person is to be forgotten.
_NOTHING_PERSONAL = {
    "user_data": Json({}),
    "event_source_url": None,
    "referrer_url": None,
    "partner_id": None,
}
# Columns that PostgreSQL fills in from others, so that whoever writes a row need not.
_GENERATED = {
    "value": (
        "double precision",
        "CASE WHEN jsonb_typeof(custom_data -> 'value') = 'number'"
        " THEN (custom_data ->> 'value')::double precision END",
    ),
    "currency": ("varchar", "custom_data ->> 'currency'"),
}
# Minutes after which an event that is due and was never tried tells that nothing runs.
_NEVER_TRIED_MINUTES = 15


class MetaCapiEvent(models.Model):
    """An event for Meta: first in the outbox, then in the log.

    Rows are written by ``meta.conversions.api`` in the transaction in which the event
    happens, and from then on by ``meta.capi.delivery`` alone, with one SQL statement
    for a whole batch: the ORM can neither lock with SKIP LOCKED nor insert with
    ON CONFLICT, and none of its services is needed here.
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
    weakness = fields.Text(
        "Weak Because",
        readonly=True,
        help="Meta takes the event, but can do less with it.",
    )
    browser_twin = fields.Boolean(
        readonly=True, help="The browser sends the same event with the same ID."
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
    value = fields.Float(readonly=True, copy=False)
    currency = fields.Char("Currency Code", readonly=True, copy=False)
    attempt_count = fields.Integer("Attempts", readonly=True)
    next_attempt_at = fields.Datetime("Next Attempt", readonly=True)
    sent_at = fields.Datetime(readonly=True)
    http_status = fields.Integer("HTTP Status", readonly=True)
    fbtrace_id = fields.Char("Trace ID", readonly=True)
    error_code = fields.Integer(readonly=True)
    error_subcode = fields.Integer(readonly=True)
    error_message = fields.Text("Message", readonly=True)
    response = fields.Text("Answer of Meta", readonly=True)
    attempt_ids = fields.Many2many(
        "meta.capi.attempt",
        "meta_capi_attempt_event_rel",
        "event_id",
        "attempt_id",
        string="Requests",
        readonly=True,
    )
    document_name = fields.Char(
        "Document", compute="_compute_document_name", search="_search_document_name"
    )
    age = fields.Char("When", compute="_compute_age")
    currency_id = fields.Many2one("res.currency", compute="_compute_currency_id")
    short_cause = fields.Char("Why", compute="_compute_words")
    cure = fields.Text("What to Do", compute="_compute_words")
    is_held = fields.Boolean(
        "Held",
        compute="_compute_is_held",
        search="_search_is_held",
        help="The event waits because its pixel is stopped.",
    )
    held_reason = fields.Text(compute="_compute_held_reason")
    payload = fields.Text("As Sent", compute="_compute_payload")
    isolation_part = fields.Integer(
        readonly=True,
        help="Events of a refused batch are sent in ever smaller parts until the one"
        " that Meta refuses is alone. Those with the same number travel together.",
    )

    def init(self):
        cr = self.env.cr
        cause = ("varchar", self.env["meta.capi.cause"]._expression())
        for column, (kind, expression) in {**_GENERATED, "cause": cause}.items():
            self._generate_column(column, kind, expression)
        # Idempotence: one row for what Meta would count once.
        cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS meta_capi_event_unique"
            " ON meta_capi_event (pixel_id, event_name, event_id)"
        )
        # The claim: its cost depends on what waits, not on the log.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_pending"
            " ON meta_capi_event (pixel_id, event_time, id) WHERE state = 'pending'"
        )
        # What an admin looks for first, however long the log.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_failed"
            " ON meta_capi_event (id) WHERE state = 'failed'"
        )
        # The retention.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_finished"
            " ON meta_capi_event (create_date) WHERE state <> 'pending'"
        )
        # The events of a document.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_origin"
            " ON meta_capi_event (res_model, res_id) WHERE res_id IS NOT NULL"
        )
        # The last days: what the log shows first, and all that the overview counts, so
        # that it reads the index alone and not the week's hashes.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_time"
            " ON meta_capi_event (event_time) INCLUDE (event_name, website_id,"
            " company_id, state, cause, user_data_keys)"
        )

    @api.model
    def _generate_column(self, name, kind, expression):
        """Have PostgreSQL fill in a column; anew when what it is made of has changed."""
        cr = self.env.cr
        mark = f"generated {hashlib.sha256(expression.encode()).hexdigest()[:16]}"
        cr.execute(
            SQL(
                "SELECT col_description(attrelid, attnum) FROM pg_attribute"
                " WHERE attrelid = 'meta_capi_event'::regclass AND attname = %s"
                " AND attgenerated = 's'",
                name,
            )
        )
        if cr.fetchone() == (mark,):
            return
        column = SQL.identifier(name)
        cr.execute(
            SQL("ALTER TABLE meta_capi_event DROP COLUMN IF EXISTS %s", column),
        )
        cr.execute(
            SQL(
                "ALTER TABLE meta_capi_event ADD COLUMN %s %s"
                " GENERATED ALWAYS AS (%s) STORED",
                column,
                SQL(kind),
                SQL(expression),
            )
        )
        cr.execute(SQL("COMMENT ON COLUMN meta_capi_event.%s IS %s", column, mark))

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
            event.age = event.event_time and self._age_of(
                event.event_time, format="short"
            )

    @api.model
    def _age_of(self, moment, add_direction=True, format="long"):
        """Tell how long ago that was the way people do: 5 minutes ago."""
        past = min(moment - fields.Datetime.now(), timedelta())
        locale = babel_locale_parse(get_lang(self.env).code)
        return format_timedelta(
            past, add_direction=add_direction, format=format, locale=locale
        )

    def _compute_currency_id(self):
        currencies = self.env["res.currency"].with_context(active_test=False)
        codes = list(set(filter(None, self.mapped("currency"))))
        found = {c.name: c for c in currencies.search([("name", "in", codes)])}
        for event in self:
            event.currency_id = found.get(event.currency, False)

    def _compute_held_reason(self):
        """Tell why a pending event does not move."""
        stopped = self.env["meta.capi.pixel"].search([("state", "=", "stopped")])
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
        stopped = self.env["meta.capi.pixel"].search([("state", "=", "stopped")])
        pixel_ids = stopped.mapped("pixel_id")
        if wanted:
            return [("state", "=", "pending"), ("pixel_id", "in", pixel_ids)]
        return ["|", ("state", "!=", "pending"), ("pixel_id", "not in", pixel_ids)]

    @api.depends_context("lang")
    def _compute_words(self):
        """Tell in a few words why an event is not with Meta, and what to do about it."""
        causes = self.env["meta.capi.cause"]
        waiting = self.filtered(lambda event: event.state == "pending")
        pixels = self.env["meta.capi.pixel"].search(
            [("pixel_id", "in", list(set(waiting.mapped("pixel_id"))))]
        )
        pixel_of = {pixel.pixel_id: pixel for pixel in pixels}
        for event in self:
            if event.state == "cancelled":
                event.short_cause = (event.error_message or "").partition("\n")[0]
                event.cure = causes._cure_of_refusal(event.error_message)
                continue
            key = event.cause
            if event.state == "pending":
                key = event._cause_of_waiting(pixel_of.get(event.pixel_id, pixels[:0]))
            event.short_cause = causes._label(key)
            event.cure = causes._cure(key)

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
        self._check_manager()
        events = self._to_act_on("pending", _("Only pending events can be sent."))
        groups = events.grouped("pixel_id").items()
        return self._send_and_tell({pixel_id: group.ids for pixel_id, group in groups})

    @api.model
    def _send_and_tell(self, ids_by_pixel):
        """Send these events now and return Meta's last answer as a notification."""
        delivery = self.env["meta.capi.delivery"]
        answer, sent = None, 0
        for pixel_id, event_ids in ids_by_pixel.items():
            more = True
            while more:
                step = delivery._deliver_batch(pixel_id, event_ids)
                answer, sent = step.answer or answer, sent + step.sent
                more = step.more and step.answer
        self.env.invalidate_all()
        if answer is None:
            message = _(
                "Nothing was sent: the events are being sent right now, or sending is"
                " switched off or has no access token."
            )
        elif answer.error_message:
            message = _(
                "%(sent)s sent. Meta's last answer: %(answer)s",
                sent=sent,
                answer=answer.error_message,
            )
        else:
            message = _(
                "%(sent)s sent. Meta: %(answer)s", sent=sent, answer=answer.body
            )
        return self._notification(
            message, "success" if sent and not answer.error_message else "warning"
        )

    def action_retry(self):
        """Make the failed ones of these events pending again."""
        self._check_manager()
        events = self._to_act_on("failed", _("Only failed events can be retried."))
        return events._retry()

    def _retry(self):
        """Make these failed events pending, due at once, and let their pixels try.

        Much may have changed since they failed: a customer may object by now, or tell
        more than the event did.
        """
        locked = self._lock_rows("failed")
        objecting = locked.filtered(
            lambda event: event.sudo().partner_id._meta_capi_objects()
        )
        self._refuse(objecting.ids, _("The customer objects to events for Meta."))
        locked -= objecting
        for event in locked.filtered(lambda event: event.cause == "user_data"):
            event._complete_user_data()
        locked._update(
            locked.ids,
            state="pending",
            failure_reason=None,
            attempt_count=0,
            next_attempt_at=fields.Datetime.now(),
            isolation_part=None,
            # Of a pending event they would tell why it waits. The requests keep them.
            **dict.fromkeys(
                ("http_status", "error_code", "error_subcode", "error_message")
            ),
        )
        pixels = self.env["meta.capi.pixel"].sudo()
        for pixel_id in set(locked.mapped("pixel_id")):
            pixels.search([("pixel_id", "=", pixel_id)])._release()
            self.env["meta.capi.delivery"]._schedule(pixel_id, delay=0)
        return self._notification(
            _("Events pending again: %(count)s.", count=len(locked)), "success"
        )

    def _complete_user_data(self):
        """Add to an event that could be anybody's what its customer tells by now."""
        self.ensure_one()
        user_data = {
            **self.user_data,
            **self.sudo().partner_id._meta_capi_user_data(),
        }
        config = self.env["meta.capi.config"]
        event, _problems = read_event(
            {"user_data": user_data},
            now=time.time(),
            default_country=self.company_id.country_code or None,
            withheld=config._withheld_user_data(),
        )
        columns = {
            "user_data": Json(event.user_data),
            "user_data_keys": ",".join(sorted(event.user_data)) or None,
        }
        if self.data_processing_options in (None, False):
            # The place of the customer, which may be known only now, decides.
            api = self.env["meta.conversions.api"]
            event = api._limit_data_use(config, event, user_data)
            if event.data_processing_options is not None:
                columns.update(
                    data_processing_options=Json(event.data_processing_options),
                    data_processing_options_country=event.data_processing_options_country,
                    data_processing_options_state=event.data_processing_options_state,
                )
        self._update(self.ids, **columns)

    def action_cancel(self):
        """Take the pending ones of these events out of the queue."""
        self._check_manager()
        events = self._to_act_on("pending", _("Only pending events can be cancelled."))
        locked = events._lock_rows("pending")
        locked._update(
            locked.ids,
            state="cancelled",
            next_attempt_at=None,
            error_message=_("Cancelled by %s.", self.env.user.name),
        )
        if len(locked) < len(events):
            return self._notification(
                _(
                    "%(cancelled)s cancelled. %(others)s are being sent right now.",
                    cancelled=len(locked),
                    others=len(events) - len(locked),
                ),
                "warning",
            )
        return self._notification(
            _("Events cancelled: %(count)s.", count=len(locked)), "success"
        )

    def action_open_document(self):
        """Open the record the event is about."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    def action_open_pixel(self):
        """Open the pixel that the event goes to, once something was sent to it."""
        self.ensure_one()
        pixel = self.env["meta.capi.pixel"].search([("pixel_id", "=", self.pixel_id)])
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
        keys = self.env["meta.capi.delivery"]._job_keys(self.pixel_id)
        return {
            "type": "ir.actions.act_window",
            "name": _("Jobs"),
            "res_model": "queue.job",
            "view_mode": "list,form",
            "domain": [("identity_key", "in", keys)],
        }

    def _still_sendable(self):
        """Return those of these events that Meta would still take, and count once."""
        now = time.time()
        arrivals = self.env["meta.capi.delivery"]._first_arrivals(self.ids)
        return self.filtered(
            lambda event: (
                now
                < closes_at(
                    int(event.event_time.replace(tzinfo=timezone.utc).timestamp()),
                    event.action_source,
                    arrived_at=arrivals.get(event.id),
                    browser_twin=event.browser_twin,
                )
            )
        )

    def _check_manager(self):
        if not (self.env.su or self.env.user.has_group(MANAGER)):
            raise AccessError(
                _("Only managers of the Meta Conversions API may do this.")
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

    def _lock_rows(self, state):
        """Return those in ``state`` that no delivery holds at this moment, locked."""
        self.env.cr.execute(
            SQL(
                "SELECT id FROM meta_capi_event WHERE id = ANY(%s) AND state = %s"
                " FOR NO KEY UPDATE SKIP LOCKED",
                self.ids,
                state,
            )
        )
        return self.browse(event_id for (event_id,) in self.env.cr.fetchall())

    def _notification(self, message, kind):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": message,
                "sticky": kind != "success",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    # ------------------------------------------------------------- state transitions

    @api.model
    def _refuse(self, event_ids, message):
        """Cancel these events because their person may not be told of, and forget it."""
        self._update(
            event_ids,
            state="cancelled",
            failure_reason=None,
            next_attempt_at=None,
            isolation_part=None,
            error_message=message,
            **_NOTHING_PERSONAL,
        )

    @api.model
    def _forget_partners(self, partner_ids, message):
        """Remove what leads to these persons, and cancel what is pending about them.

        The browsers that made their documents go too. An event that is being sent at
        this moment is waited for.
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "SELECT id, res_model, res_id FROM meta_capi_event"
                " WHERE partner_id = ANY(%s) OR res_model = 'res.partner' AND res_id = ANY(%s)",
                list(partner_ids),
                list(partner_ids),
            )
        )
        rows = self.env.cr.fetchall()
        self._update(
            [event_id for event_id, _model, _id in rows],
            state=SQL("CASE state WHEN 'pending' THEN 'cancelled' ELSE state END"),
            error_message=SQL(
                "CASE state WHEN 'pending' THEN %s ELSE error_message END", message
            ),
            next_attempt_at=None,
            isolation_part=None,
            res_id=SQL("CASE res_model WHEN 'res.partner' THEN NULL ELSE res_id END"),
            **_NOTHING_PERSONAL,
        )
        orders = self.env["sale.order"].sudo().with_context(active_test=False)
        orders = orders.search([("partner_id", "in", list(partner_ids))])
        documents = {("sale.order", order.id) for order in orders}
        documents |= {(model, res_id) for _id, model, res_id in rows if model}
        self.env["meta.capi.browser"].sudo()._forget(documents)

    @api.model
    def _settle(self, event_ids, answer, **values):
        """Write Meta's answer to a request on its events, with what it makes of them."""
        self._update(
            event_ids,
            attempt_count=SQL("coalesce(attempt_count, 0) + 1"),
            http_status=answer.http_status,
            fbtrace_id=answer.fbtrace_id,
            error_code=answer.error_code,
            error_subcode=answer.error_subcode,
            error_message=answer.error_message,
            response=answer.body,
            **values,
        )

    @api.model
    def _fail(self, event_ids, answer, failure_reason):
        """Give up on these events because of Meta's answer."""
        self._settle(
            event_ids,
            answer,
            state="failed",
            failure_reason=failure_reason,
            next_attempt_at=None,
            isolation_part=None,
        )

    @api.model
    def _expire(self, event_ids, message):
        """Give up on these events because their time has passed."""
        self._update(
            event_ids,
            state="failed",
            failure_reason="expired",
            next_attempt_at=None,
            isolation_part=None,
            error_message=message,
        )

    @api.model
    def _expire_overdue(self):
        """Give up on what Meta takes no longer, also where nothing is being sent."""
        for condition, action_source in (
            (SQL("action_source <> %s", "physical_store"), "website"),
            (SQL("action_source = %s", "physical_store"), "physical_store"),
        ):
            window = window_closes_at(0, action_source)
            self.env.cr.execute(
                SQL(
                    """
                    SELECT id
                      FROM meta_capi_event
                     WHERE state = 'pending' AND event_time <= %s AND %s
                       FOR NO KEY UPDATE SKIP LOCKED
                    """,
                    fields.Datetime.now() - timedelta(seconds=window),
                    condition,
                )
            )
            overdue = [event_id for (event_id,) in self.env.cr.fetchall()]
            self._expire(overdue, _("Meta takes no event this old; it was not sent."))

    @api.model
    def _make_due(self, pixel_id):
        """End the waiting of the pixel's events that were to be retried later."""
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                UPDATE meta_capi_event
                   SET next_attempt_at = %s
                 WHERE id IN (
                    SELECT id
                      FROM meta_capi_event
                     WHERE state = 'pending' AND pixel_id = %s AND next_attempt_at > %s
                       FOR NO KEY UPDATE SKIP LOCKED
                 )
                """,
                now,
                pixel_id,
                now,
            )
        )

    @api.model
    def _update(self, event_ids, **values):
        """Write the same values on all these events with one statement.

        :param values: by column; an ``SQL`` is taken as an expression
        """
        if not event_ids:
            return
        values = {
            **values,
            "write_uid": self.env.uid,
            "write_date": SQL("now() AT TIME ZONE 'UTC'"),
        }
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_event SET %s WHERE id = ANY(%s)",
                SQL(", ").join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in values.items()
                ),
                list(event_ids),
            )
        )
        self.browse(event_ids).invalidate_recordset(flush=False)

    # -------------------------------------------------------------------- retention

    @api.autovacuum
    def _gc_user_data(self):
        """Delete the personal data of finished events; their statistics stay longer."""
        days = self.env["meta.capi.config"]._user_data_retention_days()
        if days < 0:
            return
        self.env.cr.execute(
            SQL(
                "SELECT id FROM meta_capi_event WHERE state <> 'pending'"
                " AND create_date < %s AND user_data <> '{}'::jsonb LIMIT %s",
                fields.Datetime.now() - timedelta(days=days),
                PURGE_LIMIT,
            )
        )
        self._update(
            [event_id for (event_id,) in self.env.cr.fetchall()],
            **_NOTHING_PERSONAL,
        )

    @api.autovacuum
    def _gc_finished(self):
        """Delete finished events past their retention, and requests left without any."""
        days = self.env["meta.capi.config"]._retention_days()
        if days < 0:
            return
        limit = fields.Datetime.now() - timedelta(days=days)
        self.search(
            [("state", "!=", "pending"), ("create_date", "<", limit)],
            limit=PURGE_LIMIT,
            order="create_date",
        ).unlink()
        self.env.cr.execute(
            SQL(
                """
                DELETE FROM meta_capi_attempt attempt
                 WHERE started_at < %s
                   AND NOT EXISTS (SELECT FROM meta_capi_attempt_event_rel rel
                                    WHERE rel.attempt_id = attempt.id)
                """,
                limit,
            )
        )
