from odoo import api, fields, models

from . import meta_capi_config as config


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    meta_capi_enabled = fields.Boolean("Meta Conversions API")
    meta_capi_pixel_id = fields.Char(
        "Meta Pixel ID", config_parameter=config.PIXEL_ID
    )
    # Neither stored with the wizard nor ever sent back: written straight through.
    meta_capi_access_token = fields.Char(
        "Access Token",
        compute="_compute_meta_capi_access_token",
        inverse="_inverse_meta_capi_access_token",
        groups="base.group_system",
    )
    meta_capi_access_token_set = fields.Boolean(
        compute="_compute_meta_capi_access_token"
    )
    meta_capi_test_event_code = fields.Char(
        "Test Event Code", config_parameter=config.TEST_EVENT_CODE
    )
    meta_capi_automation_purchase = fields.Boolean(
        "Send a Purchase when a website order is confirmed"
    )

    def _compute_meta_capi_access_token(self):
        is_set = bool(self.env["meta.capi.config"]._get(config.ACCESS_TOKEN))
        self.meta_capi_access_token = False
        self.meta_capi_access_token_set = is_set

    def _inverse_meta_capi_access_token(self):
        for settings in self:
            if settings.meta_capi_access_token:
                self.env["ir.config_parameter"].set_param(
                    config.ACCESS_TOKEN, settings.meta_capi_access_token
                )

    @api.model
    def get_values(self):
        # Not config_parameter: Odoo reads any text there as True.
        return {
            **super().get_values(),
            "meta_capi_enabled": self.env["meta.capi.config"]._is_enabled(),
            "meta_capi_automation_purchase": self._meta_capi_automation().active,
        }

    def set_values(self):
        result = super().set_values()
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param(config.ENABLED, str(self.meta_capi_enabled))
        automation = self._meta_capi_automation()
        if automation.active != self.meta_capi_automation_purchase:
            automation.active = self.meta_capi_automation_purchase
        return result

    @api.model
    def _meta_capi_automation(self):
        """Return the automation that sends an order's Purchase; a user may delete it."""
        automation = self.env.ref(
            "ih_meta_conversions_api.automation_purchase", raise_if_not_found=False
        )
        return automation or self.env["base.automation"]
