from datetime import timedelta

from babel.dates import format_skeleton

from odoo import _, fields
from odoo.tools.misc import babel_locale_parse, formatLang, get_lang

from ..common.age import age_of
from ..common.managers import MANAGER


class DashboardWords:
    """Numbers, times and buttons of the dashboard, as who looks at it reads them."""

    def __init__(self, env):
        self.env = env

    def day_labels(self, day):
        locale = babel_locale_parse(get_lang(self.env).code)
        return {
            "label": format_skeleton("MMMd", day, locale=locale),
            "title": format_skeleton("MMMEd", day, locale=locale),
        }

    # -------------------------------------------------------------- words and numbers

    def number(self, value):
        return formatLang(self.env, value, digits=0)

    def percent(self, part, whole):
        """Return a share in whole percent, and 100 for nothing but all of it."""
        return int(100 * part / whole) if whole else None

    def percent_text(self, percent):
        return "–" if percent is None else f"{percent}%"

    def duration(self, delta):
        """Return a time as people say it: 5 minutes."""
        now = fields.Datetime.now()
        return age_of(self.env, now - delta, add_direction=False)

    def ago(self, moment):
        """Return how long ago something was; of less than a minute: just now."""
        if fields.Datetime.now() - moment < timedelta(minutes=1):
            return _("just now")
        return age_of(self.env, moment)

    def some_events(self, count):
        return _("1 event") if count == 1 else _("%s events", self.number(count))

    # ----------------------------------------------------------------------- the links

    def log_button(self, text, domain):
        """Return a button that opens the log."""
        return {"text": text, "log": domain}

    def settings_button(self):
        """Return a button for those who may open the settings, else None."""
        if not self.env.user.has_group("base.group_system"):
            return None
        return {
            "text": _("Open the settings"),
            "action": "ih_meta_conversions_api.meta_capi_settings_action",
        }

    def backfill_button(self):
        """Return a button to send what was sold before, for those who may, else None."""
        if not self.env.user.has_group(MANAGER):
            return None
        return {
            "text": _("Send earlier orders"),
            "action": "ih_meta_conversions_api.meta_capi_backfill_new_action",
        }
