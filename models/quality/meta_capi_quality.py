from datetime import timedelta

from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.tools import SQL

from ...capi.quality import Diagnostic, EventQuality, KeyFeedback
from ..common.optional_float import OptionalFloat
from ..common.schema import create_indexes
from .quality_advice import QualityAdvice
from .quality_page import QualityPage

# Days that a row is kept.
_KEPT_DAYS = 365
_PURGE_LIMIT = 10_000
# Days after which what Meta told is no basis for advice any more.
_CURRENT_DAYS = 7


class MetaCapiQuality(models.Model):
    """What Meta thought, on a day, of the events of one name that a pixel got.

    What Meta does not tell is not known, and never 0. The rows are written by
    ``meta.capi.quality.fetch`` and by nobody else.
    """

    _name = "meta.capi.quality"
    _description = "Event Match Quality"
    _order = "date desc, pixel_id, event_name"
    _rec_name = "event_name"

    pixel_id = fields.Char("Pixel ID", readonly=True, required=True)
    event_name = fields.Char(readonly=True, required=True)
    date = fields.Date(
        "Day", readonly=True, required=True, help="When Meta was asked; in UTC."
    )
    company_id = fields.Many2one(
        "res.company",
        readonly=True,
        help="Whose websites send to the pixel; empty where they are of several.",
    )
    event_match_quality = OptionalFloat(
        readonly=True,
        digits=(4, 1),
        help="Meta's score from 0 to 10 for how well events can be matched to people: 6"
        " and more is good, for a Purchase 8 and more.",
    )
    event_coverage = OptionalFloat(
        "Event Coverage (%)",
        readonly=True,
        digits=(6, 1),
        help="Events that the server sent for each 100 of the browser, in 7 days.",
    )
    event_coverage_goal = OptionalFloat(
        "Coverage Goal (%)", readonly=True, digits=(6, 1), help="What Meta aims at."
    )
    browser_with_id = OptionalFloat(
        "Browser Events with an ID (%)",
        readonly=True,
        digits=(6, 1),
        help="The browser's events that carry an event ID.",
    )
    server_with_id = OptionalFloat(
        "Server Events with an ID (%)",
        readonly=True,
        digits=(6, 1),
        help="The server's events that carry an event ID.",
    )
    dedupe_rate = OptionalFloat(
        "Deduplicated (%)",
        readonly=True,
        digits=(6, 1),
        help="The browser's events whose copy from the server Meta recognised by the"
        " event ID.",
    )
    data_freshness = fields.Char(
        readonly=True, help="How soon events reach Meta; real_time is best."
    )
    acr = OptionalFloat(
        "Additional Conversions Reported (%)",
        readonly=True,
        digits=(6, 1),
        help="Conversions that Meta can report thanks to the server's events.",
    )
    match_keys = fields.Json(
        readonly=True,
        help="The share of the events with each key in percent; null: not told.",
    )
    key_gains = fields.Json(
        readonly=True,
        help="How many percent more conversions Meta expects, if all events had the key.",
    )
    diagnostics = fields.Json(
        readonly=True, help="The faults that Meta found, in its own words."
    )

    figures_table = fields.Html(
        "Figures", compute="_compute_tables", sanitize=False, exportable=False
    )
    keys_table = fields.Html(
        "Keys in Detail", compute="_compute_tables", sanitize=False, exportable=False
    )
    faults_table = fields.Html(
        "Faults Found by Meta",
        compute="_compute_tables",
        sanitize=False,
        exportable=False,
    )

    def init(self):
        unique = {"unique": "(pixel_id, event_name, date)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)

    @api.depends("event_name", "date")
    def _compute_display_name(self):
        for quality in self:
            day = fields.Date.to_string(quality.date)
            quality.display_name = f"{quality.event_name}, {day}"

    @api.depends_context("lang")
    def _compute_tables(self):
        for quality in self:
            page = QualityPage(quality)
            quality.figures_table = page.figures_table()
            quality.keys_table = page.keys_table()
            quality.faults_table = page.faults_table()

    @api.model
    def advice(self, pixel_ids=None):
        """Return what to do about the quality, as ``QualityAdvice.find`` has it.

        :param pixel_ids: IDs of pixels, texts; None: all that events are sent to
        """
        return QualityAdvice(self.env).find(self._current(pixel_ids))

    @api.model
    def _current(self, pixel_ids=None):
        """Return the newest row of each event and pixel that still tells how it is."""
        since = fields.Date.today() - timedelta(days=_CURRENT_DAYS)
        if pixel_ids is None:
            pixel_ids = list(self.env["meta.capi.pixel"]._pixel_ids_in_use())
        domain = [("date", ">", since), ("pixel_id", "in", pixel_ids)]
        newest = {}
        for quality in self.search(domain, order="date desc, pixel_id, event_name"):
            newest.setdefault((quality.pixel_id, quality.event_name), quality.id)
        return self.browse(newest.values())

    def _to_event(self):
        """Return the row as ``capi`` has it."""
        self.ensure_one()
        figures = {
            field: self[name] if self[name] is not False else None
            for field, name in (
                ("score", "event_match_quality"),
                ("coverage", "event_coverage"),
                ("coverage_goal", "event_coverage_goal"),
                ("browser_with_id", "browser_with_id"),
                ("server_with_id", "server_with_id"),
                ("dedupe_rate", "dedupe_rate"),
                ("acr", "acr"),
            )
        }
        gains = self.key_gains or {}
        return EventQuality(
            self.event_name,
            keys=tuple(
                KeyFeedback(key, coverage, gains.get(key))
                for key, coverage in (self.match_keys or {}).items()
            ),
            diagnostics=tuple(Diagnostic(**fault) for fault in self.diagnostics or ()),
            freshness=self.data_freshness or None,
            **figures,
        )

    @api.model
    def _keep(self, pixel_id, events):
        """Write down what Meta tells today, in place of what it told before today.

        :param events: of ``capi.quality.EventQuality``
        """
        websites = self.env["meta.capi.config"]._websites_of(pixel_id)
        company = websites.company_id
        now = fields.Datetime.now()
        for event in events:
            values = {
                "pixel_id": pixel_id,
                "event_name": event.event_name,
                "date": now.date(),
                "company_id": company.id if len(company) == 1 else None,
                "event_match_quality": event.score,
                "event_coverage": event.coverage,
                "event_coverage_goal": event.coverage_goal,
                "browser_with_id": event.browser_with_id,
                "server_with_id": event.server_with_id,
                "dedupe_rate": event.dedupe_rate,
                "data_freshness": event.freshness,
                "acr": event.acr,
                "match_keys": Json({key.key: key.coverage for key in event.keys}),
                "key_gains": Json(
                    {key.key: key.gain for key in event.keys if key.gain is not None}
                ),
                "diagnostics": Json(
                    [
                        {
                            "name": fault.name,
                            "description": fault.description,
                            "solution": fault.solution,
                            "percentage": fault.percentage,
                            "affected": fault.affected,
                            "total": fault.total,
                        }
                        for fault in event.diagnostics
                    ]
                ),
                "write_uid": self.env.uid,
                "write_date": now,
            }
            self._upsert({**values, "create_uid": self.env.uid, "create_date": now})
        self.invalidate_model()

    @api.model
    def _upsert(self, values):
        """Write a row. By SQL, so that a click and the daily question can meet."""
        columns = [SQL.identifier(name) for name in values]
        changed = [
            SQL("%s = excluded.%s", SQL.identifier(name), SQL.identifier(name))
            for name in values
            if not name.startswith("create_")
        ]
        self.env.cr.execute(
            SQL(
                "INSERT INTO meta_capi_quality (%s) VALUES %s"
                " ON CONFLICT (pixel_id, event_name, date) DO UPDATE SET %s",
                SQL(", ").join(columns),
                tuple(values.values()),
                SQL(", ").join(changed),
            )
        )

    @api.autovacuum
    def _gc_old(self):
        """Delete what is older than a year."""
        before = fields.Date.today() - timedelta(days=_KEPT_DAYS)
        self.sudo().search([("date", "<", before)], limit=_PURGE_LIMIT).unlink()
