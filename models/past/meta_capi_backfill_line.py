from odoo import fields, models

from ..common.schema import create_indexes
from ..outbox.cause_words import CAUSES
from .words import VERDICTS


class MetaCapiBackfillLine(models.Model):
    """A document of the past, and what became of it; it tells nothing of a person."""

    _name = "meta.capi.backfill.line"
    _description = "Document of the Past, for Meta"
    _log_access = False
    _rec_name = "res_model"

    backfill_id = fields.Many2one(
        "meta.capi.backfill", readonly=True, required=True, ondelete="cascade"
    )
    res_model = fields.Char("Document Model", readonly=True, required=True)
    res_id = fields.Many2oneReference(
        "Document ID", model_field="res_model", readonly=True, required=True
    )
    verdict = fields.Selection(
        VERDICTS, readonly=True, help="Empty: not looked at yet."
    )
    cause = fields.Selection(CAUSES, readonly=True)
    is_done = fields.Boolean(readonly=True, help="It is recorded, or never will be.")

    def init(self):
        unique = {"unique": "(backfill_id, res_model, res_id)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)
        # What is to be looked at next, however much has been.
        waiting = {
            "uncounted": "(backfill_id, id) WHERE verdict IS NULL",
            "undone": "(backfill_id, id) WHERE is_done IS NOT TRUE",
        }
        create_indexes(self.env.cr, self._table, waiting)
