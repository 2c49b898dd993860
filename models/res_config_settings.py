from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..capi.answer import Outcome
from ..capi.errors import InvalidParameter
from . import meta_capi_config as config


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
    meta_capi_access_token_set = fields.Boolean(readonly=True)
    meta_capi_test_event_code = fields.Char(
        "Test Event Code", config_parameter=config.TEST_EVENT_CODE
    )
    meta_capi_automation_purchase = fields.Boolean(
        "Send a Purchase when a website order is confirmed"
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
            "meta_capi_access_token_set": bool(
                self.env["meta.capi.config"]._get(config.ACCESS_TOKEN)
            ),
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
        return self.env["meta.capi.event"]._notification(
            message, "success" if answer.outcome is Outcome.ACCEPTED else "warning"
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
        return self.env["meta.capi.event"]._send_and_tell(sent_ids)

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
    def _meta_capi_automation(self):
        """Return the automation that sends an order's Purchase; a user may delete it."""
        automation = self.env.ref(
            "ih_meta_conversions_api.automation_purchase", raise_if_not_found=False
        )
        return automation or self.env["base.automation"]
