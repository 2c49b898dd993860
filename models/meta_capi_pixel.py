from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools import SQL

from ..capi.causes import cause_of_code
from ..capi.const import MAX_EVENTS
from .meta_capi_cause import CAUSES

PROBE_HOURS = 1
PROBE_SIZE = 10
STOPPED = "mail.mail_activity_data_warning"
EVENTS_MANAGER = "https://business.facebook.com/events_manager2/list/pixel/{}/overview"


class MetaCapiPixel(models.Model):
    """The state of a pixel: what stops or slows its delivery, and until when.

    A row exists for every pixel something was delivered to. Events are never held one
    by one: the pending events of a stopped pixel are held.
    """

    _name = "meta.capi.pixel"
    _description = "Meta Pixel"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _rec_name = "pixel_id"
    _order = "pixel_id"

    pixel_id = fields.Char("Pixel ID", readonly=True, required=True)
    state = fields.Selection(
        [("running", "Running"), ("stopped", "Stopped")],
        readonly=True,
        tracking=True,
        required=True,
        default="running",
    )
    stopped_at = fields.Datetime(readonly=True)
    next_probe_at = fields.Datetime(
        "Next Probe",
        readonly=True,
        help="When a few events are sent to see whether the cause is gone.",
    )
    wait_until = fields.Datetime(
        readonly=True, help="Meta asked not to be called before this time."
    )
    failing_since = fields.Datetime(
        readonly=True, help="No request has succeeded since; events are retried."
    )
    witness_wanted = fields.Boolean(
        readonly=True,
        help="An event was refused without a reason; the next request tells whether"
        " that is the event's fault or the pixel's.",
    )
    error_code = fields.Integer(readonly=True)
    error_subcode = fields.Integer(readonly=True)
    error_message = fields.Text("Reason", readonly=True, tracking=True)
    fbtrace_id = fields.Char("Trace ID", readonly=True)
    pending_count = fields.Integer("Pending Events", compute="_compute_pending_count")
    cause = fields.Selection(
        CAUSES, compute="_compute_cause", help="What stops or slows the delivery."
    )
    cure = fields.Text("What to Do", compute="_compute_cause")
    last_attempt_at = fields.Datetime("Last Request", compute="_compute_last_attempt")
    last_success_at = fields.Datetime("Last Success", compute="_compute_last_attempt")

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS meta_capi_pixel_unique"
            " ON meta_capi_pixel (pixel_id)"
        )

    def _compute_pending_count(self):
        counts = dict(
            self.env["meta.capi.event"]._read_group(
                [
                    ("state", "=", "pending"),
                    ("pixel_id", "in", self.mapped("pixel_id")),
                ],
                ["pixel_id"],
                ["__count"],
            )
        )
        for pixel in self:
            pixel.pending_count = counts.get(pixel.pixel_id, 0)

    def _compute_last_attempt(self):
        attempts = self.env["meta.capi.attempt"]
        for pixel in self:
            made = [("pixel_id", "=", pixel.pixel_id)]
            accepted = [*made, ("outcome", "=", "accepted")]
            pixel.last_attempt_at = attempts.search(made, limit=1).started_at
            pixel.last_success_at = attempts.search(accepted, limit=1).started_at

    @api.depends_context("lang")
    def _compute_cause(self):
        for pixel in self:
            pixel.cause = pixel._find_cause()
            pixel.cure = self.env["meta.capi.cause"]._cure(pixel.cause)

    def _find_cause(self):
        """Return what stops or slows the delivery to this pixel, or False."""
        if self.state == "stopped":
            if self.error_code:
                return cause_of_code(self.error_code, self.error_subcode)
            token = self.env["meta.capi.config"]._access_token(self.pixel_id)
            return "setting" if token else "no_token"
        if self.wait_until and self.wait_until > fields.Datetime.now():
            return "rate_limit"
        if not self.failing_since:
            return False
        pending = [("state", "=", "pending"), ("pixel_id", "=", self.pixel_id)]
        tried = [*pending, ("cause", "!=", False)]
        return self.env["meta.capi.event"].search(tried, limit=1).cause or "meta_down"

    def action_open(self):
        """Open the pixel on a page of its own."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
        }

    def action_open_events(self):
        """Open the events of this pixel, those that wait first."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "ih_meta_conversions_api.meta_capi_event_action"
        )
        action.update(
            domain=[("pixel_id", "=", self.pixel_id)],
            context={"search_default_pending": 1},
        )
        return action

    def action_open_events_manager(self):
        """Open the pixel at Meta."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_url",
            "url": EVENTS_MANAGER.format(self.pixel_id),
            "target": "new",
        }

    @api.model
    def _get(self, pixel_id):
        """Return the row of ``pixel_id``, created at first sight."""
        pixel = self.search([("pixel_id", "=", pixel_id)])
        if not pixel:
            # Several workers may see a pixel for the first time at once. Committed on its
            # own, the row does not make them wait for the request of the first one.
            with self.env["meta.capi.delivery"]._delivery_cursor() as cr:
                cr.execute(
                    SQL(
                        "INSERT INTO meta_capi_pixel (pixel_id, state, create_uid,"
                        " create_date, write_uid, write_date)"
                        " VALUES (%s, 'running', %s, now() AT TIME ZONE 'UTC', %s,"
                        " now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING",
                        pixel_id,
                        self.env.uid,
                        self.env.uid,
                    )
                )
            pixel = self.search([("pixel_id", "=", pixel_id)])
        return pixel

    def _batch_limit(self):
        """Return how many events may be sent to this pixel now; 0: none."""
        self.ensure_one()
        now = fields.Datetime.now()
        if self.wait_until and self.wait_until > now:
            return 0
        if self.state == "stopped":
            return PROBE_SIZE if self._take_probe(now) else 0
        return 1 if self.witness_wanted else MAX_EVENTS

    def _take_probe(self, now):
        """Tell whether this hour's probe is ours, and put off the next one.

        Committed on its own: it is one probe, also for other workers and if this one
        dies on it.
        """
        with self.env["meta.capi.delivery"]._delivery_cursor() as cr:
            cr.execute(
                SQL(
                    "UPDATE meta_capi_pixel SET next_probe_at = %s"
                    " WHERE id = %s AND next_probe_at <= %s",
                    now + timedelta(hours=PROBE_HOURS),
                    self.id,
                    now,
                )
            )
            taken = bool(cr.rowcount)
        self.invalidate_recordset(["next_probe_at"], flush=False)
        return taken

    def _wants_witness(self):
        """Tell whether the newest events tell more than the oldest.

        What stopped the pixel, or made us doubt it, may lie in the oldest ones alone.
        """
        self.ensure_one()
        return self.state == "stopped" or self.witness_wanted

    def _is_troubled(self):
        self.ensure_one()
        return bool(
            self.state == "stopped" or self.failing_since or self.witness_wanted
        )

    def _wait(self, seconds):
        """Send nothing to this pixel for ``seconds``."""
        self.ensure_one()
        self.wait_until = fields.Datetime.now() + timedelta(seconds=seconds)

    def _stop(self, message, *, code=None, subcode=None, fbtrace_id=None):
        """Hold the events of this pixel until its cause is gone; tell the managers."""
        self.ensure_one()
        now = fields.Datetime.now()
        first = self.state != "stopped"
        self.write(
            {
                "state": "stopped",
                "stopped_at": now if first else self.stopped_at,
                "next_probe_at": now + timedelta(hours=PROBE_HOURS),
                "witness_wanted": False,
                "error_code": code,
                "error_subcode": subcode,
                "error_message": message,
                "fbtrace_id": fbtrace_id,
            }
        )
        if first:
            self._notify_managers(
                _("Meta takes no events of pixel %s", self.pixel_id),
                message,
                activity_type=STOPPED,
            )

    def _release(self):
        """Let the stopped ones among these pixels send again, starting at once."""
        for pixel in self.filtered(lambda pixel: pixel.state == "stopped"):
            pixel._set_running()
            self.env["meta.capi.event"]._make_due(pixel.pixel_id)
            self.env["meta.capi.delivery"]._schedule(pixel.pixel_id)

    def _set_running(self):
        self.write(
            {
                "state": "running",
                "stopped_at": False,
                "next_probe_at": False,
                "failing_since": False,
                "witness_wanted": False,
                "error_code": False,
                "error_subcode": False,
                "error_message": False,
                "fbtrace_id": False,
            }
        )
        self._unlink_activities(STOPPED)

    def _notify_managers(self, summary, note, activity_type, deadline=None):
        """Leave one activity with every manager; it goes away with its cause."""
        users = self.env["res.users"]
        # Since Odoo 19 a user's own groups and the implied ones are two fields.
        groups = "all_group_ids" if "all_group_ids" in users._fields else "groups_id"
        manager = self.env.ref("ih_meta_conversions_api.group_meta_capi_manager")
        for user in users.search([(groups, "in", manager.ids)]):
            # quick_update: a notice in Odoo; an e-mail would leave this transaction.
            self.with_context(mail_activity_quick_update=True).activity_schedule(
                activity_type,
                date_deadline=deadline,
                user_id=user.id,
                summary=summary,
                note=note,
            )
