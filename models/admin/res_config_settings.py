import ast
import re

from odoo import Command, _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ...capi.errors import InvalidParameter
from ..common.notification import notification
from ..settings import setting

# What a website may have of its own and is kept here, which a secret is not.
_OF_WEBSITE = tuple(
    declared for declared in setting.PER_WEBSITE if not declared.is_secret
)
# What is common to all websites and has a field of its own.
_COMMON = tuple(
    declared
    for declared in setting.ALL
    if declared.label and not declared.is_per_website and not declared.is_secret
)
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
_TEST_CODE = re.compile(r"TEST\d+")


def _of_website(declared):
    """Return the field for what a website may have of its own, else what is common.

    It shows what is in force, and is kept with the wizard until that is saved.
    """

    # One each: Odoo computes no field beside one of the same method that is given.
    @api.depends("website_id")
    def compute(wizards):
        for wizard in wizards:
            values = wizard._meta_capi_values_in_force()
            wizard[declared.field_name] = values[declared.field_name]

    return declared.settings_field(compute=compute, store=True, readonly=False)


def _secret(declared):
    """Return the field for a secret: written straight through, and never sent back."""
    return declared.settings_field(
        compute="_compute_meta_capi_secrets",
        inverse=f"_inverse_{declared.field_name}",
        groups="base.group_system",
    )


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

    meta_capi_enabled = setting.ENABLED.settings_field()
    meta_capi_many_websites = fields.Boolean(compute="_compute_meta_capi_own")
    meta_capi_website_name = fields.Char(compute="_compute_meta_capi_own")
    meta_capi_pixel_id = _of_website(setting.PIXEL_ID)
    meta_capi_pixel_id_own = _own_mark()
    meta_capi_pixel_problem = fields.Char(
        "Problem of the Pixel ID", compute="_compute_meta_capi_problems"
    )
    meta_capi_access_token = _secret(setting.ACCESS_TOKEN)
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
    meta_capi_app_secret = _secret(setting.APP_SECRET)
    meta_capi_app_secret_set = fields.Boolean(
        "App Secret Set", compute="_compute_meta_capi_own"
    )
    meta_capi_test_event_code = _of_website(setting.TEST_EVENT_CODE)
    meta_capi_test_event_code_own = _own_mark()
    meta_capi_test_code_problem = fields.Char(
        "Problem of the Test Event Code", compute="_compute_meta_capi_problems"
    )
    meta_capi_extra_pixel_ids = _of_website(setting.EXTRA_PIXEL_IDS)
    meta_capi_extra_pixel_ids_own = _own_mark()
    meta_capi_purchase_trigger = _of_website(setting.PURCHASE_TRIGGER)
    meta_capi_purchase_trigger_own = _own_mark()
    meta_capi_consent_source = _of_website(setting.CONSENT_SOURCE)
    meta_capi_consent_source_own = _own_mark()
    meta_capi_bridge_enabled = _of_website(setting.BRIDGE_ENABLED)
    meta_capi_bridge_enabled_own = _own_mark()
    meta_capi_pixel_mode = _of_website(setting.PIXEL_MODE)
    meta_capi_pixel_mode_own = _own_mark()
    meta_capi_bridge_events = _of_website(setting.BRIDGE_EVENTS)
    meta_capi_bridge_events_own = _own_mark()

    meta_capi_money_back = fields.Boolean(
        "Tell Meta of money that is given back",
        help="Of credit notes, cancelled orders that were paid, and refunds at the"
        " counter: an event of its own, with the amount that is given back and the ID of"
        " the order. Only of orders whose Purchase was recorded: of others Meta knows"
        " nothing that could be given back.",
    )
    meta_capi_money_back_event = fields.Char(
        "Name of the event of money back",
        help="Meta has no standard event for it: a name of your own.",
    )

    meta_capi_value_includes_tax = setting.VALUE_INCLUDES_TAX.settings_field()
    meta_capi_value_includes_shipping = setting.VALUE_INCLUDES_SHIPPING.settings_field()
    meta_capi_content_id = setting.CONTENT_ID.settings_field()
    meta_capi_has_margin = fields.Boolean(compute="_compute_meta_capi_has")
    meta_capi_value = setting.VALUE.settings_field()
    meta_capi_net_revenue = setting.NET_REVENUE.settings_field()
    meta_capi_customer_segmentation = setting.CUSTOMER_SEGMENTATION.settings_field()
    meta_capi_send_email = fields.Boolean("E-mail address")
    meta_capi_send_phone = fields.Boolean("Phone number")
    meta_capi_send_name = fields.Boolean("First and last name")
    meta_capi_send_address = fields.Boolean("City, state, postcode, country")
    meta_capi_send_customer_id = fields.Boolean("Customer ID")
    meta_capi_send_browser = fields.Boolean("IP address and user agent")
    meta_capi_send_cookies = fields.Boolean("Meta's cookies _fbc and _fbp")
    meta_capi_limited_data_use = setting.LIMITED_DATA_USE.settings_field()
    meta_capi_send_without_browser = setting.SEND_WITHOUT_BROWSER.settings_field()
    meta_capi_exclude_internal_users = setting.EXCLUDE_INTERNAL_USERS.settings_field()
    meta_capi_exclude_zero_orders = setting.EXCLUDE_ZERO_ORDERS.settings_field()
    meta_capi_exclude_test_payments = setting.EXCLUDE_TEST_PAYMENTS.settings_field()
    meta_capi_excluded_tag_ids = fields.Many2many(
        "res.partner.category",
        string="Customers with a tag",
        help="Also those who buy for a company with the tag.",
    )
    meta_capi_has_crm = fields.Boolean(compute="_compute_meta_capi_has")
    meta_capi_alert_quality = setting.ALERT_QUALITY.settings_field()
    meta_capi_alert_coverage = setting.ALERT_COVERAGE.settings_field()
    meta_capi_alert_diagnostics = setting.ALERT_DIAGNOSTICS.settings_field()
    meta_capi_has_counter = fields.Boolean(compute="_compute_meta_capi_has")
    meta_capi_movable_count = fields.Integer(
        "Meta Events to Move", compute="_compute_meta_capi_health"
    )
    meta_capi_health = fields.Html(
        "Health of the Meta Conversions API",
        compute="_compute_meta_capi_health",
        sanitize=False,
        groups="base.group_system",
    )

    # ---------------------------------------------------------------- what is shown

    def _meta_capi_values_in_force(self):
        """Return what counts for the website at hand, by the names of our fields."""
        self.ensure_one()
        capi_config, website = self.env["meta.capi.config"], self.website_id
        purchase = self.env["meta.capi.purchase"].sudo()
        return {
            **{
                declared.field_name: declared.shown(
                    capi_config._text(declared, website)
                )
                for declared in _OF_WEBSITE
            },
            # What else than a value of its own decides on these.
            "meta_capi_extra_pixel_ids": ",".join(
                capi_config._extra_pixel_ids(website)
            ),
            "meta_capi_purchase_trigger": purchase._trigger(website),
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
            for declared in setting.PER_WEBSITE:
                is_own = many and bool(website.sudo()[declared.field_name])
                settings[f"{declared.field_name}_own"] = is_own
            # To whom a website's own events are copied is its own affair.
            if settings.meta_capi_pixel_id_own:
                settings.meta_capi_extra_pixel_ids_own = True
            settings.meta_capi_access_token_set = bool(
                capi_config._get(setting.ACCESS_TOKEN, website)
            )
            settings.meta_capi_app_secret_set = bool(
                capi_config._get(setting.APP_SECRET)
            )

    @api.depends("meta_capi_pixel_id", "meta_capi_test_event_code")
    def _compute_meta_capi_problems(self):
        """Tell of what is being typed what is wrong with it."""
        for settings in self:
            code = (settings.meta_capi_test_event_code or "").strip()
            problem = _problem(setting.TEST_EVENT_CODE, code)
            if code and not problem and not _TEST_CODE.fullmatch(code):
                problem = _("Meta's codes are TEST and a number, such as TEST12345.")
            settings.meta_capi_test_code_problem = problem
            settings.meta_capi_pixel_problem = _problem(
                setting.PIXEL_ID, settings.meta_capi_pixel_id or ""
            )

    @api.depends("website_id")
    @api.depends_context("lang")
    def _compute_meta_capi_health(self):
        unused = self.env["meta.capi.pixel"]._unused()
        for settings in self:
            settings.meta_capi_movable_count = sum(unused.mapped("movable_count"))
            settings.meta_capi_health = self.env["meta.capi.health"]._render(
                settings.meta_capi_many_websites
            )

    def _compute_meta_capi_has(self):
        """Tell which choices make sense with the apps that are installed."""
        self.meta_capi_has_margin = "margin" in self.env["sale.order"]._fields
        self.meta_capi_has_crm = "crm.lead" in self.env
        self.meta_capi_has_counter = self.env["meta.capi.store"]._is_installed()

    def _compute_meta_capi_secrets(self):
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

    # ---------------------------------------------------------------- what is saved

    def _inverse_meta_capi_access_token(self):
        capi_config, tokens = self.env["meta.capi.config"], self.env["meta.capi.token"]
        for settings in self:
            token = capi_config._check_field(
                settings, setting.ACCESS_TOKEN, settings.meta_capi_access_token
            )
            if token:
                website, typed = (
                    settings.website_id,
                    settings.meta_capi_token_expires_on,
                )
                before = tokens._days(website)
                capi_config._set(setting.ACCESS_TOKEN, token, website)
                # The end of the former token, which the page still shows, is not that of
                # the new one.
                if typed == before[1] and tokens._days(website) != before:
                    settings.meta_capi_token_expires_on = False
        # What was typed is in the cache, and would go back with the answer.
        self.invalidate_recordset(["meta_capi_access_token"], flush=False)

    def _inverse_meta_capi_app_secret(self):
        for settings in self:
            secret = self.env["meta.capi.config"]._check_field(
                settings, setting.APP_SECRET, settings.meta_capi_app_secret
            )
            if secret:
                self.env["ir.config_parameter"].set_param(
                    setting.APP_SECRET.key, secret
                )
        self.invalidate_recordset(["meta_capi_app_secret"], flush=False)

    @api.model
    def fields_get(self, allfields=None, attributes=None):
        """Offer the ids of Odoo's product feed where there is one, or they are chosen."""
        described = super().fields_get(allfields, attributes)
        choices = described.get(setting.CONTENT_ID.field_name, {})
        chosen = self.env["meta.capi.config"]._get(setting.CONTENT_ID)
        if "selection" in choices and "product.feed" not in self.env:
            choices["selection"] = [
                (value, label)
                for value, label in choices["selection"]
                if value != "product_feed" or value == chosen
            ]
        return described

    @api.model
    def get_values(self):
        # Not config_parameter: Odoo would read any text of a switch as yes, and delete
        # what is switched off.
        capi_config = self.env["meta.capi.config"]
        withheld = capi_config._withheld_user_data()
        tag_ids = sorted(capi_config._excluded_tag_ids())
        tags = self.env["res.partner.category"].browse(tag_ids).exists()
        money_back = self.env["meta.capi.money.back"]
        return {
            **super().get_values(),
            "meta_capi_money_back": money_back._is_on(),
            "meta_capi_money_back_event": money_back._name_of_event(),
            **{declared.field_name: capi_config._get(declared) for declared in _COMMON},
            **{
                field: withheld.isdisjoint(keys)
                for field, keys in _USER_DATA_FIELDS.items()
            },
            "meta_capi_excluded_tag_ids": [Command.set(tags.ids)],
        }

    def set_values(self):
        result = super().set_values()
        capi_config = self.env["meta.capi.config"]
        parameters = self.env["ir.config_parameter"].sudo()
        for declared in _COMMON:
            value = self[declared.field_name]
            if value != capi_config._get(declared):
                parameters.set_param(
                    declared.key,
                    capi_config._check_field(self, declared, value) or False,
                )
        self._meta_capi_set_website_values()
        self.env["meta.capi.money.back"]._arm(
            self.meta_capi_money_back, self.meta_capi_money_back_event
        )
        self.env["meta.capi.token"]._set_end(
            self.website_id, self.meta_capi_token_expires_on
        )
        self._meta_capi_set_user_data_keys()
        parameters.set_param(
            setting.EXCLUDED_TAG_IDS.key,
            ",".join(map(str, self.meta_capi_excluded_tag_ids.ids)),
        )
        return result

    def _meta_capi_set_website_values(self):
        """Save what was changed for the website at hand, and nothing else."""
        capi_config = self.env["meta.capi.config"]
        in_force = self._meta_capi_values_in_force()
        for declared in _OF_WEBSITE:
            name = declared.field_name
            value = capi_config._check_field(self, declared, self[name])
            if value != declared.stored(in_force[name]):
                capi_config._set(declared, value, self.website_id)

    def _meta_capi_set_user_data_keys(self):
        chosen = [keys for field, keys in _USER_DATA_FIELDS.items() if self[field]]
        if not chosen:
            raise UserError(
                _("Meta takes no event that tells nothing of the customer.")
            )
        keys = ",".join(key for keys in chosen for key in keys)
        everything = len(chosen) == len(_USER_DATA_FIELDS)
        self.env["ir.config_parameter"].sudo().set_param(
            setting.USER_DATA_KEYS.key, "" if everything else keys
        )

    # --------------------------------------------------------------------- buttons

    def action_meta_capi_use_common(self):
        """Have the common value count for the website, instead of its own.

        Which one, the button says in the context: ``meta_capi_field``.
        """
        self._meta_capi_check_admin()
        field = self.env.context.get("meta_capi_field")
        declared = setting.BY_FIELD.get(field)
        if declared not in setting.PER_WEBSITE:
            raise UserError(_("A website has no such value of its own."))
        self.website_id.sudo()[field] = False
        if declared in _OF_WEBSITE:
            # Else what is typed here would be saved as the website's own again.
            self[field] = self._meta_capi_values_in_force()[field]
        self._meta_capi_show_token_end()
        return self._meta_capi_stay_here(
            notification(
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

    def action_meta_capi_open_stores(self):
        """Open the points of sale, with the switch of each."""
        self._meta_capi_check_admin()
        self.env["meta.capi.store"].sudo()._follow_points()
        return {
            "type": "ir.actions.act_window",
            "name": _("Points of Sale"),
            "res_model": "meta.capi.store",
            "view_mode": "list",
        }

    def action_meta_capi_remove_token(self):
        """Remove the access token of the website, or of all where there is only one."""
        self._meta_capi_check_admin()
        self.env["meta.capi.config"]._set(setting.ACCESS_TOKEN, "", self.website_id)
        self._meta_capi_show_token_end()
        return self._meta_capi_stay_here(
            notification(_("The access token is removed."), "success")
        )

    def action_meta_capi_remove_app_secret(self):
        """Remove the secret that requests are signed with."""
        self._meta_capi_check_admin()
        self.env["ir.config_parameter"].sudo().set_param(setting.APP_SECRET.key, False)
        return self._meta_capi_stay_here(
            notification(_("The app secret is removed."), "success")
        )

    def _meta_capi_show_token_end(self):
        """Show the end of the token in use; that of another would be saved as its own."""
        _set_on, end = self.env["meta.capi.token"]._days(self.website_id)
        self.meta_capi_token_expires_on = end

    def _meta_capi_check_admin(self):
        if not self.env.is_admin():
            raise AccessError(_("Only administrators may do this."))

    def action_meta_capi_test_connection(self):
        """Ask Meta for the pixel and show what it answers."""
        self._meta_capi_check_admin()
        return self._meta_capi_stay_here(
            self.env["meta.capi.connection"]._test(self.website_id)
        )

    def action_meta_capi_send_test_event(self):
        """Send an event to the Test Events tab of Meta and show what it answers."""
        self._meta_capi_check_admin()
        return self._meta_capi_stay_here(
            self.env["meta.capi.connection"]._send_test_event(self.website_id)
        )

    def action_meta_capi_move_events(self):
        """Move what was never sent to the pixels that its websites have now."""
        self._meta_capi_check_admin()
        return self._meta_capi_stay_here(
            self.env["meta.capi.pixel"]._unused().action_move_events()
        )

    def _meta_capi_stay_here(self, notification):
        """Have the form read anew in its place, with the website that was chosen.

        Where it would come back with another website, it is opened anew.
        """
        follow_up = {"type": "ir.actions.act_window_close"}
        website = self.website_id
        if website and website.id != self.default_get(["website_id"])["website_id"]:
            follow_up = self.env["ir.actions.actions"]._for_xml_id(
                "ih_meta_conversions_api.meta_capi_settings_action"
            )
            follow_up["context"] = {
                **ast.literal_eval(follow_up["context"]),
                "default_website_id": website.id,
            }
        notification["params"]["next"] = follow_up
        return notification


def _problem(declared, text):
    """Return what is wrong with a value that is typed, or False."""
    try:
        declared.check(text)
    except InvalidParameter as error:
        return error.reason
    return False
