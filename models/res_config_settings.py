from odoo import SUPERUSER_ID, Command, _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..capi.answer import Outcome
from ..capi.errors import InvalidParameter
from . import meta_capi_config as config

# Parameters that are on unless they say no: Odoo's own config_parameter would delete
# what is switched off, and read the default again.
_ON_BY_DEFAULT = {
    "meta_capi_value_includes_tax": config.VALUE_INCLUDES_TAX,
    "meta_capi_value_includes_shipping": config.VALUE_INCLUDES_SHIPPING,
    "meta_capi_send_without_browser": config.WITHOUT_BROWSER,
    "meta_capi_exclude_internal_users": config.EXCLUDE_INTERNAL_USERS,
    "meta_capi_exclude_zero_orders": config.EXCLUDE_ZERO_ORDERS,
    "meta_capi_exclude_test_payments": config.EXCLUDE_TEST_PAYMENTS,
}
# When an order's Purchase is sent, by which automations that are shipped.
_PURCHASE_AUTOMATIONS = {
    "confirmed": ("automation_purchase",),
    "paid": ("automation_purchase_paid_online", "automation_purchase_paid_invoice"),
    "invoiced": ("automation_purchase_invoiced",),
}
# What a person chooses together of the keys of user_data.
_USER_DATA_FIELDS = {
    "meta_capi_send_email": ("em",),
    "meta_capi_send_phone": ("ph",),
    "meta_capi_send_name": ("fn", "ln"),
    "meta_capi_send_address": ("ct", "st", "zp", "country"),
    "meta_capi_send_customer_id": ("external_id",),
    "meta_capi_send_browser": ("client_ip_address", "client_user_agent"),
    "meta_capi_send_cookies": ("fbc", "fbp"),
}


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    meta_capi_enabled = fields.Boolean("Meta Conversions API")
    meta_capi_pixel_id = fields.Char("Meta Pixel ID", config_parameter=config.PIXEL_ID)
    # Neither stored with the wizard nor ever sent back: written straight through.
    meta_capi_access_token = fields.Char(
        "Access Token",
        compute="_compute_meta_capi_access_token",
        inverse="_inverse_meta_capi_access_token",
        groups="base.group_system",
    )
    meta_capi_access_token_set = fields.Boolean("Access Token Set", readonly=True)
    meta_capi_test_event_code = fields.Char(
        "Test Event Code", config_parameter=config.TEST_EVENT_CODE
    )
    meta_capi_purchase_trigger = fields.Selection(
        [
            ("never", "Never"),
            ("confirmed", "The order is confirmed"),
            ("paid", "The order is paid in full"),
            ("invoiced", "The order is first invoiced"),
        ],
        "Send Purchase when",
        required=True,
        default="never",
        help="Of orders of a website. However this changes, an order is one Purchase.\n"
        "Paid in full: payment transactions, authorized ones included, or paid invoices"
        " cover the total.",
    )

    meta_capi_bridge_enabled = fields.Boolean(
        "Send the browser's events from the server, too",
        help="Each event of the shop's pages reaches Meta from both ends under one ID, and"
        " is counted once; the server's copy also where the browser's is blocked.",
    )
    meta_capi_pixel_mode = fields.Selection(
        [
            ("page", "The website loads it already"),
            ("load", "Load it, and send the shop's events with it"),
            ("server", "None: send the shop's events from the server only"),
        ],
        "Meta Pixel on the pages",
        config_parameter=config.PIXEL_MODE,
        default=config.PIXEL_MODES[0],
    )
    meta_capi_bridge_events = fields.Char(
        "Events taken from the pages",
        config_parameter=config.BRIDGE_EVENTS,
        help="Names, separated by commas. Empty: all standard events of Meta.",
    )

    meta_capi_value_includes_tax = fields.Boolean("Value includes tax")
    meta_capi_value_includes_shipping = fields.Boolean(
        "Value includes delivery",
        help="What delivery costs is spread over the products, so that their prices add"
        " up to the value.",
    )
    meta_capi_content_id = fields.Selection(
        [
            ("product_id", "Database ID of the variant"),
            ("product_tmpl_id", "Database ID of the product"),
            ("default_code", "Internal reference"),
            ("barcode", "Barcode"),
        ],
        "Product ID in the catalogue",
        config_parameter=config.CONTENT_ID,
        default=config.CONTENT_IDS[0],
        help="By what the shop's catalogue at Meta knows its products.",
    )
    meta_capi_send_email = fields.Boolean("E-mail address")
    meta_capi_send_phone = fields.Boolean("Phone number")
    meta_capi_send_name = fields.Boolean("First and last name")
    meta_capi_send_address = fields.Boolean("City, state, postcode, country")
    meta_capi_send_customer_id = fields.Boolean("Customer ID")
    meta_capi_send_browser = fields.Boolean("IP address and user agent")
    meta_capi_send_cookies = fields.Boolean("Meta's cookies _fbc and _fbp")
    meta_capi_limited_data_use = fields.Selection(
        [
            ("off", "Never"),
            ("state", "For customers in US states that have a privacy law"),
            ("always", "Always"),
        ],
        "Limited Data Use",
        config_parameter=config.LIMITED_DATA_USE,
        default="off",
        help="Tells Meta to process the data of people in some US states as a service"
        " provider only.",
    )
    meta_capi_send_without_browser = fields.Boolean(
        "Send events of documents that no browser made",
        help="Orders taken by phone, entered in the back office or imported: no visitor"
        " was asked for consent. In the EU, the UK and other countries you need another"
        " legal basis to send them, such as a consent that you have on file. That is for"
        " you to judge. Orders of customers with “No Events to Meta” are never sent.",
    )
    meta_capi_exclude_internal_users = fields.Boolean(
        "Customers who are internal users"
    )
    meta_capi_exclude_zero_orders = fields.Boolean("Orders with nothing to pay")
    meta_capi_exclude_test_payments = fields.Boolean(
        "Purchases paid through a provider in test mode"
    )
    meta_capi_excluded_tag_ids = fields.Many2many(
        "res.partner.category",
        string="Customers with a tag",
        help="Also those who buy for a company with the tag.",
    )

    def _compute_meta_capi_access_token(self):
        self.meta_capi_access_token = False

    def _inverse_meta_capi_access_token(self):
        for settings in self:
            if settings.meta_capi_access_token:
                self.env["ir.config_parameter"].set_param(
                    config.ACCESS_TOKEN, settings.meta_capi_access_token
                )
        # What was typed is in the cache, and would go back with the answer.
        self.invalidate_recordset(["meta_capi_access_token"], flush=False)

    @api.model
    def get_values(self):
        # Not config_parameter: Odoo reads any text there as True.
        return {
            **super().get_values(),
            "meta_capi_enabled": self.env["meta.capi.config"]._is_enabled(),
            "meta_capi_bridge_enabled": (
                self.env["meta.capi.config"]._is_bridge_enabled()
            ),
            "meta_capi_access_token_set": bool(
                self.env["meta.capi.config"]._get(config.ACCESS_TOKEN)
            ),
            "meta_capi_purchase_trigger": self._meta_capi_get_purchase_trigger(),
            **self._meta_capi_get_data_values(),
        }

    def set_values(self):
        result = super().set_values()
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param(config.ENABLED, str(self.meta_capi_enabled))
        parameters.set_param(config.BRIDGE_ENABLED, str(self.meta_capi_bridge_enabled))
        self._meta_capi_set_data_values()
        if self.meta_capi_purchase_trigger != self._meta_capi_get_purchase_trigger():
            self._meta_capi_set_purchase_trigger()
        return result

    @api.model
    def _meta_capi_get_data_values(self):
        """Return what is chosen of the data to send."""
        capi_config = self.env["meta.capi.config"]
        withheld = capi_config._withheld_user_data()
        return {
            **{field: capi_config._is_on(key) for field, key in _ON_BY_DEFAULT.items()},
            **{
                field: withheld.isdisjoint(keys)
                for field, keys in _USER_DATA_FIELDS.items()
            },
            "meta_capi_excluded_tag_ids": [
                Command.set(self._meta_capi_get_excluded_tags().ids)
            ],
        }

    def _meta_capi_set_data_values(self):
        parameters = self.env["ir.config_parameter"].sudo()
        for field, key in _ON_BY_DEFAULT.items():
            parameters.set_param(key, str(self[field]))
        chosen = [keys for field, keys in _USER_DATA_FIELDS.items() if self[field]]
        if not chosen:
            raise UserError(
                _("Meta takes no event that tells nothing of the customer.")
            )
        keys = ",".join(key for keys in chosen for key in keys)
        everything = len(chosen) == len(_USER_DATA_FIELDS)
        parameters.set_param(config.USER_DATA_KEYS, "" if everything else keys)
        parameters.set_param(
            config.EXCLUDED_TAG_IDS,
            ",".join(map(str, self.meta_capi_excluded_tag_ids.ids)),
        )

    @api.model
    def _meta_capi_get_excluded_tags(self):
        ids = sorted(self.env["meta.capi.config"]._excluded_tag_ids())
        return self.env["res.partner.category"].browse(ids).exists()

    def action_meta_capi_test_connection(self):
        """Ask Meta for the pixel and show what it answers."""
        pixel_id, token = self._meta_capi_credentials()
        try:
            client = self.env["meta.capi.config"]._graph_client()
        except InvalidParameter as error:
            raise UserError(str(error)) from error
        answer = client.get_pixel(pixel_id, token)
        if answer.outcome is Outcome.ACCEPTED:
            message = _("Meta knows the pixel and the token: %s", answer.body)
        elif answer.outcome is Outcome.AMBIGUOUS:
            message = _(
                "The token may not read the pixel, which is usual for one made in Events"
                " Manager. Send a test event to see whether it may send. Meta: %s",
                answer.error_message,
            )
        else:
            message = _("Meta refuses: %s", answer.error_message)
        return self._meta_capi_stay_here(
            self.env["meta.capi.event"]._notification(
                message, "success" if answer.outcome is Outcome.ACCEPTED else "warning"
            )
        )

    def action_meta_capi_send_test_event(self):
        """Send an event to the Test Events tab of Meta and show what it answers."""
        pixel_id, _token = self._meta_capi_credentials()
        website = self.website_id
        if not self.env["meta.capi.config"]._test_event_code(website):
            raise UserError(
                _("Set a test event code first; Meta would count the event as real.")
            )
        # Committed before it is sent, like any event: this transaction never sees it.
        with self.env["meta.capi.delivery"]._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            event = env["meta.conversions.api"].send_event(
                "TestEvent",
                user_data={"external_id": f"odoo-test-{self.env.uid}"},
                action_source="system_generated",
                website=website.with_env(env) or None,
                raise_on_error=True,
            )
            sent_ids = {event.pixel_id: event.ids} if event else {}
        if not sent_ids:
            raise UserError(_("The Meta Conversions API is switched off."))
        return self._meta_capi_stay_here(
            self.env["meta.capi.event"]._send_and_tell(sent_ids)
        )

    @api.model
    def _meta_capi_stay_here(self, notification):
        """Have the form read anew in its place.

        Opened anew, it would show the top of a page on which ours are far below.
        """
        notification["params"]["next"] = {"type": "ir.actions.act_window_close"}
        return notification

    def _meta_capi_credentials(self):
        """Return the pixel and the token of the website at hand."""
        if not self.env.is_admin():
            raise AccessError(_("Only administrators may do this."))
        pixel_id = self.env["meta.capi.config"]._pixel_id(self.website_id)
        if not pixel_id:
            raise UserError(_("Set the Meta Pixel ID first."))
        token = self.env["meta.capi.config"]._access_token(pixel_id)
        if not token:
            raise UserError(_("Set the access token first."))
        return pixel_id, token

    @api.model
    def _meta_capi_get_purchase_trigger(self):
        """Return when a Purchase is sent, also where a person has armed an automation.

        Of several that are armed the first one in an order's life counts.
        """
        for trigger in _PURCHASE_AUTOMATIONS:
            if any(self._meta_capi_automations(trigger).mapped("active")):
                return trigger
        return "never"

    def _meta_capi_set_purchase_trigger(self):
        """Arm what is chosen, and nothing else of what is shipped."""
        for trigger, names in _PURCHASE_AUTOMATIONS.items():
            active = trigger == self.meta_capi_purchase_trigger
            automations = self._meta_capi_automations(trigger)
            if active and len(automations) < len(names):
                raise UserError(
                    _(
                        "The automation rule behind this choice was deleted. Update the app Meta"
                        " Conversions API Integration to have it again."
                    )
                )
            automations.filtered_domain([("active", "!=", active)]).active = active

    @api.model
    def _meta_capi_automations(self, trigger):
        """Return the automations that are shipped for it; a user may delete them."""
        automations = self.env["base.automation"]
        for name in _PURCHASE_AUTOMATIONS[trigger]:
            automation = self.env.ref(
                f"ih_meta_conversions_api.{name}", raise_if_not_found=False
            )
            automations += automation or automations.browse()
        return automations
