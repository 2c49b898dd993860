from odoo import _

from .dashboard_quality import DashboardQuality
from .dashboard_words import DashboardWords

_STATES = ("sent", "pending", "failed", "cancelled")
# Orders of these are to have a Purchase.
_DUE = ("sent", "waiting", "failed", "missing")


class DashboardCharts(DashboardWords):
    """Figures, charts and tables of what happened in a period."""

    # --------------------------------------------------------------- the four figures

    def figures(self, facts):
        figures = [
            self._delivered_figure(facts),
            self._pending_figure(facts),
            self._failed_figure(facts),
        ]
        if facts.orders is not None:
            figures.append(self._purchases_figure(facts))
        return figures

    def counter(self, facts):
        """Return how many sales of the counter nobody is known of, or None."""
        count = facts.anonymous_sales
        if not count:
            return None
        if count == 1:
            return _("1 order of the counter had no customer, so it was not recorded.")
        return _(
            "%s orders of the counter had no customer, so they were not recorded.",
            self.number(count),
        )

    def _delivered_figure(self, facts):
        sent = facts.happened("sent")
        judged = sent + facts.happened("failed")
        share = self.percent(sent, judged)
        return {
            "key": "sent",
            "label": _("Events delivered"),
            "value": self.number(sent),
            "note": judged and _("%s accepted", self.percent_text(share)),
            "trend": self._trend(facts, sent, facts.happened_before("sent"), True),
            "log": [
                *facts.domain_of_period,
                ("state", "=", "sent"),
            ],
        }

    def _pending_figure(self, facts):
        count = sum(number for number, _since in facts.pending.values())
        oldest = min((since for _number, since in facts.pending.values()), default=None)
        return {
            "key": "pending",
            "label": _("Events pending"),
            "value": self.number(count),
            "note": oldest and _("Oldest: %s", self.ago(oldest)),
            "trend": None,
            "log": [*facts.domain, ("state", "=", "pending")],
        }

    def _failed_figure(self, facts):
        failed = sum(now for _cause, now, _before in facts.failures)
        before = sum(before for _cause, _now, before in facts.failures)
        return {
            "key": "failed",
            "label": _("Events failed"),
            "value": self.number(failed),
            "note": None,
            "trend": self._trend(facts, failed, before, False),
            "log": facts.failed_domain,
        }

    def _purchases_figure(self, facts):
        sent = len(facts.order_ids("sent"))
        due = sum(len(facts.order_ids(status)) for status in _DUE)
        share = self.percent(sent, due)
        before = facts.orders_before
        share_before = self.percent(
            len(before.get("sent", ())),
            sum(len(before.get(status, ())) for status in _DUE),
        )
        trend = None
        if None not in (share, share_before) and share != share_before:
            change = share - share_before
            trend = {
                "text": _("%s points", f"{change:+d}"),
                "title": self._trend_title(facts),
                "is_good": change > 0,
                "is_up": change > 0,
            }
        return {
            "key": "purchases",
            "label": _("Orders with a Purchase"),
            "value": self.percent_text(share),
            "note": due
            and _(
                "%(sent)s of %(due)s orders",
                sent=self.number(sent),
                due=self.number(due),
            ),
            "trend": trend,
            "orders": "sent",
        }

    def _trend(self, facts, count, before, more_is_good):
        """Return how a number compares with the same span of time before, or None."""
        if not (facts.is_before_kept and before) or count == before:
            return None
        change = round(100 * (count - before) / before)
        return {
            "text": f"{change:+d}%" if change < 1000 else f"×{count // before}",
            "title": self._trend_title(facts),
            "is_good": (count > before) == more_is_good,
            "is_up": count > before,
        }

    def _trend_title(self, facts):
        if facts.period.days == 1:
            return _("against yesterday up to this hour")
        return _("against the %s days before", facts.period.days)

    # ------------------------------------------------------------- over days or hours

    def charts(self, facts):
        """Return the charts; each has a value for each slice, None where none is known."""
        charts = [self._events_chart(facts), self._delays_chart(facts)]
        if facts.orders is not None:
            charts.append(self._orders_chart(facts))
        if DashboardQuality(self.env).quality_pixel_id(facts):
            charts.append(DashboardQuality(self.env).quality_chart(facts))
        return charts

    def _state_labels(self):
        return {
            "sent": _("Delivered"),
            "pending": _("Pending"),
            "failed": _("Failed"),
            "cancelled": _("Excluded"),
        }

    def _events_chart(self, facts):
        """Return the number of events by state, and those that it cannot show."""
        slices = range(len(facts.period.slices))
        labels = self._state_labels()
        series = [
            {
                "key": state,
                "label": labels[state],
                "values": [facts.happened(state, number) for number in slices],
            }
            for state in _STATES
        ]
        failed = sum(now for _cause, now, _before in facts.failures)
        earlier = failed - facts.happened("failed")
        note = None
        if earlier:
            note = _(
                "%s that failed happened at another time, and were only recorded in this"
                " period.",
                self.some_events(earlier),
            )
        return {
            "name": "events",
            "kind": "bar",
            "title": (
                _("Events per hour") if facts.period.is_by_hour else _("Events per day")
            ),
            "empty": _("No event of this period is in the log."),
            "series": [each for each in series if any(each["values"])],
            "note": note,
        }

    def _delays_chart(self, facts):
        """Return the seconds from the event to Meta's yes."""
        numbers = range(len(facts.period.slices))
        delays = [facts.delay(number) for number in numbers]
        shares = (
            ("median", _("Half of the events within")),
            ("slowest", _("95% of the events within")),
        )
        return {
            "name": "delays",
            "kind": "line",
            "unit": "seconds",
            "title": _("Time to delivery"),
            "help": _("From the event to Meta's yes."),
            "empty": _("No event of this period has been delivered."),
            "series": [
                {
                    "key": key,
                    "label": label,
                    "values": [
                        delay and max(delay[index].total_seconds(), 0)
                        for delay in delays
                    ],
                    "texts": [
                        delay and self.duration(delay[index]) for delay in delays
                    ],
                }
                for index, (key, label) in enumerate(shares)
                if any(delays)
            ],
        }

    def order_statuses(self):
        return [
            ("sent", _("Purchase delivered")),
            ("waiting", _("Purchase pending")),
            ("failed", _("Purchase failed")),
            ("missing", _("No Purchase")),
            ("explained", _("Excluded")),
            ("not_due", _("Not due yet")),
            ("before", _("From before Purchases were sent")),
        ]

    def _orders_chart(self, facts):
        """Return the website's orders by what became of their Purchase."""
        numbers = range(len(facts.period.slices))
        series = [
            {
                "key": status,
                "label": label,
                "values": [len(facts.order_ids(status, each)) for each in numbers],
            }
            for status, label in self.order_statuses()
        ]
        return {
            "name": "orders",
            "kind": "bar",
            "title": (
                _("Orders and their Purchase per hour")
                if facts.period.is_by_hour
                else _("Orders and their Purchase per day")
            ),
            "help": _("Confirmed orders of the website."),
            "empty": _("No order of the website in this period."),
            "series": [each for each in series if any(each["values"])],
        }

    # -------------------------------------------------------------------- the tables

    def names(self, facts):
        """Return the events by name and state, the most frequent first."""
        labels = self._state_labels()
        rows = sorted(
            facts.by_name.items(), key=lambda row: (-sum(row[1].values()), row[0])
        )
        return {
            "states": [
                [state, labels[state]]
                for state in _STATES
                if state == "sent" or any(counts[state] for _name, counts in rows)
            ],
            "rows": [
                {"name": name, "counts": {state: counts[state] for state in _STATES}}
                for name, counts in rows
            ],
        }

    def clicks(self, facts):
        """Return of how many visits that came by an ad the click was told."""
        kinds = self.env["meta.capi.event"]._fields["click_browser"]
        names = dict(kinds._description_selection(self.env))
        found = facts.counts.clicks(facts.period.since, facts.period.until)
        counts = {kind: (visits, told) for kind, visits, told in found}
        return [
            {
                "name": names[kind],
                "visits": self.number(counts[kind][0]),
                "share": self.percent_text(self.percent(*reversed(counts[kind]))),
                "is_whole": counts[kind][0] == counts[kind][1],
                "log": [
                    *facts.domain_of_period,
                    ("click_browser", "=", kind),
                ],
            }
            for kind in names
            if kind in counts
        ]
