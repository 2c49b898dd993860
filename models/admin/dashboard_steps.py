from odoo import _

from ..common.standard_events import PURCHASE
from ..settings import setting
from .dashboard_words import DashboardWords


class DashboardSteps(DashboardWords):
    """What is to be done first, until the first real Purchase is sent."""

    def steps(self, facts):
        """Return the steps to the first real Purchase; none once it is sent."""
        config = self.env["meta.capi.config"]
        real = [
            ("event_name", "=", PURCHASE),
            ("state", "=", "sent"),
            ("test_event_code", "=", False),
        ]
        if facts.counts.has_any(real):
            return []
        websites = facts.websites
        pixel_ids = {config._pixel_id(website) for website in websites} - {""}
        has_token = bool(pixel_ids) and all(map(config._access_token, pixel_ids))
        answered = self.env["meta.capi.attempt"].search(
            [("pixel_id", "in", list(pixel_ids)), ("outcome", "=", "accepted")], limit=1
        )
        steps = [
            (
                _("Switch it on, and enter the pixel ID and the access token"),
                _("Both are in Meta's Events Manager, in the Settings of the pixel."),
                config._is_enabled() and has_token,
            ),
            (
                _("Test the connection"),
                _(
                    "Enter a test event code from the Test Events tab, and press Send test"
                    " event."
                ),
                bool(answered),
            ),
            (
                _("Choose who asks visitors for consent"),
                _(
                    "The website's cookies bar, another consent tool, or nobody. There you"
                    " also choose whether the Pixel is installed on the pages."
                ),
                all(map(self._is_consent_chosen, websites)),
            ),
            (
                _("Choose when a Purchase is sent"),
                _(
                    "Send Purchase is Never until you choose: no Purchase goes to Meta by"
                    " itself before."
                ),
                self.sends_purchases(facts),
            ),
            (
                _("Sell something"),
                _(
                    "Or send what was sold in the last 7 days. The list goes once Meta has"
                    " taken the first real Purchase, one without a test event code."
                ),
                False,
            ),
        ]
        to_do = next(number for number, step in enumerate(steps) if not step[2])
        is_last = to_do == len(steps) - 1
        button = self.backfill_button() if is_last else self.settings_button()
        return [
            {
                "title": title,
                "help": help_text,
                "is_done": is_done,
                "button": number == to_do and button or None,
            }
            for number, (title, help_text, is_done) in enumerate(steps)
        ]

    def _is_consent_chosen(self, website):
        """Tell whether somebody decides about the visitors of a website."""
        source = self.env["meta.capi.config"]._get(setting.CONSENT_SOURCE, website)
        # The cookies bar asks by default, but is not shown by default.
        return source != "odoo" or website.cookies_bar

    def sends_purchases(self, facts):
        trigger = self.env["meta.capi.reconciliation"]._trigger
        return any(trigger(website) != "never" for website in facts.websites)
