from odoo import SUPERUSER_ID, Command, _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ...capi.answer import Outcome
from ...capi.errors import InvalidParameter
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
    "meta_capi_alert_quality": config.ALERT_QUALITY,
    "meta_capi_alert_coverage": config.ALERT_COVERAGE,
    "meta_capi_alert_diagnostics": config.ALERT_DIAGNOSTICS,
}
# What a website may have of its own, but for the token, which is not kept here.
_WEBSITE_FIELDS = {
    field: key
    for key, field in config.WEBSITE_FIELDS.items()
    if key != config.ACCESS_TOKEN
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


def _of_website(name, field_type, *args, **options):
    """Return a field for what a website may have of its own, else what is common.

    It shows what is in force, and is kept with the wizard until that is saved.
    """

    # One each: Odoo computes no field beside one of the same method that is given.
    @api.depends("website_id")
    def compute(wizards):
        for settings in wizards:
            settings[name] = settings._meta_capi_values_in_force()[name]

    return field_type(*args, compute=compute, store=True, readonly=False, **options)


def _own_mark():
    """Return a field that tells whether a value is the website's own."""
    return fields.Boolean(compute="_compute_meta_capi_own")


class ResConfigSettings(models.TransientModel):
    """The settings of the website that is chosen at the top of the page.

    Where there is only one, they are the common ones, System Parameters. Of several,
    each has of its own what is changed for it; everything else is common, and no
    website's page changes it.
    """

    _inherit = "res.config.settings"

    meta_capi_enabled = fields.Boolean("Meta Conversions API")
    meta_capi_many_websites = fields.Boolean(compute="_compute_meta_capi_own")
    meta_capi_website_name = fields.Char(compute="_compute_meta_capi_own")
    meta_capi_pixel_id = _of_website("meta_capi_pixel_id", fields.Char, "Meta Pixel ID")
    meta_capi_pixel_id_own = _own_mark()
    # Neither stored with the wizard nor ever sent back: written straight through.
    meta_capi_access_token = fields.Char(
        "Access Token",
        compute="_compute_meta_capi_access_token",
        inverse="_inverse_meta_capi_access_token",
        groups="base.group_system",
    )
    meta_capi_access_token_set = fields.Boolean(
        "Access Token Set", compute="_compute_meta_capi_own"
    )
    meta_capi_access_token_own = _own_mark()
    meta_capi_token_set_on = fields.Date(
        "Token Set On",
        compute="_compute_meta_capi_token_set_on",
        groups="base.group_system",
    )
    meta_capi_token_expires_on = fields.Date(
        "Token ends on",
        compute="_compute_meta_capi_token_expires_on",
        store=True,
        readonly=False,
        groups="base.group_system",
        help="Where Meta's Business Manager gave the token for 60 or 90 days. Managers"
        " get a notice 14 and 3 days before. Empty: it has no end.",
    )
    meta_capi_app_secret = fields.Char(
        "App Secret",
        compute="_compute_meta_capi_access_token",
        inverse="_inverse_meta_capi_app_secret",
        groups="base.group_system",
        help="Only where the app at Meta that the token belongs to asks for it: Require"
        " App Secret, in its advanced settings.",
    )
    meta_capi_app_secret_set = fields.Boolean(
        "App Secret Set", compute="_compute_meta_capi_own"
    )
    meta_capi_test_event_code = _of_website(
        "meta_capi_test_event_code", fields.Char, "Test Event Code"
    )
    meta_capi_test_event_code_own = _own_mark()
    meta_capi_extra_pixel_ids = _of_website(
        "meta_capi_extra_pixel_ids",
        fields.Char,
        "Pixels for copies",
        help="IDs, separated by commas, of pixels that get a copy of each event. The"
        " access token has to have access to them, too.",
    )
    meta_capi_extra_pixel_ids_own = _own_mark()
    meta_capi_purchase_trigger = _of_website(
        "meta_capi_purchase_trigger",
        fields.Selection,
        [
            ("never", "Never"),
            ("confirmed", "The order is confirmed"),
            ("paid", "The order is paid in full"),
            ("invoiced", "The order is first invoiced"),
        ],
        "Send Purchase when",
        help="Of orders of a website. However this changes, an order is one Purchase.\n"
        "Paid in full: payment transactions, authorized ones included, or paid invoices"
        " cover the total.",
    )

    meta_capi_purchase_trigger_own = _own_mark()
    meta_capi_consent_source = _of_website(
        "meta_capi_consent_source",
        fields.Selection,
        [
            ("odoo", "The website's cookies bar"),
            ("external", "Another consent tool"),
            ("none", "Nobody"),
        ],
        "Visitors are asked for consent by",
        help="The website's cookies bar: where it is on, nothing is told before a visitor"
        " has accepted optional cookies.\n"
        "Another consent tool: nothing is told, kept or set until it says yes.",
    )
    meta_capi_consent_source_own = _own_mark()

    meta_capi_bridge_enabled = _of_website(
        "meta_capi_bridge_enabled",
        fields.Boolean,
        "Send the browser's events from the server, too",
        help="Each event of the shop's pages reaches Meta from both ends under one ID, and"
        " is counted once; the server's copy also where the browser's is blocked.",
    )
    meta_capi_bridge_enabled_own = _own_mark()
    meta_capi_pixel_mode = _of_website(
        "meta_capi_pixel_mode",
        fields.Selection,
        [
            ("page", "The website loads it already"),
            ("load", "Load it, and send the shop's events with it"),
            ("server", "None: send the shop's events from the server only"),
        ],
        "Meta Pixel on the pages",
    )
    meta_capi_pixel_mode_own = _own_mark()
    meta_capi_bridge_events = _of_website(
        "meta_capi_bridge_events",
        fields.Char,
        "Events taken from the pages",
        help="Names, separated by commas. Empty: all standard events of Meta.",
    )
    meta_capi_bridge_events_own = _own_mark()

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
    meta_capi_alert_quality = fields.Boolean(
        "The match quality of Purchase falls",
        help="By more than 1 within a week.",
    )
    meta_capi_alert_coverage = fields.Boolean(
        "Event coverage stays under Meta's goal", help="For three days."
    )
    meta_capi_alert_diagnostics = fields.Boolean("Meta finds a new fault in the events")

    def _meta_capi_values_in_force(self):
        """Return what counts for the website at hand, by the names of our fields."""
        self.ensure_one()
        capi_config, website = self.env["meta.capi.config"], self.website_id
        return {
            "meta_capi_pixel_id": capi_config._pixel_id(website),
            "meta_capi_test_event_code": capi_config._test_event_code(website),
            "meta_capi_extra_pixel_ids": ",".join(
                capi_config._extra_pixel_ids(website)
            ),
            "meta_capi_purchase_trigger": (
                self.env["meta.capi.purchase"].sudo()._trigger(website)
            ),
            "meta_capi_consent_source": capi_config._consent_source(website),
            "meta_capi_bridge_enabled": capi_config._is_bridge_enabled(website),
            "meta_capi_pixel_mode": capi_config._pixel_mode(website),
            "meta_capi_bridge_events": capi_config._get(
                config.BRIDGE_EVENTS, website=website
            ),
        }

    @api.depends("website_id")
    def _compute_meta_capi_own(self):
        """Tell what is the website's own, and which of the secrets are set."""
        capi_config = self.env["meta.capi.config"]
        for settings in self:
            website = settings.website_id
            many = capi_config._edits_website(website)
            settings.meta_capi_many_websites = many
            settings.meta_capi_website_name = website.name
            for field in config.WEBSITE_FIELDS.values():
                settings[f"{field}_own"] = many and bool(website.sudo()[field])
            # To whom a website's own events are copied is its own affair.
            if settings.meta_capi_pixel_id_own:
                settings.meta_capi_extra_pixel_ids_own = True
            settings.meta_capi_access_token_set = bool(
                capi_config._get(config.ACCESS_TOKEN, website=website)
            )
            settings.meta_capi_app_secret_set = bool(capi_config._app_secret())

    def _compute_meta_capi_access_token(self):
        self.meta_capi_access_token = False
        self.meta_capi_app_secret = False

    @api.depends("website_id")
    def _compute_meta_capi_token_set_on(self):
        for settings in self:
            set_on, _end = self.env["meta.capi.token"]._days(settings.website_id)
            settings.meta_capi_token_set_on = set_on

    # Apart from the other: it is kept as it was typed.
    @api.depends("website_id")
    def _compute_meta_capi_token_expires_on(self):
        for settings in self:
            _set_on, end = self.env["meta.capi.token"]._days(settings.website_id)
            settings.meta_capi_token_expires_on = end

    def _inverse_meta_capi_access_token(self):
        capi_config, tokens = self.env["meta.capi.config"], self.env["meta.capi.token"]
        for settings in self:
            token = capi_config._check(
                config.ACCESS_TOKEN, settings.meta_capi_access_token or ""
            )
            if token:
                website = settings.website_id
                typed, before = (
                    settings.meta_capi_token_expires_on,
                    tokens._days(website),
                )
                capi_config._set(config.ACCESS_TOKEN, token, website)
                # The end of the former token, which the page still shows, is not that of
                # the new one.
                if typed == before[1] and tokens._days(website) != before:
                    settings.meta_capi_token_expires_on = False
        # What was typed is in the cache, and would go back with the answer.
        self.invalidate_recordset(["meta_capi_access_token"], flush=False)

    def _inverse_meta_capi_app_secret(self):
        for settings in self:
            if settings.meta_capi_app_secret:
                self.env["ir.config_parameter"].set_param(
                    config.APP_SECRET, settings.meta_capi_app_secret
                )
        self.invalidate_recordset(["meta_capi_app_secret"], flush=False)

    @api.model
    def get_values(self):
        # Not config_parameter: Odoo reads any text there as True.
        return {
            **super().get_values(),
            "meta_capi_enabled": self.env["meta.capi.config"]._is_enabled(),
            **self._meta_capi_get_data_values(),
        }

    def set_values(self):
        result = super().set_values()
        if self.meta_capi_enabled != self.env["meta.capi.config"]._is_enabled():
            self.env["ir.config_parameter"].sudo().set_param(
                config.ENABLED, str(self.meta_capi_enabled)
            )
        self._meta_capi_set_website_values()
        self.env["meta.capi.token"]._set_end(
            self.website_id, self.meta_capi_token_expires_on
        )
        self._meta_capi_set_data_values()
        return result

    def _meta_capi_set_website_values(self):
        """Save what was changed for the website at hand, and nothing else."""
        capi_config = self.env["meta.capi.config"]
        for field, in_force in self._meta_capi_values_in_force().items():
            key, value = _WEBSITE_FIELDS[field], self[field]
            # No, too, is an answer.
            value = str(value) if field == "meta_capi_bridge_enabled" else value or ""
            value = capi_config._check(key, value)
            if value != str(in_force):
                capi_config._set(key, value, self.website_id)

    def action_meta_capi_use_common(self):
        """Have the common value count for the website, instead of its own.

        Which one, the button says in the context: ``meta_capi_field``.
        """
        self._meta_capi_check_admin()
        field = self.env.context.get("meta_capi_field")
        if field not in config.WEBSITE_FIELDS.values():
            raise UserError(_("A website has no such value of its own."))
        self.website_id.sudo()[field] = False
        if field in _WEBSITE_FIELDS:
            # Else what is typed here would be saved as the website's own again.
            self[field] = self._meta_capi_values_in_force()[field]
        return self._meta_capi_stay_here(
            self.env["meta.capi.event"]._notification(
                _("%s uses the common value.", self.website_id.name), "success"
            )
        )

    def action_meta_capi_open_parameters(self):
        """Open the common values: the System Parameters, of which each is checked."""
        return {
            "type": "ir.actions.act_window",
            "name": _("System Parameters"),
            "res_model": "ir.config_parameter",
            "view_mode": "list,form",
            "domain": [("key", "=like", "meta_capi.%")],
        }

    def action_meta_capi_remove_token(self):
        """Remove the access token of the website, or of all where there is only one."""
        self._meta_capi_check_admin()
        self.env["meta.capi.config"]._set(config.ACCESS_TOKEN, "", self.website_id)
        return self._meta_capi_stay_here(
            self.env["meta.capi.event"]._notification(
                _("The access token is removed."), "success"
            )
        )

    def action_meta_capi_remove_app_secret(self):
        """Remove the secret that requests are signed with."""
        self._meta_capi_check_admin()
        self.env["ir.config_parameter"].sudo().set_param(config.APP_SECRET, False)
        return self._meta_capi_stay_here(
            self.env["meta.capi.event"]._notification(
                _("The app secret is removed."), "success"
            )
        )

    def _meta_capi_check_admin(self):
        if not self.env.is_admin():
            raise AccessError(_("Only administrators may do this."))

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

    def _meta_capi_stay_here(self, notification):
        """Have the form read anew in its place, with the website that was chosen.

        Opened anew, it would show the top of a page on which ours are far below. Where
        it would come back with another website, that is the lesser evil.
        """
        follow_up = {"type": "ir.actions.act_window_close"}
        website = self.website_id
        if website and website.id != self.default_get(["website_id"])["website_id"]:
            follow_up = self.env["ir.actions.actions"]._for_xml_id(
                "website.action_website_configuration"
            )
            follow_up["context"] = {
                **{"module": "website", "bin_size": False},
                "default_website_id": website.id,
            }
        notification["params"]["next"] = follow_up
        return notification

    def _meta_capi_credentials(self):
        """Return the pixel and the token of the website at hand."""
        self._meta_capi_check_admin()
        pixel_id = self.env["meta.capi.config"]._pixel_id(self.website_id)
        if not pixel_id:
            raise UserError(_("Set the Meta Pixel ID first."))
        token = self.env["meta.capi.config"]._access_token(pixel_id)
        if not token:
            raise UserError(_("Set the access token first."))
        return pixel_id, token
