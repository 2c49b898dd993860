import json
from datetime import timedelta, timezone

from babel.dates import format_timedelta
from psycopg2.extras import Json

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL
from odoo.tools.misc import babel_locale_parse, get_lang

from ...capi.event import ServerEvent, read_event
from ...capi.privacy import limit_data_use
from ...capi.schedule import closes_at
from ..common.refusal import Refusal
from .meta_capi_cause import CAUSES
from .outbox import NOTHING_PERSONAL, EventTable

MANAGER = "ih_meta_conversions_api.group_meta_capi_manager"
# Events deleted by one run of the retention; the next run goes on.
PURGE_LIMIT = 50_000
MAX_EVENTS_AT_A_CLICK = 5_000
# All that the overview counts, so that it reads an index alone and not the hashes of a
# whole period; and the last days, which the log shows first.
COUNTING_INDEXES = (
    "CREATE INDEX IF NOT EXISTS meta_capi_event_period ON meta_capi_event (event_time)"
    " INCLUDE (event_name, state, sent_at, website_id, company_id, pixel_id,"
    " user_data_keys, action_source)",
    "CREATE INDEX IF NOT EXISTS meta_capi_event_failures"
    " ON meta_capi_event (create_date) INCLUDE (event_time, cause, website_id,"
    " company_id, pixel_id) WHERE state = 'failed'",
    # What the first of these has replaced.
    "DROP INDEX IF EXISTS meta_capi_event_time",
)
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
    unknown_count = fields.Integer(
        readonly=True, help="Undocumented answers to this event alone."
    )
    first_refusal_id = fields.Integer(
        readonly=True, help="The first request refused without a reason that had it."
    )

    def init(self):
        cr = self.env.cr
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
        # The visits that came by an ad, in the overview.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_click"
            " ON meta_capi_event (event_time) WHERE click_browser IS NOT NULL"
        )
        # Consent withdrawn: what is still to be sent, or could be, of one browser.
        for key in ("fbp", "fbc"):
            cr.execute(
                SQL(
                    "CREATE INDEX IF NOT EXISTS %s ON meta_capi_event ((user_data ->> %s))"
                    " WHERE state IN ('pending', 'failed')"
                    " AND (user_data ->> %s) IS NOT NULL",
                    SQL.identifier(f"meta_capi_event_{key}"),
                    key,
                    key,
                )
            )
        # The events of a document.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_event_origin"
            " ON meta_capi_event (res_model, res_id) WHERE res_id IS NOT NULL"
        )
        for statement in COUNTING_INDEXES:
            cr.execute(statement)

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
        causes = self.env["meta.capi.cause"]
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
            event.short_cause = causes._label(key)
            if key == "cancelled":  # whoever wanted it so says why
                event.short_cause = (event.error_message or "").partition("\n")[0]
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
        runs = [
            delivery._deliver_chosen(pixel_id, event_ids)
            for pixel_id, event_ids in ids_by_pixel.items()
        ]
        self.env.invalidate_all()
        sent = sum(run.sent for run in runs)
        answers = [answer for run in runs for answer in run.answers]
        objections = [answer for answer in answers if answer.error_message]
        if not answers:
            message = _(
                "Nothing was sent: the events are being sent right now, or sending is"
                " switched off."
            )
        elif objections:
            message = _(
                "%(sent)s sent. Meta's last answer: %(answer)s",
                sent=sent,
                answer=objections[-1].error_message,
            )
        else:
            message = _(
                "%(sent)s sent. Meta: %(answer)s", sent=sent, answer=answers[-1].body
            )
        return self._notification(
            message, "success" if sent and not objections else "warning"
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
        table = EventTable(self.env)
        locked = self.browse(table.lock(self.ids, "failed"))
        objecting = locked.filtered(
            lambda event: event.sudo().partner_id._meta_capi_objects()
        )
        objection = Refusal("objection", _("The customer objects to events for Meta."))
        self._refuse(objecting.ids, objection)
        locked -= objecting
        # A copy that Meta may have is told from this one by what it says of the person.
        may_differ = locked - self.browse(table.first_copies(locked.ids))
        for event in may_differ.filtered(lambda event: event.cause == "user_data"):
            event._complete_user_data()
        table.retry(locked.ids, self.env["meta.capi.delivery"]._now())
        pixels = self.env["meta.capi.pixel"].sudo()
        for pixel_id in set(locked.mapped("pixel_id")):
            pixels._all().search([("pixel_id", "=", pixel_id)])._release()
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
            now=self.env["meta.capi.delivery"]._now(),
            default_country=self.company_id.country_code or None,
            withheld=config._withheld_user_data(),
        )
        columns = {
            "user_data": Json(event.user_data),
            "user_data_keys": ",".join(sorted(event.user_data)) or None,
        }
        if self.data_processing_options in (None, False):
            # The place of the customer, which may be known only now, decides.
            event = limit_data_use(event, config._limited_data_use(), user_data)
            if event.data_processing_options is not None:
                columns.update(
                    data_processing_options=Json(event.data_processing_options),
                    data_processing_options_country=event.data_processing_options_country,
                    data_processing_options_state=event.data_processing_options_state,
                )
        EventTable(self.env).set_values(self.ids, **columns)

    def action_cancel(self):
        """Take the pending ones of these events out of the queue."""
        self._check_manager()
        events = self._to_act_on("pending", _("Only pending events can be cancelled."))
        table = EventTable(self.env)
        locked = table.lock(events.ids, "pending")
        message = _("Cancelled by %s.", self.env.user.name)
        table.cancel(locked, "cancelled_by_hand", message)
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

    @api.model
    def _moves_from(self, pixel_id):
        """Return what was never sent to a pixel that its website does not use any more.

        :return: a list of pairs: events, and the pixel that they can be moved to
        """
        capi_config = self.env["meta.capi.config"]
        pending = [("state", "=", "pending"), ("pixel_id", "=", pixel_id)]
        moves = []
        for website, events in self.search(pending).grouped("website_id").items():
            target = capi_config._pixel_id(website)
            if target and pixel_id not in capi_config._pixel_ids(website):
                movable = EventTable(self.env).movable(events.ids, target)
                moves += [(self.browse(movable), target)] if movable else []
        return moves

    @api.model
    def _move(self, events, pixel_id):
        """Have those of these events sent to another pixel that Meta has never had.

        Not those that are being sent at this moment.

        :return: how many they are
        """
        delivery = self.env["meta.capi.delivery"]
        moved = EventTable(self.env).move(events.ids, pixel_id, delivery._now())
        if moved:
            delivery._schedule(pixel_id, delay=0)
        return len(moved)

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
        now = self.env["meta.capi.delivery"]._now()
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

    # ----------------------------------------------------------- whom it is not about

    @api.model
    def _refuse(self, event_ids, refusal):
        """Cancel these events because their person may not be told of, and forget it."""
        if event_ids:
            EventTable(self.env).cancel(event_ids, *refusal, **NOTHING_PERSONAL)

    @api.model
    def _forget_partners(self, partner_ids, refusal):
        """Remove what leads to these persons, and cancel what is pending about them.

        The browsers that made their documents go too.
        """
        documents = EventTable(self.env).forget_partners(partner_ids, *refusal)
        orders = self.env["sale.order"].sudo().with_context(active_test=False)
        orders = orders.search([("partner_id", "in", list(partner_ids))])
        documents |= {("sale.order", order.id) for order in orders}
        self.env["meta.capi.browser"].sudo()._forget(documents)

    # -------------------------------------------------------------------- retention

    @api.autovacuum
    def _gc_user_data(self):
        """Delete the personal data of finished events; their statistics stay longer."""
        days = self.env["meta.capi.config"]._user_data_retention_days()
        if days < 0:
            return
        before = fields.Datetime.now() - timedelta(days=days)
        EventTable(self.env).forget_old(before, PURGE_LIMIT)

    @api.autovacuum
    def _gc_finished(self):
        """Delete finished events past their retention, and requests left without any."""
        days = self.env["meta.capi.config"]._retention_days()
        if days < 0:
            return
        before = fields.Datetime.now() - timedelta(days=days)
        EventTable(self.env).purge(before, PURGE_LIMIT)
