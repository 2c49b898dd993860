from odoo import api, fields, models

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
