from datetime import datetime, time, timedelta

import pytz
from babel.dates import format_timedelta

from odoo import fields
from odoo.tools.misc import babel_locale_parse, get_lang


def age_of(env, moment, add_direction=True, format="long"):
    """Tell how long ago ``moment`` was the way people do: 5 minutes ago."""
    past = min(moment - fields.Datetime.now(), timedelta())
    locale = babel_locale_parse(get_lang(env).code)
    return format_timedelta(
        past, add_direction=add_direction, format=format, locale=locale
    )


def day_start(env, days_ago=0):
    """Return when a day of the user's began, as Odoo stores it: in UTC."""
    zone = pytz.timezone(env.context.get("tz") or env.user.tz or "UTC")
    day = datetime.now(zone).date() - timedelta(days=days_ago)
    start = zone.localize(datetime.combine(day, time()))
    return start.astimezone(pytz.utc).replace(tzinfo=None)
