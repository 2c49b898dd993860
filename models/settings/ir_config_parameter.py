from contextlib import contextmanager

from odoo import _, api, models
from odoo.exceptions import ValidationError

from ...capi.errors import InvalidParameter
from ..common.redaction import token_filter
from . import setting
from .setting_kinds import PREFIX


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model_create_multi
    def create(self, vals_list):
        cleaned = [self._meta_capi_clean(vals.get("key"), vals) for vals in vals_list]
        with self._meta_capi_minding_token():
            parameters = super().create(cleaned)
        self._meta_capi_follow(parameters.mapped("key"))
        return parameters

    def write(self, vals):
        keys = self.mapped("key")
        for parameter in self:
            if "key" in vals:
                # Renamed into one of ours, its value is checked like one of ours.
                vals = {"value": parameter.value, **vals}
            vals = self._meta_capi_clean(vals.get("key") or parameter.key, vals)
        with self._meta_capi_minding_token():
            result = super().write(vals)
        self._meta_capi_follow([*keys, *self.mapped("key")])
        return result

    def unlink(self):
        keys = self.mapped("key")
        with self._meta_capi_minding_token():
            result = super().unlink()
        self._meta_capi_follow(keys)
        return result

    @api.model
    def set_param(self, key, value):
        """See to it that saving the same value again counts as saving it.

        A token that is saved anew may have been given its rights in the meantime.
        """
        if str(key).startswith(PREFIX) and value not in (None, False):
            value = self._meta_capi_clean(key, {"value": value})["value"]
            if value == self.get_param(key):
                self._meta_capi_follow([key])
                return value
        return super().set_param(key, value)

    @api.model
    def _meta_capi_clean(self, key, vals):
        """Return ``vals`` with the value of one of our parameters stripped and checked."""
        value = vals.get("value")
        if not key or not key.startswith(PREFIX) or value in (None, False):
            return vals
        declared = setting.BY_KEY.get(key)
        try:
            value = declared.check(str(value)) if declared else str(value).strip()
        except InvalidParameter as error:
            raise ValidationError(
                _("%(key)s: %(reason)s", key=key, reason=error.reason)
            ) from error
        if declared and declared.is_secret:
            token_filter.remember(value)
        return {**vals, "value": value}

    @contextmanager
    def _meta_capi_minding_token(self):
        """Keep the day, where what happens in here sets, replaces or removes the token."""
        before = self.sudo().get_param(setting.ACCESS_TOKEN.key)
        yield
        if self.sudo().get_param(setting.ACCESS_TOKEN.key) != before:
            self.env["meta.capi.token"]._begin()

    @api.model
    def _meta_capi_follow(self, keys):
        """Let the rest of the addon follow what was saved."""
        followed = [setting.BY_KEY[key] for key in keys if key in setting.BY_KEY]
        if any(declared.resumes for declared in followed):
            self.env["meta.capi.pixel"].sudo()._follow_configuration()
        if setting.PURCHASE_TRIGGER in followed:
            self.env["meta.capi.purchase"].sudo()._arm()
