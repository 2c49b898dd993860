from odoo import api, fields, models
from odoo.tools import SQL

from ..common.schema import create_indexes


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
        "meta_capi_attempt_event_rel",
        "attempt_id",
        "event_id",
        string="Carried Events",
        readonly=True,
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
        accepted = "(pixel_id, id) WHERE outcome = 'accepted'"
        create_indexes(self.env.cr, self._table, {"accepted": accepted})

    @api.model
    def _begin(self, pixel_id, event_ids, now):
        """Return the row of a request that leaves at ``now``, a datetime."""
        # By SQL: of a thousand events, the ORM would make a thousand rows of its own.
        self.env.cr.execute(
            SQL(
                """
                WITH attempt AS (
                    INSERT INTO meta_capi_attempt (
                        started_at, pixel_id, event_count, arrived,
                        create_uid, create_date, write_uid, write_date
                    ) VALUES (
                        %(now)s, %(pixel_id)s, %(count)s, true,
                        %(uid)s, %(now)s, %(uid)s, %(now)s
                    ) RETURNING id
                ), link AS (
                    INSERT INTO meta_capi_attempt_event_rel (attempt_id, event_id)
                    SELECT attempt.id, unnest(%(event_ids)s) FROM attempt
                )
                SELECT id FROM attempt
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
