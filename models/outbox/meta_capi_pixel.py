from datetime import timedelta

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...capi.states import Pixel, Wake
from ..common.border import border
from ..common.managers import Managers
from ..common.notification import notification
from ..common.schema import create_indexes
from .cause_words import CAUSES, CauseWords
from .event_table import EventTable
from .pixel_outbox import PixelOutbox
from .quality_words import PROBLEMS, QualityWords

# The type of the activity that tells of a stop.
STOPPED = "ih_meta_conversions_api.mail_activity_type_stopped"
EVENTS_MANAGER = "https://business.facebook.com/events_manager2/list/pixel/{}/overview"
# Days for which a warning of Meta counts that it does not repeat.
_VERSION_WARNING_DAYS = 3
_QUALITY_CRON = "ih_meta_conversions_api.ir_cron_quality"
# Minutes that a job has, before the scheduled action sees to what a person asked for.
_QUALITY_MINUTES = 1


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
        help="Meta found events to be in the future: this server's clock is ahead by so"
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
        help="What was never sent, of websites that have another pixel now.",
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
    # What became of the questions to Meta about the quality of events. No part of the
    # pixel's state: a token that may not ask can send all the same.
    quality_asked_at = fields.Datetime(
        "Quality Last Asked For", readonly=True, copy=False
    )
    quality_told_at = fields.Datetime("Quality Last Told", readonly=True, copy=False)
    quality_problem = fields.Selection(
        PROBLEMS,
        readonly=True,
        copy=False,
        help="Why Meta does not tell what it thinks of the events. They are sent all the"
        " same.",
    )
    quality_error = fields.Text("Meta on the Quality", readonly=True, copy=False)
    quality_notices = fields.Json(
        readonly=True,
        copy=False,
        help="What managers were told of, by the kind of notice.",
    )
    quality_cure = fields.Text(
        "What to Do About the Quality", compute="_compute_quality_cure"
    )
    cause = fields.Selection(
        CAUSES, compute="_compute_cause", help="What stops or slows the delivery."
    )
    cure = fields.Text("What to Do", compute="_compute_cause")
    last_attempt_at = fields.Datetime("Last Request", compute="_compute_last_attempt")
    last_success_at = fields.Datetime("Last Success", compute="_compute_last_attempt")

    def init(self):
        unique = {"unique": "(pixel_id)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)

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
            moves = pixel._moves()
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
            pixel.cure = CauseWords(self.env).cure(pixel.cause)

    @api.depends("quality_problem", "quality_error")
    @api.depends_context("lang")
    def _compute_quality_cure(self):
        for pixel in self:
            pixel.quality_cure = (
                QualityWords(self.env).cures().get(pixel.quality_problem, "")
            )

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
        Managers(self.env).check()
        if not self.env["meta.capi.config"]._is_enabled():
            raise UserError(_("The Meta Conversions API is switched off."))
        for pixel in self.sudo():
            pixel._release()
            self.env["meta.capi.job"]._schedule(pixel.pixel_id, delay=0)
        return notification(
            _(
                "What waits is being sent. The next request tells whether Meta takes it."
            ),
            "success",
        )

    def action_move_events(self):
        """Move what was never sent to the pixels that its websites have now."""
        Managers(self.env).check()
        moved = sum(
            self._move(events, target)
            for pixel in self
            for events, target in pixel._moves()
        )
        return notification(
            _("Events moved: %s.", moved), "success" if moved else "warning"
        )

    def _moves(self):
        """Return what was never sent to a pixel that its website does not use any more.

        :return: a list of pairs: events, and the pixel that they can be moved to
        """
        self.ensure_one()
        capi_config = self.env["meta.capi.config"]
        pending = self.env["meta.capi.event"].search(
            [("state", "=", "pending"), ("pixel_id", "=", self.pixel_id)]
        )
        moves = []
        for website, events in pending.grouped("website_id").items():
            target = capi_config._pixel_id(website)
            if target and self.pixel_id not in capi_config._pixel_ids(website):
                movable = EventTable(self.env).movable(events.ids, target)
                moves += [(events.browse(movable), target)] if movable else []
        return moves

    @api.model
    def _move(self, events, pixel_id):
        """Have those of these events sent to another pixel that Meta has never had.

        Not those that are being sent at this moment.

        :return: how many they are
        """
        jobs = self.env["meta.capi.job"]
        moved = EventTable(self.env).move(events.ids, pixel_id, jobs._now())
        if moved:
            jobs._schedule(pixel_id, delay=0)
        return len(moved)

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

    def action_ask_quality(self):
        """Ask Meta now what it thinks of the events of these pixels."""
        Managers(self.env).check()
        if not self.env["meta.capi.config"]._is_enabled():
            raise UserError(_("The Meta Conversions API is switched off."))
        self.sudo().quality_asked_at = False
        for pixel in self:
            self.env["meta.capi.quality.fetch"].with_user(SUPERUSER_ID).with_delay(
                identity_key=f"meta_capi.quality:{pixel.pixel_id}"
            )._ask(pixel.pixel_id)
        # Where no jobrunner runs, the scheduled action sees to it.
        cron = self.env.ref(_QUALITY_CRON, raise_if_not_found=False)
        if cron:
            at = fields.Datetime.now() + timedelta(minutes=_QUALITY_MINUTES)
            cron.sudo()._trigger(at)
        return notification(
            _("Meta is being asked. Its answer is here in a minute."), "success"
        )

    def action_open_quality(self):
        """Open what Meta thought of the events of this pixel, day by day."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "ih_meta_conversions_api.meta_capi_quality_action"
        )
        action.update(domain=[("pixel_id", "=", self.pixel_id)])
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
        cursor = self.env["meta.capi.job"]._delivery_cursor
        return PixelOutbox(self.env, pixel_id, cursor)

    @api.model
    def _all(self):
        """Return the model such that a search finds what is archived, too."""
        return self.with_context(active_test=False)

    @api.model
    def _unused(self):
        """Return the pixels that no website sends to any more."""
        return self._all().search([("active", "=", False)])

    def _is_in_use(self):
        self.ensure_one()
        return self.pixel_id in self._pixel_ids_in_use()

    @api.model
    def _pixel_ids_in_use(self):
        """Return the pixels that events of any website go to, a set.

        The common ones need not be among them, where each website has its own. They
        are, as long as an event of no website waits for them.
        """
        config = self.env["meta.capi.config"]
        websites = self.env["website"].sudo().search([])
        used = set().union(*map(config._pixel_ids, websites))
        waiting = [("state", "=", "pending"), ("website_id", "=", False)]
        for pixel_id in config._pixel_ids() - used:
            at_pixel = [*waiting, ("pixel_id", "=", pixel_id)]
            if self.env["meta.capi.event"].sudo().search(at_pixel, limit=1):
                used.add(pixel_id)
        return used

    @api.model
    def _follow_configuration(self):
        """Have what was configured anew count: a stopped pixel may have waited for it."""
        self._archive_unused()
        self._all().search([])._release()

    @api.model
    def _archive_unused(self):
        """Put away the pixels that nothing is sent to, and take back the others."""
        pixel_ids = self._pixel_ids_in_use()
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
            now = self.env["meta.capi.job"]._now()
            outbox.write_pixel(running, Wake(everything=True), now)
            self.env["meta.capi.job"]._schedule(pixel.pixel_id)
            with border(self.env.cr, "The managers could not be told that it runs"):
                pixel._look_after_stop()

    def _look_after_stop(self):
        """Tell managers once of each stop; what they were told goes when it is over."""
        managers = Managers(self.env)
        for pixel in self:
            if pixel.state != "stopped":
                if pixel.stopped_told_at:
                    pixel.stopped_told_at = False
                    managers.unlink_activities(pixel, STOPPED)
            elif pixel.stopped_told_at != pixel.stopped_at and pixel._is_in_use():
                pixel.stopped_told_at = pixel.stopped_at
                managers.notify(
                    pixel,
                    _("Meta takes no events of pixel %s", pixel.display_name),
                    pixel.error_message or pixel.cure,
                    activity_type=STOPPED,
                )
