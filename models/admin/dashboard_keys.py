from odoo import _

from ..outbox.key_words import KeyWords
from ..settings import setting
from .dashboard_quality import DashboardQuality
from .dashboard_words import DashboardWords

# Percent of the events below which a key is worth a hint.
_WEAK_BELOW = 60


class DashboardKeys(DashboardWords):
    """By what Meta can match people, of the events that we have and by Meta's count."""

    def keys_chart(self, facts):
        """Return the share of the chosen events that has each key."""
        having, total = facts.keys()
        by_meta, told = DashboardQuality(self.env).keys_by_meta(facts)
        withheld = self.env["meta.capi.config"]._withheld_user_data()
        words = KeyWords(self.env)
        names, hints = words.names(), words.hints()
        rows = []
        for key in setting.USER_DATA_KEYS.choices:
            share = self.percent(having[key], total)
            hint = ""
            if key in withheld:
                hint = _("Switched off in the settings.")
            elif share is not None and share < _WEAK_BELOW:
                hint = hints[key]
            rows.append(
                {
                    "key": key,
                    "name": names[key],
                    "share": share,
                    "text": self.percent_text(share),
                    "meta": by_meta.get(key),
                    "meta_text": self._meta_text(by_meta.get(key)),
                    "hint": hint,
                    "missing": _("Without: %s", names[key]),
                    "log": [
                        *facts.domain_of_period,
                        ("event_name", "=", facts.event_name),
                        ("state", "!=", "cancelled"),
                        ("user_data_keys", "not like", key),
                    ],
                }
            )
        return {"total": total, "rows": rows, "told": told}

    def _meta_text(self, share):
        return _("not told") if share is None else self.percent_text(round(share))
