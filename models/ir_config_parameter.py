from odoo import _, api, models
from odoo.exceptions import ValidationError

from ..capi.errors import InvalidParameter
from ..capi.redaction import token_filter
from . import meta_capi_config as config

PREFIX = "meta_capi."
# What a stopped pixel may have been waiting for.
RELEASING = {
    config.ENABLED,
    config.PIXEL_ID,
    config.EXTRA_PIXEL_IDS,
    config.ACCESS_TOKEN,
    config.TEST_EVENT_CODE,
    config.API_VERSION,
    config.GRAPH_URL,
}


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model_create_multi
    def create(self, vals_list):
        parameters = super().create(
            [self._meta_capi_clean(vals.get("key"), vals) for vals in vals_list]
        )
        parameters._meta_capi_release_pixels()
        return parameters

    def write(self, vals):
        for parameter in self:
            if "key" in vals:
                # Renamed into one of ours, its value is checked like one of ours.
                vals = {"value": parameter.value, **vals}
            vals = self._meta_capi_clean(vals.get("key") or parameter.key, vals)
        result = super().write(vals)
        self._meta_capi_release_pixels()
        return result

    def unlink(self):
        self._meta_capi_release_pixels()
        return super().unlink()

    @api.model
    def _meta_capi_clean(self, key, vals):
        """Return ``vals`` with the value of one of our parameters stripped and checked."""
        value = vals.get("value")
        if not key or not key.startswith(PREFIX) or value in (None, False):
            return vals
        try:
            value = self.env["meta.capi.config"]._check(key, str(value))
        except InvalidParameter as error:
            raise ValidationError(
                _("%(key)s: %(reason)s", key=key, reason=error.reason)
            ) from error
        if key == config.ACCESS_TOKEN:
            token_filter.remember(value)
        return {**vals, "value": value}

    def _meta_capi_release_pixels(self):
        if any(parameter.key in RELEASING for parameter in self):
            self.env["meta.capi.pixel"].sudo().search([])._release()
