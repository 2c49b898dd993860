from odoo import _


class KeyWords:
    """The keys of ``user_data`` in the reader's language."""

    def __init__(self, env):
        self.env = env

    def names(self):
        """Return what each key is called."""
        return {
            "em": _("E-mail address"),
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
            "fbc": _("Click on an ad"),
            "fbp": _("Browser ID"),
        }

    def hints(self):
        """Return what to do where few events have a key."""
        browser = _(
            "It comes from the visitor's browser: orders made in the back office have"
            " none, and visitors who refuse cookies leave none."
        )
        address = _("Ask for the address at checkout.")
        return {
            "em": _(
                "Ask for the e-mail address before the order: at login, or in a form."
            ),
            "ph": _(
                "Make the phone number required at checkout. One without a country code"
                " needs the customer's country."
            ),
            "fn": _("Only persons have one, not companies."),
            "ln": _("Only persons have one, not companies."),
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

    # -------------------------------------------------------------------- the clicks
