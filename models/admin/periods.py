"""The days and hours that the dashboard shows, in the time zone of who looks."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import pytz

# Days that can be chosen; one is today.
PERIODS = (1, 7, 30, 90)
DEFAULT_DAYS = 7
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Period:
    """Today and the days before it, in slices: the hours of today, or days.

    All moments are as Odoo stores them, in UTC without a zone.
    """

    days: int
    # The slices' borders, the last one is the end of today.
    borders: tuple[datetime, ...]
    # The same span of time before it, up to the same time of day.
    before: tuple[datetime, datetime]

    @property
    def since(self):
        return self.borders[0]

    @property
    def until(self):
        return self.borders[-1]

    @property
    def slices(self):
        """Return pairs of moments, from the first slice to the last."""
        return list(zip(self.borders, self.borders[1:], strict=False))

    @property
    def is_by_hour(self):
        return self.days == 1


def make_period(days, zone, now):
    """Return the period of so many days that ends with today.

    A day begins at midnight of the zone, and has 23 or 25 hours where a clock is changed.

    :param zone: of ``pytz``
    :param now: naive, in UTC
    """
    local_now = pytz.utc.localize(now).astimezone(zone)
    today = local_now.date()

    def start(days_ago):
        day = datetime.combine(today - timedelta(days=days_ago), time())
        return _to_utc(zone.localize(day))

    if days == 1:
        borders = [start(0)]
        while borders[-1] < start(-1):
            borders.append(min(borders[-1] + _HOUR, start(-1)))
    else:
        borders = [start(days_ago) for days_ago in range(days - 1, -2, -1)]
    same_time = datetime.combine(today - timedelta(days=days), local_now.time())
    before = start(2 * days - 1), _to_utc(zone.localize(same_time))
    return Period(days, tuple(borders), before)


def _to_utc(moment):
    return moment.astimezone(pytz.utc).replace(tzinfo=None)
