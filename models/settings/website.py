from contextlib import contextmanager

from odoo import api, fields, models

from ..common.redaction import token_filter
from . import setting

_RESUMING = {declared.field_name for declared in setting.ALL if declared.resumes}
_TOKEN = setting.ACCESS_TOKEN.field_name
_TOKEN_END = "meta_capi_token_expires_on"


class Website(models.Model):
    """What a website has of its own instead of the common System Parameters.

    A copy of a website begins with the common ones: a second one with the same token,
    test code or moment of a Purchase would be nobody's choice.
    """

    _inherit = "website"

    meta_capi_pixel_id = setting.PIXEL_ID.website_field()
    meta_capi_extra_pixel_ids = setting.EXTRA_PIXEL_IDS.website_field()
    meta_capi_access_token = setting.ACCESS_TOKEN.website_field()
    meta_capi_test_event_code = setting.TEST_EVENT_CODE.website_field()
    meta_capi_bridge_enabled = setting.BRIDGE_ENABLED.website_field()
    meta_capi_pixel_mode = setting.PIXEL_MODE.website_field()
    meta_capi_bridge_events = setting.BRIDGE_EVENTS.website_field()
    meta_capi_purchase_trigger = setting.PURCHASE_TRIGGER.website_field()
    meta_capi_purchase_trigger_since = fields.Datetime(
        groups="base.group_system", copy=False, readonly=True
    )
    meta_capi_consent_source = setting.CONSENT_SOURCE.website_field()
    meta_capi_token_set_on = fields.Date(
        groups="base.group_system", copy=False, readonly=True
    )
    meta_capi_token_expires_on = fields.Date(
        "Meta Access Token Ends On", groups="base.group_system", copy=False
    )

    @api.model_create_multi
    def create(self, vals_list):
        chosen = {name for vals in vals_list for name in vals}
        with self._meta_capi_following(chosen):
            websites = super().create(
                [self._meta_capi_clean(vals) for vals in vals_list]
            )
        for website, vals in zip(websites, vals_list, strict=True):
            if vals.get(_TOKEN):
                self.env["meta.capi.token"]._begin(website, vals.get(_TOKEN_END, False))
        return websites

    def write(self, vals):
        cleaned = self._meta_capi_clean(vals)
        renewed = self.browse()
        if _TOKEN in vals:
            token = cleaned[_TOKEN] or False
            renewed = self.filtered(lambda website: website.sudo()[_TOKEN] != token)
        with self._meta_capi_following(vals):
            result = super().write(cleaned)
        # Whoever has asked the settings since Odoo forgot them has learned the former ones.
        self.env.cr.postcommit.add(self.env.registry.clear_cache)
        for website in renewed:
            self.env["meta.capi.token"]._begin(website, vals.get(_TOKEN_END, False))
        return result

    def unlink(self):
        with self._meta_capi_following(self._fields):
            return super().unlink()

    @contextmanager
    def _meta_capi_following(self, names):
        """Let the rest of the addon follow a change of these fields."""
        purchase = self.env["meta.capi.purchase"].sudo()
        common = (
            purchase._common() if setting.PURCHASE_TRIGGER.field_name in names else None
        )
        yield
        if not _RESUMING.isdisjoint(names):
            self.env["meta.capi.pixel"].sudo()._follow_configuration()
        if common:
            purchase._keep_common(common)

    @api.model
    def _meta_capi_clean(self, vals):
        """Return ``vals`` with our fields stripped and checked like the parameters."""
        config, cleaned = self.env["meta.capi.config"], dict(vals)
        for declared in setting.PER_WEBSITE:
            field = declared.field_name
            if vals.get(field):
                cleaned[field] = config._check_field(self, declared, vals[field])
        if setting.PURCHASE_TRIGGER.field_name in vals:
            cleaned["meta_capi_purchase_trigger_since"] = fields.Datetime.now()
        token_filter.remember(cleaned.get("meta_capi_access_token") or "")
        return cleaned
