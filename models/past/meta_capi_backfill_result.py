from odoo import _, api, fields, models

from ..common.managers import Managers
from ..outbox.cause_words import CAUSES, CauseWords
from .words import VERDICTS


class MetaCapiBackfillResult(models.Model):
    """How many documents of the past are sent, or are not, and why."""

    _name = "meta.capi.backfill.result"
    _description = "What Becomes of Documents of the Past, for Meta"
    _auto = False
    _order = "order_count desc, id"
    _rec_name = "verdict"

    backfill_id = fields.Many2one("meta.capi.backfill", readonly=True)
    verdict = fields.Selection(VERDICTS, "What Becomes of Them", readonly=True)
    cause = fields.Selection(CAUSES, "Why", readonly=True)
    order_count = fields.Integer("Orders", readonly=True)
    cure = fields.Text("What to Know", compute="_compute_cure")

    @property
    def _table_query(self):
        return (
            "SELECT min(id) AS id, backfill_id, verdict, cause,"
            " count(*)::int AS order_count FROM meta_capi_backfill_line"
            " GROUP BY backfill_id, verdict, cause"
        )

    @api.depends("verdict", "cause")
    @api.depends_context("lang")
    def _compute_cure(self):
        words = CauseWords(self.env)
        sentences = {
            "ready": _("Nothing of it is with Meta yet."),
            "recorded": _("Delivered like any event: see the event log."),
            "on_record": _("The event log has or had them. Nothing is sent twice."),
            "too_old": _(
                "Meta refuses what is older, and would count it on a wrong day if another"
                " time were told."
            ),
            "not_due": _(
                "Send Purchase when, in the settings, tells what a sale is: they are not"
                " paid or not invoiced, or were cancelled or deleted."
            ),
            "no_pixel": _("Set a pixel ID for their website in the settings."),
        }
        for result in self:
            result.cure = words.cure(result.cause) or sentences.get(result.verdict, "")

    def action_open_documents(self):
        """Open the orders that this row counts, as far as the user may see them."""
        self.ensure_one()
        Managers(self.env).check()
        lines = (
            self.env["meta.capi.backfill.line"]
            .sudo()
            .search(
                [
                    ("backfill_id", "=", self.backfill_id.id),
                    ("verdict", "=", self.verdict),
                    ("cause", "=", self.cause),
                ]
            )
        )
        return {
            "type": "ir.actions.act_window",
            "name": dict(self._fields["verdict"]._description_selection(self.env)).get(
                self.verdict, _("Not looked at yet")
            ),
            "res_model": self.backfill_id.res_model,
            "views": [[False, "list"], [False, "form"]],
            "domain": [("id", "in", lines.mapped("res_id"))],
        }
