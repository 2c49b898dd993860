from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools import SQL
from odoo.tools.sql import column_exists

from ...capi import const
from ..common.refusal import Refusal
from ..common.schema import create_indexes
from ..outbox.event_table import EventTable
from ..outbox.retention import clean_up
from ..settings import setting

# Keys of user_data that a browser's request tells, and what it tells besides.
TRACES = ("client_ip_address", "client_user_agent", "fbc", "fbp")
URLS = ("event_source_url", "referrer_url")
KEPT = (*TRACES, *URLS)
_NOTHING = SQL(", ").join(SQL("%s = NULL", SQL.identifier(column)) for column in KEPT)

# After which a copy that the browser sends again would soon count as another.
REPEAT_AFTER = timedelta(seconds=const.DAY)
# What the retention does, and to which of them.
_FORGET = SQL("UPDATE meta_capi_browser SET %s", _NOTHING)
_PURGE = SQL("DELETE FROM meta_capi_browser")
_IS_KNOWN = SQL("AND (client_user_agent IS NOT NULL OR fbp IS NOT NULL)")
# The answer to the question for consent is kept for as long as an order can wait.
_CONSENT_DAYS = 730


class MetaCapiBrowser(models.Model):
    """The browser of a customer: what its request tells, kept with what was made.

    A row belongs to one record, an order or a lead, made in the visitor's request.
    When that is confirmed hours later, by a payment provider's message, an employee or
    a scheduled action, the event still carries the customer's browser.

    What is kept is a dict: ``consent``, the keys of ``user_data`` in ``TRACES``, and
    ``URLS``. Consent is True, False, or None where the visitor was asked and has not
    answered; without it there is nothing else.
    """

    _name = "meta.capi.browser"
    _description = "Browser of a Customer, for Meta"
    _rec_name = "res_model"

    res_model = fields.Char("Document Model", readonly=True, required=True)
    res_id = fields.Many2oneReference(
        "Document ID", model_field="res_model", readonly=True, required=True
    )
    consent = fields.Boolean(readonly=True)
    client_ip_address = fields.Char("Client IP Address", readonly=True)
    client_user_agent = fields.Char(readonly=True)
    fbc = fields.Char(readonly=True)
    fbp = fields.Char(readonly=True)
    event_source_url = fields.Char("Event Source URL", readonly=True)
    referrer_url = fields.Char("Referrer URL", readonly=True)
    purchase_handed_at = fields.Datetime(
        readonly=True, help="Since when the browser knows the Purchase's ID."
    )
    purchase_sent_at = fields.Datetime(
        readonly=True, help="When the browser's Pixel had really sent the Purchase."
    )

    def _auto_init(self):
        """Take what earlier versions kept for what it was: the ID was handed out."""
        cr = self.env.cr
        is_earlier = column_exists(cr, self._table, "purchase_sent_at")
        is_earlier = is_earlier and not column_exists(
            cr, self._table, "purchase_handed_at"
        )
        result = super()._auto_init()
        if is_earlier:
            cr.execute(
                "UPDATE meta_capi_browser SET purchase_handed_at = purchase_sent_at,"
                " purchase_sent_at = NULL WHERE purchase_sent_at IS NOT NULL"
            )
        return result

    def init(self):
        unique = {"unique": "(res_model, res_id)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)
        indexes = {
            # Consent withdrawn: what was kept of this browser.
            "fbp": "(fbp) WHERE fbp IS NOT NULL",
            "fbc": "(fbc) WHERE fbc IS NOT NULL",
            # The retention.
            "write_date": "(write_date)",
        }
        create_indexes(self.env.cr, self._table, indexes)

    @api.model
    def _snapshot_of(self, record):
        """Return what is kept with ``record``; empty where no browser ever made it."""
        columns = ("consent", *KEPT)
        self.env.cr.execute(
            SQL(
                "SELECT %s FROM meta_capi_browser WHERE res_model = %s AND res_id = %s"
                " AND consent IS NOT NULL",
                SQL(", ").join(map(SQL.identifier, columns)),
                record._name,
                record.id,
            )
        )
        row = self.env.cr.fetchone() or ()
        kept = dict(zip(columns, row, strict=False))
        return {key: value for key, value in kept.items() if value is not None}

    @api.model
    def _upsert(self, record, values):
        """Write ``values`` on the row of ``record``, made where missing."""
        columns = [SQL.identifier(column) for column in values]
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO meta_capi_browser (
                    res_model, res_id, create_uid, create_date, write_uid, write_date, %s
                ) VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (res_model, res_id) DO UPDATE
                   SET write_date = EXCLUDED.write_date, %s
                """,
                SQL(", ").join(columns),
                record._name,
                record.id,
                self.env.uid,
                now,
                self.env.uid,
                now,
                SQL(", ").join(SQL("%s", value) for value in values.values()),
                SQL(", ").join(SQL("%s = EXCLUDED.%s", c, c) for c in columns),
            )
        )
        self.invalidate_model(flush=False)

    @api.model
    def _hand_out_purchase(self, record):
        """Remember that the browser learns the id of ``record``'s Purchase.

        Meta tells two copies by their id for 48 hours from the first one. Whether the
        Pixel sends what it was given is not known: at the earliest, now.

        :return: whether the browser has had it for so long that it must not send again
        """
        self.env.cr.execute(
            SQL(
                "SELECT purchase_handed_at FROM meta_capi_browser"
                " WHERE res_model = %s AND res_id = %s",
                record._name,
                record.id,
            )
        )
        (handed_at,) = self.env.cr.fetchone() or (None,)
        now = fields.Datetime.now()
        if not handed_at:
            self._upsert(record, {"purchase_handed_at": now})
        return bool(handed_at and now - handed_at > REPEAT_AFTER)

    @api.model
    def _note_purchase_sent(self, record):
        """Remember that the browser's Pixel has sent the Purchase, from the first time."""
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_browser SET purchase_sent_at = %s"
                " WHERE res_model = %s AND res_id = %s AND purchase_sent_at IS NULL"
                " AND purchase_handed_at IS NOT NULL",
                fields.Datetime.now(),
                record._name,
                record.id,
            )
        )
        self.invalidate_model(flush=False)

    @api.model
    def _forget(self, documents):
        """Forget the browsers that made these documents, but not whether they consented.

        :param documents: pairs of a model and an id
        """
        if documents:
            self.env.cr.execute(
                SQL(
                    "UPDATE meta_capi_browser SET %s WHERE (res_model, res_id) IN %s",
                    _NOTHING,
                    tuple(documents),
                )
            )
            self.invalidate_model(flush=False)

    @api.model
    def _take_over(self, record, others):
        """Keep with ``record`` the browser of one of the records merged into it.

        Its own stays, whatever was kept of it.
        """
        if self._snapshot_of(record):
            return
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_browser SET res_id = %s WHERE id = ("
                " SELECT id FROM meta_capi_browser WHERE res_model = %s AND res_id IN %s"
                "  AND consent IS NOT NULL ORDER BY write_date DESC LIMIT 1)"
                " AND NOT EXISTS (SELECT FROM meta_capi_browser"
                "  WHERE res_model = %s AND res_id = %s)",
                record.id,
                record._name,
                tuple(others.ids),
                record._name,
                record.id,
            )
        )
        self.invalidate_model(flush=False)

    @api.model
    def _withdraw(self, partner, fbc=None, fbp=None):
        """Cancel what is still to be sent of this browser or partner, and forget it."""
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_browser SET consent = false, %s,"
                " write_date = now() AT TIME ZONE 'UTC'"
                " WHERE fbp = %s OR fbc = %s",
                _NOTHING,
                fbp,
                fbc,
            )
        )
        table = EventTable(self.env(su=True))
        ids = table.lock_of_visitor(fbp, fbc, partner.id or None)
        refusal = Refusal(
            "consent_withdrawn",
            _("The visitor has withdrawn the consent to optional cookies."),
        )
        table.refuse(ids, refusal)
        self.invalidate_model(flush=False)

    @api.autovacuum
    def _gc_personal(self):
        """Forget browsers past the retention of personal data, and answers years old."""
        now = fields.Datetime.now()
        tasks = [_browsers(_PURGE, SQL(), now - timedelta(days=_CONSENT_DAYS))]
        days = self.env["meta.capi.config"]._get(setting.USER_DATA_RETENTION_DAYS)
        if days >= 0:
            tasks.insert(0, _browsers(_FORGET, _IS_KNOWN, now - timedelta(days=days)))
        clean_up(self.env, *tasks)
        self.invalidate_model(flush=False)


def _browsers(change, condition, before):
    """Return a task of ``clean_up`` that changes browsers written last before a moment.

    One that somebody else holds is not old any more.
    """

    def task(env, limit, since):
        env.cr.execute(
            SQL(
                """
                WITH old AS MATERIALIZED (
                    SELECT id, write_date FROM meta_capi_browser
                     WHERE write_date >= %s AND write_date < %s %s
                     ORDER BY write_date
                     LIMIT %s
                       FOR UPDATE SKIP LOCKED
                ), changed AS (%s WHERE id IN (SELECT id FROM old))
                SELECT count(*), max(write_date) FROM old
                """,
                since,
                before,
                condition,
                limit,
                change,
            )
        )
        count, last = env.cr.fetchone()
        return last if count == limit else None

    return task
