from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models.common.managers import Managers
from ..models.outbox.event_actions import EventActions


class MetaCapiRetry(models.TransientModel):
    """Send again what failed, as far as Meta would still take it."""

    _name = "meta.capi.retry"
    _description = "Send failed Meta events again"

    since = fields.Datetime(
        "Happened Since",
        required=True,
        default=lambda self: fields.Datetime.now() - timedelta(days=7),
    )
    failure_reason = fields.Selection(
        lambda self: self.env["meta.capi.event"]._fields["failure_reason"].selection,
        help="Empty: for whichever reason.",
    )
    pixel_id = fields.Many2one("meta.capi.pixel", help="Empty: every pixel.")
    failed_count = fields.Integer("Failed Events", compute="_compute_counts")
    sendable_count = fields.Integer("Still Sendable", compute="_compute_counts")

    @api.depends("since", "failure_reason", "pixel_id")
    def _compute_counts(self):
        for wizard in self:
            failed = wizard._failed_events()
            wizard.failed_count = len(failed)
            wizard.sendable_count = len(failed._still_sendable())

    def _failed_events(self):
        domain = [("state", "=", "failed")]
        if self.since:
            domain.append(("event_time", ">=", self.since))
        if self.failure_reason:
            domain.append(("failure_reason", "=", self.failure_reason))
        if self.pixel_id:
            domain.append(("pixel_id", "=", self.pixel_id.pixel_id))
        return self.env["meta.capi.event"].search(domain)

    def action_retry(self):
        """Make the chosen events that Meta would still take pending again."""
        self.ensure_one()
        Managers(self.env).check()
        events = self._failed_events()._still_sendable()
        if not events:
            raise UserError(_("None of these events can still be sent."))
        return EventActions(events.sudo().env).retry(events.sudo())
