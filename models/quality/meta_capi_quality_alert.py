from collections import namedtuple
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools.misc import formatLang

from ...capi.advice import missing_coverage
from ..common.managers import Managers
from ..settings import setting

_MODULE = "ih_meta_conversions_api"
FALL = f"{_MODULE}.mail_activity_type_quality_fall"
COVERAGE = f"{_MODULE}.mail_activity_type_coverage"
DIAGNOSTIC = f"{_MODULE}.mail_activity_type_diagnostic"
# Points of the score that are a fall, and the days within which it counts.
_FALL, _FALL_DAYS = 1, 7
# Answers in a row that are under the goal, and the days that they may be spread over:
# one that failed is no reason to be silent.
_UNDER_GOAL, _UNDER_GOAL_DAYS = 3, 5
_MAX_NAMES = 10

# What to tell: what it is about, kept until it is over; whether it is news; the words.
Notice = namedtuple("Notice", "about is_news summary note", defaults=(False, "", ""))


class MetaCapiQualityAlert(models.AbstractModel):
    """The notices about the quality: one of a kind for a pixel, until it is over."""

    _name = "meta.capi.quality.alert"
    _description = "Notices About the Quality of Events"

    @api.model
    def _look_after(self, pixels):
        """Make the notices that are due, and take away those that are over."""
        config, managers = self.env["meta.capi.config"], Managers(self.env)
        for pixel in pixels:
            told = pixel.quality_notices or {}
            kept = {}
            for switch, kind, find in (
                (setting.ALERT_QUALITY, FALL, self._find_fall),
                (setting.ALERT_COVERAGE, COVERAGE, self._find_coverage),
                (setting.ALERT_DIAGNOSTICS, DIAGNOSTIC, self._find_diagnostics),
            ):
                is_on = pixel.active and config._get(switch)
                notice = find(pixel, told.get(kind)) if is_on else None
                if kind in told and (not notice or notice.is_news):
                    managers.unlink_activities(pixel, kind)
                if notice:
                    kept[kind] = notice.about
                    if notice.is_news:
                        managers.notify(
                            pixel, notice.summary, notice.note, activity_type=kind
                        )
            if kept != told:
                pixel.quality_notices = kept

    @api.model
    def _find_fall(self, pixel, told):
        """Return the notice that the quality of Purchase has fallen, if it has.

        :param told: the score that it fell from, as managers were told
        """
        rows = self.env["meta.capi.quality"].search(
            [
                ("pixel_id", "=", pixel.pixel_id),
                ("event_name", "=", "Purchase"),
                ("event_match_quality", "!=", False),
                ("date", ">=", fields.Date.today() - timedelta(days=_FALL_DAYS)),
            ]
        )
        if not rows:
            return Notice(told) if told else None
        score = rows[0].event_match_quality
        high = told or max(rows.mapped("event_match_quality"))
        if round(high - score, 1) <= _FALL:
            return None
        return Notice(
            high,
            not told,
            _(
                "Event match quality of Purchase fell from %(high)s to %(score)s",
                high=formatLang(self.env, high, digits=1),
                score=formatLang(self.env, score, digits=1),
            ),
            _(
                "Meta can match fewer of the Purchases of pixel %s to people than a week"
                " ago. Website ▸ Reporting ▸ Meta Events ▸ Event Match Quality shows which"
                " keys fewer events have.",
                pixel.display_name,
            ),
        )

    @api.model
    def _find_coverage(self, pixel, told):
        """Return the notice that the coverage is under Meta's goal, if it is.

        :param told: the names of the events that managers were told of
        """
        rows = self.env["meta.capi.quality"].search(
            [
                ("pixel_id", "=", pixel.pixel_id),
                ("date", ">", fields.Date.today() - timedelta(days=_UNDER_GOAL_DAYS)),
            ]
        )
        if not rows:
            return Notice(told) if told else None
        under, lasting = set(), set()
        for name, of_event in rows.grouped("event_name").items():
            newest = [
                missing_coverage(row._to_event()) > 0 for row in of_event[:_UNDER_GOAL]
            ]
            if newest[0]:
                under.add(name)
                if len(newest) == _UNDER_GOAL and all(newest):
                    lasting.add(name)
        names = sorted(under & set(told or ()) | lasting)
        if not names:
            return None
        return Notice(
            names,
            not lasting <= set(told or ()),
            _(
                "Event coverage is under Meta's goal for three days: %s",
                self._listed(names),
            ),
            _(
                "Of pixel %s, Meta gets too few events from the server beside the browser's."
                " Have the pages' events sent from the server, too, in Website ▸"
                " Configuration ▸ Settings; what the overview shows as failed or on hold is"
                " missing as well.",
                pixel.display_name,
            ),
        )

    @api.model
    def _find_diagnostics(self, pixel, told):
        """Return the notice of faults that Meta found anew, if there are any.

        :param told: the faults that managers were told of
        """
        rows = self.env["meta.capi.quality"]._current([pixel.pixel_id])
        if not rows:
            return Notice(told) if told else None
        found = {
            f"{row.event_name}: {fault['name']}": fault
            for row in rows
            for fault in row.diagnostics or ()
        }
        if not found:
            return None
        news = [name for name in found if name not in (told or ())]
        faults = [found[name] for name in news]
        return Notice(
            sorted(found),
            bool(news),
            _(
                "Meta found in the events of pixel %(pixel)s: %(faults)s",
                pixel=pixel.display_name,
                faults=self._listed(news),
            ),
            " ".join(
                dict.fromkeys(
                    text
                    for fault in faults[:_MAX_NAMES]
                    for text in (fault["description"], fault["solution"])
                    if text
                )
            ),
        )

    @api.model
    def _listed(self, names):
        return ", ".join(names[:_MAX_NAMES]) + ("…" if len(names) > _MAX_NAMES else "")
