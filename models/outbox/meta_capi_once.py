from odoo import fields, models

from ..common.schema import create_indexes


class MetaCapiOnce(models.Model):
    """What has happened once to a record and left the log: it is not sent again.

    A line is written when the log is purged of the event, and looked for when an event
    is recorded; both by ``outbox``.
    """

    _name = "meta.capi.once"
    _description = "Meta Event That Has Left the Log"
    _log_access = False

    event_name = fields.Char(readonly=True, required=True)
    event_id = fields.Char("Event ID", readonly=True, required=True)

    def init(self):
        unique = {"unique": "(event_name, event_id)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)
