from odoo import api, fields, models
from odoo.tools import SQL

from ..common.schema import create_indexes
from .carried import attempts_by_event, create_list, events_by_attempt, searched


class MetaCapiAttempt(models.Model):
    """One HTTP request to Meta, shared by the events it carried.

    The row is committed before the request leaves and completed with the answer. One
    that stays without an outcome tells that the process died in between, and that Meta
    may have the events all the same.
    """

    _name = "meta.capi.attempt"
    _description = "Request to Meta"
    _order = "id desc"
    _rec_name = "started_at"

    started_at = fields.Datetime(readonly=True, required=True)
    duration_ms = fields.Integer("Duration (ms)", readonly=True)
    pixel_id = fields.Char("Pixel ID", readonly=True, required=True)
    event_count = fields.Integer("Events", readonly=True)
    event_ids = fields.Many2many(
        "meta.capi.event",
        string="Carried Events",
        compute="_compute_event_ids",
        search="_search_event_ids",
    )
    outcome = fields.Selection(
        [
            ("accepted", "Accepted"),
            ("transient", "No usable answer"),
            ("unknown", "Unknown answer"),
            ("throttled", "Rate limited"),
            ("stopped", "Token or permission"),
            ("refused", "Refused"),
            ("ambiguous", "Refused without a reason"),
            ("early", "Time in the future"),
        ],
        readonly=True,
        help="Empty: the request began, and the process ended before its answer.",
    )
    arrived = fields.Boolean(
        "May Have Arrived",
        readonly=True,
        default=True,
        help="Meta may have the events, even though it did not confirm them.",
    )
    http_status = fields.Integer("HTTP Status", readonly=True)
    fbtrace_id = fields.Char("Trace ID", readonly=True)
    error_code = fields.Integer(readonly=True)
    error_subcode = fields.Integer(readonly=True)
    error_message = fields.Text(readonly=True)
    response = fields.Text("Meta Response", readonly=True)

    def init(self):
        create_list(self.env.cr, self._table, "carried")
        indexes = {
            "accepted": "(pixel_id, id) WHERE outcome = 'accepted'",
            "undecided": "(id) WHERE outcome IS NULL",
            # The retention.
            "started": "(started_at)",
        }
        create_indexes(self.env.cr, self._table, indexes)

    def _compute_event_ids(self):
        carried = events_by_attempt(self.env.cr, self.ids)
        all_ids = {event_id for ids in carried.values() for event_id in ids}
        # Those that the user may see, and that are still there.
        events = self.env["meta.capi.event"].search([("id", "in", list(all_ids))])
        for attempt in self:
            ids = set(carried.get(attempt.id, ()))
            attempt.event_ids = events.filtered(lambda event, ids=ids: event.id in ids)

    @api.model
    def _search_event_ids(self, operator, value):
        return searched(self.env, "meta.capi.event", operator, value, attempts_by_event)

    @api.model
    def _begin(self, pixel_id, event_ids, now):
        """Return the row of a request that leaves at ``now``, a datetime."""
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO meta_capi_attempt (
                    started_at, pixel_id, event_count, carried, arrived,
                    create_uid, create_date, write_uid, write_date
                ) VALUES (
                    %(now)s, %(pixel_id)s, %(count)s, %(event_ids)s, true,
                    %(uid)s, %(now)s, %(uid)s, %(now)s
                ) RETURNING id
                """,
                now=now,
                pixel_id=pixel_id,
                count=len(event_ids),
                uid=self.env.uid,
                event_ids=list(event_ids),
            )
        )
        return self.browse(self.env.cr.fetchone())

    def _complete(self, answer):
        """Write down Meta's answer, or that there was none."""
        self.write(
            {
                "outcome": answer.outcome.value,
                "arrived": answer.arrived,
                "duration_ms": answer.duration_ms,
                "http_status": answer.http_status,
                "fbtrace_id": answer.fbtrace_id,
                "error_code": answer.error_code,
                "error_subcode": answer.error_subcode,
                "error_message": answer.error_message,
                "response": answer.body,
            }
        )
        # What follows looks for outcomes with SQL.
        self.flush_recordset()
