from odoo import _

from ..outbox.key_words import KeyWords
from .figures import Figures

_TEMPLATES = "ih_meta_conversions_api.meta_capi_quality"


class QualityPage:
    """What the form of a row shows: each figure in words, or that Meta tells none."""

    def __init__(self, quality):
        self.env = quality.env
        self.quality = quality
        self.figures = Figures(quality.env)

    def figures_table(self):
        return self._render("figures", self._figure_rows())

    def keys_table(self):
        return self._render("keys", self._key_rows())

    def faults_table(self):
        return self._render("faults", self._fault_rows())

    def _figure_rows(self):
        """Return each figure with its name and what is good, as texts."""
        event = self.quality._to_event()
        score = _("not told")
        if event.score is not None:
            score = _("%s of 10", self.figures.figure(event.score))
        goal = ""
        if event.coverage_goal is not None:
            goal = _("Meta's goal: %s", self.figures.percentage(event.coverage_goal))
        return [
            (_("Event match quality"), score, _("good: 6 and more, a Purchase 8")),
            (_("Event coverage"), self.figures.percentage(event.coverage), goal),
            (_("Deduplicated"), self.figures.percentage(event.dedupe_rate), ""),
            (
                _("Browser events with an ID"),
                self.figures.percentage(event.browser_with_id),
                _("good: 100%"),
            ),
            (
                _("Server events with an ID"),
                self.figures.percentage(event.server_with_id),
                _("good: 100%"),
            ),
            (
                _("Data freshness"),
                event.freshness or _("not told"),
                _("good: %s", "real_time"),
            ),
            (
                _("Additional conversions reported"),
                self.figures.percentage(event.acr),
                "",
            ),
        ]

    def _key_rows(self):
        """Return the match keys, those that Meta expects most of first."""
        names = KeyWords(self.env).names()
        shares, gains = self.quality.match_keys or {}, self.quality.key_gains or {}
        return [
            {
                "key": key,
                "name": names.get(key, ""),
                "share": self.figures.percentage(shares[key]),
                "gain": key in gains and self.figures.percentage(gains[key]),
            }
            for key in sorted(
                shares, key=lambda key: (-gains.get(key, 0), -(shares[key] or 0))
            )
        ]

    def _fault_rows(self):
        return [
            {
                **fault,
                "share": fault["percentage"] is not None
                and self.figures.percentage(fault["percentage"]),
            }
            for fault in self.quality.diagnostics or ()
        ]

    def _render(self, part, rows):
        return self.env["ir.qweb"]._render(f"{_TEMPLATES}_{part}", {"rows": rows})
