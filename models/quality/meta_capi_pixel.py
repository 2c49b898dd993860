from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ...capi.quality import Problem
from ..common.managers import Managers
from ..common.notification import notification
from ..outbox.cause_words import CauseWords

# Why Meta's view of the events is not to be had, in a few words.
PROBLEMS = [
    (Problem.PERMISSION.value, "No permission to read the quality"),
    (Problem.TOKEN.value, "Access token not valid"),
    (Problem.SETTING.value, "Setting not usable"),
    (Problem.LATER.value, "Meta not reached"),
    (Problem.SHAPE.value, "Answer not understood"),
    (Problem.UNKNOWN.value, "Refused by Meta"),
]


class MetaCapiPixel(models.Model):
    """What became of the questions to Meta about the quality of a pixel's events.

    No part of the pixel's state: a token that may not ask can send all the same.
    """

    _inherit = "meta.capi.pixel"

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

    @api.depends("quality_problem", "quality_error")
    @api.depends_context("lang")
    def _compute_quality_cure(self):
        for pixel in self:
            pixel.quality_cure = self._quality_cures().get(pixel.quality_problem, "")

    @api.model
    def _quality_cures(self):
        """Return what to do about each problem; Meta's own words are beside it."""
        return {
            "permission": _(
                "The token may send events, but not read their quality. For a token of a"
                " system user: in Meta's Business Settings give the system user the"
                " permission Manage Pixel for this pixel. For a token that was generated"
                " in Events Manager before July 2025: opt in once, in Events Manager ▸"
                " Settings ▸ Conversions API, or generate a new token there. Events are"
                " sent all the same."
            ),
            "token": CauseWords(self.env).cure("token"),
            "setting": _(
                "Compare the pixel ID in Website ▸ Configuration ▸ Settings with the one"
                " in Events Manager, and see whether the system parameters"
                " meta_capi.graph_url and meta_capi.api_version are right."
            ),
            "later": _("Nothing to do: Meta is asked again tomorrow."),
            "shape": _(
                "Meta's answer is not built as its documentation says. Events are sent all"
                " the same. Look for an update of this app."
            ),
            "unknown": _(
                "Meta's own words tell more. Events are sent all the same, and Meta is"
                " asked again tomorrow."
            ),
        }

    def action_ask_quality(self):
        """Ask Meta now what it thinks of the events of these pixels."""
        Managers(self.env).check()
        if not self.env["meta.capi.config"]._is_enabled():
            raise UserError(_("The Meta Conversions API is switched off."))
        for pixel in self:
            self.env["meta.capi.quality.fetch"]._schedule(pixel.pixel_id)
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
