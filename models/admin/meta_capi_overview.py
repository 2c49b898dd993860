import pytz

from odoo import _, api, fields, models
from odoo.tools.misc import format_time

from ..common.managers import Managers
from .dashboard_answer import DashboardAnswer
from .dashboard_catalogue import DashboardCatalogue
from .dashboard_charts import DashboardCharts
from .dashboard_facts import DashboardFacts
from .dashboard_keys import DashboardKeys
from .dashboard_quality import DashboardQuality
from .dashboard_steps import DashboardSteps
from .dashboard_words import DashboardWords
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
        answer, charts = DashboardAnswer(self.env), DashboardCharts(self.env)
        return {
            "filters": self._filters(facts),
            "domain": facts.domain,
            "answer": answer.answer(facts),
            "notices": answer.notices(facts),
            "tools": answer.tools(),
            "steps": DashboardSteps(self.env).steps(facts),
            "figures": charts.figures(facts),
            "counter": charts.counter(facts),
            "slices": self._slices(facts),
            "charts": charts.charts(facts),
            "keys": DashboardKeys(self.env).keys_chart(facts),
            "advice": [
                *DashboardQuality(self.env).advice(facts),
                *DashboardCatalogue(self.env).advice(facts),
            ],
            "held": answer.held(facts),
            "failures": answer.failures(facts),
            "names": charts.names(facts),
            "clicks": charts.clicks(facts),
        }

    @api.model
    def get_orders_action(self, status, number=None, filters=None):
        """Return the action that shows the orders of a status.

        :param number: of the slice; None: of the whole period
        """
        facts = DashboardFacts(self.env, **(filters or {}))
        return {
            "type": "ir.actions.act_window",
            "name": dict(DashboardCharts(self.env).order_statuses())[status],
            "res_model": "sale.order",
            "views": [[False, "list"], [False, "form"]],
            "domain": [["id", "in", facts.order_ids(status, number)]],
        }

    @api.model
    def get_missing_action(self, filters=None):
        """Return the action that counts the missing orders, to send their Purchases.

        :raise odoo.exceptions.AccessError: the user manages no events
        """
        Managers(self.env).check()
        facts = DashboardFacts(self.env, **(filters or {}))
        missing = facts.order_ids("missing")
        return self.env["meta.capi.backfill"]._open_chosen("sale.order", missing)

    # -------------------------------------------------------------------- the filters

    @api.model
    def _filters(self, facts):
        """Return what is chosen, and what there is to choose from."""
        websites = facts.own_websites()
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
                labels = DashboardWords(self.env).day_labels(local)
            slices.append(
                {
                    "since": fields.Datetime.to_string(since),
                    "until": fields.Datetime.to_string(until),
                    **labels,
                }
            )
        return slices
