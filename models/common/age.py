from datetime import timedelta

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
