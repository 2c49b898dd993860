from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...capi.decision import Pixel, Wake
from ..common.border import border
from .meta_capi_cause import CAUSES
from .outbox import PixelOutbox

EVENTS_MANAGER = "https://business.facebook.com/events_manager2/list/pixel/{}/overview"
# Days for which a warning of Meta counts that it does not repeat.
_VERSION_WARNING_DAYS = 3


class MetaCapiPixel(models.Model):
    """The state of a pixel: what stops or slows its delivery, and until when.

    A row exists for every pixel something was delivered to. Events are never held one
    by one: the pending events of a stopped pixel are held. What a delivery learns is
    written by ``outbox``; what managers are told of it is no part of that.

    One that nothing is sent to by what is configured is archived, and is back as soon
    as it is used again.
    """

    _name = "meta.capi.pixel"
    _description = "Meta Pixel"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _rec_name = "pixel_id"
    _order = "pixel_id"

    pixel_id = fields.Char("Pixel ID", readonly=True, required=True)
    active = fields.Boolean(
        default=True,
        readonly=True,
        help="Archived by itself as soon as nothing is sent to the pixel any more.",
    )
    website_names = fields.Char(
        "Websites",
        compute="_compute_website_names",
        help="Whose events, or copies of them, go to the pixel.",
    )
    state = fields.Selection(
        [("running", "Running"), ("stopped", "Stopped")],
        readonly=True,
        required=True,
        default="running",
    )
    stopped_at = fields.Datetime(readonly=True)
    stopped_told_at = fields.Datetime(
        "Stop Reported", readonly=True, help="The stop that managers were told of."
    )
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
    trouble = fields.Selection(
        CAUSES, readonly=True, help="What stopped it, or what its requests fail for."
    )
    doubt = fields.Json(
        readonly=True,
        help="An event was refused alone and without a reason; the next request tells"
        " whether that is the event's fault or the pixel's.",
    )
    clock_skew = fields.Integer(
        "Clock Ahead (s)",
        readonly=True,
        help="Meta found events to be of the future: this server's clock is ahead by so"
        " many seconds. Events wait until their time has come by Meta's clock.",
    )
    error_code = fields.Integer(readonly=True)
    error_subcode = fields.Integer(readonly=True)
    error_message = fields.Text("Reason", readonly=True)
    fbtrace_id = fields.Char("Trace ID", readonly=True)
    pending_count = fields.Integer("Pending Events", compute="_compute_pending_count")
    movable_count = fields.Integer(
        "Events to Move",
        compute="_compute_movable_count",
        help="What was never sent, of websites that have another pixel by now.",
    )
    is_stuck_told = fields.Boolean("Stuck Events Reported", readonly=True, copy=False)
    missing_told_day = fields.Date(
        "Last Day Reported as Missing", readonly=True, copy=False
    )
    token_end_told = fields.Char(
        "End of the Token Reported",
        readonly=True,
        copy=False,
        help="The end, and how many days before it managers were told.",
    )
    version_warning = fields.Text(
        "Meta on the API Version",
        compute="_compute_version_warning",
        help="What Meta said in the last days about the version of its API that is used.",
    )
    version_warning_text = fields.Text(readonly=True, copy=False)
    version_warned_at = fields.Datetime(readonly=True, copy=False)
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

    def _compute_website_names(self):
        for pixel in self:
            websites = self.env["meta.capi.config"]._websites_of(pixel.pixel_id)
            pixel.website_names = ", ".join(websites.mapped("name"))

    @api.depends("pixel_id")
    def _compute_display_name(self):
        """Name the websites where there is more than one."""
        many = self.env["website"].sudo().search_count([]) > 1
        for pixel in self:
            pixel.display_name = (
                f"{pixel.pixel_id} ({pixel.website_names})"
                if many and pixel.website_names
                else pixel.pixel_id
            )

    def _compute_movable_count(self):
        for pixel in self:
            moves = self.env["meta.capi.event"]._moves_from(pixel.pixel_id)
            pixel.movable_count = sum(len(events) for events, _target in moves)

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

    @api.depends("version_warning_text", "version_warned_at")
    def _compute_version_warning(self):
        since = fields.Datetime.now() - timedelta(days=_VERSION_WARNING_DAYS)
        for pixel in self:
            at = pixel.version_warned_at
            pixel.version_warning = at and at > since and pixel.version_warning_text

    @api.model
    def _keep_version_warning(self, pixel_id, text):
        """Keep that an answer of Meta warned of the end of the API's version.

        Written once a day at most: every answer has it then.
        """
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                UPDATE meta_capi_pixel
                   SET version_warning_text = %s, version_warned_at = %s
                 WHERE pixel_id = %s
                   AND (version_warning_text IS DISTINCT FROM %s
                        OR version_warned_at < %s)
                """,
                *(text, now, pixel_id, text),
                now - timedelta(days=1),
            )
        )
        self.invalidate_model(["version_warning_text", "version_warned_at"])

    def _find_cause(self):
        """Return what stops or slows the delivery to this pixel, or False."""
        if self.state == "stopped":
            return self.trouble if self._is_in_use() else "unused"
        if self.wait_until and self.wait_until > fields.Datetime.now():
            return "rate_limit"
        return self.failing_since and self.trouble

    def action_try_again(self):
        """Send what waits for these pixels now, instead of at the next probe."""
        self.env["meta.capi.event"]._check_manager()
        if not self.env["meta.capi.config"]._is_enabled():
            raise UserError(_("The Meta Conversions API is switched off."))
        for pixel in self.sudo():
            pixel._release()
            self.env["meta.capi.delivery"]._schedule(pixel.pixel_id, delay=0)
        return self.env["meta.capi.event"]._notification(
            _(
                "What waits is being sent. The next request tells whether Meta takes it."
            ),
            "success",
        )

    def action_move_events(self):
        """Move what was never sent to the pixels that its websites have now."""
        self.env["meta.capi.event"]._check_manager()
        moved = sum(
            self.env["meta.capi.event"]._move(events, target)
            for pixel in self
            for events, target in self.env["meta.capi.event"]._moves_from(
                pixel.pixel_id
            )
        )
        return self.env["meta.capi.event"]._notification(
            _("Events moved: %s.", moved), "success" if moved else "warning"
        )

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
        """Return the row of ``pixel_id``, made at first sight."""
        self._outbox(pixel_id).pixel()
        return self._all().search([("pixel_id", "=", pixel_id)]).with_env(self.env)

    @api.model
    def _outbox(self, pixel_id):
        cursor = self.env["meta.capi.delivery"]._delivery_cursor
        return PixelOutbox(self.env, pixel_id, cursor)

    @api.model
    def _all(self):
        """Return the model such that a search finds what is archived, too."""
        return self.with_context(active_test=False)

    def _is_in_use(self):
        self.ensure_one()
        return self.pixel_id in self.env["meta.capi.config"]._pixel_ids_in_use()

    @api.model
    def _follow_configuration(self):
        """Have what was configured anew count: a stopped pixel may have waited for it."""
        self._archive_unused()
        self._all().search([])._release()

    @api.model
    def _archive_unused(self):
        """Put away the pixels that nothing is sent to, and take back the others."""
        pixel_ids = self.env["meta.capi.config"]._pixel_ids_in_use()
        pixels = self._all().search([])
        used = pixels.filtered(lambda pixel: pixel.pixel_id in pixel_ids)
        used.filtered(lambda pixel: not pixel.active).active = True
        unused = (pixels - used).filtered("active")
        # Stopped when it is used again, it is news again.
        unused.write({"active": False, "stopped_told_at": False})
        unused.sudo().activity_ids.unlink()

    def _release(self):
        """Let the stopped ones among these pixels send again, starting at once."""
        for pixel in self.filtered(lambda pixel: pixel.state == "stopped"):
            running = Pixel(clock_skew=pixel.clock_skew)
            outbox = self._outbox(pixel.pixel_id)
            now = self.env["meta.capi.delivery"]._now()
            outbox.write_pixel(running, Wake(everything=True), now)
            self.env["meta.capi.delivery"]._schedule(pixel.pixel_id)
            with border(self.env.cr, "The managers could not be told that it runs"):
                self.env["meta.capi.alert"]._look_after_stopped(pixel)
