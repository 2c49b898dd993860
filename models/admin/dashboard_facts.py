"""What the dashboard knows of a period, a website and a pixel: figures without words."""

from collections import defaultdict
from functools import cached_property

import pytz

from odoo import fields
from odoo.tools import SQL

from ..common.standard_events import PURCHASE
from ..outbox.event_counts import EventCounts, during
from ..settings import setting
from .periods import DEFAULT_DAYS, PERIODS, make_period


class DashboardFacts:
    """The figures, each read once, when it is first asked for.

    :param days: of the period, which ends today: one of ``PERIODS``
    :param website_id: of which website alone; None: of all, and of none
    :param pixel: the id of the ``meta.capi.pixel`` alone whose events count
    :param event_name: of which event the match keys are told
    :raise odoo.exceptions.AccessError: the user may not read the log
    """

    def __init__(self, env, days=None, website_id=None, pixel=None, event_name=None):
        # Before anything is read that the user may not see.
        EventCounts(env)
        self.env = env
        self.now = fields.Datetime.now()
        self.zone = pytz.timezone(env.context.get("tz") or env.user.tz or "UTC")
        days = days if days in PERIODS else DEFAULT_DAYS
        self.period = make_period(days, self.zone, self.now)
        self.website = self.own_websites().filtered(
            lambda website: website.id == website_id
        )
        self.pixel = env["meta.capi.pixel"]._all().browse(pixel or ()).exists()
        self.event_name = event_name or PURCHASE
        # What of the log is meant, at whatever time.
        self.domain = []
        if self.website:
            self.domain.append(("website_id", "=", self.website.id))
        if self.pixel:
            self.domain.append(("pixel_id", "=", self.pixel.pixel_id))
        self.counts = EventCounts(env, self.domain)

    @cached_property
    def websites(self):
        """The websites that are meant: the chosen one, those of the pixel, or all."""
        if self.website:
            return self.website
        if self.pixel:
            return self.env["meta.capi.config"]._websites_of(self.pixel.pixel_id)
        return self.own_websites()

    def own_websites(self):
        """Return the websites of the companies that the user looks at."""
        companies = self.env.companies.ids
        return self.env["website"].sudo().search([("company_id", "in", companies)])

    @cached_property
    def domain_of_period(self):
        """What happened in the period."""
        return [*self.domain, *during(*self._period_texts)]

    @cached_property
    def failed_domain(self):
        """What has failed and happened, or was told, in the period."""
        since, until = self._period_texts
        return [
            *self.domain,
            ("state", "=", "failed"),
            "|",
            *("&", *during(since, until)),
            *("&", ("create_date", ">=", since), ("create_date", "<", until)),
        ]

    @property
    def _period_texts(self):
        since, until = self.period.since, self.period.until
        return fields.Datetime.to_string(since), fields.Datetime.to_string(until)

    @cached_property
    def _by_time(self):
        """The number by slice and state, -2 for the time before; and the delays."""
        counts, delays = defaultdict(int), {}
        borders = [*self.period.before, *self.period.borders]
        for number, state, count, median, slowest in self.counts.by_time(borders):
            counts[number - 2, state] = count
            if median is not None:
                delays[number - 2] = median, slowest
        return counts, delays

    def happened(self, state, number=None):
        """Return how many events of a state happened, in a slice or in the period."""
        counts, _delays = self._by_time
        if number is not None:
            return counts[number, state]
        slices = range(len(self.period.slices))
        return sum(counts[each, state] for each in slices)

    def happened_before(self, state):
        """Return how many happened in the span of time before the period."""
        counts, _delays = self._by_time
        return counts[-2, state]

    def delay(self, number):
        """Return the median and the 95th percentile of a slice, or None."""
        return self._by_time[1].get(number)

    @cached_property
    def by_name(self):
        """The number by name and state."""
        counts = defaultdict(lambda: defaultdict(int))
        for name, state, _keys, count in self._named:
            counts[name][state] += count
        return counts

    @cached_property
    def _named(self):
        return self.counts.by_name(self.period.since, self.period.until)

    def keys(self):
        """Return of how many of the chosen events which key is told, and their number.

        By the lists of keys, of which there are few however many events there are.
        """
        total, having = 0, defaultdict(int)
        for name, state, keys, count in self._named:
            if name != self.event_name or state == "cancelled":
                continue
            total += count
            for key in keys.split(","):
                having[key] += count
        return having, total

    @cached_property
    def failures(self):
        """Triples of a cause and its number in the period and before it."""
        periods = (self.period.since, self.period.until), self.period.before
        return self.counts.failed(*periods)

    @cached_property
    def pending(self):
        """The number and the oldest one's moment by pixel, whenever they happened."""
        return {
            pixel_id: (count, since) for pixel_id, count, since in self.counts.pending()
        }

    @cached_property
    def orders(self):
        """The orders' ids by slice and status; None for who may see none."""
        return self._orders(self.period.borders)

    @cached_property
    def orders_before(self):
        found = self._orders(self.period.before)
        return (found or {}).get(0, {})

    def _orders(self, borders):
        domain = []
        if self.website or self.pixel:
            domain.append(("website_id", "in", self.websites.ids))
        return self.env["meta.capi.reconciliation"]._by_slice(borders, domain)

    @cached_property
    def anonymous_sales(self):
        """The number of the counter's orders in the period that had no customer.

        Those of the points of sale that send their sales, of the companies looked at. A
        counter's events have the website whose company it is.
        """
        points = list(self.env["meta.capi.store"]._codes())
        companies = self.website.company_id or self.env.companies
        if not points or self.pixel or "pos.order" not in self.env:
            return 0
        self.env.cr.execute(
            SQL(
                "SELECT count(*) FROM pos_order WHERE date_order >= %s"
                " AND date_order < %s AND config_id = ANY(%s) AND company_id = ANY(%s)"
                " AND partner_id IS NULL AND amount_total > 0"
                " AND state IN ('paid', 'done', 'invoiced')",
                self.period.since,
                self.period.until,
                points,
                companies.ids,
            )
        )
        return self.env.cr.fetchone()[0]

    def order_ids(self, status, number=None):
        """Return the orders of a status, in a slice or in the period."""
        return [
            order_id
            for each, statuses in sorted((self.orders or {}).items())
            if number in (None, each)
            for order_id in statuses.get(status, ())
        ]

    @cached_property
    def is_before_kept(self):
        """Whether the log still has all of the time before, to compare with."""
        days = self.env["meta.capi.config"]._get(setting.RETENTION_DAYS)
        return days < 0 or days >= 2 * self.period.days
