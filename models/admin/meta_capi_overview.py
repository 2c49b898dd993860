from datetime import timedelta

import pytz
from babel.dates import format_skeleton

from odoo import _, api, fields, models
from odoo.tools.misc import babel_locale_parse, format_time, formatLang, get_lang

from .dashboard_facts import DashboardFacts
from .periods import PERIODS


class MetaCapiOverview(models.AbstractModel):
    """The dashboard: is it working, and how good is it.

    One call returns all that is shown, in the words, the formats and the time zone of
    who looks. It changes nothing, and counts under the rules of this user.
    """

    _name = "meta.capi.overview"
    _description = "Meta Events Overview"

    @api.model
    def get_dashboard(self, filters=None):
        """Return the dashboard as JSON has it.

        :param filters: keyword arguments of ``DashboardFacts``
        :raise odoo.exceptions.AccessError: the user may not read the log
        """
        facts = DashboardFacts(self.env, **(filters or {}))
        return {
            "filters": self._filters(facts),
            "domain": facts.domain,
            "answer": self._answer(facts),
            "notices": self._notices(facts),
            "steps": self._steps(facts),
            "figures": self._figures(facts),
            "slices": self._slices(facts),
            "charts": self._charts(facts),
            "keys": self._keys_chart(facts),
            "advice": self._advice(facts),
            "held": self._held(facts),
            "failures": self._failures(facts),
            "names": self._names(facts),
            "clicks": self._clicks(facts),
        }

    @api.model
    def get_orders_action(self, status, number=None, filters=None):
        """Return the action that shows the orders of a status.

        :param number: of the slice; None: of the whole period
        """
        facts = DashboardFacts(self.env, **(filters or {}))
        return {
            "type": "ir.actions.act_window",
            "name": dict(self._order_statuses())[status],
            "res_model": "sale.order",
            "views": [[False, "list"], [False, "form"]],
            "domain": [["id", "in", facts.order_ids(status, number)]],
        }

    # -------------------------------------------------------------------- the filters

    @api.model
    def _filters(self, facts):
        """Return what is chosen, and what there is to choose from."""
        websites = self.env["website"].sudo().search([])
        pixels = self.env["meta.capi.pixel"].search([]) | facts.pixel
        labels = {
            1: _("Today"),
            7: _("Last 7 days"),
            30: _("Last 30 days"),
            90: _("Last 90 days"),
        }
        return {
            "days": facts.period.days,
            "website_id": facts.website.id,
            "pixel": facts.pixel.id,
            "event_name": facts.event_name,
            "periods": [[days, labels[days]] for days in PERIODS],
            "websites": [[website.id, website.name] for website in websites],
            "pixels": [[pixel.id, pixel.display_name] for pixel in pixels],
            "event_names": sorted({*facts.by_name, facts.event_name}),
        }

    @api.model
    def _slices(self, facts):
        """Return each slice: its borders, a short name, and one that stands alone."""
        slices = []
        for since, until in facts.period.slices:
            local = pytz.utc.localize(since).astimezone(facts.zone)
            if facts.period.is_by_hour:
                hour = format_time(self.env, local.time(), time_format="short")
                labels = {"label": hour, "title": hour}
            else:
                labels = self._day_labels(local)
            slices.append(
                {
                    "since": fields.Datetime.to_string(since),
                    "until": fields.Datetime.to_string(until),
                    **labels,
                }
            )
        return slices

    @api.model
    def _day_labels(self, day):
        locale = babel_locale_parse(get_lang(self.env).code)
        return {
            "label": format_skeleton("MMMd", day, locale=locale),
            "title": format_skeleton("MMMEd", day, locale=locale),
        }

    # -------------------------------------------------------------- words and numbers

    @api.model
    def _number(self, value):
        return formatLang(self.env, value, digits=0)

    @api.model
    def _percent(self, part, whole):
        """Return a share in whole percent, and 100 for nothing but all of it."""
        return int(100 * part / whole) if whole else None

    @api.model
    def _percent_text(self, percent):
        return "–" if percent is None else f"{percent}%"

    @api.model
    def _duration(self, delta):
        """Return a time as people say it: 5 minutes."""
        now = fields.Datetime.now()
        return self.env["meta.capi.event"]._age_of(now - delta, add_direction=False)

    @api.model
    def _ago(self, moment):
        """Return how long ago something was; of less than a minute: just now."""
        if fields.Datetime.now() - moment < timedelta(minutes=1):
            return _("just now")
        return self.env["meta.capi.event"]._age_of(moment)

    @api.model
    def _some_events(self, count):
        return _("1 event") if count == 1 else _("%s events", self._number(count))

    # ----------------------------------------------------------------------- the links

    @api.model
    def _log_button(self, text, domain):
        """Return a button that opens the log."""
        return {"text": text, "log": domain}

    @api.model
    def _settings_button(self):
        """Return a button for those who may open the settings, else None."""
        if not self.env.user.has_group("base.group_system"):
            return None
        return {
            "text": _("Open the settings"),
            "action": "website.action_website_configuration",
        }
