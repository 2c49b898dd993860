from odoo import _, api, models

from ..settings.meta_capi_config import CHOSEN_USER_DATA_KEYS

# Percent of the events below which a key is worth a hint.
_WEAK_BELOW = 60


class MetaCapiOverview(models.AbstractModel):
    """By what Meta can match people, of the events that we have and by Meta's count."""

    _inherit = "meta.capi.overview"

    @api.model
    def _keys_chart(self, facts):
        """Return the share of the chosen events that has each key."""
        having, total = facts.keys()
        by_meta, told = self._keys_by_meta(facts)
        withheld = self.env["meta.capi.config"]._withheld_user_data()
        names, hints = self._key_names(), self._key_hints()
        rows = []
        for key in CHOSEN_USER_DATA_KEYS:
            share = self._percent(having[key], total)
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
                    "text": self._percent_text(share),
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

    @api.model
    def _meta_text(self, share):
        return _("not told") if share is None else self._percent_text(round(share))

    @api.model
    def _key_names(self):
        return {
            "em": _("Email address"),
            "ph": _("Phone number"),
            "fn": _("First name"),
            "ln": _("Last name"),
            "ct": _("City"),
            "st": _("State or province"),
            "zp": _("Postcode"),
            "country": _("Country"),
            "external_id": _("Customer ID"),
            "client_ip_address": _("IP address"),
            "client_user_agent": _("User agent"),
            "fbc": _("Click ID"),
            "fbp": _("Browser ID"),
        }

    @api.model
    def _key_hints(self):
        browser = _(
            "It comes from the visitor's browser: orders made in the back office have"
            " none, and visitors who refuse cookies leave none."
        )
        address = _("Ask for the address at checkout.")
        person = _("Only persons have one, not companies.")
        return {
            "em": _(
                "Ask for the email address before the order: at login, or in a form."
            ),
            "ph": _(
                "Make the phone number required at checkout. One without a country code"
                " needs the customer's country."
            ),
            "fn": person,
            "ln": person,
            "ct": address,
            "st": _("Only some countries have states."),
            "zp": address,
            "country": address,
            "external_id": _("Events of visitors who are not known yet have none."),
            "client_ip_address": _(
                "Behind a reverse proxy Odoo needs proxy_mode = True, and the proxy has to"
                " pass on the visitor's address."
            ),
            "client_user_agent": browser,
            "fbc": _(
                "Only visitors who came by an ad have one: a low share is no fault."
            ),
            "fbp": browser,
        }
