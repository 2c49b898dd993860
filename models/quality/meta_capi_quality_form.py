from odoo import _, api, fields, models

_TEMPLATES = "ih_meta_conversions_api.meta_capi_quality"


class MetaCapiQuality(models.Model):
    """What the form of a row shows: each figure in words, or that Meta does not tell it."""

    _inherit = "meta.capi.quality"

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

    @api.depends_context("lang")
    def _compute_tables(self):
        for quality in self:
            quality.figures_table = quality._render_part(
                "figures", rows=quality._figure_rows()
            )
            quality.keys_table = quality._render_part("keys", rows=quality._key_rows())
            quality.faults_table = quality._render_part(
                "faults",
                rows=[
                    {
                        **fault,
                        "share": fault["percentage"] is not None
                        and quality._percentage(fault["percentage"]),
                    }
                    for fault in quality.diagnostics or ()
                ],
            )

    def _figure_rows(self):
        """Return each figure with its name and what is good, as texts."""
        event = self._to_event()
        score = _("not told")
        if event.score is not None:
            score = _("%s of 10", self._figure(event.score))
        goal = ""
        if event.coverage_goal is not None:
            goal = _("Meta's goal: %s", self._percentage(event.coverage_goal))
        return [
            (_("Event match quality"), score, _("good: 6 and more, a Purchase 8")),
            (_("Event coverage"), self._percentage(event.coverage), goal),
            (_("Deduplicated"), self._percentage(event.dedupe_rate), ""),
            (
                _("Browser events with an ID"),
                self._percentage(event.browser_with_id),
                _("good: 100%"),
            ),
            (
                _("Server events with an ID"),
                self._percentage(event.server_with_id),
                _("good: 100%"),
            ),
            (
                _("Data freshness"),
                event.freshness or _("not told"),
                _("good: %s", "real_time"),
            ),
            (
                _("Additional conversions reported"),
                self._percentage(event.acr),
                "",
            ),
        ]

    def _key_rows(self):
        """Return the match keys, those that Meta expects most of first."""
        names = self.env["meta.capi.overview"]._key_names()
        shares, gains = self.match_keys or {}, self.key_gains or {}
        return [
            {
                "key": key,
                "name": names.get(key, ""),
                "share": self._percentage(shares[key]),
                "gain": key in gains and self._percentage(gains[key]),
            }
            for key in sorted(
                shares, key=lambda key: (-gains.get(key, 0), -(shares[key] or 0))
            )
        ]

    def _render_part(self, part, **values):
        return self.env["ir.qweb"]._render(f"{_TEMPLATES}_{part}", values)
