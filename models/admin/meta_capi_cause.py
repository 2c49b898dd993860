from odoo import api, fields, models

from ..common.age import day_start
from ..outbox.cause_words import CAUSES, CauseWords


class MetaCapiCause(models.Model):
    """What keeps events from Meta, and what to do about it: the words, in one place.

    There is one row for each key of ``CAUSES``. Which of them an event has is kept with
    the event by whatever learns it: an answer of Meta (``capi.answer``), a refusal of
    ours (``capi.causes``, ``refusal``) or a person's click.
    """

    _name = "meta.capi.cause"
    _description = "Cause of a Meta Event's Failure"
    _auto = False
    _order = "id"
    _rec_name = "name"

    key = fields.Char(readonly=True)
    name = fields.Char("Cause", compute="_compute_name")
    cure = fields.Text("What to Do", compute="_compute_name")
    failed_count = fields.Integer(
        "Failed in the Last 7 Days",
        compute="_compute_failed_count",
        help="Events of the last 7 days that have failed for this.",
    )

    @property
    def _table_query(self):
        rows = ", ".join(
            f"({number}, '{key}'::varchar)"
            for number, (key, _label) in enumerate(CAUSES, 1)
        )
        return f"SELECT * FROM (VALUES {rows}) AS cause (id, key)"

    @api.depends_context("lang")
    def _compute_name(self):
        words = CauseWords(self.env)
        for cause in self:
            cause.name = words.label(cause.key)
            cause.cure = words.cure(cause.key)

    def _compute_failed_count(self):
        counts = self._failed_counts()
        for cause in self:
            cause.failed_count = counts.get(cause.key, 0)

    @api.model
    def _failed_domain(self):
        since = day_start(self.env, 6)
        return [("state", "=", "failed"), ("event_time", ">=", since)]

    @api.model
    def _failed_counts(self):
        """Return the number of failed events by cause, those the user may see."""
        return dict(
            self.env["meta.capi.event"]._read_group(
                self._failed_domain(), ["cause"], ["__count"]
            ),
        )

    def action_open_events(self):
        """Open the events that have failed for this."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "ih_meta_conversions_api.meta_capi_event_action"
        )
        action.update(
            display_name=self.name,
            domain=[("state", "=", "failed"), ("cause", "=", self.key)],
            context={"search_default_week": 1},
        )
        return action
