from datetime import timedelta

from odoo import _, fields
from odoo.tools.misc import format_date, formatLang

from ...capi.advice import Place
from ..common.standard_events import PURCHASE
from .dashboard_words import DashboardWords

# Lines that can be told apart; of more events the list tells.
_MAX_NAMES = 6
# Days of the chart where the period is shorter: Meta is asked once a day.
_LEAST_DAYS = 7


class DashboardQuality(DashboardWords):
    """What Meta thinks of the events, of one pixel: scores of several do not add up."""

    def quality_pixel_id(self, facts):
        """Return the chosen pixel, else the main one of the first website that has one."""
        if facts.pixel:
            return facts.pixel.pixel_id
        config = self.env["meta.capi.config"]
        return next(filter(None, map(config._pixel_id, facts.websites)), "")

    def _quality_rows(self, facts):
        """Return what Meta told of this pixel within the chart's days, the oldest first."""
        return self.env["meta.capi.quality"].search(
            [
                ("pixel_id", "=", self.quality_pixel_id(facts)),
                ("date", ">=", self._quality_days(facts)[0]),
            ],
            order="date, id",
        )

    def _quality_days(self, facts):
        count = max(facts.period.days, _LEAST_DAYS)
        today = facts.now.date()
        return [today - timedelta(days=days) for days in reversed(range(count))]

    def quality_chart(self, facts):
        """Return the score by day and event, None where Meta did not tell."""
        pixel_id = self.quality_pixel_id(facts)
        days = self._quality_days(facts)
        scores = {}
        for row in self._quality_rows(facts):
            if row.event_match_quality is not False:
                by_day = scores.setdefault(row.event_name, {})
                by_day[row.date] = row.event_match_quality
        names = sorted(
            scores,
            key=lambda name: (
                name != PURCHASE,
                -sum(facts.by_name.get(name, {}).values()),
                name,
            ),
        )[:_MAX_NAMES]
        return {
            "name": "quality",
            "kind": "line",
            "unit": "score",
            "title": _("Event match quality"),
            "help": _("Meta's score from 0 to 10, of pixel %s.", pixel_id),
            "empty": self._why_no_quality(facts),
            "domain": [("pixel_id", "=", pixel_id)],
            "slices": [
                {"date": fields.Date.to_string(day), **self.day_labels(day)}
                for day in days
            ],
            "series": [
                {
                    "key": f"event-{number}",
                    "label": name,
                    "values": [scores[name].get(day) for day in days],
                    "texts": [
                        formatLang(self.env, scores[name][day], digits=1)
                        if day in scores[name]
                        else None
                        for day in days
                    ],
                }
                for number, name in enumerate(names)
            ],
        }

    def _why_no_quality(self, facts):
        pixel_id = self.quality_pixel_id(facts)
        pixels = self.env["meta.capi.pixel"]._all()
        pixel = pixels.search([("pixel_id", "=", pixel_id)])
        return pixel.quality_cure or _(
            "Meta has told nothing yet: it is asked once a day. To ask at once, open the"
            " pixel and click Ask Meta Now."
        )

    def advice(self, facts):
        """Return what would better the quality, each with the action that leads there."""
        pixel_id = self.quality_pixel_id(facts)
        if not pixel_id:
            return []
        buttons = {
            Place.EVENTS_MANAGER.value: _("Open Events Manager"),
            Place.DATA_SETTINGS.value: _("Open the settings"),
            Place.PAGE_SETTINGS.value: _("Open the settings"),
            Place.PENDING_EVENTS.value: _("Show pending events"),
            Place.EVENTS_WITHOUT_KEY.value: _("Show events without it"),
        }
        if not self.settings_button():
            buttons.pop(Place.DATA_SETTINGS.value)
            buttons.pop(Place.PAGE_SETTINGS.value)
        found = self.env["meta.capi.quality"].advice([pixel_id])
        return [{**advice, "button": buttons.get(advice["place"])} for advice in found]

    def keys_by_meta(self, facts):
        """Return Meta's shares of the chosen event by key, and what tells of when.

        :return: a dict of keys to percent, None where Meta did not tell; and a sentence
        """
        rows = self._quality_rows(facts).filtered(
            lambda row: row.event_name == facts.event_name and row.match_keys
        )
        if not rows:
            return {}, None
        told = _(
            "Meta's figures are of pixel %(pixel)s, told on %(date)s.",
            pixel=rows[-1].pixel_id,
            date=format_date(self.env, rows[-1].date),
        )
        return rows[-1].match_keys, told
