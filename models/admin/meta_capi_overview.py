from collections import defaultdict

from odoo import _, api, fields, models
from odoo.tools.misc import format_date, formatLang

from ..common.age import age_of, day_start
from ..outbox.key_words import KeyWords
from ..settings import setting
from .meta_capi_reconciliation import STATUSES

# Today and the days before it that "in 7 days" means, also in the log's filter.
_PERIOD_DAYS = 7
# Rows of the table of events; a shop with more names has a pivot for them.
_MAX_ROWS = 15
# Percent of the events below which a key is worth a hint.
_WEAK_BELOW = 60
_TEMPLATES = "ih_meta_conversions_api.meta_capi_overview"


class MetaCapiOverview(models.Model):
    """How it goes, on one page: a single row, all of it computed.

    Each figure comes from one grouped query over the last days, which the index on the
    time of the events serves, under the rules of the user who looks.
    """

    _name = "meta.capi.overview"
    _description = "Meta Events Overview"
    _auto = False
    _table_query = "SELECT 1 AS id"

    name = fields.Char(compute="_compute_name")
    sent_today = fields.Integer(compute="_compute_events")
    sent_week = fields.Integer("Sent in the Last 7 Days", compute="_compute_events")
    failed_week = fields.Integer("Failed in the Last 7 Days", compute="_compute_events")
    success_rate = fields.Char(compute="_compute_events")
    events_table = fields.Html("Events", compute="_compute_events", sanitize=False)
    cause_ids = fields.Many2many(
        "meta.capi.cause", string="Failures by Cause", compute="_compute_events"
    )
    pending_count = fields.Integer("Waiting", compute="_compute_pending")
    oldest_pending = fields.Char("Oldest Waiting", compute="_compute_pending")
    stopped_pixel_ids = fields.Many2many(
        "meta.capi.pixel",
        string="Stopped Pixels",
        compute="_compute_pixels",
        context={"active_test": False},
    )
    held_count = fields.Integer("Held Events", compute="_compute_pixels")
    held_cures = fields.Text("Cures of Stopped Pixels", compute="_compute_pixels")
    match_table = fields.Html("Match Keys", compute="_compute_match", sanitize=False)
    clicks_table = fields.Html(
        "Clicks on Ads", compute="_compute_clicks", sanitize=False
    )
    orders_table = fields.Html("Orders", compute="_compute_orders", sanitize=False)
    missing_count = fields.Integer(
        "Orders Without a Purchase", compute="_compute_orders"
    )
    shows_orders = fields.Boolean(compute="_compute_orders")
    notice = fields.Text(compute="_compute_notice")

    @api.depends_context("lang")
    def _compute_name(self):
        self.name = _("Overview")

    @api.depends_context("lang")
    def _compute_display_name(self):
        self.display_name = _("Overview")

    def _compute_notice(self):
        config = self.env["meta.capi.config"]
        websites = self.env["website"].sudo().search([])
        notice = False
        if not config._is_enabled():
            notice = _(
                "The Meta Conversions API is switched off: nothing is recorded, and what"
                " waits is not sent."
            )
        elif not any(map(config._pixel_id, websites)):
            notice = _("No pixel is set, so nothing is recorded.")
        elif len(websites) > 1 and not all(map(config._pixel_id, websites)):
            notice = _(
                "No pixel is set for %s, so nothing of it is recorded.",
                ", ".join(
                    website.name
                    for website in websites
                    if not config._pixel_id(website)
                ),
            )
        elif len(websites) > 1 and any(map(config._test_event_code, websites)):
            notice = _(
                "A test event code is set for %s: events show in the Test Events tab of"
                " Meta's Events Manager. Clear it in the settings for real operation.",
                ", ".join(
                    website.name
                    for website in websites
                    if config._test_event_code(website)
                ),
            )
        elif any(map(config._test_event_code, websites)):
            notice = _(
                "A test event code is set: events show in the Test Events tab of Meta's"
                " Events Manager. Clear it in the settings for real operation."
            )
        self.notice = notice

    # ------------------------------------------------------------------- the events

    def _week_start(self):
        return day_start(self.env, _PERIOD_DAYS - 1)

    def _count_events(self, since, groupby):
        return self.env["meta.capi.event"]._read_group(
            [("event_time", ">=", since)], groupby, ["__count"]
        )

    @api.depends_context("lang", "tz", "uid", "allowed_company_ids")
    def _compute_events(self):
        today = defaultdict(int)
        groupby = ["event_name", "website_id", "state"]
        for name, website, state, count in self._count_events(
            day_start(self.env), groupby
        ):
            if state == "sent":
                today[name, website] += count
        week = defaultdict(lambda: defaultdict(int))
        causes = defaultdict(int)
        for name, website, state, cause, count in self._count_events(
            self._week_start(), [*groupby, "cause"]
        ):
            week[name, website][state] += count
            if state == "failed":
                causes[cause] += count
        rows = sorted(week.items(), key=lambda row: -sum(row[1].values()))
        totals = defaultdict(int)
        for _key, counts in rows:
            for state, count in counts.items():
                totals[state] += count
        judged = totals["sent"] + totals["failed"]
        self.sent_today = sum(today.values())
        self.sent_week = totals["sent"]
        self.failed_week = totals["failed"]
        self.success_rate = f"{_percent(totals['sent'], judged)} %" if judged else "–"
        self.cause_ids = (
            self.env["meta.capi.cause"]
            .search([("key", "in", list(causes))])
            .sorted(lambda cause: -causes[cause.key])
        )
        self.events_table = self._render(
            "events",
            rows=[
                {
                    "name": name,
                    "website": website.sudo().name,
                    "today": today[name, website],
                    **{
                        state: counts[state]
                        for state in ("sent", "pending", "failed", "cancelled")
                    },
                }
                for (name, website), counts in rows[:_MAX_ROWS]
            ],
            more=max(len(rows) - _MAX_ROWS, 0),
            shows_website=len({website for (_name, website), _counts in rows}) > 1,
        )

    @api.depends_context("lang", "uid", "allowed_company_ids")
    def _compute_pending(self):
        ((oldest, count),) = self.env["meta.capi.event"]._read_group(
            [("state", "=", "pending")], [], ["create_date:min", "__count"]
        )
        self.pending_count = count
        self.oldest_pending = oldest and age_of(self.env, oldest, add_direction=False)

    @api.depends_context("lang", "uid", "allowed_company_ids")
    def _compute_pixels(self):
        events = self.env["meta.capi.event"]
        stopped = self.env["meta.capi.pixel"]._all().search([("state", "=", "stopped")])
        # One without use matters as long as something waits for it.
        self.stopped_pixel_ids = stopped.filtered(
            lambda pixel: pixel.active or pixel.pending_count
        )
        self.held_count = events.search_count([("is_held", "=", True)])
        self.held_cures = "\n".join(
            f"{pixel.display_name}: {pixel.cure}" for pixel in self.stopped_pixel_ids
        )

    # --------------------------------------------------------------- the match keys

    @api.depends_context("lang", "uid", "allowed_company_ids")
    def _compute_match(self):
        """Tell which share of the events has which key.

        By the lists of keys, of which there are few however many events there are.
        """
        total, having = 0, defaultdict(int)
        for keys, state, count in self._count_events(
            self._week_start(), ["user_data_keys", "state"]
        ):
            if state == "cancelled":
                continue
            total += count
            for key in (keys or "").split(","):
                having[key] += count
        withheld = self.env["meta.capi.config"]._withheld_user_data()
        words = KeyWords(self.env)
        names, hints = words.names(), words.hints()
        rows = []
        for key in setting.USER_DATA_KEYS.choices:
            share = _percent(having[key], total)
            hint = ""
            if key in withheld:
                hint = _("Switched off in the settings.")
            elif share < _WEAK_BELOW:
                hint = hints.get(key, "")
            rows.append({"key": key, "name": names[key], "share": share, "hint": hint})
        self.match_table = self._render("match", rows=rows, total=total)

    @api.depends_context("lang", "uid", "allowed_company_ids")
    def _compute_clicks(self):
        """Tell of how many visits that came by an ad the click was told.

        A visit is what has a landing page's URL to itself: Meta makes each click's ID.
        """
        visits, told = self._count_clicks(), self._count_clicks("fbc")
        kinds = self.env["meta.capi.event"]._fields["click_browser"]
        self.clicks_table = self._render(
            "clicks",
            rows=[
                {
                    "name": name,
                    "visits": visits[kind],
                    "share": _percent(told[kind], visits[kind]),
                }
                for kind, name in kinds._description_selection(self.env)
                if visits[kind]
            ],
        )

    def _count_clicks(self, key=""):
        """Return how many landing pages each kind of browser has events of with ``key``."""
        counts = self.env["meta.capi.event"]._read_group(
            [
                ("event_time", ">=", self._week_start()),
                ("click_browser", "!=", False),
                ("user_data_keys", "like", key),
            ],
            ["click_browser"],
            ["event_source_url:count_distinct"],
        )
        return defaultdict(int, counts)

    # -------------------------------------------------------------------- the orders

    @api.depends_context("lang", "tz", "uid", "allowed_company_ids")
    def _compute_orders(self):
        days = self.env["meta.capi.reconciliation"]._by_day(self._week_start())
        self.shows_orders = days is not None
        days = days or {}
        rows = [
            {
                "day": format_date(self.env, day, date_format="E d MMM"),
                "orders": sum(map(len, statuses.values())),
                **{status: len(statuses.get(status, ())) for status in STATUSES},
            }
            for day, statuses in sorted(days.items(), reverse=True)
        ]
        self.missing_count = sum(row["missing"] for row in rows)
        self.orders_table = self._render(
            "orders",
            rows=rows,
            is_armed=self.env["meta.capi.reconciliation"]._is_armed(),
            shows_not_due=any(row["not_due"] for row in rows),
        )

    # ----------------------------------------------------------------------- clicks

    def action_open_sent_today(self):
        return self._open_log(search_default_sent=1, search_default_today=1)

    def action_open_sent(self):
        return self._open_log(search_default_sent=1, search_default_week=1)

    def action_open_failed(self):
        return self._open_log(
            search_default_failed=1, search_default_week=1, search_default_group_cause=1
        )

    def action_open_pending(self):
        return self._open_log(search_default_pending=1)

    def action_open_held(self):
        return self._open_log(search_default_held=1)

    def action_open_events(self):
        action = self._open_log(search_default_week=1)
        action["views"].sort(key=lambda view: view[1] != "pivot")
        return action

    def action_open_missing(self):
        """Open the orders of these days that are to have a Purchase and have none."""
        days = self.env["meta.capi.reconciliation"]._by_day(self._week_start()) or {}
        ids = [
            order for statuses in days.values() for order in statuses.get("missing", ())
        ]
        return {
            "type": "ir.actions.act_window",
            "name": _("Orders Without a Purchase"),
            "res_model": "sale.order",
            "view_mode": "list,form",
            "domain": [("id", "in", ids)],
        }

    def _open_log(self, **context):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "ih_meta_conversions_api.meta_capi_event_action"
        )
        action["context"] = context
        return action

    def _render(self, part, **values):
        def number(value):
            return formatLang(self.env, value, digits=0)

        values["number"] = number
        return self.env["ir.qweb"]._render(f"{_TEMPLATES}_{part}", values)


def _percent(part, whole):
    """Return a share in whole percent, and 100 for nothing but all of it."""
    return int(100 * part / whole) if whole else 0
